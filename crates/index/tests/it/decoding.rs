//! What a server is sent, through programs that stand in for the system's.
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tempfile::TempDir;
use tokio::{task::JoinSet, time::sleep};
use viewfinder_core::{Backend as _, DecodeRules, ErrorCode, PictureRequest, PictureTask, TaskError};
use viewfinder_index::{DecodingBackend, Tools};
use viewfinder_test_support::FakeBackend;

const HEIC: &[u8] = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic and more";
const JPEG: &[u8] = b"\xFF\xD8\xFF and more";
/// Bytes of a picture, at most.
const MAX_BYTES: u64 = 1000;

/// A folder for programs, and what they leave behind.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Installs a program, which is called as libheif's is: `-q 95 INPUT OUTPUT`.
    fn install(&self, script: &str) {
        let script = format!("#!/bin/sh\ncd '{}'\n{script}\n", self.0.path().display());
        // Not by this process: a program is not run while somebody has it open to write, as a child of another test would.
        let write = ["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""];
        let status = Command::new("sh").args(write).arg(self.path("heif-dec")).arg(script).status();
        assert!(status.unwrap().success());
    }

    fn backend(&self, behind: &Arc<FakeBackend>, programs: usize) -> DecodingBackend {
        let tools = Tools::find_in(self.0.path().as_os_str());
        DecodingBackend::new(Arc::clone(behind) as _, tools, MAX_BYTES, programs)
    }
}

fn question(bytes: &'static [u8], decode: DecodeRules) -> PictureRequest {
    let tasks = vec![PictureTask::Embed { model: "m".to_owned() }];
    PictureRequest { bytes: Bytes::from_static(bytes), decode, tasks }
}

async fn refused(backend: &DecodingBackend, bytes: &'static [u8]) -> TaskError {
    backend.picture(question(bytes, DecodeRules::UPRIGHT)).await.unwrap_err()
}

fn lines(file: &Path) -> Vec<String> {
    fs::read_to_string(file).unwrap().lines().map(|line| line.trim().to_owned()).collect()
}

#[tokio::test]
async fn what_the_engine_decodes_reaches_it_as_it_came() {
    let (place, behind) = (Place::new(), Arc::new(FakeBackend::default()));
    place.install("exit 1");
    let backend = place.backend(&behind, 1);
    for bytes in [JPEG, b"", b"no picture"] {
        backend.picture(question(bytes, DecodeRules::UPRIGHT)).await.unwrap();
        let asked = behind.pictures.lock().unwrap().pop().unwrap();
        // Not even copied.
        assert_eq!((asked.bytes.as_ptr(), asked.decode), (bytes.as_ptr(), DecodeRules::UPRIGHT));
    }
}

#[tokio::test]
async fn a_missing_program_is_named_until_it_is_installed() {
    let (place, behind) = (Place::new(), Arc::new(FakeBackend::default()));
    let backend = place.backend(&behind, 1);
    let error = refused(&backend, HEIC).await;
    assert_eq!(error.code, ErrorCode::DecoderMissing);
    assert!(error.message.contains("heif-dec or heif-convert (libheif)"), "{error}");
    let error = refused(&backend, b"\0\0\0\x18ftypisom and more").await;
    assert_eq!((error.code, error.message.contains("ffmpeg")), (ErrorCode::DecoderMissing, true));
    // Installed without what it needs itself.
    place.install("echo 'Could not decode image: 4.3000: Unsupported codec' >&2; exit 1");
    let error = refused(&backend, HEIC).await;
    assert_eq!(
        (error.code, error.message.contains("libde265")),
        (ErrorCode::DecoderMissing, true),
        "{error}"
    );
    place.install("echo 'it is broken' >&2; exit 1");
    assert_eq!(refused(&backend, HEIC).await.code, ErrorCode::ImageUndecodable);
    place.install("exec head -c 2000 /dev/zero > \"$4\"");
    assert_eq!(refused(&backend, HEIC).await.code, ErrorCode::ImageTooManyBytes);
    assert!(behind.pictures.lock().unwrap().is_empty());

    place.install("cp \"$3\" \"$4\"; stat -L -c %a \"$3\" > mode; readlink \"$3\" > name");
    backend.picture(question(HEIC, DecodeRules::UPRIGHT)).await.unwrap();
    let asked = behind.pictures.lock().unwrap().pop().unwrap();
    // Upright already.
    assert_eq!((&asked.bytes[..], asked.decode.orient), (HEIC, false));
    if cfg!(target_os = "linux") {
        assert_eq!(lines(&place.path("mode")), ["600"]);
        // Nothing would be left of it if we were killed now.
        assert!(lines(&place.path("name"))[0].ends_with(" (deleted)"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_start_no_more_programs_than_there_are_places() {
    let (place, behind) = (Place::new(), Arc::new(FakeBackend::default()));
    fs::write(place.path("starts"), "").unwrap();
    place.install("echo >> starts; while [ ! -e go ]; do sleep 0.01; done; cp \"$3\" \"$4\"");
    let backend = Arc::new(place.backend(&behind, 2));
    let mut requests = JoinSet::new();
    for _ in 0..6 {
        let backend = Arc::clone(&backend);
        requests.spawn(async move { backend.picture(question(HEIC, DecodeRules::AS_STORED)).await });
    }
    while lines(&place.path("starts")).len() < 2 {
        sleep(Duration::from_millis(5)).await;
    }
    // The other four wait for a place; a picture that needs no program passes them.
    backend.picture(question(JPEG, DecodeRules::AS_STORED)).await.unwrap();
    assert_eq!(lines(&place.path("starts")).len(), 2);
    // Whoever leaves makes room: their programs would run for ever.
    requests.abort_all();
    while requests.join_next().await.is_some() {}
    let again = Arc::clone(&backend);
    let again = tokio::spawn(async move { again.picture(question(HEIC, DecodeRules::AS_STORED)).await });
    while lines(&place.path("starts")).len() < 3 {
        sleep(Duration::from_millis(5)).await;
    }
    fs::write(place.path("go"), "").unwrap();
    again.await.unwrap().unwrap();
    assert_eq!(lines(&place.path("starts")).len(), 3);
}
