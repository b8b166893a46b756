//! What waits for disks, on threads that may wait.
use tokio::task::spawn_blocking;

use crate::IndexError;

/// Runs what blocks. It goes on to its end even if nobody waits for it any more.
pub(crate) async fn blocking<T: Send + 'static>(
    call: impl FnOnce() -> T + Send + 'static,
) -> Result<T, IndexError> {
    spawn_blocking(call).await.map_err(|error| IndexError::Internal(error.to_string()))
}
