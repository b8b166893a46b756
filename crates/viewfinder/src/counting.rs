//! How far an index run is: a bar with rate and time left on a terminal, now and then a line elsewhere, always on the
//! standard error.
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use viewfinder_index::{Event, Listener};

use crate::amounts::{counted, left};
use crate::output;

/// Between two lines where there is no terminal.
const LINES: Duration = Duration::from_secs(10);
/// The same reason to wait is not said again for so long.
const REMIND: Duration = Duration::from_secs(60);

/// Shows what an index run does.
pub(crate) struct Counter {
    terminal: bool,
    /// Does it stay, and so tell only of what changes?
    stays: bool,
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
    pub(crate) fn new(stays: bool) -> Self {
        let terminal = io::stderr().is_terminal();
        let bar = (terminal && !stays).then(|| bar("{spinner} {msg}", "looking for pictures and videos…"));
        let state = State { waiting: 0, done: 0, began: None, told: Instant::now(), bar, paused: None };
        Self { terminal, stays, state: Mutex::new(state) }
    }

    /// Takes the bar away.
    pub(crate) fn end(&self) {
        if let Some(bar) = self.lock().bar.take() {
            bar.finish_and_clear();
            output::bars().remove(&bar);
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
            Event::Walked { files } => {
                let found = format!("{} found", counted(files, "picture or video", "pictures and videos"));
                match &state.bar {
                    Some(bar) if state.began.is_none() => bar.set_message(format!("{found}, getting ready…")),
                    Some(_) => {}
                    None if self.stays => {}
                    None => output::complain(&found),
                }
            }
            Event::Waiting { files } => {
                state.waiting += files;
                if let Some(bar) = &state.bar {
                    bar.set_length(state.waiting);
                }
            }
            Event::Analysed { .. } => state.analysed(self.terminal),
            Event::Paused { reason } => {
                let known = state
                    .paused
                    .as_ref()
                    .is_some_and(|(when, said)| *said == reason && when.elapsed() < REMIND);
                if !known {
                    output::complain(&format!("waiting: {reason}"));
                    state.paused = Some((Instant::now(), reason));
                }
            }
            Event::LeftOut { kind, .. } => {
                if !self.stays {
                    output::complain(&format!("going on without {}; why is said at the end", kind.as_str()));
                }
            }
        }
    }
}

impl State {
    fn analysed(&mut self, terminal: bool) {
        self.done += 1;
        let Some(began) = self.began else {
            self.began = Some(Instant::now());
            self.told = Instant::now();
            if terminal {
                if let Some(looking) = self.bar.take() {
                    looking.finish_and_clear();
                    output::bars().remove(&looking);
                }
                let bar = bar("[{bar:30}] {pos}/{len} {msg}", "");
                bar.set_length(self.waiting);
                bar.set_position(1);
                self.bar = Some(bar);
            }
            return;
        };
        let rate = (self.done - 1) as f64 / began.elapsed().as_secs_f64().max(1e-3);
        let rest = self.waiting.saturating_sub(self.done);
        // At the end there may still be a model to wait for, which tells of itself.
        let left = if rest > 0 { left(rest, rate) } else { None };
        let pace =
            format!("{rate:.1} a second{}", left.map(|time| format!(", {time} left")).unwrap_or_default());
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
            bar.set_message(pace);
        } else if !terminal && self.told.elapsed() >= LINES {
            self.told = Instant::now();
            output::complain(&format!("{} of {}, {pace}", self.done, self.waiting));
        }
    }
}

fn bar(template: &str, message: &'static str) -> ProgressBar {
    let bar = output::bars().add(ProgressBar::new(0));
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(message);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}
