//! The script in a real browser, on a page with the anchors of Immich's.

use std::time::Duration;

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
    format!("[...document.querySelectorAll('{menu} li')].map((li) => li.textContent.trim())")
}

const MENU: &str = "#context-menu-viewer";
const SELECTION_MENU: &str = "#context-menu-selection";
/// The newest note: its title, and what more it says.
const TOAST: &str =
    "[...([...document.querySelectorAll('[data-viewfinder=toast]')].at(-1)?.querySelectorAll('p') ?? [])]
    .map((text) => text.textContent).filter(Boolean)";

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
    browser.until(TOAST, json!(["OCR data regenerated"])).await;
    assert_eq!(browser.value("menuOpen").await, false);
    browser.value(&click("[data-viewfinder=clip]")).await;
    browser.until(TOAST, json!(["CLIP vectors regenerated"])).await;
    assert_eq!(running.shelf.reruns.lock().unwrap().len(), 2);

    // Another photo in the same menu: it is the shown one that counts.
    browser.value(&format!("history.pushState(null, '', '/photos/{USER}')")).await;
    browser.value(&click("[data-viewfinder=ocr]")).await;
    let refused = ["OCR data could not be regenerated", "Not found or no asset.update access"];
    browser.until(TOAST, json!(refused)).await;
    assert_eq!(
        browser.value("document.querySelectorAll('[data-viewfinder=toast][role=alert]').length").await,
        1
    );
    browser
        .value(
            "document.querySelectorAll('[data-viewfinder=toast] button').forEach((close) => close.click())",
        )
        .await;
    browser.until("document.querySelectorAll('[data-viewfinder=toast]').length", json!(0)).await;
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
    let traditional = json!(["重新產生 OCR 資料", "重新產生 CLIP 向量"]);
    for language in ["zh-TW", "zh-Hant", "zh-HK"] {
        go(&mut browser, &running, &format!("/photos/{OWN}?lang={language}"), "en").await;
        browser.until(entries, traditional.clone()).await;
    }
    // The choice of the settings wins over the page's attribute.
    browser.value("localStorage.setItem('lang', '\"zh_Hans\"'); build()").await;
    browser.until(entries, json!(["重新生成 OCR 数据", "重新生成 CLIP 向量"])).await;
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_entries_are_lit_by_the_mouse_and_by_the_keys_as_immichs_are() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, &format!("/photos/{OWN}"), "en").await;
    let lit = "[...document.querySelectorAll('#context-menu-viewer li.bg-slate-300:not(.bg-slate-100)')].map((li) => li.textContent.trim())";
    browser.value("build(); arrow('context-menu-viewer', -1)").await;
    assert_eq!(browser.value(lit).await, json!(["Refresh thumbnails"]));
    // A lit neighbour is copied unlit.
    browser.until("document.querySelectorAll('[data-viewfinder]').length", json!(2)).await;
    browser.value("arrow('context-menu-viewer', 1)").await;
    browser.until(lit, json!(["Regenerate OCR data"])).await;
    browser.value("arrow('context-menu-viewer', 1)").await;
    browser.until(lit, json!(["Regenerate CLIP vectors"])).await;
    browser.value("arrow('context-menu-viewer', 1)").await;
    browser.until(lit, json!(["Download"])).await;

    let mouse = |kind: &str| {
        format!(
            "document.querySelector('[data-viewfinder=clip]').dispatchEvent(new MouseEvent('{kind}', {{bubbles: true}}))"
        )
    };
    browser.value(&mouse("mouseover")).await;
    assert_eq!(browser.value(lit).await, json!(["Download", "Regenerate CLIP vectors"]));
    browser.value(&mouse("mouseleave")).await;
    assert_eq!(browser.value(lit).await, json!(["Download"]));
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

/// What a selection's menu offers.
fn offered() -> Value {
    json!([
        "Download",
        "Refresh thumbnails",
        "Refresh metadata",
        "Regenerate OCR data",
        "Regenerate CLIP vectors"
    ])
}

const BARS: &str = "document.querySelectorAll('#asset-selection-app-bar').length";

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_selection_in_sight_is_done_again() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, "/photos", "en").await;
    browser.value(&format!("jobs = ['Refresh metadata']; select(['{OWN}', '{USER}'], 2)")).await;
    let expected = json!(["Download", "Refresh metadata", "Regenerate OCR data", "Regenerate CLIP vectors"]);
    browser.until(&labels(SELECTION_MENU), expected.clone()).await;
    browser.value(&click("[data-viewfinder=clip]")).await;
    let refused =
        ["CLIP vectors could not be regenerated", "0 / 2 done: Not found or no asset.update access"];
    browser.until(TOAST, json!(refused)).await;
    // As after Immich's own jobs, nothing is selected.
    assert_eq!(browser.value(BARS).await, 0);
    // More are selected than can be seen, and Immich's page cannot be asked.
    browser.value("select([], 3)").await;
    browser.until(&labels(SELECTION_MENU), json!(["Download", "Refresh metadata"])).await;
    // One is given up, and the other, scrolled away, is remembered.
    browser.value(&format!("select(['{OWN}'], 1, ['{USER}'])")).await;
    browser.until(&labels(SELECTION_MENU), expected.clone()).await;
    browser.value("document.querySelector('#photos').replaceChildren(); select(null, 1)").await;
    browser.until(&labels(SELECTION_MENU), expected).await;
    browser.value(&click("[data-viewfinder=clip]")).await;
    browser.until(TOAST, json!(["CLIP vectors regenerated"])).await;
    let (_, _, assets) = running.shelf.reruns.lock().unwrap().pop().unwrap();
    assert_eq!(assets, [OWN.parse::<uuid::Uuid>().unwrap()]);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_selection_out_of_sight_is_asked_of_immichs_page_and_done_in_parts() {
    let running = Running::start().await;
    *running.shelf.time.lock().unwrap() = Duration::from_millis(600);
    let mut browser = Browser::open().await;
    go(&mut browser, &running, "/photos", "en").await;
    browser.value("window.ownFetch = window.fetch").await;
    browser.value(&format!("select(['{OWN}'], 20, [], Array(20).fill('{OWN}'))")).await;
    browser.until(&labels(SELECTION_MENU), offered()).await;
    browser.value(&click("[data-viewfinder=ocr]")).await;
    browser.until(TOAST, json!(["Regenerate OCR data…", "8 / 20 done"])).await;
    assert_eq!(browser.value(BARS).await, 0);
    assert_eq!(browser.value("fetch === ownFetch && !document.cookie.includes('viewfinder')").await, true);
    // Who closes the note is told of the end.
    browser.value(&click("[data-viewfinder=toast] button")).await;
    browser.until(TOAST, json!(["OCR data regenerated", "20 / 20 done"])).await;
    let sizes: Vec<usize> =
        running.shelf.reruns.lock().unwrap().drain(..).map(|(_, _, assets)| assets.len()).collect();
    assert_eq!(sizes, [8, 8, 4]);

    // It ends with the first refusal; another job that runs meanwhile is not taken for Immich's.
    browser.value(&format!("select(['{OWN}'], 16, [], Array(16).fill('{OWN}'))")).await;
    browser.until(&labels(SELECTION_MENU), offered()).await;
    browser.value(&click("[data-viewfinder=ocr]")).await;
    browser.until(TOAST, json!(["Regenerate OCR data…", "0 / 16 done"])).await;
    let mixed = format!("[...Array(8).fill('{OWN}'), '{USER}', ...Array(20).fill('{OWN}')]");
    browser.value(&format!("select(['{OWN}'], 29, [], {mixed})")).await;
    browser.until(&labels(SELECTION_MENU), offered()).await;
    browser.value(&click("[data-viewfinder=clip]")).await;
    let refused =
        ["CLIP vectors could not be regenerated", "8 / 29 done: Not found or no asset.update access"];
    browser.until(TOAST, json!(refused)).await;
    assert_eq!(running.shelf.reruns.lock().unwrap().len(), 3);

    // Immich's own job was never done, and its page has nothing to tell.
    assert_eq!(browser.value("told").await, json!([]));
    let bodies: Vec<Value> = running.immich.asked().into_iter().map(|asked| asked.body).collect();
    assert!(bodies.iter().all(|body| body["name"] != "regenerate-thumbnail"), "{bodies:?}");
    // When it is chosen by hand, it is.
    browser.value(&format!("select(['{OWN}'], 1)")).await;
    browser.value(&click("#selection-b0")).await;
    browser.until("told", json!(["done"])).await;
    assert_eq!(running.immich.asked().pop().unwrap().body["name"], "regenerate-thumbnail");
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_page_that_asks_in_another_way_does_nothing_and_is_left_as_it_was() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, "/photos", "en").await;
    browser.value("window.ownFetch = window.fetch").await;
    let failed = json!(["OCR data could not be regenerated"]);
    for (way, told) in [("null", json!([])), ("plainFetch", json!(["failed"]))] {
        browser.value(&format!("way = {way}; select([], 3, [], ['{OWN}', '{OWN}', '{OWN}'])")).await;
        browser.until(&labels(SELECTION_MENU), offered()).await;
        browser.value(&click("[data-viewfinder=ocr]")).await;
        browser.until(TOAST, failed.clone()).await;
        assert_eq!(browser.value("fetch === ownFetch").await, true);
        assert_eq!(browser.value("told").await, told);
        browser.value(&click("[data-viewfinder=toast] button")).await;
    }
    assert!(running.shelf.reruns.lock().unwrap().is_empty());
    assert!(!running.routes().contains(&"POST /api/assets/jobs".to_owned()));
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn vectors_are_not_offered_while_immichs_search_by_them_is_off() {
    let running = Running::start().await;
    running.immich.forget("smartSearch");
    let mut browser = Browser::open().await;
    go(&mut browser, &running, &format!("/photos/{OWN}"), "en").await;
    let entries = "[...document.querySelectorAll('[data-viewfinder]')].map((li) => li.textContent.trim())";
    browser.until(entries, json!(["Regenerate OCR data"])).await;
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
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
async fn a_mistaken_word_is_marked_where_it_is_nearly_so_and_only_if_it_is_nowhere() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, "/photos", "en").await;
    let read = "(...lines) => { window.asked = 0; window.fetch = async () => { asked += 1; return Response.json(lines.map((text, at) =>
        ({text, x1: at, y1: 0, x2: at, y2: 0, x3: at, y3: 0, x4: at, y4: 0}))); }; }";
    browser
        .value(&format!(
            "({read})('Receipt 2026-11', 'the breakfast', '电子增值锐发票（上海）', 'no $ here')"
        ))
        .await;
    let marked = "[...document.querySelectorAll('[data-viewfinder=marks] polygon')].map((line) => Number(line.getAttribute('points')[0]))";
    for (words, lines) in [
        ("recipt", json!([0])),
        ("RECEIPTS the", json!([0, 1])),
        ("reciepts", json!([])),
        ("2026-12", json!([])),
        ("2O26-11", json!([0])),
        ("braed", json!([])),
        ("break", json!([1])),
        ("bread", json!([])),
        ("thee", json!([])),
        ("增值税发票", json!([2])),
        ("发漂", json!([])),
        ("增值税发漂", json!([])),
        ("$ € brekfast", json!([1])),
    ] {
        browser.value("asked = 0; history.replaceState(null, '', '/photos'); build()").await;
        browser.until("document.querySelectorAll('[data-viewfinder=marks]').length", json!(0)).await;
        let go = "query => { history.replaceState(null, '', `/search/photos/OWN?query=${encodeURIComponent(JSON.stringify({query}))}`); build(); }";
        browser.value(&format!("({})('ocr:{words}')", go.replace("OWN", OWN))).await;
        browser.until("asked", json!(1)).await;
        browser.value("new Promise((done) => setTimeout(done, 100))").await;
        assert_eq!(browser.value(marked).await, lines, "{words}");
    }
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
