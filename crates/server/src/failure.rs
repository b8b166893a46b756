use std::time::Duration;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use viewfinder_core::{ErrorCode, Fault, TaskError, short};
use viewfinder_wire::BadVector;

use crate::refusal::{Detail, Error, REQUEST_CODES, Reason};

/// A request that got no answer, before a protocol puts it into its own words.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    /// Stable and machine-readable: an [`ErrorCode`], or one of [`REQUEST_CODES`].
    pub(crate) code: &'static str,
    /// One line for people.
    pub(crate) message: String,
    pub(crate) fault: Fault,
    /// Set where the same request can succeed later.
    retry_after: Option<Duration>,
}

impl Failure {
    /// The caller has to change the request. Of the message, the beginning is kept.
    pub(crate) fn caller(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        debug_assert!(REQUEST_CODES.contains(&code), "{code} is not described");
        Self { status, code, message: short(message.into()), fault: Fault::Caller, retry_after: None }
    }

    /// Too many wrong keys.
    pub(crate) fn guessing(wait: Duration) -> Self {
        let message = "too many wrong keys; try again in a minute";
        let failure = Self::caller(StatusCode::TOO_MANY_REQUESTS, "too_many_tries", message);
        Self { retry_after: Some(wait), ..failure }
    }

    /// No room for another body.
    pub(crate) fn full() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            code: ErrorCode::Busy.as_str(),
            message: "too many pictures at once; try again soon".to_owned(),
            fault: Fault::Server,
            retry_after: Some(Duration::from_secs(2)),
        }
    }

    /// A defect of ours.
    pub(crate) fn broken(message: &str) -> Self {
        TaskError::new(ErrorCode::Internal, message).into()
    }

    /// `{"detail": …}`, the shape of both Python services.
    pub(crate) fn detail(&self) -> Response {
        self.respond(&Detail::sentence(&self.message))
    }

    /// Our own shape.
    pub(crate) fn own(&self) -> Response {
        self.respond(&Error { error: self.reason() })
    }

    /// The contents of our own shape.
    pub(crate) fn reason(&self) -> Reason {
        Reason {
            code: self.code,
            fault: self.fault,
            message: self.message.clone(),
            retryable: self.retry_after.is_some(),
        }
    }

    /// Any body, with the status, and what the log and the metrics want to know.
    pub(crate) fn respond(&self, body: &impl Serialize) -> Response {
        self.mark((self.status, Json(body)).into_response())
    }

    /// Adds to a finished response what the log wants to know, the code, and when to come back.
    pub(crate) fn mark(&self, mut response: Response) -> Response {
        let (status, tries) = (response.status(), StatusCode::TOO_MANY_REQUESTS);
        if status == StatusCode::SERVICE_UNAVAILABLE || status == tries {
            let wait = self.retry_after.unwrap_or(Duration::from_mins(5));
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if response.status() == StatusCode::UNAUTHORIZED {
            let scheme = HeaderValue::from_static("Bearer realm=\"Viewfinder\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, scheme);
        }
        // For another node, which has no other way to tell within the protocols' own words.
        response.headers_mut().insert("x-viewfinder-code", HeaderValue::from_static(self.code));
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<TaskError> for Failure {
    fn from(error: TaskError) -> Self {
        let wait = Duration::from_secs(match error.code {
            ErrorCode::Busy => 2,
            ErrorCode::ModelUnavailable => 60,
            _ => 10,
        });
        Self {
            status: StatusCode::from_u16(error.code.http_status())
                .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            code: error.code.as_str(),
            message: short(error.message),
            fault: error.code.fault(),
            retry_after: error.code.retryable().then_some(wait),
        }
    }
}

impl From<BadVector> for Failure {
    fn from(error: BadVector) -> Self {
        TaskError::new(ErrorCode::InferenceFailed, error).into()
    }
}
