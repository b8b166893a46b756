//! The status page in a real browser.

use std::sync::Arc;

use serde_json::json;
use viewfinder_server::Server;
use viewfinder_test_support::Browser;

use crate::support::{Running, backend, config};

/// Opens the status page of a server.
async fn go(browser: &mut Browser, server: &Running, language: &str, width: u32, scheme: &str) {
    browser.go(&format!("http://{}/", server.address), language, width, scheme).await;
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
    go(&mut browser, &server, "en-GB", 1200, "light").await;
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

    fake.fail(viewfinder_core::ErrorCode::ImageUndecodable);
    browser.value(&GIVE.replace("HOW", "'paste'")).await;
    browser
        .until(
            "document.getElementById('message').textContent",
            json!("Failed: The file is no picture that can be read"),
        )
        .await;
    assert_eq!(browser.value("document.querySelectorAll('#overlay polygon').length").await, 0);
    // Text, faces and similarity of that picture failed for good; what is told of them stays text.
    browser.until("document.getElementById('failure-count').textContent", json!("3")).await;
    let first = "document.querySelector('#failures li')";
    assert_eq!(
        browser.value(&format!("{first}.querySelector('strong').textContent")).await,
        "The file is no picture that can be read"
    );
    assert_eq!(
        browser.value(&format!("{first}.querySelector('span').textContent.split(' ')[0]")).await,
        "image_undecodable"
    );
    assert_eq!(
        browser.value(&format!("{first}.querySelectorAll('span')[1].textContent")).await,
        "it is image_undecodable"
    );
    let sum = browser.value(&format!("{first}.title")).await;
    assert_eq!(sum.as_str().map(str::len), Some(64));
    fake.fail_with(viewfinder_core::TaskError::new(viewfinder_core::ErrorCode::Internal, "<b>bold</b>"));
    browser.value(&GIVE.replace("HOW", "'paste'")).await;
    browser.until(&format!("{first}.querySelectorAll('span')[1].textContent"), json!("<b>bold</b>")).await;
    assert_eq!(browser.value("document.querySelectorAll('#failures b').length").await, 0);
    // The one failed request is logged by the browser itself; nothing else went wrong.
    let complaints: Vec<_> =
        browser.warnings.iter().filter(|complaint| !complaint.to_string().contains("/api/analyze")).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_page_speaks_chinese_and_fits_a_phone() {
    let (server, _) = Running::fake().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &server, "zh-CN", 390, "dark").await;
    browser.until("document.getElementById('badge').textContent", json!("就绪")).await;
    browser.until("document.getElementById('failures').textContent", json!("没有")).await;
    assert_eq!(browser.value("document.documentElement.lang").await, "zh-CN");
    browser.value(&GIVE.replace("HOW", "'paste'")).await;
    browser.until("document.querySelectorAll('#overlay polygon').length", json!(2)).await;
    assert_eq!(browser.value("document.documentElement.scrollWidth").await, 390);
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_page_says_when_the_server_is_not_ready_and_works_by_keyboard() {
    let fake = Arc::new(backend());
    fake.status.lock().unwrap().ready = Err("<i>no</i> library".into());
    let server = Running::start(config(), fake).await;
    let mut browser = Browser::open().await;
    go(&mut browser, &server, "en", 1200, "dark").await;
    browser
        .until("document.getElementById('badge').textContent", json!("Not ready: <i>no</i> library"))
        .await;
    browser.value("window.asked = 0; document.getElementById('file').addEventListener('click', (event) => { event.preventDefault(); asked++; })").await;
    browser.value("document.getElementById('drop').focus()").await;
    assert_eq!(browser.value("document.activeElement.id").await, "drop");
    browser.press("Enter", "\r").await;
    browser.until("asked", json!(1)).await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_page_tells_what_a_companion_cannot_do_and_why() {
    let capabilities = json!({
        "text_search": {"on": true},
        "people_filter": {"on": false, "reason": "people cannot be filtered: <b>no column</b>"},
    });
    let companion = json!({"immich_up": true, "capabilities": capabilities});
    let server = Server::bind(config(), Arc::new(backend())).await.unwrap();
    let server = Running::of(server.with_health("companion", move || companion.clone()));
    let mut browser = Browser::open().await;
    let told = "[...document.querySelectorAll('#capabilities li')].map((li) => li.textContent)";
    for (language, name) in
        [("en", "Filter by people"), ("zh-CN", "按人物筛选"), ("es", "Filtro por personas")]
    {
        go(&mut browser, &server, language, 390, "light").await;
        browser.until(told, json!([format!("{name}people cannot be filtered: <b>no column</b>")])).await;
    }
    assert_eq!(browser.value("document.getElementById('companion').hidden").await, false);
    let (server, _) = Running::fake().await;
    go(&mut browser, &server, "es", 390, "light").await;
    browser.until("document.getElementById('badge').textContent", json!("Listo")).await;
    assert_eq!(browser.value("document.getElementById('companion').hidden").await, true);
    assert_eq!(browser.value("document.documentElement.scrollWidth").await, 390);
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}
