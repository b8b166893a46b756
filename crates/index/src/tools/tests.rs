use std::{
    ffi::OsStr,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use viewfinder_image::header;

use super::{Converted, Subject, ToolError, Tools};

/// Bytes of a picture, at most.
const MAX_BYTES: u64 = 100_000_000;

fn frame(path: &Path) -> Result<Converted, ToolError> {
    Tools::find().frame(Subject::new(path, &File::open(path).unwrap()), MAX_BYTES)
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
}

fn ffmpeg<A: AsRef<OsStr>>(arguments: impl IntoIterator<Item = A>) {
    let status = Command::new("ffmpeg").args(["-nostdin", "-v", "error"]).args(arguments).status().unwrap();
    assert!(status.success());
}

#[test]
#[ignore = "needs ffmpeg; cargo xtask test provides it"]
fn the_largest_videos_fit_the_bound_on_memory() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("8k.mp4");
    // More frames than are compared, so that all of them are held.
    let source = "color=gray:size=7680x4320:rate=25:duration=2.4";
    ffmpeg(["-f", "lavfi", "-i", source, "-c:v", "mpeg4", "-q:v", "31", video.to_str().unwrap()]);
    let picture = frame(&video).unwrap();
    let header = header(&picture.bytes).unwrap();
    assert_eq!((header.width, header.height), (2048, 1152));
}

#[test]
#[ignore = "needs ffmpeg; cargo xtask test provides it"]
fn frames_are_never_enlarged() {
    let header = header(&frame(&fixture("index/late.mp4")).unwrap().bytes).unwrap();
    assert_eq!((header.width, header.height), (320, 240));
}

#[test]
#[ignore = "needs ffmpeg; cargo xtask test provides it"]
fn a_playlist_shows_no_other_video() {
    let folder = tempfile::tempdir().unwrap();
    let secret = fixture("index/late.mp4").canonicalize().unwrap();
    let beside = folder.path().join("beside.ts");
    ffmpeg([OsStr::new("-i"), secret.as_ref(), "-c".as_ref(), "copy".as_ref(), beside.as_ref()]);
    let secret = secret.display();
    let hls =
        |segment: &str| format!("#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{segment}\n#EXT-X-ENDLIST\n");
    let lists = [
        hls(&secret.to_string()),
        hls("beside.ts"),
        format!("ffconcat version 1.0\nfile '{secret}'\n"),
        "ffconcat version 1.0\nfile beside.ts\n".to_owned(),
        format!(
            "<MPD><Period><AdaptationSet><Representation><BaseURL>{secret}</BaseURL></Representation></AdaptationSet></Period></MPD>"
        ),
    ];
    for list in lists {
        let path = folder.path().join("list.mp4");
        fs::write(&path, &list).unwrap();
        let error = frame(&path).unwrap_err();
        assert!(matches!(error, ToolError::Refused { .. }), "{list}: {error}");
        let header = Tools::find().video(Subject::new(&path, &File::open(&path).unwrap()));
        assert_eq!(header, None, "{list}");
    }
}

#[test]
#[ignore = "needs ffmpeg; cargo xtask test provides it"]
fn odd_names_are_names() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["-i.mp4", "http:", "a b'\";$(x).mp4", "@args.mp4", "concat:x|y.mp4", "%d.mp4"] {
        let path = folder.path().join(name);
        fs::copy(fixture("index/late.mp4"), &path).unwrap();
        frame(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
#[ignore = "needs the programs of libheif, LibRaw and ffmpeg; cargo xtask test provides them"]
fn what_was_opened_is_decoded_whatever_stands_there_now() {
    let folder = tempfile::tempdir().unwrap();
    for (name, other) in
        [("late.mp4", "receipt.heic"), ("receipt.heic", "late.mp4"), ("receipt.dng", "late.mp4")]
    {
        let path = folder.path().join(name);
        fs::copy(fixture("index").join(name), &path).unwrap();
        let file = File::open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        fs::copy(fixture("index").join(other), &path).unwrap();
        let (tools, subject) = (Tools::find(), Subject::new(&path, &file));
        let decoded = match Path::new(name).extension().and_then(OsStr::to_str) {
            Some("mp4") => tools.frame(subject, MAX_BYTES),
            Some("heic") => tools.heif(subject, MAX_BYTES),
            _ => tools.raw(subject, MAX_BYTES),
        };
        assert!(decoded.is_ok() || !cfg!(target_os = "linux"), "{name}: {decoded:?}");
    }
}
