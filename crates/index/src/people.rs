//! Whose face is it? New faces join the people they look like, or begin new ones.
use std::collections::HashMap;

use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{AssetId, PersonId, Store, StoreError, UnassignedFace};

/// Faces read from the catalogue at a time.
const PAGE: usize = 256;
/// A face is given to the people of so many known faces that look most like it.
const NEIGHBOURS: usize = 5;

/// What grouping did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grouped {
    /// Faces that joined somebody.
    pub joined: u64,
    /// Faces that look like nobody known: each begins a person.
    pub new: u64,
}

/// Gives every face of `model` that belongs to nobody to a person. Ends early when asked to stop.
///
/// Of the five known faces most like it, those with a cosine of at least `least` vote, each with its cosine, and the person
/// with the most wins; so a single face in the wrong group does not draw more after it. Without a vote the face begins a
/// person. Whoever a face is not, as somebody said, has no say. Faces are taken in the order of their assets, so the same faces give the same groups.
pub(crate) async fn group(
    store: &dyn Store,
    model: &str,
    least: f32,
    stop: &CancellationToken,
) -> Result<Grouped, StoreError> {
    let mut grouped = Grouped::default();
    let mut after: Option<(AssetId, usize)> = None;
    loop {
        let page = store.unassigned_faces(model, after, PAGE).await?;
        let Some(last) = page.last() else { return Ok(grouped) };
        after = Some((last.asset, last.place));
        for UnassignedFace { asset, place, embedding, not } in page {
            if stop.is_cancelled() {
                return Ok(grouped);
            }
            let similar = store.similar_people(model, &embedding, &not, NEIGHBOURS).await?;
            let person = elect(&similar, least);
            // A face that is gone by now has nobody to count it for.
            if store.assign(asset, place, person).await?.is_some() {
                match person {
                    Some(_) => grouped.joined += 1,
                    None => grouped.new += 1,
                }
            }
        }
    }
}

/// The person with the largest sum of cosines among those that are close enough.
fn elect(neighbours: &[(PersonId, f32)], least: f32) -> Option<PersonId> {
    let mut votes: HashMap<PersonId, f32> = HashMap::new();
    for (person, cosine) in neighbours.iter().filter(|(_, cosine)| *cosine >= least) {
        *votes.entry(*person).or_default() += cosine;
    }
    // The older person wins a tie, so that the result does not depend on the map's order.
    votes.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(b.0.cmp(&a.0))).map(|(person, _)| person)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crowd_decides_and_only_those_who_are_close() {
        let [a, b] = [PersonId(1), PersonId(2)];
        assert_eq!(elect(&[(a, 0.9), (b, 0.6), (b, 0.55)], 0.5), Some(b));
        assert_eq!(elect(&[(a, 0.9), (b, 0.6), (b, 0.45)], 0.5), Some(a));
        assert_eq!(elect(&[(b, 0.6), (a, 0.6)], 0.5), Some(a));
        assert_eq!(elect(&[(b, 0.49)], 0.5), None);
        assert_eq!(elect(&[], 0.5), None);
    }
}
