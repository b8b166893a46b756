//! The router over engines that do as they are told, on a clock that only moves when everybody waits.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tokio::time::{Instant, sleep};
use viewfinder_engine::{
    Answer, DecodeRules, EngineError, EngineStatus, ErrorCode, PictureAnswer, PictureRequest, PictureTask,
    SentenceRequest,
};
use viewfinder_gateway::{Backend, Reply};
use viewfinder_image::Alpha;
use viewfinder_router::{
    Answers, Coming, HoldLimits, Route, Router, RouterConfig, Routes, Thresholds, Trouble, Verdict,
};

/// What an engine does with a question.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// Answers after so many milliseconds, one question after the other.
    Well(u64),
    /// Fails at once.
    Failing(ErrorCode, Verdict),
    /// Takes the question and never answers.
    Frozen,
}

struct Fake {
    mood: Mutex<Mood>,
    asked: AtomicUsize,
    turn: tokio::sync::Mutex<()>,
    /// What its vectors hold, to tell its answers from others'.
    mark: f32,
}

impl Fake {
    fn new(mark: f32, mood: Mood) -> Arc<Self> {
        Arc::new(Self {
            mood: Mutex::new(mood),
            asked: AtomicUsize::new(0),
            turn: tokio::sync::Mutex::default(),
            mark,
        })
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    async fn ponder(&self) -> Result<(), Trouble> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Well(ms) => {
                let _turn = self.turn.lock().await;
                sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
            Mood::Failing(code, verdict) => {
                Err(Trouble { error: EngineError::new(code, "as told"), verdict })
            }
            Mood::Frozen => std::future::pending().await,
        }
    }
}

impl Answers for Fake {
    fn picture(&self, request: PictureRequest) -> Coming<'_, PictureAnswer> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.ponder().await?;
            let answers = request.tasks.iter().map(|_| Ok(Answer::Embedding(vec![self.mark]))).collect();
            Ok(PictureAnswer { width: 4, height: 3, answers })
        })
    }

    fn sentence(&self, _: SentenceRequest) -> Coming<'_, Vec<f32>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.ponder().await?;
            Ok(vec![self.mark])
        })
    }

    fn probe(&self) -> Coming<'_, ()> {
        let mood = *self.mood.lock().unwrap();
        Box::pin(async move {
            match mood {
                Mood::Failing(code, Verdict::Sick) => {
                    Err(Trouble { error: EngineError::new(code, "as told"), verdict: Verdict::Sick })
                }
                Mood::Frozen => std::future::pending().await,
                _ => Ok(()),
            }
        })
    }
}

/// The local engine: cannot do anything.
struct Nothing;

impl Backend for Nothing {
    fn picture(&self, _: PictureRequest) -> Reply<'_, PictureAnswer> {
        Box::pin(async { Err(EngineError::new(ErrorCode::RuntimeUnavailable, "not here")) })
    }

    fn sentence(&self, _: SentenceRequest) -> Reply<'_, Vec<f32>> {
        Box::pin(async { Err(EngineError::new(ErrorCode::RuntimeUnavailable, "not here")) })
    }

    fn status(&self) -> EngineStatus {
        unreachable!("nobody asks")
    }

    fn unload(&self) {}
}

fn route(ranks: &[&[&str]]) -> Route {
    ranks.iter().map(|rank| rank.iter().map(|&name| name.to_owned()).collect()).collect()
}

/// A router over engines called `a`, `b`, `c` …, with routes by task.
fn router(fakes: &[&Arc<Fake>], routes: &[(&str, Route)], hold: HoldLimits) -> Arc<Router> {
    let names: Vec<String> = ('a'..).map(String::from).take(fakes.len()).collect();
    let given: BTreeMap<_, _> =
        routes.iter().map(|(key, route)| ((*key).to_owned(), route.clone())).collect();
    let config =
        RouterConfig { routes: Routes::new(given, &names).unwrap(), thresholds: Thresholds::default(), hold };
    let engines = names.into_iter().zip(fakes).map(|(name, fake)| {
        let engine: Arc<dyn Answers> = Arc::clone(fake) as _;
        (name, engine)
    });
    Arc::new(Router::start(Arc::new(Nothing), engines.collect(), config))
}

fn equals(fakes: &[&Arc<Fake>]) -> Arc<Router> {
    let names: Vec<String> = ('a'..).map(String::from).take(fakes.len()).collect();
    let all = vec![names];
    router(fakes, &[("default", all)], HoldLimits::default())
}

fn embed() -> PictureTask {
    PictureTask::Embed { model: "m".into() }
}

fn faces() -> PictureTask {
    PictureTask::FaceRegions { detection: "m".into(), min_score: 0.5 }
}

fn picture(tasks: Vec<PictureTask>) -> PictureRequest {
    PictureRequest {
        bytes: Bytes::from_static(&[7; 1000]),
        decode: DecodeRules { orient: false, alpha: Alpha::Drop, max_side: None },
        tasks,
        dump: None,
    }
}

fn sentence() -> SentenceRequest {
    SentenceRequest { model: "m".into(), text: "a cat".into(), language: None }
}

fn mark(answer: &Result<Answer, EngineError>) -> f32 {
    match answer {
        Ok(Answer::Embedding(vector)) => vector[0],
        other => panic!("{other:?}"),
    }
}

/// Sends pictures, so many at a time, and returns how many were answered.
async fn crowd(router: &Arc<Router>, pictures: usize, at_a_time: usize) -> usize {
    let left = Arc::new(AtomicUsize::new(pictures));
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..at_a_time {
        let (router, left) = (Arc::clone(router), Arc::clone(&left));
        clients.spawn(async move {
            let mut answered = 0;
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
            {
                answered += usize::from(router.picture(picture(vec![embed()])).await.is_ok());
            }
            answered
        });
    }
    clients.join_all().await.into_iter().sum()
}

const DOWN: Mood = Mood::Failing(ErrorCode::Internal, Verdict::Sick);

#[tokio::test(start_paused = true)]
async fn equals_share_the_work() {
    let (a, b) = (Fake::new(1.0, Mood::Well(20)), Fake::new(2.0, Mood::Well(20)));
    assert_eq!(crowd(&equals(&[&a, &b]), 400, 4).await, 400);
    for fake in [&a, &b] {
        assert!((180..=220).contains(&fake.asked()), "{} and {}", a.asked(), b.asked());
    }
}

#[tokio::test(start_paused = true)]
async fn a_slower_one_gets_less() {
    let (fast, slow) = (Fake::new(1.0, Mood::Well(20)), Fake::new(2.0, Mood::Well(60)));
    assert_eq!(crowd(&equals(&[&fast, &slow]), 400, 4).await, 400);
    let ratio = slow.asked() as f64 / fast.asked() as f64;
    assert!((0.2..=0.5).contains(&ratio), "{} and {}", fast.asked(), slow.asked());
}

#[tokio::test(start_paused = true)]
async fn preferred_engines_get_all_the_work_while_they_are_up() {
    let (strong, spare) = (Fake::new(1.0, Mood::Well(5)), Fake::new(2.0, Mood::Well(5)));
    let router = router(&[&strong, &spare], &[("default", route(&[&["a"], &["b"]]))], HoldLimits::default());
    assert_eq!(crowd(&router, 50, 4).await, 50);
    assert_eq!((strong.asked(), spare.asked()), (50, 0));
    strong.becomes(DOWN);
    assert_eq!(crowd(&router, 50, 4).await, 50);
    assert_eq!(spare.asked(), 50);
    assert!(!router.nodes().iter().find(|node| node.name == "a").unwrap().up);
    // Back again, it gets work within two seconds.
    strong.becomes(Mood::Well(5));
    sleep(Duration::from_secs(2)).await;
    assert!(router.nodes().iter().all(|node| node.up));
    assert_eq!(mark(&router.picture(picture(vec![embed()])).await.unwrap().answers[0]), 1.0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_lost_while_everybody_is_away() {
    let node = Fake::new(1.0, DOWN);
    let router = router(&[&node], &[("default", route(&[&["a"]]))], HoldLimits::default());
    let waiting = tokio::spawn({
        let router = Arc::clone(&router);
        async move { crowd(&router, 40, 40).await }
    });
    sleep(Duration::from_secs(200)).await;
    assert!(!waiting.is_finished());
    node.becomes(Mood::Well(1));
    let back = Instant::now();
    assert_eq!(waiting.await.unwrap(), 40);
    assert!(back.elapsed() < Duration::from_secs(3), "{:?}", back.elapsed());
}

#[tokio::test(start_paused = true)]
async fn holding_is_bounded_in_time_and_bytes() {
    let node = Fake::new(1.0, DOWN);
    let hold = HoldLimits { time: Duration::from_secs(30), bytes: 2500 };
    let router = router(&[&node], &[("default", route(&[&["a"]]))], hold);
    let mut held = Vec::new();
    for _ in 0..2 {
        let router = Arc::clone(&router);
        held.push(tokio::spawn(async move { router.picture(picture(vec![embed()])).await }));
    }
    sleep(Duration::from_secs(1)).await;
    // Each has 1000 bytes: there is no room for a third.
    let started = Instant::now();
    let error = router.picture(picture(vec![embed()])).await.unwrap_err();
    assert!(error.code == ErrorCode::Busy && error.message.contains("no more can be held"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(1));
    for held in held {
        let error = held.await.unwrap().unwrap_err();
        assert!(error.code == ErrorCode::Busy && error.message.contains("in time"), "{error}");
    }
    assert!(started.elapsed() < Duration::from_secs(31));
}

#[tokio::test(start_paused = true)]
async fn work_is_taken_from_an_engine_that_freezes() {
    let (frozen, other) = (Fake::new(1.0, Mood::Frozen), Fake::new(2.0, Mood::Well(5)));
    let router = router(&[&frozen, &other], &[("default", route(&[&["a"], &["b"]]))], HoldLimits::default());
    let started = Instant::now();
    assert_eq!(mark(&router.picture(picture(vec![embed()])).await.unwrap().answers[0]), 2.0);
    // A probe within 6 s and another right after it, of 2 s each.
    assert!(started.elapsed() < Duration::from_secs(12), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_bad_picture_is_tried_on_two_engines_and_no_more() {
    let bad = Mood::Failing(ErrorCode::ImageUndecodable, Verdict::BadPicture);
    let fakes = [Fake::new(1.0, bad), Fake::new(2.0, bad), Fake::new(3.0, bad)];
    let router = equals(&fakes.each_ref());
    let error = router.picture(picture(vec![embed()])).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ImageUndecodable);
    assert_eq!(fakes.iter().map(|fake| fake.asked()).sum::<usize>(), 2);
    assert!(router.nodes().iter().all(|node| node.up), "the picture is no engine's fault");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_full_is_asked_again() {
    let node = Fake::new(1.0, Mood::Failing(ErrorCode::Busy, Verdict::Busy));
    let router = equals(&[&node]);
    let waiting = tokio::spawn({
        let router = Arc::clone(&router);
        async move { router.picture(picture(vec![embed()])).await }
    });
    sleep(Duration::from_secs(3)).await;
    node.becomes(Mood::Well(1));
    assert!(waiting.await.unwrap().is_ok());
    assert!(router.nodes()[0].up);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_do_fails_at_once() {
    let unsuited = Mood::Failing(ErrorCode::ModelUnknown, Verdict::Unsuited);
    let fakes = [Fake::new(1.0, unsuited), Fake::new(2.0, unsuited)];
    let started = Instant::now();
    let error = equals(&fakes.each_ref()).picture(picture(vec![embed()])).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ModelUnknown);
    assert!(started.elapsed() < Duration::from_millis(10));
}

#[tokio::test(start_paused = true)]
async fn tasks_are_split_by_route_and_merged_in_order() {
    let (a, b) = (Fake::new(1.0, Mood::Well(5)), Fake::new(2.0, Mood::Well(50)));
    let routes = [("facial-recognition", route(&[&["b"]])), ("clip.visual", route(&[&["a"]]))];
    let router = router(&[&a, &b], &routes, HoldLimits::default());
    let answer = router.picture(picture(vec![faces(), embed(), faces(), embed()])).await.unwrap();
    assert_eq!(answer.answers.iter().map(mark).collect::<Vec<_>>(), [2.0, 1.0, 2.0, 1.0]);
    assert_eq!((answer.width, answer.height), (4, 3));
    assert_eq!((a.asked(), b.asked()), (1, 1), "the picture travels once to each");
    // One half can fail while the other is answered.
    a.becomes(Mood::Failing(ErrorCode::ModelUnknown, Verdict::Unsuited));
    let answer = router.picture(picture(vec![faces(), embed()])).await.unwrap();
    assert_eq!(mark(&answer.answers[0]), 2.0);
    assert_eq!(answer.answers[1].as_ref().unwrap_err().code, ErrorCode::ModelUnknown);
}

#[tokio::test(start_paused = true)]
async fn sentences_fail_over_at_once_and_do_not_wait_for_the_slow() {
    let (first, second) = (Fake::new(1.0, Mood::Frozen), Fake::new(2.0, Mood::Well(10)));
    let routes = [("clip.textual", route(&[&["a"], &["b"]]))];
    let router = router(&[&first, &second], &routes, HoldLimits::default());
    let started = Instant::now();
    assert_eq!(router.sentence(sentence()).await.unwrap(), [2.0]);
    assert!(started.elapsed() < Duration::from_millis(500), "{:?}", started.elapsed());
    first.becomes(DOWN);
    let started = Instant::now();
    assert_eq!(router.sentence(sentence()).await.unwrap(), [2.0]);
    assert!(started.elapsed() < Duration::from_millis(50), "{:?}", started.elapsed());
    second.becomes(DOWN);
    let error = router.sentence(sentence()).await.unwrap_err();
    assert_eq!(error.message, "as told");
}
