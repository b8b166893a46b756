//! What the page's script misses there.

use std::time::Duration;

use serde_json::{Value, json};
use viewfinder_immich::library::Capability;

use crate::companion::{
    immich::SESSION,
    support::{Running, Setup},
};

const PATH: &str = "/_viewfinder/anchors";

async fn tell(running: &Running, header: &str, body: &Value) -> u16 {
    let session = format!("Authorization: Bearer {SESSION}");
    let headers = ["Content-Type: application/json", &session, header];
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
                the page of Immich v2.7.5 has no menu bar that Viewfinder knows";
    assert_eq!(running.missing(Capability::SelectionMenu).as_deref(), Some(menu));
    let marks = "text that was searched for is not marked: \
                 the page of Immich v2.7.5 has no picture that Viewfinder knows";
    assert_eq!(running.missing(Capability::Marks).as_deref(), Some(marks));
    assert_eq!(running.missing(Capability::ViewerMenu), None);
    assert_eq!(running.missing(Capability::TextSearch), None);
    // Immich is asked for its version once, and not in the name of the page's user.
    let asked = running.immich.asked();
    assert_eq!(asked.iter().filter(|asked| asked.path == "/api/users/me").count(), 3);
    let versions: Vec<_> = asked.iter().filter(|asked| asked.path == "/api/server/version").collect();
    assert_eq!((asked.len(), versions.len()), (4, 1), "{asked:?}");
    for header in ["sec-fetch-site", "authorization"] {
        assert!(!versions[0].headers.contains_key(header));
    }

    assert_eq!(tell(&running, "X-Other: 1", &json!({"found": ["selection_menu"]})).await, 204);
    assert_eq!(running.missing(Capability::SelectionMenu), None);
    assert_eq!(running.missing(Capability::Marks).as_deref(), Some(marks));
}

#[tokio::test]
async fn only_users_of_immich_are_heard() {
    let running = Running::start().await;
    let headers = ["Content-Type: application/json", "X-Other: 1"];
    let menu = json!({"missing": ["viewer_menu"]});
    let answer = running.send("POST", PATH, &headers, &menu.to_string()).await;
    assert_eq!((answer.status, &answer.json()["message"]), (401, &json!("Authentication required")));
    assert_eq!(running.routes(), ["GET /api/users/me"]);
    running.immich.stop();
    assert_eq!(tell(&running, "X-Other: 1", &menu).await, 502);
    assert_eq!(running.missing(Capability::ViewerMenu), None);
}

#[tokio::test]
async fn an_immich_that_hangs_is_not_waited_for() {
    let running = Running::set_up(Setup { time: Duration::from_millis(50), ..Setup::default() }).await;
    running.immich.hang();
    assert_eq!(tell(&running, "X-Other: 1", &json!({"missing": ["viewer_menu"]})).await, 502);
    assert_eq!(running.missing(Capability::ViewerMenu), None);
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
    let long = json!({"missing": vec!["viewer_menu"; 100]}).to_string();
    assert_eq!(running.post_in_chunks(PATH, &long).await.status, 413);
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
