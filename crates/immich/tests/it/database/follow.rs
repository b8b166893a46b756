//! Keeping up with Immich.
use std::time::{Duration, Instant};

use serde_json::json;
use viewfinder_immich::database::Database;
use viewfinder_test_support::PostgresServer;

use crate::database::world::{World, config, wait};

fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        // So long that only a defect takes it.
        assert!(begun.elapsed() < Duration::from_secs(120), "{what} does not happen");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// What is found after the changes so far were taken over. The server counts changes a moment after they were made.
fn found(world: &World, library: &Database, word: &str) -> Vec<String> {
    // PostgreSQL 14 has no such function: there the server counts when half a second has passed.
    world.batch("DO $$ BEGIN PERFORM pg_stat_force_next_flush(); EXCEPTION WHEN undefined_function THEN PERFORM pg_sleep(1); END $$");
    wait(library.follow()).unwrap();
    world.found(library, json!({"ocr": word}))
}

#[test]
fn new_and_changed_texts_are_taken_over() {
    for world in World::everywhere() {
        let id = world.with_text("first.jpg", &["apple"]);
        let library = world.open();
        assert_eq!(found(&world, &library, "apple"), ["first.jpg"]);
        world.with_text("second.jpg", &["apple"]);
        assert_eq!(found(&world, &library, "apple").len(), 2);
        world.read(id, &["pear"]);
        assert_eq!(found(&world, &library, "pear"), ["first.jpg"]);
        assert_eq!(found(&world, &library, "apple"), ["second.jpg"]);
        world.read(id, &[]);
        assert!(found(&world, &library, "pear").is_empty());
        let empty: i64 = world.count("viewfinder.immich_text WHERE tokens IS NULL");
        assert_eq!(empty, 1);
    }
}

#[test]
fn deleted_pictures_leave() {
    for world in World::everywhere() {
        let id = world.with_text("first.jpg", &["apple"]);
        let library = world.open();
        world.sql("DELETE FROM asset WHERE id = $1", &[&id]);
        assert!(world.found(&library, json!({"ocr": "apple"})).is_empty(), "at once in searches");
        wait(library.follow()).unwrap();
        assert_eq!(world.count("viewfinder.immich_text"), 0);
    }
}

#[test]
fn an_edit_that_hides_lines_is_noticed() {
    for world in World::everywhere() {
        let id = world.with_text("first.jpg", &["apple", "pear"]);
        let library = world.open();
        world.sql("UPDATE asset_ocr SET \"isVisible\" = false WHERE text = 'pear'", &[]);
        world.set(id, "\"isEdited\" = true");
        assert!(found(&world, &library, "pear").is_empty());
        assert_eq!(found(&world, &library, "apple"), ["first.jpg"]);
        world.sql("UPDATE asset_ocr SET \"isVisible\" = false", &[]);
        world.set(id, "\"isEdited\" = true");
        assert!(found(&world, &library, "apple").is_empty());
    }
}

#[test]
fn while_immich_reads_everything_anew_the_old_text_is_found() {
    for world in World::everywhere() {
        let id = world.with_text("first.jpg", &["apple"]);
        let library = world.open();
        world.batch("TRUNCATE asset_ocr, ocr_search");
        world.set(id, "\"isFavorite\" = true");
        assert_eq!(found(&world, &library, "apple"), ["first.jpg"]);
        world.read(id, &["pear"]);
        assert_eq!(found(&world, &library, "pear"), ["first.jpg"]);
        assert!(found(&world, &library, "apple").is_empty());
    }
}

#[test]
fn a_part_that_fails_does_not_stop_the_others() {
    let world = World::new();
    let id = world.with_text("first.jpg", &["apple"]);
    let library = world.open();
    world.batch(
        "ALTER TABLE asset ALTER COLUMN \"updateId\" DROP DEFAULT, ALTER COLUMN \"updateId\" TYPE text;
         ALTER TABLE asset ALTER COLUMN \"updateId\" SET DEFAULT immich_uuid_v7()::text",
    );
    world.read(id, &["pear"]);
    world.batch("SELECT pg_stat_force_next_flush()");
    wait(library.follow()).unwrap_err();
    assert_eq!(world.found(&library, json!({"ocr": "pear"})), ["first.jpg"]);
}

#[test]
fn a_large_library_is_taken_over_in_pieces_and_goes_on_after_a_restart() {
    let world = World::new();
    world.batch(&format!(
        "INSERT INTO asset (\"deviceAssetId\", \"ownerId\", \"deviceId\", type, \"originalPath\", \"fileCreatedAt\",
             \"fileModifiedAt\", \"localDateTime\", checksum, \"originalFileName\")
         SELECT n, '{}', 'phone', 'IMAGE', '/' || n, now(), now(), now(), sha224(n::text::bytea), n FROM generate_series(1, 1200) AS n;
         INSERT INTO asset_job_status (\"assetId\", \"ocrAt\") SELECT id, now() - interval '1 year' FROM asset;
         INSERT INTO asset_ocr (\"assetId\", x1, y1, x2, y2, x3, y3, x4, y4, \"boxScore\", \"textScore\", text)
         SELECT id, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 'apple ' || \"originalFileName\" FROM asset;
         UPDATE asset SET \"updateId\" = \"updateId\"",
        world.me
    ));
    // As if all of it were old.
    world.batch(
        "ALTER TABLE asset DISABLE TRIGGER USER;
         UPDATE asset SET \"updateId\" = ('0188aaaa' || substr(\"updateId\"::text, 9))::uuid",
    );
    let open = || wait(Database::open(config(&world.url, &world.answers))).unwrap();
    assert!(!wait(open().follow()).unwrap());
    assert_eq!(world.count("viewfinder.immich_text"), 500);
    let library = open();
    assert!(!wait(library.follow()).unwrap());
    assert_eq!(world.count("viewfinder.immich_text"), 1000);
    assert!(wait(library.follow()).unwrap());
    assert_eq!(world.count("viewfinder.immich_text"), 1200);
    assert_eq!(world.found(&library, json!({"ocr": "\"apple 1111\""})), ["1111"]);
}

#[test]
fn another_segmenter_cuts_everything_again_and_nothing_is_lost_meanwhile() {
    let world = World::new();
    world.with_text("first.jpg", &["apple"]);
    world.open();
    world.batch("UPDATE viewfinder.immich_state SET segmentation = 'older'; UPDATE viewfinder.immich_text SET tokens = '''apple'':1A'");
    let library = wait(Database::open(config(&world.url, &world.answers))).unwrap();
    assert_eq!(world.found(&library, json!({"ocr": "apple"})), ["first.jpg"]);
    assert!(world.found(&library, json!({"ocr": "ppl"})).is_empty());
    wait(library.follow()).unwrap();
    assert_eq!(world.found(&library, json!({"ocr": "ppl"})), ["first.jpg"]);
}

#[test]
fn following_survives_a_restart_of_the_database() {
    let mut server = PostgresServer::start(&[]);
    let world = World::on(&server);
    world.with_text("first.jpg", &["apple"]);
    let library = wait(Database::open(config(&world.url, &world.answers))).unwrap();
    let follower = wait(async { library.start_following() });
    wait_until("the first text is found", || world.found(&library, json!({"ocr": "apple"})).len() == 1);
    server.stop();
    let body = crate::database::world::parse(&json!({"ocr": "apple"}));
    let error = wait(library.search(&world.caller(), &body)).unwrap_err();
    assert_eq!(error.code(), "database_away");
    server.start_again();
    world.reconnect();
    world.with_text("second.jpg", &["apple"]);
    wait_until("the second text is found", || world.found(&library, json!({"ocr": "apple"})).len() == 2);
    drop(follower);
}

#[test]
fn tables_that_somebody_took_away_are_made_again() {
    let world = World::new();
    world.with_text("first.jpg", &["apple"]);
    let library = world.open();
    let _follower = wait(async { library.start_following() });
    world.batch("DROP SCHEMA viewfinder CASCADE");
    wait_until("our table is filled again", || {
        world.search(&library, json!({"ocr": "apple"})).is_ok_and(|page| page.items.len() == 1)
    });
}
