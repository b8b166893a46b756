//! What requests carry, with problems of ours where it is not as it should be.
use std::time::Duration;

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, request::Parts},
};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::problem::Problem;

/// A body is a line of text at most; whoever takes longer to send it holds up others.
const PATIENCE: Duration = Duration::from_secs(10);

/// Numbers in a path.
pub(crate) struct Numbers<const N: usize>(pub(crate) [i64; N]);

/// Parameters behind a path.
pub(crate) struct Parameters<T>(pub(crate) T);

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<S: Send + Sync, const N: usize> FromRequestParts<S> for Numbers<N> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<Vec<(String, String)>>::from_request_parts(parts, state).await;
        let values = path.map_err(Problem::internal)?.0;
        let numbers: Option<Vec<i64>> = values.iter().map(|(_, value)| value.parse().ok()).collect();
        let numbers = numbers.and_then(|numbers| numbers.try_into().ok());
        numbers.map(Self).ok_or_else(|| Problem::no_such("thing: numbers are expected"))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(value) = query.map_err(|error| Problem::bad("parameter_invalid", error.body_text()))?;
        Ok(Self(value))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let title = "The body cannot be understood";
        match timeout(PATIENCE, Json::<T>::from_request(request, state)).await {
            Ok(Ok(Json(value))) => Ok(Self(value)),
            Ok(Err(error)) => Err(Problem::new(error.status(), "body_invalid", title, error.body_text())),
            Err(_) => {
                let detail = format!("the body did not arrive within {} s", PATIENCE.as_secs());
                Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_slow", title, detail))
            }
        }
    }
}
