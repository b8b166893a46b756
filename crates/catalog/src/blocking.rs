//! What keeps a thread, on threads that may be kept.
use tokio::task::spawn_blocking;

use crate::StoreError;

/// Runs what blocks or takes long where that keeps nobody waiting. It goes on to its end even if nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(call).await.unwrap_or_else(|error| Err(StoreError::Internal(error.to_string())))
}
