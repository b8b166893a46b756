use std::time::Duration;

use serde_json::{Value, json};
use viewfinder_immich::library::{
    Capabilities, Capability, Library as _, LibraryError, Next, RerunKind, SearchRoute,
};

use crate::api::{immich::Immich, support::Running};

/// Says `Corner Bakery`, among others.
const BAKERY: &str = "library/0002.jpg";
/// Says `Maple Diner`.
const DINER: &str = "library/0004.jpg";
/// Says `営業時間`.
const JAPANESE: &str = "library/0005.jpg";

#[test]
fn pictures_are_read_and_found_by_their_user_and_nobody_else() {
    let immich = Immich::default();
    let (ann, bob) = (immich.add_user("ann"), immich.add_user("bob"));
    immich.add_user("cem");
    let bakery = immich.add(ann, "a.jpg", BAKERY);
    let diner = immich.add(ann, "b.jpg", DINER);
    let japanese = immich.add(ann, "c.jpg", JAPANESE);
    let bobs = immich.add(bob, "d.jpg", DINER);
    immich.change(diner, |picture| picture.visibility = "archive");
    let running = Running::start(immich, &["ann", "bob"]);
    running.wait_for("ann", "ocr:bakery", &[bakery]);
    running.wait_for("ann", "ocr:営業時間", &[japanese]);
    // Archived pictures are known, but given only to those who ask for them.
    let archived = json!({"query": "ocr:maple", "visibility": "archive"});
    running.wait_for_body("ann", &archived, &[diner]);
    running.wait_for("bob", "ocr:maple", &[bobs]);
    running.wait_for("ann", "ocr:maple", &[]);
    // By text and by what they show, in one list.
    assert_eq!(running.search("ann", &json!({"query": "Corner Bakery"})).unwrap().0[0], bakery);
    assert_eq!(running.library.capabilities(), Capabilities::default());
    for (key, body) in [
        ("cem", json!({"query": "ocr:maple"})),
        ("ann", json!({"query": "ocr:maple", "visibility": "locked"})),
        ("ann", json!({"query": "person:Ann bakery"})),
        ("ann", json!({"queryAssetId": bakery})),
    ] {
        let found = running.search(key, &body);
        assert!(matches!(found, Err(LibraryError::Unsupported(_))), "{body}: {found:?}");
    }
}

#[test]
fn filters_and_pages_are_immichs() {
    let immich = Immich::default();
    let ann = immich.add_user("ann");
    let all: Vec<_> = (0..3).map(|_| immich.add(ann, "a.jpg", BAKERY)).collect();
    immich.change(all[1], |picture| picture.city = Some("Rome"));
    let running = Running::start(immich, &["ann"]);
    running.wait_for("ann", "ocr:bakery", &all);
    let page =
        |page: u32| running.search("ann", &json!({"query": "ocr:bakery", "size": 2, "page": page})).unwrap();
    let ((mut found, next), (last, end)) = (page(1), page(2));
    assert_eq!((found.len(), next, last.len(), end), (2, Some(Next::Page(2)), 1, None));
    found.extend(last);
    found.sort_unstable();
    assert_eq!(found, all);
    running.wait_for("ann", "path:a.jpg", &all);
    let rome = json!({"query": "ocr:bakery", "city": "Rome"});
    assert_eq!(running.search("ann", &rome).unwrap().0, [all[1]]);
    // The caller's own condition on the id, which Immich has for one of the two.
    let found = |body: Value| running.search("ann", &body).unwrap().0;
    assert_eq!(found(json!({"ocr": "bakery", "id": all[2]})), [all[2]]);
    assert!(found(json!({"ocr": "bakery", "id": ann})).is_empty());
    assert_eq!(found(json!({"query": "ocr:bakery", "id": all[2]})).len(), 3);
    for route in [SearchRoute::Random, SearchRoute::Statistics] {
        let left = running.search_at(route, "ann", &json!({"ocr": "bakery"}));
        assert!(matches!(left, Err(LibraryError::Unsupported(_))), "{left:?}");
    }
}

#[test]
fn the_second_shape_is_answered_as_far_as_keys_reach() {
    let immich = Immich::default();
    let ann = immich.add_user("ann");
    let all: Vec<_> = (0..3).map(|_| immich.add(ann, "a.jpg", BAKERY)).collect();
    immich.change(all[1], |picture| picture.city = Some("Rome"));
    immich.change(all[2], |picture| picture.trashed = true);
    let running = Running::start(immich, &["ann"]);
    let bakery = json!({"matches": "bakery"});
    // What is in the trash is given unless it is excluded.
    running.wait_for_body("ann", &json!({"filter": {"ocr": bakery}}), &all);
    let found = |body: Value| {
        let (mut found, next) = running.search("ann", &body).unwrap();
        found.sort_unstable();
        (found, next)
    };
    for (filter, expected) in [
        (json!({"trashedAt": {"eq": null}}), vec![all[0], all[1]]),
        (json!({"city": {"eq": "Rome"}}), vec![all[1]]),
        (json!({"id": {"eq": all[0]}}), vec![all[0]]),
        (json!({"id": {"ne": all[0]}}), vec![all[1], all[2]]),
        (json!({"id": {"eq": all[0], "ne": all[0]}}), vec![]),
        (json!({"or": [{"city": {"eq": "Rome"}}, {"id": {"eq": all[2]}}]}), vec![all[1], all[2]]),
    ] {
        let mut with_text = filter.clone();
        with_text["ocr"] = bakery.clone();
        assert_eq!(found(json!({"filter": with_text})), (expected.clone(), None), "{filter}");
        let smart = json!({"query": "ocr:bakery", "filter": filter});
        assert_eq!(found(smart), (expected, None), "{filter}");
    }
    // By pages there, and not here.
    let body = json!({"filter": {"ocr": bakery}, "size": 2});
    let (mut pages, next) = running.search("ann", &body).unwrap();
    assert_eq!(next, Some(Next::Cursor("eyJvZmZzZXQiOjJ9".to_owned())));
    let mut second = body.clone();
    second["cursor"] = json!("eyJvZmZzZXQiOjJ9");
    let (last, end) = running.search("ann", &second).unwrap();
    assert_eq!((last.len(), end), (1, None));
    pages.extend(last);
    pages.sort_unstable();
    assert_eq!(pages, all);
    let (first, next) = found(json!({"query": "ocr:bakery", "filter": {}, "size": 2}));
    assert_eq!((first.len(), next), (2, None));
    for body in [
        json!({"filter": {"ocr": bakery}, "orderBy": {"field": "rating"}}),
        json!({"filter": {"or": [{"ocr": bakery}, {"city": {"eq": "Rome"}}]}}),
        json!({"filter": {"ocr": bakery, "albumIds": {"any": [ann]}}}),
        json!({"filter": {"ocr": bakery, "visibility": {"eq": "hidden"}}}),
        json!({"filter": {"ocr": bakery}, "cursor": "none"}),
        json!({"filter": {"ocr": bakery}, "page": 2}),
    ] {
        let left = running.search("ann", &body);
        assert!(matches!(left, Err(LibraryError::Unsupported(_))), "{body}: {left:?}");
    }
}

#[test]
fn plain_words_that_find_nothing_are_immichs() {
    let immich = Immich::default();
    immich.add_user("ann");
    let running = Running::start(immich, &["ann"]);
    running.wait_for("ann", "ocr:bakery", &[]);
    for body in [json!({"query": "a dog on a beach"}), json!({"query": "dog", "filter": {}})] {
        assert_eq!(running.search("ann", &body), Err(LibraryError::NothingFound), "{body}");
    }
    let path = json!({"query": "path:a.jpg dog"});
    assert_eq!(running.search("ann", &path), Ok((vec![], None)));
}

#[test]
fn changes_are_followed() {
    let immich = Immich::default();
    let ann = immich.add_user("ann");
    let first = immich.add(ann, "a.jpg", BAKERY);
    let running = Running::start(immich.clone(), &["ann"]);
    running.wait_for("ann", "ocr:bakery", &[first]);
    let seen = |running: &Running| running.immich.world().previews;
    let read = seen(&running);
    // A new name is no new content.
    immich.change(first, |picture| picture.name = "renamed.jpg");
    let second = immich.add(ann, "b.jpg", DINER);
    running.wait_for("ann", "ocr:maple", &[second]);
    running.wait_for("ann", "path:renamed ocr:bakery", &[first]);
    assert_eq!(seen(&running), read + 1);
    // Other content is read again.
    immich.change(second, |picture| {
        picture.checksum = "another".to_owned();
        picture.fixture = Some(JAPANESE);
    });
    running.wait_for("ann", "ocr:営業時間", &[second]);
    running.wait_for("ann", "ocr:maple", &[]);
    // What a list lacks, but is still there, stays, and is not read again.
    let read = seen(&running);
    immich.world().unlisted.push(first);
    std::thread::sleep(Duration::from_millis(600));
    running.wait_for("ann", "ocr:bakery", &[first]);
    assert_eq!(seen(&running), read);
    // What is gone, is gone; should it come back, it is new.
    let gone = immich.world().pictures.remove(0);
    running.wait_for("ann", "ocr:bakery", &[]);
    std::thread::sleep(Duration::from_millis(600));
    immich.world().unlisted.clear();
    immich.world().pictures.push(gone);
    immich.change(first, |_| {});
    running.wait_for("ann", "ocr:bakery", &[first]);
    assert_eq!(seen(&running), read + 1);
}

#[test]
fn trashed_pictures_are_not_given_and_keep_their_analysis() {
    let immich = Immich::default();
    let ann = immich.add_user("ann");
    let picture = immich.add(ann, "a.jpg", BAKERY);
    let running = Running::start(immich.clone(), &["ann"]);
    running.wait_for("ann", "ocr:bakery", &[picture]);
    let read = immich.world().previews;
    immich.change(picture, |picture| picture.trashed = true);
    running.wait_for("ann", "ocr:bakery", &[]);
    immich.change(picture, |picture| picture.trashed = false);
    running.wait_for("ann", "ocr:bakery", &[picture]);
    assert_eq!(immich.world().previews, read);
}

#[test]
fn an_immich_that_is_away_is_waited_for() {
    let immich = Immich::default();
    let ann = immich.add_user("ann");
    let picture = immich.add(ann, "a.jpg", BAKERY);
    let running = Running::start(immich.clone(), &["ann"]);
    running.wait_for("ann", "ocr:bakery", &[picture]);
    immich.world().away = true;
    let found = running.search("ann", &json!({"query": "ocr:bakery"}));
    assert!(matches!(found, Err(LibraryError::Failed { code: "immich_away", .. })), "{found:?}");
    immich.world().away = false;
    running.wait_for("ann", "ocr:bakery", &[picture]);
}

#[test]
fn single_pictures_are_done_again_for_their_owner() {
    let immich = Immich::default();
    let (ann, bob) = (immich.add_user("ann"), immich.add_user("bob"));
    let (picture, foreign) = (immich.add(ann, "a.jpg", BAKERY), immich.add(bob, "b.jpg", DINER));
    let running = Running::start(immich.clone(), &["ann", "bob"]);
    running.wait_for("ann", "ocr:bakery", &[picture]);
    running.wait_for("bob", "ocr:maple", &[foreign]);
    // Immich made another preview, of which nobody else would know.
    immich.world().pictures[0].fixture = Some(JAPANESE);
    assert_eq!(running.rerun("ann", RerunKind::Clip, &[picture]), Ok(()));
    assert_eq!(running.search("ann", &json!({"query": "ocr:bakery"})).unwrap().0, [picture]);
    assert_eq!(running.rerun("ann", RerunKind::Ocr, &[picture]), Ok(()));
    assert_eq!(running.search("ann", &json!({"query": "ocr:営業時間"})).unwrap().0, [picture]);
    assert!(running.search("ann", &json!({"query": "ocr:bakery"})).unwrap().0.is_empty());
    assert_eq!(running.rerun("ann", RerunKind::Ocr, &[picture, foreign]), Err(LibraryError::NotYours));
    // Nobody knows yet whose pictures these are, as after a start: that is no fault of theirs.
    let unknown = running.rerun("eve", RerunKind::Ocr, &[picture]);
    assert!(matches!(unknown, Err(LibraryError::Failed { code: "no_account", .. })), "{unknown:?}");
    // A picture whose preview is gone cannot be done again, and says so.
    immich.world().pictures[0].fixture = None;
    let failed = running.rerun("ann", RerunKind::Ocr, &[picture]);
    assert!(
        matches!(&failed, Err(LibraryError::Picture { message, .. }) if message.contains("preview")),
        "{failed:?}"
    );
}

#[test]
fn a_key_that_is_none_offers_nothing() {
    let immich = Immich::default();
    let ann = immich.add_user("ann");
    immich.add(ann, "a.jpg", BAKERY);
    let running = Running::start(immich, &["wrong"]);
    std::thread::sleep(Duration::from_millis(500));
    let capabilities = running.library.capabilities();
    assert!(!capabilities.has(Capability::TextSearch) && capabilities.has(Capability::Marks));
    let found = running.search("ann", &json!({"query": "ocr:bakery"}));
    assert!(matches!(found, Err(LibraryError::Unsupported(_))), "{found:?}");
}
