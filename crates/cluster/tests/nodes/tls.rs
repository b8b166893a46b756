//! Encrypted hops, with authorities of one's own.

use std::net::SocketAddr;

use viewfinder_cluster::nodes::{ConfigError, Node, NodeConfig, NodeError, NodeKind};
use viewfinder_core::ErrorCode;
use viewfinder_http::EncryptionError;
use viewfinder_test_support::{Authority, Identity, TestServer};

use crate::support::{ask, config, gateway};

/// A real server behind encryption.
async fn serve(identity: &Identity) -> SocketAddr {
    let (plain, _) = gateway().await;
    TestServer::encrypted(plain, identity).address
}

fn trusting(authorities: Option<Vec<u8>>, address: SocketAddr) -> Result<Node, ConfigError> {
    let config = config(NodeKind::MtPhotos, format!("https://{address}"));
    Node::new(NodeConfig { authorities, ..config })
}

#[tokio::test]
async fn a_certificate_that_the_authority_signed_is_accepted() {
    let authority = Authority::new("home");
    let address = serve(&authority.identity("127.0.0.1")).await;
    // One among several, as in a bundle.
    let bundle = [Authority::new("elsewhere").pem(), authority.pem()].concat();
    for pem in [authority.pem(), bundle] {
        let node = trusting(Some(pem), address).unwrap();
        assert_eq!(node.probe().await, Ok(()));
        assert!(ask(&node).await.is_ok());
    }
}

#[tokio::test]
async fn a_certificate_that_signs_itself_is_its_own_authority() {
    let identity = Identity::self_signed("127.0.0.1");
    let address = serve(&identity).await;
    assert_eq!(trusting(Some(identity.pem()), address).unwrap().probe().await, Ok(()));
}

#[tokio::test]
async fn another_certificate_is_refused_and_the_reason_is_clear() {
    let authority = Authority::new("home");
    let right = serve(&authority.identity("127.0.0.1")).await;
    let misnamed = serve(&authority.identity("other.example")).await;
    for (authorities, address, reason) in [
        (Some(Authority::new("elsewhere").pem()), right, "UnknownIssuer"),
        (None, right, "UnknownIssuer"),
        (Some(authority.pem()), misnamed, "not valid for"),
    ] {
        let node = trusting(authorities, address).unwrap();
        for error in [node.probe().await.unwrap_err(), ask(&node).await.unwrap_err()] {
            assert_eq!((error.label(), error.code()), ("unreachable", ErrorCode::NodeUnavailable));
            let NodeError::Unreachable(why) = error else { panic!("{error:?}") };
            assert!(why.starts_with("its certificate is not accepted: ") && why.contains(reason), "{why}");
        }
    }
}

#[test]
fn authorities_that_are_none_are_refused_at_once() {
    let key = Identity::self_signed("127.0.0.1").key_pem();
    for pem in ["", "no certificate", &key, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        let error = trusting(Some(pem.into()), SocketAddr::from(([127, 0, 0, 1], 1))).unwrap_err();
        assert!(matches!(error, ConfigError::Encryption(EncryptionError::Authorities(_))), "{error:?}");
        assert!(!error.to_string().contains("BEGIN"), "{error}");
    }
}
