//! Pictures: small ones, and the files themselves.
use std::{
    fs::File,
    io::{self, Read as _, Take},
    path::Path,
    sync::Arc,
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream::try_unfold;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use utoipa::IntoParams;
use viewfinder_catalog::{Asset, AssetId};
use viewfinder_index::{Converted, Unread};

use super::{Photos, Shared};
use crate::{
    extract::{Numbers, Parameters},
    problem::Problem,
    thumbnail::SIZES,
};

/// Bytes of a file that are read at a time.
const PIECE: u64 = 256 << 10;

/// Addresses carry the content's hash: what is there never changes.
const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ThumbnailParameters {
    /// Longer side in pixels: 320 or 1600.
    #[param(default = 320)]
    size: Option<usize>,
}

/// A small picture.
///
/// At most so large; sizes are rounded up to those that are kept.
#[utoipa::path(
    get, path = "/api/v1/assets/{id}/thumbnail",
    params(("id" = i64, Path), ThumbnailParameters),
    responses((status = 200, description = "JPEG", content(("image/jpeg"))), (status = "default", response = Problem)),
)]
pub(super) async fn thumbnail(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
    Parameters(ThumbnailParameters { size }): Parameters<ThumbnailParameters>,
) -> Result<Response, Problem> {
    let asset = photos.asset(AssetId(id)).await?;
    let wanted = size.unwrap_or(SIZES[0]);
    let size = SIZES.into_iter().find(|kept| *kept >= wanted).unwrap_or(SIZES[1]);
    let shared = Arc::clone(&photos);
    let hash = asset.file.hash;
    let kept =
        spawn_blocking(move || shared.thumbnails.kept(&hash, size)).await.map_err(Problem::internal)?;
    let jpeg = if let Some(jpeg) = kept {
        jpeg
    } else {
        let shared = Arc::clone(&photos);
        let make = move || {
            let config = &shared.config;
            let read = config.pictures.read_blocking(&asset);
            let Converted { bytes, .. } = read.map_err(|error| unread(&asset, error))?;
            let made = shared.thumbnails.make(&hash, size, &bytes, &config.limits);
            made.map_err(|error| unshowable(&error))
        };
        photos.making.run(make).await??
    };
    Ok(([(header::CONTENT_TYPE, "image/jpeg")], [(header::CACHE_CONTROL, FOR_EVER)], jpeg).into_response())
}

/// The file itself.
///
/// The bytes as they lie on the disk, if they are those that the catalogue knows.
#[utoipa::path(
    get, path = "/api/v1/assets/{id}/file",
    params(("id" = i64, Path)),
    responses((status = 200, description = "The file", content(("application/octet-stream"))), (status = "default", response = Problem)),
)]
pub(super) async fn file(State(photos): Shared, Numbers([id]): Numbers<1>) -> Result<Response, Problem> {
    let asset = photos.asset(AssetId(id)).await?;
    let content_type = content_type(&asset.file.path);
    let bytes = asset.file.size;
    let shared = Arc::clone(&photos);
    let open = move || shared.config.pictures.open(&asset).map_err(|error| unread(&asset, error));
    let file = photos.reading.run(open).await??;
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    headers.insert(header::CACHE_CONTROL, FOR_EVER);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A picture format that can carry scripts must not run them here.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    Ok((headers, in_pieces(photos, file.take(bytes))).into_response())
}

/// The content of a file that was judged, of that very file, whatever its path leads to by now. A client that is slow keeps no place.
fn in_pieces(photos: Arc<Photos>, file: Take<File>) -> Body {
    Body::from_stream(try_unfold(file, move |mut file| {
        let photos = Arc::clone(&photos);
        async move {
            let read = move || {
                let mut piece = Vec::new();
                file.by_ref().take(PIECE).read_to_end(&mut piece)?;
                Ok::<_, io::Error>((!piece.is_empty()).then_some((piece, file)))
            };
            photos.reading.run(read).await.map_err(|problem| io::Error::other(problem.detail))?
        }
    }))
}

fn unread(asset: &Asset, error: Unread) -> Problem {
    match error {
        Unread::Changed => gone(asset, &"it is not there any more, or not as it was"),
        Unread::Unreadable(message) | Unread::Bad { message, .. } => {
            unshowable(&message)
        }
    }
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
