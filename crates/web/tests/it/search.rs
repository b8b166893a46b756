//! Searches, page by page.
use serde_json::{Value, json};

use crate::{
    World,
    library::{BROKEN, PICTURES, names, short},
};

/// Every page of something, in requests of two.
async fn pages(world: &World, path: &str) -> Vec<Value> {
    let mut pages = vec![world.json(&format!("{path}limit=2")).await];
    while let Some(next) = pages[pages.len() - 1]["next"].as_str() {
        pages.push(world.json(&format!("{path}limit=2&cursor={next}")).await);
        assert!(pages.len() < 10, "it never ends");
    }
    pages
}

#[tokio::test(flavor = "multi_thread")]
async fn without_words_everything_is_shown_once() {
    let world = World::analysed().await;
    let pages = pages(&world, "/api/v1/search?").await;
    assert_eq!(pages.iter().map(|page| names(page).len()).collect::<Vec<_>>(), [2, 2, 2]);
    let mut shown: Vec<_> = pages.iter().flat_map(names).collect();
    shown.sort();
    let mut all: Vec<_> = PICTURES.iter().map(|(name, _)| short(name)).chain([short(BROKEN)]).collect();
    all.sort();
    assert_eq!(shown, all);
    for page in &pages {
        assert_eq!((&page["found"], &page["notes"]), (&json!(6), &json!([])));
        for hit in page["hits"].as_array().unwrap() {
            assert_eq!(
                (&hit["reason"], &hit["score"], &hit["lines"]),
                (&json!("filter"), &json!(0.0), &json!([]))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hit_says_where_its_words_are_in_characters() {
    let world = World::analysed().await;
    let found = world.json("/api/v1/search?q=ocr:invoice").await;
    assert_eq!((names(&found), &found["found"]), (vec!["receipt.png".to_owned()], &json!(1)));
    let hit = &found["hits"][0];
    assert_eq!(
        (&hit["reason"], &hit["closeness"], &hit["similarity"]),
        (&json!("text"), &json!("phrase"), &json!(null))
    );
    assert!(hit["score"].as_f64().unwrap() > 0.0);
    let [line] = &hit["lines"].as_array().unwrap()[..] else { panic!("{hit}") };
    assert_eq!((&line["line"], &line["text"]), (&json!(0), &json!("😀 INVOICE paper 2024")));
    // The face is one, of two units in a browser and four bytes.
    assert_eq!(line["marks"], json!([[2, 9]]));
    let corner = &line["box"][2];
    assert!(
        (corner[0].as_f64().unwrap() - 0.5).abs() < 1e-6 && (corner[1].as_f64().unwrap() - 0.2).abs() < 1e-6,
        "{line}"
    );
    let asset = &hit["asset"];
    assert_eq!((&asset["width"], &asset["height"]), (&json!(41), &json!(30)));
    assert_eq!(world.show(asset["file"].as_str().unwrap()).await.status, 200);
    assert_eq!(world.show(asset["thumbnail"].as_str().unwrap()).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn hits_come_best_first_on_as_many_pages_as_it_takes() {
    let world = World::analysed().await;
    let whole = world.json("/api/v1/search?q=ocr:paper").await;
    let scores: Vec<_> =
        whole["hits"].as_array().unwrap().iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert!(scores.len() == 4 && scores.is_sorted_by(|one, next| one >= next), "{scores:?}");
    let pages = pages(&world, "/api/v1/search?q=ocr:paper&").await;
    assert_eq!(pages.iter().flat_map(names).collect::<Vec<_>>(), names(&whole));
    assert!(pages.len() == 2 && pages.iter().all(|page| page["found"] == 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_leave_out_what_they_say() {
    let world = World::analysed().await;
    for (query, expected) in [
        ("path:beach", vec!["receipt.png", "sunset.png"]),
        ("ocr:paper%20-soup%20path:city", vec!["sign.png", "wall.png"]),
        ("ocr:%22no%20parking%22", vec!["sign.png"]),
        ("ocr:cafe", vec!["receipt.png"]),
        ("ocr:soup%20-paper", vec![]),
        ("before:1970", vec![]),
    ] {
        let mut found = names(&world.json(&format!("/api/v1/search?q={query}")).await);
        found.sort();
        assert_eq!(found, expected, "{query}");
    }
    let nobody = world.json("/api/v1/search?q=person:Ana").await;
    assert_eq!((&nobody["found"], &nobody["notes"][0]["code"]), (&json!(0), &json!("nobody")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_holds_at_least_one_hit_and_not_too_many() {
    let world = World::analysed().await;
    for (limit, hits) in [("0", 1), ("1", 1), ("6", 6), ("100000", 6)] {
        let found = world.json(&format!("/api/v1/search?limit={limit}")).await;
        assert_eq!(names(&found).len(), hits, "{limit}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_search_cannot_mean_is_told() {
    let world = World::analysed().await;
    let cursor = world.json("/api/v1/search?q=ocr:paper&limit=2").await["next"].as_str().unwrap().to_owned();
    for (path, code) in [
        ("search?limit=many".to_owned(), "parameter_invalid"),
        ("search?limit=-1".to_owned(), "parameter_invalid"),
        ("search?q=%FF".to_owned(), "query_invalid"),
        ("search?q=ocr:paper&cursor=".to_owned(), "cursor_invalid"),
        ("search?q=ocr:paper&cursor=nonsense".to_owned(), "cursor_invalid"),
        ("search?q=ocr:paper&cursor=1.h.2.000000000000".to_owned(), "cursor_invalid"),
        (format!("search?q=ocr:soup&cursor={cursor}"), "cursor_invalid"),
        (format!("search?cursor={cursor}"), "cursor_invalid"),
        (format!("assets/1/similar?cursor={cursor}"), "cursor_invalid"),
        ("assets/1/similar?limit=many".to_owned(), "parameter_invalid"),
    ] {
        let answer = world.show(&format!("/api/v1/{path}")).await;
        if path.contains("%FF") {
            // Not UTF-8, which is read as well as it goes.
            assert_eq!(answer.status, 200, "{path}");
            continue;
        }
        assert_eq!(answer.problem(), (400, code.to_owned()), "{path}");
        assert_eq!(answer.json().get("character"), None, "{path}");
    }
    let answer = world.show("/api/v1/search?q=ocr:a%20%22b").await;
    assert_eq!(
        (answer.problem(), &answer.json()["character"]),
        ((400, "query_invalid".to_owned()), &json!(6))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_what_has_changed_says_so() {
    let world = World::analysed().await;
    let next = world.json("/api/v1/search?q=ocr:paper&limit=2").await["next"].as_str().unwrap().to_owned();
    let id = world.id("wall.png").await;
    let corrected =
        world.send(&format!("PATCH /api/v1/assets/{id}/lines/0"), &json!({"text": "wet wood"})).await;
    assert_eq!(corrected.status, 200);
    let second = world.json(&format!("/api/v1/search?q=ocr:paper&limit=2&cursor={next}")).await;
    assert_eq!(second["notes"][0]["code"], "changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn similar_pictures_come_by_how_similar_they_are() {
    let world = World::analysed().await;
    let id = world.id("receipt.png").await;
    let path = format!("/api/v1/assets/{id}/similar");
    let whole = world.json(&path).await;
    assert_eq!(names(&whole)[0], "sunset.png");
    let similarities: Vec<_> =
        whole["hits"].as_array().unwrap().iter().map(|hit| hit["similarity"].as_f64().unwrap()).collect();
    assert!(
        similarities.len() == 4 && similarities.is_sorted_by(|one, next| one >= next),
        "{similarities:?}"
    );
    assert!((similarities[0] - 0.9939).abs() < 1e-3 && similarities[3].abs() < 1e-6, "{similarities:?}");
    assert!(whole["hits"].as_array().unwrap().iter().all(|hit| hit["reason"] == "meaning"), "{whole}");
    let pages = pages(&world, &format!("{path}?")).await;
    assert_eq!(pages.iter().flat_map(names).collect::<Vec<_>>(), names(&whole));

    let broken = world.id(&short(BROKEN)).await;
    for (path, code) in [
        (format!("/api/v1/assets/{broken}/similar"), "vector_missing"),
        ("/api/v1/assets/999/similar".to_owned(), "vector_missing"),
        ("/api/v1/assets/seven/similar".to_owned(), "not_found"),
    ] {
        assert_eq!(world.show(&path).await.problem(), (404, code.to_owned()), "{path}");
    }
}
