//! MT Photos' AI protocol.
//!
//! A picture that cannot be worked on is answered with 200 and a message, because its server expects that; only our
//! own trouble has a 5xx. The key is checked before the body is read.

#![expect(clippy::result_large_err, reason = "the error is the response, sent once and not passed far")]

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;
use viewfinder_core::{DecodeRules, ErrorCode, PictureAnswer, PictureRequest, PictureTask, TaskError};
use viewfinder_wire::mt_photos::{
    CHECK, Check, FaceAnswer, FaceCheck, Failed, LONGEST_SIDE, OUT_OF_RANGE, RESTARTED, Restarted,
    TextAnswer, VectorAnswer,
};

use super::{App, Shared, answers, document::Refusals, upload};
use crate::{
    Peer,
    body::discard,
    failure::Failure,
    key::Admitted,
    refusal::{Detail, DetailItem},
};

const PROTOCOL: &str = "mt-photos";

/// Bytes of a body with a sentence. Its fields are kept as they come, to be told in a refusal, which takes up to a
/// hundred times as much.
const SENTENCE_BYTES: usize = 64 << 10;

/// Characters of what was sent that are told in a refusal.
const TOLD: usize = 256;

/// A picture as it is sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a form, which is read part by part")]
struct PictureForm {
    #[schema(format = Binary)]
    file: String,
}

/// A sentence as it is sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body, whose faults are told as Python's service does")]
struct Sentence {
    text: String,
}

/// An answer about a picture.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "describes an answer, of which either is sent")]
enum OrFailed<T> {
    Found(T),
    Failed(Failed),
}

/// Is the key right?
#[utoipa::path(
    post, path = "/check", tag = "mt-photos",
    responses((status = 200, description = "Answer", body = Check), (status = 422, response = Detail)),
)]
pub(super) async fn check(State(app): Shared, request: Request) -> Response {
    finish(authorised(&app, request).await.map(|_| CHECK))
}

/// Which face models are used.
#[utoipa::path(
    get, path = "/face/check", tag = "mt-photos",
    responses((status = 200, description = "Answer", body = FaceCheck)),
)]
pub(super) async fn face_check(State(app): Shared) -> Response {
    Json(FaceCheck::new(&app.config.models.faces)).into_response()
}

/// Drop the models and return their memory; keep serving.
#[utoipa::path(
    post, path = "/restart", tag = "mt-photos",
    responses((status = 200, description = "Answer", body = Restarted), (status = 422, response = Detail)),
)]
pub(super) async fn restart(State(app): Shared, request: Request) -> Response {
    if let Err(refused) = authorised(&app, request).await {
        return refused;
    }
    app.unload().await;
    tracing::info!("models dropped on request");
    Json(RESTARTED).into_response()
}

/// As /restart.
///
/// MT Photos' services start anew, and the connection drops; here it is answered.
#[utoipa::path(
    post, path = "/restart_v2", tag = "mt-photos",
    responses((status = 200, description = "Answer", body = Restarted), (status = 422, response = Detail)),
)]
pub(super) async fn restart_v2(app: Shared, request: Request) -> Response {
    restart(app, request).await
}

/// Read the text in a picture.
#[utoipa::path(
    post, path = "/ocr", tag = "mt-photos",
    request_body(content = PictureForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "The answer, or a message if the picture cannot be worked on", body = OrFailed<TextAnswer>), Refusals),
)]
pub(super) async fn text(State(app): Shared, request: Request) -> Response {
    let model = &app.config.models.ocr;
    let task = PictureTask::Text {
        detection: model.clone(),
        recognition: model.clone(),
        options: answers::options(app.config.profiles.mt_photos),
    };
    let answer = picture(&app, request, task, Some(LONGEST_SIDE)).await;
    finish(answer.and_then(|mut answer| {
        Ok(TextAnswer::new(&answers::lines(answer.answers.pop()).map_err(|error| failed(&error))?))
    }))
}

/// Embed a picture.
#[utoipa::path(
    post, path = "/clip/img", tag = "mt-photos",
    request_body(content = PictureForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "The answer, or a message if the picture cannot be worked on", body = OrFailed<VectorAnswer>), Refusals),
)]
pub(super) async fn embed_picture(State(app): Shared, request: Request) -> Response {
    let task = PictureTask::Embed { model: app.config.models.clip.clone() };
    let answer = picture(&app, request, task, None).await;
    finish(answer.and_then(|mut answer| {
        let vector = answers::vector(answer.answers.pop()).map_err(|error| failed(&error))?;
        VectorAnswer::new(&vector).map_err(|error| crashed(&error.into()))
    }))
}

/// Find and embed faces.
#[utoipa::path(
    post, path = "/represent", tag = "mt-photos",
    request_body(content = PictureForm, content_type = "multipart/form-data"),
    responses((status = 200, description = "The answer, or a message if the picture cannot be worked on", body = OrFailed<FaceAnswer>), Refusals),
)]
pub(super) async fn faces(State(app): Shared, request: Request) -> Response {
    let pack = &app.config.models.faces;
    let task = PictureTask::Faces {
        detection: pack.clone(),
        recognition: pack.clone(),
        min_score: app.config.face_min_score,
    };
    let answer = picture(&app, request, task, Some(LONGEST_SIDE)).await;
    finish(answer.and_then(|mut answer| {
        let faces = answers::faces(answer.answers.pop()).map_err(|error| failed(&error))?;
        FaceAnswer::new(pack, &faces).map_err(|error| crashed(&error.into()))
    }))
}

/// Embed a sentence.
#[utoipa::path(
    post, path = "/clip/txt", tag = "mt-photos", request_body = Sentence,
    responses((status = 200, description = "Answer", body = VectorAnswer), Refusals),
)]
pub(super) async fn embed_sentence(State(app): Shared, request: Request) -> Response {
    finish(embedded(&app, request).await)
}

async fn embedded(app: &Arc<App>, request: Request) -> Result<VectorAnswer, Response> {
    let (headers, body) = authorised(app, request).await?;
    let held = app.bodies.read_at_most(&headers, body, SENTENCE_BYTES).await;
    let held = held.map_err(|failure| failure.detail())?;
    let text = read_text(&held.bytes)?;
    // Any failure over a sentence is a crash to MT Photos' services.
    let vector = app
        .sentence(PROTOCOL, &app.config.models.clip_text, &text, None)
        .await
        .map_err(|error| crashed(&error.into()))?;
    VectorAnswer::new(&vector).map_err(|error| crashed(&error.into()))
}

/// The `text` of a body, for fuzzing.
#[cfg(feature = "fuzzing")]
pub(crate) fn sentence(body: &[u8]) -> Option<String> {
    read_text(body).ok()
}

/// The `text` of a JSON body, which need not be declared as such.
fn read_text(body: &[u8]) -> Result<String, Response> {
    if body.is_empty() {
        return Err(invalid("missing", &json!(["body"]), "Field required", &Value::Null));
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| {
        let failure = unprocessable("JSON decode error");
        failure.respond(&Detail::item(DetailItem {
            ctx: Some(json!({"error": error.to_string()})),
            input: json!({}),
            loc: json!(["body", offset(body, &error)]),
            msg: failure.message.clone(),
            kind: "json_invalid",
        }))
    })?;
    let Value::Object(fields) = &body else {
        let message = "Input should be a valid dictionary or object to extract fields from";
        return Err(invalid("model_attributes_type", &json!(["body"]), message, &body));
    };
    match fields.get("text") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(other) => {
            Err(invalid("string_type", &json!(["body", "text"]), "Input should be a valid string", other))
        }
        None => Err(invalid("missing", &json!(["body", "text"]), "Field required", &body)),
    }
}

/// Characters before the error.
fn offset(body: &[u8], error: &serde_json::Error) -> usize {
    let before: usize = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(<[u8]>::len)
        .sum();
    let at = (before + error.column().saturating_sub(1)).min(body.len());
    String::from_utf8_lossy(&body[..at]).chars().count()
}

/// Asks one thing about the uploaded picture.
async fn picture(
    app: &Arc<App>,
    request: Request,
    task: PictureTask,
    max_side: Option<u32>,
) -> Result<PictureAnswer, Response> {
    let (headers, body) = authorised(app, request).await?;
    let mut request = Request::new(body);
    *request.headers_mut() = headers;
    let upload = upload(app, request).await.map_err(|failure| failure.detail())?;
    let Some((bytes, _)) = upload.form.file("file") else {
        return Err(match upload.form.bytes("file") {
            None => invalid("missing", &json!(["body", "file"]), "Field required", &Value::Null),
            Some(bytes) => invalid(
                "value_error",
                &json!(["body", "file"]),
                "Value error, Expected UploadFile, received: <class 'str'>",
                &json!(String::from_utf8_lossy(&bytes).chars().take(TOLD).collect::<String>()),
            ),
        });
    };
    let decode = DecodeRules { max_side, ..DecodeRules::UPRIGHT };
    let request = PictureRequest { bytes, decode, tasks: vec![task] };
    app.picture(PROTOCOL, request).await.map_err(|error| failed(&error))
}

/// Lets a request with the right key through: MT Photos' own, or that of the address, which was checked before.
async fn authorised(app: &App, request: Request) -> Result<(HeaderMap, Body), Response> {
    let (head, body) = request.into_parts();
    if head.extensions.get::<Admitted>().is_some() {
        return Ok((head.headers, body));
    }
    let expected = app.config.api_key.as_bytes();
    let refusal = match head.headers.get("api-key") {
        Some(key) if key.as_bytes().ct_eq(expected).into() => return Ok((head.headers, body)),
        Some(wrong) => {
            let peer = head.extensions.get().map(|Peer(peer)| *peer);
            let wrong_key = || Failure::caller(StatusCode::UNAUTHORIZED, "key_wrong", "Invalid API key");
            let guessing = app.tries.wrong(peer, [wrong.as_bytes()]).await;
            guessing.map_or_else(wrong_key, Failure::guessing).detail()
        }
        None => invalid("missing", &json!(["header", "api-key"]), "Field required", &Value::Null),
    };
    discard(body).await;
    Err(refusal)
}

fn finish(result: Result<impl Serialize, Response>) -> Response {
    result.map_or_else(|refused| refused, |answer| Json(answer).into_response())
}

fn unprocessable(message: &str) -> Failure {
    Failure::caller(StatusCode::UNPROCESSABLE_ENTITY, "request_malformed", message)
}

/// Status 422 with one item of detail.
fn invalid(kind: &'static str, place: &Value, message: &str, input: &Value) -> Response {
    let (loc, msg, input) = (place.clone(), message.to_owned(), input.clone());
    unprocessable(message).respond(&Detail::item(DetailItem { ctx: None, input, loc, msg, kind }))
}

/// A picture that cannot be worked on has status 200 and a message; anything else is a crash.
fn failed(error: &TaskError) -> Response {
    let message = match error.code {
        ErrorCode::ImageTooLarge => OUT_OF_RANGE,
        ErrorCode::ImageEmpty
        | ErrorCode::ImageUndecodable
        | ErrorCode::ImageZeroSize
        | ErrorCode::DecoderMissing => &error.message,
        _ => return crashed(&error.clone().into()),
    };
    let failure: Failure = error.clone().into();
    failure.mark(Json(Failed::new(message)).into_response())
}

/// Our own trouble: 503 where coming back can help or something is missing, else 500 as uncaught errors have it.
fn crashed(failure: &Failure) -> Response {
    match failure.status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::PAYLOAD_TOO_LARGE => failure.detail(),
        _ => failure.mark((StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error").into_response()),
    }
}
