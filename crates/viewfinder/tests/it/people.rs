//! The page of people and searches by a picture, as a browser sees them.
use serde_json::json;
use viewfinder_test_support::Browser;

use crate::{index::Library, serve::Server};

async fn click(browser: &mut Browser, selector: &str) {
    browser.value(&format!("document.querySelector({}).click()", json!(selector))).await;
}

fn count(selector: &str) -> String {
    format!("document.querySelectorAll({}).length", json!(selector))
}

fn text(selector: &str) -> String {
    format!("document.querySelector({}).textContent", json!(selector))
}

/// Types into a field and leaves it.
async fn fill(browser: &mut Browser, selector: &str, typed: &str) {
    let (selector, typed) = (json!(selector), json!(typed));
    browser
        .value(&format!(
            "(() => {{ const field = document.querySelector({selector}); field.value = {typed};
                field.dispatchEvent(new Event('change')); }})()"
        ))
        .await;
}

/// Drags a picture of the catalogue over the page and lets it fall.
async fn drop_picture(browser: &mut Browser, name: &str) {
    let drop = format!(
        "(async () => {{
            const found = await (await fetch('/api/v1/search?q=path:{name}')).json();
            const bytes = await (await fetch(found.hits[0].asset.file)).blob();
            const data = new DataTransfer();
            data.items.add(new File([bytes], 'asked.jpg', {{ type: 'image/jpeg' }}));
            const fire = (kind) => document.body.dispatchEvent(
                new DragEvent(kind, {{ dataTransfer: data, bubbles: true, cancelable: true }}));
            fire('dragenter');
            const shown = !document.getElementById('drop').hidden;
            fire('drop');
            return shown && document.getElementById('drop').hidden;
        }})()"
    );
    assert_eq!(browser.value(&drop).await, true, "it says where to drop while something is dragged");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Chromium"]
async fn people_are_named_merged_and_put_right_and_a_dropped_picture_finds_its_like() {
    let library = Library::new();
    library.index().exits(1);
    let server = Server::start(library.run([]).env("VIEWFINDER_WEB_OPEN_TO", "loopback"), &[]);
    let mut browser = Browser::open().await;
    browser.go(&format!("http://{}/photos?view=people", server.address), "en-GB", 1200, "light").await;

    // Whoever was seen once is shown on request.
    browser.until("document.getElementById('once').hidden", json!(false)).await;
    click(&mut browser, "#once").await;
    browser.until(&count("#unnamed .person"), json!(6)).await;
    browser.until("document.querySelector('#unnamed .crop').naturalWidth > 0", json!(true)).await;
    assert_eq!(browser.barriers().await, json!([]));
    fill(&mut browser, "#unnamed .person input[list]", "Ada").await;
    browser.until(&text("#people-said"), json!("Done")).await;
    browser.until("document.getElementById('names').options.length", json!(1)).await;

    // Two are the same; the one with the name keeps it.
    for place in [1, 2] {
        click(&mut browser, &format!("#unnamed .person:nth-child({place}) .choice input")).await;
    }
    browser.until("document.getElementById('chosen').hidden", json!(false)).await;
    assert_eq!(browser.value(&text("#chosen-count")).await, "2 chosen");
    click(&mut browser, "#chosen-merge").await;
    browser.until("document.getElementById('merge').open", json!(true)).await;
    click(&mut browser, "#merge [value=merge]").await;
    browser.until(&count("#named .person"), json!(1)).await;
    browser.until(&count("#unnamed .person"), json!(4)).await;
    assert_eq!(browser.value("document.querySelector('#named input[list]').value").await, "Ada");
    assert_eq!(browser.value("document.getElementById('chosen').hidden").await, true);

    // Her page: a face that is not hers is taken out, and put back, and taken out.
    click(&mut browser, "#named .person a").await;
    browser.until(&count("#faces li"), json!(2)).await;
    assert_eq!(browser.value("document.title").await, "Ada – Viewfinder");
    click(&mut browser, "#faces li:last-child button").await;
    browser.until(&count("#faces li"), json!(1)).await;
    click(&mut browser, "#people-said button").await;
    browser.until(&count("#faces li"), json!(2)).await;
    click(&mut browser, "#faces li:last-child button").await;
    browser.until(&count("#faces li"), json!(1)).await;

    // A face leads to its picture, where the one that was taken out is nobody's, and gets a name of its own.
    click(&mut browser, "#faces a").await;
    browser.until("document.getElementById('viewer').open", json!(true)).await;
    browser.until(&count("#people .face"), json!(6)).await;
    assert_eq!(browser.value(&count("#layer .face-box")).await, 6);
    browser.until(&count("#people .face input[placeholder='Who is this?']"), json!(1)).await;
    fill(&mut browser, "#people .face input[placeholder='Who is this?']", "Ben <b>").await;
    browser.until(&count("#people .face input[placeholder='Who is this?']"), json!(0)).await;
    assert_eq!(browser.value("document.getElementById('names').options.length").await, 2);
    browser.value("history.back()").await;
    browser.until("document.getElementById('viewer').open", json!(false)).await;
    browser.value("history.back()").await;
    browser.until(&count("#named .person"), json!(2)).await;

    drop_picture(&mut browser, "bird.jpg").await;
    browser.until("document.querySelector('#grid img')?.alt", json!("bird.jpg")).await;
    assert_eq!(browser.value(&text("#summary")).await, "Looks like asked.jpg");
    browser.until("document.getElementById('asked-picture').naturalWidth > 0", json!(true)).await;
    browser.value("history.back()").await;
    browser.until("document.getElementById('people-page').hidden", json!(false)).await;
    let complaints: Vec<_> = browser.warnings.iter().collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}
