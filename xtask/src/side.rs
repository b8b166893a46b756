//! One side of a benchmark: a program that answers orders, one JSON object a line each.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::server::memory;

/// A running program.
pub(crate) struct Side {
    pub(crate) name: String,
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Side {
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context(name.to_owned())?;
        let orders = child.stdin.take();
        let answers = BufReader::new(child.stdout.take().context("its output is a pipe")?);
        Ok(Self { name: name.to_owned(), child, orders, answers })
    }

    pub(crate) fn ask(&mut self, order: &Value) -> Result<Value> {
        let orders = self.orders.as_mut().context("its input is a pipe")?;
        writeln!(orders, "{order}")?;
        orders.flush()?;
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        ensure!(!line.is_empty(), "{} ended early", self.name);
        serde_json::from_str(&line).with_context(|| self.name.clone())
    }

    /// The most megabytes it ever held.
    pub(crate) fn peak_mb(&self) -> Result<u64> {
        Ok(memory(self.child.id(), "VmHWM")? >> 20)
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        // Without input the program ends by itself.
        self.orders = None;
        drop(self.child.wait());
    }
}
