//! How peers say no, and who is to blame.

use std::time::Duration;

use viewfinder_cluster::nodes::{Node, NodeError, NodeKind};
use viewfinder_core::ErrorCode;
use viewfinder_test_support::{Response, TestServer};

use crate::support::{ask, embed, gateway, node, request, sentence};

async fn refused(kind: NodeKind, answer: Response) -> NodeError {
    let address = TestServer::saying(answer).address;
    ask(&node(kind, address)).await.unwrap_err()
}

const PICTURE: [ErrorCode; 5] = [
    ErrorCode::ImageEmpty,
    ErrorCode::ImageUndecodable,
    ErrorCode::ImageTooManyBytes,
    ErrorCode::ImageTooLarge,
    ErrorCode::ImageZeroSize,
];

#[tokio::test]
async fn another_viewfinder_tells_its_codes_through_every_protocol() {
    let (address, fake) = gateway().await;
    for kind in NodeKind::ALL {
        let node = node(kind, address);
        for code in ErrorCode::ALL {
            fake.fail(*code);
            let error = ask(&node).await.unwrap_err();
            if matches!(code, ErrorCode::Busy | ErrorCode::Stopping) {
                assert!(matches!(error, NodeError::Busy { retry_after: Some(_) }), "{kind} {error:?}");
                continue;
            }
            assert!(
                matches!(&error, NodeError::Refused { code: Some(told), .. } if told == code),
                "{error:?}"
            );
            assert_eq!(error.is_the_pictures_fault(), PICTURE.contains(code), "{kind} {error:?}");
            assert_eq!(error.may_help_elsewhere(), !PICTURE.contains(code));
            if PICTURE.contains(code) {
                assert_eq!(error.code(), *code);
            }
            let error = node.sentence(&sentence()).await.unwrap_err();
            assert!(matches!(error, NodeError::Refused { code: Some(told), .. } if told == *code));
        }
    }
}

#[tokio::test]
async fn immichs_words_for_a_bad_picture() {
    for (status, body, fault) in [
        (400, r#"{"detail":"Image has zero width or height"}"#, true),
        (422, r#"{"detail":"cannot decode"}"#, true),
        (413, "<html>too large</html>", true),
        (415, "", true),
        (400, r#"{"detail":"Either image or text must be provided"}"#, false),
        (422, r#"{"detail":"Invalid request format."}"#, false),
        (422, r#"{"detail":[{"loc":["body","entries"],"msg":"Field required"}]}"#, false),
        (500, "Internal Server Error", false),
        (404, r#"{"detail":"Not Found"}"#, false),
        (401, r#"{"detail":"Invalid API key"}"#, false),
        (307, "", false),
    ] {
        let error =
            refused(NodeKind::ImmichMl, Response::new(status, body).with("content-type", "text/plain")).await;
        assert_eq!(error.is_the_pictures_fault(), fault, "{status} {body}: {error:?}");
        assert_eq!(error.label(), "refused");
    }
}

#[tokio::test]
async fn a_crash_over_what_is_no_picture_is_the_pictures_fault() {
    let crash = Response::new(500, "Internal Server Error").with("content-type", "text/plain");
    let address = TestServer::saying(crash).address;
    let mut request = request(vec![embed()]);
    request.bytes = bytes::Bytes::from_static(b"%PDF-1.7");
    let error = node(NodeKind::ImmichMl, address).picture(&request).await.unwrap_err();
    assert_eq!((error.is_the_pictures_fault(), error.code()), (true, ErrorCode::ImageUndecodable));
    // Nothing is sent to MT Photos' service, whose answers would lack the size.
    let error = node(NodeKind::MtPhotos, address).picture(&request).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::ImageUndecodable);
}

#[tokio::test]
async fn mt_photos_messages_are_errors_and_no_empty_results() {
    for (message, code) in [
        ("height or width out of range", Some(ErrorCode::ImageTooLarge)),
        ("'NoneType' object has no attribute 'shape'", Some(ErrorCode::ImageUndecodable)),
        ("cannot identify image file <_io.BytesIO>", Some(ErrorCode::ImageUndecodable)),
        ("infer request busy", None),
        ("", None),
    ] {
        let body = serde_json::json!({"result": [], "msg": message}).to_string();
        match refused(NodeKind::MtPhotos, Response::json(&body)).await {
            NodeError::Refused { status: 200, code: told, message } => {
                assert_eq!(told, code);
                assert!(!message.is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn busy_peers_say_when_to_come_back() {
    for (status, after, expected) in [
        (503, Some("7"), Some(Duration::from_secs(7))),
        (503, None, None),
        (429, Some("99999999"), Some(Duration::from_secs(3600))),
        (503, Some("Wed, 21 Oct 2026 07:28:00 GMT"), None),
    ] {
        let answer = Response::status(status);
        let answer = after.into_iter().fold(answer, |answer, after| answer.with("retry-after", after));
        let error = refused(NodeKind::ImmichMl, answer).await;
        assert_eq!(error, NodeError::Busy { retry_after: expected });
        assert_eq!(error.code(), ErrorCode::Busy);
    }
}

#[tokio::test]
async fn a_wrong_key_of_mt_photos_routes_is_told_as_such() {
    let (address, _) = gateway().await;
    let mut config = crate::support::config(NodeKind::MtPhotos, format!("http://{address}"));
    config.key = None;
    let keyless = Node::new(config.clone()).unwrap();
    config.key = Some(viewfinder_cluster::nodes::Secret::new("other"));
    for (node, given) in [(keyless, false), (Node::new(config).unwrap(), true)] {
        let error = node.probe().await.unwrap_err();
        assert_eq!(error, NodeError::Key { given });
        let error = ask(&node).await.unwrap_err();
        assert!(!error.is_the_pictures_fault(), "{error:?}");
        assert_eq!(error.code(), ErrorCode::NodeRefused);
    }
}
