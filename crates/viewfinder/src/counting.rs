//! How far an index run is: a bar with rate and time left on a terminal, now and then a line elsewhere, always on the
//! standard error.
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use viewfinder_index::{Event, Listener};

use crate::output;

/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);
/// The same reason to wait is not said again for so long.
const REMIND: Duration = Duration::from_secs(60);

/// Shows what an index run does.
pub(crate) struct Counter {
    terminal: bool,
    state: Mutex<State>,
}

struct State {
    waiting: u64,
    done: u64,
    /// When the first file was done: before that, models were fetched and loaded.
    began: Option<Instant>,
    told: Instant,
    bar: Option<ProgressBar>,
    paused: Option<(Instant, String)>,
}

impl Counter {
    /// One that fits where the standard error goes.
    pub(crate) fn new() -> Self {
        let state = State { waiting: 0, done: 0, began: None, told: Instant::now(), bar: None, paused: None };
        Self { terminal: io::stderr().is_terminal(), state: Mutex::new(state) }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = self.lock().bar.take() {
            bar.finish_and_clear();
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listener for Counter {
    fn tell(&self, event: Event) {
        let mut state = self.lock();
        match event {
            Event::Walked { .. } => {}
            Event::Waiting { files } => {
                state.waiting += files;
                if let Some(bar) = &state.bar {
                    bar.set_length(state.waiting);
                }
            }
            Event::Analysed => state.analysed(self.terminal),
            Event::Paused { reason } => {
                let known = state
                    .paused
                    .as_ref()
                    .is_some_and(|(when, said)| *said == reason && when.elapsed() < REMIND);
                if !known {
                    state.say(&format!("waiting: {reason}"));
                    state.paused = Some((Instant::now(), reason));
                }
            }
            Event::LeftOut { kind, reason } => {
                state.say(&format!("{} is left out: {reason}", kind.as_str()));
            }
        }
    }
}

impl State {
    fn say(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::complain(message)),
            None => output::complain(message),
        }
    }

    fn analysed(&mut self, terminal: bool) {
        self.done += 1;
        let Some(began) = self.began else {
            self.began = Some(Instant::now());
            self.told = Instant::now();
            if terminal {
                self.bar = Some(bar(self.waiting));
            }
            return;
        };
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        } else if !terminal && self.told.elapsed() >= LINES {
            self.told = Instant::now();
            let rate = (self.done - 1) as f64 / began.elapsed().as_secs_f64().max(1e-3);
            let left =
                Duration::from_secs_f64(self.waiting.saturating_sub(self.done) as f64 / rate.max(1e-3));
            let (done, waiting) = (self.done, self.waiting);
            self.say(&format!("{done} of {waiting}, {rate:.1} a second, {} left", HumanDuration(left)));
        }
    }
}

fn bar(length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    if let Ok(style) = ProgressStyle::with_template("[{bar:30}] {pos}/{len} {per_sec} {eta} left") {
        bar.set_style(style);
    }
    bar.set_position(1);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
