//! Compares ways to order pictures found by text and by meaning, on made-up relevances: `cargo run --release --example fusion`.
//!
//! Real pictures with known answers would be better; those that may be had come without weights of a model that understands them. What is
//! made up follows what models of CLIP's kind do: similarities of pictures that have nothing to do with the words are normally
//! distributed, those of fitting ones lie about four deviations above, and middle and deviation differ from model to model.
use std::collections::HashMap;

use viewfinder_catalog::{
    AssetId, Scored,
    search::{Similarity, fuse},
};

/// Pictures in the catalogue.
const PICTURES: usize = 3000;
/// Searches of each kind for each model.
const SEARCHES: usize = 60;
/// Deviation and middle of a model's similarities: as of `OpenAI`'s CLIP, of Chinese-CLIP, of SigLIP.
const MODELS: [(f32, f32); 3] = [(0.02, 0.2), (0.05, 0.3), (0.015, 0.0)];

/// What one search finds, and what it should.
struct Search {
    text: Vec<Scored>,
    nearest: Vec<Scored>,
    background: Vec<f32>,
    wanted: Vec<AssetId>,
}

impl Search {
    /// Makes up a search with so many pictures that say it, show it, or have some of its letters by chance.
    fn new(chance: &mut Chance, (deviation, middle): (f32, f32), [say, show, stray]: [usize; 3]) -> Self {
        let mut similarities: Vec<f32> = (0..PICTURES).map(|_| chance.normal()).collect();
        let (mut text, mut wanted) = (Vec::new(), Vec::new());
        // Numbers are handed out from a random place on, so that they tell nothing.
        let first = chance.below(PICTURES);
        let mut numbers = (0..PICTURES).map(|number| (first + number) % PICTURES);
        for number in numbers.by_ref().take(say) {
            text.push((number, chance.between(0.8, 1.0)));
            wanted.push(number);
            if chance.below(10) < 3 {
                similarities[number] = 2.5 + chance.normal();
            }
        }
        for number in numbers.by_ref().take(stray) {
            text.push((number, chance.between(0.3, 0.65)));
            if chance.below(4) == 0 {
                wanted.push(number);
            }
        }
        for number in numbers.take(show) {
            similarities[number] = 4.2 + 0.9 * chance.normal();
            wanted.push(number);
        }
        let id = |number: usize| AssetId(number as i64);
        let similarity = |number: usize| middle + deviation * similarities[number];
        let all = (0..PICTURES).map(|number| Scored { asset: id(number), score: similarity(number) });
        let mut nearest = sorted(all.collect());
        nearest.truncate(200);
        Self {
            text: sorted(
                text.into_iter().map(|(number, score)| Scored { asset: id(number), score }).collect(),
            ),
            nearest,
            background: (0..PICTURES).step_by(PICTURES / 128).map(similarity).collect(),
            wanted: wanted.into_iter().map(id).collect(),
        }
    }

    /// Normalised discounted cumulative gain of the first ten.
    fn gain(&self, order: &[Scored]) -> f64 {
        let discount = |place: usize| 1.0 / (place as f64 + 2.0).log2();
        let hits = order.iter().take(10).enumerate().filter(|(_, hit)| self.wanted.contains(&hit.asset));
        let best: f64 = (0..self.wanted.len().min(10)).map(discount).sum();
        hits.map(|(place, _)| discount(place)).sum::<f64>() / best
    }
}

/// Adds up what both lists say of a picture.
fn sum(text: impl Iterator<Item = Scored>, meaning: impl Iterator<Item = Scored>) -> Vec<Scored> {
    let mut scores: HashMap<AssetId, f32> = HashMap::new();
    for Scored { asset, score } in text.chain(meaning) {
        *scores.entry(asset).or_default() += score;
    }
    sorted(scores.into_iter().map(|(asset, score)| Scored { asset, score }).collect())
}

/// Reciprocal rank fusion, with the customary 60.
fn by_rank(search: &Search) -> Vec<Scored> {
    let ranks = |list: &[Scored]| -> Vec<Scored> {
        list.iter().enumerate().map(|(at, hit)| Scored { score: 1.0 / (61.0 + at as f32), ..*hit }).collect()
    };
    sum(ranks(&search.text).into_iter(), ranks(&search.nearest).into_iter())
}

fn by_raw_scores(search: &Search) -> Vec<Scored> {
    let half = search.nearest.iter().map(|hit| Scored { score: 0.5 * hit.score, ..*hit });
    sum(search.text.iter().copied(), half)
}

fn by_stretched_scores(search: &Search) -> Vec<Scored> {
    let (most, least) = (search.nearest[0].score, search.nearest[search.nearest.len() - 1].score);
    let stretched = |hit: &Scored| Scored { score: 0.6 * (hit.score - least) / (most - least), ..*hit };
    sum(search.text.iter().copied(), search.nearest.iter().map(stretched))
}

fn calibrated(search: &Search, similarity: Similarity) -> Vec<Scored> {
    let mut scores: HashMap<AssetId, f32> = search.text.iter().map(|hit| (hit.asset, hit.score)).collect();
    for (hit, relevance) in similarity.relevant(&search.nearest, &search.background) {
        let score = scores.entry(hit.asset).or_default();
        *score = fuse(*score, relevance);
    }
    sorted(scores.into_iter().map(|(asset, score)| Scored { asset, score }).collect())
}

fn sorted(mut hits: Vec<Scored>) -> Vec<Scored> {
    hits.sort_by(|one, other| other.score.total_cmp(&one.score).then(other.asset.cmp(&one.asset)));
    hits
}

/// A way to order what was found, and its name.
type Way = (String, Box<dyn Fn(&Search) -> Vec<Scored>>);

#[expect(clippy::print_stdout, reason = "the result")]
fn main() {
    let mut ways: Vec<Way> = vec![
        ("reciprocal ranks".into(), Box::new(by_rank)),
        ("sum of raw scores".into(), Box::new(by_raw_scores)),
        ("sum of stretched scores".into(), Box::new(by_stretched_scores)),
    ];
    for (floor, weight) in [(2.0, 0.6), (2.0, 0.8), (2.5, 0.6), (2.5, 0.8), (2.5, 0.95), (3.0, 0.8)] {
        let name = format!("calibrated, floor {floor}, weight {weight}");
        let similarity = Similarity { floor, weight, ..Similarity::default() };
        ways.push((name, Box::new(move |search| calibrated(search, similarity))));
    }
    println!("| order | nDCG@10: text | pictures | both | hits shown |\n| --- | --- | --- | --- | --- |");
    for (name, order) in &ways {
        let mut chance = Chance(5);
        let (mut gains, mut shown) = ([0.0; 3], 0);
        for model in MODELS {
            for _ in 0..SEARCHES {
                let counts = [
                    [1 + chance.below(6), 0, 8],
                    [0, 2 + chance.below(14), chance.below(7)],
                    [1 + chance.below(5), 2 + chance.below(11), 6],
                ];
                for (gain, counts) in gains.iter_mut().zip(counts) {
                    let search = Search::new(&mut chance, model, counts);
                    let hits = order(&search);
                    *gain += search.gain(&hits);
                    shown += hits.len();
                }
            }
        }
        let searches = MODELS.len() * SEARCHES;
        let [text, pictures, both] = gains.map(|gain| gain / searches as f64);
        println!("| {name} | {text:.3} | {pictures:.3} | {both:.3} | {} |", shown / (3 * searches));
    }
}

/// Numbers that look random and are the same each time (Knuth's linear congruence).
struct Chance(u64);

impl Chance {
    /// From 0 to 1, neither included.
    fn fraction(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 40) as f32 + 0.5) / (1 << 24) as f32
    }

    fn between(&mut self, least: f32, most: f32) -> f32 {
        least + (most - least) * self.fraction()
    }

    fn below(&mut self, limit: usize) -> usize {
        ((self.fraction() * limit as f32) as usize).min(limit - 1)
    }

    /// With the middle 0 and the deviation 1 (Box and Muller).
    fn normal(&mut self) -> f32 {
        (-2.0 * self.fraction().ln()).sqrt() * (std::f32::consts::TAU * self.fraction()).cos()
    }
}
