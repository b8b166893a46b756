//! What stands in for the engine.
use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::Semaphore;
use viewfinder_core::{
    Answer, AnswerFuture, Backend, EngineStatus, ErrorCode, Face, LoadedModel, PictureAnswer, PictureRequest,
    PictureTask, SentenceRequest, TaskError, ocr,
};

/// What there is to see in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Contents {
    /// Width and height.
    pub size: [usize; 2],
    /// Lines of text.
    pub lines: Vec<ocr::Line>,
    /// Where text is.
    pub regions: Vec<ocr::Region>,
    /// Faces; the answer has `vector` with them where that was asked for.
    pub faces: Vec<Face>,
    /// Of the picture, of its faces, and of sentences.
    pub vector: Vec<f32>,
}

/// An empty picture of 640 by 480.
impl Default for Contents {
    fn default() -> Self {
        Self { size: [640, 480], lines: vec![], regions: vec![], faces: vec![], vector: vec![] }
    }
}

type Look = Box<dyn Fn(&PictureRequest) -> Result<Contents, TaskError> + Send + Sync>;
type Understand = Box<dyn Fn(&SentenceRequest) -> Vec<f32> + Send + Sync>;
type Refuse = Box<dyn Fn(&PictureTask) -> Option<TaskError> + Send + Sync>;
type Lacks = Box<dyn Fn(&PictureTask) -> bool + Send + Sync>;
type Ask<Q, A> = Box<dyn Fn(Q) -> AnswerFuture<'static, A> + Send + Sync>;

/// Answers from its head, remembers what it was asked, and fails, waits or refuses as it is told.
pub struct FakeBackend {
    /// What it was asked about pictures.
    pub pictures: Mutex<Vec<PictureRequest>>,
    /// The sentences that it was given.
    pub sentences: Mutex<Vec<SentenceRequest>>,
    /// How often it was told to drop its models.
    pub unloads: AtomicUsize,
    /// What every picture shows, unless it looks at them.
    pub contents: Mutex<Contents>,
    /// What it says of itself.
    pub status: Mutex<EngineStatus>,
    /// Questions wait here for a permit.
    pub gate: Semaphore,
    /// Questions that came to the gate.
    pub arrived: Semaphore,
    /// Questions that were dropped before they were through it.
    pub dropped: Semaphore,
    /// How questions fail, and how many more of them.
    failure: Mutex<Option<(TaskError, usize)>>,
    refuse: Mutex<Option<Refuse>>,
    look: Option<Look>,
    understand: Option<Understand>,
    ask_picture: Option<Ask<PictureRequest, PictureAnswer>>,
    ask_sentence: Option<Ask<SentenceRequest, Vec<f32>>>,
    lacks: Option<Lacks>,
    fetch: Option<Ask<PictureTask, ()>>,
}

impl Default for FakeBackend {
    fn default() -> Self {
        Self::seeing(Contents::default())
    }
}

impl FakeBackend {
    /// One that sees this in every picture.
    pub fn seeing(contents: Contents) -> Self {
        Self {
            pictures: Mutex::default(),
            sentences: Mutex::default(),
            unloads: AtomicUsize::new(0),
            contents: Mutex::new(contents),
            status: Mutex::new(at_work()),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            arrived: Semaphore::new(0),
            dropped: Semaphore::new(0),
            failure: Mutex::default(),
            refuse: Mutex::default(),
            look: None,
            understand: None,
            ask_picture: None,
            ask_sentence: None,
            lacks: None,
            fetch: None,
        }
    }

    /// One that looks at each picture.
    pub fn looking(
        look: impl Fn(&PictureRequest) -> Result<Contents, TaskError> + Send + Sync + 'static,
    ) -> Self {
        Self { look: Some(Box::new(look)), ..Self::default() }
    }

    /// One that hands every question on to another.
    pub fn before(backend: Arc<dyn Backend>) -> Self {
        let sentences = Arc::clone(&backend);
        Self::asking(
            move |request| {
                let backend = Arc::clone(&backend);
                Box::pin(async move { backend.picture(request).await })
            },
            move |request| {
                let backend = Arc::clone(&sentences);
                Box::pin(async move { backend.sentence(request).await })
            },
        )
    }

    /// One whose answers are made by these.
    pub fn asking(
        picture: impl Fn(PictureRequest) -> AnswerFuture<'static, PictureAnswer> + Send + Sync + 'static,
        sentence: impl Fn(SentenceRequest) -> AnswerFuture<'static, Vec<f32>> + Send + Sync + 'static,
    ) -> Self {
        Self {
            ask_picture: Some(Box::new(picture)),
            ask_sentence: Some(Box::new(sentence)),
            ..Self::default()
        }
    }

    /// One that can do nothing, and says so.
    pub fn unable(error: TaskError) -> Self {
        let fake = Self::default();
        fake.status.lock().unwrap().ready = Err(error.message.clone());
        fake.fail_with(error);
        fake
    }

    /// It knows the vectors of sentences.
    #[must_use]
    pub fn understanding(
        self,
        understand: impl Fn(&SentenceRequest) -> Vec<f32> + Send + Sync + 'static,
    ) -> Self {
        Self { understand: Some(Box::new(understand)), ..self }
    }

    /// It lacks networks, and has them fetched so.
    #[must_use]
    pub fn lacking(
        self,
        lacks: impl Fn(&PictureTask) -> bool + Send + Sync + 'static,
        fetch: impl Fn(PictureTask) -> AnswerFuture<'static, ()> + Send + Sync + 'static,
    ) -> Self {
        Self { lacks: Some(Box::new(lacks)), fetch: Some(Box::new(fetch)), ..self }
    }

    /// It answers nothing until permits are added to its gate.
    #[must_use]
    pub fn closed(self) -> Self {
        Self { gate: Semaphore::new(0), ..self }
    }

    /// From now on every question fails so.
    pub fn fail(&self, code: ErrorCode) {
        self.fail_with(failure(code));
    }

    /// From now on every question fails so, in these words.
    pub fn fail_with(&self, error: TaskError) {
        *self.failure.lock().unwrap() = Some((error, usize::MAX));
    }

    /// So many questions fail so; those after them do not.
    pub fn fail_times(&self, times: usize, code: ErrorCode) {
        *self.failure.lock().unwrap() = Some((failure(code), times));
    }

    /// From now on, these tasks about pictures fail, and leave the others be.
    pub fn refuse(&self, refuse: impl Fn(&PictureTask) -> Option<TaskError> + Send + Sync + 'static) {
        *self.refuse.lock().unwrap() = Some(Box::new(refuse));
    }

    /// The picture that it was asked about last.
    pub fn last_picture(&self) -> PictureRequest {
        self.pictures.lock().unwrap().last().expect("no picture was asked about").clone()
    }

    /// Waits at the gate, and fails if it is told to.
    async fn pass(&self) -> Result<(), TaskError> {
        struct Waiting<'a>(Option<&'a Semaphore>);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                if let Some(dropped) = self.0 {
                    dropped.add_permits(1);
                }
            }
        }
        self.arrived.add_permits(1);
        let mut waiting = Waiting(Some(&self.dropped));
        self.gate.acquire().await.expect("nobody closes it").forget();
        waiting.0 = None;
        match &mut *self.failure.lock().unwrap() {
            Some((error, left)) if *left > 0 => {
                *left -= 1;
                Err(error.clone())
            }
            _ => Ok(()),
        }
    }

    fn answer(&self, task: &PictureTask, seen: &Contents) -> Result<Answer, TaskError> {
        if let Some(error) = self.refuse.lock().unwrap().as_ref().and_then(|refuse| refuse(task)) {
            return Err(error);
        }
        let faces = |embedding: &[f32]| {
            seen.faces.iter().map(|face| Face { embedding: embedding.to_vec(), ..face.clone() }).collect()
        };
        Ok(match task {
            PictureTask::Text { .. } => Answer::Text(seen.lines.clone()),
            PictureTask::TextRegions { .. } => Answer::TextRegions(seen.regions.clone()),
            PictureTask::Faces { .. } => Answer::Faces(faces(&seen.vector)),
            PictureTask::FaceRegions { .. } => Answer::Faces(faces(&[])),
            PictureTask::Embed { .. } => Answer::Embedding(seen.vector.clone()),
        })
    }
}

impl Backend for FakeBackend {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer> {
        Box::pin(async move {
            self.pictures.lock().unwrap().push(request.clone());
            self.pass().await?;
            if let Some(ask) = &self.ask_picture {
                return ask(request).await;
            }
            let seen = match &self.look {
                Some(look) => look(&request)?,
                None => self.contents.lock().unwrap().clone(),
            };
            let [width, height] = seen.size;
            if request.decode.max_side.is_some_and(|side| width.max(height) > side as usize) {
                return Err(TaskError::new(ErrorCode::ImageTooLarge, "it is too large"));
            }
            let answers = request.tasks.iter().map(|task| self.answer(task, &seen)).collect();
            Ok(PictureAnswer { width, height, answers })
        })
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        Box::pin(async move {
            self.sentences.lock().unwrap().push(request.clone());
            self.pass().await?;
            match (&self.ask_sentence, &self.understand) {
                (Some(ask), _) => ask(request).await,
                (_, Some(understand)) => Ok(understand(&request)),
                _ => Ok(self.contents.lock().unwrap().vector.clone()),
            }
        })
    }

    fn lacks(&self, task: PictureTask) -> AnswerFuture<'_, bool> {
        let lacks = self.lacks.as_ref().is_some_and(|lacks| lacks(&task));
        Box::pin(async move { Ok(lacks) })
    }

    fn fetch(&self, task: PictureTask) -> AnswerFuture<'_, ()> {
        match &self.fetch {
            Some(fetch) => fetch(task),
            None => Box::pin(async { Ok(()) }),
        }
    }

    fn status(&self) -> EngineStatus {
        self.status.lock().unwrap().clone()
    }

    fn unload(&self) {
        self.unloads.fetch_add(1, Ordering::SeqCst);
    }
}

fn failure(code: ErrorCode) -> TaskError {
    TaskError::new(code, format!("it is {}", code.as_str()))
}

/// An engine that has much to do.
fn at_work() -> EngineStatus {
    EngineStatus {
        ready: Ok(()),
        runtime_version: Some("1.32.0".into()),
        provider: "cpu".into(),
        fallback: None,
        workers: 2,
        threads: 1,
        queued_pictures: 3,
        queued_sentences: 1,
        running: 2,
        models: vec![LoadedModel {
            name: "PP-OCRv6_small".into(),
            role: "detection".into(),
            provider: "cpu".into(),
            idle_s: 4,
        }],
        refused_models: vec!["ViT-L-14__openai".into()],
    }
}
