use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::sleep,
};
use viewfinder_http::client;

/// Wrong keys that a client may try within [`PERIOD`] and be answered at once. Behind a proxy everybody is one client, which is why
/// the right key is never asked to wait. A program that shows the same wrong one again and again is set up wrongly, and guesses
/// nothing.
const MOST: usize = 10;
const PERIOD: Duration = Duration::from_mins(1);
/// How long each further wrong one goes unanswered.
const PAUSE: Duration = Duration::from_secs(1);
/// Requests of a client, and of all of them, that are kept so: they take places of others. More are told at once.
const PAUSED_PER_CLIENT: usize = 4;
const PAUSED: usize = 32;
/// Clients that are remembered.
const CLIENTS: usize = 1024;

/// Keys that were guessed. The right one is compared first and always let in, so nobody locks the owner out.
pub struct FailedAttempts {
    clients: Mutex<HashMap<IpAddr, Attempts>>,
    paused: Arc<Semaphore>,
    /// Keys are not kept, only what tells them apart.
    hasher: RandomState,
}

struct Attempts {
    since: Instant,
    /// What tells the wrong ones apart; no more than [`MOST`].
    wrong: Vec<u64>,
    paused: Arc<Semaphore>,
}

/// A wrong key too many.
struct TooManyAttempts {
    /// How long until another one is answered at once.
    wait: Duration,
    /// Those of the client and of all of them, if there was one of both.
    places: Option<[OwnedSemaphorePermit; 2]>,
}

impl Default for FailedAttempts {
    fn default() -> Self {
        Self {
            clients: Mutex::default(),
            paused: Arc::new(Semaphore::new(PAUSED)),
            hasher: RandomState::default(),
        }
    }
}

impl FailedAttempts {
    /// Notes the wrong keys of a request. If its client has shown too many, tells after a pause how long it has to wait.
    pub async fn wrong<'a>(
        &self,
        peer: Option<SocketAddr>,
        shown: impl IntoIterator<Item = &'a [u8]>,
    ) -> Option<Duration> {
        let client = client(peer?);
        let now = Instant::now();
        let TooManyAttempts { wait, places } =
            shown.into_iter().find_map(|shown| self.wrong_at(client, shown, now))?;
        if places.is_some() {
            sleep(PAUSE).await;
        }
        Some(wait)
    }

    fn wrong_at(&self, client: IpAddr, shown: &[u8], now: Instant) -> Option<TooManyAttempts> {
        let shown = self.hasher.hash_one(shown);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tried) = clients.get_mut(&client)
            && let Some(wait) = PERIOD.checked_sub(now.saturating_duration_since(tried.since))
            && !wait.is_zero()
        {
            if tried.wrong.len() >= MOST {
                let place = |of: &Arc<Semaphore>| Arc::clone(of).try_acquire_owned().ok();
                let places =
                    place(&tried.paused).and_then(|of_client| Some([of_client, place(&self.paused)?]));
                return Some(TooManyAttempts { wait, places });
            }
            if !tried.wrong.contains(&shown) {
                tried.wrong.push(shown);
            }
            return None;
        }
        if clients.len() >= CLIENTS {
            let oldest = clients.iter().min_by_key(|(_, tried)| tried.since).map(|(client, _)| *client);
            oldest.map(|oldest| clients.remove(&oldest));
        }
        let paused = Arc::new(Semaphore::new(PAUSED_PER_CLIENT));
        clients.insert(client, Attempts { since: now, wrong: vec![shown], paused });
        None
    }
}

#[cfg(test)]
mod tests {
    use std::{
        iter::once,
        pin::Pin,
        task::{Context, Waker},
    };

    use super::*;

    fn ip(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    /// How long a client has to wait after a wrong key.
    fn wait(tries: &FailedAttempts, client: IpAddr, shown: &[u8], now: Instant) -> Option<Duration> {
        tries.wrong_at(client, shown, now).map(|too_many| too_many.wait)
    }

    /// Is the answer held back?
    fn is_kept(guess: &mut Pin<Box<impl Future<Output = Option<Duration>>>>) -> bool {
        guess.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    fn tried_out(client: IpAddr, start: Instant) -> FailedAttempts {
        let tries = FailedAttempts::default();
        for guess in 0..MOST {
            assert_eq!(wait(&tries, client, &guess.to_be_bytes(), start), None);
        }
        tries
    }

    #[test]
    fn whoever_guesses_waits_and_nobody_else_does() {
        let start = Instant::now();
        let tries = tried_out(ip(1), start);
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(wait(&tries, ip(1), b"another", after(20)), Some(Duration::from_secs(40)));
        assert_eq!(wait(&tries, ip(2), b"another", after(20)), None);
        assert_eq!(wait(&tries, ip(1), b"another", start + PERIOD), None);
        assert_eq!(wait(&tries, ip(1), b"one more", start + PERIOD), None);
    }

    #[test]
    fn a_node_with_a_wrong_key_guesses_nothing() {
        let (tries, start) = (FailedAttempts::default(), Instant::now());
        for _ in 0..100 {
            assert_eq!(wait(&tries, ip(1), b"the same", start), None);
            assert_eq!(wait(&tries, ip(1), b"that of another", start), None);
        }
    }

    #[test]
    fn the_longest_known_are_forgotten() {
        let (tries, start) = (FailedAttempts::default(), Instant::now());
        for client in 0..5000 {
            tries.wrong_at(ip(client), b"wrong", start + Duration::from_millis(client.into()));
        }
        let known = tries.clients.lock().unwrap();
        assert!(known.len() == CLIENTS && known.contains_key(&ip(4999)) && !known.contains_key(&ip(0)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_key_too_many_is_kept_and_few_are_at_once() {
        let address = |client| SocketAddr::new(ip(client), 1);
        let tries = tried_out(ip(0), Instant::now());
        let guess = |client| Box::pin(tries.wrong(Some(address(client)), once(&b"another"[..])));
        let mut kept: Vec<_> = (0..PAUSED_PER_CLIENT).map(|_| guess(0)).collect();
        assert!(kept.iter_mut().all(is_kept));
        assert!(!is_kept(&mut guess(0)), "more are told at once");
        assert!(!is_kept(&mut guess(1)), "others are not kept");
        // Whoever goes away makes room.
        drop(kept.pop());
        let mut next = guess(0);
        assert!(is_kept(&mut next));
        assert!(next.await.is_some());

        for client in 1..100 {
            for guess in 0..MOST {
                tries.wrong_at(ip(client), &guess.to_be_bytes(), Instant::now());
            }
        }
        let mut all: Vec<_> = (1..100).map(guess).collect();
        let more = all.iter_mut().map(is_kept).filter(|kept| *kept).count();
        assert_eq!(kept.len() + more, PAUSED);
    }
}
