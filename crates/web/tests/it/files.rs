//! Pictures as they lie on the disk, and small ones.
use viewfinder_image::{Limits, RgbImage, decode, encode};

use crate::{Setup, TOKEN, World, picture};

const FOR_EVER: Option<&str> = Some("private, max-age=31536000, immutable");

/// The first picture's number in a catalogue of its own.
const ID: i64 = 1;

#[tokio::test(flavor = "multi_thread")]
async fn a_file_comes_whole_and_can_do_nothing() {
    // Longer than what is read at a time.
    let png = [&picture()[..], &vec![7; 300_000][..]].concat();
    let jpeg = encode::jpeg(&RgbImage::filled(40, 30, [9, 99, 199]), 82.0);
    for (name, bytes, kind) in
        [("a.png", &png, "image/png"), ("B.JPG", &jpeg, "image/jpeg"), ("c.jpeg", &jpeg, "image/jpeg")]
    {
        let world = World::new(&[(name, bytes)], Setup::default()).await;
        let path = format!("/api/v1/assets/{ID}/file");
        let whole = world.show(&path).await;
        assert_eq!((whole.status, whole.header("content-type")), (200, Some(kind)), "{name}");
        assert!(whole.body == *bytes, "{name}");
        assert_eq!(whole.header("content-length"), Some(bytes.len().to_string().as_str()));
        assert_eq!(whole.header("cache-control"), FOR_EVER);
        assert_eq!(whole.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(whole.header("content-security-policy"), Some("sandbox; default-src 'none'"));

        let authorized = format!("HTTP/1.1\r\nAuthorization: Bearer {TOKEN}");
        let head = world.exchange(&format!("HEAD {path} {authorized}"), b"").await;
        assert_eq!((head.status, head.body.len()), (200, 0));
        assert_eq!(head.header("content-length"), whole.header("content-length"));
        let length = bytes.len();
        for (range, part) in [
            ("bytes=0-9", 0..10),
            ("bytes=-10", length - 10..length),
            ("bytes=5-", 5..length),
            ("bytes=5-999999999", 5..length),
        ] {
            let answer = world.exchange(&format!("GET {path} {authorized}\r\nRange: {range}"), b"").await;
            assert_eq!((answer.status, answer.header("accept-ranges")), (206, Some("bytes")), "{range}");
            let said = format!("bytes {}-{}/{length}", part.start, part.end - 1);
            assert_eq!(answer.header("content-range"), Some(said.as_str()), "{range}");
            assert!(answer.body == bytes[part], "{range}");
        }
        let beyond =
            world.exchange(&format!("GET {path} {authorized}\r\nRange: bytes=999999999-"), b"").await;
        assert_eq!(beyond.status, 416);
        assert_eq!(beyond.header("content-range"), Some(format!("bytes */{length}").as_str()));
        let other = world.exchange(&format!("GET {path} {authorized}\r\nRange: lines=1-2"), b"").await;
        assert!(other.status == 200 && other.body == *bytes && other.header("content-range").is_none());
        // Who has the file gets nothing, and a part only goes with the file that it is of.
        let tag = whole.header("etag").unwrap();
        let known = world.exchange(&format!("GET {path} {authorized}\r\nIf-None-Match: {tag}"), b"").await;
        assert_eq!((known.status, known.body.len()), (304, 0));
        for (older, status) in [(tag, 206), ("\"older\"", 200)] {
            let head = format!("GET {path} {authorized}\r\nRange: bytes=0-9\r\nIf-Range: {older}");
            assert_eq!(world.exchange(&head, b"").await.status, status, "{older}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn small_pictures_have_one_of_two_sizes() {
    let large = encode::png(&RgbImage::filled(2000, 1000, [9, 99, 199]));
    let world = World::new(&[("large.png", &large)], Setup::default()).await;
    for (query, longer) in [
        ("", 320),
        ("?v=anything", 320),
        ("?size=0", 320),
        ("?size=1", 320),
        ("?size=320", 320),
        ("?size=321", 1600),
        ("?size=1600", 1600),
        ("?size=100000", 1600),
    ] {
        let answer = world.show(&format!("/api/v1/assets/{ID}/thumbnail{query}")).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/jpeg")), "{query}");
        assert_eq!(answer.header("cache-control"), FOR_EVER);
        let small = decode(&answer.body, &Limits::default()).unwrap();
        assert_eq!((small.width(), small.height()), (longer, longer / 2), "{query}");
    }
    for query in ["?size=large", "?size=-1", "?size=1.5", "?size="] {
        let answer = world.show(&format!("/api/v1/assets/{ID}/thumbnail{query}")).await;
        assert_eq!(answer.problem(), (400, "parameter_invalid".to_owned()), "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_small_picture_that_is_kept_is_shown_without_the_file() {
    let setup = Setup { keep: true, ..Setup::default() };
    let world = World::new(&[("a.png", &picture())], setup).await;
    let path = format!("/api/v1/assets/{ID}/thumbnail");
    let made = world.show(&path).await;
    assert_eq!(made.status, 200);
    let kept = walk(&world.catalogue.path().join("thumbnails"));
    assert!(kept.len() == 1 && kept[0].to_str().unwrap().ends_with("-320.jpg"), "{kept:?}");
    std::fs::remove_file(world.path("a.png")).unwrap();
    let again = world.show(&path).await;
    assert!(again.status == 200 && again.body == made.body);
    // The other size was never made.
    assert_eq!(world.show(&format!("{path}?size=1600")).await.problem(), (404, "file_gone".to_owned()));
}

/// Files below a folder.
fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}
