//! Hubs that are not there, do not speak, or hardly deliver.
use crate::{Log, config, models, sha256};
use std::{fs, net::SocketAddr, path::Path, time::Duration};
use viewfinder_models::{Crawl, ModelError, NoProgress, Retry, Role, Store, StoreConfig};
use viewfinder_test_support::{Response, TestServer};

/// Three kinds of sources for one file.
fn detector(keys: &str) -> String {
    format!(
        "[[models]]\nname = \"x\"\nfamily = \"paddle-ocr\"\n[models.detection]\n{keys}\nsources = [\
         {{ huggingface = \"o/n\", path = \"d.onnx\" }}, {{ modelscope = \"o/n\", path = \"d.onnx\" }}, \
         {{ github = \"o/n\", tag = \"v1\", asset = \"d.onnx\" }}, {{ huggingface = \"o/m\", path = \"d.onnx\" }}]\n"
    )
}

/// A store with an address for each kind of source, and with patience for a test.
fn store(root: &Path, hubs: [&str; 3], keys: &str) -> Store {
    let [hugging_face, model_scope, github] = hubs;
    let patience = Duration::from_millis(400);
    let base = config(root, hugging_face);
    Store::open(StoreConfig {
        modelscope_endpoint: Some(model_scope.to_owned()),
        github_endpoint: Some(github.to_owned()),
        retry: Retry {
            attempts: 2,
            // Generous: a machine at work must not take a server of the test for silent.
            connect: Duration::from_secs(20),
            silence: patience,
            crawl: Crawl {
                span: patience,
                rest: Duration::from_secs(1),
                hopeless: Duration::from_mins(1),
                ..Crawl::default()
            },
            ..base.retry
        },
        extra_models: models(&detector(keys)),
        ..base
    })
    .unwrap()
}

fn closed() -> String {
    let address: SocketAddr = TestServer::gone();
    format!("http://{address}")
}

/// Accepts connections and says nothing.
fn silent() -> TestServer {
    TestServer::saying(Response::raw("").hang())
}

#[test]
fn every_dead_hub_is_named_once_and_nobody_waits_for_it_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (silent, closed) = (silent(), closed());
    let hubs = ["http://hub.invalid", &closed, &silent.url()];
    let log = Log::default();
    let error = store(folder.path(), hubs, "").files("x", Role::Detection, &log).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.len(), 4, "{error}");
    assert_eq!(lines[1], "  huggingface (hub.invalid): no address is known for hub.invalid");
    assert!(
        lines[2].starts_with("  modelscope (127.0.0.1:") && lines[2].ends_with(" refuses connections"),
        "{error}"
    );
    assert!(lines[3].contains(" is silent: no answer within 0.4 s"), "{error}");
    // One retry each.
    assert_eq!(silent.connected(), 2);
    // Each was told of before anything was known of its answer, with the next one.
    let told = log.lines();
    assert!(
        told[0].starts_with("ask huggingface (hub.invalid) for x detection, then Some(\"modelscope"),
        "{told:?}"
    );
    assert!(told[1].starts_with("pause no address is known for hub.invalid; trying once more"), "{told:?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("ask ")).count(), 3, "{told:?}");

    // Another process, a moment later.
    let again = store(folder.path(), hubs, "");
    let error = again.files("x", Role::Detection, &NoProgress).unwrap_err().to_string();
    assert_eq!(silent.connected(), 2, "{error}");
    assert!(error.contains("no address is known for hub.invalid (less than a minute ago)"), "{error}");
    // Somebody who wants it so.
    again.try_sources_again();
    again.files("x", Role::Detection, &NoProgress).unwrap_err();
    assert_eq!(silent.connected(), 4);
}

#[test]
fn a_memory_that_is_broken_or_of_another_address_keeps_nobody_from_asking() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::saying(Response::ok(b"graph"));
    let memory = folder.path().join("failed-sources.json");
    store(folder.path(), [&closed(), &closed(), &closed()], "")
        .files("x", Role::Detection, &NoProgress)
        .unwrap_err();
    assert!(fs::read_to_string(&memory).unwrap().contains("refuses connections"));
    let mirror = store(folder.path(), [&server.url(), &closed(), &closed()], "");
    mirror.files("x", Role::Detection, &NoProgress).unwrap();
    mirror.remove("x").unwrap();
    fs::write(&memory, "{ no JSON").unwrap();
    mirror.files("x", Role::Detection, &NoProgress).unwrap();
}

#[test]
fn what_answers_at_once_is_asked_again() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::answering(|_, before| match before {
        0 => Response::status(404),
        _ => Response::ok(b"graph"),
    });
    let url = server.url();
    let store = store(folder.path(), [&url, &closed(), &closed()], "");
    // The second repository of the same hub is asked, too.
    store.files("x", Role::Detection, &NoProgress).unwrap_err();
    store.files("x", Role::Detection, &NoProgress).unwrap();
}

#[test]
fn a_hub_that_falls_silent_in_the_middle_is_left_and_the_next_one_goes_on_there() {
    let folder = tempfile::tempdir().unwrap();
    let data = vec![b' '; 300_000];
    let keys = format!("bytes = 300000\nsha256 = \"{}\"", sha256(&data));
    let half = data.clone();
    let first = TestServer::saying(Response::ok(&half).stall(100_000));
    let second = TestServer::answering(move |request, _| Response::range(request, &data));
    let store = store(folder.path(), [&first.url(), &second.url(), &closed()], &keys);
    store.files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!(second.requests()[0].header("range"), Some("bytes=100000-"));
}

#[test]
fn a_hub_that_crawls_is_left_and_taken_up_again_if_no_other_delivers() {
    let data = vec![b' '; 300_000];
    let keys = format!("bytes = 300000\nsha256 = \"{}\"", sha256(&data));
    let crawling = |data: Vec<u8>| {
        TestServer::answering(move |request, before| match before {
            0 => Response::ok(&data).stall(1000).drip(),
            _ => Response::range(request, &data),
        })
    };
    let folder = tempfile::tempdir().unwrap();
    let (slow, whole) = (crawling(data.clone()), data.clone());
    let quick = TestServer::answering(move |request, _| Response::range(request, &whole));
    let hubs = [&slow.url(), &quick.url(), &closed()];
    store(folder.path(), hubs.map(String::as_str), &keys).files("x", Role::Detection, &NoProgress).unwrap();
    let range = quick.requests()[0].header("range").map(str::to_owned).unwrap();
    let from: u64 = range.trim_start_matches("bytes=").trim_end_matches('-').parse().unwrap();
    assert!(from >= 1000, "{range}");
    // Other files are asked of the quick one from now on, by everybody.
    let again = store(folder.path(), hubs.map(String::as_str), &keys);
    again.remove("x").unwrap();
    again.files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!((slow.requests().len(), quick.requests().len()), (1, 2));

    let folder = tempfile::tempdir().unwrap();
    let slow = crawling(data);
    let hubs = [&slow.url(), &closed(), &closed()];
    store(folder.path(), hubs.map(String::as_str), &keys).files("x", Role::Detection, &NoProgress).unwrap();
    assert_eq!(slow.requests().len(), 2);
}

#[test]
fn a_hub_that_would_take_for_ever_is_given_up_even_if_there_is_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let keys = format!("bytes = 300000\nsha256 = \"{}\"", sha256(&vec![b' '; 300_000]));
    let slow = TestServer::saying(Response::ok(vec![b' '; 300_000]).stall(10).drip());
    let hubs = [&slow.url(), &closed(), &closed()];
    let error = store(folder.path(), hubs.map(String::as_str), &keys)
        .files("x", Role::Detection, &NoProgress)
        .unwrap_err()
        .to_string();
    assert!(error.contains(" kB a second come from it"), "{error}");
    // Once with the others to come, once without.
    let asked = slow.requests().len();
    assert_eq!(asked, 2);
    store(folder.path(), hubs.map(String::as_str), &keys)
        .files("x", Role::Detection, &NoProgress)
        .unwrap_err();
    assert_eq!(slow.requests().len(), asked);
}

#[test]
fn sources_are_tried_without_fetching_anything() {
    let folder = tempfile::tempdir().unwrap();
    let server = TestServer::answering(|request, _| Response::range(request, b"graph"));
    let store = store(folder.path(), [&server.url(), &closed(), "http://hub.invalid"], "");
    store.files("x", Role::Detection, &NoProgress).unwrap();
    store.remove("x").unwrap();
    let probes = store.probe(&["x", "no such model"]);
    let [hub, closed, nameless] = &probes[..] else { panic!("{probes:?}") };
    assert!(hub.source.starts_with("huggingface (127.0.0.1") && hub.result.is_ok(), "{probes:?}");
    assert!(closed.result.as_ref().unwrap_err().ends_with("refuses connections"), "{probes:?}");
    assert_eq!(nameless.result, Err("no address is known for hub.invalid".to_owned()));
    assert!(matches!(store.local("x", Role::Detection), Err(ModelError::Missing { .. })));
}
