use std::{convert::Infallible, error::Error};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Full, combinators::UnsyncBoxBody};

/// The body of a request or an answer on its way.
pub type Body = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// A body without content.
pub fn empty() -> Body {
    Empty::new().map_err(never).boxed_unsync()
}

/// A body that is there already.
pub fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).map_err(never).boxed_unsync()
}

fn never(never: Infallible) -> Box<dyn Error + Send + Sync> {
    match never {}
}
