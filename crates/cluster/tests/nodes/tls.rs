//! Encrypted hops, with authorities of one's own.

use std::{net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};
use viewfinder_cluster::nodes::{ConfigError, Node, NodeConfig, NodeError, NodeKind};
use viewfinder_core::ErrorCode;
use viewfinder_http::EncryptionError;

use crate::support::{ask, config, gateway};

/// Signs certificates.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// Serves with a certificate for this name.
    async fn serve(&self, name: &str) -> SocketAddr {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        serve(&certificate, &key).await
    }
}

/// Puts encryption with this certificate in front of a real gateway.
async fn serve(certificate: &Certificate, key: &KeyPair) -> SocketAddr {
    let (plain, _) = gateway().await;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut encrypted) = acceptor.accept(stream).await else { return };
                let mut plain = TcpStream::connect(plain).await.unwrap();
                let _ = copy_bidirectional(&mut encrypted, &mut plain).await;
            });
        }
    });
    address
}

fn trusting(authorities: Option<Vec<u8>>, address: SocketAddr) -> Result<Node, ConfigError> {
    let config = config(NodeKind::MtPhotos, format!("https://{address}"));
    Node::new(NodeConfig { authorities, ..config })
}

#[tokio::test]
async fn a_certificate_that_the_authority_signed_is_accepted() {
    let authority = Authority::new("home");
    let address = authority.serve("127.0.0.1").await;
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
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().self_signed(&key).unwrap();
    let address = serve(&certificate, &key).await;
    assert_eq!(trusting(Some(certificate.pem().into()), address).unwrap().probe().await, Ok(()));
}

#[tokio::test]
async fn another_certificate_is_refused_and_the_reason_is_clear() {
    let authority = Authority::new("home");
    let right = authority.serve("127.0.0.1").await;
    let misnamed = authority.serve("other.example").await;
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
    let key = KeyPair::generate().unwrap().serialize_pem();
    for pem in ["", "no certificate", &key, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
    {
        let error = trusting(Some(pem.into()), SocketAddr::from(([127, 0, 0, 1], 1))).unwrap_err();
        assert!(matches!(error, ConfigError::Encryption(EncryptionError::Authorities(_))), "{error:?}");
        assert!(!error.to_string().contains("BEGIN"), "{error}");
    }
}
