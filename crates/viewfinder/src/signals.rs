//! The signals that ask a long-running command to stop.
use anyhow::Context as _;
use tokio::sync::oneshot;

use crate::failure::Failure;

/// Listens for signals from now on. The receiver hears of the first one; a second ends the program at once.
pub(crate) fn first() -> Result<oneshot::Receiver<()>, Failure> {
    let mut signals = Signals::new().context("cannot listen for signals")?;
    let (heard, first) = oneshot::channel();
    tokio::spawn(async move {
        signals.next().await;
        tracing::info!("asked to stop; a second signal stops at once");
        // Nobody listens any more if the server is stopping for another reason.
        let _ = heard.send(());
        signals.next().await;
        tracing::warn!("asked to stop a second time: stopping at once");
        #[expect(clippy::exit, reason = "the user insists; nothing may hold the program any longer")]
        std::process::exit(1);
    });
    Ok(first)
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
