//! Answers of every version of the service, read back. What a version leaves out, such as the place of a face's
//! eyes, is zero.

use serde::{Deserialize, de::DeserializeOwned};

use crate::{
    BadReply,
    reply::{Number, Vector, finite, json},
};
use viewfinder_core::{Face, ocr::Line};

/// An answer with status 200 that holds no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    /// The service says that it failed, in its own words.
    #[error("the service failed")]
    Failed(String),
    /// Not what the protocol says.
    #[error(transparent)]
    Bad(#[from] BadReply),
}

/// Does the body of `/check` say that the key is right?
pub fn passes(body: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Check {
        result: String,
    }
    json::<Check>(body).is_ok_and(|check| check.result == "pass")
}

/// Reads the body of `/ocr`.
///
/// Corners are those of the upright box, for the protocol has no others, and a line's one score stands for both of
/// its scores.
pub fn read_text(body: &[u8]) -> Result<Vec<Line>, ReplyError> {
    let Columns { texts, scores, boxes } = result(body)?;
    if texts.len() != scores.len() || texts.len() != boxes.len() {
        return Err(BadReply::new("there are not as many texts as scores and boxes").into());
    }
    let lines = texts.into_iter().zip(scores).zip(boxes);
    lines.map(|((text, Number(score)), place)| Ok(line(text, score, &place)?)).collect()
}

fn line(text: String, score: f64, place: &Place) -> Result<Line, BadReply> {
    let [x, y, width, height] = [&place.x, &place.y, &place.width, &place.height].map(|number| number.0);
    // Some versions subtract corners that tilted text has in another order.
    let [left, right] = [x.min(x + width), x.max(x + width)].map(|value| value as f32);
    let [top, bottom] = [y.min(y + height), y.max(y + height)].map(|value| value as f32);
    let region_score = score as f32;
    finite(&[left, top, right, bottom, region_score])?;
    let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
    Ok(Line { text, score, region_score, corners })
}

/// Reads the body of `/clip/img` or `/clip/txt`.
pub fn read_vector(body: &[u8]) -> Result<Vec<f32>, ReplyError> {
    Ok(result::<Vector>(body)?.checked()?)
}

/// Reads the body of `/represent`, in its order.
pub fn read_faces(body: &[u8]) -> Result<Vec<Face>, ReplyError> {
    let faces: Vec<Represented> = result(body)?;
    faces.into_iter().map(|face| Ok(face.read()?)).collect()
}

/// The `result` of a body, unless there is a message in its place.
fn result<T: DeserializeOwned>(body: &[u8]) -> Result<T, ReplyError> {
    #[derive(Deserialize)]
    #[serde(bound(deserialize = "T: DeserializeOwned"))]
    struct Body<T> {
        // The official manual has another name than every program.
        #[serde(alias = "results")]
        result: T,
        msg: Option<String>,
    }
    #[derive(Deserialize)]
    struct Message {
        msg: String,
    }
    match json::<Body<T>>(body) {
        Ok(Body { result, msg: None }) => Ok(result),
        Ok(Body { msg: Some(message), .. }) => Err(ReplyError::Failed(message)),
        // Beside a message, `result` is an empty array, whatever it is in an answer.
        Err(bad) => Err(json::<Message>(body).map_or(bad.into(), |message| ReplyError::Failed(message.msg))),
    }
}

#[derive(Deserialize)]
struct Columns {
    texts: Vec<String>,
    scores: Vec<Number>,
    boxes: Vec<Place>,
}

#[derive(Deserialize)]
struct Place {
    x: Number,
    y: Number,
    width: Number,
    height: Number,
}

#[derive(Deserialize)]
struct Represented {
    embedding: Vector,
    facial_area: Area,
    face_confidence: Number,
}

#[derive(Deserialize)]
struct Area {
    x: Number,
    y: Number,
    w: Number,
    h: Number,
}

impl Represented {
    fn read(self) -> Result<Face, BadReply> {
        let [x, y, w, h] = [self.facial_area.x, self.facial_area.y, self.facial_area.w, self.facial_area.h]
            .map(|number| number.0);
        let bounds = [x, y, x + w, y + h].map(|value| value as f32);
        let score = self.face_confidence.0 as f32;
        finite(bounds.iter().chain([&score]))?;
        Ok(Face { bounds, score, landmarks: [[0.0; 2]; 5], embedding: self.embedding.checked()? })
    }
}
