//! The router over engines that do as they are told, on a clock that only moves when everybody waits.

mod formats;
mod gateway;

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
use viewfinder_cluster::{
    AttemptError, EngineClient, FailureClass, HoldLimits, Route, Router, RouterConfig, Routes, Thresholds,
};
use viewfinder_core::{
    Alpha, Answer, AnswerFuture, Backend, DecodeRules, ErrorCode, PictureAnswer, PictureRequest, PictureTask,
    SentenceRequest, TaskError,
};
use viewfinder_test_support::FakeBackend;

/// What an engine does with a question.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    /// Answers after so many milliseconds, one question after the other.
    Well(u64),
    /// Fails at once.
    Failing(ErrorCode, FailureClass),
    /// Answers at once all but faces, which fail so.
    Faceless(ErrorCode),
    /// Takes the question and never answers.
    Frozen,
}

struct Fake {
    mood: Mutex<Mood>,
    asked: AtomicUsize,
    turn: tokio::sync::Mutex<()>,
    /// What its vectors hold, to tell its answers from others'.
    mark: f32,
    /// The tasks it was asked for.
    tasks: Mutex<Vec<Vec<PictureTask>>>,
}

impl Fake {
    fn new(mark: f32, mood: Mood) -> Arc<Self> {
        Arc::new(Self {
            mood: Mutex::new(mood),
            asked: AtomicUsize::new(0),
            turn: tokio::sync::Mutex::default(),
            mark,
            tasks: Mutex::default(),
        })
    }

    fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    async fn ponder(&self) -> Result<(), AttemptError> {
        let mood = *self.mood.lock().unwrap();
        match mood {
            Mood::Well(ms) => {
                let _turn = self.turn.lock().await;
                sleep(Duration::from_millis(ms)).await;
                Ok(())
            }
            Mood::Failing(code, class) => Err(AttemptError { error: TaskError::new(code, "as told"), class }),
            Mood::Faceless(_) => Ok(()),
            Mood::Frozen => std::future::pending().await,
        }
    }

    fn answer(&self, task: &PictureTask) -> Result<Answer, TaskError> {
        match (*self.mood.lock().unwrap(), task) {
            (Mood::Faceless(code), PictureTask::FaceRegions { .. }) => Err(TaskError::new(code, "as told")),
            _ => Ok(Answer::Embedding(vec![self.mark])),
        }
    }
}

impl EngineClient for Fake {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer, AttemptError> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.tasks.lock().unwrap().push(request.tasks.clone());
            if request.bytes == POISON {
                let error = TaskError::new(ErrorCode::NodeUnavailable, "crash");
                return Err(AttemptError { error, class: FailureClass::Crashed });
            }
            self.ponder().await?;
            let answers = request.tasks.iter().map(|task| self.answer(task)).collect();
            Ok(PictureAnswer { width: 4, height: 3, answers })
        })
    }

    fn sentence(&self, _: SentenceRequest) -> AnswerFuture<'_, Vec<f32>, AttemptError> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.ponder().await?;
            Ok(vec![self.mark])
        })
    }

    fn probe(&self) -> AnswerFuture<'_, (), AttemptError> {
        let mood = *self.mood.lock().unwrap();
        Box::pin(async move {
            match mood {
                Mood::Failing(code, class @ (FailureClass::Sick | FailureClass::Crashed)) => {
                    Err(AttemptError { error: TaskError::new(code, "as told"), class })
                }
                Mood::Frozen => std::future::pending().await,
                _ => Ok(()),
            }
        })
    }
}

/// A picture over which every engine breaks.
const POISON: &[u8] = b"poison";

/// The local engine: cannot do anything.
fn nothing() -> Arc<FakeBackend> {
    Arc::new(FakeBackend::unable(TaskError::new(ErrorCode::RuntimeUnavailable, "not here")))
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
        let engine: Arc<dyn EngineClient> = Arc::clone(fake) as _;
        (name, engine)
    });
    // Before anything is counted.
    viewfinder_server::install_metrics();
    Arc::new(Router::start(nothing(), engines.collect(), config))
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
    }
}

fn sentence() -> SentenceRequest {
    SentenceRequest { model: "m".into(), text: "a cat".into(), language: None }
}

fn mark(answer: &Result<Answer, TaskError>) -> f32 {
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

const DOWN: Mood = Mood::Failing(ErrorCode::Internal, FailureClass::Sick);

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
    assert!(back.elapsed() < Duration::from_secs(2), "{:?}", back.elapsed());
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
    let bad = Mood::Failing(ErrorCode::ImageUndecodable, FailureClass::BadPicture);
    let fakes = [Fake::new(1.0, bad), Fake::new(2.0, bad), Fake::new(3.0, bad)];
    let router = equals(&fakes.each_ref());
    let error = router.picture(picture(vec![embed()])).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ImageUndecodable);
    assert_eq!(fakes.iter().map(|fake| fake.asked()).sum::<usize>(), 2);
    assert!(router.nodes().iter().all(|node| node.up), "the picture is no engine's fault");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_is_full_is_asked_again() {
    let node = Fake::new(1.0, Mood::Failing(ErrorCode::Busy, FailureClass::Busy));
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
    let unsuited = Mood::Failing(ErrorCode::ModelUnknown, FailureClass::Unsuited);
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
    a.becomes(Mood::Failing(ErrorCode::ModelUnknown, FailureClass::Unsuited));
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

#[tokio::test(start_paused = true)]
async fn sentences_do_not_wait_behind_pictures_that_are_held() {
    let (first, second) = (Fake::new(1.0, DOWN), Fake::new(2.0, Mood::Well(10)));
    let routes = [("clip.visual", route(&[&["a"]])), ("clip.textual", route(&[&["a"], &["b"]]))];
    let router = router(&[&first, &second], &routes, HoldLimits::default());
    let waiting = tokio::spawn({
        let router = Arc::clone(&router);
        async move { crowd(&router, 30, 30).await }
    });
    sleep(Duration::from_secs(10)).await;
    for _ in 0..20 {
        let started = Instant::now();
        assert_eq!(router.sentence(sentence()).await.unwrap(), [2.0]);
        assert!(started.elapsed() < Duration::from_millis(50), "{:?}", started.elapsed());
    }
    assert!(!waiting.is_finished());
    first.becomes(Mood::Well(1));
    assert_eq!(waiting.await.unwrap(), 30);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_fails_on_one_engine_is_asked_of_the_next_and_leaves_the_others_be() {
    for (code, asked) in [(ErrorCode::ModelMissingOffline, 1), (ErrorCode::ImageTooLarge, 1)] {
        let (a, b) = (Fake::new(1.0, Mood::Faceless(code)), Fake::new(2.0, Mood::Well(5)));
        let router = router(&[&a, &b], &[("default", route(&[&["a"], &["b"]]))], HoldLimits::default());
        let answer = router.picture(picture(vec![embed(), faces(), embed()])).await.unwrap();
        assert_eq!(answer.answers.iter().map(mark).collect::<Vec<_>>(), [1.0, 2.0, 1.0]);
        assert_eq!(*b.tasks.lock().unwrap(), [[faces()]], "only what is missing");
        assert_eq!((a.asked(), b.asked()), (1, asked));
        // Where the other cannot do it either, there is an answer to the rest and a reason.
        b.becomes(Mood::Failing(code, AttemptError::of(TaskError::new(code, "")).class));
        let answer = router.picture(picture(vec![embed(), faces()])).await.unwrap();
        assert_eq!(mark(&answer.answers[0]), 1.0);
        let error = answer.answers[1].as_ref().unwrap_err();
        assert_eq!(error.code, code);
        assert!(matches!(error.node.as_deref(), Some("a" | "b")), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_fail_each_for_its_own_reason() {
    let a = Fake::new(1.0, Mood::Faceless(ErrorCode::ModelUnknown));
    let b = Fake::new(2.0, Mood::Failing(ErrorCode::ImageUndecodable, FailureClass::BadPicture));
    let routes = [("facial-recognition", route(&[&["a"]])), ("clip.visual", route(&[&["b"]]))];
    let router = router(&[&a, &b], &routes, HoldLimits::default());
    let answer = router.picture(picture(vec![faces()])).await.unwrap_err();
    assert_eq!((answer.code, answer.node.as_deref()), (ErrorCode::ModelUnknown, Some("a")));
    let answer = router.picture(picture(vec![embed()])).await.unwrap_err();
    assert_eq!((answer.code, answer.node.as_deref()), (ErrorCode::ImageUndecodable, Some("b")));
}

#[tokio::test(start_paused = true)]
async fn a_picture_that_breaks_engines_is_not_retried_for_ever() {
    let fakes = [Fake::new(1.0, Mood::Well(20)), Fake::new(2.0, Mood::Well(20))];
    let router = equals(&fakes.each_ref());
    let poison = tokio::spawn({
        let router = Arc::clone(&router);
        let request = PictureRequest { bytes: Bytes::from_static(POISON), ..picture(vec![embed()]) };
        async move { router.picture(request).await }
    });
    let started = Instant::now();
    assert_eq!(crowd(&router, 1000, 4).await, 1000, "the others are answered meanwhile");
    let error = poison.await.unwrap().unwrap_err();
    assert!(error.code == ErrorCode::InferenceFailed && error.message.contains("crash"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn engines_that_break_over_everything_are_waited_for() {
    let crashing = Mood::Failing(ErrorCode::NodeUnavailable, FailureClass::Crashed);
    let fakes = [Fake::new(1.0, crashing), Fake::new(2.0, crashing)];
    let router = equals(&fakes.each_ref());
    let waiting = tokio::spawn({
        let router = Arc::clone(&router);
        async move { crowd(&router, 8, 8).await }
    });
    sleep(Duration::from_secs(100)).await;
    assert!(!waiting.is_finished());
    fakes[1].becomes(Mood::Well(1));
    assert_eq!(waiting.await.unwrap(), 8);
}

#[tokio::test(start_paused = true)]
async fn one_client_alone_uses_every_equal_and_the_local_engine_takes_part() {
    // One picture at a time, as Immich reads text: nothing is ever in flight when an engine is chosen.
    let (a, b) = (Fake::new(1.0, Mood::Well(20)), Fake::new(2.0, Mood::Well(21)));
    assert_eq!(crowd(&equals(&[&a, &b]), 400, 1).await, 400);
    assert!((180..=220).contains(&a.asked()), "{} and {}", a.asked(), b.asked());

    let (node, local) = (Fake::new(1.0, Mood::Well(20)), Fake::new(2.0, Mood::Well(60)));
    let routes = Routes::new([("default".to_owned(), route(&[&["a", "local"]]))].into(), &["a".to_owned()]);
    let config = RouterConfig {
        routes: routes.unwrap(),
        thresholds: Thresholds::default(),
        hold: HoldLimits::default(),
    };
    let engine: Arc<dyn EngineClient> = Arc::clone(&node) as _;
    let router = Arc::new(Router::start(here(&local), vec![("a".to_owned(), engine)], config));
    for at_once in [1, 4] {
        let before = [node.asked(), local.asked()];
        assert_eq!(crowd(&router, 400, at_once).await, 400);
        let [node, local] = [node.asked() - before[0], local.asked() - before[1]];
        let ratio = local as f64 / node as f64;
        assert!((0.25..=0.42).contains(&ratio), "{at_once}: {node} and {local}");
    }
}

/// A fake as the local engine.
fn here(fake: &Arc<Fake>) -> Arc<FakeBackend> {
    let (pictures, sentences) = (Arc::clone(fake), Arc::clone(fake));
    Arc::new(FakeBackend::asking(
        move |request| {
            let fake = Arc::clone(&pictures);
            Box::pin(async move { fake.picture(request).await.map_err(|trouble| trouble.error) })
        },
        move |request| {
            let fake = Arc::clone(&sentences);
            Box::pin(async move { fake.sentence(request).await.map_err(|trouble| trouble.error) })
        },
    ))
}
