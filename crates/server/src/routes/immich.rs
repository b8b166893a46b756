//! Immich's machine-learning protocol, and the one request of the forked Immich.
//!
//! Errors have the statuses of Immich's service where it checks; where it would crash with 500 for what is the
//! caller's fault, the status is a 4xx and the body says why. Its server treats every status but 2xx alike.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Value, json};
use utoipa::ToSchema;
use viewfinder_core::{Answer, DecodeRules, PictureRequest, PictureTask, TaskError, ocr};
use viewfinder_wire::{
    immich::{self, Entries, EntriesError, FaceList, Task, TextDetection, TextList},
    legacy_gateway,
};

use super::{App, Shared, answers, document::Refusals, upload};
use crate::{
    failure::Failure,
    refusal::{Detail, DetailItem},
};

const PROTOCOL: &str = "immich";

/// What is sent: tasks, and what they are about.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a form, which is read part by part")]
struct PredictForm {
    /// JSON: {task: {type: {modelName, options?}}}
    entries: String,
    #[schema(format = Binary, required = false)]
    image: String,
    #[schema(required = false)]
    text: String,
}

/// Answer the tasks in entries about an image or a text.
#[utoipa::path(
    post, path = "/predict", tag = "immich",
    request_body(content = PredictForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "Answer", body = immich::Answer),
        (status = 404, response = Detail),
        (status = 415, response = Detail),
        Refusals,
    ),
)]
pub(super) async fn predict(State(app): Shared, request: Request) -> Response {
    match answer(&app, request).await {
        Ok(answer) => Json(answer).into_response(),
        Err(response) => response,
    }
}

/// What the two failing ends of a request have in common.
fn refused(failure: impl Into<Failure>) -> Response {
    failure.into().detail()
}

async fn answer(app: &Arc<App>, request: Request) -> Result<immich::Answer, Response> {
    let upload = upload(app, request).await.map_err(refused)?;
    let form = &upload.form;
    let Some(entries) = form.text("entries").map_err(refused)? else {
        let failure = malformed("Field required");
        return Err(failure.respond(&Detail::item(DetailItem {
            ctx: None,
            input: Value::Null,
            loc: json!(["body", "entries"]),
            msg: failure.message.clone(),
            kind: "missing",
        })));
    };
    let entries = Entries::parse(entries).map_err(|error| entries_refused(&error))?;
    match (form.bytes("image"), form.text("text").map_err(refused)?) {
        (Some(image), _) => picture(app, entries, image).await,
        (None, Some(text)) => sentence(app, entries, text).await,
        (None, None) => Err(bad("Either image or text must be provided")),
    }
}

fn malformed(message: &str) -> Failure {
    Failure::caller(StatusCode::UNPROCESSABLE_ENTITY, "request_malformed", message)
}

fn bad(message: &str) -> Response {
    Failure::caller(StatusCode::BAD_REQUEST, "request_malformed", message).detail()
}

fn entries_refused(error: &EntriesError) -> Response {
    if let EntriesError::Malformed(reason) = error {
        tracing::debug!(reason, "malformed entries");
    }
    let status = StatusCode::from_u16(error.http_status()).unwrap_or(StatusCode::BAD_REQUEST);
    Failure::caller(status, "request_malformed", error.to_string()).detail()
}

/// A sentence answers `clip` `textual`. Answers are keyed by task, so a `visual` entry beside it, which a sentence
/// cannot answer, is passed over; anything else needs a picture.
async fn sentence(app: &App, entries: Entries, text: &str) -> Result<immich::Answer, Response> {
    let textual = entries.tasks.iter().any(|task| matches!(task, Task::ClipTextual { .. }));
    let mut answer = immich::Answer::default();
    for task in entries.tasks {
        match task {
            Task::ClipTextual { model, language } => {
                let vector = app.sentence(PROTOCOL, &model, text, language).await.map_err(refused)?;
                answer.clip = Some(immich::Answer::vector(&vector).map_err(refused)?);
            }
            Task::ClipVisual { .. } if textual => {}
            Task::ClipVisual { .. } | Task::Faces { .. } | Task::Text { .. } | Task::LegacyText => {
                return Err(bad("The request asks about an image but carries only text"));
            }
        }
    }
    Ok(answer)
}

/// A picture answers everything but `clip` `textual`, which is passed over beside `visual`.
async fn picture(app: &App, mut entries: Entries, image: Bytes) -> Result<immich::Answer, Response> {
    let visual = entries.tasks.iter().any(|task| matches!(task, Task::ClipVisual { .. }));
    entries.tasks.retain(|task| !(visual && matches!(task, Task::ClipTextual { .. })));
    let tasks = entries
        .tasks
        .iter()
        .map(|task| picture_task(app, task))
        .collect::<Option<Vec<_>>>()
        .ok_or_else(|| bad("The request asks about a text but carries an image"))?;
    let request = PictureRequest { bytes: image, decode: DecodeRules::AS_STORED, tasks };
    let found = app.picture(PROTOCOL, request).await.map_err(refused)?;
    let mut answer =
        immich::Answer { height: Some(found.height), width: Some(found.width), ..Default::default() };
    if found.answers.len() != entries.tasks.len() {
        return Err(refused(TaskError::another_answer()));
    }
    for (task, found_one) in entries.tasks.iter().zip(found.answers) {
        match found_one.map_err(refused)? {
            Answer::Text(lines) => {
                if matches!(task, Task::LegacyText) {
                    let lines = legacy_gateway::Lines::new(&lines);
                    answer.text = Some(TextList::Joined(lines.joined()));
                    answer.result = Some(lines);
                } else {
                    answer.text = Some(TextList::read(&lines, found.width, found.height));
                }
            }
            Answer::TextRegions(regions) => {
                answer.text = Some(TextList::detected(&regions));
            }
            Answer::Faces(faces) => {
                answer.faces = Some(if matches!(task, Task::Faces { recognition: None, .. }) {
                    FaceList::detected(&faces)
                } else {
                    FaceList::recognised(&faces).map_err(refused)?
                });
            }
            Answer::Embedding(vector) => {
                answer.clip = Some(immich::Answer::vector(&vector).map_err(refused)?);
            }
        }
    }
    Ok(answer)
}

/// The engine's task, unless it is about a sentence.
fn picture_task(app: &App, task: &Task) -> Option<PictureTask> {
    Some(match task {
        Task::ClipTextual { .. } => return None,
        Task::ClipVisual { model } => PictureTask::Embed { model: model.clone() },
        Task::Faces { detection, min_score, recognition: Some(recognition) } => PictureTask::Faces {
            detection: detection.clone(),
            recognition: recognition.clone(),
            min_score: *min_score,
        },
        Task::Faces { detection, min_score, recognition: None } => {
            PictureTask::FaceRegions { detection: detection.clone(), min_score: *min_score }
        }
        Task::Text { detection, recognition: Some(recognition) } => PictureTask::Text {
            detection: detection.model.clone(),
            recognition: recognition.model.clone(),
            options: ocr::Options {
                recognition_min_score: recognition.min_score,
                ..detection_options(app, detection)
            },
        },
        Task::Text { detection, recognition: None } => PictureTask::TextRegions {
            detection: detection.model.clone(),
            options: detection_options(app, detection),
        },
        Task::LegacyText => PictureTask::Text {
            detection: app.config.models.ocr.clone(),
            recognition: app.config.models.ocr.clone(),
            options: answers::options(app.config.profiles.mt_photos),
        },
    })
}

fn detection_options(app: &App, detection: &TextDetection) -> ocr::Options {
    ocr::Options {
        detection_min_score: detection.min_score,
        max_resolution: detection.max_resolution,
        score_mode: if detection.exact_scores { ocr::ScoreMode::Slow } else { ocr::ScoreMode::Fast },
        ..answers::options(app.config.profiles.immich)
    }
}
