//! Downloads and conversions, shown as bars on a terminal and as lines elsewhere, always on the standard error.
use std::io::{self, IsTerminal as _};
use std::sync::{Mutex, PoisonError};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use viewfinder_models::{Progress, Step};

use crate::output;

/// Tells a person what is being fetched or made.
pub(crate) struct Report {
    terminal: bool,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    file: String,
    step: Option<Step>,
    bar: Option<ProgressBar>,
}

impl Report {
    /// A report that fits where the standard error goes.
    pub(crate) fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), current: Mutex::default() }
    }
}

impl Progress for Report {
    fn begin(&self, step: Step, file: &str, total: Option<u64>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = current.bar.take() {
            bar.finish_and_clear();
        }
        file.clone_into(&mut current.file);
        current.step = Some(step);
        if !self.terminal {
            let size = total.map(|bytes| format!(" ({})", HumanBytes(bytes))).unwrap_or_default();
            let verb = if step == Step::Fetch { "fetching" } else { "converting" };
            output::complain(&format!("{verb} {file}{size}"));
            return;
        }
        let (bar, template) = match total {
            Some(total) => {
                (ProgressBar::new(total), "{msg} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {eta}")
            }
            None => (ProgressBar::new_spinner(), "{spinner} {msg} ({elapsed})"),
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(file.to_owned());
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
        current.bar = Some(bar);
    }

    fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.current.lock().unwrap_or_else(PoisonError::into_inner).bar {
            bar.inc(bytes);
        }
    }

    fn end(&self, result: Result<(), &str>) {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = current.bar.take() {
            bar.finish_and_clear();
        }
        let file = std::mem::take(&mut current.file);
        match result {
            Ok(()) if current.step == Some(Step::Convert) => output::complain(&format!("converted {file}")),
            Ok(()) => output::complain(&format!("fetched {file}")),
            // A source that could not even be asked is told of when all have failed.
            Err(_) if file.is_empty() => {}
            Err(reason) if current.step == Some(Step::Convert) => {
                output::complain(&format!("{file} was not converted: {reason}"));
            }
            Err(reason) => output::complain(&format!("{file} did not arrive: {reason}")),
        }
    }
}
