//! Places for connections at one address, and who has to leave when they run short.
//!
//! A bound for each client would be simpler, and wrong behind a proxy, where everybody is one client. So nobody is bounded
//! before places run short. Then connections leave at which it is the client who is waited for: those between two requests,
//! those whose head or body is still coming, and those whose answer is not fetched. They are taken from the client that has the
//! most connections, in this order, and of each kind the one first that has been silent for longest. A request that is here as a
//! whole and whose answer is on its way stays until it is done.

use std::{
    collections::{BTreeMap, HashMap},
    net::{IpAddr, Ipv6Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::{
    Request, Response, StatusCode,
    body::{Body, Frame, SizeHint},
};
use tokio::sync::Notify;

/// A client that holds fewer than this finds room where all others find none. A small server has few places for everybody.
const LEAST_SHARE: usize = 16;

/// How often the log hears that places run short.
const SILENCE: Duration = Duration::from_mins(10);

/// The places of one address.
pub(crate) struct ConnectionLimiter {
    address: Option<SocketAddr>,
    limit: usize,
    table: Mutex<Table>,
    /// A place became free, or somebody may be asked to leave.
    changed: Notify,
}

#[derive(Default)]
struct Table {
    open: usize,
    clients: HashMap<IpAddr, Client>,
    /// Connections that were asked to leave and are still there.
    leaving: usize,
    /// Counts everything that happens, to tell what was first.
    clock: u64,
    told: Option<Instant>,
}

#[derive(Default)]
struct Client {
    open: usize,
    /// Those that may have to leave, in this order.
    waiting: BTreeMap<(Wait, u64), Arc<Notify>>,
}

/// What nobody loses anything by, in the order in which it is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Wait {
    /// For the first byte of a request.
    Idle,
    /// For the rest of a head.
    Head,
    /// For the rest of a body.
    Body,
    /// For the client to fetch its answer.
    Reader,
}

/// Where a connection is in its conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stage {
    part: Part,
    /// What the client is waited for, since which moment. Such a connection may have to leave.
    waiting: Option<(Wait, u64)>,
}

/// A part of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Before a request is known.
    Head,
    /// Within a request or its answer.
    Answer,
    /// The answer is complete, but not yet on its way.
    End,
    /// It speaks another protocol, about which nothing is known.
    Other,
}

/// What a newcomer finds.
enum Found {
    Room,
    /// Somebody has to leave first.
    Wait,
    /// Not for this client.
    Nothing,
}

/// A connection's place; free again when the last copy of it is dropped.
#[derive(Clone)]
pub struct Place(Arc<Held>);

struct Held {
    places: Arc<ConnectionLimiter>,
    client: IpAddr,
    stage: Mutex<Stage>,
    asked: Arc<Notify>,
}

impl ConnectionLimiter {
    pub(crate) fn new(address: Option<SocketAddr>, limit: usize) -> Arc<Self> {
        Arc::new(Self { address, limit, table: Mutex::default(), changed: Notify::new() })
    }

    /// A place for a connection of this client, as soon as there is one; none if the client has to do with those it has.
    pub(crate) async fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        loop {
            let found = self.table().look(client, self.limit);
            match found {
                Found::Room => return Some(self.place(client)),
                Found::Wait => {
                    self.tell();
                    self.changed.notified().await;
                }
                Found::Nothing => {
                    self.tell();
                    return None;
                }
            }
        }
    }

    /// Has somebody leave, because the process runs short of something. Tells whether anybody does.
    pub(crate) async fn give_up_one(&self) -> bool {
        let asked = self.table().ask(0);
        if asked {
            self.changed.notified().await;
        }
        asked
    }

    fn place(self: &Arc<Self>, client: IpAddr) -> Place {
        let asked = Arc::new(Notify::new());
        let mut table = self.table();
        table.open += 1;
        table.clients.entry(client).or_default().open += 1;
        let waiting = Some(table.wait(client, Wait::Idle, &asked));
        drop(table);
        let stage = Stage { part: Part::Head, waiting };
        Place(Arc::new(Held { places: Arc::clone(self), client, stage: Mutex::new(stage), asked }))
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self) {
        let mut table = self.table();
        if table.told.is_some_and(|told| told.elapsed() < SILENCE) {
            return;
        }
        table.told = Some(Instant::now());
        let most = table.clients.iter().max_by_key(|(_, client)| client.open);
        let (client, most) = most.map(|(ip, client)| (ip.to_string(), client.open)).unwrap_or_default();
        drop(table);
        let address = self.address.map(|address| address.to_string()).unwrap_or_default();
        tracing::warn!(
            address,
            connections = self.limit,
            client,
            most,
            "all connections are taken, most of them by one client; those that wait are closed to make room"
        );
    }
}

impl Table {
    fn look(&mut self, client: IpAddr, limit: usize) -> Found {
        let held = self.clients.get(&client).map_or(0, |client| client.open);
        // The last of the places are for those that have few.
        let greedy = held >= (limit / 4).max(LEAST_SHARE);
        let room = if greedy { limit - limit / 8 } else { limit };
        if self.open < room {
            return Found::Room;
        }
        if self.leaving > 0 || self.ask(held) || !greedy { Found::Wait } else { Found::Nothing }
    }

    /// Asks one connection to leave, of the client that has the most, and no fewer than `held`.
    fn ask(&mut self, held: usize) -> bool {
        let clients = self.clients.values_mut();
        let able = clients.filter(|client| client.open >= held && !client.waiting.is_empty());
        let Some(most) = able.max_by_key(|client| client.open) else { return false };
        let Some((_, asked)) = most.waiting.pop_first() else { return false };
        self.leaving += 1;
        asked.notify_one();
        true
    }

    /// Notes that a connection waits for its client from now on.
    fn wait(&mut self, client: IpAddr, wait: Wait, asked: &Arc<Notify>) -> (Wait, u64) {
        self.clock += 1;
        let since = self.clock;
        self.clients.entry(client).or_default().waiting.insert((wait, since), Arc::clone(asked));
        (wait, since)
    }

    /// Notes that a connection waits no more. False if it was asked to leave by now.
    fn resume(&mut self, client: IpAddr, waiting: (Wait, u64)) -> bool {
        let client = self.clients.get_mut(&client);
        client.is_some_and(|client| client.waiting.remove(&waiting).is_some())
    }
}

impl Place {
    /// Waits until this connection has to leave. It is then to be dropped at once: nobody waits for anything on it.
    pub async fn evicted(&self) {
        loop {
            self.0.asked.notified().await;
            // A request may have come in the meantime; then it stays.
            if self.0.is_asked() {
                return;
            }
        }
    }

    /// A request has come: the connection stays until what is returned was dropped, and what was written by then is flushed. While
    /// its body is not here, it waits for its client.
    pub fn answering<B: Body>(&self, request: Request<B>) -> (ActiveRequest, Request<RequestBody<B>>) {
        let whole = request.body().is_end_stream();
        self.0.begin(whole);
        let place = (!whole).then(|| self.clone());
        (ActiveRequest { place: Some(self.clone()) }, request.map(|body| RequestBody { body, place }))
    }

    /// Something was read.
    pub(crate) fn read(&self) {
        let mut stage = self.0.stage();
        let Some((wait @ (Wait::Idle | Wait::Body), since)) = stage.waiting else { return };
        let next = if wait == Wait::Idle { Wait::Head } else { wait };
        let mut table = self.0.places.table();
        // Whoever is to leave does so, unless this is all of a head or a body.
        if table.resume(self.0.client, (wait, since)) {
            stage.waiting = Some(table.wait(self.0.client, next, &self.0.asked));
        }
    }

    /// Something could not be written now.
    pub(crate) fn blocked(&self) {
        let mut stage = self.0.stage();
        if matches!(stage.part, Part::Answer | Part::End) && stage.waiting.is_none() {
            stage.waiting = Some(self.0.places.table().wait(self.0.client, Wait::Reader, &self.0.asked));
            self.0.places.changed.notify_one();
        }
    }

    /// Something was written.
    pub(crate) fn wrote(&self) {
        self.0.resume(Wait::Reader);
    }

    /// All that was written is on its way.
    pub(crate) fn flushed(&self) {
        self.0.resume(Wait::Reader);
        let mut stage = self.0.stage();
        if stage.part == Part::End {
            let waiting = self.0.places.table().wait(self.0.client, Wait::Idle, &self.0.asked);
            *stage = Stage { part: Part::Head, waiting: Some(waiting) };
            self.0.places.changed.notify_one();
        }
    }
}

impl Held {
    fn stage(&self) -> MutexGuard<'_, Stage> {
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, whole: bool) {
        let mut stage = self.stage();
        self.stop_waiting(&mut stage);
        stage.part = Part::Answer;
        if !whole {
            stage.waiting = Some(self.places.table().wait(self.client, Wait::Body, &self.asked));
            self.places.changed.notify_one();
        }
    }

    /// Its client is waited for no more, if it was for this.
    fn resume(&self, wait: Wait) {
        let mut stage = self.stage();
        if stage.waiting.is_some_and(|waiting| waiting.0 == wait) {
            self.stop_waiting(&mut stage);
        }
    }

    /// Whoever was asked to leave may stay after all, and another one is asked.
    fn stop_waiting(&self, stage: &mut Stage) {
        let Some(waiting) = stage.waiting.take() else { return };
        let mut table = self.places.table();
        if !table.resume(self.client, waiting) {
            table.leaving -= 1;
            self.places.changed.notify_one();
        }
    }

    fn is_asked(&self) -> bool {
        let Some(waiting) = self.stage().waiting else { return false };
        let table = self.places.table();
        table.clients.get(&self.client).is_some_and(|client| !client.waiting.contains_key(&waiting))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let waiting = self.stage().waiting;
        let mut table = self.places.table();
        if waiting.is_some_and(|waiting| !table.resume(self.client, waiting)) {
            table.leaving -= 1;
        }
        table.open -= 1;
        if let Some(client) = table.clients.get_mut(&self.client) {
            client.open -= 1;
            if client.open == 0 {
                table.clients.remove(&self.client);
            }
        }
        drop(table);
        self.places.changed.notify_one();
    }
}

/// Keeps a connection from having to leave while a request is answered.
pub struct ActiveRequest {
    place: Option<Place>,
}

impl ActiveRequest {
    /// Goes on until the answer's body was taken; for ever where the connection changes its protocol. A request that is answered
    /// needs no more of its body.
    pub fn through<B>(mut self, answer: Response<B>) -> Response<Answer<B>> {
        if let Some(place) = &self.place {
            place.0.resume(Wait::Body);
        }
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS
            && let Some(place) = self.place.take()
        {
            place.0.stage().part = Part::Other;
        }
        answer.map(|body| Answer { body, _answering: self })
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        if let Some(place) = &self.place {
            place.0.resume(Wait::Body);
            place.0.stage().part = Part::End;
        }
    }
}

/// The body of a request, whose connection waits for its client until all of it is here.
pub struct RequestBody<B> {
    body: B,
    place: Option<Place>,
}

impl<B: Body + Unpin> Body for RequestBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        let ended = matches!(frame, Poll::Ready(None)) || self.body.is_end_stream();
        if ended && let Some(place) = self.place.take() {
            place.0.resume(Wait::Body);
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body that keeps its connection.
pub struct Answer<B> {
    body: B,
    _answering: ActiveRequest,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Who a connection counts for. One household gets a whole /64 of IPv6.
pub fn client(address: SocketAddr) -> IpAddr {
    match address.ip().to_canonical() {
        IpAddr::V6(ip) => {
            let [a, b, c, d, ..] = ip.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        ip @ IpAddr::V4(_) => ip,
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, task::Waker};

    use bytes::Bytes;
    use http_body_util::{BodyExt as _, Full};
    use proptest::prelude::*;

    use super::*;

    /// A connection, and what it is asked.
    type Open = (Place, Option<Asked>);
    type Asked = (ActiveRequest, Request<RequestBody<Full<Bytes>>>);

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    /// What is ready at once.
    fn now<T>(future: impl Future<Output = T>) -> Option<T> {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(found) => Some(found),
            Poll::Pending => None,
        }
    }

    /// A request without a body, or one of which nothing has come yet.
    fn asked(place: &Place, has_body: bool) -> Asked {
        let body = if has_body { Full::from("body") } else { Full::default() };
        place.answering(Request::new(body))
    }

    fn answered(place: &Place) {
        drop(asked(place, false));
        place.flushed();
    }

    /// What is counted.
    fn left(places: &ConnectionLimiter) -> (usize, usize, usize) {
        let table = places.table();
        (table.open, table.leaving, table.clients.len())
    }

    #[test]
    fn a_household_is_one_client() {
        let of = |address: &str| client(address.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7:1"), "192.0.2.7");
        assert_eq!(of("[::ffff:192.0.2.7]:1"), "192.0.2.7");
        assert_eq!(of("[2001:db8:1:2:3:4:5:6]:1"), "2001:db8:1:2::");
    }

    #[test]
    fn the_longest_idle_one_of_whom_has_most_leaves_first_and_unread_heads_after_it() {
        let places = ConnectionLimiter::new(None, 4);
        let take = |last| now(places.take(ip(last)));
        let quiet = take(2).unwrap().unwrap();
        let reading = take(1).unwrap().unwrap();
        let (first, second) = (take(1).unwrap().unwrap(), take(1).unwrap().unwrap());
        reading.read();
        // It was idle for longer, and then was asked something.
        answered(&first);
        for expected in [&second, &first, &reading] {
            assert!(take(3).is_none());
            let all = [&quiet, &reading, &first, &second];
            let left: Vec<_> = all.into_iter().filter(|place| now(place.evicted()).is_some()).collect();
            assert!(left.len() == 1 && Arc::ptr_eq(&left[0].0, &expected.0));
            // A request comes just then, so it stays, and the next is asked.
            std::mem::forget(asked(expected, false));
            assert!(now(expected.evicted()).is_none());
        }
        assert!(!quiet.0.is_asked());
        assert!(take(3).is_none());
        assert!(now(quiet.evicted()).is_some(), "when nobody else may leave");
    }

    #[test]
    fn a_client_with_more_than_its_share_finds_nothing_when_all_of_it_is_in_use() {
        let places = ConnectionLimiter::new(None, 64);
        let take = |last| now(places.take(ip(last)));
        let busy: Vec<_> = (0..56)
            .map(|_| {
                let place = take(1).unwrap().unwrap();
                let answering = asked(&place, false).0;
                (place, answering)
            })
            .collect();
        assert!(take(1).unwrap().is_none(), "it has all that one may have");
        let others: Vec<_> = (2..10).map(|last| take(last).unwrap().unwrap()).collect();
        assert!(take(1).unwrap().is_none(), "those of smaller ones are not taken for it");
        assert!(take(11).is_none());
        assert_eq!(others.iter().filter(|place| place.0.is_asked()).count(), 1);
        drop(others);
        assert!(take(11).unwrap().is_some());
        drop(busy);
        assert_eq!(left(&places), (0, 0, 0));
    }

    #[test]
    fn who_sends_or_fetches_slowly_leaves_after_those_who_wait_for_nothing() {
        let places = ConnectionLimiter::new(None, 4);
        let take = |last| now(places.take(ip(last)));
        let sending = take(1).unwrap().unwrap();
        let (_answering, mut request) = asked(&sending, true);
        let fetching = take(1).unwrap().unwrap();
        let _fetched = asked(&fetching, false);
        fetching.blocked();
        let idle = take(1).unwrap().unwrap();
        let busy = take(1).unwrap().unwrap();
        let _busy = asked(&busy, false);
        let gone = |place: &Place| now(place.evicted()).is_some();
        assert!(take(2).is_none());
        assert!(gone(&idle) && !gone(&sending) && !gone(&fetching));
        drop(idle);
        let _second = asked(&take(2).unwrap().unwrap(), false);
        assert!(take(3).is_none());
        assert!(gone(&sending) && !gone(&fetching));
        // The rest of it comes just then.
        while now(request.body_mut().frame()).flatten().is_some() {}
        assert!(!gone(&sending));
        assert!(take(3).is_none());
        assert!(gone(&fetching) && !gone(&busy));
    }

    #[test]
    fn a_changed_protocol_is_in_use_for_ever() {
        let places = ConnectionLimiter::new(None, 1);
        let place = now(places.take(ip(1))).unwrap().unwrap();
        let mut answer = Response::new(http_body_util::Empty::<bytes::Bytes>::new());
        *answer.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        drop(asked(&place, false).0.through(answer));
        place.flushed();
        place.read();
        place.blocked();
        assert!(now(places.take(ip(2))).is_none());
        assert!(now(place.evicted()).is_none());
        drop(place);
        assert!(now(places.take(ip(2))).unwrap().is_some());
    }

    proptest! {
        /// Whatever happens: no more are open than there are places, nobody leaves in the middle of an answer, and everything
        /// is counted.
        #[test]
        fn nobody_leaves_in_the_middle(
            limit in 1_usize..40,
            steps in prop::collection::vec((0_u8..10, 0_u8..6, any::<prop::sample::Index>()), 0..300),
        ) {
            let places = ConnectionLimiter::new(None, limit);
            let mut open: Vec<Open> = Vec::new();
            for (step, client, which) in steps {
                if step < 2 || open.is_empty() {
                    if let Some(Some(place)) = now(places.take(ip(client))) {
                        open.push((place, None));
                    }
                } else {
                    let which = which.index(open.len());
                    let (place, answering) = &mut open[which];
                    match step {
                        2 => place.read(),
                        3 | 4 if answering.is_none() => *answering = Some(asked(place, step == 4)),
                        5 => {
                            *answering = None;
                            place.flushed();
                        }
                        6 => place.blocked(),
                        7 => place.wrote(),
                        8 if let Some((_, request)) = answering => {
                            while now(request.body_mut().frame()).flatten().is_some() {}
                        }
                        _ if now(place.evicted()).is_some() => {
                            let waiting = place.0.stage().waiting;
                            let excused = matches!(waiting, Some((Wait::Body | Wait::Reader, _)));
                            prop_assert!(answering.is_none() || excused);
                            open.swap_remove(which);
                        }
                        _ => {}
                    }
                }
                let table = places.table();
                prop_assert!(open.len() <= limit);
                prop_assert_eq!(table.open, open.len());
                prop_assert_eq!(table.leaving, open.iter().filter(|(place, _)| {
                    let waiting = place.0.stage().waiting;
                    waiting.is_some_and(|waiting| !table.clients[&place.0.client].waiting.contains_key(&waiting))
                }).count());
            }
            drop(open);
            prop_assert_eq!(left(&places), (0, 0, 0));
        }
    }
}
