//! The status page in a real browser, driven over Chromium's debugging pipe.

use std::{path::Path, process::Stdio, sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::{sleep, timeout},
};

use crate::support::{Fake, Running, config};

/// Generous, so that only a hang trips it.
const PATIENCE: Duration = Duration::from_mins(1);

struct Browser {
    _process: Child,
    _profile: tempfile::TempDir,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
    session: Option<String>,
    count: u64,
    /// Exceptions and refusals the page ran into.
    complaints: Vec<Value>,
}

impl Browser {
    /// Opens an empty page.
    async fn open() -> Self {
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
            complaints: Vec::new(),
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

    async fn command(&mut self, method: &str, params: Value) -> Value {
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
                    assert!(message["error"].is_null(), "{method}: {message}");
                    return message["result"].clone();
                }
                if matches!(message["method"].as_str(), Some("Runtime.exceptionThrown" | "Log.entryAdded")) {
                    self.complaints.push(message);
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("{method} is not answered"))
    }

    /// The value of an expression in the page.
    async fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let result = self.command("Runtime.evaluate", params).await;
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Waits until an expression in the page has a value.
    async fn until(&mut self, expression: &str, expected: Value) {
        let wait = async {
            while self.value(expression).await != expected {
                sleep(Duration::from_millis(20)).await;
            }
        };
        let came = timeout(PATIENCE, wait).await.is_ok();
        assert!(came, "{expression} is {}, not {expected}", self.value(expression).await);
    }

    async fn go(&mut self, server: &Running, language: &str, width: u32, scheme: &str) {
        let agent = json!({"userAgent": "test", "acceptLanguage": language});
        self.command("Emulation.setUserAgentOverride", agent).await;
        let screen = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.command("Emulation.setDeviceMetricsOverride", screen).await;
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.command("Emulation.setEmulatedMedia", media).await;
        self.command("Page.navigate", json!({"url": format!("http://{}/", server.address)})).await;
        self.until("document.readyState", json!("complete")).await;
    }
}

/// Hands the page a drawn picture as if it had been dropped or pasted.
const GIVE: &str = r"
    new Promise((given) => {
        const canvas = document.createElement('canvas');
        [canvas.width, canvas.height] = [640, 480];
        canvas.getContext('2d').fillRect(0, 0, 200, 100);
        canvas.toBlob((blob) => {
            const data = new DataTransfer();
            data.items.add(new File([blob], 'drawn.png', { type: 'image/png' }));
            document.dispatchEvent(HOW === 'drop'
                ? new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true })
                : new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
            given();
        });
    })";

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_page_shows_status_text_faces_and_similarity() {
    let (server, fake) = Running::fake().await;
    let mut browser = Browser::open().await;
    browser.go(&server, "en-GB", 1200, "light").await;
    browser.until("document.getElementById('badge').textContent", json!("Ready")).await;
    assert_eq!(
        browser.value("document.getElementById('models').textContent").await,
        "PP-OCRv6_small · detection idle 4 s"
    );

    browser.value("document.getElementById('sentences').value = 'a cat\\n一只猫'").await;
    browser.value(&GIVE.replace("HOW", "'drop'")).await;
    browser.until("document.querySelectorAll('#overlay polygon').length", json!(2)).await;
    assert_eq!(browser.value("document.querySelectorAll('#overlay rect').length").await, 1);
    assert_eq!(browser.value("document.querySelectorAll('#overlay circle').length").await, 5);
    assert_eq!(
        browser.value("document.getElementById('overlay').getAttribute('viewBox')").await,
        "0 0 640 480"
    );
    let corners = "document.querySelector('#overlay polygon').getAttribute('points')";
    assert_eq!(browser.value(corners).await, "12.35,20 110,10 112.5,38 14,48.25");
    // Text from a picture stays text.
    assert_eq!(
        browser.value("document.querySelectorAll('#lines li span')[1].textContent").await,
        "TOTAL <b>9.90</b>"
    );
    assert_eq!(browser.value("document.querySelectorAll('#lines b').length").await, 0);
    assert_eq!(
        browser.value("document.querySelectorAll('#similarities li')[1].textContent").await,
        "一只猫1.000"
    );
    assert_eq!(browser.value("document.querySelector('#similarities .bar').style.width").await, "100%");
    // The overlay lies exactly over the picture.
    let edges = |id: &str| format!("JSON.stringify(document.getElementById('{id}').getBoundingClientRect())");
    assert_eq!(browser.value(&edges("overlay")).await, browser.value(&edges("picture")).await);

    fake.fail(viewfinder_engine::ErrorCode::ImageUndecodable);
    browser.value(&GIVE.replace("HOW", "'paste'")).await;
    browser
        .until("document.getElementById('message').textContent", json!("Failed: it is image_undecodable"))
        .await;
    assert_eq!(browser.value("document.querySelectorAll('#overlay polygon').length").await, 0);
    // Text, faces and similarity of that picture failed for good; what is told of them stays text.
    browser.until("document.getElementById('failure-count').textContent", json!("3")).await;
    let first = "document.querySelector('#failures li')";
    assert_eq!(
        browser.value(&format!("{first}.querySelector('strong').textContent")).await,
        "image_undecodable"
    );
    assert_eq!(
        browser.value(&format!("{first}.querySelectorAll('span')[1].textContent")).await,
        "it is image_undecodable"
    );
    let sum = browser.value(&format!("{first}.title")).await;
    assert_eq!(sum.as_str().map(str::len), Some(64));
    *fake.said.lock().unwrap() =
        Some(viewfinder_engine::EngineError::new(viewfinder_engine::ErrorCode::Internal, "<b>bold</b>"));
    browser.value(&GIVE.replace("HOW", "'paste'")).await;
    browser.until(&format!("{first}.querySelectorAll('span')[1].textContent"), json!("<b>bold</b>")).await;
    assert_eq!(browser.value("document.querySelectorAll('#failures b').length").await, 0);
    // The one failed request is logged by the browser itself; nothing else went wrong.
    let complaints: Vec<_> = browser
        .complaints
        .iter()
        .filter(|complaint| !complaint.to_string().contains("/api/analyze"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_page_speaks_chinese_and_fits_a_phone() {
    let (server, _) = Running::fake().await;
    let mut browser = Browser::open().await;
    browser.go(&server, "zh-CN", 390, "dark").await;
    browser.until("document.getElementById('badge').textContent", json!("就绪")).await;
    browser.until("document.getElementById('failures').textContent", json!("没有")).await;
    assert_eq!(browser.value("document.documentElement.lang").await, "zh-CN");
    browser.value(&GIVE.replace("HOW", "'paste'")).await;
    browser.until("document.querySelectorAll('#overlay polygon').length", json!(2)).await;
    assert_eq!(browser.value("document.documentElement.scrollWidth").await, 390);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_page_says_when_the_server_is_not_ready_and_works_by_keyboard() {
    let fake = Arc::new(Fake::default());
    *fake.ready.lock().unwrap() = Err("<i>no</i> library".into());
    let server = Running::start(config(), fake).await;
    let mut browser = Browser::open().await;
    browser.go(&server, "en", 1200, "dark").await;
    browser
        .until("document.getElementById('badge').textContent", json!("Not ready: <i>no</i> library"))
        .await;
    browser.value("window.asked = 0; document.getElementById('file').addEventListener('click', (event) => { event.preventDefault(); asked++; })").await;
    browser.value("document.getElementById('drop').focus()").await;
    assert_eq!(browser.value("document.activeElement.id").await, "drop");
    for kind in ["rawKeyDown", "char", "keyUp"] {
        let key =
            json!({"type": kind, "key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13});
        browser.command("Input.dispatchKeyEvent", key).await;
    }
    browser.until("asked", json!(1)).await;
}
