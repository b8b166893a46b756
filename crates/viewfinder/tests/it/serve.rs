//! The server as a process: start, answers, signals.
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::{ChildStderr, Command};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Run, Running, fixture, need_ocr, stderr};

/// Everything must answer within this time; a hanging test is a failing one.
const LIMIT: Duration = Duration::from_mins(2);

/// A server that listens.
pub(crate) struct Server {
    running: Running,
    pub(crate) address: SocketAddr,
    log: BufReader<ChildStderr>,
    pub(crate) said: String,
}

impl Server {
    /// Starts on a free port and waits until it says where it listens.
    pub(crate) fn start(run: Run, flags: &[&str]) -> Self {
        let mut running = run.args(["serve", "--listen", "127.0.0.1:0"]).args(flags).spawn();
        let mut log = BufReader::new(running.process.stderr.take().unwrap());
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert_ne!(log.read_line(&mut line).unwrap(), 0, "the server ended: {said}");
            said.push_str(&line);
            if let Some((_, rest)) = line.split_once("listening on http://") {
                let address = rest.split_whitespace().next().unwrap().parse().unwrap();
                return Self { running, address, log, said };
            }
        }
    }

    /// The token of its page, as its home keeps it.
    pub(crate) fn token(&self) -> String {
        let file = self.running.folder().join(".local/share/viewfinder/token");
        std::fs::read_to_string(file).unwrap().trim().to_owned()
    }

    pub(crate) fn get(&self, path: &str) -> (u16, Vec<u8>) {
        exchange(self.address, &format!("GET {path} HTTP/1.1\r\n"), b"")
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        serde_json::from_slice(&self.get(path).1).unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.running.process.id().to_string();
        assert!(Command::new("kill").args([name, &pid]).status().unwrap().success());
    }

    /// Waits for its end; answers the exit code and everything it logged.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        self.log.read_to_string(&mut self.said).unwrap();
        (self.running.wait().status.code(), self.said)
    }
}

/// One request on a connection of its own.
pub(crate) fn exchange(address: SocketAddr, head: &str, body: &[u8]) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let head =
        format!("{head}Host: localhost\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer with a head");
    let status = String::from_utf8_lossy(&answer[9..12]).parse().unwrap();
    (status, answer.split_off(end + 4))
}

/// Immich's question for the text in a picture.
pub(crate) fn predict(address: SocketAddr) -> (u16, Vec<u8>) {
    predict_with(address, "")
}

/// The same with more headers.
fn predict_with(address: SocketAddr, headers: &str) -> (u16, Vec<u8>) {
    let entries = r#"{"ocr":{"detection":{"modelName":"PP-OCRv6_small","options":{"minScore":0.5,"maxResolution":736}},"recognition":{"modelName":"PP-OCRv6_small","options":{"minScore":0.8}}}}"#;
    let mut body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"entries\"\r\n\r\n{entries}\r\n\
         --x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n"
    )
    .into_bytes();
    body.extend(std::fs::read(fixture("ocr/ch_en_num.jpg")).unwrap());
    body.extend(b"\r\n--x--\r\n");
    let head =
        format!("POST /predict HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n{headers}");
    exchange(address, &head, &body)
}

#[test]
fn it_tells_its_story_answers_and_stops() {
    need_ocr();
    let run =
        Run::with_models().env("VIEWFINDER_ALIASES", "anything=tiny").env("DETECTOR_BACKEND", "retinaface");
    let server = Server::start(run, &["--preload", "PP-OCRv6_small"]);
    assert_eq!(server.get("/ping"), (200, b"pong".to_vec()));
    let (status, body) = predict(server.address);
    assert_eq!(status, 200);
    let answer: Value = serde_json::from_slice(&body).unwrap();
    let texts = answer["ocr"]["text"].as_array().unwrap();
    assert!(texts.contains(&Value::from("强力去污符合国标")), "{answer}");
    let health = server.json("/health");
    assert_eq!(health["ready"], true, "{health}");
    assert_eq!(health["provider"], "cpu", "{health}");

    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    for part in [
        concat!("Viewfinder ", env!("CARGO_PKG_VERSION")),
        "viewfinder.toml",
        "workers",
        "anything is answered by tiny",
        "ONNX Runtime started",
        "provider=cpu",
        "well-known default",
        "DETECTOR_BACKEND has no effect",
        "stopped",
    ] {
        assert!(log.contains(part), "{part} is missing in {log}");
    }
    let lines = log.lines().count();
    assert!(lines < 60, "{lines} lines: {log}");
}

#[test]
fn a_node_gets_the_work_and_its_failure_is_seen() {
    need_ocr();
    let strong = Server::start(Run::with_models(), &[]);
    // The front has neither models nor a library.
    let front = Run::new().env("VIEWFINDER_OFFLINE", "true").env("VIEWFINDER_HOLD_TIME", "2");
    let front = Server::start(front.env("IMMICH_API", format!("http://{}", strong.address)), &[]);
    let (status, body) = predict(front.address);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    let answer: Value = serde_json::from_slice(&body).unwrap();
    assert!(answer["ocr"]["text"].as_array().unwrap().contains(&Value::from("强力去污符合国标")), "{answer}");
    let health = front.json("/health");
    assert_eq!(health["ready"], true, "{health}");
    assert_eq!(health["nodes"][0]["name"], "immich", "{health}");
    assert_eq!(health["nodes"][0]["up"], true, "{health}");

    strong.signal("-KILL");
    let (status, body) = predict(front.address);
    let answer = String::from_utf8_lossy(&body);
    assert_eq!(status, 503, "{answer}");
    assert!(answer.contains("in time"), "{answer}");
    let health: Value = serde_json::from_slice(&front.get("/health").1).unwrap();
    assert_eq!(health["nodes"][0]["up"], false, "{health}");
    front.signal("-TERM");
    let (code, log) = front.end();
    assert_eq!(code, Some(0), "{log}");
    for part in ["node immich (immich-ml)", "the engine is down"] {
        assert!(log.contains(part), "{part} is missing in {log}");
    }
}

/// A node behind a key that a front asks with a key of its own.
fn behind_a_key(key: &str) -> (Server, Server) {
    let strong = Run::with_models()
        .env("VIEWFINDER_LISTEN_KEYS", "127.0.0.1:0=@strong.key")
        .env("VIEWFINDER_LOG_LEVEL", "debug")
        .file("strong.key", "the-right-key\n");
    let strong = Server::start(strong, &[]);
    let nodes = format!(
        "[routes]\ndefault = \"strong\"\n[[nodes]]\nname = \"strong\"\nkind = \"viewfinder\"\n\
         url = \"http://{}\"\nkey_file = \"front.key\"\n",
        strong.address
    );
    let front = Run::new()
        .env("VIEWFINDER_OFFLINE", "true")
        .env("VIEWFINDER_HOLD_TIME", "1")
        .file("viewfinder.toml", nodes)
        .file("front.key", key);
    (Server::start(front, &[]), strong)
}

#[test]
fn a_node_behind_a_key_works_and_both_logs_name_the_same_request() {
    need_ocr();
    let (front, strong) = behind_a_key("the-right-key");
    assert_eq!(strong.get("/ping").0, 200);
    assert_eq!(strong.get("/health").0, 401);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let headers = format!("x-request-id: job-17\r\ntraceparent: 00-{trace}-00f067aa0ba902b7-01\r\n");
    let (status, body) = predict_with(front.address, &headers);
    assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
    for server in [front, strong] {
        server.signal("-TERM");
        let (code, log) = server.end();
        assert_eq!(code, Some(0), "{log}");
        assert!(!log.contains("the-right-key"), "{log}");
        if log.contains("for whoever has its key") {
            let named =
                |line: &str| line.contains("job-17") && line.contains(trace) && line.contains("/predict");
            assert!(log.lines().any(named), "{log}");
        }
    }
}

#[test]
fn a_wrong_key_is_one_clear_line() {
    let (front, strong) = behind_a_key("a-wrong-key");
    let (status, body) = predict(front.address);
    assert_eq!(status, 503, "{}", String::from_utf8_lossy(&body));
    assert!(String::from_utf8_lossy(&body).contains("does not accept the key"));
    let started = Instant::now();
    while front.json("/health")["nodes"][0]["up"] == true {
        assert!(started.elapsed() < LIMIT, "the probe has not noticed");
        std::thread::sleep(Duration::from_millis(50));
    }
    front.signal("-TERM");
    let (_, log) = front.end();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("engine is down")).collect();
    assert!(
        matches!(lines[..], [line] if line.contains("strong") && line.contains("does not accept the key")),
        "{log}"
    );
    strong.signal("-TERM");
    let (_, strong) = strong.end();
    assert_eq!(strong.matches("refused without the right key").count(), 1, "{strong}");
    for log in [log, strong] {
        assert!(!log.contains("a-wrong-key") && !log.contains("the-right-key"), "{log}");
    }
}

#[test]
fn keys_and_certificates_that_cannot_be_read_end_it_at_start() {
    let node = "[[nodes]]\nname = \"n\"\nkind = \"viewfinder\"\nurl = \"https://n\"\n";
    for (text, variable, word) in [
        (String::new(), "127.0.0.1:0=@missing.key", "missing.key"),
        (format!("{node}key_file = \"missing.key\"\n"), "", "node n: the secret cannot be read from"),
        (format!("{node}ca_file = \"missing.pem\"\n"), "", "missing.pem"),
        (format!("{node}ca_file = \"viewfinder.toml\"\n"), "", "certificates of the server's authorities"),
    ] {
        let run = Run::new()
            .file("viewfinder.toml", &text)
            .env("VIEWFINDER_OFFLINE", "true")
            .env("VIEWFINDER_LISTEN_KEYS", variable);
        let output = run.args(["serve", "--listen", "127.0.0.1:0"]).exits(2);
        assert!(stderr(&output).contains(word), "{text}: {}", stderr(&output));
    }
}

#[test]
fn routes_that_lead_nowhere_are_refused_at_start() {
    for (text, word) in [
        ("[routes]\nocr = \"strnog\"\n", "strnog"),
        ("[routes]\norc = \"local\"\n", "orc"),
        ("[[nodes]]\nname = \"a\"\nkind = \"imich\"\nurl = \"http://a\"\n", "node a: a node is of kind"),
        ("[[nodes]]\nname = \"a\"\nkind = \"viewfinder\"\nurl = \"ftp://a\"\n", "node a"),
        ("[[nodes]]\nname = \"local\"\nkind = \"viewfinder\"\nurl = \"http://a\"\n", "local"),
    ] {
        let run = Run::new().file("viewfinder.toml", text).env("VIEWFINDER_OFFLINE", "true");
        let output = run.args(["serve", "--listen", "127.0.0.1:0"]).exits(2);
        assert!(stderr(&output).contains(word), "{text}: {}", stderr(&output));
    }
}

#[test]
fn the_api_key_is_the_configured_one() {
    let server = Server::start(Run::with_models().env("API_AUTH_KEY", "geheim"), &[]);
    let check =
        |key: &str| exchange(server.address, &format!("POST /check HTTP/1.1\r\napi-key: {key}\r\n"), b"").0;
    assert_eq!(check("geheim"), 200);
    assert_eq!(check("mt_photos_ai_extra"), 401);
    server.signal("-INT");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("geheim"), "{log}");
    assert!(!log.contains("well-known default"), "{log}");
}

#[test]
fn a_signal_during_load_loses_no_answer_that_was_begun() {
    need_ocr();
    let server = Server::start(Run::with_models(), &["--preload", "PP-OCRv6_small"]);
    // The first answer shows that the models are there.
    assert_eq!(predict(server.address).0, 200);
    let address = server.address;
    let clients: Vec<_> = (0..24).map(|_| std::thread::spawn(move || predict(address))).collect();
    while server.json("/health")["running"].as_u64().unwrap() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    let mut answered = 0;
    for client in clients {
        // A client that had not yet been accepted finds nobody; all others get an answer or a refusal.
        let Ok((status, body)) = client.join() else { continue };
        assert!(status == 200 || status == 503, "{status}");
        if status == 200 {
            serde_json::from_slice::<Value>(&body).unwrap();
            answered += 1;
        }
    }
    assert!(answered > 0, "{log}");
}

#[cfg(target_os = "linux")]
#[test]
fn idle_models_give_their_memory_back() {
    const IDLE: u64 = 80 << 20;
    need_ocr();
    let server = Server::start(Run::with_models().env("MACHINE_LEARNING_MODEL_TTL", "1"), &[]);
    let resident = || {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", server.running.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix("kB").unwrap().trim().parse::<u64>().unwrap() << 10
    };
    assert_eq!(predict(server.address).0, 200);
    assert!(resident() > IDLE, "the models are loaded: {}", resident());
    let started = Instant::now();
    while resident() > IDLE {
        assert!(started.elapsed() < LIMIT, "{} bytes are still held", resident());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(server.json("/health")["models"].as_array().map(Vec::len), Some(0));
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn a_signal_while_the_library_opens_ends_it_as_any_other() {
    for wait in 0..12 {
        let server = Server::start(Run::with_models(), &[]);
        std::thread::sleep(Duration::from_millis(wait * 10));
        server.signal("-TERM");
        let (code, log) = server.end();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn a_port_in_use_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Run::with_models().args(["serve", "--listen", &address]).exits(3);
    assert!(stderr(&output).contains(&address), "{}", stderr(&output));
}

#[test]
fn a_wrong_width_is_refused_at_start() {
    let run = Run::with_models().env("VIEWFINDER_ALIASES", "ViT-B-32__openai=tiny");
    let output = run.args(["serve", "--listen", "127.0.0.1:0"]).exits(2);
    assert!(stderr(&output).contains("512"), "{}", stderr(&output));
}

#[test]
fn a_device_that_does_not_work_ends_it_unless_the_cpu_may_stand_in() {
    let output = Run::with_models().args(["serve", "--listen", "127.0.0.1:0", "--device", "coreml"]).exits(3);
    assert!(stderr(&output).contains("coreml"), "{}", stderr(&output));

    need_ocr();
    let server = Server::start(Run::with_models(), &["--device", "coreml", "--cpu-fallback"]);
    assert_eq!(predict(server.address).0, 200);
    let health = server.json("/health");
    assert_eq!(health["provider"], "cpu", "{health}");
    assert!(health["fallback"].as_str().unwrap().contains("coreml"), "{health}");
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
}

#[test]
fn without_a_library_it_answers_and_says_why_it_cannot_work() {
    let run = Run::new().env("VIEWFINDER_ORT_LIB", "/nowhere/libonnxruntime.so");
    let server = Server::start(run, &[]);
    assert_eq!(server.get("/ping").0, 200);
    assert_eq!(predict(server.address).0, 503);
    let health = server.json("/health");
    assert_eq!(health["ready"], false, "{health}");
    assert!(health["why"].as_str().unwrap().contains("libonnxruntime"), "{health}");
    server.signal("-TERM");
    assert_eq!(server.end().0, Some(0));
}

/// Runs with at most so many descriptors, the first of which counts until the program asks for more.
fn within(soft: u32, hard: u32) -> Run {
    let limits = format!("ulimit -Sn {soft} && ulimit -Hn {hard} && exec \"$0\" \"$@\"");
    Run::new().env("VIEWFINDER_OFFLINE", "true").under(&["sh", "-c", &limits])
}

#[test]
fn more_connections_than_descriptors_stop_nobody() {
    let server = Server::start(within(64, 300), &[]);
    assert!(server.said.contains("only 300 files and connections"), "{}", server.said);
    assert!(server.said.contains("225 connections instead of 1024 (limits.connections)"), "{}", server.said);
    let idle: Vec<_> = (0..400).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for path in ["/ping", "/api/failures"] {
        assert_eq!(server.get(path).0, 200, "{path}");
    }
    drop(idle);
    server.signal("-TERM");
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("cannot accept"), "{log}");
}

#[test]
fn the_limit_of_descriptors_is_raised_as_far_as_it_is_needed() {
    let server = Server::start(within(64, 2000), &[]);
    assert!(!server.said.contains("files and connections"), "{}", server.said);
    let idle: Vec<_> = (0..400).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    assert_eq!(server.get("/ping").0, 200);
    drop(idle);

    let doctor = |hard| {
        let output = within(64, hard).args(["doctor", "--json", "--listen", "127.0.0.1:0"]).exits(1);
        crate::support::stdout(&output)
    };
    let found = |text: &str| -> Value {
        let line = text.lines().find(|line| line.contains("\"open files\"")).expect("a finding").to_owned();
        serde_json::from_str(&line).unwrap()
    };
    let (well, short) = (found(&doctor(2000)), found(&doctor(300)));
    assert_eq!(
        (&well["verdict"], &well["text"]),
        (&"ok".into(), &"1280; 1024 connections to each address".into())
    );
    assert_eq!(short["verdict"], "warn");
    assert!(short["advice"].as_str().unwrap().contains("LimitNOFILE"), "{short}");
}
