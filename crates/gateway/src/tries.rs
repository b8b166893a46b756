use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    net::{IpAddr, SocketAddr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use viewfinder_transport::client;

/// Wrong keys that a client may try within [`PERIOD`]. Behind a proxy everybody is one client, so nobody is kept out for long.
/// A program that shows the same one again and again is set up wrongly, and guesses nothing.
const MOST: usize = 10;
const PERIOD: Duration = Duration::from_mins(1);
/// Clients that are remembered.
const CLIENTS: usize = 1024;

/// Keys that were guessed.
#[derive(Default)]
pub struct Tries {
    clients: Mutex<HashMap<IpAddr, Tried>>,
    /// Keys are not kept, only what tells them apart.
    hasher: RandomState,
}

struct Tried {
    since: Instant,
    /// What tells the wrong ones apart; no more than [`MOST`].
    wrong: Vec<u64>,
}

impl Tries {
    /// How long this client has to wait before it may try another one.
    pub fn wait(&self, address: SocketAddr) -> Option<Duration> {
        self.wait_at(client(address), Instant::now())
    }

    /// The client has shown a wrong key.
    pub fn wrong(&self, address: SocketAddr, shown: &[u8]) {
        self.wrong_at(client(address), shown, Instant::now());
    }

    fn wait_at(&self, client: IpAddr, now: Instant) -> Option<Duration> {
        let clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let tried = clients.get(&client).filter(|tried| tried.wrong.len() >= MOST)?;
        PERIOD.checked_sub(now.saturating_duration_since(tried.since)).filter(|wait| !wait.is_zero())
    }

    fn wrong_at(&self, client: IpAddr, shown: &[u8], now: Instant) {
        let shown = self.hasher.hash_one(shown);
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(tried) = clients.get_mut(&client)
            && now.saturating_duration_since(tried.since) < PERIOD
        {
            if tried.wrong.len() < MOST && !tried.wrong.contains(&shown) {
                tried.wrong.push(shown);
            }
            return;
        }
        if clients.len() >= CLIENTS {
            let oldest = clients.iter().min_by_key(|(_, tried)| tried.since).map(|(client, _)| *client);
            oldest.map(|oldest| clients.remove(&oldest));
        }
        clients.insert(client, Tried { since: now, wrong: vec![shown] });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(number: u32) -> IpAddr {
        IpAddr::from(number.to_be_bytes())
    }

    #[test]
    fn whoever_guesses_waits_and_nobody_else_does() {
        let (tries, start) = (Tries::default(), Instant::now());
        for guess in 0..MOST {
            assert_eq!(tries.wait_at(ip(1), start), None);
            tries.wrong_at(ip(1), &guess.to_be_bytes(), start + Duration::from_secs(guess as u64));
        }
        assert_eq!(tries.wait_at(ip(1), start + Duration::from_secs(20)), Some(Duration::from_secs(40)));
        assert_eq!(tries.wait_at(ip(2), start), None);
        assert_eq!(tries.wait_at(ip(1), start + PERIOD), None);
        tries.wrong_at(ip(1), b"another", start + PERIOD);
        assert_eq!(tries.wait_at(ip(1), start + PERIOD), None);
    }

    #[test]
    fn a_node_with_a_wrong_key_guesses_nothing() {
        let (tries, start) = (Tries::default(), Instant::now());
        for _ in 0..100 {
            tries.wrong_at(ip(1), b"the same", start);
            tries.wrong_at(ip(1), b"that of another", start);
        }
        assert_eq!(tries.wait_at(ip(1), start), None);
    }

    #[test]
    fn the_longest_known_are_forgotten() {
        let (tries, start) = (Tries::default(), Instant::now());
        for client in 0..5000 {
            tries.wrong_at(ip(client), b"wrong", start + Duration::from_millis(client.into()));
        }
        let known = tries.clients.lock().unwrap();
        assert!(known.len() == CLIENTS && known.contains_key(&ip(4999)) && !known.contains_key(&ip(0)));
    }
}
