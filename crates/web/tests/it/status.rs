//! How far everything is, and what is described.
use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};
use viewfinder_web::ROUTES;

use crate::{
    World,
    library::{BROKEN, backend, short},
};

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_what_waits_and_what_failed() {
    let fake = Arc::new(backend().closed());
    let world = World::of_pictures(Arc::clone(&fake)).await;
    fake.arrived.acquire().await.unwrap().forget();
    let status = world.json("/api/v1/status").await;
    assert_eq!((&status["counts"]["assets"], &status["failed"]), (&json!(6), &json!(0)));
    assert!(status["waiting"].as_u64().unwrap() >= 5, "{status}");
    assert_eq!(world.json("/api/v1/failures").await, json!({"assets": []}));
    fake.gate.add_permits(100);
    world.ended(1).await;
    let status = world.json("/api/v1/status").await;
    assert_eq!((&status["waiting"], &status["failed"]), (&json!(0), &json!(1)));
    for kind in ["ocr", "clip", "faces"] {
        assert_eq!(status["counts"][kind], json!({"waiting": 0, "done": 5, "failed": 1}));
    }
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        status["models"],
        json!({"ocr": "none", "clip": "none", "faces": "none", "sentences": "none"})
    );
    let failures = world.json("/api/v1/failures").await;
    let [failed] = &failures["assets"].as_array().unwrap()[..] else { panic!("{failures}") };
    assert_eq!(
        (&failed["name"], &failed["analysis"]["clip"]["code"]),
        (&json!(short(BROKEN)), &json!("image_undecodable"))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn its_revision_changes_with_what_can_be_found() {
    let world = World::analysed().await;
    let revision = async || world.json("/api/v1/status").await["revision"].clone();
    let before = revision().await;
    world.json("/api/v1/search?q=ocr:paper").await;
    assert_eq!(revision().await, before);
    let id = world.id("receipt.png").await;
    world.send(&format!("PATCH /api/v1/assets/{id}/lines/0"), &json!({"text": "other"})).await;
    assert_ne!(revision().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_names_every_route_and_no_other() {
    let world = World::analysed().await;
    let description = world.json("/api/v1/openapi.json").await;
    let paths = description["paths"].as_object().unwrap();
    let described: BTreeSet<_> = paths
        .iter()
        .flat_map(|(path, methods)| {
            let methods =
                methods.as_object().unwrap().iter().filter(|(_, what)| what.get("responses").is_some());
            methods
                .map(|(method, _): (&String, &Value)| (method.to_uppercase(), path.clone()))
                .collect::<Vec<_>>()
        })
        .collect();
    let routes: BTreeSet<_> =
        ROUTES.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
    assert_eq!(described, routes);
}
