//! Finding what pictures show, alone and together with text.
use std::sync::atomic::Ordering;

use serde_json::json;
use viewfinder_core::ErrorCode;
use viewfinder_immich::database::Error;

use crate::database::{
    backend::{WIDTH, asked, direction},
    world::World,
};

/// Fifty pictures of anything, among which a few are searched; in each layout of tables.
fn worlds() -> impl Iterator<Item = World> {
    World::on_every_layout().map(filled)
}

fn filled(world: World) -> World {
    for number in 0..50 {
        let id = world.picture(&format!("any {number}"));
        let mut vector = direction("zzz", WIDTH);
        // Spread a little in all directions, so that there is something usual.
        vector[200 + number] = 1.0;
        vector[usize::from(b'b')] = 0.05 + number as f32 / 1000.0;
        world.show(id, &vector);
    }
    world
}

#[test]
fn what_is_shown_is_found_and_the_rest_is_not() {
    for world in worlds() {
        let beach = world.picture("beach.jpg");
        world.show(beach, &direction("beach", WIDTH));
        let library = world.open();
        assert_eq!(world.found(&library, json!({"query": "beach", "language": "en"})), ["beach.jpg"]);
        assert_eq!(asked(&world.answers), ["sentence ViT-B-32__openai beach en"]);
        world.found(&library, json!({"query": "beach", "language": "en", "page": 2}));
        assert_eq!(asked(&world.answers).len(), 1, "turning pages asks nothing again");
    }
}

#[test]
fn text_and_meaning_meet() {
    for world in worlds() {
        let shown = world.picture("shown.jpg");
        world.show(shown, &direction("beach", WIDTH));
        let both = world.with_text("both.jpg", &["Beach"]);
        world.show(both, &direction("beach beach cafe", WIDTH));
        world.with_text("read.jpg", &["the beach bar"]);
        let library = world.open();
        assert_eq!(world.found(&library, json!({"query": "beach"})), ["both.jpg", "read.jpg", "shown.jpg"]);
        assert_eq!(world.found(&library, json!({"query": "ocr:beach"})), ["both.jpg", "read.jpg"]);
        assert_eq!(world.found(&library, json!({"query": "clip:beach"})), ["shown.jpg", "both.jpg"]);
        // Both fields: the text must be there, what is shown decides the order.
        assert_eq!(
            world.found(&library, json!({"query": "beach", "ocr": "beach"})),
            ["both.jpg", "read.jpg"]
        );
    }
}

#[test]
fn a_filter_that_leaves_few_finds_them_all_the_same() {
    for world in worlds() {
        for (name, city) in [("near.jpg", "Bern"), ("far.jpg", "Rome")] {
            let id = world.picture(name);
            world.show(id, &direction("beach", WIDTH));
            world.set_exif(id, &format!("city = '{city}'"));
        }
        let library = world.open();
        assert_eq!(world.found(&library, json!({"query": "beach", "city": "Rome"})), ["far.jpg"]);
    }
}

#[test]
fn vectors_of_another_width_are_refused_and_so_is_a_search_that_is_switched_off() {
    for world in worlds() {
        let library = world.open();
        world.width.store(768, Ordering::Relaxed);
        let error = world.search(&library, json!({"query": "beach"})).unwrap_err();
        assert!(matches!(error, Error::Width { vector: 768, column: 512, .. }), "{error}");
        assert!(world.found(&library, json!({"query": "ocr:beach"})).is_empty(), "text needs no vector");
        world.batch(
        "INSERT INTO system_metadata VALUES ('system-config', '{\"machineLearning\": {\"clip\": {\"enabled\": false}}}')",
    );
        let error = world.search(&library, json!({"query": "beach"})).unwrap_err();
        assert!(matches!(error, Error::NoMeaning(_)), "{error}");
    }
}

#[test]
fn the_model_that_immich_is_set_to_is_asked() {
    for world in worlds() {
        world.batch(
            "INSERT INTO system_metadata VALUES ('system-config',
             '{\"machineLearning\": {\"clip\": {\"modelName\": \"nllb-clip-base-siglip__v1\"}}}')",
        );
        let library = world.open();
        let shown = world.picture("shown.jpg");
        world.show(shown, &direction("beach", WIDTH));
        assert_eq!(world.found(&library, json!({"query": "beach"})), ["shown.jpg"]);
        assert_eq!(asked(&world.answers), ["sentence nllb-clip-base-siglip__v1 beach "]);
    }
}

#[test]
fn without_an_engine_text_is_found_and_the_rest_is_immichs() {
    for world in worlds() {
        let shown = world.picture("shown.jpg");
        world.show(shown, &direction("cafe", WIDTH));
        world.with_text("read.jpg", &["the beach bar"]);
        let library = world.open();
        world.answers.fail(ErrorCode::NodeUnavailable);
        assert_eq!(world.found(&library, json!({"query": "beach"})), ["read.jpg"]);
        let error = world.search(&library, json!({"query": "cafe"})).unwrap_err();
        assert!(matches!(error, Error::Engine(_)), "{error}");
    }
}

#[test]
fn plain_words_that_find_nothing_are_immichs_and_others_find_nothing() {
    for world in worlds() {
        world.with_text("read.jpg", &["the beach bar"]);
        let library = world.open();
        for body in [
            json!({"query": "quarry"}),
            json!({"query": "quarry", "page": 3}),
            json!({"query": "beach", "city": "Rome"}),
            json!({"query": "quarry", "filter": {}}),
            json!({"query": "quarry", "filter": {"or": [{"isFavorite": {"eq": true}}]}}),
        ] {
            let found = world.search(&library, body.clone());
            assert!(matches!(found, Err(Error::NothingFound)), "{body}: {found:?}");
        }
        for body in [
            json!({"query": "ocr:quarry"}),
            json!({"query": "clip:quarry"}),
            json!({"query": "\"a quarry\""}),
            json!({"query": "quarry -beach"}),
            json!({"query": "quarry after:2020"}),
            json!({"query": "quarry path:a"}),
            json!({"query": "quarry", "ocr": "quarry"}),
            json!({"query": "quarry", "filter": {"ocr": {"matches": "quarry"}}}),
            json!({"query": "beach", "page": 9}),
            json!({"ocr": "quarry"}),
        ] {
            assert!(world.found(&library, body.clone()).is_empty(), "{body}");
        }
    }
}
