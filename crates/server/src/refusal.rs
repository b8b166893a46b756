//! The shapes in which a request is refused, as they are sent and as the interface's document describes them.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::Value;
use utoipa::{
    PartialSchema, ToResponse, ToSchema,
    openapi::{
        ContentBuilder, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder,
        schema::{Schema, Type},
    },
};
use viewfinder_core::{ErrorCode, Fault};

/// Stable codes of requests that never became tasks; tasks have those of [`ErrorCode`].
pub(crate) const REQUEST_CODES: [&str; 9] = [
    "cross_site",
    "host_unknown",
    "key_missing",
    "key_wrong",
    "request_broken",
    "request_malformed",
    "request_timeout",
    "request_too_large",
    "too_many_tries",
];

/// The shape of both Python services.
#[derive(Serialize, ToSchema)]
pub(crate) struct Detail {
    detail: Details,
}

#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Details {
    /// One line for people.
    Sentence(String),
    /// What is missing or wrong, part by part.
    Items(Vec<DetailItem>),
}

/// What is wrong with one part of a request.
#[derive(Serialize, ToSchema)]
pub(crate) struct DetailItem {
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub(crate) ctx: Option<Value>,
    /// What was sent.
    pub(crate) input: Value,
    /// Where it is.
    #[schema(value_type = Vec<Value>)]
    pub(crate) loc: Value,
    pub(crate) msg: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
}

impl Detail {
    pub(crate) fn sentence(message: &str) -> Self {
        Self { detail: Details::Sentence(message.to_owned()) }
    }

    pub(crate) fn item(item: DetailItem) -> Self {
        Self { detail: Details::Items(vec![item]) }
    }
}

/// Our own shape.
#[derive(Serialize, ToSchema)]
pub(crate) struct Error {
    pub(crate) error: Reason,
}

/// Why something failed.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct Reason {
    #[schema(value_type = Code)]
    pub(crate) code: &'static str,
    pub(crate) fault: Fault,
    /// One line for people.
    pub(crate) message: String,
    /// Can the same request succeed later?
    pub(crate) retryable: bool,
}

/// The schema of every stable code that an answer can have.
pub(crate) struct Code;

impl PartialSchema for Code {
    fn schema() -> RefOr<Schema> {
        let codes = ErrorCode::ALL.iter().map(|code| code.as_str()).chain(REQUEST_CODES);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(codes)).into()
    }
}

impl ToSchema for Code {
    fn name() -> Cow<'static, str> {
        "Code".into()
    }
}

impl ToResponse<'static> for Detail {
    fn response() -> (&'static str, RefOr<Response>) {
        let description = "Refused; detail is a sentence, or a list that names the missing part";
        ("Detail", with(description, "Detail").into())
    }
}

impl ToResponse<'static> for Error {
    fn response() -> (&'static str, RefOr<Response>) {
        ("Error", with("Refused or failed", "Error").into())
    }
}

/// A refusal in the shape of [`Detail`] that says when to come back.
pub(crate) struct Busy;

impl ToResponse<'static> for Busy {
    fn response() -> (&'static str, RefOr<Response>) {
        let seconds = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::Integer)))
            .description(Some("Seconds"));
        let response = with("Try again later", "Detail").header("Retry-After", seconds.build());
        ("Busy", response.into())
    }
}

/// A response with a schema as its body.
fn with(description: &str, schema: &str) -> ResponseBuilder {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(schema)));
    ResponseBuilder::new().description(description).content("application/json", content.build())
}
