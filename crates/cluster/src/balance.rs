//! Who of several equals gets the next piece of work.
//!
//! The one that would be done first, by what it has in flight and by how long such pieces take it. With nothing in
//! flight that would always be the same one, however small its lead; so whoever got less than its share counts as ahead
//! by what it lacks, up to one piece.
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use viewfinder_core::{
    PictureTask,
    label::{FACES, OCR, TEXTUAL, VISUAL},
};

/// Measurements that count.
const REMEMBERED: usize = 16;
/// Below so many, an engine's speed is not known.
const ENOUGH: usize = 4;

/// What tasks a piece of work is made of. Pieces of one kind take about as long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WorkKind(usize);

const TASKS: [&str; 4] = [OCR, FACES, VISUAL, TEXTUAL];
/// One for each set of tasks.
const KINDS: usize = 1 << TASKS.len();

impl WorkKind {
    pub(crate) const SENTENCE: Self = Self(1 << 3);

    pub(crate) fn of<'a>(tasks: impl IntoIterator<Item = &'a PictureTask>) -> Self {
        let places = tasks.into_iter().map(|task| TASKS.iter().position(|known| *known == task.label()));
        Self(places.flatten().fold(0, |kind, place| kind | 1 << place))
    }

    /// Names of the tasks.
    pub(crate) fn tasks(self) -> impl Iterator<Item = &'static str> {
        TASKS.into_iter().enumerate().filter(move |(place, _)| self.0 >> place & 1 == 1).map(|(_, task)| task)
    }
}

/// What an engine has to do, and how fast it is.
#[derive(Debug, Default)]
pub(crate) struct Load(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Pieces in flight.
    in_flight: [usize; KINDS],
    /// How long pieces took, in seconds apiece.
    times: [VecDeque<f64>; KINDS],
    /// Seconds of work given so far.
    given: f64,
}

impl Load {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a piece of work until dropped.
    pub(crate) fn start(&self, kind: WorkKind) -> InFlight<'_> {
        let mut state = self.state();
        let beside = state.pieces();
        state.in_flight[kind.0] += 1;
        InFlight { load: self, kind, beside }
    }

    /// Pieces in flight.
    pub(crate) fn in_flight(&self) -> usize {
        self.state().pieces()
    }
}

impl State {
    fn pieces(&self) -> usize {
        self.in_flight.iter().sum()
    }

    fn look(&self) -> Candidate {
        Candidate {
            in_flight: self.in_flight,
            seconds: std::array::from_fn(|kind| self.seconds(kind)),
            given: self.given,
        }
    }

    /// How long a piece takes it, if that is known. The quicker quarter's: pieces that waited for a model to load say
    /// nothing about the next ones.
    fn seconds(&self, kind: usize) -> Option<f64> {
        let times = &self.times[kind];
        if times.len() < ENOUGH {
            return None;
        }
        let mut sorted: Vec<f64> = times.iter().copied().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(sorted[sorted.len() / 4])
    }
}

/// A piece of work in flight.
pub(crate) struct InFlight<'a> {
    load: &'a Load,
    kind: WorkKind,
    /// Pieces that were in flight before it.
    beside: usize,
}

impl InFlight<'_> {
    /// Takes in how long it took, shared with the pieces that were worked on beside it: an engine with four in flight
    /// is not slower for taking four times as long.
    pub(crate) fn done(&self, took: Duration) {
        let mut state = self.load.state();
        let together = 1.0 + (self.beside + state.pieces() - 1) as f64 / 2.0;
        let times = &mut state.times[self.kind.0];
        times.push_back(took.as_secs_f64() / together);
        if times.len() > REMEMBERED {
            times.pop_front();
        }
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.load.state().in_flight[self.kind.0] -= 1;
    }
}

/// What [`choose`] looks at, taken one engine after the other: routes name engines in any order, so locks held together
/// could wait for each other.
struct Candidate {
    in_flight: [usize; KINDS],
    seconds: [Option<f64>; KINDS],
    given: f64,
}

/// The index of the load to give a piece to, which counts it as given. One whose speed is not known counts as fast as
/// the fastest, so that it is measured.
pub(crate) fn choose(loads: &[&Load], kind: WorkKind) -> Option<usize> {
    let looks: Vec<Candidate> = loads.iter().map(|load| load.state().look()).collect();
    let fastest = |kind: usize| looks.iter().filter_map(|look| look.seconds[kind]).reduce(f64::min);
    // Where nobody's is known, all pieces are alike.
    let usual = fastest(kind.0).unwrap_or(1.0);
    let fastest: [f64; KINDS] = std::array::from_fn(|kind| fastest(kind).unwrap_or(usual));
    let most = looks.iter().map(|look| look.given).fold(0.0, f64::max);
    let plan = |look: &Candidate| {
        let seconds = |kind: usize| look.seconds[kind].unwrap_or(fastest[kind]);
        let pending: f64 =
            look.in_flight.iter().enumerate().map(|(kind, &pieces)| pieces as f64 * seconds(kind)).sum();
        let piece = seconds(kind.0);
        // What lies further back is forgotten: an engine that was away is not flooded when it returns.
        let given = look.given.max(most - piece);
        CandidateLoad {
            due: pending + piece - (most - given),
            pieces: look.in_flight.iter().sum(),
            given: given + piece,
        }
    };
    let (chosen, plan) = looks
        .iter()
        .map(plan)
        .enumerate()
        .min_by(|(_, a), (_, b)| a.due.total_cmp(&b.due).then(a.pieces.cmp(&b.pieces)))?;
    loads[chosen].state().given = plan.given;
    Some(chosen)
}

/// One more piece for an engine.
struct CandidateLoad {
    /// When it would be done, in seconds from now.
    due: f64,
    /// Pieces in flight before it.
    pieces: usize,
    /// What would then have been given.
    given: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const OCR_KIND: WorkKind = WorkKind(1);
    const CLIP_KIND: WorkKind = WorkKind(1 << 2);

    fn known(kind: WorkKind, seconds: f64) -> Load {
        let load = Load::default();
        for _ in 0..ENOUGH {
            load.start(kind).done(Duration::from_secs_f64(seconds));
        }
        load
    }

    /// Gives out pieces, so many in flight at any time, while each engine works on one after the other; returns each
    /// one's share. `seconds(engine, piece)` is how long it takes.
    fn shares(
        loads: &[Load],
        at_once: usize,
        pieces: usize,
        seconds: impl Fn(usize, usize) -> f64,
    ) -> Vec<f64> {
        let mut given = vec![0.0; loads.len()];
        let mut running: Vec<(f64, f64, usize, InFlight<'_>)> = Vec::new();
        let mut free_at = vec![0.0_f64; loads.len()];
        let mut now = 0.0;
        for piece in 0..pieces {
            if running.len() == at_once {
                let first = (0..at_once).min_by(|&a, &b| running[a].0.total_cmp(&running[b].0)).unwrap();
                let (end, begin, _, in_flight) = running.swap_remove(first);
                now = end;
                in_flight.done(Duration::from_secs_f64(end - begin));
            }
            let all: Vec<&Load> = loads.iter().collect();
            let chosen = choose(&all, OCR_KIND).unwrap();
            given[chosen] += 1.0 / pieces as f64;
            free_at[chosen] = free_at[chosen].max(now) + seconds(chosen, piece);
            running.push((free_at[chosen], now, chosen, loads[chosen].start(OCR_KIND)));
        }
        given
    }

    fn fresh<const N: usize>() -> [Load; N] {
        std::array::from_fn(|_| Load::default())
    }

    #[test]
    fn equals_share_equally_however_many_ask_and_however_they_waver() {
        for at_once in [1, 2, 4, 16] {
            // One is a hair faster, and no piece takes quite as long as another.
            let shares = shares(&fresh::<2>(), at_once, 1000, |engine, piece| {
                0.1 + 0.001 * engine as f64 + 0.02 * ((piece * 7919) % 13) as f64 / 13.0
            });
            assert!((0.45..=0.55).contains(&shares[0]), "{at_once}: {shares:?}");
        }
    }

    #[test]
    fn one_three_times_slower_gets_a_third_of_the_other() {
        for at_once in [1, 2, 4, 16] {
            let shares = shares(&fresh::<2>(), at_once, 1000, |engine, _| [0.1, 0.3][engine]);
            let ratio = shares[1] / shares[0];
            assert!((0.28..=0.4).contains(&ratio), "{at_once}: {shares:?}");
        }
    }

    #[test]
    fn a_slow_start_is_forgotten() {
        // The second one's first pieces wait ten seconds for a model.
        for at_once in [1, 4] {
            let shares =
                shares(
                    &fresh::<2>(),
                    at_once,
                    4000,
                    |engine, piece| {
                        if engine == 1 && piece < 8 { 10.0 } else { 0.1 }
                    },
                );
            assert!(shares[1] > 0.35, "{at_once}: {shares:?}");
        }
    }

    #[test]
    fn one_that_was_away_is_not_flooded() {
        let [here, back] = fresh();
        for _ in 0..100 {
            assert_eq!(choose(&[&here], OCR_KIND), Some(0));
        }
        let turns: Vec<_> = (0..6).map(|_| choose(&[&here, &back], OCR_KIND)).collect();
        assert!(turns.iter().filter(|turn| **turn == Some(1)).count() <= 4, "{turns:?}");
    }

    #[test]
    fn speeds_are_known_by_kind() {
        // The first is quick with vectors and slow with text; the second has only read text so far.
        let first = known(CLIP_KIND, 0.01);
        for _ in 0..ENOUGH {
            first.start(OCR_KIND).done(Duration::from_secs(1));
        }
        let second = known(OCR_KIND, 0.2);
        let texts = (0..60).filter(|_| choose(&[&first, &second], OCR_KIND) == Some(1)).count();
        assert!((48..=52).contains(&texts), "{texts}");
        // A slow text in flight weighs more than a few quick vectors.
        let _vectors: Vec<_> = (0..5).map(|_| first.start(CLIP_KIND)).collect();
        let _text = second.start(OCR_KIND);
        assert_eq!(choose(&[&first, &second], CLIP_KIND), Some(0));
    }

    #[test]
    fn the_new_one_gets_a_chance() {
        let (known, new) = (known(OCR_KIND, 0.01), Load::default());
        let _busy = known.start(OCR_KIND);
        assert_eq!(choose(&[&known, &new], OCR_KIND), Some(1));
        assert_eq!(choose(&[], OCR_KIND), None);
    }

    #[test]
    fn kinds_are_sets_of_tasks() {
        let faces = PictureTask::FaceRegions { detection: "m".into(), min_score: 0.5 };
        let vector = PictureTask::Embed { model: "m".into() };
        let kind = WorkKind::of([&vector, &faces, &vector]);
        assert_eq!(kind.tasks().collect::<Vec<_>>(), [FACES, VISUAL]);
        assert_eq!(kind, WorkKind::of([&faces, &vector]));
        assert_eq!(WorkKind::SENTENCE.tasks().collect::<Vec<_>>(), [TEXTUAL]);
    }
}
