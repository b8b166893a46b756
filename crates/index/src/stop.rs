//! Asking a run to end.
use std::sync::Arc;

use tokio::sync::watch;

/// Asks everything that holds a clone of it to end soon, keeping what is complete.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        self.0.send_replace(true);
    }

    /// Was it asked?
    pub fn asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns once it is asked.
    pub async fn wait(&self) {
        // The sender lives as long as `self`, so this cannot fail.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
    }
}
