//! The layouts of tables are those of real servers, and searches do not depend on them.
use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};

use crate::database::{
    backend::{WIDTH, direction},
    layout::{self, Layout},
    world::World,
};

/// Columns of a table and their types, as `psql` describes them.
fn described(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().skip(3).take_while(|line| line.contains('|'));
    let column = |line: &str| {
        let mut parts = line.split('|').map(|part| part.trim().to_owned());
        Some((parts.next()?, parts.next()?))
    };
    lines.filter_map(column).collect()
}

#[test]
fn tables_of_v3_2_are_those_of_a_real_server() {
    let world = World::of(Layout::named("3.2"));
    let folder = viewfinder_test_support::fixtures().join("immich-3.2/db");
    let mut compared = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let expected = described(&fs::read_to_string(&path).unwrap());
        let table = path.file_stem().unwrap().to_str().unwrap();
        let ours = world.rows(
            "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute
             WHERE attrelid = to_regclass(quote_ident($1)) AND attnum > 0 AND NOT attisdropped",
            &[&table],
        );
        assert!(!ours.is_empty(), "{table}");
        for row in ours {
            let (column, kind): (String, String) = (row.get(0), row.get(1));
            assert_eq!(expected.get(&column), Some(&kind), "{table}.{column}");
            compared += 1;
        }
        // Those that the tests have no use for are left out, but never one that tells versions apart.
        for column in ["personId", "personGroupId", "clusterGroupId", "deviceId", "isVisible"] {
            assert_eq!(expected.contains_key(column), world.has(table, column), "{table}.{column}");
        }
    }
    assert!(!world.has("person", "id") && !world.has("album", "ownerId"));
    assert!(compared > 100, "{compared}");
}

/// A library in which many pictures fit alike, so that an order that depends on chance would show.
fn filled(layout: &'static Layout) -> World {
    let world = World::of(layout);
    let words = ["invoice", "beach bar", "no parking", "增值税专用发票", "小心地滑", "a red scarf", "scarfs"];
    let partner = world.user("partner");
    world.partner(partner, true);
    let (ana, tag) = (world.person(world.me, "Ana Ruiz"), world.tag(&[]));
    let mut in_album = Vec::new();
    for number in 0..84 {
        let owner = if number % 5 == 0 { partner } else { world.me };
        let id = world.picture_of(owner, &format!("{number:02}.jpg"));
        world
            .set(id, &format!("\"fileCreatedAt\" = '2024-01-01'::timestamptz + '{} days'", number * 37 % 84));
        let (one, two) = (words[number % words.len()], words[number / 12]);
        world.read(id, &[one, two]);
        let mut vector = direction(two, WIDTH);
        vector[200 + number % 40] += 0.5 + (number % 9) as f32 / 10.0;
        world.show(id, &vector);
        if number % 3 == 0 {
            world.face(id, Some(ana));
            world.set_exif(id, "city = 'Bern', rating = 4");
        }
        if number % 4 == 0 {
            world.add_tag(id, tag);
            in_album.push(id);
        }
    }
    world.album(&in_album);
    world
}

#[test]
fn searches_find_the_same_in_the_same_order_whatever_the_tables() {
    let found = |layout: &'static Layout| -> Vec<(String, Vec<String>)> {
        let world = filled(layout);
        let id = |statement: &str| -> uuid::Uuid { world.rows(statement, &[])[0].get(0) };
        let person =
            if world.has_groups() { "SELECT \"personGroupId\" FROM person" } else { "SELECT id FROM person" };
        let filters = [
            ("all", json!({})),
            ("people", json!({"personIds": [id(person)]})),
            ("album", json!({"albumIds": [id("SELECT id FROM album")]})),
            ("tag", json!({"tagIds": [id("SELECT id FROM tag")]})),
            ("city", json!({"city": "Bern", "withExif": true})),
            ("page", json!({"page": 2, "size": 7})),
        ];
        let library = world.open();
        let mut all = Vec::new();
        for query in [
            "ocr:scarf",
            "ocr:carf",
            "ocr:发票",
            "ocr:票",
            "ocr：发票",
            "ocr:\"no parking\"",
            "ocr:parking -invoice",
            "ocr:bar person:\"ana ruiz\"",
            "ocr:invoice after:2024-02",
            "beach",
            "发票",
            "clip:beach",
            "invoice",
            "path:.jpg",
            "beach before:2024-03",
        ] {
            for (name, filter) in &filters {
                let mut body: Value = filter.clone();
                body["query"] = json!(query);
                body["visibility"] = json!("timeline");
                all.push((format!("{query}, {name}"), world.found(&library, body)));
            }
        }
        all
    };
    let expected = found(Layout::named("2.7.5"));
    assert!(expected.iter().filter(|(_, hits)| hits.len() > 3).count() > 50, "{expected:?}");
    for layout in layout::all() {
        for (one, other) in found(layout).iter().zip(&expected) {
            assert_eq!(one, other, "Immich {}", layout.name);
        }
    }
}
