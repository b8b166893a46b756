//! What holds for faces in either store: which are the same, what was said of them, and which show somebody best.
use crate::{FaceRecord, PersonFace, PersonId};

/// Two rectangles show the same face from this ratio of intersection to union on. More than half, so that a face has one match at most.
const SAME_FACE: f32 = 0.5;
/// So many faces of a person, those of the pictures that came last, are looked at for the best ones.
pub(crate) const CANDIDATES: usize = 100;
/// A face that is larger shows no more of it in a small picture. In pixels, the side of a square.
const LARGE: f32 = 256.0;
/// What a picture whose size is not known is taken for.
const USUAL_SIDE: u32 = 1000;

/// Somebody said whose face this is not. It holds for a place in the picture, so that it outlives the faces found there.
pub(crate) struct Rejection {
    pub(crate) corners: [f32; 4],
    pub(crate) person: PersonId,
}

/// Whose each new face is: as it says itself, else as the old face in its place.
pub(crate) fn keep_people<'a>(
    found: &'a [FaceRecord],
    before: &'a [FaceRecord],
) -> impl Iterator<Item = Option<PersonId>> + 'a {
    found.iter().map(|face| {
        let same = |old: &&FaceRecord| is_same(face.corners, old.corners);
        face.person.or_else(|| before.iter().find(same).and_then(|old| old.person))
    })
}

/// Do two rectangles show the same face?
pub(crate) fn is_same(a: [f32; 4], b: [f32; 4]) -> bool {
    intersection_over_union(a, b) >= SAME_FACE
}

/// Whose the face in this place is not.
pub(crate) fn rejected<'a>(
    corners: [f32; 4],
    rejections: impl IntoIterator<Item = &'a Rejection>,
) -> Vec<PersonId> {
    let here = rejections.into_iter().filter(|rejection| is_same(corners, rejection.corners));
    here.map(|rejection| rejection.person).collect()
}

/// The `most` that show somebody best, of faces with the size of their pictures: sure ones, of many pixels.
pub(crate) fn best(mut faces: Vec<(PersonFace, [Option<u32>; 2])>, most: usize) -> Vec<PersonFace> {
    let quality = |(face, size): &(PersonFace, [Option<u32>; 2])| {
        let [width, height] = size.map(|side| side.unwrap_or(USUAL_SIDE) as f32);
        let [left, top, right, bottom] = face.corners;
        let side = ((right - left).max(0.0) * width * (bottom - top).max(0.0) * height).sqrt();
        face.score * side.min(LARGE)
    };
    // The sort is stable: of equals, the one that came last stays first.
    faces.sort_by(|one, other| quality(other).total_cmp(&quality(one)));
    faces.into_iter().take(most).map(|(face, _)| face).collect()
}

fn intersection_over_union(a: [f32; 4], b: [f32; 4]) -> f32 {
    let area = |[x0, y0, x1, y1]: [f32; 4]| (x1 - x0).max(0.0) * (y1 - y0).max(0.0);
    let both = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    both / (area(a) + area(b) - both).max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AssetId;

    #[test]
    fn large_and_sure_faces_show_somebody_best() {
        let face = |asset, side: f32, score| PersonFace {
            asset: AssetId(asset),
            place: 0,
            corners: [0.1, 0.1, 0.1 + side, 0.1 + side],
            score,
        };
        let large = [Some(4000), Some(3000)];
        let faces = vec![
            (face(1, 0.02, 0.9), large),
            (face(2, 0.2, 0.6), large),
            (face(3, 0.3, 0.9), large),
            (face(4, 0.2, 0.9), large),
            (face(5, 0.3, 0.9), [Some(100), Some(100)]),
            (face(6, 0.2, 0.9), [None, None]),
        ];
        let assets: Vec<i64> = best(faces, 4).into_iter().map(|face| face.asset.0).collect();
        assert_eq!(assets, [3, 4, 6, 2]);
    }
}
