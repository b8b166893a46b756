//! Brings relevance of text and similarity of pictures to one scale.
//!
//! A similarity alone says little: some models give 0.1 to fitting pictures, others 0.4. So it is compared with what the same words have in
//! common with pictures taken evenly from the catalogue, most of which have nothing to do with them: how many
//! deviations it lies above their middle.
use crate::Scored;

/// What counts as similar, and how much it counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Pictures count that lie at least so many deviations above the middle.
    pub floor: f32,
    /// And at least at this part of the best one's distance from the middle, 0 to 1.
    pub share: f32,
    /// Relevance of a picture that fits perfectly, beside 1 for text that does.
    pub weight: f32,
}

impl Default for Similarity {
    /// Found in a simulation; see `docs/design/search.md`. The weight lets no picture without text pass one that has
    /// all words in one line.
    fn default() -> Self {
        Self { floor: 2.5, share: 0.6, weight: 0.8 }
    }
}

/// So many deviations above the middle, nothing can fit better.
const PERFECT: f32 = 6.0;

/// With fewer pictures to compare with, there is no telling what is usual.
const ENOUGH: usize = 20;

/// A deviation of normally distributed numbers, in median distances from their median.
const DEVIATION_OF_MEDIAN: f32 = 1.4826;

impl Similarity {
    /// Those of `nearest`, best first, that are similar enough, with their relevance from 0 to 1. `background` are
    /// similarities of pictures taken evenly.
    pub fn relevant(&self, nearest: &[Scored], background: &[f32]) -> Vec<(Scored, f32)> {
        let Some(best) = nearest.first() else { return Vec::new() };
        if background.len() < ENOUGH {
            let relevance =
                |scored: &Scored| self.weight * (scored.score / best.score.max(f32::EPSILON)).clamp(0.0, 1.0);
            return nearest.iter().map(|scored| (*scored, relevance(scored))).collect();
        }
        let middle = median(background.to_vec());
        let spread = median(background.iter().map(|value| (value - middle).abs()).collect());
        let deviations = |scored: &Scored| (scored.score - middle) / (DEVIATION_OF_MEDIAN * spread).max(1e-6);
        let least = self.floor.max(self.share * deviations(best));
        let relevance = |deviations: f32| self.weight * (deviations / PERFECT).min(1.0);
        let with = nearest.iter().map(|scored| (*scored, deviations(scored)));
        with.take_while(|(_, deviations)| *deviations >= least)
            .map(|(scored, deviations)| (scored, relevance(deviations)))
            .collect()
    }
}

/// The relevance of a picture for which both speak: neither takes anything from the other.
pub fn fuse(text: f32, meaning: f32) -> f32 {
    1.0 - (1.0 - text) * (1.0 - meaning)
}

/// The middle of some numbers; at least one.
fn median(mut values: Vec<f32>) -> f32 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AssetId;

    fn nearest(scores: &[f32]) -> Vec<Scored> {
        scores
            .iter()
            .enumerate()
            .map(|(at, score)| Scored { asset: AssetId(at as i64), score: *score })
            .collect()
    }

    /// Similarities around `middle`, evenly, with a median distance of `spread`.
    fn around(middle: f32, spread: f32) -> Vec<f32> {
        (-50..=50).map(|at| middle + spread * at as f32 / 25.0).collect()
    }

    #[test]
    fn the_scale_of_a_model_makes_no_difference() {
        let kept = |scale: f32, shift: f32| {
            let scores =
                [7.0, 6.0, 4.5, 4.0, 1.0].map(|deviations| shift + scale * DEVIATION_OF_MEDIAN * deviations);
            let kept = Similarity::default().relevant(&nearest(&scores), &around(shift, scale));
            kept.into_iter()
                .map(|(scored, relevance)| (scored.asset.0, (relevance * 100.0).round()))
                .collect::<Vec<_>>()
        };
        assert_eq!(kept(0.01, 0.2), [(0, 80.0), (1, 80.0), (2, 60.0)]);
        assert_eq!(kept(0.01, 0.2), kept(0.05, -0.3));
    }

    #[test]
    fn a_search_for_nothing_known_does_not_return_the_library() {
        let kept = Similarity::default().relevant(&nearest(&[0.21, 0.209, 0.208]), &around(0.2, 0.01));
        assert!(kept.is_empty());
        assert!(Similarity::default().relevant(&[], &[]).is_empty());
    }

    #[test]
    fn few_pictures_are_all_shown() {
        let kept = Similarity::default().relevant(&nearest(&[0.4, 0.2, -0.1]), &[0.4, 0.2, -0.1]);
        assert_eq!(kept.iter().map(|(_, relevance)| *relevance).collect::<Vec<_>>(), [0.8, 0.4, 0.0]);
    }
}
