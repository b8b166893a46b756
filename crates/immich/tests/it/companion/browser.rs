//! The script in a real browser, on a page with the anchors of Immich's: with the bars of 2.x and of 3.x.

use std::time::Duration;

use serde_json::{Value, json};
use viewfinder_immich::library::Capability;
use viewfinder_test_support::Browser;

use crate::companion::{
    immich::SESSION,
    support::{OWN, Running, USER, picture},
};

/// Opens a page of the stand-in as somebody with a session.
async fn go(browser: &mut Browser, running: &Running, path: &str, language: &str) {
    go_in(browser, running, path, language, 1200).await;
}

/// The same in a window of a width.
async fn go_in(browser: &mut Browser, running: &Running, path: &str, language: &str, width: u32) {
    let url = format!("http://{}", running.address);
    for (name, value) in [("immich_access_token", SESSION), ("immich_is_authenticated", "true")] {
        let cookie = json!({"name": name, "value": value, "url": url});
        browser.command("Network.setCookie", cookie).await;
    }
    browser.go(&format!("{url}{path}"), language, width, "light").await;
}

/// A browser in which jobs are what a test says that they are.
async fn with_job_routes() -> Browser {
    let mut browser = Browser::open().await;
    let source = json!({"source": include_str!("job_routes.js")});
    browser.command("Page.addScriptToEvaluateOnNewDocument", source).await;
    browser
}

/// The parameter of pages with the bars of Immich 2 and 3.
const BARS: [&str; 2] = ["bars=2", "bars=3"];

/// The labels of a menu's entries, from top to bottom.
fn labels(menu: &str) -> String {
    format!("[...document.querySelectorAll('{menu} li')].map((li) => li.textContent.trim())")
}

/// The route of jobs.
const JOBS: &str = "/_viewfinder/jobs";

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
    let mut browser = with_job_routes().await;
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
    for (kind, done) in [("ocr", "OCR data regenerated"), ("clip", "CLIP vectors regenerated")] {
        browser.value(&click(&format!("[data-viewfinder={kind}]"))).await;
        browser.until("jobRoutes.jobs()[0]?.state", json!("running")).await;
        assert_eq!(browser.value("menuOpen").await, false);
        browser.value("jobRoutes.change({state: 'done', done: 1})").await;
        browser.until(TOAST, json!([done])).await;
    }
    let started = |name: &str| {
        let body = json!({"name": name, "assetIds": 1});
        json!({"method": "POST", "path": JOBS, "type": "application/json", "body": body})
    };
    let expected = json!([started("refresh-ocr"), started("refresh-smart-search")]);
    assert_eq!(browser.value("jobRoutes.asked()").await, expected);

    // Another photo in the same menu: it is the shown one that counts.
    browser.value(&format!("history.pushState(null, '', '/photos/{USER}')")).await;
    for (status, words) in [(400, "Not found or no asset.update access"), (503, "it is busy")] {
        browser.value(&format!("jobRoutes.refusal = [{status}, '{words}']")).await;
        browser.value(&click("[data-viewfinder=ocr]")).await;
        browser.until(TOAST, json!(["OCR data could not be regenerated", words])).await;
    }
    let alerts = "document.querySelectorAll('[data-viewfinder=toast][role=alert]').length";
    assert_eq!(browser.value(alerts).await, 2);
    browser
        .value("document.querySelectorAll('[data-viewfinder=close]').forEach((close) => close.click())")
        .await;
    browser.until("document.querySelectorAll('[data-viewfinder=toast]').length", json!(0)).await;
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_companions_own_jobs_are_started_told_and_stopped() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, &format!("/photos/{OWN}"), "en").await;
    browser.until("document.querySelectorAll('[data-viewfinder=ocr]').length", json!(1)).await;
    for (kind, done) in [("ocr", "OCR data regenerated"), ("clip", "CLIP vectors regenerated")] {
        browser.value(&click(&format!("[data-viewfinder={kind}]"))).await;
        browser.until(TOAST, json!([done])).await;
    }
    assert_eq!(running.shelf.reruns.lock().unwrap().len(), 2);
    browser.value(&format!("history.pushState(null, '', '/photos/{USER}')")).await;
    browser.value(&click("[data-viewfinder=ocr]")).await;
    let refused = ["OCR data could not be regenerated", "Not found or no asset.update access"];
    browser.until(TOAST, json!(refused)).await;

    running.shelf.work.close();
    go(&mut browser, &running, "/photos?bars=3", "en").await;
    let ids: Vec<_> = (0..40).map(picture).collect();
    browser.value(&format!("select({}, 40)", json!(ids))).await;
    browser.until(&labels(SELECTION_MENU), offered()).await;
    browser.value(&click("[data-viewfinder=ocr]")).await;
    browser.until(TOAST, json!(["Regenerate OCR data…", "0 of 40 done"])).await;
    // Another page of the same user tells of it, and stops it.
    go(&mut browser, &running, "/albums", "en").await;
    browser.until(TOAST, json!(["Regenerate OCR data…", "0 of 40 done"])).await;
    browser.value(&click("[data-viewfinder=stop]")).await;
    browser.until(TOAST, json!(["Regenerate OCR data", "Stopped: 0 of 40 done"])).await;
    running.shelf.work.open();
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
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
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
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
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

/// How many bars say that something is selected.
const SELECTIONS: &str = "document.querySelectorAll('#bar p.hidden').length";
/// The sizes of the requests for jobs.
const SIZES: &str = "jobRoutes.asked().map((asked) => asked.body?.assetIds)";

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_selection_in_sight_is_done_again() {
    let running = Running::start().await;
    let mut browser = with_job_routes().await;
    for bars in BARS {
        go(&mut browser, &running, &format!("/photos?{bars}"), "en").await;
        browser.value("localStorage.clear(); jobs = ['Refresh metadata']").await;
        browser.value(&format!("select(['{OWN}', '{USER}'], 2)")).await;
        let expected =
            json!(["Download", "Refresh metadata", "Regenerate OCR data", "Regenerate CLIP vectors"]);
        browser.until(&labels(SELECTION_MENU), expected.clone()).await;
        browser.value("jobRoutes.refusal = [400, 'Not found or no asset.update access']").await;
        browser.value(&click("[data-viewfinder=clip]")).await;
        let refused = ["CLIP vectors could not be regenerated", "Not found or no asset.update access"];
        browser.until(TOAST, json!(refused)).await;
        // As after Immich's own jobs, nothing is selected.
        assert_eq!(browser.value(SELECTIONS).await, 0);
        // More are selected than can be seen, and Immich's page cannot be asked.
        browser.value("select([], 3)").await;
        browser.until(&labels(SELECTION_MENU), json!(["Download", "Refresh metadata"])).await;
        // One is given up, and the other, scrolled away, is remembered.
        browser.value(&format!("select(['{OWN}'], 1, ['{USER}'])")).await;
        browser.until(&labels(SELECTION_MENU), expected.clone()).await;
        browser.value("document.querySelector('#photos').replaceChildren(); select(null, 1)").await;
        browser.until(&labels(SELECTION_MENU), expected).await;
        browser.value(&click("[data-viewfinder=clip]")).await;
        browser.until(SIZES, json!([2, 1])).await;
        // Bars of other things have no entries.
        let others = "document.querySelectorAll('#context-menu-album [data-viewfinder]').length";
        assert_eq!(browser.value(others).await, 0);
    }
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_selection_out_of_sight_is_asked_of_immichs_page_and_sent_in_parts() {
    let running = Running::start().await;
    let mut browser = with_job_routes().await;
    for bars in BARS {
        go(&mut browser, &running, &format!("/photos?{bars}"), "en").await;
        browser.value("localStorage.clear(); window.ownFetch = window.fetch").await;
        browser.value(&format!("select(['{OWN}'], 20001, [], Array(20001).fill('{OWN}'))")).await;
        browser.until(&labels(SELECTION_MENU), offered()).await;
        browser.value(&click("[data-viewfinder=ocr]")).await;
        browser.until(TOAST, json!(["Regenerate OCR data…", "0 of 20,001 done"])).await;
        assert_eq!(browser.value(SELECTIONS).await, 0);
        let own = "fetch === ownFetch && !document.cookie.includes('viewfinder')";
        assert_eq!(browser.value(own).await, true);
        browser.until(SIZES, json!([10000, 10000, 1])).await;
        let of_job = "jobRoutes.asked().map((asked) => asked.body.job ?? null)";
        assert_eq!(browser.value(of_job).await, json!([null, "job-1", "job-1"]));
        browser.value("jobRoutes.change({state: 'done', done: 19999, failed: 2})").await;
        let done = json!(["OCR data regenerated", "19,999 of 20,001 done, 2 failed"]);
        browser.until(TOAST, done).await;

        // A job that is done before its next part comes is followed by another.
        browser.value("jobRoutes.ends = 'done'; localStorage.clear()").await;
        browser.value(&format!("select(['{OWN}'], 10001, [], Array(10001).fill('{OWN}'))")).await;
        browser.until(&labels(SELECTION_MENU), offered()).await;
        browser.value(&click("[data-viewfinder=ocr]")).await;
        browser.until(SIZES, json!([10000, 1, 1])).await;
        assert_eq!(browser.value(of_job).await, json!([null, "job-1", null]));
        browser.value("jobRoutes.change({state: 'done', done: 1})").await;
        browser.until(TOAST, json!(["OCR data regenerated"])).await;

        // The rest of a job that was stopped in the meantime is not sent.
        browser.value("jobRoutes.ends = 'stopped'; localStorage.clear()").await;
        browser.value(&format!("select(['{OWN}'], 10001, [], Array(10001).fill('{OWN}'))")).await;
        browser.until(&labels(SELECTION_MENU), offered()).await;
        browser.value(&click("[data-viewfinder=ocr]")).await;
        browser.until(SIZES, json!([10000, 1])).await;
        browser.value("new Promise((done) => setTimeout(done, 100))").await;
        assert_eq!(browser.value(SIZES).await, json!([10000, 1]));

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
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_page_that_asks_in_another_way_does_nothing_and_is_left_as_it_was() {
    let running = Running::start().await;
    let mut browser = with_job_routes().await;
    for bars in BARS {
        go(&mut browser, &running, &format!("/photos?{bars}"), "en").await;
        browser.value("window.ownFetch = window.fetch").await;
        let failed = json!(["OCR data could not be regenerated"]);
        for (way, told) in [("null", json!([])), ("plainFetch", json!(["failed"]))] {
            browser.value(&format!("way = {way}; select([], 3, [], ['{OWN}', '{OWN}', '{OWN}'])")).await;
            browser.until(&labels(SELECTION_MENU), offered()).await;
            browser.value(&click("[data-viewfinder=ocr]")).await;
            browser.until(TOAST, failed.clone()).await;
            assert_eq!(browser.value("fetch === ownFetch").await, true);
            assert_eq!(browser.value("told").await, told);
            browser.value(&click("[data-viewfinder=close]")).await;
        }
    }
    assert_eq!(browser.value("jobRoutes.asked()").await, json!([]));
    assert!(!running.routes().contains(&"POST /api/assets/jobs".to_owned()));
}

/// A job of 5210 photos that runs, known from before.
const RUNNING: &str = "localStorage.setItem('jobs', JSON.stringify([{id: 'job-1', name: 'refresh-ocr',
    state: 'running', all: 5210, done: 137, failed: 2}]))";

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_job_is_told_wherever_immich_is_opened_until_it_is_stopped() {
    let running = Running::start().await;
    let mut browser = with_job_routes().await;
    go(&mut browser, &running, "/photos", "en").await;
    browser.value(RUNNING).await;
    for (language, name, progress) in [
        ("en", "Regenerate OCR data…", "137 of 5,210 done, 2 failed"),
        ("zh-CN", "重新生成 OCR 数据…", "已完成 137 / 5,210，2 个失败"),
        ("zh-TW", "重新產生 OCR 資料…", "已完成 137 / 5,210，2 個失敗"),
        ("es", "Regenerar datos de OCR…", "Completadas: 137 de 5210; con errores: 2"),
    ] {
        go(&mut browser, &running, &format!("/albums?lang={language}"), "en").await;
        browser.until(TOAST, json!([name, progress])).await;
    }
    let stop = "document.querySelector('[data-viewfinder=stop]').textContent";
    assert_eq!(browser.value(stop).await, "Detener");
    // It is counted one by one.
    browser.value("jobRoutes.change({done: 138})").await;
    let counted = "Completadas: 138 de 5210; con errores: 2";
    browser.until(TOAST, json!(["Regenerar datos de OCR…", counted])).await;
    browser.value("jobRoutes.change({state: 'waiting'})").await;
    let waiting = format!("En pausa mientras no estabas: {counted}");
    browser.until(TOAST, json!(["Regenerar datos de OCR…", waiting])).await;
    // What is said in the end counts the photos that were in hand.
    browser.value("jobRoutes.late = {done: 140}").await;
    browser.value(&click("[data-viewfinder=stop]")).await;
    let stopped = ["Regenerar datos de OCR", "Detenido. Completadas: 140 de 5210; con errores: 2"];
    browser.until(TOAST, json!(stopped)).await;
    let asked = json!([{"method": "DELETE", "path": format!("{JOBS}/job-1"), "body": null}]);
    assert_eq!(browser.value("jobRoutes.asked()").await, asked);
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_closed_note_stays_closed_and_the_jobs_end_is_told() {
    let running = Running::start().await;
    let mut browser = with_job_routes().await;
    go(&mut browser, &running, "/photos", "en").await;
    browser.value(RUNNING).await;
    go(&mut browser, &running, "/photos", "en").await;
    browser.until(TOAST, json!(["Regenerate OCR data…", "137 of 5,210 done, 2 failed"])).await;
    browser.value(&click("[data-viewfinder=close]")).await;
    browser.until("jobRoutes.polls > 2", json!(true)).await;
    assert_eq!(browser.value(TOAST).await, json!([]));
    go(&mut browser, &running, "/albums", "en").await;
    browser.until("jobRoutes.polls > 1", json!(true)).await;
    assert_eq!(browser.value(TOAST).await, json!([]));
    browser.value("jobRoutes.change({state: 'failed', message: 'Immich is gone'})").await;
    let failed = ["OCR data could not be regenerated", "137 of 5,210 done, 2 failed: Immich is gone"];
    browser.until(TOAST, json!(failed)).await;
    // What ended before is not told again.
    go(&mut browser, &running, "/albums", "en").await;
    browser.until("jobRoutes.polls", json!(1)).await;
    browser.value("new Promise((done) => setTimeout(done, 100))").await;
    assert_eq!(browser.value(TOAST).await, json!([]));
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn what_runs_already_is_said_to_run_already() {
    let running = Running::start().await;
    let mut browser = with_job_routes().await;
    go(&mut browser, &running, &format!("/photos/{OWN}"), "en").await;
    browser.value(RUNNING).await;
    browser.until("document.querySelectorAll('[data-viewfinder=ocr]').length", json!(1)).await;
    browser.value(&click("[data-viewfinder=ocr]")).await;
    let notes = "[...document.querySelectorAll('[data-viewfinder=toast]')].map((note) =>
        [...note.querySelectorAll('p')].map((text) => text.textContent))";
    let expected = json!([
        ["Regenerate OCR data…", "137 of 5,210 done, 2 failed"],
        ["Regenerate OCR data", "This is already running"]
    ]);
    browser.until(notes, expected).await;
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn jobs_are_asked_for_by_sessions_only_and_seldom_by_hidden_pages() {
    let running = Running::start().await;
    let mut browser = with_job_routes().await;
    browser.go(&format!("http://{}/photos", running.address), "en", 1200, "light").await;
    browser.value(RUNNING).await;
    browser.value("new Promise((done) => setTimeout(done, 500))").await;
    assert_eq!(browser.value("jobRoutes.polls").await, 0);

    go(&mut browser, &running, "/photos", "en").await;
    browser
        .value(
            "window.delays = []; window.ownTimeout = window.setTimeout; window.setTimeout = (work, delay) => {
            delays.push(delay); return ownTimeout(work, delay); };
        Object.defineProperty(document, 'hidden', {value: false, configurable: true}); 0",
        )
        .await;
    browser.until("delays.includes(1000) && !delays.includes(5000)", json!(true)).await;
    browser.value("Object.defineProperty(document, 'hidden', {value: true, configurable: true}); 0").await;
    browser.until("delays.includes(5000)", json!(true)).await;
    // Who comes back is told at once.
    browser
        .value(
            "Object.defineProperty(document, 'hidden', {value: false}); jobRoutes.change({done: 4000});
        document.dispatchEvent(new Event('visibilitychange'))",
        )
        .await;
    browser.until(TOAST, json!(["Regenerate OCR data…", "4,000 of 5,210 done, 2 failed"])).await;
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_phone_shows_notes_and_entries_whole() {
    let running = Running::start().await;
    let mut browser = with_job_routes().await;
    for bars in BARS {
        go_in(&mut browser, &running, &format!("/photos?{bars}"), "es", 390).await;
        browser.value(&format!("localStorage.clear(); select(['{OWN}', '{USER}'], 2)")).await;
        browser.until("document.querySelectorAll('[data-viewfinder=ocr]').length", json!(1)).await;
        browser.value(&click("[data-viewfinder=ocr]")).await;
        browser.value("jobRoutes.change({all: 5210, done: 137, failed: 2})").await;
        browser.until(TOAST, json!(["Regenerate OCR data…", "137 of 5,210 done, 2 failed"])).await;
        // What is at the middle of each of its parts, and whether these are in the window.
        let whole = "(() => { const note = document.querySelector('[data-viewfinder=toast]');
            return [note, ...note.querySelectorAll('p, button')].map((part) => {
                const {left, right, top, bottom, width, height} = part.getBoundingClientRect();
                const at = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
                return left >= 0 && right <= innerWidth && width > 0 && height > 0 && note.contains(at);
            }); })()";
        assert_eq!(browser.value(whole).await, json!([true, true, true, true, true]));
        assert_eq!(browser.value("document.documentElement.scrollWidth <= innerWidth").await, true);
    }
    go_in(&mut browser, &running, &format!("/photos/{OWN}"), "en", 390).await;
    browser.until("document.querySelectorAll('[data-viewfinder=clip]').length", json!(1)).await;
    browser.value(&click("#context-menu-button-viewer")).await;
    let entries =
        "[...document.querySelectorAll('[data-viewfinder=ocr], [data-viewfinder=clip]')].map((entry) => {
        const {left, right, top, bottom} = entry.getBoundingClientRect();
        return left >= 0 && right <= innerWidth
            && entry.contains(document.elementFromPoint((left + right) / 2, (top + bottom) / 2)); })";
    assert_eq!(browser.value(entries).await, json!([true, true]));
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_note_makes_way_for_the_editor() {
    let running = Running::start().await;
    let mut browser = with_job_routes().await;
    go_in(&mut browser, &running, &format!("/photos/{OWN}"), "en", 390).await;
    browser.until("document.querySelectorAll('[data-viewfinder=ocr]').length", json!(1)).await;
    browser.value(&click("[data-viewfinder=ocr]")).await;
    // Beside Immich's own notes; in the editor, between its ratios and the button at its bottom.
    let place = "(() => { const {top, bottom} = document.querySelector('[data-viewfinder=toast]').getBoundingClientRect();
        return top === 80 ? 'top' : top > innerHeight / 2 && bottom < innerHeight - 62 ? 'bottom' : [top, bottom]; })()";
    browser.until(place, json!("top")).await;
    browser.value("edit()").await;
    browser.until(place, json!("bottom")).await;
    browser.value("build()").await;
    browser.until(place, json!("top")).await;
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
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
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
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

    // It lies under Immich's menu, whatever that is over.
    browser.value("document.querySelector('#immich-asset-viewer img').style.transform = ''").await;
    browser.until(lies, json!([0, 150, 600, 300])).await;
    browser.value(&click("#context-menu-button-viewer")).await;
    let top = "(() => { const marks = document.querySelector('[data-viewfinder=marks]');
        const menu = document.querySelector('.menu');
        menu.style.left = '0'; marks.style.pointerEvents = 'auto';
        const at = (x, y) => document.elementFromPoint(x, y);
        const box = marks.getBoundingClientRect();
        const result = [menu.contains(at(box.x + 100, box.y + 150)), marks.contains(at(box.x + 350, box.y + 90))];
        marks.style.pointerEvents = 'none'; return result; })()";
    assert_eq!(browser.value(top).await, json!([true, true]));

    browser.value("history.pushState(null, '', '/photos'); build()").await;
    browser.until("document.querySelectorAll('[data-viewfinder=marks]').length", json!(0)).await;
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

/// From now on, these lines are read in every photo; counts how often they are asked for.
const READ: &str = "(lines) => { window.asked = 0; window.fetch = async () => { asked += 1;
    return Response.json(lines.map((text, at) =>
        ({text, x1: at, y1: 0, x2: at, y2: 0, x3: at, y3: 0, x4: at, y4: 0}))); }; }";
/// The numbers of the lines that are marked.
const MARKED: &str = "[...document.querySelectorAll('[data-viewfinder=marks] polygon')]
    .map((line) => Number(line.getAttribute('points')[0]))";

/// Opens a photo that a search has found.
async fn open_found(browser: &mut Browser, query: &Value) {
    let query = query.to_string();
    let path = format!("`/search/photos/{OWN}?query=${{encodeURIComponent({})}}`", json!(query));
    browser.value(&format!("history.replaceState(null, '', {path}); build()")).await;
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_mistaken_word_is_marked_where_it_is_nearly_so_and_only_if_it_is_nowhere() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, "/photos", "en").await;
    let lines = ["Receipt 2026-11", "the breakfast", "电子增值锐发票（上海）", "no $ here"];
    browser.value(&format!("({READ})({})", json!(lines))).await;
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
        open_found(&mut browser, &json!({"query": format!("ocr:{words}")})).await;
        browser.until("asked", json!(1)).await;
        browser.value("new Promise((done) => setTimeout(done, 100))").await;
        assert_eq!(browser.value(MARKED).await, lines, "{words}");
    }
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn words_of_plain_searches_are_marked_where_they_stand_and_text_in_every_way_of_asking() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, "/photos", "en").await;
    let lines =
        ["Café de la Paix", "电子发票（上海）", "concatenate a cat", "No 5", "the parking", "no parking"];
    browser.value(&format!("({READ})({})", json!(lines))).await;
    for (query, lines) in [
        (json!({"query": "the cat of 5"}), json!([2])),
        (json!({"query": "CAFE"}), json!([0])),
        (json!({"query": "café en la plaza"}), json!([0])),
        (json!({"query": "concatenat"}), json!([])),
        (json!({"query": "发票"}), json!([1])),
        (json!({"query": "红色发票"}), json!([])),
        (json!({"query": "scan发票"}), json!([1])),
        (json!({"query": "票"}), json!([])),
        (json!({"query": "\"no parking\" -cat"}), json!([5])),
        (json!({"query": "path:cat person: paix parking"}), json!([4, 5])),
        (json!({"query": "paix clip:cat ocr:parkin"}), json!([0, 4, 5])),
        (json!({"ocr": "发票"}), json!([1])),
        (json!({"ocr": "ocr:电子"}), json!([1])),
        (json!({"ocr": "OCR：concat"}), json!([2])),
        (json!({"query": "paix", "ocr": "cat"}), json!([0, 2])),
    ] {
        browser.value("asked = 0; history.replaceState(null, '', '/photos'); build()").await;
        browser.until("document.querySelectorAll('[data-viewfinder=marks]').length", json!(0)).await;
        open_found(&mut browser, &query).await;
        if query["query"] == "票" {
            // Nothing is asked for a letter that stands anywhere.
            browser.value("new Promise((done) => setTimeout(done, 500))").await;
            assert_eq!(browser.value("asked").await, 0);
            continue;
        }
        browser.until("asked", json!(1)).await;
        browser.value("new Promise((done) => setTimeout(done, 100))").await;
        assert_eq!(browser.value(MARKED).await, lines, "{query}");
    }
    // What a search for files names is no text in a picture.
    open_found(&mut browser, &json!({"originalFileName": "cat"})).await;
    browser.until("document.querySelectorAll('[data-viewfinder=marks]').length", json!(0)).await;
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn marks_leave_the_editor_and_are_drawn_anew_when_the_picture_changes() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, "/photos", "en").await;
    browser.value(&format!("({READ})({})", json!(["first", "second"]))).await;
    open_found(&mut browser, &json!({"query": "ocr:first"})).await;
    browser.until(MARKED, json!([0])).await;
    // The viewer is made anew, faster than the script looks.
    browser.value("build()").await;
    browser.until(MARKED, json!([0])).await;
    browser.value("edit()").await;
    browser.until("document.querySelectorAll('[data-viewfinder=marks]').length", json!(0)).await;
    // After the edit, its lines lie elsewhere.
    browser.value(&format!("({READ})({})", json!(["other", "first"]))).await;
    browser.value("bytes = 'after'; build()").await;
    browser.until(MARKED, json!([1])).await;
    // An edit elsewhere, while it is open here.
    browser.until("document.querySelector('#immich-asset-viewer img').complete", json!(true)).await;
    browser.value("new Promise((done) => setTimeout(done, 300))").await;
    assert_eq!(browser.value("asked").await, 1);
    browser.value(&format!("({READ})({})", json!(["first", "other"]))).await;
    let image = "document.querySelector('#immich-asset-viewer img')";
    browser.value(&format!("{image}.src = {image}.src.replace('after', 'later')")).await;
    browser.until(MARKED, json!([0])).await;
    assert_eq!(browser.value("asked").await, 1);
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn a_search_for_text_without_words_says_what_to_write() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    for (language, query, example) in [
        ("en", json!({"query": "ocr:"}), "ocr:invoice"),
        ("zh-CN", json!({"query": " OCR： "}), "ocr:发票"),
        ("zh-TW", json!({"ocr": "ocr:"}), "ocr:發票"),
        ("es", json!({"query": "ocr:"}), "ocr:factura"),
    ] {
        // %7B, %22 and so on are not needed: browsers encode what is left.
        let path = format!("/search?lang={language}&query={query}");
        go(&mut browser, &running, &path, "en").await;
        let says = format!("({TOAST})[1]?.includes('{example}')");
        browser.until(&says, json!(true)).await;
        browser.value("history.pushState(null, '', '/search?query={\"query\":\"ocr:a\"}'); build()").await;
        browser.until(TOAST, json!([])).await;
    }
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

/// How often the page told of its anchors.
const TOLD: &str = "performance.getEntriesByType('resource').filter((one) => one.name.endsWith('/_viewfinder/anchors')).length";

/// Lets the time that the page has for what belongs to it pass, after the script has looked at it, and before it looks again.
async fn wait_in_vain(browser: &mut Browser) {
    let look = "new Promise((done) => setTimeout(done, 500))";
    browser.value(look).await;
    browser
        .value("now = Date.now.bind(Date); Date.now = () => now() + 3000; document.documentElement.lang += ''; 0")
        .await;
    browser.value(look).await;
}

/// Waits until something is told to be missing, or no longer is.
async fn until_missing(running: &Running, capability: Capability, expected: bool) {
    let wait = async {
        while running.missing(capability).is_some() != expected {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_mins(1), wait).await.is_ok(), "{capability}: not {expected}");
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn anchors_that_are_missing_are_told_once_and_again_when_they_are_found() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, &format!("/photos/{OWN}?odd"), "en").await;
    wait_in_vain(&mut browser).await;
    until_missing(&running, Capability::ViewerMenu, true).await;
    browser.until(TOLD, json!(1)).await;
    browser.value("build()").await;
    wait_in_vain(&mut browser).await;
    assert_eq!(browser.value(TOLD).await, 1);
    go(&mut browser, &running, &format!("/photos/{OWN}"), "en").await;
    until_missing(&running, Capability::ViewerMenu, false).await;
    // What was found once is there; the editor only takes its place.
    browser.value("edit()").await;
    wait_in_vain(&mut browser).await;
    assert_eq!(browser.value(TOLD).await, 1);

    for bars in BARS {
        go(&mut browser, &running, &format!("/photos?{bars}"), "en").await;
        browser.value(&format!("selectInVain(['{OWN}', '{USER}'])")).await;
        wait_in_vain(&mut browser).await;
        until_missing(&running, Capability::SelectionMenu, true).await;
        browser.value(&format!("select(['{OWN}', '{USER}'], 2)")).await;
        until_missing(&running, Capability::SelectionMenu, false).await;
        browser.until(TOLD, json!(2)).await;
    }

    let path = format!("/search/photos/{OWN}?query=%7B%22query%22%3A%22ocr%3AINVOICE%22%7D");
    go(&mut browser, &running, &format!("{path}&pictureless"), "en").await;
    wait_in_vain(&mut browser).await;
    until_missing(&running, Capability::Marks, true).await;
    go(&mut browser, &running, &path, "en").await;
    until_missing(&running, Capability::Marks, false).await;
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn what_need_not_be_there_is_not_missed() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    let photos = format!("['{OWN}', '{USER}']");
    for (path, change) in [
        // A menu of another's photo has no jobs, and a shared link's viewer no menu.
        (format!("/photos/{OWN}?share"), String::new()),
        (format!("/share/key/photos/{OWN}?odd"), String::new()),
        (format!("/s/name/photos/{OWN}?odd"), String::new()),
        // A photo that is not there, or not yet.
        (format!("/photos/{OWN}?odd"), "document.querySelector('#app').replaceChildren()".to_owned()),
        // Photos are picked for an album under a bar of its own; a single tile may be left over.
        ("/albums/one?bars=3".to_owned(), format!("selectInVain({photos})")),
        ("/photos?bars=3".to_owned(), format!("selectInVain(['{OWN}'])")),
        // A selection of others' photos has no jobs.
        ("/photos?bars=3".to_owned(), format!("jobs = []; select({photos}, 2)")),
        ("/photos?bars=2".to_owned(), format!("jobs = []; select({photos}, 2)")),
    ] {
        go(&mut browser, &running, &path, "en").await;
        browser.value(&change).await;
        wait_in_vain(&mut browser).await;
        let missing = [Capability::ViewerMenu, Capability::SelectionMenu, Capability::Marks]
            .map(|capability| running.missing(capability));
        assert_eq!(missing, [None, None, None], "{path} {change}");
        let told = i32::from(path.ends_with("?share"));
        assert_eq!(browser.value(TOLD).await, told, "{path} {change}");
    }
    // Whoever has no session is shown nothing.
    let mut browser = Browser::open().await;
    let url = format!("http://{}/photos/{OWN}?odd", running.address);
    browser.go(&url, "en", 1200, "light").await;
    wait_in_vain(&mut browser).await;
    assert_eq!(browser.value(TOLD).await, 0);
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
    assert!(browser.warnings.is_empty(), "{:?}", browser.warnings);
}

#[tokio::test]
#[ignore = "needs Chromium"]
async fn the_companions_own_jobs_are_started_and_followed() {
    let running = Running::start().await;
    let mut browser = Browser::open().await;
    go(&mut browser, &running, &format!("/photos/{OWN}"), "en").await;
    browser.until(&format!("{}.length", labels(MENU)), json!(6)).await;
    running.shelf.work.close();
    browser.value(&click("[data-viewfinder=ocr]")).await;
    // It goes on while the page is opened anew.
    while running.shelf.work.waiting() == 0 {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    go(&mut browser, &running, &format!("/photos/{OWN}"), "en").await;
    browser.until(&format!("({TOAST})[0]"), json!("Regenerate OCR data…")).await;
    running.shelf.work.open();
    browser.until(TOAST, json!(["OCR data regenerated"])).await;
    assert_eq!(running.shelf.reruns.lock().unwrap().len(), 1);
}
