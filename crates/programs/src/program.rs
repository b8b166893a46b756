use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{Bounds, Environment, pipe};

/// How often a running program is looked at.
const GLANCE: Duration = Duration::from_millis(10);
/// Bytes of a complaint that are read.
const COMPLAINT: u64 = 16 << 10;

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It could not be started or talked to.
    #[error("{program} does not run: {error}")]
    Broken {
        /// Its name.
        program: String,
        /// The system's reason.
        error: io::Error,
    },
    /// It says no.
    #[error("{program} refuses: {reason}")]
    Refused {
        /// Its name.
        program: String,
        /// Its last words, or how it ended.
        reason: String,
        /// The start of what it wrote to its standard error.
        complaint: String,
    },
    /// It would take too long.
    #[error("{program} took longer than {} s", .time.as_secs())]
    TooSlow {
        /// Its name.
        program: String,
        /// How long it may take.
        time: Duration,
    },
    /// Nobody waits for it any more, so that it was ended.
    #[error("{program} was ended, because nobody waits for it")]
    Abandoned {
        /// Its name.
        program: String,
    },
    /// It answered or wrote too much.
    #[error("{program} answered more than {limit} bytes")]
    TooLarge {
        /// Its name.
        program: String,
        /// Bytes allowed.
        limit: u64,
    },
}

/// A foreign program, about to run. Called with a list of arguments, never through a shell.
#[derive(Debug)]
pub struct Program {
    path: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    environment: Environment,
    input: Option<File>,
    abandoned: Option<Arc<AtomicBool>>,
    bounds: Bounds,
}

impl Program {
    /// A program by its path, or by its name to be found in the variable `PATH`.
    pub fn new(path: impl Into<PathBuf>, environment: Environment, bounds: Bounds) -> Self {
        let path = path.into();
        let (arguments, variables) = (Vec::new(), Vec::new());
        Self { path, arguments, variables, environment, input: None, abandoned: None, bounds }
    }

    /// One more argument.
    #[must_use]
    pub fn arg(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// One more variable.
    #[must_use]
    pub fn variable(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// What it reads from its standard input, which is empty otherwise.
    #[must_use]
    pub fn input(mut self, file: File) -> Self {
        self.input = Some(file);
        self
    }

    /// It is ended when this becomes true.
    #[must_use]
    pub fn unless(mut self, abandoned: Arc<AtomicBool>) -> Self {
        self.abandoned = Some(abandoned);
        self
    }

    /// Its name, for messages.
    pub fn name(&self) -> String {
        name(&self.path)
    }

    /// Runs it to its end and returns what it writes. Blocks.
    pub fn run(self) -> Result<Vec<u8>, ProgramError> {
        let program = self.name();
        let Self { path, arguments, variables, environment, input, abandoned, bounds } = self;
        let is_abandoned = || abandoned.as_ref().is_some_and(|abandoned| abandoned.load(Ordering::Relaxed));
        let broken = |error| ProgramError::Broken { program: program.clone(), error };
        let mut command = Command::new(path);
        command.args(arguments).env_clear().envs(environment.variables()).envs(variables);
        command.stdin(input.map_or_else(Stdio::null, Stdio::from));
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        #[cfg(unix)]
        crate::confine::confine(&mut command, &bounds);
        let mut child = command.spawn().map_err(broken)?;
        let output = pipe::listen(child.stdout.take(), bounds.output.saturating_add(1), false);
        let complaint = pipe::listen(child.stderr.take(), COMPLAINT, true);
        let ended = wait(&mut child, bounds.time, is_abandoned);
        if ended.is_err() {
            // Nobody would wait for it any more.
            let _ = end(&mut child);
        }
        let ended = ended.map_err(broken)?;
        let (output, complaint) = (pipe::collect(output), pipe::collect(complaint));
        let Some(status) = ended else {
            return Err(if is_abandoned() {
                ProgramError::Abandoned { program }
            } else {
                ProgramError::TooSlow { program, time: bounds.time }
            });
        };
        if output.len() as u64 > bounds.output {
            return Err(ProgramError::TooLarge { program, limit: bounds.output });
        }
        if status.success() {
            return Ok(output);
        }
        #[cfg(unix)]
        match (std::os::unix::process::ExitStatusExt::signal(&status), bounds.file) {
            (Some(libc::SIGXCPU), _) => return Err(ProgramError::TooSlow { program, time: bounds.time }),
            (Some(libc::SIGXFSZ), Some(limit)) => return Err(ProgramError::TooLarge { program, limit }),
            _ => {}
        }
        let complaint = String::from_utf8_lossy(&complaint).into_owned();
        let last = complaint.lines().map(str::trim).rfind(|line| !line.is_empty());
        let reason = last.map_or_else(|| format!("it ended with {status}"), str::to_owned);
        Err(ProgramError::Refused { program, reason, complaint })
    }
}

/// A program's name without folder and extension.
fn name(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// Waits for the end; a program that takes too long or is abandoned is ended, and `None` returned.
fn wait(
    child: &mut Child,
    time: Duration,
    is_abandoned: impl Fn() -> bool,
) -> io::Result<Option<ExitStatus>> {
    let deadline = Instant::now() + time;
    loop {
        if let Some(status) = ended(child)? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline || is_abandoned() {
            end(child)?;
            return Ok(None);
        }
        thread::sleep(GLANCE);
    }
}

#[cfg(unix)]
use crate::group::{end, ended};

#[cfg(not(unix))]
fn ended(child: &mut Child) -> io::Result<Option<ExitStatus>> {
    child.try_wait()
}

#[cfg(not(unix))]
fn end(child: &mut Child) -> io::Result<ExitStatus> {
    child.kill()?;
    child.wait()
}
