//! What the page's panel asks: text, faces and similarities of one picture, in our own shape.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use viewfinder_core::{DecodeRules, Face, PictureRequest, PictureTask, TaskError, ocr};

use super::{App, Shared, answers, upload};
use crate::{
    failure::Failure,
    refusal::{Error, Reason},
};

const PROTOCOL: &str = "page";
/// Sentences per request; [`AnalyzeForm`] says so in figures, as its macro demands.
const SENTENCES: usize = 16;
/// Bytes of one, which comes back in the answer.
const SENTENCE_BYTES: usize = 4096;

/// What is sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a form, which is read part by part")]
struct AnalyzeForm {
    #[schema(format = Binary)]
    image: String,
    #[schema(required = false, max_items = 16)]
    sentence: Vec<String>,
}

/// What was found. Coordinates are pixels.
#[derive(Serialize, ToSchema)]
struct Analysis {
    width: usize,
    height: usize,
    lines: Vec<ReadLine>,
    faces: Vec<FoundFace>,
    similarities: Vec<Similarity>,
    /// By part, why it is empty.
    problems: BTreeMap<&'static str, Reason>,
}

/// A line of text.
#[derive(Serialize, ToSchema)]
struct ReadLine {
    text: String,
    score: f64,
    /// Its corners, clockwise from the text's upper left.
    #[serde(rename = "box")]
    corners: [[f64; 2]; 4],
}

/// A face.
#[derive(Serialize, ToSchema)]
struct FoundFace {
    /// Left, top, right, bottom.
    #[serde(rename = "box")]
    bounds: [f64; 4],
    score: f64,
    landmarks: [[f64; 2]; 5],
}

/// How well a sentence describes the picture.
#[derive(Serialize, ToSchema)]
struct Similarity {
    text: String,
    /// The cosine of both vectors.
    score: f64,
}

/// Text, faces and similarity to sentences of one picture.
///
/// The picture is decoded once. Each question stands alone: a face model that is not there says so under `problems` and leaves the text be.
#[utoipa::path(
    post, path = "/api/analyze", tag = "viewfinder",
    request_body(content = AnalyzeForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "Answer", body = Analysis),
        (status = 400, response = Error), (status = 404, response = Error), (status = 408, response = Error),
        (status = 413, response = Error), (status = 415, response = Error), (status = 422, response = Error), (status = 500, response = Error),
        (status = 503, response = Error),
    ),
)]
pub(super) async fn analyze(State(app): Shared, request: Request) -> Response {
    match answer(&app, request).await {
        Ok(answer) => Json(answer).into_response(),
        Err(failure) => failure.own(),
    }
}

async fn answer(app: &Arc<App>, request: Request) -> Result<Analysis, Failure> {
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
    let request = PictureRequest { bytes: image, decode: DecodeRules::AS_SHOWN, tasks };
    // A picture that nothing can be said about ends the wait for the sentences.
    let (found, vectors) =
        tokio::try_join!(app.picture(PROTOCOL, request), async { Ok(vectors(app, &sentences).await) })?;

    let mut answers = found.answers.into_iter();
    let (lines, faces) = (answers::lines(answers.next()), answers::faces(answers.next()));
    let similarities = match vectors {
        Ok(vectors) if vectors.is_empty() => Ok(Vec::new()),
        Ok(vectors) => answers::vector(answers.next()).map(|picture| {
            let compared = sentences.iter().zip(vectors);
            compared
                .map(|(text, vector)| Similarity {
                    text: (*text).to_owned(),
                    score: viewfinder_core::cosine(&picture, &vector),
                })
                .collect()
        }),
        Err(error) => Err(error),
    };
    let mut problems = BTreeMap::new();
    Ok(Analysis {
        width: found.width,
        height: found.height,
        lines: part("lines", lines, &mut problems).into_iter().map(ReadLine::from).collect(),
        faces: part("faces", faces, &mut problems).iter().map(FoundFace::from).collect(),
        similarities: part("similarities", similarities, &mut problems),
        problems,
    })
}

/// What was found, or nothing and the reason among the problems.
fn part<T>(
    name: &'static str,
    found: Result<Vec<T>, TaskError>,
    problems: &mut BTreeMap<&'static str, Reason>,
) -> Vec<T> {
    found.unwrap_or_else(|error| {
        problems.insert(name, Failure::from(error).reason());
        Vec::new()
    })
}

impl From<ocr::Line> for ReadLine {
    fn from(line: ocr::Line) -> Self {
        Self { text: line.text, score: line.score, corners: line.corners.map(pixels) }
    }
}

impl From<&Face> for FoundFace {
    fn from(face: &Face) -> Self {
        let (bounds, landmarks) = (pixels(face.bounds), face.landmarks.map(pixels));
        Self { bounds, score: f64::from(face.score), landmarks }
    }
}

/// Coordinates to a hundredth of a pixel, which is all that drawing needs.
fn pixels<const N: usize>(coordinates: [f32; N]) -> [f64; N] {
    coordinates.map(|coordinate| (f64::from(coordinate) * 100.0).round() / 100.0)
}

/// The vectors of the sentences.
async fn vectors(app: &App, sentences: &[&str]) -> Result<Vec<Vec<f32>>, TaskError> {
    let mut vectors = Vec::with_capacity(sentences.len());
    for text in sentences {
        vectors.push(app.sentence(PROTOCOL, &app.config.models.clip_text, text, None).await?);
    }
    Ok(vectors)
}
