//! Whose work it is reaches the node.

use viewfinder_cluster::nodes::NodeKind;
use viewfinder_core::trace::Context;
use viewfinder_test_support::{Response, TestServer};

use crate::support::{ask, node, sentence};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

fn context() -> Context {
    let mut headers = hyper::HeaderMap::new();
    headers.insert("x-request-id", "job-17".parse().unwrap());
    headers.insert("traceparent", format!("00-{TRACE}-00f067aa0ba902b7-01").parse().unwrap());
    headers.insert("tracestate", "vendor=1".parse().unwrap());
    Context::of(&headers)
}

#[tokio::test]
async fn each_request_is_a_span_of_the_same_trace() {
    for kind in NodeKind::ALL {
        let server = TestServer::saying(Response::json(r#"{"clip":"[1.0]","result":["1.0"]}"#));
        let node = node(kind, server.address);
        context().scope(async { drop((ask(&node).await, node.sentence(&sentence()).await)) }).await;
        let _ = node.probe().await;
        let heads: Vec<String> =
            server.requests().iter().map(|request| request.head.to_ascii_lowercase()).collect();
        let [picture, sentence, probe] = &heads[..] else { panic!("{heads:?}") };
        let mut spans = Vec::new();
        for head in [picture, sentence] {
            assert!(head.contains("\r\nx-request-id: job-17\r\n"), "{head}");
            assert!(head.contains("\r\ntracestate: vendor=1\r\n"), "{head}");
            let (_, parent) = head.split_once("\r\ntraceparent: ").unwrap();
            assert_eq!((&parent[..36], &parent[52..57]), (&*format!("00-{TRACE}-"), "-01\r\n"));
            spans.push(parent[36..52].to_owned());
        }
        assert!(spans[0] != spans[1] && !spans.contains(&"00f067aa0ba902b7".to_owned()), "{spans:?}");
        // A probe is nobody's work.
        assert!(!probe.contains("trace") && !probe.contains("x-request-id"), "{probe}");
    }
}
