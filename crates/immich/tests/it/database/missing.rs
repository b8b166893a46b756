//! What is lost when a table or a column is missing: what needs it, and nothing else.
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;
use viewfinder_immich::{
    database::{Database, Error, NoPreview},
    library::{
        Capability::{
            self, AlbumFilter, Exif, FollowChanges, HybridSearch, MeaningSearch, PeopleFilter,
            PeopleInAnswers, RedoText, RedoVectors, TagFilter, TextSearch,
        },
        RerunKind,
    },
};

use crate::database::{
    backend::{WIDTH, direction},
    layout,
    world::{World, config, parse, wait},
};

const SEARCHES: &[Capability] = &[TextSearch, MeaningSearch, HybridSearch];
const PEOPLE: &[Capability] = &[PeopleFilter, PeopleInAnswers];
const REDO: &[Capability] = &[RedoText, RedoVectors];
const READINGS: &[Capability] = &[RedoText, FollowChanges];
const VECTORS: &[Capability] = &[MeaningSearch, HybridSearch, RedoVectors];
const CORE: &[Capability] = &[TextSearch, MeaningSearch, HybridSearch, RedoText, RedoVectors];

/// What is lost without these columns, separated by spaces; without any other, nothing is.
const LOST: &[(&str, &str, &[Capability])] = &[
    ("asset", "id", &[TextSearch, MeaningSearch, HybridSearch, RedoText, RedoVectors, FollowChanges]),
    ("asset", "ownerId visibility deletedAt", CORE),
    ("asset", "updateId", &[FollowChanges]),
    (
        "asset",
        "deviceAssetId deviceId type originalPath originalFileName fileCreatedAt fileModifiedAt localDateTime createdAt \
         updatedAt isFavorite duration checksum livePhotoVideoId thumbhash isOffline libraryId duplicateId width height \
         isEdited",
        SEARCHES,
    ),
    ("partner", "sharedById sharedWithId inTimeline", SEARCHES),
    ("user", "id deletedAt", SEARCHES),
    (
        "asset_exif",
        "assetId make model exifImageWidth exifImageHeight fileSizeInByte orientation dateTimeOriginal modifyDate \
         lensModel fNumber focalLength iso exposureTime latitude longitude city state country description \
         projectionType rating timeZone",
        &[Exif],
    ),
    ("asset_face", "assetId personId personGroupId deletedAt isVisible", PEOPLE),
    ("person", "id personGroupId name", PEOPLE),
    ("person", "updatedAt thumbnailPath isHidden birthDate isFavorite color", &[PeopleInAnswers]),
    ("album_asset", "albumId assetId", &[AlbumFilter]),
    ("tag_asset", "assetId tagId", &[TagFilter]),
    ("tag_closure", "id_ancestor id_descendant", &[TagFilter]),
    ("smart_search", "assetId embedding", VECTORS),
    ("system_metadata", "key value", VECTORS),
    ("asset_file", "assetId type path isEdited", REDO),
    ("asset_job_status", "assetId ocrAt", READINGS),
    ("asset_ocr", "id assetId x1 y1 x2 y2 x3 y3 x4 y4 textScore text", READINGS),
    ("asset_ocr", "isVisible", &[FollowChanges]),
    ("asset_ocr", "boxScore", &[RedoText]),
    ("ocr_search", "assetId text", &[RedoText]),
];

/// Where versions differ.
fn lost(world: &World, table: &str, column: &str) -> Vec<Capability> {
    const FACE: &[&str] = &[
        "id",
        "imageWidth",
        "imageHeight",
        "boundingBoxX1",
        "boundingBoxY1",
        "boundingBoxX2",
        "boundingBoxY2",
        "sourceType",
    ];
    match (table, column) {
        // Whose names and faces are told.
        ("person", "ownerId") if !world.has_groups() => return vec![PeopleFilter],
        ("person", "ownerId") => return PEOPLE.to_vec(),
        ("asset_face", face) if FACE.contains(&face) => {
            return if world.is_v3() { Vec::new() } else { vec![PeopleInAnswers] };
        }
        _ => {}
    }
    let named =
        LOST.iter().find(|(of, columns, _)| *of == table && columns.split(' ').any(|one| one == column));
    named.map_or_else(Vec::new, |(.., lost)| lost.to_vec())
}

/// A picture of which everything is known.
struct Known {
    world: World,
    id: Uuid,
    searches: Vec<(Value, Vec<Capability>)>,
}

impl Known {
    fn new(layout: &'static layout::Layout) -> Self {
        let world = World::of(layout);
        let id = world.picture("one.jpg");
        let person = world.person(world.me, "Ana");
        world.face(id, Some(person));
        let (album, tag) = (world.album(&[id]), world.tag(&[]));
        world.add_tag(id, tag);
        world.set_exif(id, "city = 'Bern'");
        world.show(id, &direction("beach", WIDTH));
        world.sql(
            "INSERT INTO asset_file (\"assetId\", type, path) VALUES ($1, 'preview', '/data/a')",
            &[&id],
        );
        let library = world.open();
        wait(library.rerun(&world.caller(), RerunKind::Ocr, &[id], &preview)).unwrap();
        let searches = vec![
            (json!({"query": "ocr:invoice"}), vec![TextSearch]),
            (json!({"ocr": "invoice", "isFavorite": false, "originalFileName": "one"}), vec![TextSearch]),
            (json!({"query": "clip:beach"}), vec![MeaningSearch]),
            (json!({"query": "invoice"}), vec![HybridSearch]),
            (json!({"query": "path:one"}), vec![TextSearch]),
            (json!({"ocr": "invoice", "withPeople": true}), vec![TextSearch, PeopleInAnswers]),
            (json!({"ocr": "invoice", "personIds": [person]}), vec![TextSearch, PeopleFilter]),
            (json!({"query": "ocr:invoice person:Ana"}), vec![TextSearch, PeopleFilter]),
            (json!({"query": "ocr:invoice", "albumIds": [album]}), vec![TextSearch, AlbumFilter]),
            (json!({"query": "ocr:invoice", "tagIds": [tag]}), vec![TextSearch, TagFilter]),
            (json!({"query": "ocr:invoice", "withExif": true}), vec![TextSearch, Exif]),
            (json!({"query": "clip:beach", "city": "Bern"}), vec![MeaningSearch, Exif]),
            (filter(json!({"isFavorite": {"eq": false}})), vec![TextSearch]),
            (filter(json!({"personIds": {"any": [person]}})), vec![TextSearch, PeopleFilter]),
            (filter(json!({"hasPeople": {"eq": true}})), vec![TextSearch, PeopleFilter]),
            (filter(json!({"hasAlbums": {"eq": true}})), vec![TextSearch, AlbumFilter]),
            (filter(json!({"or": [{"tagIds": {"all": [tag]}}]})), vec![TextSearch, TagFilter]),
            (filter(json!({"city": {"eq": "Bern"}})), vec![TextSearch, Exif]),
            (json!({"filter": {}, "orderBy": {"field": "rating"}}), vec![TextSearch, Exif]),
        ];
        Self { world, id, searches }
    }

    /// What is lost is exactly this, and all else goes on.
    fn check(&self, gone: &str, expected: &[Capability]) {
        let library = wait(Database::open(config(&self.world.url, &self.world.answers))).unwrap();
        let told: Vec<(Capability, String)> = library.capabilities().missing().collect();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        expected.dedup();
        assert_eq!(told.iter().map(|(capability, _)| *capability).collect::<Vec<_>>(), expected, "{gone}");
        for (_, told) in &told {
            assert!(told.contains(&format!("this Immich has no {gone}")), "{told}");
        }
        let is_lost = |needs: &[Capability]| needs.iter().any(|need| expected.contains(need));
        for (body, needs) in &self.searches {
            let found = wait(library.search(&self.world.caller(), &parse(body)));
            match found {
                Ok(page) => assert!(!is_lost(needs) && page.items.len() == 1, "{gone}: {body}"),
                Err(Error::Missing { capability, .. }) => assert!(is_lost(&[capability]), "{gone}: {body}"),
                Err(error) => panic!("{gone}: {body}: {error}"),
            }
        }
        for (kind, needs) in [(RerunKind::Ocr, RedoText), (RerunKind::Clip, RedoVectors)] {
            match wait(library.rerun(&self.world.caller(), kind, &[self.id], &preview)) {
                Ok(()) => assert!(!is_lost(&[needs]), "{gone}: {needs}"),
                Err(error) => {
                    assert!(is_lost(&[needs]), "{gone}: {error}");
                    assert_eq!(error.code(), "capability_missing");
                }
            }
        }
        wait(library.follow()).unwrap_or_else(|error| panic!("{gone}: {error}"));
        let status = wait(library.status()).unwrap();
        assert_eq!(status.capabilities, library.capabilities());
    }
}

/// A search of the second shape, with words.
fn filter(mut filter: Value) -> Value {
    filter["ocr"] = json!({"matches": "invoice"});
    json!({"filter": filter})
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of those that may fail")]
fn preview(_: Uuid) -> Result<Bytes, NoPreview> {
    Ok(Bytes::from_static(b"beach"))
}

#[test]
fn without_a_column_only_what_needs_it_is_lost() {
    for layout in layout::all() {
        let known = Known::new(layout);
        known.check("nothing", &[]);
        let columns = known.world.rows(
            "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'
             ORDER BY 1, 2",
            &[],
        );
        let rename = |table: &str, column: &str, to: &str| {
            known.world.batch(&format!("ALTER TABLE \"{table}\" RENAME COLUMN \"{column}\" TO \"{to}\""));
        };
        let mut unused = 0;
        for row in columns {
            let (table, column): (String, String) = (row.get(0), row.get(1));
            let expected = lost(&known.world, &table, &column);
            if expected.is_empty() {
                unused += 1;
                rename(&table, &column, &format!("gone {unused}"));
                continue;
            }
            rename(&table, &column, "gone");
            known.check(&format!("column {table}.{column}"), &expected);
            rename(&table, "gone", &column);
        }
        // Nobody misses all the others, even together.
        assert!(unused > 20);
        known.check("nothing", &[]);
    }
}

#[test]
fn without_a_table_only_what_needs_it_is_lost() {
    for layout in layout::all() {
        let known = Known::new(layout);
        let tables = known.world.rows(
            "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_name <> 'asset'",
            &[],
        );
        for row in tables {
            let table: String = row.get(0);
            let columns = known.world.rows(
                "SELECT column_name::text FROM information_schema.columns
                 WHERE table_schema = 'public' AND table_name = $1",
                &[&table],
            );
            let expected: Vec<Capability> =
                columns.iter().flat_map(|row| lost(&known.world, &table, row.get(0))).collect();
            known.world.batch(&format!("ALTER TABLE \"{table}\" RENAME TO gone"));
            known.check(&format!("table {table}"), &expected);
            known.world.batch(&format!("ALTER TABLE gone RENAME TO \"{table}\""));
        }
    }
}

#[test]
fn without_pgvector_text_is_searched() {
    for world in World::everywhere().filter(|world| !world.has_vectors()) {
        world.with_text("one.jpg", &["invoice"]);
        let library = world.open();
        let missing: Vec<Capability> = library.capabilities().missing().map(|(missing, _)| missing).collect();
        assert_eq!(missing, VECTORS);
        assert_eq!(world.found(&library, json!({"query": "ocr:invoice"})), ["one.jpg"]);
        let error = world.search(&library, json!({"query": "invoice"})).unwrap_err();
        assert!(matches!(error, Error::Missing { capability: HybridSearch, .. }), "{error}");
        assert!(error.to_string().ends_with("Immich answers such searches itself"), "{error}");
    }
}

#[test]
fn what_changes_while_it_runs_is_noticed() {
    let world = World::new();
    let id = world.with_text("one.jpg", &["words"]);
    let ana = world.person(world.me, "Ana");
    world.face(id, Some(ana));
    let library = world.open();
    let by_people = json!({"ocr": "words", "personIds": [ana]});
    world.batch("ALTER TABLE asset_face RENAME COLUMN \"personId\" TO \"whoIsIt\"");
    // A search that fails looks again, though not at every failure.
    let begun = Instant::now();
    while !matches!(world.search(&library, by_people.clone()).unwrap_err(), Error::Missing { .. }) {
        // So long that only a defect takes it.
        assert!(begun.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(!library.capabilities().has(PeopleFilter));
    assert_eq!(world.found(&library, json!({"ocr": "words"})), ["one.jpg"]);
    // What comes back is seen by whoever follows, though nothing fails.
    let _follower = wait(async { library.start_following() });
    world.batch("ALTER TABLE asset_face RENAME COLUMN \"whoIsIt\" TO \"personId\"");
    let begun = Instant::now();
    while !library.capabilities().has(PeopleFilter) {
        assert!(begun.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(world.found(&library, by_people), ["one.jpg"]);
}
