//! A real browser, driven over Chromium's debugging pipe.

use std::{path::Path, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{sleep, timeout},
};

/// Generous, so that only a hang trips it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The command that has an expression worked out in the page.
const EVALUATE: &str = "Runtime.evaluate";

fn parameters(expression: &str) -> Value {
    json!({"expression": expression, "awaitPromise": true, "returnByValue": true})
}

/// A browser with one page.
pub struct Browser {
    _process: Child,
    _profile: tempfile::TempDir,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<String>,
    count: u64,
    /// Exceptions and refusals the page ran into.
    pub warnings: Vec<Value>,
}

impl Browser {
    /// Opens an empty page.
    pub async fn open() -> Self {
        let chromium = ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find(|name| {
                std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|path| path.join(name).exists())
            })
            .expect("this test needs Chromium (Debian: apt install chromium)");
        let profile = tempfile::tempdir().unwrap();
        // The pipe's ends are file handles 3 and 4, which a shell connects to the ones that are easily had.
        let mut process = Command::new("sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#, chromium])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--remote-debugging-pipe",
            ])
            .arg(format!("--user-data-dir={}", Path::new(profile.path()).display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut browser = Self {
            commands: process.stdin.take().unwrap(),
            answers: BufReader::new(process.stdout.take().unwrap()),
            _process: process,
            _profile: profile,
            session: None,
            count: 0,
            warnings: Vec::new(),
        };
        let target = browser.command("Target.createTarget", json!({"url": "about:blank"})).await;
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.command("Target.attachToTarget", attach).await;
        browser.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.command(domain, json!({})).await;
        }
        browser
    }

    /// Sends a command of the debugging protocol.
    pub async fn command(&mut self, method: &str, params: Value) -> Value {
        let message = self.send(method, params).await;
        assert!(message["error"].is_null(), "{method}: {message}");
        message["result"].clone()
    }

    /// Sends a command of the debugging protocol; returns the answer, which may be an error.
    async fn send(&mut self, method: &str, params: Value) -> Value {
        self.count += 1;
        let mut command = json!({"id": self.count, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = json!(session);
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).await.unwrap();
        timeout(PATIENCE, async {
            loop {
                let mut bytes = Vec::new();
                self.answers.read_until(0, &mut bytes).await.unwrap();
                assert_eq!(bytes.pop(), Some(0), "the browser ended");
                let message: Value = serde_json::from_slice(&bytes).unwrap();
                if message["id"] == self.count {
                    return message;
                }
                if matches!(message["method"].as_str(), Some("Runtime.exceptionThrown" | "Log.entryAdded")) {
                    self.warnings.push(message);
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{method} is not answered"))
    }

    /// The value of an expression in the page.
    pub async fn value(&mut self, expression: &str) -> Value {
        let result = self.command(EVALUATE, parameters(expression)).await;
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression in the page has a value. A page that leaves meanwhile has none yet.
    pub async fn until(&mut self, expression: &str, expected: Value) {
        let wait = async {
            loop {
                let answer = self.send(EVALUATE, parameters(expression)).await;
                if answer["error"].is_null() && answer["result"]["result"]["value"] == expected {
                    break;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(PATIENCE, wait).await.is_ok();
        assert!(came, "{expression} is {}, not {expected}", self.value(expression).await);
    }

    /// Opens an address in a window of a width, with a language and a colour scheme.
    pub async fn go(&mut self, url: &str, language: &str, width: u32, scheme: &str) {
        let agent = json!({"userAgent": "test", "acceptLanguage": language});
        self.command("Emulation.setUserAgentOverride", agent).await;
        let screen = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.command("Emulation.setDeviceMetricsOverride", screen).await;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", media).await;
        self.command("Page.navigate", json!({"url": url})).await;
        self.until("document.readyState", json!("complete")).await;
    }

    /// Presses and lets go a key of the keyboard, such as `Enter`; `text` is what it types.
    pub async fn press(&mut self, key: &str, text: &str) {
        let code = match key {
            "Enter" => 13,
            "Escape" => 27,
            "ArrowLeft" => 37,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            _ => 0,
        };
        let kinds: &[&str] =
            if text.is_empty() { &["rawKeyDown", "keyUp"] } else { &["rawKeyDown", "char", "keyUp"] };
        for kind in kinds {
            let event =
                json!({"type": kind, "key": key, "code": key, "text": text, "windowsVirtualKeyCode": code});
            self.command("Input.dispatchKeyEvent", event).await;
        }
    }

    /// What the window shows, as a PNG file.
    pub async fn screenshot(&mut self) -> Vec<u8> {
        let shot = self.command("Page.captureScreenshot", json!({"format": "png"})).await;
        base64(shot["data"].as_str().unwrap())
    }
}

/// Reads base 64, as the debugging protocol sends files.
fn base64(text: &str) -> Vec<u8> {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        _ => 63,
    };
    let digits: Vec<u32> =
        text.bytes().filter(|byte| *byte != b'=').map(|byte| u32::from(value(byte))).collect();
    let group = |digits: &[u32]| {
        let bits = digits.iter().enumerate().fold(0, |bits, (at, digit)| bits | digit << (18 - 6 * at));
        bits.to_be_bytes()[1..digits.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}
