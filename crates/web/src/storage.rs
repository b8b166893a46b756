//! Places for work that waits for the photos' disks.
//!
//! A network drive that hangs keeps whatever thread asks it for as long as it likes, and no thread can be called back. So only so many
//! may ask, and whoever finds no place, or gets no answer, is told so; everything else goes on.
use std::{sync::Arc, time::Duration};

use axum::http::StatusCode;
use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use crate::problem::Problem;

/// How much the photos' disks may hold up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageLimits {
    /// Files opened or read at once. A disk serves a few at a time at most.
    pub places: usize,
    /// For a place, and for the disk to open a file or read a piece of it. Beyond it, whoever looks at photos has given up.
    pub read_time: Duration,
    /// For a place, and for a small picture to be made, by programs of the system too.
    pub make_time: Duration,
}

impl Default for StorageLimits {
    fn default() -> Self {
        Self { places: 16, read_time: Duration::from_secs(10), make_time: Duration::from_secs(60) }
    }
}

/// Some places, and how long one is waited for.
pub(crate) struct Storage {
    places: Arc<Semaphore>,
    time: Duration,
}

impl Storage {
    pub(crate) fn new(places: usize, time: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(places)), time }
    }

    /// Does work on a thread that may wait. It keeps its place until it ends, whether or not somebody still waits for it.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let place = timeout(self.time, Arc::clone(&self.places).acquire_owned());
        let place = place.await.map_err(|_| busy())?.map_err(Problem::internal)?;
        let done = spawn_blocking(move || {
            let value = work();
            drop(place);
            value
        });
        timeout(self.time, done).await.map_err(|_| busy())?.map_err(Problem::internal)
    }
}

fn busy() -> Problem {
    let detail =
        "the disk of the photos does not answer in time; try again, and if it stays so, look after that disk";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "storage_busy", "The disk does not answer", detail)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn work_that_hangs_keeps_its_place_and_no_more_than_that() {
        let storage = Storage::new(2, Duration::from_millis(50));
        let (free, stuck) = mpsc::channel::<()>();
        let stuck = Arc::new(std::sync::Mutex::new(stuck));
        let hang = || {
            let stuck = Arc::clone(&stuck);
            move || stuck.lock().unwrap().recv().unwrap_or_default()
        };
        for _ in 0..3 {
            assert_eq!(storage.run(hang()).await.unwrap_err().code, "storage_busy");
        }
        assert_eq!(storage.places.available_permits(), 0);
        // Two of them hang, the third never began: two words set all free.
        free.send(()).unwrap();
        free.send(()).unwrap();
        while storage.places.available_permits() < 2 {
            tokio::task::yield_now().await;
        }
        assert_eq!(storage.run(|| 7).await.unwrap(), 7);
    }
}
