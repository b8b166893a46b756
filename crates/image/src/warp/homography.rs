/// The inverse of the perspective map that takes `corners` (top left, top right, bottom right, bottom left) to
/// the corners (0,0), (w,0), (w,h), (0,h): output pixels to source positions, row by row.
///
/// All zeros for corners that no perspective map can take there (three of them on a line), as in OpenCV.
/// Operations are in OpenCV's order: its results are rounded to 1/32 pixel later, where the last bit matters.
pub(super) fn inverse(corners: [[f32; 2]; 4], width: f64, height: f64) -> [f64; 9] {
    let (w, h) = (width as f32, height as f32);
    let targets = [[0.0, 0.0], [w, 0.0], [w, h], [0.0, h]];
    let mut matrix = [[0.0; 8]; 8];
    let mut right = [0.0; 8];
    for (index, ([x, y], [u, v])) in corners.into_iter().zip(targets).enumerate() {
        // The products are single precision in OpenCV too.
        matrix[index] = [x, y, 1.0, 0.0, 0.0, 0.0, -x * u, -y * u].map(f64::from);
        matrix[index + 4] = [0.0, 0.0, 0.0, x, y, 1.0, -x * v, -y * v].map(f64::from);
        right[index] = f64::from(u);
        right[index + 4] = f64::from(v);
    }
    match solve(matrix, right) {
        Some([a, b, c, d, e, f, g, h]) => invert([a, b, c, d, e, f, g, h, 1.0]),
        None => [0.0; 9],
    }
}

/// Gaussian elimination with the largest pivot of each column; `None` for a singular matrix.
fn solve(mut matrix: [[f64; 8]; 8], mut right: [f64; 8]) -> Option<[f64; 8]> {
    const SMALLEST_PIVOT: f64 = f64::EPSILON * 100.0;
    for column in 0..8 {
        let mut pivot = column;
        for row in column + 1..8 {
            if matrix[row][column].abs() > matrix[pivot][column].abs() {
                pivot = row;
            }
        }
        let size = matrix[pivot][column].abs();
        if size < SMALLEST_PIVOT || size.is_nan() {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let scale = -1.0 / matrix[column][column];
        let (pivot_row, pivot_right) = (matrix[column], right[column]);
        for (row, right) in matrix.iter_mut().zip(&mut right).skip(column + 1) {
            let factor = row[column] * scale;
            for (value, pivot) in row.iter_mut().zip(pivot_row).skip(column + 1) {
                *value += factor * pivot;
            }
            *right += factor * pivot_right;
        }
    }
    for row in (0..8).rev() {
        let mut sum = right[row];
        for k in row + 1..8 {
            sum -= matrix[row][k] * right[k];
        }
        right[row] = sum / matrix[row][row];
    }
    Some(right)
}

/// The inverse by cofactors; zeros for a singular matrix.
fn invert(m: [f64; 9]) -> [f64; 9] {
    let determinant = m[0] * (m[4] * m[8] - m[5] * m[7]) - m[1] * (m[3] * m[8] - m[5] * m[6])
        + m[2] * (m[3] * m[7] - m[4] * m[6]);
    if determinant == 0.0 || !determinant.is_finite() {
        return [0.0; 9];
    }
    let d = 1.0 / determinant;
    [
        (m[4] * m[8] - m[5] * m[7]) * d,
        (m[2] * m[7] - m[1] * m[8]) * d,
        (m[1] * m[5] - m[2] * m[4]) * d,
        (m[5] * m[6] - m[3] * m[8]) * d,
        (m[0] * m[8] - m[2] * m[6]) * d,
        (m[2] * m[3] - m[0] * m[5]) * d,
        (m[3] * m[7] - m[4] * m[6]) * d,
        (m[1] * m[6] - m[0] * m[7]) * d,
        (m[0] * m[4] - m[1] * m[3]) * d,
    ]
}
