//! As much of an Immich as the library asks: users with keys, lists with filters, previews. It follows what was seen of a real
//! one; see `tests/fixtures/immich-2.7.5`.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use uuid::Uuid;
use viewfinder_test_support as test_support;

/// A picture.
#[derive(Clone)]
pub(crate) struct Picture {
    pub(crate) id: Uuid,
    pub(crate) owner: Uuid,
    pub(crate) name: &'static str,
    pub(crate) checksum: String,
    pub(crate) updated: u32,
    pub(crate) visibility: &'static str,
    pub(crate) trashed: bool,
    pub(crate) city: Option<&'static str>,
    /// No preview yet without it.
    pub(crate) fixture: Option<&'static str>,
}

#[derive(Default)]
pub(crate) struct World {
    /// Users by key.
    pub(crate) keys: HashMap<&'static str, Uuid>,
    pub(crate) pictures: Vec<Picture>,
    /// Previews that were given.
    pub(crate) previews: usize,
    pub(crate) clock: u32,
    pub(crate) away: bool,
    /// Pictures that lists leave out, though they are there.
    pub(crate) unlisted: Vec<Uuid>,
}

#[derive(Clone, Default)]
pub(crate) struct Immich(Arc<Mutex<World>>);

impl Immich {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// Serves on a free port; returns its address.
    pub(crate) fn serve(&self, runtime: &tokio::runtime::Runtime) -> String {
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new().fallback(answer).with_state(self.clone());
        runtime.spawn(async move { axum::serve(listener, app).await });
        url
    }

    pub(crate) fn add_user(&self, key: &'static str) -> Uuid {
        let mut world = self.world();
        let user = Uuid::from_u128(0xa000 + world.keys.len() as u128);
        world.keys.insert(key, user);
        user
    }

    /// A new picture, whose preview is a fixture.
    pub(crate) fn add(&self, owner: Uuid, name: &'static str, fixture: &'static str) -> Uuid {
        let mut world = self.world();
        world.clock += 1;
        let id = Uuid::from_u128(0xb000 + u128::from(world.clock));
        let picture = Picture {
            id,
            owner,
            name,
            checksum: format!("checksum of {fixture}"),
            updated: world.clock,
            visibility: "timeline",
            trashed: false,
            city: None,
            fixture: Some(fixture),
        };
        world.pictures.push(picture);
        id
    }

    /// Changes a picture, as its owner would.
    pub(crate) fn change(&self, id: Uuid, change: impl FnOnce(&mut Picture)) {
        let mut world = self.world();
        world.clock += 1;
        let clock = world.clock;
        let picture = world.pictures.iter_mut().find(|picture| picture.id == id).unwrap();
        change(picture);
        picture.updated = clock;
    }
}

fn time(clock: u32) -> String {
    format!("2026-01-01T{:02}:{:02}:00.000Z", clock / 60, clock % 60)
}

fn item(picture: &Picture) -> Value {
    json!({
        "id": picture.id, "ownerId": picture.owner, "type": "IMAGE", "originalFileName": picture.name,
        "checksum": picture.checksum, "fileCreatedAt": "2024-05-01T10:00:00.000Z",
        "fileModifiedAt": "2024-05-01T10:00:00.000Z", "localDateTime": "2024-05-01T12:00:00.000Z",
        "updatedAt": time(picture.updated), "visibility": picture.visibility, "isTrashed": picture.trashed,
    })
}

fn refused(status: StatusCode, message: &str) -> Response {
    (status, json!({"message": message, "statusCode": status.as_u16()}).to_string()).into_response()
}

async fn answer(State(immich): State<Immich>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let mut world = immich.world();
    if world.away {
        return refused(StatusCode::BAD_GATEWAY, "away");
    }
    let key = parts.headers.get("x-api-key").and_then(|key| key.to_str().ok()).unwrap_or_default();
    let Some(user) = world.keys.get(key).copied() else {
        return refused(StatusCode::UNAUTHORIZED, "Invalid API key");
    };
    let path = parts.uri.path();
    match (&parts.method, path) {
        (&Method::GET, "/api/users/me") => json!({"id": user}).to_string().into_response(),
        (&Method::POST, "/api/search/metadata") => list(&world, user, &body),
        _ => {
            let Some(rest) = path.strip_prefix("/api/assets/") else {
                return refused(StatusCode::NOT_FOUND, "Cannot");
            };
            let id = Uuid::parse_str(&rest[..36]).unwrap();
            let known =
                world.pictures.iter().find(|picture| picture.id == id && picture.owner == user).cloned();
            let Some(picture) = known else {
                return refused(StatusCode::BAD_REQUEST, "Not found or no asset.read access");
            };
            if rest.len() == 36 {
                return item(&picture).to_string().into_response();
            }
            assert_eq!(parts.uri.query(), Some("size=preview&edited=false"));
            let Some(fixture) = picture.fixture else {
                return refused(StatusCode::NOT_FOUND, "Asset media not found");
            };
            world.previews += 1;
            Body::from(std::fs::read(test_support::fixtures().join(fixture)).unwrap()).into_response()
        }
    }
}

fn list(world: &World, user: Uuid, body: &Bytes) -> Response {
    let body: Value = serde_json::from_slice(body).unwrap();
    if let Some(filter) = body.get("filter") {
        return list_structured(world, user, &body, filter);
    }
    for name in body.as_object().unwrap().keys() {
        let known = [
            "visibility",
            "withDeleted",
            "withExif",
            "order",
            "size",
            "page",
            "updatedAfter",
            "id",
            "city",
            "personIds",
        ];
        assert!(known.contains(&name.as_str()), "{name}");
    }
    let visibility = body["visibility"].as_str().unwrap_or("timeline");
    let mut found: Vec<&Picture> = world
        .pictures
        .iter()
        .filter(|picture| picture.owner == user && picture.visibility == visibility)
        .filter(|picture| !picture.trashed || body["withDeleted"] == true)
        .filter(|picture| body["city"].as_str().is_none_or(|city| picture.city == Some(city)))
        .filter(|picture| body["id"].as_str().is_none_or(|id| picture.id.to_string() == id))
        .filter(|picture| body["id"].is_string() || !world.unlisted.contains(&picture.id))
        .filter(|picture| {
            body["updatedAfter"].as_str().is_none_or(|after| {
                let [time, after]: [jiff::Timestamp; 2] =
                    [&time(picture.updated), after].map(|time| time.parse().unwrap());
                time >= after
            })
        })
        .collect();
    found.reverse();
    // So that lists have several pages.
    let size = body["size"].as_u64().unwrap().min(2) as usize;
    let page = body["page"].as_u64().unwrap_or(1) as usize;
    let items: Vec<Value> =
        found.iter().skip((page - 1) * size).take(size).map(|picture| item(picture)).collect();
    let next = (found.len() > page * size).then(|| (page + 1).to_string());
    json!({"assets": {"items": items, "total": items.len(), "nextPage": next}}).to_string().into_response()
}

/// The second shape of v3.2: what is in the trash is given unless it is excluded, and pages begin at a cursor.
fn list_structured(world: &World, user: Uuid, body: &Value, filter: &Value) -> Response {
    for name in body.as_object().unwrap().keys() {
        assert!(
            ["filter", "size", "withExif", "withPeople", "withStacked"].contains(&name.as_str()),
            "{name}"
        );
    }
    let found: Vec<&Picture> =
        world.pictures.iter().filter(|picture| picture.owner == user && fits(picture, filter)).collect();
    let size = body["size"].as_u64().unwrap() as usize;
    let items: Vec<Value> = found.iter().take(size).map(|picture| item(picture)).collect();
    let next = (found.len() > size).then_some("a cursor");
    json!({"assets": {"items": items, "total": items.len(), "nextPage": null, "nextCursor": next}})
        .to_string()
        .into_response()
}

fn fits(picture: &Picture, filter: &Value) -> bool {
    filter.as_object().unwrap().iter().all(|(name, condition)| match name.as_str() {
        "id" => condition["eq"] == json!(picture.id),
        "city" => condition["eq"] == json!(picture.city),
        "trashedAt" => {
            assert_eq!(*condition, json!({"eq": null}));
            !picture.trashed
        }
        "or" => condition.as_array().unwrap().iter().any(|branch| fits(picture, branch)),
        other => panic!("{other}"),
    })
}
