//! HEIF, RAW and videos through the system's programs. `cargo xtask test` provides them.
use std::sync::Arc;

use viewfinder_catalog::AnalysisKind;
use viewfinder_index::Tools;

use crate::support::{Library, engine, wait};

#[test]
#[ignore = "needs the programs of libheif, LibRaw and ffmpeg; cargo xtask test provides them"]
fn foreign_files_are_decoded_read_and_sized() {
    let mut library = Library::new();
    library.tools = Tools::find();
    library.put("photo.heic", "index/receipt.heic");
    // As messengers do.
    library.put("renamed.jpg", "index/receipt.heic");
    library.put("sensor.dng", "index/receipt.dng");
    library.put("late.mp4", "index/late.mp4");
    library.write("broken.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic and no more");
    library.write("broken.mp4", b"\0\0\0\x18ftypisom\0\0\0\0mif1heic and no more");
    library.write("broken.nef", b"II\x2A\0\x08\0\0\0 and no more");
    let kinds = [AnalysisKind::Ocr, AnalysisKind::Clip];
    let engine = engine();
    let summary = library.index(library.analysis(&kinds), Arc::clone(&engine));
    assert_eq!((summary.analysed.done, summary.analysed.failed), (7, 3), "{summary:?}");
    let groups: Vec<_> =
        summary.analysed.problems.iter().map(|(kind, problem)| (kind, problem.count)).collect();
    // Each file is named once, whatever was to be found in it.
    assert_eq!(groups, [("image_undecodable", 3)]);
    let size = |name: &str| {
        let properties = library.asset(name).properties;
        (properties.width, properties.height)
    };
    // As the pictures they were made of.
    assert_eq!(size("photo.heic"), (Some(323), Some(430)));
    assert_eq!(size("renamed.jpg"), (Some(323), Some(430)));
    assert_eq!(size("sensor.dng"), (Some(322), Some(110)));
    assert_eq!(size("late.mp4"), (Some(320), Some(240)));
    // As ffmpeg was told: 2024-05-06T07:08:09Z. `date -u -d 2024-05-06T07:08:09Z +%s`
    assert_eq!(library.asset("late.mp4").properties.taken_ms, Some(1_714_979_289_000));
    let text = |name: &str| {
        let lines = wait(library.store.lines(&[library.asset(name).id])).unwrap().remove(0);
        lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
    };
    for name in ["photo.heic", "renamed.jpg"] {
        assert!(text(name).contains(&"强力去污符合国标".to_owned()), "{name}: {:?}", text(name));
    }
    assert!(text("sensor.dng").contains(&"正品促销".to_owned()), "{:?}", text("sensor.dng"));
    // A black frame, as the first second of the video is, has one grey level: its vector would be that of a black picture.
    let mut black = b"BM\x3A\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0".to_vec();
    black.resize(58, 0);
    library.write("black.bmp", &black);
    library.index(library.analysis(&kinds), engine);
    let vector = |name: &str| wait(library.store.embedding(library.asset(name).id)).unwrap().unwrap().1;
    let cosine: f32 = vector("late.mp4").iter().zip(vector("black.bmp")).map(|(a, b)| a * b).sum();
    assert!(cosine < 0.5, "{cosine}");
}
