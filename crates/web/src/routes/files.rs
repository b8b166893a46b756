//! Pictures: small ones, and the files themselves.
use std::path::Path;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use tokio::task::spawn_blocking;
use viewfinder_catalog::{Asset, AssetId};
use viewfinder_index::{Converted, Pictures, Unread};

use super::Shared;
use crate::{
    extract::{Numbers, Parameters},
    problem::Problem,
    thumbnail::SIZES,
};

/// Addresses carry the content's hash: what is there never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

#[derive(Deserialize)]
pub(super) struct Wanted {
    size: Option<usize>,
}

/// `GET /api/v1/assets/{id}/thumbnail?size=`: a JPEG, at most so large; sizes are rounded up to those that are kept.
pub(super) async fn thumbnail(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
    Parameters(Wanted { size }): Parameters<Wanted>,
) -> Result<Response, Problem> {
    let asset = photos.asset(AssetId(id)).await?;
    let wanted = size.unwrap_or(SIZES[0]);
    let size = SIZES.into_iter().find(|kept| *kept >= wanted).unwrap_or(SIZES[1]);
    let shared = std::sync::Arc::clone(&photos);
    let hash = asset.file.hash;
    let kept =
        spawn_blocking(move || shared.thumbnails.kept(&hash, size)).await.map_err(Problem::internal)?;
    let jpeg = if let Some(jpeg) = kept {
        jpeg
    } else {
        let place = photos.thumbnails.places.acquire().await.map_err(Problem::internal)?;
        let shared = std::sync::Arc::clone(&photos);
        let made = spawn_blocking(move || {
            let config = &shared.config;
            let Converted { bytes, .. } = content(&asset, &*config.pictures)?;
            let made = shared.thumbnails.make(&hash, size, &bytes, &config.limits);
            made.map_err(|error| unshowable(&error))
        });
        let made = made.await.map_err(Problem::internal)?;
        drop(place);
        made?
    };
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], [(header::CACHE_CONTROL, FOR_EVER)], jpeg).into_response())
}

/// `GET /api/v1/assets/{id}/file`: the bytes as they lie on the disk.
pub(super) async fn file(State(photos): Shared, Numbers([id]): Numbers<1>) -> Result<Response, Problem> {
    let asset = photos.asset(AssetId(id)).await?;
    let file = tokio::fs::File::open(&asset.file.path).await.map_err(|error| gone(&asset, &error))?;
    let bytes = file.metadata().await.map_err(Problem::internal)?.len();
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&asset.file.path)));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(header::CACHE_CONTROL, FOR_EVER);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A picture format that can carry scripts must not run them here.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    Ok((headers, axum::body::Body::from_stream(tokio_util::io::ReaderStream::new(file))).into_response())
}

fn content(asset: &Asset, pictures: &dyn Pictures) -> Result<Converted, Problem> {
    pictures.read(asset).map_err(|error| match error {
        Unread::Changed => gone(asset, &"it is not there any more, or not as it was"),
        Unread::Lacking(message) | Unread::Unreadable(message) | Unread::Bad { message, .. } => {
            unshowable(&message)
        }
    })
}

fn gone(asset: &Asset, why: &dyn std::fmt::Display) -> Problem {
    let name = asset.file.path.rsplit('/').next().unwrap_or_default();
    let detail = format!("{name} cannot be read: {why}");
    Problem::new(StatusCode::NOT_FOUND, "file_gone", "The file is gone", detail)
}

fn unshowable(why: &dyn std::fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "picture_unreadable", "The picture cannot be shown", why)
}

/// By the name, for what browsers show; anything else is only saved.
fn content_type(path: &str) -> &'static str {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "bmp" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "heic" | "heif" => "image/heic",
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        _ => "application/octet-stream",
    }
}
