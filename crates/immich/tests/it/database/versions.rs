//! Databases of other versions, and of others.
use serde_json::json;
use viewfinder_immich::{
    database::{Database, Error},
    library::Capabilities,
};

use crate::database::{
    backend::direction,
    world::{V1, World, config, server, wait},
};

#[test]
fn each_version_is_searched_with_every_filter() {
    let of_v1 = std::iter::once((World::new(), V1));
    for (world, change) in World::on_every_layout().map(|world| (world, "")).chain(of_v1) {
        let id = world.picture("one.jpg");
        world.show(id, &direction("beach", 512));
        let (tag, album) = (world.tag(&[]), world.album(&[id]));
        world.add_tag(id, tag);
        let person = world.person(world.me, "Ana");
        world.face(id, Some(person));
        world.set_exif(id, "city = 'Bern', rating = 3");
        world.set(id, "\"isFavorite\" = true");
        world.batch(change);
        let library = world.open();
        assert_eq!(library.capabilities(), Capabilities::default());
        for body in [
            json!({}),
            json!({"tagIds": [tag], "albumIds": [album], "personIds": [person]}),
            json!({"city": "Bern", "rating": 3, "isFavorite": true, "isMotion": false, "isEncoded": false}),
            json!({"takenAfter": "2023-01-01", "visibility": "timeline", "type": "IMAGE"}),
        ] {
            let mut body = body;
            body["query"] = json!("clip:beach");
            assert_eq!(world.found(&library, body.clone()), ["one.jpg"], "{body}");
        }
        assert!(world.found(&library, json!({"query": "clip:beach", "tagIds": null})).is_empty());
        assert!(world.found(&library, json!({"query": "clip:beach", "isNotInAlbum": true})).is_empty());
    }
}

#[test]
fn what_is_no_immich_is_refused() {
    let url = server().new_database();
    let error = wait(Database::open(config(&url, &std::sync::Arc::default()))).err().unwrap();
    assert!(matches!(error, Error::UnknownSchema(_)), "{error}");
    assert!(error.to_string().contains("there is no table asset"), "{error}");
    let made = server().sql(
        url.rsplit('/').next().unwrap(),
        "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'viewfinder'",
    );
    assert_eq!(made, "0", "nothing is made in it");
}

#[test]
fn nothing_is_made_in_the_schema_of_immich() {
    let world = World::new();
    let everything = "(SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
        UNION ALL SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace
        UNION ALL SELECT conname::text FROM pg_constraint WHERE connamespace = 'public'::regnamespace
        UNION ALL SELECT tgname::text FROM pg_trigger) AS everything";
    let before = world.count(everything);
    world.with_text("one.jpg", &["words"]);
    let library = world.open();
    world.found(&library, json!({"query": "words"}));
    assert_eq!(world.count(everything), before);
    let references = "pg_constraint WHERE contype = 'f' AND connamespace = 'viewfinder'::regnamespace";
    assert_eq!(world.count(references), 0);
}

#[test]
fn an_update_of_immich_while_it_is_followed_is_noticed() {
    let world = World::new();
    world.with_text("one.jpg", &["words"]);
    world.batch(V1);
    let library = world.open();
    // As v1.136 renames.
    world.batch(
        "ALTER TABLE assets RENAME TO asset; ALTER TABLE exif RENAME TO asset_exif;
         ALTER TABLE asset_faces RENAME TO asset_face; ALTER TABLE asset_files RENAME TO asset_file;
         ALTER TABLE partners RENAME TO partner; ALTER TABLE users RENAME TO \"user\";
         ALTER TABLE albums_assets_assets RENAME TO album_asset; ALTER TABLE tags_closure RENAME TO tag_closure",
    );
    let follower = wait(async { library.start_following() });
    let begun = std::time::Instant::now();
    while world.search(&library, json!({"query": "ocr:words"})).is_err() {
        assert!(begun.elapsed().as_secs() < 120, "it is not noticed");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    drop(follower);
}
