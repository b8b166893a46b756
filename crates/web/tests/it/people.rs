//! People, and what they are called.
use serde_json::json;

use crate::{World, library::names};

#[tokio::test(flavor = "multi_thread")]
async fn people_are_those_with_faces_the_largest_group_first() {
    let world = World::analysed().await;
    let people = world.json("/api/v1/people").await;
    let faces: Vec<_> = people["people"].as_array().unwrap().iter().map(|person| &person["faces"]).collect();
    assert_eq!(faces, [2, 1]);
    assert!(people["people"].as_array().unwrap().iter().all(|person| person["name"] == ""), "{people}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_shown_everywhere_and_found_until_it_is_taken_back() {
    let world = World::analysed().await;
    let id = world.json("/api/v1/people").await["people"][0]["id"].clone();
    let call =
        async |name: &str| world.send(&format!("PATCH /api/v1/people/{id}"), &json!({"name": name})).await;
    let answer = call("  Ana Ruiz ").await;
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(world.json("/api/v1/people").await["people"][0]["name"], "Ana Ruiz");
    let mut found = names(&world.json("/api/v1/search?q=person:%22ana%20ruiz%22").await);
    found.sort();
    assert_eq!(found, ["receipt.png", "sunset.png"]);
    let asset = world.json(&format!("/api/v1/assets/{}", world.id("sunset.png").await)).await;
    assert_eq!(asset["people"], json!([{"id": id, "name": "Ana Ruiz"}]));

    assert_eq!(call(&"é".repeat(200)).await.status, 204);
    assert_eq!(call("").await.status, 204);
    assert_eq!(world.json("/api/v1/people").await["people"][0]["name"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_name_or_nobodys_is_refused() {
    let world = World::analysed().await;
    let before = world.json("/api/v1/people").await;
    let id = &before["people"][0]["id"];
    for (id, body, status, code) in [
        (id.to_string(), json!({"name": "é".repeat(201)}), 400, "name_unfit"),
        (id.to_string(), json!({"name": "two\nlines"}), 400, "name_unfit"),
        (id.to_string(), json!({"name": null}), 422, "body_invalid"),
        ("999".to_owned(), json!({"name": "Ana"}), 404, "not_found"),
        ("-1".to_owned(), json!({"name": "Ana"}), 404, "not_found"),
        ("Ana".to_owned(), json!({"name": "Ana"}), 404, "not_found"),
    ] {
        let answer = world.send(&format!("PATCH /api/v1/people/{id}"), &body).await;
        assert_eq!(answer.problem(), (status, code.to_owned()), "{id} {body:.60}");
    }
    assert_eq!(world.json("/api/v1/people").await, before);
}
