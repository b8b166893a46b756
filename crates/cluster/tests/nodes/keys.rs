//! Another Viewfinder whose address wants a key: two real ends.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use viewfinder_cluster::nodes::{Node, NodeError, NodeKind, Secret};
use viewfinder_core::ErrorCode;
use viewfinder_server::{Key, Listen, Server, ServerConfig};
use viewfinder_test_support::{FakeBackend, Response, TestServer};

use crate::support::{KEY, ask, backend, config, listen, node, sentence};

/// A server that wants the key.
async fn locked() -> (std::net::SocketAddr, Arc<FakeBackend>) {
    let fake = Arc::new(backend());
    let listen = vec![Listen { key: Some(Key::new(KEY).unwrap()), ..listen() }];
    let server =
        Server::bind(ServerConfig { listen, ..ServerConfig::default() }, fake.clone()).await.unwrap();
    let address = server.addresses()[0];
    tokio::spawn(server.run(CancellationToken::new()));
    (address, fake)
}

#[tokio::test]
async fn the_right_key_opens_it() {
    let (address, fake) = locked().await;
    for kind in [NodeKind::Viewfinder, NodeKind::MtPhotos] {
        let node = node(kind, address);
        assert_eq!(node.probe().await, Ok(()), "{kind}");
        assert!(ask(&node).await.is_ok(), "{kind}");
        assert!(node.sentence(&sentence()).await.is_ok(), "{kind}");
    }
    assert_eq!(fake.pictures.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_wrong_key_or_none_is_told_as_such_by_the_probe_too() {
    let (address, fake) = locked().await;
    for kind in [NodeKind::Viewfinder, NodeKind::MtPhotos] {
        for (key, given, words) in [
            (Some(Secret::new("wrong")), true, "node attic does not accept the key that it is shown"),
            (None, false, "node attic wants a key, and none is set"),
        ] {
            let node = Node::new(viewfinder_cluster::nodes::NodeConfig {
                key,
                ..config(kind, format!("http://{address}"))
            });
            let node = node.unwrap();
            for error in [node.probe().await.unwrap_err(), ask(&node).await.unwrap_err()] {
                assert_eq!(error, NodeError::Key { given }, "{kind}");
                assert_eq!((error.label(), error.code()), ("key", ErrorCode::NodeRefused));
                assert_eq!(error.at("attic").message, words);
                assert!(error.may_help_elsewhere());
            }
        }
    }
    assert!(fake.pictures.lock().unwrap().is_empty());
}

#[tokio::test]
async fn mt_photos_own_services_say_it_in_their_way() {
    let missing =
        r#"{"detail":[{"type":"missing","loc":["header","api-key"],"msg":"Field required","input":null}]}"#;
    for (status, body) in [(401, r#"{"detail":"Invalid API key"}"#), (422, missing)] {
        let address =
            TestServer::saying(Response::new(status, body).with("content-type", "application/json")).address;
        assert_eq!(node(NodeKind::MtPhotos, address).probe().await, Err(NodeError::Key { given: true }));
    }
    // Whatever stands before Immich's service and refuses a picture is not about a key that its ping does not want.
    let address = TestServer::saying(Response::new(401, "")).address;
    let error = ask(&node(NodeKind::ImmichMl, address)).await.unwrap_err();
    assert!(matches!(error, NodeError::Refused { status: 401, .. }), "{error:?}");
}
