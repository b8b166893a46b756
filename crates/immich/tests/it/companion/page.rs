//! Pages with the script, and the script.

use crate::companion::{
    immich::PAGE,
    support::{Answer, Running},
};

const HTML: &str = "Accept: text/html,application/xhtml+xml,*/*;q=0.8";
const TAG: &str = "<script src=\"/_viewfinder/companion.js\" data-again=\"ocr clip\" defer></script></head>";

async fn page(running: &Running, path: &str) -> Answer {
    running.get(path, &[HTML, "Accept-Encoding: gzip, br", "If-None-Match: \"page\""]).await
}

#[tokio::test]
async fn a_page_gets_the_script_at_the_end_of_its_head() {
    let running = Running::start().await;
    for path in ["/", "/photos/ae95ab0d-cc69-4e92-9618-072147c6bf11", "/search?query=%7B%7D"] {
        let answer = page(&running, path).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.text(), PAGE.replace("</head>", TAG));
        assert_eq!(answer.header("etag"), None);
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        let asked = running.immich.asked().pop().unwrap();
        assert_eq!(asked.headers["accept-encoding"], "identity");
        assert!(!asked.headers.contains_key("if-none-match"));
    }
}

#[tokio::test]
async fn what_is_no_plain_page_stays_as_it_is() {
    let running = Running::start().await;
    for path in ["/compressed", "/missing", "/headless", "/app.js"] {
        let answer = page(&running, path).await;
        assert!(!answer.text().contains("_viewfinder"), "{path}");
        assert_eq!(answer.header("etag"), Some("\"page\""), "{path}");
    }
    let answer = running.get("/", &["Accept: */*", "Accept-Encoding: br"]).await;
    assert_eq!(answer.text(), PAGE);
    assert_eq!(running.immich.asked().pop().unwrap().headers["accept-encoding"], "br");
}

#[tokio::test]
async fn without_a_library_nothing_can_be_done_again_and_without_the_script_nothing_is_added() {
    let running = Running::with(false, true).await;
    assert!(page(&running, "/").await.text().contains("data-again=\"\""));
    let running = Running::with(true, false).await;
    assert_eq!(page(&running, "/").await.text(), PAGE);
    assert_eq!(page(&running, "/_viewfinder/companion.js").await.text(), PAGE);
}

#[tokio::test]
async fn the_script_is_sent_once() {
    let running = Running::start().await;
    let answer = running.get("/_viewfinder/companion.js", &[]).await;
    assert_eq!(answer.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert!(answer.text().contains("MutationObserver"));
    let mark = format!("If-None-Match: {}", answer.header("etag").unwrap());
    let answer = running.get("/_viewfinder/companion.js", &[&mark]).await;
    assert_eq!((answer.status, answer.body.len()), (304, 0));
    assert!(running.immich.asked().is_empty());
}
