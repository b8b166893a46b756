//! What the routes say of themselves: the list of them, which want no key, and the interface's document.
use std::sync::LazyLock;

use utoipa::{OpenApi as _, openapi::OpenApi};
use viewfinder_server::operations;

use super::{guarded, open, page, told};
use crate::{page::FILES, problem::Problem};

/// What is said of the interface.
pub(super) static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(|| {
    let frame = Frame::openapi().merge_from(page().into_openapi());
    frame
        .merge_from(guarded().into_openapi())
        .merge_from(told().into_openapi())
        .merge_from(open().into_openapi())
});

/// Paths of the routes that want no key.
static OPEN: LazyLock<OpenApi> = LazyLock::new(|| open().into_openapi().merge_from(page().into_openapi()));

/// Every route: method and path.
pub static ROUTES: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| operations(&DOCUMENT).map(|(method, path, _)| (method, path)).collect());

/// The paths that show nothing of anybody's photos, and so want no key.
pub fn open_paths() -> impl Iterator<Item = &'static str> {
    operations(&OPEN).map(|(_, path, _)| path).chain(FILES.iter().map(|(path, ..)| *path))
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Viewfinder's catalogue",
        version = "1.0.0",
        description = "Photos, what is known about them, and searching them. It answers whoever shows the key of the address, and where that has none, the token of the page or a key of `viewfinder key new`: as Authorization: Bearer, api-key, x-api-key, or the cookie of /api/v1/session. Problems are RFC 9457 with a stable code.",
        license(name = "MIT", identifier = "MIT"),
    ),
    components(responses(Problem), schemas(Problem))
)]
struct Frame;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn the_document_says_all_that_it_ever_said() {
        let golden: Value = serde_json::from_str(include_str!("../../tests/golden/openapi.json")).unwrap();
        let document = serde_json::to_value(&*DOCUMENT).unwrap();
        let unsaid = viewfinder_test_support::openapi::unsaid(&golden, &document);
        assert!(unsaid.is_empty(), "{}", unsaid.join("\n"));
        // Every reference leads somewhere.
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
