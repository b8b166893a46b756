//! Immich's API, with a key of one user.
use std::time::Duration;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::{
    Agent, Body,
    http::Response,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};
use uuid::Uuid;

use crate::api::listed::Listed;

/// The longest answer; previews are the largest, with a megabyte or two, and pages of a thousand pictures.
const MOST_BYTES: u64 = 64 << 20;
/// Longest time for an answer, from the look-up of the name to its last byte.
const PATIENCE: Duration = Duration::from_secs(60);
/// Pictures on a page of a list: the most that Immich gives.
const PAGE: u32 = 1000;

/// Why there is no answer. One line, without the key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ClientError {
    /// Nobody answers, or not now.
    #[error("Immich does not answer: {0}")]
    Away(String),
    /// The key is none, or not for this.
    #[error(
        "Immich refuses the API key ({0}); it needs the permissions asset.read, asset.view and user.read"
    )]
    Key(u16),
    /// There is no such thing, or not for this user.
    #[error("Immich has no such picture, or none of this user")]
    Missing,
    /// Something else.
    #[error("Immich answers in an unexpected way: {0}")]
    Strange(String),
}

/// A page of a list of pictures.
pub(crate) struct Page {
    pub(crate) pictures: Vec<Listed>,
    /// The next one's number.
    pub(crate) next: Option<u32>,
}

/// Whose certificates are accepted. What is no certificate is passed over.
fn trust(authorities: Option<&[u8]>) -> TlsConfig {
    let certificate = |item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    };
    let roots = authorities.map_or(RootCerts::WebPki, |pem| parse_pem(pem).filter_map(certificate).into());
    TlsConfig::builder().root_certs(roots).build()
}

/// Asks Immich in the name of a key's user.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    key: String,
}

impl Client {
    /// `base` is `http://host:port`, or `https`; `authorities`: see [`ApiConfig`](crate::api::ApiConfig).
    pub(crate) fn new(base: &str, key: &str, authorities: Option<&[u8]>) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            // The server is near, and nobody else gets the key.
            .proxy(None)
            .max_redirects(0)
            .tls_config(trust(authorities))
            .timeout_global(Some(PATIENCE));
        Self {
            agent: config.build().into(),
            base: base.trim().trim_end_matches('/').to_owned(),
            key: key.to_owned(),
        }
    }

    /// Whose key it is.
    pub(crate) fn user(&self) -> Result<Uuid, ClientError> {
        #[derive(Deserialize)]
        struct User {
            id: Uuid,
        }
        let answer = self.agent.get(self.url("/api/users/me")).header("x-api-key", &self.key).call();
        Ok(json_of::<User>(answer)?.id)
    }

    /// Pictures of a visibility, trashed ones included, that were changed since, or all.
    pub(crate) fn list(
        &self,
        visibility: &str,
        updated_after: Option<&str>,
        page: u32,
    ) -> Result<Page, ClientError> {
        #[derive(Deserialize)]
        struct Answer {
            assets: Assets,
        }
        #[derive(Deserialize)]
        struct Assets {
            items: Vec<Value>,
            #[serde(rename = "nextPage")]
            next_page: Option<String>,
        }
        let mut body = json!({
            "visibility": visibility, "withDeleted": true, "withExif": true, "order": "asc", "size": PAGE, "page": page,
        });
        if let Some(after) = updated_after {
            body["updatedAfter"] = json!(after);
        }
        let request = self.agent.post(self.url("/api/search/metadata")).header("x-api-key", &self.key);
        let request = request.header("content-type", "application/json");
        let Answer { assets } = json_of(request.send(body.to_string()))?;
        // What is odd about one picture must not hide the others.
        let pictures = assets.items.iter().filter_map(Listed::of).collect();
        Ok(Page { pictures, next: assets.next_page.and_then(|page| page.parse().ok()) })
    }

    /// Does the user still see a picture?
    pub(crate) fn sees(&self, asset: Uuid) -> Result<bool, ClientError> {
        let url = self.url(&format!("/api/assets/{asset}"));
        match good(self.agent.get(url).header("x-api-key", &self.key).call()) {
            Ok(_) => Ok(true),
            Err(ClientError::Missing) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The preview of a picture; the unedited one, as Immich itself analyses it.
    pub(crate) fn preview(&self, asset: Uuid) -> Result<Bytes, ClientError> {
        let url = self.url(&format!("/api/assets/{asset}/thumbnail?size=preview&edited=false"));
        whole(good(self.agent.get(url).header("x-api-key", &self.key).call())?)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }
}

type Sent = Result<Response<Body>, ureq::Error>;

fn json_of<T: for<'a> Deserialize<'a>>(sent: Sent) -> Result<T, ClientError> {
    let bytes = match good(sent) {
        Err(ClientError::Missing) => {
            return Err(ClientError::Strange("it does not know the request".to_owned()));
        }
        answer => whole(answer?)?,
    };
    serde_json::from_slice(&bytes).map_err(|error| ClientError::Strange(error.to_string()))
}

fn good(sent: Sent) -> Result<Response<Body>, ClientError> {
    let response = sent.map_err(|error| ClientError::Away(error.to_string()))?;
    match response.status().as_u16() {
        200..=299 => Ok(response),
        status @ (401 | 403) => Err(ClientError::Key(status)),
        // Of ids that are not the user's, Immich says that the request is bad.
        400 | 404 => Err(ClientError::Missing),
        status @ (429 | 500..=599) => Err(ClientError::Away(format!("status {status}"))),
        status => Err(ClientError::Strange(format!("status {status}"))),
    }
}

fn whole(mut response: Response<Body>) -> Result<Bytes, ClientError> {
    let read = response.body_mut().with_config().limit(MOST_BYTES).read_to_vec();
    read.map(Bytes::from).map_err(|error| ClientError::Away(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read as _, Write as _},
        net::{SocketAddr, TcpListener},
        sync::Arc,
        thread,
    };

    use rcgen::{CertificateParams, KeyPair};
    use rustls::{
        ServerConfig, ServerConnection, StreamOwned,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    };

    use super::*;

    const USER: &str = "c2a9f6e0-5f0e-4c37-9d35-0b1f5c0f2d11";

    /// A server with a certificate for 127.0.0.1 that signs itself, as PEM. It answers as if it were asked for the user.
    fn server() -> (Vec<u8>, SocketAddr) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let private = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for tcp in listener.incoming() {
                let mut stream =
                    StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp.unwrap());
                let body = format!("{{\"id\":\"{USER}\"}}");
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
                // A client that does not trust it leaves.
                if stream.read(&mut [0; 4096]).is_ok() {
                    let _ = stream.write_all(answer.as_bytes());
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
            }
        });
        (certificate.pem().into_bytes(), address)
    }

    #[test]
    fn a_certificate_of_ones_own_authority_is_enough_and_needed() {
        let (pem, address) = server();
        let (other, _) = server();
        let user = |authorities: Option<&[u8]>| {
            Client::new(&format!("https://{address}"), "key", authorities).user()
        };
        assert_eq!(user(Some(&pem)), Ok(USER.parse().unwrap()));
        for authorities in [Some(&other[..]), Some(b"none"), None] {
            assert!(matches!(user(authorities), Err(ClientError::Away(_))));
        }
    }
}
