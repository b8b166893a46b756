//! Downloads: resumed, refused, repaired.
use crate::{Log, config, models, sha256, store, weights};
use std::{
    env, fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::Duration,
};
use viewfinder_models::{Location, ModelError, NoProgress, Role, State, Store, StoreConfig, Verdict};
use viewfinder_test_support::{Response, TestServer};

/// One OCR detector with the given keys and sources.
fn detector(keys: &str, sources: &str) -> String {
    format!(
        "[[models]]\nname = \"x\"\nfamily = \"paddle-ocr\"\n[models.detection]\n{keys}\nsources = [{sources}]\n"
    )
}

const HUB: &str = "{ huggingface = \"o/n\", path = \"d.onnx\" }";
const SCOPE: &str = "{ modelscope = \"o/n\", path = \"d.onnx\" }";

#[test]
fn a_cut_download_goes_on_where_it_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let data = weights(1, 300_000);
    let sum = sha256(&data);
    let server = TestServer::answering(move |request, before| match before {
        0 => Response::ok(&data).cut(100_000),
        1 => Response::range(request, &data).cut(50_000),
        _ => Response::range(request, &data),
    });
    let store = store(folder.path(), &server.url(), &detector(&format!("sha256 = \"{sum}\""), HUB));
    let log = Log::default();
    let files = store.files("x", Role::Detection, &log).unwrap();
    assert_eq!(files.sha256.as_deref(), Some(sum.as_str()));
    assert_eq!(sha256(&fs::read(&files.model).unwrap()), sum);
    assert_eq!(files.location, Location::Store);
    let ranges: Vec<_> = server.requests().iter().map(|r| r.header("range").map(str::to_owned)).collect();
    assert_eq!(ranges, [None, Some("bytes=100000-".into()), Some("bytes=150000-".into())]);
    let lines = log.lines();
    assert!(lines[0].starts_with("ask huggingface (127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[1], "begin x detection Some(300000)");
    assert_eq!(lines.last().unwrap(), "end Ok(())");
    assert!(lines.contains(&"advance 150000".to_owned()));
    // Once there, nobody is asked again, and nothing unfinished lies about.
    store.files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!(server.requests().len(), 3);
    let mut left: Vec<_> = fs::read_dir(files.model.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    assert_eq!(left, ["manifest.json", "model.onnx"]);
}

#[test]
fn the_next_process_continues_what_a_killed_one_left() {
    let folder = tempfile::tempdir().unwrap();
    let data = weights(2, 200_000);
    let text = detector(&format!("sha256 = \"{}\"", sha256(&data)), HUB);
    let first = TestServer::answering({
        let data = data.clone();
        move |request, before| {
            if before == 0 { Response::range(request, &data).cut(80_000) } else { Response::status(404) }
        }
    });
    let store_a = store(folder.path(), &first.url(), &text);
    store_a.files("x", Role::Detection, &NoProgress).unwrap_err();
    assert_eq!(store_a.list().iter().find(|m| m.name == "x").unwrap().roles[0].state, State::Partial);
    assert!(matches!(store_a.local("x", Role::Detection), Err(ModelError::Missing { .. })));

    let second = TestServer::answering(move |request, _| Response::range(request, &data));
    store(folder.path(), &second.url(), &text).files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!(second.requests()[0].header("range"), Some("bytes=80000-"));
}

/// Starts itself again as a process that downloads, and kills that one in the middle.
#[test]
fn a_killed_download_harms_nobody() {
    const ROOT: &str = "VIEWFINDER_TEST_ROOT";
    const HUB_URL: &str = "VIEWFINDER_TEST_HUB";
    let data = weights(14, 2_000_000);
    let text = detector(&format!("sha256 = \"{}\"", sha256(&data)), HUB);
    if let (Some(root), Ok(url)) = (env::var_os(ROOT), env::var(HUB_URL)) {
        let _ = store(Path::new(&root), &url, &text).files("x", Role::Detection, &NoProgress);
        unreachable!("the server never sends the rest");
    }
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::answering({
        let data = data.clone();
        move |request, before| {
            if before == 0 { Response::ok(&data).stall(700_000) } else { Response::range(request, &data) }
        }
    });
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "downloads::a_killed_download_harms_nobody"])
        .env(ROOT, folder.path())
        .env(HUB_URL, server.url())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = folder.path().join("x/detection/model.onnx.part");
    while fs::metadata(&part).map_or(0, |metadata| metadata.len()) < 700_000 {
        assert!(child.try_wait().unwrap().is_none(), "the download ended too early");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let store = store(folder.path(), &server.url(), &text);
    assert!(matches!(store.local("x", Role::Detection), Err(ModelError::Missing { .. })));
    let files = store.files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!(fs::read(files.model).unwrap(), data);
    assert_eq!(server.requests()[1].header("range"), Some("bytes=700000-"));
}

#[test]
fn leftovers_that_do_not_fit_are_thrown_away() {
    let data = weights(3, 50_000);
    let sum = sha256(&data);
    let server = TestServer::answering(move |request, _| Response::range(request, &data));
    // Garbage under the right note; a note about another file; a file longer than the whole; no note at all.
    for (note, rubbish) in [
        (format!("sha256:{sum}"), 20_000),
        ("sha256:00".into(), 20_000),
        (format!("sha256:{sum}"), 60_000),
        (String::new(), 9),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("x/detection");
        fs::create_dir_all(&place).unwrap();
        fs::write(place.join("model.onnx.part"), vec![7; rubbish]).unwrap();
        if !note.is_empty() {
            fs::write(place.join("model.onnx.part.txt"), &note).unwrap();
        }
        let store = store(folder.path(), &server.url(), &detector(&format!("sha256 = \"{sum}\""), HUB));
        let files = store.files("x", Role::Detection, &NoProgress).unwrap();
        assert_eq!(sha256(&fs::read(files.model).unwrap()), sum, "{note} {rubbish}");
    }
}

#[test]
fn without_a_known_sum_only_the_same_version_is_continued() {
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (weights(4, 90_000), weights(5, 90_000));
    let server = TestServer::answering({
        let new = new.clone();
        move |request, before| {
            if before == 0 {
                return Response::ok(&old).with("ETag", "\"old\"").cut(40_000);
            }
            // As a server does whose file has changed since.
            assert_eq!(request.header("if-range"), Some("\"old\""));
            Response::ok(&new).with("ETag", "\"new\"")
        }
    });
    let store = store(folder.path(), &server.url(), &detector("", HUB));
    let files = store.files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!(fs::read(&files.model).unwrap(), new);
    assert_eq!(files.sha256, Some(sha256(&new)));
}

#[test]
fn a_wrong_file_is_refused_and_the_next_source_asked() {
    let folder = tempfile::tempdir().unwrap();
    let data = weights(6, 10_000);
    let sum = sha256(&data);
    let server = TestServer::answering(move |request, _| {
        if request.path().starts_with("/models/") {
            Response::ok(&data)
        } else {
            Response::ok(b"<html>sign in</html>")
        }
    });
    let text = detector(&format!("sha256 = \"{sum}\""), &format!("{HUB}, {SCOPE}"));
    let files = store(folder.path(), &server.url(), &text).files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!(files.sha256, Some(sum));
    let paths: Vec<_> = server.requests().into_iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(paths, ["/o/n/resolve/main/d.onnx", "/models/o/n/resolve/master/d.onnx"]);
}

#[test]
fn every_failed_source_is_told_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::answering(|request, _| {
        if request.path().starts_with("/models/") { Response::ok(b"no") } else { Response::status(403) }
    });
    let sources = format!("{{ file = \"/nowhere/d.onnx\" }}, {HUB}, {SCOPE}");
    let text = detector(&format!("sha256 = \"{}\"", "0".repeat(64)), &sources);
    let settings = StoreConfig {
        hf_token: Some("hf_secret".into()),
        extra_models: models(&text),
        ..config(folder.path(), &server.url())
    };
    assert!(!format!("{settings:?}").contains("hf_secret"));
    let store = Store::open(settings).unwrap();
    assert!(!format!("{store:?}").contains("hf_secret"));
    let error = store.files("x", Role::Detection, &NoProgress).unwrap_err().to_string();
    let lines: Vec<_> = error.lines().collect();
    assert_eq!(lines[0], "no source delivered x (detection):");
    assert_eq!(lines[1], "  file /nowhere/d.onnx: /nowhere/d.onnx does not exist or is empty");
    assert_eq!(lines[2], "  huggingface o/n d.onnx: 403 Forbidden (does it need a token?)");
    assert!(lines[3].starts_with("  modelscope o/n d.onnx: its SHA-256 is "), "{error}");
    assert_eq!(lines.len(), 4);
    assert!(!error.contains("hf_secret"));
    // The token goes to the hub, and to nobody else.
    for request in server.requests() {
        let token = request.header("authorization");
        assert_eq!(
            token,
            (!request.path().starts_with("/models/")).then_some("Bearer hf_secret"),
            "{}",
            request.path()
        );
    }
}

#[test]
fn a_busy_server_is_asked_again_after_the_time_it_names() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::answering(|_, before| match before {
        0 => Response::status(429).with("Retry-After", "0"),
        1 => Response::status(503),
        _ => Response::ok(b"graph"),
    });
    let text = detector("", HUB);
    store(folder.path(), &server.url(), &text).files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!(server.requests().len(), 3);

    // One that asks for more patience than there is, is not waited for.
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::answering(|_, _| Response::status(429).with("Retry-After", "3600"));
    let error = store(folder.path(), &server.url(), &text)
        .files("x", Role::Detection, &NoProgress)
        .unwrap_err()
        .to_string();
    assert!(error.contains("429 Too Many Requests; the server asks to wait 3600 s"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn an_endless_series_of_cuts_ends() {
    let folder = tempfile::tempdir().unwrap();
    let data = weights(7, 10_000);
    let sum = sha256(&data);
    // Ignores ranges and always cuts at the same place.
    let server = TestServer::answering(move |_, _| Response::ok(&data).cut(5_000));
    let store = store(folder.path(), &server.url(), &detector(&format!("sha256 = \"{sum}\""), HUB));
    let error = store.files("x", Role::Detection, &NoProgress).unwrap_err().to_string();
    assert!(error.contains("cut off after 5000"), "{error}");
    // Three tries in all: the first brought new bytes, the other two did not.
    assert_eq!(server.requests().len(), 3);
}

#[test]
fn a_changed_file_is_noticed_and_fetched_again() {
    let folder = tempfile::tempdir().unwrap();
    let data = weights(8, 10_000);
    // The sum is not in the catalogue: it was recorded at the first download.
    let server = TestServer::answering({
        let data = data.clone();
        move |request, _| Response::range(request, &data)
    });
    let text = detector("", HUB);
    let online = store(folder.path(), &server.url(), &text);
    let path = online.files("x", Role::Detection, &NoProgress).unwrap().model;
    let mut file = fs::File::options().write(true).open(&path).unwrap();
    file.write_all(b"flipped").unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    drop(file);

    let offline = Store::open(StoreConfig {
        offline: true,
        extra_models: models(&text),
        ..config(folder.path(), &server.url())
    })
    .unwrap();
    assert!(matches!(offline.files("x", Role::Detection, &NoProgress), Err(ModelError::Corrupt { .. })));
    assert!(matches!(
        offline.verify(Some("x")).unwrap()[0].verdict,
        Verdict::Bad(ModelError::Corrupt { .. })
    ));
    assert_eq!(server.requests().len(), 1);

    let files = online.files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!(fs::read(files.model).unwrap(), data);
    assert_eq!(server.requests().len(), 2);
    assert!(matches!(online.verify(Some("x")).unwrap()[0].verdict, Verdict::Good));
    assert!(online.remove("x").unwrap() > 10_000);
    assert!(!folder.path().join("x").exists());
}

#[test]
fn offline_asks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::answering(|_, _| Response::ok(b"graph"));
    let text = detector("", HUB);
    let store = Store::open(StoreConfig {
        offline: true,
        extra_models: models(&text),
        ..config(folder.path(), &server.url())
    })
    .unwrap();
    let error = store.files("x", Role::Detection, &NoProgress).unwrap_err();
    assert!(matches!(error, ModelError::Missing { offline: true, .. }), "{error}");
    assert!(error.to_string().contains("offline mode forbids"), "{error}");
    assert!(store.fetch_runtime_library(viewfinder_models::RuntimeFlavour::Cpu, &NoProgress).is_err());
    assert!(server.requests().is_empty());
}

#[test]
fn many_at_once_fetch_once() {
    let folder = tempfile::tempdir().unwrap();
    let data = weights(9, 400_000);
    let sum = sha256(&data);
    let server = TestServer::answering(move |request, _| Response::range(request, &data));
    let text = detector(&format!("sha256 = \"{sum}\""), HUB);
    // Separate stores on one folder, as separate processes would be.
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let store = store(folder.path(), &server.url(), &text);
                let files = store.files("x", Role::Detection, &NoProgress).unwrap();
                assert_eq!(sha256(&fs::read(files.model).unwrap()), sum);
            });
        }
    });
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_repository_in_immichs_layout_comes_with_all_its_files() {
    let folder = tempfile::tempdir().unwrap();
    let (graph, outside) = (weights(10, 5_000), weights(11, 70_000));
    let listing = format!(
        r#"[{{"type":"directory","path":"textual","size":0}},
            {{"type":"file","path":"config.json","size":18}},
            {{"type":"file","path":"textual/model.onnx","size":9}},
            {{"type":"file","path":"visual/model.onnx","size":5000,"lfs":{{"oid":"{}","size":5000}}}},
            {{"type":"file","path":"visual/model.armnn","size":1}},
            {{"type":"file","path":"visual/rknpu/rk3588/model.rknn","size":1}}]"#,
        sha256(&graph)
    );
    let second = format!(
        r#"[{{"type":"file","path":"visual/weights.bin","size":70000,"lfs":{{"oid":"{}","size":70000}}}},
            {{"type":"file","path":"visual/preprocess_cfg.json","size":2}}]"#,
        sha256(&outside)
    );
    let server = TestServer::answering(move |request, before| match request.path() {
        "/api/models/o/clip/tree/main?recursive=true" => {
            let host = request.header("host").unwrap();
            Response::ok(listing.as_bytes()).with("Link", format!("<http://{host}/page2>; rel=\"next\""))
        }
        "/page2" => Response::ok(second.as_bytes()),
        "/o/clip/resolve/main/config.json" => Response::ok(br#"{"embed_dim": 512}"#),
        "/o/clip/resolve/main/visual/preprocess_cfg.json" => Response::ok(b"{}"),
        "/o/clip/resolve/main/visual/model.onnx" if before < 3 => Response::status(500),
        "/o/clip/resolve/main/visual/model.onnx" => Response::range(request, &graph),
        "/o/clip/resolve/main/visual/weights.bin" => Response::range(request, &outside),
        _ => Response::status(404),
    });
    let text = "[[models]]\nname = \"c\"\nfamily = \"open-clip\"\nsources = [{ huggingface = \"o/clip\" }]\n";
    let store = store(folder.path(), &server.url(), text);
    // The first attempt breaks before the graph: the folder does not count as a model.
    store.files("c", Role::Visual, &NoProgress).unwrap_err();
    assert!(matches!(store.local("c", Role::Visual), Err(ModelError::Missing { .. })));
    let files = store.files("c", Role::Visual, &NoProgress).unwrap();
    assert_eq!(files.width, Some(512));
    assert_eq!(
        files.extra.keys().map(String::as_str).collect::<Vec<_>>(),
        ["config.json", "preprocess_cfg.json"]
    );
    assert!(files.model.with_file_name("weights.bin").is_file());
    let asked = |path: &str| server.requests().iter().filter(|request| request.path().contains(path)).count();
    assert_eq!(asked("armnn") + asked("rknn") + asked("textual"), 0);
    assert_eq!(asked("weights.bin"), 1, "what arrived before the break is not fetched again");
    // The other network lacks its tokenizer in that repository.
    let error = store.files("c", Role::Textual, &NoProgress).unwrap_err().to_string();
    assert!(error.contains("the repository has no textual/tokenizer.json"), "{error}");
    // A lost file beside the graph is noticed.
    fs::remove_file(files.model.with_file_name("weights.bin")).unwrap();
    assert!(matches!(store.local("c", Role::Visual), Err(ModelError::Incomplete { .. })));
    store.files("c", Role::Visual, &NoProgress).unwrap();
    assert_eq!(asked("weights.bin"), 2);
}

#[test]
fn one_release_archive_serves_both_networks() {
    let folder = tempfile::tempdir().unwrap();
    let (detector, recogniser) = (weights(12, 30_000), weights(13, 40_000));
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, data) in [("pack/det.onnx", &detector), ("pack/rec.onnx", &recogniser)] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(data).unwrap();
    }
    let archive = zip.finish().unwrap().into_inner();
    let (det_sum, rec_sum) = (sha256(&detector), sha256(&recogniser));
    let server = TestServer::answering(move |request, _| {
        if request.path() == "/o/n/releases/download/v1/pack.zip" {
            Response::range(request, &archive)
        } else {
            Response::status(404)
        }
    });
    let source = |member: &str| {
        format!("{{ github = \"o/n\", tag = \"v1\", asset = \"pack.zip\", member = \"{member}\" }}")
    };
    let text = format!(
        "[[models]]\nname = \"p\"\nfamily = \"insight-face\"\n\
         [models.detection]\nsha256 = \"{det_sum}\"\nsources = [{}]\n\
         [models.recognition]\nsha256 = \"{rec_sum}\"\nsources = [{}]\n",
        source("det.onnx"),
        source("rec.onnx")
    );
    let store = store(folder.path(), &server.url(), &text);
    assert_eq!(store.files("p", Role::Detection, &NoProgress).unwrap().sha256, Some(det_sum));
    assert_eq!(store.local("p", Role::Recognition).unwrap().sha256, Some(rec_sum));
    assert_eq!(server.requests().len(), 1);
    assert_eq!(fs::read_dir(folder.path().join(".archives")).unwrap().count(), 0);
}

#[test]
fn broken_archives_are_refused() {
    let text = detector("", "{ github = \"o/n\", tag = \"v1\", asset = \"a.zip\", member = \"m.onnx\" }");
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    zip.start_file("not-m.onnx", zip::write::SimpleFileOptions::default()).unwrap();
    let empty = zip.finish().unwrap().into_inner();
    for (body, reason) in
        [(b"not a zip".to_vec(), "unreadable archive"), (empty, "the archive holds no m.onnx")]
    {
        let folder = tempfile::tempdir().unwrap();
        let server = TestServer::answering(move |_, _| Response::ok(&body));
        let error = store(folder.path(), &server.url(), &text)
            .files("x", Role::Detection, &NoProgress)
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
}
