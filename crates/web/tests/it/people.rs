//! People, their faces, and what is said of both.
use std::{fs, sync::Arc};

use serde_json::{Value, json};
use viewfinder_catalog::AnalysisKind;
use viewfinder_core::{Alpha, Face};
use viewfinder_image::{Limits, RgbImage, decode};
use viewfinder_test_support::{Contents, FakeBackend};

use crate::{Setup, World, library::names};

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

fn numbers(people: &Value) -> Vec<i64> {
    people["people"].as_array().unwrap().iter().map(|person| person["id"].as_i64().unwrap()).collect()
}

/// The person of a picture's only face.
async fn person_of(world: &World, name: &str) -> Value {
    world.json(&format!("/api/v1/assets/{}", world.id(name).await)).await["faces"][0]["person"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_page_by_page_with_faces_to_know_them_by() {
    let world = World::analysed().await;
    let all = world.json("/api/v1/people").await;
    assert_eq!(all["next"], Value::Null);
    let first = world.json("/api/v1/people?limit=1").await;
    let second =
        world.json(&format!("/api/v1/people?limit=1&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!([numbers(&first), numbers(&second)].concat(), numbers(&all));
    assert_eq!(second["next"], Value::Null);
    let [large, small] = numbers(&all)[..] else { panic!("{all}") };
    assert_eq!(numbers(&world.json("/api/v1/people?least=2").await), [large]);
    world.send(&format!("PATCH /api/v1/people/{small}"), &json!({"name": "Ben"})).await;
    assert_eq!(numbers(&world.json("/api/v1/people?named=true").await), [small]);
    assert_eq!(numbers(&world.json("/api/v1/people?named=false").await), [large]);
    for cursor in ["1", "a.b", "1.", ".1"] {
        let answer = world.show(&format!("/api/v1/people?cursor={cursor}")).await;
        assert_eq!(answer.problem(), (400, "cursor_invalid".to_owned()), "{cursor}");
    }

    let person = world.json(&format!("/api/v1/people/{large}")).await;
    assert_eq!((&person["faces"], &person["pictures"], &person["name"]), (&json!(2), &json!(2), &json!("")));
    let examples = person["examples"].as_array().unwrap();
    assert_eq!(examples.len(), 2, "{person}");
    for (wanted, shown) in [(0, 0), (1, 1), (9, 2)] {
        let all = world.json(&format!("/api/v1/people?examples={wanted}")).await;
        assert_eq!(all["people"][0]["examples"].as_array().unwrap().len(), shown, "{wanted}");
    }
    for example in examples {
        let crop = world.show(example["crop"].as_str().unwrap()).await;
        assert_eq!((crop.status, crop.header("content-type")), (200, Some("image/jpeg")));
        assert!(crop.header("cache-control").unwrap().contains("immutable"));
        // A face of 16 by 12 pixels, and what is around it.
        let crop = decode(&crop.body, &Limits::default()).unwrap();
        assert_eq!((crop.width(), crop.height()), (28, 28));
    }
    assert_eq!(world.show("/api/v1/people/999").await.problem(), (404, "not_found".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_leads_to_faces_and_pictures() {
    let world = World::analysed().await;
    let id = numbers(&world.json("/api/v1/people").await)[0];
    let path = format!("/api/v1/people/{id}/faces");
    let whole = world.json(&path).await;
    let mut shown: Vec<_> =
        whole["faces"].as_array().unwrap().iter().map(|face| face["asset"]["name"].clone()).collect();
    shown.sort_by_key(Value::to_string);
    assert_eq!(shown, ["receipt.png", "sunset.png"]);
    let first = world.json(&format!("{path}?limit=1")).await;
    let second = world.json(&format!("{path}?limit=1&cursor={}", first["next"].as_str().unwrap())).await;
    assert_eq!(
        [&first["faces"][0], &second["faces"][0], &second["next"]],
        [&whole["faces"][0], &whole["faces"][1], &Value::Null]
    );
    let asset = world.json(&format!("/api/v1/assets/{}", whole["faces"][0]["asset"]["id"])).await;
    assert_eq!(asset["faces"][0]["crop"], whole["faces"][0]["crop"]);
    let mut pictures = names(&world.json(&format!("/api/v1/people/{id}/pictures")).await);
    pictures.sort();
    assert_eq!(pictures, ["receipt.png", "sunset.png"]);
    assert_eq!(world.json("/api/v1/people/999/faces").await["faces"], json!([]));
    assert_eq!(world.show(&format!("{path}?cursor=a")).await.problem(), (400, "cursor_invalid".to_owned()));
    for face in ["9", "-1", "a"] {
        let crop = format!("/api/v1/assets/{}/faces/{face}/crop", whole["faces"][0]["asset"]["id"]);
        assert_eq!(world.show(&crop).await.problem(), (404, "not_found".to_owned()), "{face}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_that_is_not_a_persons_stays_out_whatever_is_done_again() {
    let world = World::analysed().await;
    let (sunset, before) = (world.id("sunset.png").await, person_of(&world, "sunset.png").await);
    let face = format!("/api/v1/people/{before}/faces/{sunset}/0");
    assert_eq!(world.send(&format!("DELETE {face}"), &json!({})).await.status, 204);
    assert_eq!(
        world.send(&format!("DELETE {face}"), &json!({})).await.problem(),
        (404, "not_found".to_owned()),
        "it is nobody's by now"
    );
    assert_eq!(person_of(&world, "sunset.png").await, Value::Null);
    for _ in 0..2 {
        let queued = world.send("POST /api/v1/rerun", &json!({"kinds": ["faces"], "query": ""})).await;
        world.ended(queued.json()["job"].as_u64().unwrap()).await;
        let now = person_of(&world, "sunset.png").await;
        assert!(now.is_i64() && now != before, "{now}");
        assert_eq!(person_of(&world, "receipt.png").await, before);
    }
    // It does not come back by the way of another group either.
    let other = person_of(&world, "sunset.png").await;
    let merged =
        world.send(&format!("POST /api/v1/people/{before}/merge"), &json!({"people": [other]})).await;
    assert_eq!((merged.status, &merged.json()["faces"]), (200, &json!(1)));
    assert_eq!(person_of(&world, "sunset.png").await, Value::Null);
    // Until somebody says that it was so after all.
    assert_eq!(world.send(&format!("PUT {face}"), &json!({})).await.status, 204);
    assert_eq!(person_of(&world, "sunset.png").await, before);
    for path in
        [format!("/api/v1/people/999/faces/{sunset}/0"), format!("/api/v1/people/{before}/faces/{sunset}/7")]
    {
        let answer = world.send(&format!("PUT {path}"), &json!({})).await;
        assert_eq!(answer.problem(), (404, "not_found".to_owned()), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_are_named_and_merged_at_once_or_not_at_all() {
    let world = World::analysed().await;
    let [large, small] = numbers(&world.json("/api/v1/people").await)[..] else { panic!("two people") };
    for (route, body, status, code) in [
        ("PATCH /api/v1/people", json!({"people": [large, 999], "name": "Ana"}), 404, "not_found"),
        ("PATCH /api/v1/people", json!({"people": [], "name": "Ana"}), 400, "people_unfit"),
        ("PATCH /api/v1/people", json!({"people": vec![large; 1001], "name": "Ana"}), 400, "people_unfit"),
        ("PATCH /api/v1/people", json!({"people": [large], "name": "a\nb"}), 400, "name_unfit"),
        ("PATCH /api/v1/people", json!({"name": "Ana"}), 422, "body_invalid"),
        ("POST /api/v1/people/999/merge", json!({"people": [small]}), 404, "not_found"),
        ("POST /api/v1/people", json!({"asset": 1, "face": 9, "name": "Ana"}), 404, "not_found"),
    ] {
        assert_eq!(world.send(route, &body).await.problem(), (status, code.to_owned()), "{route} {body:.60}");
    }
    assert_eq!(numbers(&world.json("/api/v1/people?named=true").await), [0; 0]);
    let named = world.send("PATCH /api/v1/people", &json!({"people": [large, small], "name": " Ana "})).await;
    assert_eq!(named.status, 204);
    assert_eq!(world.json("/api/v1/search?q=person:ana").await["hits"].as_array().unwrap().len(), 3);
    let merged = world.send(&format!("POST /api/v1/people/{small}/merge"), &json!({"people": [large]})).await;
    assert_eq!(
        (&merged.json()["id"], &merged.json()["name"], &merged.json()["faces"]),
        (&json!(small), &json!("Ana"), &json!(3))
    );
    assert_eq!(numbers(&world.json("/api/v1/people").await), [small]);

    let sign = world.id("sign.png").await;
    let made = world.send("POST /api/v1/people", &json!({"asset": sign, "face": 0, "name": "Cleo"})).await;
    assert_eq!((made.status, &made.json()["name"], &made.json()["faces"]), (201, &json!("Cleo"), &json!(1)));
    assert_eq!(person_of(&world, "sign.png").await, made.json()["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_face_is_cut_out_of_the_upright_picture_and_kept() {
    let rotated = fs::read(viewfinder_test_support::fixtures().join("image/orientation6.jpg")).unwrap();
    let upright = decode(&rotated, &Limits::default()).unwrap().into_rgb(true, Alpha::Drop);
    let [width, height] = [upright.width(), upright.height()];
    let face = Face {
        bounds: [0.0, 0.0, width as f32 / 3.0, width as f32 / 3.0],
        score: 0.9,
        landmarks: [[0.0; 2]; 5],
        embedding: vec![],
    };
    let seen =
        Contents { size: [width, height], faces: vec![face], vector: vec![1.0, 0.0], ..Contents::default() };
    let setup = Setup {
        backend: Arc::new(FakeBackend::seeing(seen)),
        kinds: vec![AnalysisKind::Faces],
        keep: true,
        ..Setup::default()
    };
    let world = World::new(&[("turned.jpg", &rotated)], setup).await;
    world.ended(1).await;
    let (status, _, body) = world.ask("turned.jpg", "faces/0/crop").await;
    assert_eq!(status, 200);
    let crop = decode(&body, &Limits::default()).unwrap().into_rgb(true, Alpha::Drop);
    let difference = |one: &RgbImage| {
        let expected = viewfinder_image::crop(one, 0, 0, crop.width(), crop.height());
        let sum: u64 = expected.data().iter().zip(crop.data()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum / expected.data().len() as u64
    };
    let stored = decode(&rotated, &Limits::default()).unwrap().into_rgb(false, Alpha::Drop);
    assert!(difference(&upright) < 8, "{}", difference(&upright));
    assert!(difference(&stored) > 16, "{}", difference(&stored));
    // From what was kept: the picture is not there any more.
    fs::remove_file(world.path("turned.jpg")).unwrap();
    assert_eq!(world.ask("turned.jpg", "faces/0/crop").await.0, 200);
    let kept = world.catalogue.path().join("thumbnails");
    fs::remove_dir_all(kept).unwrap();
    assert_eq!(world.ask("turned.jpg", "faces/0/crop").await.1, "file_gone");
}
