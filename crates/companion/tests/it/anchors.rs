//! What the page's script misses there.

use serde_json::{Value, json};
use viewfinder_companion::Capability;

use crate::support::Running;

const PATH: &str = "/_viewfinder/anchors";

async fn tell(running: &Running, header: &str, body: &Value) -> u16 {
    let headers = ["Content-Type: application/json", header];
    running.send("POST", PATH, &headers, &body.to_string()).await.status
}

#[tokio::test]
async fn what_the_page_lacks_is_told_with_immichs_version_and_forgotten_when_it_is_found() {
    let running = Running::start().await;
    let missing = json!({"missing": ["selection_menu", "marks"], "found": ["viewer_menu"]});
    for _ in 0..3 {
        assert_eq!(tell(&running, "Sec-Fetch-Site: same-origin", &missing).await, 204);
    }
    let menu = "the menu of a selection has no entries of Viewfinder: \
                the page of Immich v2.7.5 has no menu bar that Viewfinder knows (seen 3 times)";
    assert_eq!(running.missing(Capability::SelectionMenu).as_deref(), Some(menu));
    let marks = "text that was searched for is not marked: \
                 the page of Immich v2.7.5 has no picture that Viewfinder knows (seen 3 times)";
    assert_eq!(running.missing(Capability::Marks).as_deref(), Some(marks));
    assert_eq!(running.missing(Capability::ViewerMenu), None);
    assert_eq!(running.missing(Capability::TextSearch), None);
    // Immich is asked once, and not in the name of the page's user.
    let asked = running.immich.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].path, "/api/server/version");
    assert!(!asked[0].headers.contains_key("sec-fetch-site"));

    assert_eq!(tell(&running, "X-Other: 1", &json!({"found": ["selection_menu"]})).await, 204);
    assert_eq!(running.missing(Capability::SelectionMenu), None);
    assert_eq!(running.missing(Capability::Marks).as_deref(), Some(marks));
}

#[tokio::test]
async fn without_an_answer_of_immich_the_version_is_left_out() {
    let running = Running::start().await;
    running.immich.stop();
    assert_eq!(tell(&running, "X-Other: 1", &json!({"missing": ["viewer_menu"]})).await, 204);
    let told = "the menu of a photo has no entries of Viewfinder: \
                the page of Immich has no menu bar that Viewfinder knows (seen once)";
    assert_eq!(running.missing(Capability::ViewerMenu).as_deref(), Some(told));
}

#[tokio::test]
async fn other_sites_other_names_and_long_words_are_refused() {
    let running = Running::start().await;
    let menu = json!({"missing": ["viewer_menu"]});
    for site in ["cross-site", "same-site", "none"] {
        assert_eq!(tell(&running, &format!("Sec-Fetch-Site: {site}"), &menu).await, 403, "{site}");
    }
    for (body, status) in [
        (json!({"missing": ["text_search"]}), 400),
        (json!({"missing": "viewer_menu"}), 400),
        (json!({"missing": [1]}), 400),
        (json!({"lost": ["viewer_menu"]}), 400),
        (json!([]), 400),
        (json!({"missing": vec!["viewer_menu"; 100]}), 413),
    ] {
        assert_eq!(tell(&running, "X-Other: 1", &body).await, status, "{body}");
    }
    let plain = running.send("POST", PATH, &["Content-Type: text/plain"], &menu.to_string()).await;
    assert_eq!(plain.status, 400);
    let chunks = ["Content-Type: application/json", "Transfer-Encoding: chunked"];
    assert_eq!(running.send("POST", PATH, &chunks, "").await.status, 413);
    assert_eq!(running.missing(Capability::ViewerMenu), None);
    assert!(running.immich.asked().is_empty());
}

#[tokio::test]
async fn without_the_script_there_is_nothing_in_the_page() {
    let running = Running::with(true, false).await;
    let told = "text that was searched for is not marked: companion.script is off";
    assert_eq!(running.missing(Capability::Marks).as_deref(), Some(told));
    assert_eq!(running.missing(Capability::RedoText), None);
    tell(&running, "X-Other: 1", &json!({"missing": ["viewer_menu"]})).await;
    assert_eq!(running.immich.asked().pop().unwrap().path, PATH);
}
