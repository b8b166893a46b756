//! Downloads and conversions, shown in one line on a terminal and now and then in a line elsewhere, always on the standard error.
use std::collections::{BTreeMap, HashMap};
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};
use viewfinder_models::{Asked, Progress, Step};

use crate::amounts::{left, rate, size};
use crate::output;

/// Between two lines about the same file where there is no terminal.
const LINES: Duration = Duration::from_secs(30);
/// The rate is that of so long.
const MEASURED: Duration = Duration::from_secs(5);
/// A file that came so quickly is not worth a line of its own.
const QUICK: Duration = Duration::from_secs(1);

/// Tells a person what is being fetched or made.
pub(crate) struct Report {
    terminal: bool,
    /// What each thread does; each does one thing at a time.
    current: Mutex<HashMap<ThreadId, Current>>,
    /// Sources that did not deliver, and why.
    failed: Mutex<BTreeMap<String, String>>,
}

/// One thing that is being fetched or made.
struct Current {
    file: String,
    /// Who was asked for it; none for what is made here.
    source: Option<String>,
    next: Option<String>,
    total: Option<u64>,
    done: u64,
    /// Why nothing moves.
    paused: Option<String>,
    began: Instant,
    told: Instant,
    /// When the rate was measured last, how much was done then, and the rate.
    measured: (Instant, u64, Option<f64>),
    bar: Option<ProgressBar>,
}

impl Report {
    /// A report that fits where the standard error goes.
    pub(crate) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), current: Mutex::default(), failed: Mutex::default() }
    }

    /// The sources that did not deliver so far, each with its reason.
    pub(crate) fn failed_sources(&self) -> Vec<(String, String)> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        failed.iter().map(|(source, reason)| (source.clone(), reason.clone())).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ThreadId, Current>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what this thread does, and shows it.
    fn change(&self, change: impl FnOnce(&mut Current)) {
        if let Some(current) = self.lock().get_mut(&thread::current().id()) {
            change(current);
            if let Some(bar) = &current.bar {
                bar.set_message(current.line());
            }
        }
    }

    fn start(&self, current: Current) {
        let bar = self.terminal.then(|| {
            let bar = output::bars().add(ProgressBar::new_spinner());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
                bar.set_style(style);
            }
            bar.set_message(current.line());
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        self.finish();
        self.lock().insert(thread::current().id(), Current { bar, ..current });
    }

    /// Takes away what this thread did.
    fn finish(&self) {
        let current = self.lock().remove(&thread::current().id());
        if let Some(bar) = current.and_then(|current| current.bar) {
            bar.finish_and_clear();
            output::bars().remove(&bar);
        }
    }

    /// A line where there is no terminal.
    fn say(&self, line: &str) {
        if !self.terminal {
            output::complain(line);
        }
    }
}

impl Progress for Report {
    fn ask(&self, asked: &Asked<'_>) {
        let Asked { file, total, source, next, instead_of } = *asked;
        let mut current = Current::new(file, Some(source), total);
        current.next = next.map(str::to_owned);
        let mut line = current.line();
        if let Some(before) = instead_of.filter(|before| *before != source) {
            line += &format!(", since {before} did not deliver");
        }
        self.say(&line);
        self.start(current);
    }

    fn begin(&self, step: Step, file: &str, total: Option<u64>) {
        let known = step == Step::Fetch && self.lock().contains_key(&thread::current().id());
        if !known {
            let current = Current::new(file, (step == Step::Fetch).then_some(""), total);
            self.say(&current.line());
            self.start(current);
            return;
        }
        self.change(|current| {
            let Current { source, next, bar, told, .. } = &*current;
            let fresh = Current {
                next: next.clone(),
                bar: bar.clone(),
                told: *told,
                ..Current::new(file, source.as_deref(), total)
            };
            *current = fresh;
        });
    }

    fn advance(&self, bytes: u64) {
        let mut line = None;
        self.change(|current| {
            current.advance(bytes);
            if !self.terminal && current.told.elapsed() >= LINES {
                current.told = Instant::now();
                line = Some(current.line());
            }
        });
        if let Some(line) = line {
            self.say(&line);
        }
    }

    fn pause(&self, reason: &str) {
        self.change(|current| current.paused = Some(reason.to_owned()));
        self.say(reason);
    }

    fn end(&self, result: Result<(), &str>) {
        let mut line = None;
        let mut asked = false;
        self.change(|current| {
            asked = current.source.as_deref().is_some_and(|source| !source.is_empty());
            // What failed is told of by who asks next, and by who gives up.
            line = result.is_ok().then(|| current.end()).flatten();
        });
        // Of a source that was asked, more files may come.
        if !asked {
            self.finish();
        }
        if let Some(line) = line {
            output::complain(&line);
        }
    }

    fn left(&self, source: &str, reason: &str) {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        // Later ones only say that it was not asked again.
        failed.entry(source.to_owned()).or_insert_with(|| reason.to_owned());
    }

    fn over(&self) {
        self.finish();
    }
}

impl Current {
    fn new(file: &str, source: Option<&str>, total: Option<u64>) -> Self {
        let now = Instant::now();
        Self {
            file: file.to_owned(),
            source: source.map(str::to_owned),
            next: None,
            total,
            done: 0,
            paused: None,
            began: now,
            told: now,
            measured: (now, 0, None),
            bar: None,
        }
    }

    fn advance(&mut self, bytes: u64) {
        self.done += bytes;
        self.paused = None;
        let (when, done, known) = self.measured;
        let time = when.elapsed();
        // The first figure soon, then one that holds for a while.
        if time >= MEASURED || (known.is_none() && time >= QUICK) {
            self.measured = (Instant::now(), self.done, Some((self.done - done) as f64 / time.as_secs_f64()));
        }
    }

    /// What is said of a file that is complete; nothing of one that was there in a moment.
    fn end(&self) -> Option<String> {
        let time = self.began.elapsed();
        if self.source.is_none() {
            return Some(format!("converted {}", self.file));
        }
        let took = HumanDuration(Duration::from_secs(time.as_secs().max(1)));
        (time >= QUICK || self.done >= 1_000_000)
            .then(|| format!("fetched {}, {} in {took}", self.file, size(self.done)))
    }

    /// All of it in one line.
    fn line(&self) -> String {
        let Self { file, source, next, total, done, paused, .. } = self;
        let size_of_all = total.map(|total| format!(" ({})", size(total))).unwrap_or_default();
        let mut line = match source {
            Some(_) => format!("fetching {file}{size_of_all}"),
            None => format!("converting {file}"),
        };
        if *done > 0 {
            line += &format!(": {}", size(*done));
        }
        if let Some(pace) = self.measured.2.filter(|_| source.is_some()) {
            line += &format!(", {}", rate(pace));
            let rest = total.map(|total| total.saturating_sub(*done));
            if let Some(time) = rest.and_then(|rest| left(rest, pace)) {
                line += &format!(", {time} left");
            }
        }
        if let Some(source) = source.as_deref().filter(|source| !source.is_empty()) {
            line += &format!("{} from {source}", if *done > 0 { "," } else { "" });
        }
        if *done == 0 {
            line.push('…');
        }
        if let Some(reason) = paused {
            line += &format!(": {reason}");
        }
        if let Some(next) = next {
            line += &format!(" (next: {next})");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_comes_from_where_how_fast_and_what_is_next() {
        let mut current = Current::new("cn-clip/ViT-B-16 visual", Some("huggingface"), Some(377_000_000));
        current.next = Some("modelscope".to_owned());
        assert_eq!(
            current.line(),
            "fetching cn-clip/ViT-B-16 visual (377 MB) from huggingface… (next: modelscope)"
        );
        current.done = 137_000_000;
        current.measured.2 = Some(1_000_000.0);
        assert_eq!(
            current.line(),
            "fetching cn-clip/ViT-B-16 visual (377 MB): 137 MB, 1.0 MB/s, 4 minutes left, from huggingface (next: modelscope)"
        );
        current.paused = Some("no answer within 15 s; trying once more".to_owned());
        assert!(current.line().contains("huggingface: no answer within 15 s; trying once more (next"));
        assert_eq!(Current::new("x", None, None).line(), "converting x…");
    }
}
