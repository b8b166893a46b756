use viewfinder_image::{RgbImage, warp};

/// Where `ArcFace`'s training pictures of 112×112 pixels have the eyes, the nose and the corners of the mouth.
const TEMPLATE: [[f32; 2]; 5] =
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]];

/// Rotation, uniform scale and shift: `[a, -b, tx, b, a, ty]`, rows of a 2×3 matrix from picture to aligned face.
pub type Similarity = [f64; 6];

/// The five points of an aligned face of `size`×`size` pixels.
///
/// Multiples of 112 are scaled from `ArcFace`'s layout; other multiples of 128 leave 8 of 128 pixels more on
/// the left, as InsightFace lays them out; anything else is scaled like the former.
pub fn template(size: usize) -> [[f32; 2]; 5] {
    let wide = !size.is_multiple_of(112) && size.is_multiple_of(128);
    let scale = size as f32 / if wide { 128.0 } else { 112.0 };
    let shift = if wide { 8.0 * scale } else { 0.0 };
    TEMPLATE.map(|[x, y]| [x * scale + shift, y * scale])
}

/// The similarity that brings `points` closest to `target` (least squares, no mirroring; Umeyama's problem,
/// which has a closed form in the plane). `None` if the points coincide or are not finite.
pub fn similarity(points: &[[f32; 2]; 5], target: &[[f32; 2]; 5]) -> Option<Similarity> {
    let mean =
        |of: &[[f32; 2]; 5], axis: usize| of.iter().map(|point| f64::from(point[axis])).sum::<f64>() / 5.0;
    let (px, py) = (mean(points, 0), mean(points, 1));
    let (tx, ty) = (mean(target, 0), mean(target, 1));
    let (mut spread, mut along, mut across) = (0.0, 0.0, 0.0);
    for (point, goal) in points.iter().zip(target) {
        let (sx, sy) = (f64::from(point[0]) - px, f64::from(point[1]) - py);
        let (dx, dy) = (f64::from(goal[0]) - tx, f64::from(goal[1]) - ty);
        spread += sx * sx + sy * sy;
        along += sx * dx + sy * dy;
        across += sx * dy - sy * dx;
    }
    let (a, b) = (along / spread, across / spread);
    let matrix = [a, -b, tx - (a * px - b * py), b, a, ty - (b * px + a * py)];
    // A scale of zero cannot be inverted by the warp; a mirrored or crossed set of points comes close to it.
    (matrix.iter().all(|value| value.is_finite()) && a.hypot(b) > f64::EPSILON).then_some(matrix)
}

/// The face with these five points, upright in a square of `size` pixels; black where the picture ends.
pub fn aligned(picture: &RgbImage, landmarks: &[[f32; 2]; 5], size: usize) -> Option<RgbImage> {
    let matrix = similarity(landmarks, &template(size))?;
    Some(warp::affine(picture, matrix, size, size))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn apply(m: &Similarity, [x, y]: [f32; 2]) -> [f32; 2] {
        let (x, y) = (f64::from(x), f64::from(y));
        [(m[0] * x + m[1] * y + m[2]) as f32, (m[3] * x + m[4] * y + m[5]) as f32]
    }

    #[test]
    fn templates_of_other_sizes() {
        assert_eq!(template(112), TEMPLATE);
        assert_eq!(template(224)[0], [38.2946 * 2.0, 51.6963 * 2.0]);
        assert_eq!(template(128)[0], [38.2946 + 8.0, 51.6963]);
        assert_eq!(template(256)[2], [(56.0252 + 8.0) * 2.0, 71.7366 * 2.0]);
    }

    #[test]
    fn points_without_extent_have_no_similarity() {
        assert_eq!(similarity(&[[3.0, 4.0]; 5], &TEMPLATE), None);
        let mut points = TEMPLATE;
        points[2][1] = f32::NAN;
        assert_eq!(similarity(&points, &TEMPLATE), None);
        points[2][1] = f32::INFINITY;
        assert_eq!(similarity(&points, &TEMPLATE), None);
    }

    #[test]
    fn a_face_in_place_is_copied() {
        let mut picture = RgbImage::filled(112, 112, [0; 3]);
        for (at, sample) in picture.data_mut().iter_mut().enumerate() {
            *sample = (at * 7 % 251) as u8;
        }
        assert_eq!(aligned(&picture, &TEMPLATE, 112), Some(picture));
    }

    proptest! {
        #[test]
        fn wild_landmarks_give_a_face_or_none(
            points in prop::array::uniform5(prop::array::uniform2(prop::num::f32::ANY)),
        ) {
            let face = aligned(&RgbImage::filled(20, 10, [200; 3]), &points, 112);
            prop_assert!(face.is_none_or(|face| face.width() == 112 && face.height() == 112));
        }

        #[test]
        fn a_known_similarity_is_recovered(
            scale in 0.05f64..20.0, angle in -3.1f64..3.1, x in -2000f64..2000.0, y in -2000f64..2000.0,
        ) {
            let (a, b) = (scale * angle.cos(), scale * angle.sin());
            let points = TEMPLATE.map(|point| apply(&[a, -b, x, b, a, y], point));
            let found = similarity(&points, &TEMPLATE).unwrap();
            for (&point, goal) in points.iter().zip(TEMPLATE) {
                let back = apply(&found, point);
                prop_assert!((back[0] - goal[0]).hypot(back[1] - goal[1]) < 0.02, "{:?} {:?}", back, goal);
            }
            prop_assert!((found[0].hypot(found[1]) * scale - 1.0).abs() < 1e-3);
        }

        #[test]
        fn the_fit_cannot_be_improved(
            points in prop::array::uniform5(prop::array::uniform2(0f32..500.0)), index in 0usize..4, step in -1e-3f64..1e-3,
        ) {
            let error = |m: &Similarity| -> f64 {
                points.iter().zip(TEMPLATE).map(|(&point, goal)| {
                    let at = apply(m, point);
                    (f64::from(at[0]) - f64::from(goal[0])).powi(2) + (f64::from(at[1]) - f64::from(goal[1])).powi(2)
                }).sum()
            };
            if let Some(best) = similarity(&points, &TEMPLATE) {
                let [a, b, x, y] = [best[0], best[3], best[2], best[5]];
                let mut moved = [a, b, x, y];
                moved[index] += step;
                let [a, b, x, y] = moved;
                prop_assert!(error(&[a, -b, x, b, a, y]) >= error(&best) - 0.05);
            }
        }
    }
}
