//! MT Photos' AI service: one request for each task, and no models by name.

use bytes::Bytes;
use hyper::Uri;
use serde_json::json;
use viewfinder_core::{Answer, PictureRequest, PictureTask, SentenceRequest, ocr};
use viewfinder_image::Format;
use viewfinder_wire::mt_photos::{LONGEST_SIDE, ReplyError, passes, read_faces, read_text, read_vector};

use crate::nodes::{
    ConfigError, NodeError,
    address::Address,
    client::{self, Client},
    form::{Content, File, form},
    found::{Found, split_task_error},
    picture::{self, PeerOrientation},
    refusal::Subject,
    words,
};

/// Endpoints of the protocol.
#[derive(Debug)]
pub(crate) struct Peer {
    check: Uri,
    text: Uri,
    faces: Uri,
    picture_vector: Uri,
    sentence_vector: Uri,
}

impl Peer {
    pub(crate) fn new(address: &Address) -> Result<Self, ConfigError> {
        Ok(Self {
            check: address.endpoint("/check")?,
            text: address.endpoint("/ocr")?,
            faces: address.endpoint("/represent")?,
            picture_vector: address.endpoint("/clip/img")?,
            sentence_vector: address.endpoint("/clip/txt")?,
        })
    }

    pub(crate) async fn probe(&self, client: &Client) -> Result<(), NodeError> {
        let answer = client.post(&self.check, Content::none(), Subject::Other).await?;
        if passes(&answer.body) {
            Ok(())
        } else {
            Err(NodeError::Garbage("/check is not answered with pass".to_owned()))
        }
    }

    pub(crate) async fn sentence(
        &self,
        client: &Client,
        request: &SentenceRequest,
    ) -> Result<Vec<f32>, NodeError> {
        let content = Content::json(&json!({"text": request.text}));
        let answer = client.post(&self.sentence_vector, content, Subject::Other).await?;
        read_vector(&answer.body).map_err(|error| failed(client, error, &answer, None))
    }

    pub(crate) async fn picture(
        &self,
        client: &Client,
        request: &PictureRequest,
    ) -> Result<Found, NodeError> {
        // Its answers do not tell the size.
        let header = picture::read(&request.bytes)?;
        picture::check(&header, request.decode, PeerOrientation::Upright)?;
        let vast = header.width.max(header.height) > LONGEST_SIDE;
        let mut answers = Vec::with_capacity(request.tasks.len());
        for task in &request.tasks {
            answers.push(match suits(task, vast) {
                Ok(()) => split_task_error(self.ask(client, task, &request.bytes, header.format).await)?,
                Err(error) => Err(error),
            });
        }
        Ok(Found { size: header.size(true), answers })
    }

    async fn ask(
        &self,
        client: &Client,
        task: &PictureTask,
        picture: &Bytes,
        format: Format,
    ) -> Result<Answer, NodeError> {
        let uri = match task {
            PictureTask::Text { .. } | PictureTask::TextRegions { .. } => &self.text,
            PictureTask::Faces { .. } | PictureTask::FaceRegions { .. } => &self.faces,
            PictureTask::Embed { .. } => &self.picture_vector,
        };
        let (name, kind) = described(format);
        let content = form(&[], Some(&File { field: "file", name, kind, bytes: picture }));
        let answer = client.post(uri, content, Subject::Picture(picture)).await?;
        let failed = |error| failed(client, error, &answer, Some(picture));
        match task {
            PictureTask::Text { options, .. } => {
                let mut lines: Vec<_> = read_text(&answer.body).map_err(failed)?;
                lines.retain(|line| admits(options, line.score));
                Ok(Answer::Text(lines))
            }
            PictureTask::Faces { min_score, .. } => {
                let mut faces = read_faces(&answer.body).map_err(failed)?;
                faces.retain(|face| face.score >= *min_score);
                faces.sort_by(|a, b| b.score.total_cmp(&a.score));
                words::recognised(faces)
            }
            PictureTask::Embed { .. } => Ok(Answer::Embedding(read_vector(&answer.body).map_err(failed)?)),
            PictureTask::TextRegions { .. } | PictureTask::FaceRegions { .. } => Err(UNSUITED),
        }
    }
}

const UNSUITED: NodeError = NodeError::Unsuited("its protocol has no detection without recognition");

/// Checks a task before anything is sent.
fn suits(task: &PictureTask, vast: bool) -> Result<(), NodeError> {
    match task {
        PictureTask::TextRegions { .. } | PictureTask::FaceRegions { .. } => Err(UNSUITED),
        PictureTask::Text { .. } | PictureTask::Faces { .. } if vast => {
            Err(NodeError::Unsuited("its protocol has no pictures of more than 10000 pixels a side"))
        }
        _ => Ok(()),
    }
}

/// Immich's server drops lines of just the least score, the others keep them.
fn admits(options: &ocr::Options, score: f64) -> bool {
    let least = options.recognition_min_score;
    // Through the shortest decimal, so that 0.9 given as `f32` is 0.9 and not 0.899999976.
    let least: f64 = least.to_string().parse().unwrap_or(f64::from(least));
    score > least || (score == least && options.profile != ocr::Profile::Immich)
}

/// Name and type of the file. One version reads GIF only if it is told that this is one.
fn described(format: Format) -> (&'static str, &'static str) {
    match format {
        Format::Jpeg => ("picture.jpg", "image/jpeg"),
        Format::Png => ("picture.png", "image/png"),
        Format::WebP => ("picture.webp", "image/webp"),
        Format::Gif => ("picture.gif", "image/gif"),
        Format::Bmp => ("picture.bmp", "image/bmp"),
        Format::Tiff => ("picture.tiff", "image/tiff"),
    }
}

fn failed(client: &Client, error: ReplyError, answer: &client::Answer, picture: Option<&Bytes>) -> NodeError {
    match error {
        ReplyError::Failed(said) => client.refusal().handled(&said, answer.code, picture),
        ReplyError::Bad(bad) => NodeError::Garbage(bad.to_string()),
    }
}
