//! Places for the work of users.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

/// How many there are.
#[derive(Clone, Copy)]
pub(crate) struct UserLimiter {
    /// At once; more wait.
    pub(crate) all: usize,
    /// Of one user at once.
    pub(crate) of_user: usize,
    /// Of one user that wait; more are sent away at once.
    pub(crate) waiting: usize,
}

/// Places, of which nobody has all.
pub(crate) struct Places {
    room: UserLimiter,
    all: Arc<Semaphore>,
    users: Mutex<HashMap<Uuid, Arc<Semaphore>>>,
}

/// A place that is taken until this is dropped.
pub(crate) struct Place {
    _of_user: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Places {
    pub(crate) fn new(room: UserLimiter) -> Self {
        Self { room, all: Arc::new(Semaphore::new(room.all)), users: Mutex::default() }
    }

    /// Waits for a place. Whoever has as many as a user may have does not stand in line with others. `None` if too many of one user
    /// wait already.
    pub(crate) async fn take(&self, user: Uuid) -> Option<Place> {
        let own = self.of(user)?;
        let of_user = own.acquire_owned().await.ok()?;
        let of_all = Arc::clone(&self.all).acquire_owned().await.ok()?;
        Some(Place { _of_user: of_user, _of_all: of_all })
    }

    fn of(&self, user: Uuid) -> Option<Arc<Semaphore>> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever waits or has a place holds one more.
        users.retain(|_, places| Arc::strong_count(places) > 1);
        let own = users.entry(user).or_insert_with(|| Arc::new(Semaphore::new(self.room.of_user)));
        (Arc::strong_count(own) <= self.room.of_user + self.room.waiting).then(|| Arc::clone(own))
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const ALL: usize = 16;
    const OF_USER: usize = 6;
    const WAITING: usize = 16;
    const ROOM: UserLimiter = UserLimiter { all: ALL, of_user: OF_USER, waiting: WAITING };

    #[test]
    fn nobody_takes_all_places_and_who_leaves_waits_for_none() {
        let places = Places::new(ROOM);
        let take = |user: u128| places.take(Uuid::from_u128(user)).now_or_never().flatten();
        let mut taken: Vec<Place> = (0..OF_USER).map(|_| take(1).unwrap()).collect();
        // Waits, and leaves.
        assert!(take(1).is_none());
        taken.extend((OF_USER..ALL).map(|place| take(2 + (place / OF_USER) as u128).unwrap()));
        assert!(take(9).is_none());
        taken.truncate(OF_USER - 1);
        taken.push(take(1).unwrap());
        drop(taken);
        assert!(take(9).is_some());
        assert_eq!(places.users.lock().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn whoever_has_many_waiting_is_told_so_at_once() {
        let places = Arc::new(Places::new(ROOM));
        let user = Uuid::from_u128(1);
        let mut taken = Vec::new();
        for _ in 0..OF_USER {
            taken.push(places.take(user).await.unwrap());
        }
        let wait = |_| {
            let places = Arc::clone(&places);
            tokio::spawn(async move { places.take(user).await.is_some() })
        };
        let waiting: Vec<_> = (0..WAITING).map(wait).collect();
        tokio::task::yield_now().await;
        assert!(places.take(user).await.is_none());
        assert!(places.take(Uuid::from_u128(2)).await.is_some());
        drop(taken);
        for one in waiting {
            assert!(one.await.unwrap());
        }
    }
}
