//! How a known face stays known when the faces of a picture are found anew.
use crate::{FaceRecord, PersonId};

/// Two rectangles show the same face from this ratio of intersection to union on. More than half, so that a face has one match at most.
const SAME_FACE: f32 = 0.5;

/// Whose each new face is: as it says itself, else as the old face in its place.
pub(crate) fn keep_people<'a>(
    found: &'a [FaceRecord],
    before: &'a [FaceRecord],
) -> impl Iterator<Item = Option<PersonId>> + 'a {
    found.iter().map(|face| {
        let same = |old: &&FaceRecord| intersection_over_union(face.corners, old.corners) >= SAME_FACE;
        face.person.or_else(|| before.iter().find(same).and_then(|old| old.person))
    })
}

fn intersection_over_union(a: [f32; 4], b: [f32; 4]) -> f32 {
    let area = |[x0, y0, x1, y1]: [f32; 4]| (x1 - x0).max(0.0) * (y1 - y0).max(0.0);
    let both = area([a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])]);
    both / (area(a) + area(b) - both).max(f32::MIN_POSITIVE)
}
