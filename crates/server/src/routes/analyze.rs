//! What the page's panel asks: text, faces and similarities of one picture, in our own shape.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use viewfinder_core::{Alpha, DecodeRules, Face, PictureRequest, PictureTask, TaskError, ocr};

use super::{App, Shared, answers, upload};
use crate::failure::Failure;

const PROTOCOL: &str = "page";
/// Sentences per request.
const SENTENCES: usize = 16;
/// Bytes of one, which comes back in the answer.
const SENTENCE_BYTES: usize = 4096;

/// A picture as a browser shows it.
const AS_SHOWN: DecodeRules = DecodeRules { orient: true, alpha: Alpha::Contrast, max_side: None };

/// `POST /api/analyze`: part `image`, and any number of parts `sentence`.
///
/// The picture is decoded once. Each question stands alone: a face model that is not there says so under `problems` and leaves the text be.
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
    if sentences.iter().any(|sentence| sentence.len() > SENTENCE_BYTES) {
        return Err(malformed(&format!("a sentence of more than {SENTENCE_BYTES} bytes")));
    }
    let models = &app.config.models;
    let mut tasks = vec![
        PictureTask::Text {
            detection: models.ocr.clone(),
            recognition: models.ocr.clone(),
            options: answers::options(app.config.profiles.page),
        },
        PictureTask::Faces {
            detection: models.faces.clone(),
            recognition: models.faces.clone(),
            min_score: app.config.face_min_score,
        },
    ];
    if !sentences.is_empty() {
        tasks.push(PictureTask::Embed { model: models.clip.clone() });
    }
    let request = PictureRequest { bytes: image, decode: AS_SHOWN, tasks };
    // A picture that nothing can be said about ends the wait for the sentences.
    let (found, vectors) =
        tokio::try_join!(app.picture(PROTOCOL, request), async { Ok(vectors(app, &sentences).await) })?;

    let mut answers = found.answers.into_iter();
    let lines = answers::lines(answers.next()).map(|lines| lines.iter().map(line).collect());
    let faces = answers::faces(answers.next()).map(|faces| faces.iter().map(face).collect());
    let similarities = match vectors {
        Ok(vectors) if vectors.is_empty() => Ok(json!([])),
        Ok(vectors) => answers::vector(answers.next()).map(|picture| {
            let similarity =
                |(text, vector): (&&str, &Vec<f32>)| json!({"text": text, "score": viewfinder_core::cosine(&picture, vector)});
            sentences.iter().zip(&vectors).map(similarity).collect()
        }),
        Err(error) => Err(error),
    };
    let mut answer = json!({"width": found.width, "height": found.height, "problems": {}});
    for (name, part) in [("lines", lines), ("faces", faces), ("similarities", similarities)] {
        answer[name] = part.unwrap_or_else(|error: TaskError| {
            answer["problems"][name] = Failure::from(error).value();
            json!([])
        });
    }
    Ok(answer)
}

fn line(line: &ocr::Line) -> Value {
    json!({"text": line.text, "score": line.score, "box": line.corners.map(pixels)})
}

fn face(face: &Face) -> Value {
    json!({"box": pixels(face.bounds), "score": f64::from(face.score), "landmarks": face.landmarks.map(pixels)})
}

/// Coordinates to a hundredth of a pixel, which is all that drawing needs.
fn pixels<const N: usize>(coordinates: [f32; N]) -> Vec<f64> {
    coordinates.iter().map(|coordinate| (f64::from(*coordinate) * 100.0).round() / 100.0).collect()
}

/// The vectors of the sentences.
async fn vectors(app: &App, sentences: &[&str]) -> Result<Vec<Vec<f32>>, TaskError> {
    let mut vectors = Vec::with_capacity(sentences.len());
    for text in sentences {
        vectors.push(app.sentence(PROTOCOL, &app.config.models.clip_text, text, None).await?);
    }
    Ok(vectors)
}
