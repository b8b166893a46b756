//! What the page's panel asks: text, faces and similarities of one picture, in our own shape.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use viewfinder_engine::{Answer, DecodeRules, EngineError, PictureRequest, PictureTask};
use viewfinder_image::Alpha;

use super::{App, Shared, convert, upload};
use crate::failure::Failure;

const PROTOCOL: &str = "page";
/// Sentences per request.
const SENTENCES: usize = 16;

/// A picture as a browser shows it.
const AS_SHOWN: DecodeRules = DecodeRules { orient: true, alpha: Alpha::Contrast, max_side: None };

/// `POST /api/analyze`: part `image`, and any number of parts `sentence`.
///
/// Each question stands alone: a face model that is not there says so under `problems` and leaves the text be.
pub(super) async fn analyze(State(app): Shared, request: Request) -> Response {
    match answer(&app, request).await {
        Ok(answer) => Json(answer).into_response(),
        Err(failure) => failure.own(),
    }
}

async fn answer(app: &Arc<App>, request: Request) -> Result<Value, Failure> {
    let upload = upload(app, request).await?;
    let malformed = |message: &str| Failure::caller(StatusCode::BAD_REQUEST, "request_malformed", message);
    let image = upload.form.bytes("image").ok_or_else(|| malformed("part \"image\" is missing"))?;
    let sentences: Vec<&str> =
        upload.form.texts("sentence")?.into_iter().filter(|text| !text.trim().is_empty()).collect();
    if sentences.len() > SENTENCES {
        return Err(malformed(&format!("more than {SENTENCES} sentences")));
    }
    let models = &app.config.models;
    let text = PictureTask::Text {
        detection: models.ocr.clone(),
        recognition: models.ocr.clone(),
        options: convert::options(app.config.profiles.page),
    };
    let faces = PictureTask::Faces {
        detection: models.faces.clone(),
        recognition: models.faces.clone(),
        min_score: app.config.face_min_score,
    };
    let (text, faces, similarities) = tokio::join!(
        ask(app, image.clone(), text),
        ask(app, image.clone(), faces),
        similarities(app, image.clone(), &sentences),
    );

    let mut answer = Map::new();
    let mut problems = Map::new();
    let mut first = None;
    let mut keep = |name: &str, part: Result<(Option<[usize; 2]>, Value), EngineError>| match part {
        Ok((size, value)) => {
            if let Some([width, height]) = size {
                answer.insert("width".to_owned(), json!(width));
                answer.insert("height".to_owned(), json!(height));
            }
            answer.insert(name.to_owned(), value);
        }
        Err(error) => {
            let failure = Failure::from(error);
            answer.insert(name.to_owned(), json!([]));
            problems.insert(name.to_owned(), failure.value());
            first.get_or_insert(failure);
        }
    };
    keep("lines", text);
    keep("faces", faces);
    keep("similarities", similarities);
    // No part could read the picture, so the picture is at fault, or the server as a whole.
    if let Some(failure) = first.filter(|_| !answer.contains_key("width")) {
        return Err(failure);
    }
    answer.insert("problems".to_owned(), problems.into());
    Ok(answer.into())
}

type Part = Result<(Option<[usize; 2]>, Value), EngineError>;

async fn ask(app: &App, bytes: Bytes, task: PictureTask) -> Part {
    let request = PictureRequest { bytes, decode: AS_SHOWN, tasks: vec![task], dump: None };
    let mut found = app.picture(PROTOCOL, request).await?;
    let value = match found.answers.pop() {
        Some(Answer::Text(lines)) => lines
            .into_iter()
            .map(|line| json!({"text": line.text, "score": line.score, "box": line.corners.map(pixels)}))
            .collect(),
        Some(Answer::Faces(faces)) => faces
            .into_iter()
            .map(|face| json!({"box": pixels(face.bounds), "score": f64::from(face.score), "landmarks": face.landmarks.map(pixels)}))
            .collect(),
        Some(Answer::Embedding(vector)) => json!(vector),
        _ => return Err(convert::mismatch()),
    };
    Ok((Some([found.width, found.height]), value))
}

/// Coordinates to a hundredth of a pixel, which is all that drawing needs.
fn pixels<const N: usize>(coordinates: [f32; N]) -> Vec<f64> {
    coordinates.iter().map(|coordinate| (f64::from(*coordinate) * 100.0).round() / 100.0).collect()
}

/// The cosine between the picture and each sentence.
async fn similarities(app: &App, bytes: Bytes, sentences: &[&str]) -> Part {
    if sentences.is_empty() {
        return Ok((None, json!([])));
    }
    let model = &app.config.models.clip;
    let request = PictureRequest {
        bytes,
        decode: AS_SHOWN,
        tasks: vec![PictureTask::Embed { model: model.clone() }],
        dump: None,
    };
    let mut found = app.picture(PROTOCOL, request).await?;
    let picture = convert::vector(found.answers.pop())?;
    let mut similarities = Vec::with_capacity(sentences.len());
    for text in sentences {
        let sentence = app.sentence(PROTOCOL, model, text, None).await?;
        similarities.push(json!({"text": text, "score": cosine(&picture, &sentence)}));
    }
    Ok((Some([found.width, found.height]), similarities.into()))
}

/// The cosine of the angle between two vectors, 0 if one has no direction.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 && a.len() == b.len() { dot(a, b) / lengths } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::cosine;

    #[test]
    fn cosines() {
        assert!((cosine(&[3.0, 4.0], &[6.0, 8.0]) - 1.0).abs() < 1e-12);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), 0.0);
        assert_eq!(cosine(&[1.0, 0.0], &[-1.0, 0.0]), -1.0);
        assert_eq!(cosine(&[0.0], &[1.0]), 0.0);
    }
}
