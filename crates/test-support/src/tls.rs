//! Encryption before a server, with certificates made for the test.
use std::{net::SocketAddr, sync::Arc};

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tokio::{io::copy_bidirectional, net::TcpStream};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use crate::TestServer;

/// Signs certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key.
pub struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    /// A new one.
    pub fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key()).expect("an authority's certificate"))
    }

    /// Its certificate.
    pub fn pem(&self) -> Vec<u8> {
        self.0.pem().into_bytes()
    }

    /// Signs a certificate for this name or address.
    pub fn identity(&self, name: &str) -> Identity {
        let key = key();
        let certificate = params(name).signed_by(&key, &self.0).expect("a signed certificate");
        Identity { certificate, key }
    }
}

impl Identity {
    /// For this name or address, signed by itself.
    pub fn self_signed(name: &str) -> Self {
        let key = key();
        let certificate = params(name).self_signed(&key).expect("a certificate");
        Self { certificate, key }
    }

    /// Its certificate.
    pub fn pem(&self) -> Vec<u8> {
        self.certificate.pem().into_bytes()
    }

    /// Its private key.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

impl TestServer {
    /// Puts encryption before a server that knows none.
    pub fn encrypted(plain: SocketAddr, identity: &Identity) -> Self {
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(identity.key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has them")
            .with_no_client_auth()
            .with_single_cert(vec![identity.certificate.der().clone()], key)
            .expect("the key is the certificate's");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::connections(move |_, stream| {
            let acceptor = acceptor.clone();
            async move {
                // A client that does not trust it leaves.
                let Ok(mut encrypted) = acceptor.accept(stream).await else { return };
                let Ok(mut plain) = TcpStream::connect(plain).await else { return };
                let _ = copy_bidirectional(&mut encrypted, &mut plain).await;
            }
        })
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("a key")
}

fn params(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("a name or an address")
}
