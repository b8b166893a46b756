//! Vectors in memory, a byte for each number, for finding those most like another quickly.
use std::{
    collections::{HashMap, HashSet},
    sync::atomic::{AtomicUsize, Ordering},
};

/// Rows of a block: the unit in which memory grows and threads share work.
const BLOCK_ROWS: usize = 4096;
/// More threads than this find memory's bandwidth used up.
const MOST_THREADS: usize = 4;

/// Rows of one width, each scaled so that its largest number is ±127.
pub(super) struct Matrix {
    width: usize,
    blocks: Vec<Block>,
    /// Where each row is.
    places: HashMap<i64, usize>,
}

#[derive(Default)]
struct Block {
    ids: Vec<i64>,
    scales: Vec<f32>,
    values: Vec<i8>,
}

/// Numbers of rows, for asking quickly whether one is among them.
pub(super) struct IdSet(Vec<u64>);

impl IdSet {
    /// Takes memory for a bit for each number up to the largest one. Numbers are not negative.
    pub(super) fn new(ids: &[i64]) -> Self {
        let largest = ids.iter().max().map_or(0, |largest| *largest as usize);
        let mut words = vec![0; largest / 64 + 1];
        for id in ids {
            words[*id as usize / 64] |= 1 << (id % 64);
        }
        Self(words)
    }

    fn contains(&self, id: i64) -> bool {
        self.0.get(id as usize / 64).is_some_and(|word| word >> (id % 64) & 1 == 1)
    }
}

impl Matrix {
    pub(super) fn new(width: usize) -> Self {
        Self { width, blocks: Vec::new(), places: HashMap::new() }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn len(&self) -> usize {
        self.places.len()
    }

    /// Adds a row, or replaces the one with this number. Rows of another width are left out.
    pub(super) fn put(&mut self, id: i64, vector: &[f32]) {
        self.remove(id);
        if vector.len() != self.width {
            return;
        }
        let row = self.len();
        if row == self.blocks.len() * BLOCK_ROWS {
            self.blocks.push(Block {
                ids: Vec::with_capacity(BLOCK_ROWS),
                scales: Vec::with_capacity(BLOCK_ROWS),
                values: Vec::with_capacity(BLOCK_ROWS * self.width),
            });
        }
        let block = &mut self.blocks[row / BLOCK_ROWS];
        let scale = largest(vector) / 127.0;
        block.ids.push(id);
        block.scales.push(scale);
        block.values.extend(vector.iter().map(|value| (value / scale).round() as i8)); // 0 / 0 becomes 0
        self.places.insert(id, row);
    }

    /// Takes out a row; the last one takes its place.
    pub(super) fn remove(&mut self, id: i64) {
        let Some(row) = self.places.remove(&id) else { return };
        let last = self.len(); // it was counted before the removal
        let (moved, scale, values) = self.take_last();
        if row != last {
            let block = &mut self.blocks[row / BLOCK_ROWS];
            let at = row % BLOCK_ROWS;
            block.ids[at] = moved;
            block.scales[at] = scale;
            block.values[at * self.width..(at + 1) * self.width].copy_from_slice(&values);
            self.places.insert(moved, row);
        }
    }

    fn take_last(&mut self) -> (i64, f32, Vec<i8>) {
        let width = self.width;
        let last = self.blocks.last_mut().and_then(|block| {
            let values = block.values.split_off(block.values.len() - width);
            Some((block.ids.pop()?, block.scales.pop()?, values))
        });
        if self.blocks.last().is_some_and(|block| block.ids.is_empty()) {
            self.blocks.pop();
        }
        // Unreachable with none: callers have just found a row in `places`.
        last.unwrap_or_default()
    }

    /// Takes out all rows but these.
    pub(super) fn retain(&mut self, live: &HashSet<i64>) {
        let gone: Vec<i64> = self.places.keys().copied().filter(|id| !live.contains(id)).collect();
        for id in gone {
            self.remove(id);
        }
    }

    /// Numbers of about the `count` rows of those `allowed` whose product with `query` is largest, in no order.
    pub(super) fn best(&self, query: &[f32], count: usize, allowed: Option<&IdSet>) -> Vec<i64> {
        let count = count.min(self.len());
        if query.len() != self.width || count == 0 {
            return Vec::new();
        }
        let query = narrow(query);
        let next = AtomicUsize::new(0);
        let work = || {
            let mut best = TopK::new(count);
            while let Some(block) = self.blocks.get(next.fetch_add(1, Ordering::Relaxed)) {
                block.scan(&query, allowed, &mut best);
            }
            best
        };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let helpers = cores.min(MOST_THREADS).min(self.blocks.len()).saturating_sub(1);
        let mut all = std::thread::scope(|scope| {
            let helpers: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
            let mut all = work();
            for helper in helpers {
                // A panic of a helper is this function's own.
                let part = helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
                part.rows.into_iter().for_each(|(score, id)| all.offer(score, id));
            }
            all
        });
        all.shrink();
        all.rows.into_iter().map(|(_, id)| id).collect()
    }
}

impl Block {
    fn scan(&self, query: &[i16], allowed: Option<&IdSet>, best: &mut TopK) {
        let rows = self.values.chunks_exact(query.len());
        for ((id, scale), row) in self.ids.iter().zip(&self.scales).zip(rows) {
            if allowed.is_none_or(|allowed| allowed.contains(*id)) {
                best.offer(product(row, query) as f32 * scale, *id);
            }
        }
    }
}

/// Collects the rows with the largest scores.
struct TopK {
    count: usize,
    /// Rows below this are none of the best.
    least: f32,
    rows: Vec<(f32, i64)>,
}

impl TopK {
    fn new(count: usize) -> Self {
        Self { count, least: f32::NEG_INFINITY, rows: Vec::new() }
    }

    fn offer(&mut self, score: f32, id: i64) {
        if score > self.least {
            self.rows.push((score, id));
            if self.rows.len() >= 2 * self.count + 64 {
                self.shrink();
            }
        }
    }

    fn shrink(&mut self) {
        if self.rows.len() > self.count {
            let (_, last, _) = self.rows.select_nth_unstable_by(self.count - 1, |a, b| b.0.total_cmp(&a.0));
            self.least = last.0;
            self.rows.truncate(self.count);
        }
    }
}

/// Whole numbers in place of floats, as large as the sum of a row's products allows.
fn narrow(query: &[f32]) -> Vec<i16> {
    let most = (i32::MAX / 127 / query.len().max(1) as i32).min(i32::from(i16::MAX)) as f32;
    let scale = largest(query) / most;
    query.iter().map(|value| (value / scale).round() as i16).collect()
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| value.abs().max(largest))
}

/// Written so that the compiler multiplies and adds pairs in one instruction.
fn product(row: &[i8], query: &[i16]) -> i32 {
    row.iter().zip(query).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::unit;

    fn exact(rows: &HashMap<i64, Vec<f32>>, query: &[f32]) -> Vec<(f32, i64)> {
        let score = |row: &Vec<f32>| row.iter().zip(query).map(|(a, b)| a * b).sum::<f32>();
        let mut scores: Vec<_> = rows.iter().map(|(id, row)| (score(row), *id)).collect();
        scores.sort_by(|a, b| b.0.total_cmp(&a.0));
        scores
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn it_finds_what_an_exact_scan_finds_whatever_was_put_and_removed(
            steps in prop::collection::vec((0i64..30, prop::option::weighted(0.8, prop::collection::vec(-1f32..1.0, 16))), 1..80),
            query in prop::collection::vec(-1f32..1.0, 16),
            count in 1usize..10,
        ) {
            let (mut matrix, mut rows) = (Matrix::new(16), HashMap::new());
            for (id, vector) in steps {
                if let Some(vector) = vector.map(|vector| unit(&vector)) {
                    matrix.put(id, &vector);
                    rows.insert(id, vector);
                } else {
                    matrix.remove(id);
                    rows.remove(&id);
                }
            }
            let query = unit(&query);
            let expected = exact(&rows, &query);
            let found = matrix.best(&query, count, None);
            prop_assert_eq!(found.len(), count.min(rows.len()));
            prop_assert_eq!(found.iter().collect::<HashSet<_>>().len(), found.len());
            // None of them is worse than the last exact one by more than rounding explains.
            let least = expected.get(found.len().wrapping_sub(1)).map_or(0.0, |last| last.0);
            for id in found {
                let score = expected.iter().find(|(_, other)| *other == id).unwrap().0;
                prop_assert!(score >= least - 0.03, "{score} < {least}");
            }
        }
    }

    #[test]
    fn only_allowed_rows_are_found() {
        let mut matrix = Matrix::new(2);
        for id in 0..1000 {
            matrix.put(id, &[1.0, 0.0]);
        }
        let mut found = matrix.best(&[1.0, 0.0], 5, Some(&IdSet::new(&[3, 64, 999])));
        found.sort_unstable();
        assert_eq!(found, [3, 64, 999]);
        matrix.retain(&HashSet::from([64, 7]));
        assert_eq!(matrix.len(), 2);
        assert_eq!(matrix.best(&[1.0, 0.0], 5, Some(&IdSet::new(&[3, 64]))), [64]);
    }

    #[test]
    fn the_largest_sums_fit() {
        for width in [1, 512, 4096, 70000] {
            let mut matrix = Matrix::new(width);
            matrix.put(1, &vec![1.0; width]);
            matrix.put(2, &vec![-1.0; width]);
            assert_eq!(matrix.best(&vec![1.0; width], 1, None), [1], "{width}");
        }
    }
}
