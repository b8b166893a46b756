//! The whole library: what is missing, and doing it.
use std::{collections::HashSet, sync::Mutex};

use bytes::Bytes;
use tokio::task::block_in_place;
use uuid::Uuid;
use viewfinder_catalog::query::Query;
use viewfinder_immich::{
    database::{Database, Error, MediaFolder, MediaPreviews, NoPreview, Progress, Which},
    library::RerunKind,
};

use crate::database::{
    backend::{WIDTH, direction},
    world::{V1, World, wait},
};

/// Three pictures with previews, and one that Immich has not come to yet.
fn world() -> (World, Vec<Uuid>) {
    let world = World::new();
    let mut ids: Vec<Uuid> = ["a.jpg", "b.jpg", "c.jpg"].map(|name| world.picture(name)).into();
    ids.sort_unstable();
    for id in &ids {
        let path = format!("/data/thumbs/{id}.jpeg");
        world
            .sql("INSERT INTO asset_file (\"assetId\", type, path) VALUES ($1, 'preview', $2)", &[id, &path]);
    }
    world.picture("new.jpg");
    (world, ids)
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of those that may fail")]
fn preview(_: Uuid) -> Result<Bytes, NoPreview> {
    Ok(Bytes::from_static(b"beach"))
}

fn all_of(library: &Database, kind: RerunKind, which: Which) -> Progress {
    wait(library.reindex(kind, which, &Query::default(), &preview, |_, failure| failure.is_none())).unwrap()
}

#[test]
fn missing_ones_are_done_and_counted() {
    let (world, ids) = world();
    world.show(ids[1], &direction("zzz", WIDTH));
    world.read(ids[0], &["words"]);
    let library = world.open();
    let status = wait(library.status()).unwrap();
    assert_eq!((status.immich, status.people, status.assets), ("v2", "owner", Some(4)));
    assert_eq!((status.ocr.missing, status.clip.missing, status.clip.vectors), (Some(2), Some(2), Some(1)));
    assert_eq!((status.clip.width, status.clip.index), (Some(WIDTH), "hnsw"));
    assert_eq!((status.follower.read, status.follower.taken_over), (Some(1), Some(1)));
    assert!(status.follower.caught_up);
    assert_eq!(status.capabilities.missing().next(), None);

    let done = Progress { all: 2, done: 2, failed: 0 };
    assert_eq!(all_of(&library, RerunKind::Clip, Which::Missing), done);
    assert_eq!(all_of(&library, RerunKind::Ocr, Which::Missing), done);
    let status = wait(library.status()).unwrap();
    assert_eq!((status.ocr.missing, status.clip.missing, status.clip.vectors), (Some(0), Some(0), Some(3)));
    assert_eq!((status.follower.read, status.follower.taken_over), (Some(3), Some(3)));
    assert_eq!(all_of(&library, RerunKind::Ocr, Which::Missing).all, 0);
}

#[test]
fn what_was_stopped_goes_on_and_nothing_is_missing_meanwhile() {
    let (world, ids) = world();
    for id in &ids {
        world.show(*id, &direction("zzz", WIDTH));
    }
    let library = world.open();
    let seen = Mutex::new(Vec::new());
    let noting = |id: Uuid| {
        seen.lock().unwrap().push(id);
        assert_eq!(block_in_place(|| world.count("smart_search")), 3);
        preview(id)
    };
    let first =
        wait(library.reindex(RerunKind::Clip, Which::All, &Query::default(), &noting, |_, _| false)).unwrap();
    assert_eq!(first, Progress { all: 3, done: 1, failed: 0 });
    let rest =
        wait(library.reindex(RerunKind::Clip, Which::All, &Query::default(), &noting, |_, _| true)).unwrap();
    assert_eq!(rest, Progress { all: 2, done: 2, failed: 0 });
    assert_eq!(*seen.lock().unwrap(), ids);
    assert_eq!(all_of(&library, RerunKind::Clip, Which::All).all, 3, "and begins anew after the end");
}

#[test]
fn previews_come_from_the_folder_and_one_that_is_missing_stops_nothing() {
    let (world, ids) = world();
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("thumbs")).unwrap();
    for id in &ids[1..] {
        std::fs::write(folder.path().join(format!("thumbs/{id}.jpeg")), "beach").unwrap();
    }
    world.batch("INSERT INTO system_metadata VALUES ('MediaLocation', '{\"location\": \"/data\"}')");
    let media = MediaFolder { prefix_in_database: None, folder: folder.path().to_owned() };
    let library = world.open();
    let elsewhere = MediaFolder { prefix_in_database: Some("/upload".into()), ..media.clone() };
    assert!(wait(library.preview_in(&elsewhere, ids[1])).unwrap_err().to_string().contains("--media-prefix"));
    let mut failures = Vec::new();
    let progress = wait(library.reindex(
        RerunKind::Clip,
        Which::Missing,
        &Query::default(),
        &MediaPreviews { database: &library, media: &media },
        |_, failure| {
            failures.extend(failure.map(|(id, error)| format!("{id}: {error}")));
            true
        },
    ));
    assert_eq!(progress.unwrap(), Progress { all: 3, done: 2, failed: 1 });
    assert!(
        failures[0].contains(&ids[0].to_string()) && failures[0].contains("No such file"),
        "{failures:?}"
    );
    assert_eq!(world.count("smart_search"), 2);
    // Nothing is counted while the disk is not mounted.
    std::fs::remove_dir_all(folder.path().join("thumbs")).unwrap();
    let none = wait(library.reindex(
        RerunKind::Clip,
        Which::Missing,
        &Query::default(),
        &MediaPreviews { database: &library, media: &media },
        |_, _| panic!("a picture was counted"),
    ));
    assert!(matches!(none, Err(Error::MediaAway(_))), "{none:?}");
}

#[test]
fn an_immich_without_text_is_read_by_us() {
    let (world, _) = world();
    world.batch(V1);
    let library = world.open();
    let status = wait(library.status()).unwrap();
    assert_eq!((status.immich, status.ocr.by_immich, status.ocr.missing), ("v1", false, Some(3)));
    assert_eq!(all_of(&library, RerunKind::Ocr, Which::Missing).done, 3);
    assert_eq!(wait(library.status()).unwrap().ocr.missing, Some(0));
}

#[test]
fn what_immich_does_not_read_is_read_here_and_failures_are_not_tried_again() {
    let (world, ids) = world();
    let library = world.open();
    assert!(!wait(library.reads_text()).unwrap());
    world.batch(
        "INSERT INTO system_metadata VALUES ('system-config', '{\"machineLearning\": {\"ocr\": {\"enabled\": false}}}')",
    );
    assert!(wait(library.reads_text()).unwrap());
    let asked = Mutex::new(Vec::new());
    let broken = |id: Uuid| {
        asked.lock().unwrap().push(id);
        if id == ids[1] { Err("broken".to_owned().into()) } else { preview(id) }
    };
    let mut failed = HashSet::new();
    assert_eq!(wait(library.read_missing(&broken, &mut failed, || true)).unwrap(), 2);
    assert_eq!(failed, HashSet::from([ids[1]]));
    assert_eq!(wait(library.read_missing(&broken, &mut failed, || true)).unwrap(), 0);
    assert_eq!(*asked.lock().unwrap(), ids);
    world.batch(V1);
    assert!(wait(world.open().reads_text()).unwrap());
}

#[test]
fn some_are_chosen_by_the_filters_of_searches() {
    let (world, ids) = world();
    for id in &ids {
        world.show(*id, &direction("zzz", WIDTH));
    }
    let library = world.open();
    let only = |filters: &str| {
        let query = Query::parse(filters).unwrap();
        let seen = Mutex::new(0);
        let noting = |id: Uuid| {
            *seen.lock().unwrap() += 1;
            preview(id)
        };
        wait(library.reindex(RerunKind::Clip, Which::All, &query, &noting, |_, _| true))
            .map(|_| *seen.lock().unwrap())
    };
    assert_eq!(only("path:b.jpg").unwrap(), 1);
    assert_eq!(only("path:.jpg").unwrap(), 3);
    assert_eq!(only("after:2100").unwrap(), 0);
    assert_eq!(only("person:nobody").unwrap(), 0);
    // It neither goes on where another run was stopped, nor says where that one goes on.
    wait(library.reindex(RerunKind::Clip, Which::All, &Query::default(), &preview, |_, _| false)).unwrap();
    assert_eq!(only("path:.jpg").unwrap(), 3);
    assert_eq!(all_of(&library, RerunKind::Clip, Which::All).done, 2);
    assert!(matches!(only("receipt"), Err(Error::Unsupported(_))));
}
