/// The unit vector that is perpendicular to all eight `rows` (of either sign).
///
/// All methods agree but for rounding. This one rounds as numpy's `linalg.svd` does on x86 processors with AVX2:
/// LAPACK's bidiagonal reduction by mirrors, alternately of rows and columns, with sums in the order, and fused where,
/// `OpenBLAS` does on four lanes. Whoever cuts fractions off needs that: an entry that is 0 in truth comes out as
/// some 1e-16, whose sign decides.
pub(super) fn null_vector(mut rows: [[f64; 9]; 8]) -> [f64; 9] {
    let mut scales = [0.0; 8];
    for i in 0..8 {
        let (upper, lower) = rows.split_at_mut(i + 1);
        let mirror = &mut upper[i][i..];
        scales[i] = make_mirror(mirror);
        reflect_rows(lower, i, mirror, scales[i]);

        let mut mirror: Vec<f64> = lower.iter().map(|row| row[i]).collect();
        let scale = make_mirror(&mut mirror);
        for column in i + 1..9 {
            reflect_column(lower, column, &mirror, scale);
        }
    }
    // In the basis of the mirrored rows it is the last axis.
    let mut vector = [0.0; 9];
    vector[8] = 1.0;
    for i in (0..8).rev() {
        let mirror = &rows[i][i..];
        let sum = in_turn(&vector[i..], mirror);
        move_along(&mut vector[i..], mirror, scales[i], sum);
    }
    vector
}

/// Turns `vector` into the mirror (with 1 as first entry) that maps it onto the first axis, and returns the scale
/// of [`move_along`] for it: 0 where nothing needs to move.
fn make_mirror(vector: &mut [f64]) -> f64 {
    let Some((first, rest)) = vector.split_first_mut() else { return 0.0 };
    let (head, tail) = (std::mem::replace(first, 1.0), norm(rest));
    if tail == 0.0 {
        return 0.0;
    }
    let (large, small) = (head.abs().max(tail), head.abs().min(tail));
    let ratio = small / large;
    let target = -(large * (1.0 + ratio * ratio).sqrt()).copysign(head);
    let factor = 1.0 / (head - target);
    for value in rest {
        *value *= factor;
    }
    (target - head) / target
}

/// The length of `values`, with twice the digits in between: `OpenBLAS` works in extended precision here.
fn norm(values: &[f64]) -> f64 {
    let (mut high, mut low) = (0.0f64, 0.0);
    for &value in values {
        let square = value * value;
        let sum = high + square;
        let added = sum - high;
        low += (high - (sum - added)) + (square - added) + value.mul_add(value, -square);
        high = sum;
    }
    let root = high.sqrt();
    if root == 0.0 { 0.0 } else { root + ((-root).mul_add(root, high) + low) / (2.0 * root) }
}

/// Moves `values` along `mirror`; with `sum` their scalar product, that reflects them.
fn move_along(values: &mut [f64], mirror: &[f64], scale: f64, sum: f64) {
    for (value, mirror) in values.iter_mut().zip(mirror) {
        *value += -scale * mirror * sum;
    }
}

/// Reflects each of `rows`, from column `start` on. Four rows at a time share vector registers; the rest go singly.
fn reflect_rows(rows: &mut [[f64; 9]], start: usize, mirror: &[f64], scale: f64) {
    let mirror = without_zeros(mirror);
    let columns = start..start + mirror.len();
    let zero = |row: &[f64; 9]| row[columns.clone()].iter().all(|&value| value == 0.0);
    let in_fours = rows.iter().rposition(|row| !zero(row)).map_or(0, |last| (last + 1) / 4 * 4);
    for (i, row) in rows.iter_mut().enumerate() {
        let row = &mut row[columns.clone()];
        let sum = if i < in_fours { by_fours(row, mirror) } else { in_turn(row, mirror) };
        move_along(row, mirror, scale, sum);
    }
}

/// Reflects one column of `rows`: its first four entries on four lanes, what remains after that.
fn reflect_column(rows: &mut [[f64; 9]], column: usize, mirror: &[f64], scale: f64) {
    let mirror = without_zeros(mirror);
    let product = |i: usize| rows[i][column] * mirror[i];
    let fused = |i: usize, sum: f64| rows[i][column].mul_add(mirror[i], sum);
    let done = mirror.len() / 4 * 4;
    let lanes = if done == 4 { (product(0) + product(2)) + (product(1) + product(3)) } else { 0.0 };
    let sum = match mirror.len() - done {
        0 => lanes,
        1 => fused(done, lanes),
        2 => lanes + fused(done, product(done + 1)),
        _ => lanes + fused(done + 2, fused(done, product(done + 1))),
    };
    for (row, mirror) in rows.iter_mut().zip(mirror) {
        row[column] += -scale * sum * mirror;
    }
}

/// The scalar product, summed from left to right.
fn in_turn(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + a * b)
}

/// The scalar product, four entries at a time.
fn by_fours(a: &[f64], b: &[f64]) -> f64 {
    let ((a_fours, a_rest), (b_fours, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    let fours = a_fours
        .iter()
        .zip(b_fours)
        .fold(0.0, |sum, (a, b)| sum + (a[2].mul_add(b[2], a[0] * b[0]) + a[3].mul_add(b[3], a[1] * b[1])));
    a_rest.iter().zip(b_rest).fold(fours, |sum, (a, b)| sum + a * b)
}

/// `values` up to the last that is not 0.
fn without_zeros(values: &[f64]) -> &[f64] {
    &values[..values.iter().rposition(|&value| value != 0.0).map_or(0, |last| last + 1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn coordinate_axes_leave_the_last() {
        let rows = std::array::from_fn(|row| std::array::from_fn(|column| f64::from(row == column)));
        assert_eq!(null_vector(rows).map(f64::abs), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        assert_eq!(null_vector([[0.0; 9]; 8])[8], 1.0);
    }

    #[test]
    fn lengths_are_the_nearest() {
        assert_eq!(norm(&[3.0, 4.0, 12.0]), 13.0);
        assert_eq!(norm(&[1.0, 1e-9]), 1.0);
        assert_eq!(norm(&[]), 0.0);
    }

    proptest! {
        #[test]
        fn it_is_perpendicular_and_of_length_one(
            values in prop::collection::vec(-1.0f64..1.0, 72),
        ) {
            let rows = std::array::from_fn(|row| std::array::from_fn(|column| values[row * 9 + column]));
            let vector = null_vector(rows);
            prop_assert!((norm(&vector) - 1.0).abs() < 1e-13);
            for row in rows {
                prop_assert!(in_turn(&row, &vector).abs() < 1e-12);
            }
        }
    }
}
