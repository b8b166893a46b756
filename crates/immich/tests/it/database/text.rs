//! Finding text.
use serde_json::json;
use viewfinder_immich::{
    database::{Database, DatabaseConfig},
    library::Next,
};

use crate::database::world::{World, wait};

#[test]
fn exact_text_comes_before_parts_and_substrings() {
    for world in World::everywhere() {
        world.with_text("part.jpg", &["scarfs and hats"]);
        world.with_text("both.jpg", &["a red scarf"]);
        world.with_text("other.jpg", &["no such thing"]);
        let library = world.open();
        assert_eq!(world.found(&library, json!({"query": "ocr:scarf"})), ["both.jpg", "part.jpg"]);
        assert_eq!(world.found(&library, json!({"query": "ocr:carf"})).len(), 2);
        assert_eq!(world.found(&library, json!({"ocr": "scarf"})), ["both.jpg", "part.jpg"]);
    }
}

#[test]
fn chinese_is_found_by_word_part_and_single_character() {
    for world in World::everywhere() {
        world.with_text("invoice.jpg", &["增值税专用发票", "No. 42"]);
        world.with_text("sign.jpg", &["小心地滑"]);
        let library = world.open();
        let mut queries = vec!["ocr:发票", "ocr:值税", "ocr:票", "ocr:增值税 42", "ocr：发票"];
        queries.extend(world.has_vectors().then_some("发票"));
        for query in queries {
            assert_eq!(world.found(&library, json!({"query": query})), ["invoice.jpg"], "{query}");
        }
        assert_eq!(world.found(&library, json!({"ocr": "滑"})), ["sign.jpg"]);
        assert!(world.found(&library, json!({"query": "ocr:猫"})).is_empty());
    }
}

#[test]
fn words_phrases_and_exclusions() {
    for world in World::everywhere() {
        world.with_text("one.jpg", &["no parking here", "at any time"]);
        world.with_text("two.jpg", &["parking no problem"]);
        let library = world.open();
        assert_eq!(world.found(&library, json!({"query": "ocr:\"no parking\""})), ["one.jpg"]);
        assert_eq!(world.found(&library, json!({"query": "ocr:parking -problem"})), ["one.jpg"]);
        assert_eq!(world.found(&library, json!({"query": "ocr:parking"})).len(), 2);
    }
}

#[test]
fn pages_cover_everything_once() {
    for world in World::everywhere() {
        for number in 0..25 {
            let id = world.with_text(&format!("{number:02}.jpg"), &["the same words"]);
            world.set(id, &format!("\"fileCreatedAt\" = '2024-01-01'::timestamptz + '{number} days'"));
        }
        let library = world.open();
        let page = |number: u32, size: u32| {
            world.search(&library, json!({"query": "ocr:same", "page": number, "size": size})).unwrap()
        };
        let pages: Vec<_> = (1..=3).map(|number| page(number, 10)).collect();
        assert_eq!(
            pages.iter().map(|page| page.next.clone()).collect::<Vec<_>>(),
            [Some(Next::Page(2)), Some(Next::Page(3)), None]
        );
        let names: Vec<String> = pages.iter().flat_map(crate::database::world::names).collect();
        let newest_first: Vec<String> = (0..25).rev().map(|number| format!("{number:02}.jpg")).collect();
        assert_eq!(names, newest_first);
        assert_eq!(page(1, 25).next, None);
        let beyond = page(4, 10);
        assert!(beyond.items.is_empty() && beyond.next.is_none());
    }
}

#[test]
fn hidden_lines_are_not_found() {
    for world in World::everywhere() {
        let id = world.with_text("edited.jpg", &["kept words", "cropped words"]);
        world.sql("UPDATE asset_ocr SET \"isVisible\" = false WHERE text LIKE 'cropped%'", &[]);
        world.set(id, "\"isEdited\" = true");
        let library = world.open();
        assert_eq!(world.found(&library, json!({"query": "ocr:kept"})), ["edited.jpg"]);
        assert!(world.found(&library, json!({"query": "ocr:cropped"})).is_empty());
    }
}

#[test]
fn the_database_may_find_the_words() {
    for world in World::everywhere() {
        world.with_text("one.jpg", &["two invoices"]);
        let config = DatabaseConfig {
            text_search_config: Some("english".into()),
            ..crate::database::world::config(&world.url, &world.answers)
        };
        let library = wait(Database::open(config)).unwrap();
        while !wait(library.follow()).unwrap() {}
        // Its stemmer knows that one is the other; the segmenter does not.
        assert_eq!(world.found(&library, json!({"query": "ocr:\"two\" ocr:invoices"})), ["one.jpg"]);
        let row = &world.rows("SELECT tokens::text FROM viewfinder.immich_text", &[])[0];
        assert!(row.get::<_, String>(0).contains("'invoic'"), "{row:?}");
        let unknown = DatabaseConfig {
            text_search_config: Some("klingon".into()),
            ..crate::database::world::config(&world.url, &world.answers)
        };
        let error = wait(Database::open(unknown)).err().unwrap().to_string();
        assert!(error.contains("no text search configuration klingon"), "{error}");
    }
}

#[test]
fn filters_without_words_show_the_newest() {
    for world in World::everywhere() {
        for (name, day) in [("a.jpg", "2024-01-01"), ("b.jpg", "2024-03-01"), ("c.png", "2024-02-01")] {
            let id = world.with_text(name, &["apple"]);
            world.set(id, &format!("\"fileCreatedAt\" = '{day}', \"localDateTime\" = '{day}'"));
        }
        world.picture_of(world.user("other"), "d.jpg");
        let library = world.open();
        assert_eq!(world.found(&library, json!({"query": "path:.jpg"})), ["b.jpg", "a.jpg"]);
        assert_eq!(world.found(&library, json!({"query": "after:2024-02"})), ["b.jpg", "c.png"]);
        assert_eq!(world.found(&library, json!({"query": "path:.jpg", "size": 1, "page": 2})), ["a.jpg"]);
        assert!(world.found(&library, json!({"query": "path:.jpg -apple"})).is_empty());
    }
}
