//! Doing pictures again: what is written, compared with what a real Immich 2.7.5 wrote for the same answer, and who may.
use std::{collections::HashMap, sync::atomic::Ordering};

use bytes::Bytes;
use serde_json::json;
use uuid::Uuid;
use viewfinder_immich::{
    database::{Database, Error, NoPreview},
    library::{Caller, RerunKind},
};

use crate::database::{
    backend::{WIDTH, asked, direction},
    world::{V1, World, wait},
};

/// The first record of a table that was dumped from a real Immich, by its columns.
fn dumped(table_with: &[&str]) -> HashMap<String, String> {
    let file = viewfinder_test_support::fixtures().join("immich-2.7.5/db/rows.txt");
    let text = std::fs::read_to_string(file).unwrap();
    let records = text.split("-[ RECORD 1 ]").skip(1).map(|record| {
        let lines = record.lines().skip(1).take_while(|line| line.contains(" | "));
        let pair =
            |line: &str| line.split_once(" | ").map(|(key, value)| (key.trim().into(), value.trim().into()));
        lines.filter_map(pair).collect::<HashMap<String, String>>()
    });
    records
        .into_iter()
        .find(|record| {
            record.len() == table_with.len() && table_with.iter().all(|key| record.contains_key(*key))
        })
        .unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of those that may fail")]
fn picture_bytes(_: Uuid) -> Result<Bytes, NoPreview> {
    Ok(Bytes::from_static(b"beach"))
}

fn rerun(world: &World, library: &Database, kind: RerunKind, ids: &[Uuid]) -> Result<(), Error> {
    wait(library.rerun(&world.caller(), kind, ids, &picture_bytes))
}

#[test]
fn text_is_written_as_immich_writes_it() {
    for world in World::everywhere() {
        let id = world.with_text("readme.jpg", &["something old"]);
        let library = world.open();
        rerun(&world, &library, RerunKind::Ocr, &[id, id]).unwrap();
        assert_eq!(asked(&world.answers), ["read PP-OCRv5_mobile 0.5 0.8 736"]);

        let columns = [
            "id",
            "assetId",
            "x1",
            "y1",
            "x2",
            "y2",
            "x3",
            "y3",
            "x4",
            "y4",
            "boxScore",
            "textScore",
            "text",
            "isVisible",
        ];
        let expected = dumped(&columns);
        let rows = world.rows("SELECT * FROM asset_ocr ORDER BY y1", &[]);
        assert_eq!(rows.len(), 2);
        for column in &columns[2..12] {
            let (value, expected): (f32, f32) = (rows[0].get(*column), expected[*column].parse().unwrap());
            assert!((value - expected).abs() < 1e-6, "{column}: {value} is not {expected}");
        }
        assert_eq!(rows[0].get::<_, String>("text"), expected["text"]);
        assert_eq!(rows[0].get::<_, bool>("isVisible"), expected["isVisible"] == "t");
        let search: String =
            world.rows("SELECT text FROM ocr_search WHERE \"assetId\" = $1", &[&id])[0].get(0);
        assert_eq!(search, dumped(&["assetId", "text"])["text"]);
        let exact = "asset_job_status WHERE \"ocrAt\" = date_trunc('milliseconds', \"ocrAt\") AND \"ocrAt\" > now() - interval '1 hour'";
        assert_eq!(world.count(exact), 1);

        assert_eq!(world.found(&library, json!({"ocr": "invoice"})), ["readme.jpg"], "at once");
        assert!(world.found(&library, json!({"ocr": "old"})).is_empty());
        let generation =
            world.rows("SELECT xmin::text FROM viewfinder.immich_text", &[])[0].get::<_, String>(0);
        wait(library.follow()).unwrap();
        let after = world.rows("SELECT xmin::text FROM viewfinder.immich_text", &[])[0].get::<_, String>(0);
        assert_eq!(generation, after, "the follower has nothing to do");
    }
}

#[test]
fn a_picture_without_text_loses_what_it_had() {
    for world in World::everywhere() {
        let id = world.with_text("one.jpg", &["something old"]);
        world.sql("INSERT INTO ocr_search VALUES ($1, 'something old')", &[&id]);
        let library = world.open();
        wait(library.rerun(&world.caller(), RerunKind::Ocr, &[id], &|_| Ok(Bytes::new()))).unwrap();
        assert_eq!((world.count("asset_ocr"), world.count("ocr_search")), (0, 0));
        assert_eq!(world.count("asset_job_status WHERE \"ocrAt\" IS NOT NULL"), 1);
        assert!(world.found(&library, json!({"ocr": "old"})).is_empty());
    }
}

#[test]
fn vectors_are_written_and_replaced() {
    for world in World::on_every_layout() {
        let [old, new] = ["old.jpg", "new.jpg"].map(|name| world.picture(name));
        world.show(old, &direction("zzz", WIDTH));
        let library = world.open();
        rerun(&world, &library, RerunKind::Clip, &[old, new]).unwrap();
        for row in world.rows("SELECT embedding FROM smart_search", &[]) {
            assert_eq!(row.get::<_, pgvector::Vector>(0).to_vec(), direction("beach", WIDTH));
        }
        assert_eq!(world.count("smart_search"), 2);
        assert_eq!(asked(&world.answers)[0], "embed ViT-B-32__openai");
    }
}

#[test]
fn a_vector_of_another_width_is_refused_and_nothing_is_lost() {
    for world in World::on_every_layout() {
        let id = world.picture("one.jpg");
        world.show(id, &direction("zzz", WIDTH));
        let library = world.open();
        world.width.store(768, Ordering::Relaxed);
        let error = rerun(&world, &library, RerunKind::Clip, &[id]).unwrap_err();
        assert!(matches!(error, Error::Width { vector: 768, column: 512, .. }), "{error}");
        assert_eq!(world.count("smart_search"), 1);
    }
}

#[test]
fn only_ones_own_pictures_are_done_again() {
    for world in World::everywhere() {
        let partner = world.user("partner");
        world.partner(partner, true);
        let mine = world.picture("mine.jpg");
        let theirs = world.picture_of(partner, "theirs.jpg");
        let locked = world.picture("locked.jpg");
        world.set(locked, "visibility = 'locked'");
        let moving = world.picture("moving.mov");
        world.set(moving, "visibility = 'hidden'");
        let library = world.open();
        for id in [theirs, locked, Uuid::max()] {
            let error = rerun(&world, &library, RerunKind::Ocr, &[mine, id]).unwrap_err();
            assert!(matches!(error, Error::NotYours(other) if other == id), "{error}");
        }
        assert_eq!(world.count("asset_ocr"), 0, "all or nothing");
        let elevated = Caller { elevated: true, ..world.caller() };
        wait(library.rerun(&elevated, RerunKind::Ocr, &[locked], &picture_bytes)).unwrap();
        rerun(&world, &library, RerunKind::Ocr, &[moving]).unwrap();
        assert_eq!(world.count("asset_ocr"), 2, "of the locked one; moving parts are passed over");
    }
}

#[test]
fn a_preview_that_cannot_be_had_is_told() {
    for world in World::everywhere() {
        let id = world.with_text("one.jpg", &["kept"]);
        let library = world.open();
        let error = wait(
            library.rerun(&world.caller(), RerunKind::Ocr, &[id], &|_| Err("no such file".to_owned().into())),
        )
        .unwrap_err();
        assert_eq!(error.to_string(), format!("the preview of {id} cannot be read: no such file"));
        assert_eq!(world.found(&library, json!({"ocr": "kept"})), ["one.jpg"]);
    }
}

#[test]
fn an_immich_that_reads_no_text_gets_it_from_us() {
    let world = World::new();
    let id = world.picture("one.jpg");
    world.batch(V1);
    let library = world.open();
    assert!(world.found(&library, json!({"query": "ocr:invoice"})).is_empty());
    rerun(&world, &library, RerunKind::Ocr, &[id]).unwrap();
    assert_eq!(world.found(&library, json!({"query": "ocr:invoice"})), ["one.jpg"]);
    wait(library.follow()).unwrap();
    assert_eq!(world.found(&library, json!({"query": "ocr:invoice"})), ["one.jpg"], "and keeps it");
}
