//! What the routes say of themselves: the list of them, which of them want a key, and the interface's document.

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
};

use utoipa::{
    IntoResponses, OpenApi as _,
    openapi::{
        OpenApi, Ref, RefOr, Response,
        path::Operation,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use super::{App, declared};
use crate::refusal::{Busy, Detail, Error};

/// What the server says of its interface.
pub(super) static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(|| declared().into_openapi());

/// Every route: method and path.
pub static ROUTES: LazyLock<Vec<(&str, &str)>> =
    LazyLock::new(|| operations(&DOCUMENT).map(|(method, path, _)| (method, path)).collect());

/// Paths that want no key.
static OPEN: LazyLock<Vec<&str>> = LazyLock::new(|| {
    let open = operations(&DOCUMENT).filter(|(_, _, operation)| operation.security.is_none());
    open.map(|(_, path, _)| path).collect()
});

/// Does a path want no key?
pub(crate) fn is_open(path: &str) -> bool {
    OPEN.contains(&path)
}

/// Everything that a document describes: method, path, and what is said of it.
pub fn operations(document: &OpenApi) -> impl Iterator<Item = (&'static str, &str, &Operation)> {
    document.paths.paths.iter().flat_map(|(path, item)| {
        let methods = [
            ("GET", &item.get),
            ("POST", &item.post),
            ("PUT", &item.put),
            ("PATCH", &item.patch),
            ("DELETE", &item.delete),
        ];
        methods
            .into_iter()
            .filter_map(|(method, operation)| Some((method, path.as_str(), operation.as_ref()?)))
    })
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Viewfinder",
        description = "All protocols are offered on every address. An address may want a key, for everything but /ping and the pages' styles and scripts. Answers carry x-request-id; traceparent and tracestate are passed on to other machines. Every 503 carries Retry-After.",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "immich", description = "Immich's machine-learning protocol"),
        (name = "mt-photos", description = "MT Photos' AI protocol"),
        (name = "viewfinder", description = "Our own"),
    ),
    components(responses(Detail, Busy, Error), schemas(Detail, Error)),
)]
struct Frame;

/// The document without its routes.
pub(super) fn frame() -> OpenApi {
    let header = |name, description| {
        SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(name, description)))
    };
    let of_address = "The key of the address, if it wants one";
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(of_address));
    let mut document = Frame::openapi();
    document.components.get_or_insert_default().add_security_schemes_from_iter([
        (BEARER, SecurityScheme::Http(bearer.build())),
        (API_KEY, header("api-key", "The key of the address, or else that of MT Photos' routes")),
        (X_API_KEY, header("x-api-key", of_address)),
    ]);
    document
}

const BEARER: &str = "bearer";
const API_KEY: &str = "apiKey";
const X_API_KEY: &str = "xApiKey";

/// The key of an address, which may have none.
pub(super) const OF_ADDRESS: [Option<&str>; 4] = [None, Some(BEARER), Some(API_KEY), Some(X_API_KEY)];
/// The key of MT Photos' protocol, or that of the address.
pub(super) const OF_MT_PHOTOS: [Option<&str>; 3] = [Some(API_KEY), Some(BEARER), Some(X_API_KEY)];

/// Says of every route of a group which keys it takes, and which response refuses those without.
pub(super) fn keyed(
    keys: &[Option<&str>],
    refusal: &str,
    mut group: OpenApiRouter<Arc<App>>,
) -> OpenApiRouter<Arc<App>> {
    let requirement = |scheme: Option<&str>| match scheme {
        Some(scheme) => SecurityRequirement::new(scheme, [""; 0]),
        None => SecurityRequirement::default(),
    };
    for item in group.get_openapi_mut().paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            operation.security = Some(keys.iter().copied().map(requirement).collect());
            operation.responses.responses.insert("401".to_owned(), Ref::from_response_name(refusal).into());
        }
    }
    group
}

/// How Python's services refuse a request with a body, whatever is asked.
pub(super) struct Refusals;

impl IntoResponses for Refusals {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let detail = ["400", "408", "413", "422", "500"].map(|status| (status, "Detail"));
        let all = detail.into_iter().chain([("503", "Busy")]);
        all.map(|(status, name)| (status.to_owned(), Ref::from_response_name(name).into())).collect()
    }
}
