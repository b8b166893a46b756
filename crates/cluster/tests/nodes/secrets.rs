//! What must not be told is not told.

use viewfinder_cluster::nodes::{Node, NodeKind, Secret};
use viewfinder_test_support::{Response, TestServer};

use crate::support::{KEY, ask, config, node};

#[tokio::test]
async fn peers_that_repeat_what_they_were_sent_do_not_make_the_key_public() {
    let echo = format!("you sent {KEY},\nand\x07 {}", "much more ".repeat(200));
    let json = serde_json::json!({"detail": echo}).to_string();
    let handled = serde_json::json!({"result": [], "msg": echo}).to_string();
    for kind in NodeKind::ALL {
        for answer in [
            Response::new(400, &json).with("content-type", "application/json"),
            Response::new(500, &echo).with("content-type", "text/plain"),
            Response::new(403, &echo).with("content-type", "text/html"),
            Response::new(503, &echo),
            Response::json(&handled),
            Response::json(&echo),
            Response::json(format!(r#"{{"clip":"{KEY}","result":"{KEY}"}}"#)),
        ] {
            let address = TestServer::saying(answer).address;
            let node = node(kind, address);
            for error in [ask(&node).await.unwrap_err(), node.probe().await.unwrap_err()] {
                for told in [format!("{error:?}"), error.to_string(), error.at("attic").to_string()] {
                    assert!(!told.contains(KEY), "{told}");
                    assert!(told.chars().count() < 300 && !told.contains(['\n', '\x07']), "{told}");
                }
            }
        }
    }
}

#[test]
fn configurations_hide_keys_and_whatever_a_url_holds() {
    for url in ["http://user:hidden@host", "http://host/?token=hidden", "http://host/#hidden", "hidden"] {
        let config = config(NodeKind::ImmichMl, url.into());
        let shown = format!("{config:?}");
        assert!(!shown.contains("hidden") && !shown.contains(KEY), "{shown}");
        let error = Node::new(config).unwrap_err();
        assert!(!format!("{error:?} {error}").contains("hidden"));
    }
    let node = Node::new(config(NodeKind::MtPhotos, "https://host:1".into())).unwrap();
    assert!(!format!("{node:?}").contains(KEY));
    assert_eq!(format!("{:?}", Secret::new(KEY)), "Secret");
    for key in ["", " ", "two\nlines"] {
        let mut config = config(NodeKind::MtPhotos, "https://host:1".into());
        config.key = Some(Secret::new(key));
        assert!(Node::new(config).is_err());
    }
}

#[test]
fn kinds_have_names() {
    for kind in NodeKind::ALL {
        assert_eq!(kind.to_string().parse(), Ok(kind));
        assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        assert_eq!(serde_json::from_value::<NodeKind>(kind.as_str().into()).unwrap(), kind);
    }
    assert!("immich".parse::<NodeKind>().is_err());
}
