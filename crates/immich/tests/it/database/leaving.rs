//! Searches that nobody waits for any more.
use std::time::{Duration, Instant};

use serde_json::json;
use tokio::time::timeout;

use crate::database::world::{World, parse, wait};

#[test]
fn a_search_whose_asker_has_gone_ends_in_the_database_too() {
    let world = World::new();
    world.with_text("one.jpg", &["invoice"]);
    let library = world.open();
    // Whoever looks for text waits for this one.
    world.batch("BEGIN; LOCK TABLE viewfinder.immich_text IN ACCESS EXCLUSIVE MODE");
    let (caller, request) = (world.caller(), parse(&json!({"ocr": "invoice"})));
    let left = wait(async { timeout(Duration::from_millis(500), library.search(&caller, &request)).await });
    assert!(left.is_err(), "{left:?}");
    let begun = Instant::now();
    let still = "pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while world.count(still) > 0 {
        // So long that only a defect takes it.
        assert!(begun.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(50));
    }
    world.batch("COMMIT");
    assert_eq!(world.found(&library, json!({"ocr": "invoice"})), ["one.jpg"]);
}
