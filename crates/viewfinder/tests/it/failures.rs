//! `viewfinder failures`, with a server and without.

use serde_json::Value;

use crate::schema::assert_fits;
use crate::serve::{Server, exchange};
use crate::support::{Run, fixture, stderr, stdout};

/// A question about a picture that is none.
fn fail(server: &Server, picture: &str) {
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"entries\"\r\n\r\n\
         {{\"clip\":{{\"visual\":{{\"modelName\":\"tiny\"}}}}}}\r\n\
         --x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n{picture}\r\n--x--\r\n"
    );
    let head = "POST /predict HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n";
    assert_eq!(exchange(server.address, head, body.as_bytes()).0, 422);
}

fn entries(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_server_is_asked_and_its_file_read_when_it_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("failures.jsonl");
    let server = Server::start(Run::with_models().env("VIEWFINDER_FAILURES_FILE", &file), &[]);
    let url = format!("http://{}", server.address);
    let none = Run::new().args(["failures", "--url", &url]).succeeds();
    assert_eq!(stdout(&none), "no task has failed for good\n");
    for picture in ["no picture", "none either", "no picture"] {
        fail(&server, picture);
    }
    let asked = Run::new().args(["failures", "--json", "--url", &url]).succeeds();
    let told = entries(&stdout(&asked));
    assert_eq!(told.len(), 2);
    for entry in &told {
        assert_fits("failures", entry);
    }
    assert_eq!((&told[0]["count"], &told[0]["bytes"]), (&2.into(), &10.into()));
    assert_eq!((&told[0]["model"], &told[0]["code"]), (&"tiny".into(), &"image_undecodable".into()));
    assert!(told[0]["request"].is_string(), "{}", told[0]);
    // The configured address leads to it too.
    let listen = server.address.to_string();
    let text = stdout(&Run::new().args(["failures", "--listen", &listen]).succeeds());
    let sum = told[0]["sha256"].as_str().unwrap();
    for part in ["image_undecodable, 2 times", "clip.visual with tiny", "10 bytes", sum, "said by local"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");

    let off = Run::new()
        .env("VIEWFINDER_FAILURES_FILE", &file)
        .args(["failures", "--json", "--listen", &listen])
        .succeeds();
    assert_eq!(entries(&stdout(&off)), told);
    let again = Server::start(Run::with_models().env("VIEWFINDER_FAILURES_FILE", &file), &[]);
    assert_eq!(again.json("/api/failures")["failures"], Value::from(told));
    again.signal("-TERM");
    assert_eq!(again.end().0, Some(0));
}

#[test]
fn a_server_behind_a_key_is_shown_it() {
    let run = Run::with_models().env("VIEWFINDER_LISTEN_KEYS", "127.0.0.1:0=the-right-key");
    let server = Server::start(run, &[]);
    let address = server.address.to_string();
    let run = || Run::new().file("key", "the-right-key\n");
    run().args(["failures", "--url", &address, "--key-file", "key"]).succeeds();
    let keys = format!("{address}=@key");
    run().env("VIEWFINDER_LISTEN_KEYS", keys).args(["failures", "--listen", &address]).succeeds();
    let refused = stderr(&run().args(["failures", "--url", &address]).exits(3));
    assert!(refused.contains("401"), "{refused}");
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn without_a_server_it_says_what_to_do() {
    let unused = ["failures", "--listen", "127.0.0.1:9"];
    let output = Run::new().args(unused).exits(3);
    for part in ["127.0.0.1:9", "failures.file", "--url"] {
        assert!(stderr(&output).contains(part), "{}", stderr(&output));
    }
    // A file begins with the first failure.
    let output = Run::new().env("VIEWFINDER_FAILURES_FILE", "failures.jsonl").args(unused).succeeds();
    assert_eq!(stdout(&output), "no task has failed for good\n");
    let output = Run::new().args(["failures", "--url", "127.0.0.1:9"]).exits(3);
    assert!(stderr(&output).contains("http://127.0.0.1:9 cannot be asked"), "{}", stderr(&output));
    let folder = fixture("ocr");
    let output = Run::new().env("VIEWFINDER_FAILURES_FILE", folder).args(unused).exits(3);
    assert!(stderr(&output).contains("cannot read"), "{}", stderr(&output));
}
