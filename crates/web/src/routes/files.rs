//! Pictures: small ones, and the files themselves.
use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Take},
    sync::Arc,
};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::stream::try_unfold;
use serde::Deserialize;
use tokio::task::spawn_blocking;
use utoipa::IntoParams;
use viewfinder_catalog::{Asset, AssetId, view::hex};
use viewfinder_index::{Converted, Unread};

use super::{Photos, Shared};
use crate::{
    content_type::content_type,
    extract::{Numbers, Parameters},
    problem::Problem,
    range::{Part, part},
    thumbnail::SIZES,
};

/// Bytes of a file that are read at a time.
const PIECE: u64 = 256 << 10;

/// Addresses carry the content's hash: what is there never changes.
pub(super) const FOR_EVER: HeaderValue = HeaderValue::from_static("private, max-age=31536000, immutable");

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

/// The file itself, or a part of it.
///
/// The bytes as they lie on the disk, if they are those that the catalogue knows. `Range` asks for one part, as players of
/// videos do; several parts are answered with everything.
#[utoipa::path(
    get, path = "/api/v1/assets/{id}/file",
    params(("id" = i64, Path)),
    responses(
        (status = 200, description = "The file", content(("application/octet-stream"))),
        (status = 206, description = "A part of it", content(("application/octet-stream"))),
        (status = 304, description = "It is the one that `If-None-Match` names"),
        (status = "default", response = Problem),
    ),
)]
pub(super) async fn file(
    State(photos): Shared,
    Numbers([id]): Numbers<1>,
    method: Method,
    asked: HeaderMap,
) -> Result<Response, Problem> {
    let asset = photos.asset(AssetId(id)).await?;
    let size = asset.file.size;
    let tag = format!("\"{}\"", hex(&asset.file.hash[..16]));
    let mut headers = about(&asset, &tag)?;
    let part = part(&method, &asked, &tag, size);
    let (status, start, bytes) = match part {
        Part::Unchanged => return Ok((StatusCode::NOT_MODIFIED, headers).into_response()),
        Part::Beyond => return Ok(beyond(size)),
        Part::Whole => (StatusCode::OK, 0, size),
        Part::Some { first, last } => {
            headers.insert(header::CONTENT_RANGE, value(format!("bytes {first}-{last}/{size}"))?);
            (StatusCode::PARTIAL_CONTENT, first, last - first + 1)
        }
    };
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(bytes));
    let shared = Arc::clone(&photos);
    let open = move || {
        let mut file = shared.config.pictures.open(&asset).map_err(|error| unread(&asset, error))?;
        file.seek(SeekFrom::Start(start)).map_err(|error| gone(&asset, &error))?;
        Ok::<_, Problem>(file)
    };
    let file = photos.reading.run(open).await??;
    Ok((status, headers, in_pieces(photos, file.take(bytes))).into_response())
}

/// What is said of a file with each of its parts.
fn about(asset: &Asset, tag: &str) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type(&asset.file.path)));
    headers.insert(header::ETAG, value(tag.to_owned())?);
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CACHE_CONTROL, FOR_EVER);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // A picture format that can carry scripts must not run them here.
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    Ok(headers)
}

fn value(text: String) -> Result<HeaderValue, Problem> {
    HeaderValue::try_from(text).map_err(Problem::internal)
}

/// The file has no such part.
fn beyond(size: u64) -> Response {
    let detail = format!("the file has only {size} bytes");
    let problem =
        Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "range_invalid", "There is no such part", detail);
    let size = format!("bytes */{size}");
    ([(header::CONTENT_RANGE, size)], problem).into_response()
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

pub(super) fn unread(asset: &Asset, error: Unread) -> Problem {
    match error {
        Unread::Changed => gone(asset, &"it is not there any more, or not as it was"),
        Unread::Unreadable(message) | Unread::Bad { message, .. } => unshowable(&message),
    }
}

fn gone(asset: &Asset, why: &dyn std::fmt::Display) -> Problem {
    let name = asset.file.path.rsplit('/').next().unwrap_or_default();
    let detail = format!("{name} cannot be read: {why}");
    Problem::new(StatusCode::NOT_FOUND, "file_gone", "The file is gone", detail)
}

pub(super) fn unshowable(why: &dyn std::fmt::Display) -> Problem {
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "picture_unreadable", "The picture cannot be shown", why)
}
