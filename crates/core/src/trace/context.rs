use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tracing::Instrument as _;

use super::{ids, parent::Parent};

/// The header of a request's id, in requests and in answers.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PARENT: HeaderName = HeaderName::from_static("traceparent");
const STATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest request id that is taken over, in bytes.
const LONGEST_ID: usize = 128;
/// Longest `tracestate` that is passed on, in bytes; the recommendation asks for no more.
const LONGEST_STATE: usize = 512;

/// Who a request is. Clones are cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Context {
    inner: Arc<Inner>,
}

#[derive(Debug, PartialEq, Eq)]
struct Inner {
    id: HeaderValue,
    parent: Parent,
    state: Option<HeaderValue>,
}

tokio::task_local! {
    static CURRENT: Context;
}

impl Context {
    /// Reads it from a request's headers. What is missing, or unfit for a log, is made up.
    pub fn of(headers: &HeaderMap) -> Self {
        let id = given_id(headers).unwrap_or_else(ids::request_id);
        let given = given_parent(headers);
        // Without its parent, the state belongs to no trace.
        let state = given.as_ref().and_then(|_| given_state(headers));
        let parent = given.unwrap_or_else(Parent::new);
        Self { inner: Arc::new(Inner { id, parent, state }) }
    }

    /// The request's id, fit for a log.
    pub fn id(&self) -> &HeaderValue {
        &self.inner.id
    }

    /// The trace's id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        &self.inner.parent.trace
    }

    /// Adds to a request to another machine whose work it is part of; each such request is a new span of the trace.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.insert(REQUEST_ID, self.inner.id.clone());
        if let Ok(parent) = HeaderValue::try_from(self.inner.parent.child()) {
            headers.insert(PARENT, parent);
        }
        if let Some(state) = &self.inner.state {
            headers.insert(STATE, state.clone());
        }
    }

    /// Lets everything that the future awaits know it as the [`current`] one.
    pub async fn scope<F: Future>(self, future: F) -> F::Output {
        CURRENT.scope(self, future).await
    }
}

/// The request on whose behalf this task works, if any.
pub fn current() -> Option<Context> {
    CURRENT.try_with(Context::clone).ok()
}

/// Work for a task of its own, on behalf of the same request and within the same span of the log.
pub fn in_current_context<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let context = current();
    let work = async move {
        match context {
            Some(context) => context.scope(future).await,
            None => future.await,
        }
    };
    work.in_current_span()
}

/// The sender's own id, if it is fit for a log.
fn given_id(headers: &HeaderMap) -> Option<HeaderValue> {
    let id = headers.get(REQUEST_ID)?;
    let fit = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    (!id.is_empty() && id.len() <= LONGEST_ID && id.as_bytes().iter().all(fit)).then(|| id.clone())
}

/// The one parent; two of them contradict each other.
fn given_parent(headers: &HeaderMap) -> Option<Parent> {
    let mut parents = headers.get_all(PARENT).iter();
    match (parents.next(), parents.next()) {
        (Some(parent), None) => Parent::parse(parent.to_str().ok()?),
        _ => None,
    }
}

/// The state, which may come in several pieces.
fn given_state(headers: &HeaderMap) -> Option<HeaderValue> {
    let pieces: Vec<_> = headers.get_all(STATE).iter().map(HeaderValue::as_bytes).collect();
    let state = pieces.join(&b","[..]);
    if state.is_empty() || state.len() > LONGEST_STATE {
        return None;
    }
    HeaderValue::try_from(state).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn sent(context: &Context) -> HeaderMap {
        let mut headers = HeaderMap::new();
        context.write(&mut headers);
        headers
    }

    const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_given_is_passed_on() {
        let given = [("x-request-id", "job-17:a"), ("traceparent", GIVEN), ("tracestate", "a=1")];
        let mut given = headers(&given);
        given.append(STATE, "b=2".parse().unwrap());
        let context = Context::of(&given);
        assert_eq!((context.id(), context.trace_id()), (&"job-17:a".parse().unwrap(), &GIVEN[3..35]));
        let sent = sent(&context);
        assert_eq!((&sent[REQUEST_ID], &sent[STATE]), (&given[REQUEST_ID], &"a=1,b=2".parse().unwrap()));
        let parent = sent[PARENT].to_str().unwrap();
        assert_eq!((&parent[..36], &parent[52..]), (&GIVEN[..36], "-01"));
        assert_ne!(parent, GIVEN);
    }

    #[test]
    fn what_is_missing_or_unfit_is_made_up() {
        for unfit in [
            headers(&[]),
            headers(&[("x-request-id", "<a b>"), ("traceparent", "00-zz"), ("tracestate", "a=1")]),
        ] {
            let context = Context::of(&unfit);
            assert_ne!(unfit.get(REQUEST_ID), Some(context.id()));
            let sent = sent(&context);
            assert!(Parent::parse(sent[PARENT].to_str().unwrap()).is_some());
            assert_eq!(sent.get(STATE), None);
        }
        let mut two = headers(&[("traceparent", GIVEN)]);
        two.append(PARENT, GIVEN.parse().unwrap());
        assert_ne!(Context::of(&two).trace_id(), &GIVEN[3..35]);
        assert_ne!(Context::of(&headers(&[])).id(), Context::of(&headers(&[])).id());
    }

    #[test]
    fn what_is_too_long_or_empty_is_not_taken_over() {
        for (length, taken) in [(0, false), (1, true), (LONGEST_ID, true), (LONGEST_ID + 1, false)] {
            let id = "x".repeat(length);
            let context = Context::of(&headers(&[("x-request-id", &id)]));
            assert_eq!(context.id() == id.as_str(), taken, "{length}");
        }
        for (length, taken) in [(0, false), (1, true), (LONGEST_STATE, true), (LONGEST_STATE + 1, false)] {
            let state = "x".repeat(length);
            let sent = sent(&Context::of(&headers(&[("traceparent", GIVEN), ("tracestate", &state)])));
            assert_eq!(sent.get(STATE).is_some_and(|sent| *sent == state), taken, "{length}");
        }
    }

    #[tokio::test]
    async fn work_knows_on_whose_behalf_it_is_done() {
        assert_eq!(current(), None);
        let context = Context::of(&headers(&[("x-request-id", "mine")]));
        let seen = context
            .clone()
            .scope(async {
                (current(), tokio::spawn(in_current_context(async { current() })).await.unwrap())
            })
            .await;
        assert_eq!(seen, (Some(context.clone()), Some(context)));
        assert_eq!(tokio::spawn(in_current_context(async { current() })).await.unwrap(), None);
    }
}
