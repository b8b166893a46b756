//! Immich's `/predict`, which Viewfinder speaks too.

use std::{
    collections::VecDeque,
    mem::{Discriminant, discriminant},
};

use hyper::Uri;
use viewfinder_core::{Answer, PictureRequest, PictureTask, SentenceRequest};
use viewfinder_wire::{
    BadReply,
    immich::{Entries, Reply, Task, is_greeting},
};

use crate::nodes::{
    ConfigError, NodeError, NodeKind,
    address::Address,
    client::Client,
    form::{File, form},
    found::{Found, split_task_error},
    picture::{self, PeerOrientation},
    refusal::Subject,
    words,
};

/// Endpoints of the protocol.
#[derive(Debug)]
pub(crate) struct Peer {
    /// What is asked to see whether it is there, and how the answer is known.
    probe: (Uri, Sign),
    predict: Uri,
}

#[derive(Clone, Copy, Debug)]
enum Sign {
    /// `/ping` is answered with pong.
    Pong,
    /// `/` is answered with Immich's greeting.
    Greeting,
}

impl Peer {
    pub(crate) fn new(kind: NodeKind, address: &Address) -> Result<Self, ConfigError> {
        // A Viewfinder answers a ping whoever asks; only its greeting tells whether the key is right.
        let (path, sign) = match kind {
            NodeKind::Viewfinder => ("/", Sign::Greeting),
            _ => ("/ping", Sign::Pong),
        };
        Ok(Self { probe: (address.endpoint(path)?, sign), predict: address.endpoint("/predict")? })
    }

    pub(crate) async fn probe(&self, client: &Client) -> Result<(), NodeError> {
        let (uri, sign) = &self.probe;
        let answer = client.get(uri).await?;
        let (right, wrong) = match sign {
            Sign::Pong => (answer.body.trim_ascii() == b"pong", "/ping is not answered with pong"),
            Sign::Greeting => (is_greeting(&answer.body), "/ is not answered with a greeting"),
        };
        if right { Ok(()) } else { Err(NodeError::Garbage(wrong.to_owned())) }
    }

    pub(crate) async fn sentence(
        &self,
        client: &Client,
        request: &SentenceRequest,
    ) -> Result<Vec<f32>, NodeError> {
        let task = Task::ClipTextual { model: request.model.clone(), language: request.language.clone() };
        let entries = Entries { tasks: vec![task] }.to_json();
        let content = form(&[("entries", &entries), ("text", &request.text)], None);
        let answer = client.post(&self.predict, content, Subject::Other).await?;
        let mut reply = Reply::parse(&answer.body).map_err(|error| garbage(&error))?;
        let vector =
            reply.clip.take().ok_or_else(|| NodeError::Garbage("the vector is missing".to_owned()))?;
        nothing_left(&reply)?;
        Ok(vector)
    }

    /// Asks in as few requests as the protocol allows, which has one place for each kind of task.
    pub(crate) async fn picture(
        &self,
        client: &Client,
        request: &PictureRequest,
    ) -> Result<Found, NodeError> {
        if request.decode.orient || request.decode.max_side.is_some() {
            picture::check(&picture::read(&request.bytes)?, request.decode, PeerOrientation::Never)?;
        }
        let mut size = None;
        let mut answers = vec![None; request.tasks.len()];
        let mut batches = batches(&request.tasks);
        while let Some(batch) = batches.pop_front() {
            match split_task_error(self.ask(client, request, &batch, &mut size).await)? {
                Ok(found) => {
                    batch.into_iter().zip(found).for_each(|(at, answer)| answers[at] = Some(Ok(answer)));
                }
                // Tasks of one request fail together. Asked alone, those that can be answered are.
                Err(error) if batch.len() > 1 && !error.is_the_pictures_fault() => {
                    batches.extend(batch.into_iter().map(|at| vec![at]));
                }
                Err(error) => batch.into_iter().for_each(|at| answers[at] = Some(Err(error.clone()))),
            }
        }
        let answers: Vec<_> = answers.into_iter().flatten().collect();
        let size = match size {
            Some(size) => size,
            // Nothing was answered: nobody will look at it.
            None if answers.iter().any(Result::is_err) => [0, 0],
            None => picture::read(&request.bytes)?.size(false),
        };
        Ok(Found { size, answers })
    }

    /// Asks for some of the tasks in one request. The first answer tells the `size`.
    async fn ask(
        &self,
        client: &Client,
        request: &PictureRequest,
        batch: &[usize],
        size: &mut Option<[usize; 2]>,
    ) -> Result<Vec<Answer>, NodeError> {
        let tasks = batch.iter().map(|at| words::task(&request.tasks[*at])).collect();
        let mut reply = self.predict(client, request, Entries { tasks }).await?;
        let size = match *size {
            Some(size) => size,
            None => *size.insert(found_size(&reply, request)?),
        };
        let answers: Result<_, _> =
            batch.iter().map(|at| words::answer(&request.tasks[*at], &mut reply, size)).collect();
        nothing_left(&reply)?;
        answers
    }

    async fn predict(
        &self,
        client: &Client,
        request: &PictureRequest,
        entries: Entries,
    ) -> Result<Reply, NodeError> {
        // As Immich's server sends it.
        let file =
            File { field: "image", name: "blob", kind: "application/octet-stream", bytes: &request.bytes };
        let content = form(&[("entries", &entries.to_json())], Some(&file));
        let answer = client.post(&self.predict, content, Subject::Picture(&request.bytes)).await?;
        Reply::parse(&answer.body).map_err(|error| garbage(&error))
    }
}

/// Positions of the tasks, in groups that hold no two of a kind.
fn batches(tasks: &[PictureTask]) -> VecDeque<Vec<usize>> {
    let mut batches: Vec<(Vec<Discriminant<Task>>, Vec<usize>)> = Vec::new();
    for (at, task) in tasks.iter().enumerate() {
        let kind = discriminant(&words::task(task));
        match batches.iter_mut().find(|(kinds, _)| !kinds.contains(&kind)) {
            Some((kinds, batch)) => {
                kinds.push(kind);
                batch.push(at);
            }
            None => batches.push((vec![kind], vec![at])),
        }
    }
    batches.into_iter().map(|(_, batch)| batch).collect()
}

/// The size that the peer saw; some gateways do not tell, and decode the picture as it is stored.
fn found_size(reply: &Reply, request: &PictureRequest) -> Result<[usize; 2], NodeError> {
    match reply.size {
        Some([0, _] | [_, 0]) => Err(NodeError::Garbage("the picture has no size".to_owned())),
        Some(size) => Ok(size),
        None => picture::read(&request.bytes)
            .map(|header| header.size(false))
            .map_err(|_| NodeError::Garbage("the size of the picture is missing".to_owned())),
    }
}

fn nothing_left(reply: &Reply) -> Result<(), NodeError> {
    if reply.clip.is_some() || reply.faces.is_some() || reply.text.is_some() {
        return Err(NodeError::Garbage("there are more answers than questions".to_owned()));
    }
    Ok(())
}

fn garbage(error: &BadReply) -> NodeError {
    NodeError::Garbage(error.to_string())
}
