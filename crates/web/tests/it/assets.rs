//! One picture, and what people say about it.
use serde_json::{Value, json};

use crate::{
    TOKEN, World,
    library::{BROKEN, names, short},
};

#[tokio::test(flavor = "multi_thread")]
async fn everything_that_is_known_about_a_picture_is_shown_but_the_faces_vectors() {
    let world = World::analysed().await;
    let id = world.id("receipt.png").await;
    let asset = world.json(&format!("/api/v1/assets/{id}")).await;
    assert_eq!((&asset["id"], &asset["name"]), (&json!(id), &json!("receipt.png")));
    assert!(asset["path"].as_str().unwrap().ends_with("/beach/receipt.png"), "{asset}");
    assert_eq!(asset["bytes"], std::fs::metadata(world.path("beach/receipt.png")).unwrap().len());
    for kind in ["ocr", "clip", "faces"] {
        let state = &asset["analysis"][kind];
        assert_eq!((&state["state"], &state["model"]), (&json!("done"), &json!("none")), "{kind}");
    }
    let texts: Vec<_> = asset["lines"].as_array().unwrap().iter().map(|line| &line["text"]).collect();
    assert_eq!(texts, ["😀 INVOICE paper 2024", "Café Müller"]);
    assert_eq!(asset["lines"][1]["corrected"], false);
    let [face] = &asset["faces"].as_array().unwrap()[..] else { panic!("{asset}") };
    let keys: Vec<_> = face.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["box", "crop", "person", "score"]);
    assert_eq!(face["box"][3], 0.5);
    assert_eq!(asset["people"], json!([{"id": face["person"], "name": ""}]));

    let broken = world.json(&format!("/api/v1/assets/{}", world.id(&short(BROKEN)).await)).await;
    let state = &broken["analysis"]["ocr"];
    assert_eq!((&state["state"], &state["code"]), (&json!("failed"), &json!("image_undecodable")));
    for part in ["lines", "faces", "people"] {
        assert_eq!(broken[part], json!([]), "{part}");
    }
    assert_eq!((&broken["width"], &broken["height"]), (&Value::Null, &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn pictures_that_are_not_there_are_not_found_by_any_route() {
    let world = World::analysed().await;
    for id in ["999", "-1", "0", "seven", "1.5", "99999999999999999999", "%20"] {
        for (request, body) in [
            (format!("GET /api/v1/assets/{id}"), Value::Null),
            (format!("GET /api/v1/assets/{id}/thumbnail"), Value::Null),
            (format!("GET /api/v1/assets/{id}/file"), Value::Null),
            (format!("PATCH /api/v1/assets/{id}/lines/0"), json!({"text": "a"})),
            (format!("POST /api/v1/assets/{id}/rerun"), json!({"kinds": ["ocr"]})),
        ] {
            assert_eq!(
                world.send(&request, &body).await.problem(),
                (404, "not_found".to_owned()),
                "{request}"
            );
        }
    }
    for path in
        ["/api/v1/assets", "/api/v1/assets/", "/api/v1/nothing", "/photos/", "/api/v1/assets/1/lines/0/1"]
    {
        assert_eq!(world.show(path).await.status, 404, "{path}");
    }
    for request in
        ["POST /api/v1/search", "DELETE /api/v1/assets/1", "GET /api/v1/rerun", "DELETE /api/v1/people/1"]
    {
        assert_eq!(world.send(request, &json!({})).await.status, 405, "{request}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_correction_is_shown_and_found_at_once() {
    let world = World::analysed().await;
    let id = world.id("receipt.png").await;
    let route = format!("PATCH /api/v1/assets/{id}/lines/1");
    let longest = "é".repeat(1000);
    for text in ["  Gasthaus Quixotic\u{3000}", &longest] {
        let answer = world.send(&route, &json!({"text": text})).await;
        let asset = answer.json();
        assert_eq!((answer.status, &asset["id"]), (200, &json!(id)));
        let line = &asset["lines"][1];
        assert_eq!((&line["text"], &line["corrected"]), (&json!(text.trim()), &json!(true)));
        assert_eq!(asset["lines"][0]["corrected"], false);
        assert_eq!(world.json(&format!("/api/v1/assets/{id}")).await, asset);
        let word = text.split_whitespace().next_back().unwrap();
        if word.len() < 100 {
            assert_eq!(names(&world.json(&format!("/api/v1/search?q=ocr:{word}")).await), ["receipt.png"]);
        }
    }
    assert_eq!(names(&world.json("/api/v1/search?q=ocr:muller").await), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_line_is_refused_and_changes_nothing() {
    let world = World::analysed().await;
    let id = world.id("receipt.png").await;
    let before = world.json(&format!("/api/v1/assets/{id}")).await;
    let line = |line: &str| format!("PATCH /api/v1/assets/{id}/lines/{line}");
    for (route, body, status, code) in [
        (line("0"), json!({"text": ""}), 400, "line_unfit"),
        (line("0"), json!({"text": " \t "}), 400, "line_unfit"),
        (line("0"), json!({"text": "two\nlines"}), 400, "line_unfit"),
        (line("0"), json!({"text": "\u{7}"}), 400, "line_unfit"),
        (line("0"), json!({"text": "é".repeat(1001)}), 400, "line_unfit"),
        (line("2"), json!({"text": "a"}), 404, "not_found"),
        (line("-1"), json!({"text": "a"}), 404, "not_found"),
        (line("first"), json!({"text": "a"}), 404, "not_found"),
        (line("0"), json!({"txet": "a"}), 422, "body_invalid"),
        (line("0"), json!({"text": 7}), 422, "body_invalid"),
        (line("0"), json!("a"), 422, "body_invalid"),
        (line("0"), json!({"text": "a".repeat(65 << 10)}), 413, "body_invalid"),
    ] {
        assert_eq!(
            world.send(&route, &body).await.problem(),
            (status, code.to_owned()),
            "{route} {body:.60}"
        );
    }
    for (kind, body, status) in [("application/json", "{", 400), ("text/plain", r#"{"text": "a"}"#, 415)] {
        let head = format!("{} HTTP/1.1\r\nAuthorization: Bearer {TOKEN}\r\nContent-Type: {kind}", line("0"));
        let answer = world.exchange(&head, body.as_bytes()).await;
        assert_eq!(answer.problem(), (status, "body_invalid".to_owned()), "{body}");
    }
    assert_eq!(world.json(&format!("/api/v1/assets/{id}")).await, before);
}
