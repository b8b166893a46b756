//! The page and its files.
use axum::response::Response;
use viewfinder_server::page_file;

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// Name, type and contents of each file beside the page.
pub(crate) const FILES: &[(&str, &str, &str)] = &[
    ("/photos/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/photos/api.js", JAVASCRIPT, include_str!("page/api.js")),
    ("/photos/people.css", "text/css; charset=utf-8", include_str!("page/people.css")),
    ("/photos/empty.js", JAVASCRIPT, include_str!("page/empty.js")),
    ("/photos/entrance.js", JAVASCRIPT, include_str!("page/entrance.js")),
    ("/photos/clipboard.js", JAVASCRIPT, include_str!("page/clipboard.js")),
    ("/photos/crop.js", JAVASCRIPT, include_str!("page/crop.js")),
    ("/photos/dom.js", JAVASCRIPT, include_str!("page/dom.js")),
    ("/photos/faces.js", JAVASCRIPT, include_str!("page/faces.js")),
    ("/photos/grid.js", JAVASCRIPT, include_str!("page/grid.js")),
    ("/photos/info.js", JAVASCRIPT, include_str!("page/info.js")),
    ("/photos/main.js", JAVASCRIPT, include_str!("page/main.js")),
    ("/photos/menu.js", JAVASCRIPT, include_str!("page/menu.js")),
    ("/photos/merge.js", JAVASCRIPT, include_str!("page/merge.js")),
    ("/photos/names.js", JAVASCRIPT, include_str!("page/names.js")),
    ("/photos/overlay.js", JAVASCRIPT, include_str!("page/overlay.js")),
    ("/photos/people.js", JAVASCRIPT, include_str!("page/people.js")),
    ("/photos/person.js", JAVASCRIPT, include_str!("page/person.js")),
    ("/photos/progress.js", JAVASCRIPT, include_str!("page/progress.js")),
    ("/photos/rerun.js", JAVASCRIPT, include_str!("page/rerun.js")),
    ("/photos/router.js", JAVASCRIPT, include_str!("page/router.js")),
    ("/photos/shrink.js", JAVASCRIPT, include_str!("page/shrink.js")),
    ("/photos/similar.js", JAVASCRIPT, include_str!("page/similar.js")),
    ("/photos/stage.js", JAVASCRIPT, include_str!("page/stage.js")),
    ("/photos/tile.js", JAVASCRIPT, include_str!("page/tile.js")),
    ("/photos/viewer.js", JAVASCRIPT, include_str!("page/viewer.js")),
    ("/photos/views.js", JAVASCRIPT, include_str!("page/views.js")),
    ("/photos/words.js", JAVASCRIPT, include_str!("page/words.js")),
    ("/photos/zoom.js", JAVASCRIPT, include_str!("page/zoom.js")),
];

/// The page.
#[utoipa::path(
    get, path = "/photos",
    responses(
        (status = 200, description = "Page", body = String, content_type = "text/html"),
        (status = 401, description = "To browsers: a page that asks for a key", body = String, content_type = "text/html"),
    ),
)]
pub(crate) async fn page() -> Response {
    page_file("text/html; charset=utf-8", include_str!("page/index.html"))
}
