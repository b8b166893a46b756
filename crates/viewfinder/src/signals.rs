//! The signals that ask a long-running command to stop.
use anyhow::Context as _;
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// Listens for signals from now on. The first one cancels the token; a second ends the program at once.
pub(crate) fn first() -> Result<CancellationToken, Failure> {
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let stop = CancellationToken::new();
    let heard = stop.clone();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("asked to stop; a second signal stops at once");
        heard.cancel();
        signals.next().await;
        tracing::warn!("asked to stop a second time: stopping at once");
        #[expect(clippy::exit, reason = "the user insists; nothing may hold the program any longer")]
        std::process::exit(1);
    });
    Ok(stop)
}

/// The signals that ask to stop.
#[cfg(unix)]
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The signals that ask to stop.
#[cfg(windows)]
struct Signals(tokio::signal::windows::CtrlC);

#[cfg(windows)]
impl Signals {
    fn new() -> std::io::Result<Self> {
        tokio::signal::windows::ctrl_c().map(Self)
    }

    async fn next(&mut self) {
        self.0.recv().await;
    }
}
