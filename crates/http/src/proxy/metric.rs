use hyper::StatusCode;
use metrics::{counter, describe_counter, describe_gauge, gauge};

use crate::proxy::UpstreamError;

const REQUESTS: &str = "viewfinder_proxy_requests_total";
const IN_FLIGHT: &str = "viewfinder_proxy_requests_in_flight";
const FAILURES: &str = "viewfinder_proxy_failures_total";
const TUNNELS: &str = "viewfinder_proxy_tunnels";

/// Describes the proxy's metrics to the process's recorder.
pub fn describe() {
    describe_counter!(REQUESTS, "Requests passed on to the server behind the proxy, by class of status");
    describe_gauge!(IN_FLIGHT, "Requests passed on whose answer has not begun");
    describe_counter!(FAILURES, "Requests that the server behind the proxy gave no answer to, by reason");
    describe_gauge!(TUNNELS, "Open web sockets and other connections that changed their protocol");
}

pub(crate) fn answered(status: StatusCode) {
    let class = match status.as_u16() {
        100..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        _ => "5xx",
    };
    counter!(REQUESTS, "status" => class).increment(1);
}

pub(crate) fn failed(error: &UpstreamError) {
    counter!(FAILURES, "reason" => error.label()).increment(1);
}

/// Counts a request as in flight until dropped.
pub(crate) struct InFlight;

impl InFlight {
    pub(crate) fn start() -> Self {
        gauge!(IN_FLIGHT).increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(IN_FLIGHT).decrement(1.0);
    }
}

/// Counts a tunnel as open until dropped.
pub(crate) struct Tunnel;

impl Tunnel {
    pub(crate) fn open() -> Self {
        gauge!(TUNNELS).increment(1.0);
        Self
    }
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        gauge!(TUNNELS).decrement(1.0);
    }
}
