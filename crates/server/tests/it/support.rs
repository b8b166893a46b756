//! A server on a free port, a backend that answers from its head, and a client that sends the very bytes it is given.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::{Semaphore, oneshot},
    task::JoinHandle,
    time::timeout,
};
use viewfinder_core::{
    Answer, AnswerFuture, Backend, EngineStatus, ErrorCode, Face, LoadedModel, PictureAnswer, PictureRequest,
    PictureTask, SentenceRequest, TaskError, ocr,
};
use viewfinder_server::{GatewayConfig, Server};

/// Generous, so that only a hang trips it.
const PATIENCE: Duration = Duration::from_mins(1);

/// What a 640 by 480 picture would hold.
pub(crate) struct Fake {
    pub(crate) pictures: Mutex<Vec<PictureRequest>>,
    pub(crate) sentences: Mutex<Vec<SentenceRequest>>,
    /// Every question fails so.
    pub(crate) failure: Mutex<Option<ErrorCode>>,
    /// Every question fails so, in these words.
    pub(crate) said: Mutex<Option<TaskError>>,
    /// A model that is not there.
    pub(crate) missing: Mutex<Option<String>>,
    /// How its tasks fail.
    pub(crate) missing_code: Mutex<ErrorCode>,
    /// Width and height of every picture.
    pub(crate) size: Mutex<[usize; 2]>,
    /// The vector of everything.
    pub(crate) vector: Mutex<Vec<f32>>,
    pub(crate) ready: Mutex<Result<(), String>>,
    pub(crate) unloads: AtomicUsize,
    /// Questions wait here for a permit.
    pub(crate) gate: Semaphore,
    /// Questions that came to the gate.
    pub(crate) arrived: Semaphore,
    /// Questions dropped before they were answered.
    pub(crate) dropped: Semaphore,
}

impl Default for Fake {
    fn default() -> Self {
        Self {
            pictures: Mutex::default(),
            sentences: Mutex::default(),
            failure: Mutex::default(),
            said: Mutex::default(),
            missing: Mutex::default(),
            missing_code: Mutex::new(ErrorCode::ModelUnavailable),
            size: Mutex::new([640, 480]),
            vector: Mutex::new((0..512).map(|at| at as f32 / 512.0 - 0.5).collect()),
            ready: Mutex::new(Ok(())),
            unloads: AtomicUsize::new(0),
            gate: Semaphore::new(Semaphore::MAX_PERMITS),
            arrived: Semaphore::new(0),
            dropped: Semaphore::new(0),
        }
    }
}

impl Fake {
    /// One that answers nothing until permits are added to its gate.
    pub(crate) fn closed() -> Self {
        Self { gate: Semaphore::new(0), ..Self::default() }
    }

    pub(crate) fn fail(&self, code: ErrorCode) {
        *self.failure.lock().unwrap() = Some(code);
    }

    pub(crate) fn last_picture(&self) -> PictureRequest {
        self.pictures.lock().unwrap().last().expect("no picture was asked about").clone()
    }

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
        self.gate.acquire().await.unwrap().forget();
        waiting.0 = None;
        if let Some(error) = &*self.said.lock().unwrap() {
            return Err(error.clone());
        }
        match *self.failure.lock().unwrap() {
            Some(code) => Err(TaskError::new(code, format!("it is {}", code.as_str()))),
            None => Ok(()),
        }
    }

    fn answer(&self, task: &PictureTask) -> Result<Answer, TaskError> {
        if let (Some(missing), PictureTask::Faces { detection: model, .. } | PictureTask::Embed { model }) =
            (&*self.missing.lock().unwrap(), task)
            && missing == model
        {
            let code = *self.missing_code.lock().unwrap();
            return Err(TaskError::new(code, format!("{model} is not there")));
        }
        let corners = [[12.345, 20.0], [110.0, 10.0], [112.5, 38.0], [14.0, 48.25]];
        let face = |embedding| Face {
            bounds: [-3.5, 10.25, 60.75, 99.5],
            score: 0.875,
            landmarks: [[1.0, 2.0]; 5],
            embedding,
        };
        let vector = self.vector.lock().unwrap().clone();
        Ok(match task {
            PictureTask::Text { .. } => Answer::Text(vec![
                ocr::Line { text: "发票".into(), score: 0.987_654_3, region_score: 0.75, corners },
                ocr::Line { text: "TOTAL <b>9.90</b>".into(), score: 1.0, region_score: 0.5, corners },
            ]),
            PictureTask::TextRegions { .. } => {
                Answer::TextRegions(vec![ocr::Region { score: 0.75, corners }])
            }
            PictureTask::Faces { .. } => Answer::Faces(vec![face(vector)]),
            PictureTask::FaceRegions { .. } => Answer::Faces(vec![face(vec![])]),
            PictureTask::Embed { .. } => Answer::Embedding(vector),
        })
    }
}

impl Backend for Fake {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer> {
        Box::pin(async move {
            self.pictures.lock().unwrap().push(request.clone());
            self.pass().await?;
            let [width, height] = *self.size.lock().unwrap();
            if request.decode.max_side.is_some_and(|side| width.max(height) > side as usize) {
                return Err(TaskError::new(ErrorCode::ImageTooLarge, "it is too large"));
            }
            let answers = request.tasks.iter().map(|task| self.answer(task)).collect();
            Ok(PictureAnswer { width, height, answers })
        })
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        Box::pin(async move {
            self.sentences.lock().unwrap().push(request);
            self.pass().await?;
            Ok(self.vector.lock().unwrap().clone())
        })
    }

    fn status(&self) -> EngineStatus {
        EngineStatus {
            ready: self.ready.lock().unwrap().clone(),
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

    fn unload(&self) {
        self.unloads.fetch_add(1, Ordering::SeqCst);
    }
}

/// A running server, stopped when dropped.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) addresses: Vec<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<bool>,
}

pub(crate) fn config() -> GatewayConfig {
    GatewayConfig {
        listen: vec![SocketAddr::from(([127, 0, 0, 1], 0)).into()],
        api_key: "secret".into(),
        ..GatewayConfig::default()
    }
}

impl Running {
    pub(crate) async fn start(config: GatewayConfig, backend: Arc<dyn Backend>) -> Self {
        Self::of(Server::bind(config, backend).await.unwrap())
    }

    pub(crate) fn of(server: Server) -> Self {
        let addresses = server.addresses();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        Self { address: addresses[0], addresses, stop: Some(stop), task }
    }

    /// A server in front of a fake.
    pub(crate) async fn fake() -> (Self, Arc<Fake>) {
        let fake = Arc::new(Fake::default());
        (Self::start(config(), fake.clone()).await, fake)
    }

    pub(crate) fn ask_to_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    /// Whether everything finished in time.
    pub(crate) async fn stopped(self) -> bool {
        timeout(PATIENCE, self.task).await.expect("the server hangs").unwrap()
    }

    /// Sends bytes on a connection of their own and reads the answer.
    pub(crate) async fn send(&self, request: &[u8]) -> Response {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        read(&mut stream).await
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await
    }

    pub(crate) async fn post(&self, path: &str, headers: &[&str], body: &[u8]) -> Response {
        self.send(&post(path, headers, body)).await
    }

    /// Posts a form with a boundary of its own.
    pub(crate) async fn form(&self, path: &str, headers: &[&str], parts: &[Part<'_>]) -> Response {
        self.send(&form(path, headers, parts)).await
    }

    /// `/predict` with a picture.
    pub(crate) async fn predict(&self, entries: &Value, image: &[u8]) -> Response {
        let entries = entries.to_string();
        self.form("/predict", &[], &[Part::Text("entries", &entries), Part::File("image", image)]).await
    }
}

pub(crate) enum Part<'a> {
    Text(&'a str, &'a str),
    File(&'a str, &'a [u8]),
}

pub(crate) fn post(path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let headers = headers.iter().flat_map(|header| [*header, "\r\n"]).collect::<String>();
    let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) const FORM: &str = "content-type: multipart/form-data; boundary=----b0undary";

pub(crate) fn form_body(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        let (head, bytes) = match part {
            Part::Text(name, text) => (format!("name=\"{name}\""), text.as_bytes()),
            Part::File(name, bytes) => (
                format!("name=\"{name}\"; filename=\"blob\"\r\nContent-Type: application/octet-stream"),
                *bytes,
            ),
        };
        body.extend_from_slice(
            format!("------b0undary\r\nContent-Disposition: form-data; {head}\r\n\r\n").as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"------b0undary--\r\n");
    body
}

pub(crate) fn form(path: &str, headers: &[&str], parts: &[Part<'_>]) -> Vec<u8> {
    post(path, &[headers, &[FORM]].concat(), &form_body(parts))
}

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// Status and JSON body at once, so that a mismatch shows both.
    #[track_caller]
    pub(crate) fn outcome(&self) -> (u16, Value) {
        (self.status, self.json())
    }
}

/// Reads one answer that announces its length.
pub(crate) async fn read(stream: &mut TcpStream) -> Response {
    timeout(PATIENCE, async {
        let mut bytes = Vec::new();
        let head = loop {
            let found = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            match found {
                Some(at) => break at,
                None => assert_ne!(
                    stream.read_buf(&mut bytes).await.unwrap(),
                    0,
                    "closed within the head: {bytes:?}"
                ),
            }
        };
        let mut body = bytes.split_off(head + 4);
        let head = String::from_utf8(bytes).unwrap();
        let mut lines = head.trim_end().split("\r\n");
        let status: u16 = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers: Vec<_> = lines
            .map(|line| line.split_once(": ").unwrap())
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers.iter().find(|(name, _)| name == "content-length").map(|(_, length)| length);
        let length: usize = length.map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            assert_ne!(stream.read_buf(&mut body).await.unwrap(), 0, "closed within the body");
        }
        if status == 100 {
            return Box::pin(read(stream)).await;
        }
        Response { status, headers, body }
    })
    .await
    .expect("no answer")
}
