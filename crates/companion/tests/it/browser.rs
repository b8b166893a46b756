//! The script in a real browser, on a page with the anchors of Immich's.

use serde_json::{Value, json};
use viewfinder_test_support::Browser;

use crate::{
    immich::SESSION,
    support::{OWN, Running, USER},
};

/// Opens a page of the stand-in as somebody with a session.
async fn go(browser: &mut Browser, running: &Running, path: &str, language: &str) {
    let url = format!("http://{}", running.address);
    let cookie = json!({"name": "immich_access_token", "value": SESSION, "url": url});
    browser.command("Network.setCookie", cookie).await;
    browser.go(&format!("{url}{path}"), language, 1200, "light").await;
}

/// The labels of a menu's entries, from top to bottom.
fn labels(menu: &str) -> String {
    format!(
        "[...document.querySelectorAll('{menu} li')].filter((li) => li.style.display !== 'none').map((li) => li.textContent.trim())"
    )
}

const MENU: &str = "#context-menu-viewer";
const SELECTION_MENU: &str = "#context-menu-selection";
const TOAST: &str = "document.querySelector('[data-viewfinder=toast]')?.textContent ?? ''";

fn click(selector: &str) -> String {
    format!("document.querySelector('{selector}').click()")
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_photos_menu_gets_two_entries_that_look_and_work_like_their_neighbours() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, &format!("/photos/{OWN}"), "en").await;
    let expected = json!([
        "Download",
        "Refresh faces",
        "Refresh metadata",
        "Refresh thumbnails",
        "Regenerate OCR data",
        "Regenerate CLIP vectors"
    ]);
    browser.until(&labels(MENU), expected).await;
    let same = "(() => { const [a, b] = ['Refresh thumbnails', 'Regenerate OCR data'].map((text) =>
        [...document.querySelectorAll('#context-menu-viewer li')].find((li) => li.textContent.trim() === text));
        const boxes = [a, b].map((li) => li.getBoundingClientRect());
        return a.className === b.className && a.role === b.role && a.id !== b.id && b.id !== ''
            && boxes[0].height === boxes[1].height && boxes[0].width === boxes[1].width
            && a.querySelector('path').getAttribute('d') !== b.querySelector('path').getAttribute('d'); })()";
    assert_eq!(browser.value(same).await, true);

    browser.value(&click("#context-menu-button-viewer")).await;
    assert_eq!(browser.value("menuOpen").await, true);
    browser.value(&click("[data-viewfinder=ocr]")).await;
    browser.until(TOAST, json!("OCR data regenerated")).await;
    assert_eq!(browser.value("menuOpen").await, false);
    browser.value(&click("[data-viewfinder=clip]")).await;
    browser.until(TOAST, json!("CLIP vectors regenerated")).await;
    assert_eq!(running.shelf.reruns.lock().unwrap().len(), 2);

    // Another photo in the same menu: it is the shown one that counts.
    browser.value(&format!("history.pushState(null, '', '/photos/{USER}')")).await;
    browser.value(&click("[data-viewfinder=ocr]")).await;
    let refused = "OCR data could not be regenerated: Not found or no asset.update access";
    browser.until(TOAST, json!(refused)).await;
    let complaints: Vec<&Value> = browser
        .complaints
        .iter()
        .filter(|complaint| !complaint.to_string().contains("/api/assets/jobs"))
        .collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_entries_speak_the_pages_language_and_come_back_when_the_menu_is_made_anew() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    let entries = "[...document.querySelectorAll('[data-viewfinder]')].map((li) => li.textContent.trim())";
    let chinese = json!(["重新生成 OCR 数据", "重新生成 CLIP 向量"]);
    go(&mut browser, &running, &format!("/photos/{OWN}?lang=zh-CN"), "en").await;
    browser.until(entries, chinese.clone()).await;
    browser.value("build()").await;
    browser.until(entries, chinese).await;
    go(&mut browser, &running, &format!("/photos/{OWN}?lang=es"), "en").await;
    browser.until(entries, json!(["Regenerar datos de OCR", "Regenerar vectores CLIP"])).await;
    // The choice of the settings wins over the page's attribute.
    browser.value("localStorage.setItem('lang', '\"zh_Hans\"'); build()").await;
    browser.until(entries, json!(["重新生成 OCR 数据", "重新生成 CLIP 向量"])).await;
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_selection_is_done_again_as_far_as_it_is_known() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, "/photos", "en").await;
    browser.value(&format!("select(['{OWN}', '{USER}'], 2)")).await;
    let expected = json!(["Refresh faces", "Regenerate OCR data", "Regenerate CLIP vectors"]);
    browser.until(&labels(SELECTION_MENU), expected.clone()).await;
    browser.value(&click("[data-viewfinder=clip]")).await;
    let refused = "CLIP vectors could not be regenerated: Not found or no asset.update access";
    browser.until(TOAST, json!(refused)).await;
    // More are selected than can be seen.
    browser.value("select([], 3)").await;
    browser.until(&labels(SELECTION_MENU), json!(["Refresh faces"])).await;
    // One is given up, and the other, scrolled away, is remembered.
    browser.value(&format!("select(['{OWN}'], 1, ['{USER}'])")).await;
    browser.until(&labels(SELECTION_MENU), expected.clone()).await;
    browser.value("document.querySelector('#photos').replaceChildren(); select(null, 1)").await;
    browser.until(&labels(SELECTION_MENU), expected).await;
    browser.value(&click("[data-viewfinder=clip]")).await;
    browser.until(TOAST, json!("CLIP vectors regenerated")).await;
    let (_, _, assets) = running.shelf.reruns.lock().unwrap().pop().unwrap();
    assert_eq!(assets, [OWN.parse::<uuid::Uuid>().unwrap()]);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn text_that_was_searched_for_is_marked_where_it_is() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    // {"query":"ocr:INVOICE -coffee"}
    let path = format!("/search/photos/{OWN}?query=%7B%22query%22%3A%22ocr%3AINVOICE%20-coffee%22%7D");
    go(&mut browser, &running, &path, "en").await;
    browser.until("document.querySelectorAll('[data-viewfinder=marks] polygon').length", json!(1)).await;
    let points = "document.querySelector('[data-viewfinder=marks] polygon').getAttribute('points')";
    assert_eq!(browser.value(points).await, "0.1,0.25 0.6,0.25 0.6,0.35 0.1,0.35");
    // The picture is 400 x 200 in a box of 600 x 600: it leaves a third free above and below.
    let lies =
        "(() => { const marks = document.querySelector('[data-viewfinder=marks]').getBoundingClientRect();
        const image = document.querySelector('#immich-asset-viewer img').getBoundingClientRect();
        return [marks.x - image.x, marks.y - image.y, marks.width, marks.height].map(Math.round); })()";
    browser.until(lies, json!([0, 150, 600, 300])).await;
    // It follows the picture.
    browser.value("document.querySelector('#immich-asset-viewer img').style.transform = 'scale(2)'").await;
    browser.until(lies, json!([0, 300, 1200, 600])).await;

    browser.value("history.pushState(null, '', '/photos'); build()").await;
    browser.until("document.querySelectorAll('[data-viewfinder=marks]').length", json!(0)).await;
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn on_pages_without_the_anchors_nothing_happens() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    for path in ["/", &format!("/photos/{OWN}?odd"), &format!("/share/key/photos/{OWN}?share")] {
        go(&mut browser, &running, path, "en").await;
        browser.until("typeof window.build", json!("function")).await;
        // Longer than the script waits between two looks, in frames of the page.
        browser.value("new Promise((done) => setTimeout(done, 500))").await;
        assert_eq!(browser.value("document.querySelectorAll('[data-viewfinder]').length").await, 0, "{path}");
    }
    let running = Running::with(false, true).await;
    go(&mut browser, &running, &format!("/photos/{OWN}"), "en").await;
    browser
        .until(&labels(MENU), json!(["Download", "Refresh faces", "Refresh metadata", "Refresh thumbnails"]))
        .await;
    browser.value("new Promise((done) => setTimeout(done, 500))").await;
    assert_eq!(browser.value("document.querySelectorAll('[data-viewfinder]').length").await, 0);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
