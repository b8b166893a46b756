//! Immich's API, with a key of one user.
use bytes::Bytes;
use hyper::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    api::listed::Listed,
    client::{Answer, Client},
};

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
pub(crate) struct ListPage {
    pub(crate) pictures: Vec<Listed>,
    /// The next one's number.
    pub(crate) next: Option<u32>,
}

/// Asks Immich in the name of a key's user.
pub(crate) struct KeyClient {
    client: Client,
    key: String,
}

impl KeyClient {
    pub(crate) fn new(client: Client, key: &str) -> Self {
        Self { client, key: key.to_owned() }
    }

    /// Whose key it is.
    pub(crate) async fn user(&self) -> Result<Uuid, ClientError> {
        #[derive(Deserialize)]
        struct User {
            id: Uuid,
        }
        Ok(json_of::<User>(self.get("/api/users/me").await)?.id)
    }

    /// Pictures of a visibility, trashed ones included, that were changed since, or all.
    pub(crate) async fn list(
        &self,
        visibility: &str,
        updated_after: Option<&str>,
        page: u32,
    ) -> Result<ListPage, ClientError> {
        #[derive(Deserialize)]
        struct List {
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
        let asked = self.client.with_key(&self.key, Method::POST, "/api/search/metadata", Some(&body));
        let List { assets } = json_of(asked.await)?;
        // What is odd about one picture must not hide the others.
        let pictures = assets.items.iter().filter_map(Listed::of).collect();
        Ok(ListPage { pictures, next: assets.next_page.and_then(|page| page.parse().ok()) })
    }

    /// Does the user still see a picture?
    pub(crate) async fn sees(&self, asset: Uuid) -> Result<bool, ClientError> {
        match good(self.get(&format!("/api/assets/{asset}")).await) {
            Ok(_) => Ok(true),
            Err(ClientError::Missing) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The preview of a picture; the unedited one, as Immich itself analyses it.
    pub(crate) async fn preview(&self, asset: Uuid) -> Result<Bytes, ClientError> {
        good(self.get(&format!("/api/assets/{asset}/thumbnail?size=preview&edited=false")).await)
    }

    async fn get(&self, path: &str) -> Asked {
        self.client.with_key(&self.key, Method::GET, path, None).await
    }
}

type Asked = Result<Answer, String>;

fn json_of<T: for<'a> Deserialize<'a>>(asked: Asked) -> Result<T, ClientError> {
    let bytes = match good(asked) {
        Err(ClientError::Missing) => {
            return Err(ClientError::Strange("it does not know the request".to_owned()));
        }
        answer => answer?,
    };
    serde_json::from_slice(&bytes).map_err(|error| ClientError::Strange(error.to_string()))
}

fn good(asked: Asked) -> Result<Bytes, ClientError> {
    let answer = asked.map_err(ClientError::Away)?;
    match answer.status.as_u16() {
        200..=299 => Ok(answer.bytes),
        status @ (401 | 403) => Err(ClientError::Key(status)),
        // Of ids that are not the user's, Immich says that the request is bad.
        400 | 404 => Err(ClientError::Missing),
        status @ (429 | 500..=599) => Err(ClientError::Away(format!("status {status}"))),
        status => Err(ClientError::Strange(format!("status {status}"))),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use viewfinder_http::proxy::ProxyConfig;
    use viewfinder_test_support::{Identity, Response, TestServer};

    use super::*;

    const USER: &str = "c2a9f6e0-5f0e-4c37-9d35-0b1f5c0f2d11";

    /// A server with a certificate for 127.0.0.1 that signs itself, as PEM. It answers as if it were asked for the user.
    fn server() -> (Vec<u8>, SocketAddr) {
        let plain = TestServer::saying(Response::json(format!("{{\"id\":\"{USER}\"}}")));
        let identity = Identity::self_signed("127.0.0.1");
        (identity.pem(), TestServer::encrypted(plain.address, &identity).address)
    }

    #[tokio::test]
    async fn a_certificate_of_ones_own_authority_is_enough_and_needed() {
        let (pem, address) = server();
        let (other, _) = server();
        let client = |authorities: Option<&[u8]>| {
            let authorities = authorities.map(<[u8]>::to_vec);
            let way = ProxyConfig { authorities, ..ProxyConfig::new(format!("https://{address}")) };
            Some(KeyClient::new(Client::new(&way).ok()?, "key"))
        };
        assert_eq!(client(Some(&pem)).unwrap().user().await, Ok(USER.parse().unwrap()));
        for authorities in [Some(&other[..]), None] {
            let user = client(authorities).unwrap().user().await;
            assert!(matches!(user, Err(ClientError::Away(_))), "{user:?}");
        }
        assert!(client(Some(b"none")).is_none(), "what is no certificate vouches for nobody");
    }
}
