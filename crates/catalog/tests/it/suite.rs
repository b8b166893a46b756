//! What every store must do.
use std::{io::Write as _, sync::Arc};

use proptest::{
    prelude::*,
    strategy::ValueTree as _,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use viewfinder_catalog::{
    AnalysisKind::{Clip, Faces, Ocr},
    AnalysisState, AssetId, Counts, FaceRecord, Filter, Finding, PersonFace, PersonId, Properties, Scored,
    Store, TextExpr,
    text::Segmenter,
};

use crate::{
    data::{
        CLIP_MODEL, FACE_MODEL, OCR_MODEL, add, add_text, add_vector, dot, face, file, hash, letters, line,
        lines, noise, outcome, taken, unit, word,
    },
    places::{Database, File, Place, wait},
};

/// Runs each test on each store.
macro_rules! on_both {
    ($($test:ident)*) => {
        mod on_sqlite {
            $(#[test] fn $test() { super::$test(&super::File::new()); })*
        }
        mod on_postgres {
            $(#[test] fn $test() { super::$test(&super::Database::new()); })*
        }
    };
}

on_both! {
    files_are_kept_listed_and_found
    changed_content_forgets_what_was_found_and_unchanged_keeps_it
    a_moved_file_keeps_its_findings_and_takes_the_place_of_another
    removed_files_leave_nothing_behind
    numbers_are_never_given_twice
    outcomes_change_states_and_old_content_is_ignored
    what_is_to_be_done_can_be_asked_and_ordered_again
    phrases_are_found_in_their_field_and_within_a_line_only
    expressions_combine
    better_matches_come_first
    filters_restrict_text_and_vectors_and_browsing
    corrections_are_found_and_survive_until_they_are_given_up
    the_nearest_vectors_are_those_of_an_exact_comparison
    vectors_of_models_do_not_mix
    vectors_that_change_or_leave_are_followed
    faces_belong_to_people
    known_faces_stay_known_after_a_new_run
    a_face_that_was_taken_from_a_person_stays_out
    people_who_are_one_become_one
    a_persons_faces_are_shown_the_best_and_the_newest_first
    browsing_goes_from_new_to_old_without_gaps
    texts_are_cut_anew_for_another_segmenter
    a_catalogue_is_the_same_after_it_was_opened_again
    the_revision_changes_with_what_can_be_found
    any_tokens_make_a_valid_query
    ten_thousand_arbitrary_files_are_kept
}

fn ids(found: &[Scored]) -> Vec<AssetId> {
    found.iter().map(|scored| scored.asset).collect()
}

fn find(store: &dyn Store, expr: &TextExpr) -> Vec<AssetId> {
    let found = wait(store.find_text(expr, &Filter::default(), 100)).unwrap();
    assert!(found.iter().all(|scored| scored.score > 0.0), "{found:?}");
    assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score), "{found:?}");
    ids(&found)
}

fn find_sorted(store: &dyn Store, expr: &TextExpr) -> Vec<AssetId> {
    let mut found = find(store, expr);
    found.sort();
    found
}

fn files_are_kept_listed_and_found(place: &dyn Place) {
    let store = place.open();
    let unknown = Properties::default();
    let given = [
        (file("/p/b/2.jpg", 2), taken(-5)),
        (file("/p/a/1.jpg", 1), taken(1_600_000_000_000)),
        (file("/p/b/中文 ü.jpg", 3), unknown),
        (file("/p/b2/4.jpg", 1), unknown),
    ];
    let ids = wait(store.put_files(&given)).unwrap();
    assert_eq!(ids.len(), 4);
    let one = wait(store.by_path("/p/a/1.jpg")).unwrap().unwrap();
    assert_eq!((one.id, &one.file, one.properties), (ids[1], &given[1].0, given[1].1));
    assert_eq!(one.states, [const { AnalysisState::Never }; 3]);
    let last = &wait(store.assets(&[ids[2]])).unwrap()[0];
    assert_eq!((&last.file, last.properties), (&given[2].0, unknown));
    assert_eq!(wait(store.by_path("/p/a/1.JPG")).unwrap(), None);

    let paths = |folder: &str, after: Option<&str>, limit| -> Vec<String> {
        wait(store.list(folder, after, limit)).unwrap().into_iter().map(|asset| asset.file.path).collect()
    };
    assert_eq!(paths("", None, 9), ["/p/a/1.jpg", "/p/b/2.jpg", "/p/b/中文 ü.jpg", "/p/b2/4.jpg"]);
    assert_eq!(paths("/p/b/", None, 9), ["/p/b/2.jpg", "/p/b/中文 ü.jpg"]);
    assert_eq!(paths("/p/b/", Some("/p/b/2.jpg"), 9), ["/p/b/中文 ü.jpg"]);
    assert_eq!(paths("/p/b/", Some("/a"), 1), ["/p/b/2.jpg"]);
    assert_eq!(paths("/p/b/", Some("/p/z"), 9), [""; 0]);

    let same: Vec<_> = wait(store.by_hash(&hash(1))).unwrap().iter().map(|asset| asset.id).collect();
    assert_eq!(same, [ids[1], ids[3]]);
    let gone = AssetId(987_654);
    let some: Vec<_> =
        wait(store.assets(&[ids[3], gone, ids[0]])).unwrap().iter().map(|asset| asset.id).collect();
    assert_eq!(some, [ids[3], ids[0]]);
}

fn changed_content_forgets_what_was_found_and_unchanged_keeps_it(place: &dyn Place) {
    let store = place.open();
    let id = add_text(&*store, "/1.jpg", 1, &["hello"]);
    wait(store.correct(id, 0, "hallo")).unwrap();
    let vector = unit(&[1.0, 2.0]);
    wait(store.record(&[outcome(id, 1, CLIP_MODEL, Finding::Embedding(vector.clone()))])).unwrap();
    wait(store.record(&[outcome(id, 1, FACE_MODEL, Finding::Faces(vec![face(0.1, &[1.0, 0.0])]))])).unwrap();
    wait(store.nearest(CLIP_MODEL, &vector, &Filter::default(), 5)).unwrap();

    let mut touched = file("/1.jpg", 1);
    touched.modified_ns += 1;
    assert_eq!(wait(store.put_files(&[(touched.clone(), taken(9))])).unwrap(), [id]);
    let asset = &wait(store.assets(&[id])).unwrap()[0];
    assert_eq!((&asset.file, asset.properties.taken_ms), (&touched, Some(9)));
    assert!(asset.states.iter().all(|state| matches!(state, AnalysisState::Done { .. })));
    assert_eq!(find(&*store, &word("hallo")), [id]);

    assert_eq!(wait(store.put_files(&[(file("/1.jpg", 2), taken(9))])).unwrap(), [id]);
    assert_eq!(wait(store.assets(&[id])).unwrap()[0].states, [const { AnalysisState::Never }; 3]);
    assert_eq!(find(&*store, &word("hallo")), []);
    assert_eq!(wait(store.lines(&[id])).unwrap(), [[]; 1]);
    assert_eq!(wait(store.embedding(id)).unwrap(), None);
    assert_eq!(wait(store.faces(id)).unwrap(), []);
    assert_eq!(wait(store.nearest(CLIP_MODEL, &vector, &Filter::default(), 5)).unwrap(), []);
}

fn a_moved_file_keeps_its_findings_and_takes_the_place_of_another(place: &dyn Place) {
    let store = place.open();
    let id = add_text(&*store, "/old/1.jpg", 1, &["hello"]);
    let other = add_text(&*store, "/new/1.jpg", 2, &["other"]);
    let moved = file("/new/1.jpg", 1);
    wait(store.move_file(id, &moved)).unwrap();
    assert_eq!(wait(store.by_path("/new/1.jpg")).unwrap().unwrap().id, id);
    assert_eq!(wait(store.by_path("/old/1.jpg")).unwrap(), None);
    assert_eq!(wait(store.assets(&[other])).unwrap(), []);
    assert_eq!(find(&*store, &word("hello")), [id]);
    assert_eq!(find(&*store, &word("other")), []);
    let filter = Filter { path: vec!["NEW/".to_owned()], ..Filter::default() };
    assert_eq!(wait(store.browse(&filter, None, 5)).unwrap(), [id]);
}

fn removed_files_leave_nothing_behind(place: &dyn Place) {
    let store = place.open();
    let ids: Vec<AssetId> = (0..3)
        .map(|i| {
            let id = add_text(&*store, &format!("/{i}.jpg"), i, &["hello"]);
            wait(store.record(&[outcome(id, i, CLIP_MODEL, Finding::Embedding(unit(&[1.0, i as f32])))]))
                .unwrap();
            wait(store.record(&[outcome(id, i, FACE_MODEL, Finding::Faces(vec![face(0.1, &[1.0, 0.5])]))]))
                .unwrap();
            id
        })
        .collect();
    let query = unit(&[1.0, 1.0]);
    assert_eq!(wait(store.nearest(CLIP_MODEL, &query, &Filter::default(), 5)).unwrap().len(), 3);
    wait(store.remove(&[ids[0], AssetId(987_654), ids[2]])).unwrap();
    assert_eq!(find(&*store, &word("hello")), [ids[1]]);
    assert_eq!(ids_of(&*store, &query), [ids[1]]);
    assert_eq!(wait(store.unassigned_faces(FACE_MODEL, None, 9)).unwrap().len(), 1);
    assert_eq!(wait(store.counts()).unwrap(), Counts { assets: 1, states: [[0, 1, 0]; 3] });
    assert_eq!(wait(store.lines(&ids)).unwrap().iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 0]);
}

fn ids_of(store: &dyn Store, query: &[f32]) -> Vec<AssetId> {
    ids(&wait(store.nearest(CLIP_MODEL, query, &Filter::default(), 100)).unwrap())
}

fn numbers_are_never_given_twice(place: &dyn Place) {
    let store = place.open();
    let first = add(&*store, "/1.jpg", 1);
    wait(store.remove(&[first])).unwrap();
    drop(store);
    assert!(add(&*place.open(), "/1.jpg", 1) > first);
}

fn outcomes_change_states_and_old_content_is_ignored(place: &dyn Place) {
    let store = place.open();
    let id = add(&*store, "/1.jpg", 1);
    let failure = |message: &str| Finding::Failure {
        kind: Faces,
        code: "image_undecodable".to_owned(),
        message: message.to_owned(),
    };
    wait(store.record(&[
        outcome(id, 1, OCR_MODEL, Finding::Text(lines(&["one", "two"]))),
        outcome(id, 2, CLIP_MODEL, Finding::Embedding(unit(&[1.0, 0.0]))),
        outcome(id, 1, FACE_MODEL, failure("broken")),
        outcome(AssetId(987_654), 1, OCR_MODEL, Finding::Text(lines(&["nowhere"]))),
    ]))
    .unwrap();
    let at_ms = 1_700_000_000_000;
    let states = &wait(store.assets(&[id])).unwrap()[0].states;
    assert_eq!(states[0], AnalysisState::Done { model: OCR_MODEL.to_owned(), at_ms });
    assert_eq!(states[1], AnalysisState::Never);
    let failed = AnalysisState::Failed {
        model: FACE_MODEL.to_owned(),
        code: "image_undecodable".to_owned(),
        message: "broken".to_owned(),
        at_ms,
    };
    assert_eq!(states[2], failed);
    assert_eq!(wait(store.lines(&[id])).unwrap()[0], lines(&["one", "two"]));
    assert_eq!(find(&*store, &word("nowhere")), []);
    assert_eq!(
        wait(store.counts()).unwrap(),
        Counts { assets: 1, states: [[0, 1, 0], [1, 0, 0], [0, 0, 1]] }
    );

    // A failure later on keeps what was found before.
    let failure = Finding::Failure { kind: Ocr, code: "c".to_owned(), message: "m\0".to_owned() };
    wait(store.record(&[outcome(id, 1, "other", failure)])).unwrap();
    assert!(matches!(wait(store.assets(&[id])).unwrap()[0].states[0], AnalysisState::Failed { .. }));
    assert_eq!(find(&*store, &word("two")), [id]);
    // A new text replaces the old one.
    wait(store.record(&[outcome(id, 1, OCR_MODEL, Finding::Text(lines(&["three"])))])).unwrap();
    assert_eq!(find(&*store, &word("two")), []);
    assert_eq!(find(&*store, &word("three")), [id]);
    wait(store.record(&[outcome(id, 1, OCR_MODEL, Finding::Text(Vec::new()))])).unwrap();
    assert_eq!(find(&*store, &word("three")), []);
}

fn what_is_to_be_done_can_be_asked_and_ordered_again(place: &dyn Place) {
    let store = place.open();
    let all: Vec<AssetId> = (0..4).map(|i| add(&*store, &format!("/{i}.jpg"), i)).collect();
    let pending = |kinds: &[_], after, limit| -> Vec<AssetId> {
        wait(store.pending(kinds, after, limit)).unwrap().iter().map(|asset| asset.id).collect()
    };
    assert_eq!(pending(&[Ocr, Clip], None, 9), all);
    assert_eq!(pending(&[Ocr], Some(all[1]), 1), [all[2]]);
    let text = |i: usize, model: &str| outcome(all[i], i as u64, model, Finding::Text(lines(&["hello"])));
    let failure = Finding::Failure { kind: Clip, code: "c".to_owned(), message: "m".to_owned() };
    let mut failed = outcome(all[0], 0, CLIP_MODEL, failure.clone());
    failed.at_ms += 1;
    wait(store.record(&[
        text(0, "old"),
        text(1, "new"),
        failed,
        outcome(all[3], 3, CLIP_MODEL, failure.clone()),
    ]))
    .unwrap();
    assert_eq!(pending(&[Ocr], None, 9), [all[2], all[3]]);
    assert_eq!(pending(&[Clip], None, 9), [all[1], all[2]]);
    assert_eq!(pending(&[Clip, Ocr], None, 9), [all[1], all[2], all[3]]);
    let failures: Vec<_> = wait(store.failures(9)).unwrap().iter().map(|asset| asset.id).collect();
    assert_eq!(failures, [all[0], all[3]]);
    assert_eq!(wait(store.failures(1)).unwrap().len(), 1);

    assert_eq!(wait(store.forget_failures(Ocr, None)).unwrap(), 0);
    assert_eq!(wait(store.forget_failures(Clip, Some("another"))).unwrap(), 0);
    assert_eq!(wait(store.forget_failures(Clip, None)).unwrap(), 2);
    assert_eq!(pending(&[Clip], None, 9), all);
    wait(store.record(&[outcome(all[0], 0, CLIP_MODEL, failure)])).unwrap();
    assert_eq!(wait(store.forget_failures(Clip, Some("c"))).unwrap(), 1);
    assert_eq!(pending(&[Clip], None, 9), all);
    assert_eq!(wait(store.forget_other_models(Ocr, "new")).unwrap(), 1);
    assert_eq!(pending(&[Ocr], None, 9), [all[0], all[2], all[3]]);
    wait(store.forget(Ocr, &[all[1]], false)).unwrap();
    assert_eq!(pending(&[Ocr], None, 9), all);
    // Found until it is done again.
    assert_eq!(find_sorted(&*store, &word("hello")), [all[0], all[1]]);
}

fn phrases_are_found_in_their_field_and_within_a_line_only(place: &dyn Place) {
    let store = place.open();
    let id = add_text(&*store, "/1.jpg", 1, &["增值税发票", "Order SN0012345 shipped", "grand total"]);
    let found = |expr: &TextExpr| !find(&*store, expr).is_empty();
    assert!(found(&word("发票")));
    assert!(found(&word("sn0012345")) && found(&word("order")));
    assert!(found(&letters("值税发票")), "a substring");
    assert!(!found(&word("值税")), "a gram is no word");
    assert!(!found(&letters("值税税发发票")), "the same pieces in another order");
    assert!(found(&letters("grand total")) && !found(&letters("total grand")));
    assert!(found(&letters("nd-to")), "spaces and signs do not count");
    assert!(!found(&letters("shipped grand")) && !found(&letters("票ord")), "across lines");
    assert!(found(&letters("税")), "one character");
    assert!(found(&letters("234")), "a part of a number");
    assert!(!found(&word("missing")));
    assert_eq!(find(&*store, &word("grand")), [id]);
}

fn expressions_combine(place: &dyn Place) {
    let store = place.open();
    let a = add_text(&*store, "/1.jpg", 1, &["red apple"]);
    let b = add_text(&*store, "/2.jpg", 2, &["green apple"]);
    let c = add_text(&*store, "/3.jpg", 3, &["green", "pear"]);
    let [red, green, apple, pear] = ["red", "green", "apple", "pear"].map(word);
    let all = |parts: &[&TextExpr]| TextExpr::All(parts.iter().map(|part| (*part).clone()).collect());
    let any = |parts: &[&TextExpr]| TextExpr::Any(parts.iter().map(|part| (*part).clone()).collect());
    assert_eq!(find_sorted(&*store, &all(&[&green, &apple])), [b]);
    assert_eq!(find_sorted(&*store, &any(&[&red, &pear])), [a, c]);
    assert_eq!(find_sorted(&*store, &all(&[&any(&[&red, &green]), &any(&[&apple, &pear])])), [a, b, c]);
    assert_eq!(find_sorted(&*store, &any(&[&all(&[&red, &apple]), &all(&[&green, &pear])])), [a, c]);
    assert_eq!(find(&*store, &all(&[])), []);
    assert_eq!(find(&*store, &any(&[])), []);
    let nothing = word("\" ");
    assert_eq!(find(&*store, &all(&[&red, &nothing])), []);
    assert_eq!(find(&*store, &any(&[&red, &nothing])), [a]);
}

fn better_matches_come_first(place: &dyn Place) {
    let store = place.open();
    let filler: Vec<String> = (0..40).map(|i| format!("filler number {i}")).collect();
    let mut long: Vec<&str> = filler.iter().map(String::as_str).collect();
    long.push("invoice");
    let in_much = add_text(&*store, "/1.jpg", 1, &long);
    let alone = add_text(&*store, "/2.jpg", 2, &["invoice"]);
    for i in 0..20 {
        add_text(&*store, &format!("/other{i}.jpg"), 10 + i, &["something else"]);
    }
    assert_eq!(find(&*store, &word("invoice")), [alone, in_much]);
    // A word counts more than a piece of one.
    let both = TextExpr::Any(vec![word("invoice"), letters("invo")]);
    let piece = add_text(&*store, "/3.jpg", 3, &["reinvoked"]);
    let found = find(&*store, &both);
    assert_eq!(found[0], alone);
    assert!(found.contains(&in_much) && found.contains(&piece), "{found:?}");
    assert_eq!(wait(store.find_text(&both, &Filter::default(), 1)).unwrap().len(), 1);
}

fn filters_restrict_text_and_vectors_and_browsing(place: &dyn Place) {
    let store = place.open();
    let query = unit(&[1.0, 0.25]);
    let ids: Vec<AssetId> = (0..6)
        .map(|i| {
            let path = ["/trip/Rome/", "/trip/Oslo/"][i % 2];
            let properties = if i == 5 { Properties::default() } else { taken(1000 * i as i64) };
            let id =
                wait(store.put_files(&[(file(&format!("{path}{i}.jpg"), i as u64), properties)])).unwrap()[0];
            let text = if i < 3 { vec!["menu", "pizza"] } else { vec!["menu"] };
            wait(store.record(&[
                outcome(id, i as u64, OCR_MODEL, Finding::Text(lines(&text))),
                outcome(id, i as u64, CLIP_MODEL, Finding::Embedding(unit(&[1.0, 0.1 * i as f32]))),
                outcome(id, i as u64, FACE_MODEL, Finding::Faces(vec![face(0.1, &noise(i as u64, 8))])),
            ]))
            .unwrap();
            id
        })
        .collect();
    let anna = wait(store.assign(ids[0], 0, None)).unwrap().unwrap();
    wait(store.assign(ids[3], 0, Some(anna))).unwrap();

    let check = |filter: Filter, expected: &[usize]| {
        let expected: Vec<AssetId> = expected.iter().map(|i| ids[*i]).collect();
        let mut text = self::ids(&wait(store.find_text(&word("menu"), &filter, 10)).unwrap());
        let mut near = self::ids(&wait(store.nearest(CLIP_MODEL, &query, &filter, 10)).unwrap());
        let mut browsed = wait(store.browse(&filter, None, 10)).unwrap();
        for found in [&mut text, &mut near, &mut browsed] {
            found.sort();
            assert_eq!(*found, expected, "{filter:?}");
        }
        assert_eq!(wait(store.count(&filter)).unwrap(), expected.len(), "{filter:?}");
    };
    let path = |parts: &[&str]| parts.iter().map(|part| (*part).to_owned()).collect();
    check(Filter::default(), &[0, 1, 2, 3, 4, 5]);
    check(Filter { path: path(&["rome"]), ..Filter::default() }, &[0, 2, 4]);
    check(Filter { path: path(&["ROME", "trip", "2"]), ..Filter::default() }, &[2]);
    check(Filter { path: path(&["100%_"]), ..Filter::default() }, &[]);
    check(Filter { from_ms: Some(2000), ..Filter::default() }, &[2, 3, 4]);
    check(Filter { until_ms: Some(2000), ..Filter::default() }, &[0, 1]);
    check(Filter { from_ms: Some(i64::MIN), ..Filter::default() }, &[0, 1, 2, 3, 4]);
    check(Filter { from_ms: Some(1000), until_ms: Some(3000), ..Filter::default() }, &[1, 2]);
    check(Filter { people: vec![vec![anna]], ..Filter::default() }, &[0, 3]);
    check(Filter { people: vec![vec![anna], vec![PersonId(987_654)]], ..Filter::default() }, &[]);
    check(Filter { people: vec![vec![anna, PersonId(987_654)]], ..Filter::default() }, &[0, 3]);
    check(Filter { without: Some(word("pizza")), ..Filter::default() }, &[3, 4, 5]);
    check(Filter { without: Some(TextExpr::Any(Vec::new())), ..Filter::default() }, &[0, 1, 2, 3, 4, 5]);
    check(Filter { among: Some(vec![ids[1], ids[4], AssetId(987_654)]), ..Filter::default() }, &[1, 4]);
    check(Filter { among: Some(Vec::new()), ..Filter::default() }, &[]);
    let mixed = Filter {
        path: path(&["rome"]),
        without: Some(word("pizza")),
        among: Some(ids.clone()),
        from_ms: Some(0),
        ..Filter::default()
    };
    check(mixed, &[4]);
}

fn corrections_are_found_and_survive_until_they_are_given_up(place: &dyn Place) {
    let store = place.open();
    let id = add_text(&*store, "/1.jpg", 1, &["first", "secomd", "third"]);
    assert!(!wait(store.correct(id, 3, "fourth")).unwrap());
    assert!(!wait(store.correct(AssetId(987_654), 0, "x")).unwrap());
    assert!(wait(store.correct(id, 1, "second")).unwrap());
    assert_eq!(find(&*store, &word("second")), [id]);
    assert_eq!(find(&*store, &word("secomd")), []);
    let corrected = &wait(store.lines(&[id])).unwrap()[0][1];
    assert_eq!((corrected.text.as_str(), corrected.score, corrected.corrected), ("second", 1.0, true));

    // A new run finds an additional line and reads the same places a little differently.
    let mut new = lines(&["first", "sec0nd", "third"]);
    new[1].corners[0] = [0.12, 0.052];
    new.insert(0, line("title", 0.9));
    let again = |lines: Vec<_>| wait(store.record(&[outcome(id, 1, "newer", Finding::Text(lines))])).unwrap();
    let texts = || -> Vec<String> {
        wait(store.lines(&[id])).unwrap()[0].iter().map(|line| line.text.clone()).collect()
    };
    wait(store.forget(Ocr, &[id], false)).unwrap();
    again(new.clone());
    assert_eq!(texts(), ["title", "first", "second", "third"]);
    assert_eq!(find(&*store, &word("sec0nd")), []);
    // Even when the line is not seen at all.
    again(lines(&["first"]));
    assert_eq!(texts(), ["first", "second"]);
    again(new.clone());

    wait(store.forget(Ocr, &[id], true)).unwrap();
    assert_eq!(texts(), ["title", "first", "sec0nd", "third"], "what the machine read");
    assert_eq!(find(&*store, &word("second")), []);
    assert_eq!(find(&*store, &word("sec0nd")), [id]);
    again(lines(&["first"]));
    assert_eq!(texts(), ["first"]);
}

fn the_nearest_vectors_are_those_of_an_exact_comparison(place: &dyn Place) {
    let store = place.open();
    let vectors: Vec<Vec<f32>> = (0..600).map(|i| unit(&noise(i, 32))).collect();
    let files: Vec<_> = (0..600).map(|i| (file(&format!("/{i}.jpg"), i), taken(0))).collect();
    let all = wait(store.put_files(&files)).unwrap();
    let outcomes: Vec<_> = (0..600)
        .map(|i| outcome(all[i], i as u64, CLIP_MODEL, Finding::Embedding(vectors[i].clone())))
        .collect();
    wait(store.record(&outcomes)).unwrap();
    assert_eq!(wait(store.embedding(all[7])).unwrap(), Some((CLIP_MODEL.to_owned(), vectors[7].clone())));
    for seed in 1000..1010 {
        let query = unit(&noise(seed, 32));
        let mut exact: Vec<(f32, AssetId)> =
            vectors.iter().zip(&all).map(|(vector, id)| (dot(vector, &query), *id)).collect();
        exact.sort_by(|a, b| b.0.total_cmp(&a.0));
        let found = wait(store.nearest(CLIP_MODEL, &query, &Filter::default(), 20)).unwrap();
        assert_eq!(ids(&found), exact[..20].iter().map(|(_, id)| *id).collect::<Vec<_>>());
        for (scored, (score, _)) in found.iter().zip(&exact) {
            assert!((scored.score - score).abs() < 1e-5, "{} {score}", scored.score);
        }
    }
    let everything = wait(store.nearest(CLIP_MODEL, &vectors[3], &Filter::default(), 10_000)).unwrap();
    assert_eq!((everything.len(), everything[0].asset), (600, all[3]));
}

fn vectors_of_models_do_not_mix(place: &dyn Place) {
    let store = place.open();
    let a = add_vector(&*store, "/1.jpg", 1, "small", &[1.0, 0.0]);
    let b = add_vector(&*store, "/2.jpg", 2, "large", &[1.0, 0.0, 0.0]);
    let c = add_vector(&*store, "/3.jpg", 3, "small@int8", &[1.0, 0.0]);
    let near =
        |model: &str, query: &[f32]| ids(&wait(store.nearest(model, query, &Filter::default(), 9)).unwrap());
    assert_eq!(near("small", &[1.0, 0.0]), [a]);
    assert_eq!(near("large", &[1.0, 0.0, 0.0]), [b]);
    assert_eq!(near("small@int8", &[1.0, 0.0]), [c]);
    assert_eq!(near("small", &[1.0, 0.0, 0.0]), [], "another width");
    assert_eq!(near("unknown", &[1.0, 0.0]), []);
    // Another model's vector replaces the one before.
    wait(store.record(&[outcome(a, 1, "large", Finding::Embedding(unit(&[0.0, 1.0, 0.0])))])).unwrap();
    assert_eq!(near("small", &[1.0, 0.0]), []);
    assert_eq!(near("large", &[0.0, 1.0, 0.0]), [a, b]);
}

fn vectors_that_change_or_leave_are_followed(place: &dyn Place) {
    let store = place.open();
    let all: Vec<AssetId> =
        (0..5).map(|i| add_vector(&*store, &format!("/{i}.jpg"), i, CLIP_MODEL, &[1.0, i as f32])).collect();
    assert_eq!(ids_of(&*store, &[1.0, 0.0]), all);
    wait(store.record(&[outcome(all[0], 0, CLIP_MODEL, Finding::Embedding(unit(&[-1.0, 0.0])))])).unwrap();
    assert_eq!(ids_of(&*store, &[1.0, 0.0]), [all[1], all[2], all[3], all[4], all[0]]);
    // What another program writes is seen, too.
    let other = place.open();
    wait(other.remove(&[all[1], all[4]])).unwrap();
    let new = add_vector(&*other, "/new.jpg", 9, CLIP_MODEL, &[1.0, 0.0]);
    assert_eq!(ids_of(&*store, &[1.0, 0.0]), [new, all[2], all[3], all[0]]);
}

fn faces_belong_to_people(place: &dyn Place) {
    let store = place.open();
    let directions = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.9, 0.1, 0.0]];
    let one = add(&*store, "/1.jpg", 1);
    let two = add(&*store, "/2.jpg", 2);
    let both = vec![face(0.1, &directions[0]), face(0.5, &directions[1])];
    wait(store.record(&[outcome(one, 1, FACE_MODEL, Finding::Faces(both.clone()))])).unwrap();
    wait(store.record(&[outcome(two, 2, FACE_MODEL, Finding::Faces(vec![face(0.3, &directions[2])]))]))
        .unwrap();
    assert_eq!(wait(store.faces(one)).unwrap(), both);
    let unassigned = |after| -> Vec<(AssetId, usize)> {
        let faces = wait(store.unassigned_faces(FACE_MODEL, after, 9)).unwrap();
        faces.into_iter().map(|face| (face.asset, face.place)).collect()
    };
    assert_eq!(unassigned(None), [(one, 0), (one, 1), (two, 0)]);
    assert_eq!(unassigned(Some((one, 0))), [(one, 1), (two, 0)]);
    assert_eq!(wait(store.unassigned_faces(FACE_MODEL, None, 1)).unwrap()[0].embedding, unit(&directions[0]));
    assert_eq!(wait(store.unassigned_faces("other", None, 9)).unwrap(), []);
    assert_eq!(wait(store.similar_people(FACE_MODEL, &directions[0], &[], 9)).unwrap(), []);

    let anna = wait(store.assign(one, 0, None)).unwrap().unwrap();
    let ben = wait(store.assign(one, 1, None)).unwrap().unwrap();
    assert_ne!(anna, ben);
    let similar = wait(store.similar_people(FACE_MODEL, &unit(&directions[2]), &[], 9)).unwrap();
    assert_eq!(similar.iter().map(|(person, _)| *person).collect::<Vec<_>>(), [anna, ben]);
    assert!((similar[0].1 - 0.993_88).abs() < 1e-4, "{similar:?}");
    assert_eq!(wait(store.similar_people("other", &directions[0], &[], 9)).unwrap(), []);
    assert_eq!(wait(store.assign(two, 0, Some(anna))).unwrap(), Some(anna));
    assert_eq!(wait(store.assign(two, 1, Some(anna))).unwrap(), None, "no such face");
    assert_eq!(wait(store.assign(two, 0, Some(PersonId(987_654)))).unwrap(), None, "no such person");
    assert_eq!(wait(store.faces(two)).unwrap()[0].person, Some(anna));
    assert_eq!(unassigned(None), []);

    assert!(wait(store.name_people(&[anna], "Ánna Müller")).unwrap());
    assert!(!wait(store.name_people(&[ben, PersonId(987_654)], "Nobody")).unwrap());
    assert_eq!(wait(store.people_called("ÁNNA MÜLLER")).unwrap(), [anna]);
    assert_eq!(wait(store.people_called("Anna")).unwrap(), []);
    assert_eq!(wait(store.people_called("")).unwrap(), []);
    let people: Vec<_> = wait(store.people()).unwrap().into_iter().map(|p| (p.id, p.name, p.faces)).collect();
    assert_eq!(people, [(anna, "Ánna Müller".to_owned(), 2), (ben, String::new(), 1)]);
    // Nameless people without faces are nobody; named ones stay.
    wait(store.remove(&[one, two])).unwrap();
    let people: Vec<_> = wait(store.people()).unwrap().into_iter().map(|p| (p.id, p.faces)).collect();
    assert_eq!(people, [(anna, 0)]);
    assert_eq!(wait(store.similar_people(FACE_MODEL, &directions[0], &[], 9)).unwrap(), []);
}

fn known_faces_stay_known_after_a_new_run(place: &dyn Place) {
    let store = place.open();
    let id = add(&*store, "/1.jpg", 1);
    let found = vec![face(0.1, &[1.0, 0.0]), face(0.5, &[0.0, 1.0])];
    wait(store.record(&[outcome(id, 1, FACE_MODEL, Finding::Faces(found))])).unwrap();
    let anna = wait(store.assign(id, 1, None)).unwrap().unwrap();
    let found = vec![face(0.51, &[0.0, 1.0, 0.0]), face(0.8, &[1.0, 0.0, 0.0]), face(0.11, &[0.0, 0.0, 1.0])];
    wait(store.record(&[outcome(id, 1, "newer", Finding::Faces(found))])).unwrap();
    let people: Vec<_> = wait(store.faces(id)).unwrap().iter().map(|face| face.person).collect();
    assert_eq!(people, [Some(anna), None, None]);
    assert_eq!(wait(store.similar_people("newer", &[0.0, 1.0, 0.0], &[], 9)).unwrap(), [(anna, 1.0)]);
    assert_eq!(wait(store.similar_people(FACE_MODEL, &[0.0, 1.0], &[], 9)).unwrap(), []);
}

/// Adds a picture with a face that points there.
fn add_face(store: &dyn Store, path: &str, content: u64, embedding: &[f32]) -> AssetId {
    let id = add(store, path, content);
    wait(store.record(&[outcome(id, content, FACE_MODEL, Finding::Faces(vec![face(0.1, embedding)]))]))
        .unwrap();
    id
}

fn person_of(store: &dyn Store, id: AssetId) -> Option<PersonId> {
    wait(store.faces(id)).unwrap()[0].person
}

fn a_face_that_was_taken_from_a_person_stays_out(place: &dyn Place) {
    let store = place.open();
    let ids: Vec<AssetId> =
        (0..3).map(|i| add_face(&*store, &format!("/{i}.jpg"), i, &[1.0, 0.1 * i as f32])).collect();
    let anna = wait(store.assign(ids[0], 0, None)).unwrap().unwrap();
    wait(store.assign(ids[1], 0, Some(anna))).unwrap();
    let ben = wait(store.assign(ids[2], 0, None)).unwrap().unwrap();
    assert!(!wait(store.reject(ids[2], 0, anna)).unwrap(), "it is Ben's");
    assert!(!wait(store.reject(ids[1], 1, anna)).unwrap(), "there is no such face");
    assert!(wait(store.reject(ids[1], 0, anna)).unwrap());
    assert!(!wait(store.reject(ids[1], 0, anna)).unwrap(), "it is nobody's by now");
    let similar = |not: &[PersonId]| {
        wait(store.similar_people(FACE_MODEL, &[1.0, 0.0], not, 9))
            .unwrap()
            .into_iter()
            .map(|(person, _)| person)
            .collect::<Vec<_>>()
    };
    assert_eq!((similar(&[]), similar(&[anna]), similar(&[ben, anna])), (vec![anna, ben], vec![ben], vec![]));
    let stays_out = |store: &dyn Store| {
        let faces = wait(store.unassigned_faces(FACE_MODEL, None, 9)).unwrap();
        assert_eq!((faces.len(), faces[0].asset, &faces[0].not), (1, ids[1], &vec![anna]));
        assert_eq!(wait(store.assign(ids[1], 0, Some(anna))).unwrap(), None);
        assert_eq!(person_of(store, ids[1]), None);
    };
    stays_out(&*store);
    // Found anew a little beside, after a run that found nothing, and opened again.
    for found in [vec![], vec![face(0.11, &[1.0, 0.1])]] {
        wait(store.record(&[outcome(ids[1], 1, FACE_MODEL, Finding::Faces(found))])).unwrap();
    }
    stays_out(&*store);
    stays_out(&*place.open());
    // A file that moves takes it along; other faces of the picture are free.
    wait(store.move_file(ids[1], &file("/moved.jpg", 1))).unwrap();
    stays_out(&*store);
    let two = vec![face(0.1, &[1.0, 0.1]), face(0.7, &[1.0, 0.1])];
    wait(store.record(&[outcome(ids[1], 1, FACE_MODEL, Finding::Faces(two))])).unwrap();
    let not: Vec<_> =
        wait(store.unassigned_faces(FACE_MODEL, None, 9)).unwrap().into_iter().map(|face| face.not).collect();
    assert_eq!(not, [vec![anna], vec![]]);
    // Who is somebody else may be said by anybody, and by a person even that it was her after all.
    assert_eq!(wait(store.assign(ids[1], 0, Some(ben))).unwrap(), Some(ben));
    assert_eq!(wait(store.assign_by_hand(ids[1], 0, Some(anna))).unwrap(), Some(anna));
    assert_eq!(wait(store.assign(ids[1], 0, Some(ben))).unwrap(), Some(ben));
    assert_eq!(wait(store.assign(ids[1], 0, Some(anna))).unwrap(), Some(anna));
    assert_eq!(wait(store.assign_by_hand(ids[1], 2, Some(anna))).unwrap(), None);
    assert_eq!(wait(store.assign_by_hand(ids[1], 1, Some(PersonId(987_654)))).unwrap(), None);
    // What is said of a picture goes with its content.
    assert!(wait(store.reject(ids[1], 0, anna)).unwrap());
    let changed = file("/moved.jpg", 9);
    wait(store.put_files(&[(changed, Properties::default())])).unwrap();
    let found = Finding::Faces(vec![face(0.1, &[1.0, 0.1])]);
    wait(store.record(&[outcome(ids[1], 9, FACE_MODEL, found)])).unwrap();
    assert_eq!(wait(store.assign(ids[1], 0, Some(anna))).unwrap(), Some(anna));
}

fn people_who_are_one_become_one(place: &dyn Place) {
    let store = place.open();
    let ids: Vec<AssetId> =
        (0..5).map(|i| add_face(&*store, &format!("/{i}.jpg"), i, &[1.0, 0.1 * i as f32])).collect();
    let people: Vec<PersonId> =
        ids[..4].iter().map(|id| wait(store.assign(*id, 0, None)).unwrap().unwrap()).collect();
    let [anna, first, second, other] = people[..] else { unreachable!() };
    wait(store.assign(ids[4], 0, Some(first))).unwrap();
    assert!(wait(store.name_people(&[first, second], "Anna")).unwrap());
    assert_eq!(wait(store.people_called("anna")).unwrap(), [first, second]);
    // It was taken from one of them, and put to another one of the same person.
    assert!(wait(store.reject(ids[4], 0, first)).unwrap());
    assert_eq!(wait(store.assign(ids[4], 0, Some(anna))).unwrap(), Some(anna));
    let nobody = PersonId(987_654);
    for (keep, others) in [(anna, vec![first, nobody]), (nobody, vec![anna])] {
        assert_eq!(wait(store.merge_people(keep, &others)).unwrap(), None);
    }
    assert_eq!(wait(store.people_called("anna")).unwrap(), [first, second], "all or nothing");
    let merged = wait(store.merge_people(anna, &[first, second, anna])).unwrap().unwrap();
    assert_eq!((merged.id, merged.name.as_str(), merged.faces, merged.pictures), (anna, "Anna", 3, 3));
    assert_eq!(
        ids.iter().map(|id| person_of(&*store, *id)).collect::<Vec<_>>(),
        [Some(anna), Some(anna), Some(anna), Some(other), None]
    );
    assert_eq!(wait(store.unassigned_faces(FACE_MODEL, None, 9)).unwrap()[0].not, [anna]);
    assert_eq!(wait(store.people_called("anna")).unwrap(), [anna]);
    assert_eq!(wait(store.people_of(&[first, second, nobody])).unwrap(), []);
    let similar = wait(store.similar_people(FACE_MODEL, &[1.0, 0.0], &[], 9)).unwrap();
    assert_eq!(similar.iter().map(|(person, _)| *person).collect::<Vec<_>>(), [anna, anna, anna, other]);
    // Who has a name keeps it.
    wait(store.name_people(&[other], "Ben")).unwrap();
    assert_eq!(wait(store.merge_people(other, &[anna])).unwrap().unwrap().name, "Ben");
}

fn a_persons_faces_are_shown_the_best_and_the_newest_first(place: &dyn Place) {
    let store = place.open();
    let ids: Vec<AssetId> = [30, 10, 20].iter().map(|i| add(&*store, &format!("/{i}.jpg"), *i)).collect();
    let sized = |x: f32, side: f32, score: f32| FaceRecord {
        corners: [x, 0.1, x + side, 0.1 + side],
        score,
        ..face(x, &[1.0, 0.0])
    };
    for (id, content, faces) in [
        (ids[0], 30, vec![sized(0.1, 0.05, 0.9), sized(0.5, 0.01, 0.9)]),
        (ids[1], 10, vec![sized(0.1, 0.05, 0.95)]),
        (ids[2], 20, vec![sized(0.1, 0.02, 0.99)]),
    ] {
        wait(store.record(&[outcome(id, content, FACE_MODEL, Finding::Faces(faces))])).unwrap();
    }
    let anna = wait(store.assign(ids[0], 0, None)).unwrap().unwrap();
    for (id, face) in [(ids[0], 1), (ids[1], 0), (ids[2], 0)] {
        wait(store.assign(id, face, Some(anna))).unwrap();
    }
    let places = |faces: &[PersonFace]| faces.iter().map(|face| (face.asset, face.place)).collect::<Vec<_>>();
    let best = wait(store.portraits(&[PersonId(987_654), anna], 2)).unwrap();
    assert_eq!((best.len(), best[0].len()), (2, 0));
    assert_eq!(places(&best[1]), [(ids[1], 0), (ids[0], 0)]);
    assert_eq!((best[1][0].corners, best[1][0].score), ([0.1, 0.1, 0.15, 0.15], 0.95));
    let of = |after, limit| wait(store.faces_of(anna, after, limit)).unwrap();
    let all = [(ids[0], 0), (ids[0], 1), (ids[2], 0), (ids[1], 0)];
    assert_eq!(places(&of(None, 9)), all);
    assert_eq!(places(&of(None, 1)), all[..1]);
    for (at, after) in all.into_iter().enumerate() {
        assert_eq!(places(&of(Some(after), 9)), all[at + 1..]);
    }
    assert_eq!(of(Some((AssetId(987_654), 0)), 9), []);
    let known = wait(store.people_of(&[anna])).unwrap().remove(0);
    assert_eq!((known.faces, known.pictures), (4, 3));
}

fn browsing_goes_from_new_to_old_without_gaps(place: &dyn Place) {
    let store = place.open();
    let times = [Some(5), None, Some(7), Some(5), None, Some(-3)];
    let files: Vec<_> = times
        .iter()
        .enumerate()
        .map(|(i, taken_ms)| {
            (file(&format!("/{i}.jpg"), i as u64), Properties { taken_ms: *taken_ms, ..taken(0) })
        })
        .collect();
    let all = wait(store.put_files(&files)).unwrap();
    let expected = [2, 3, 0, 5, 4, 1].map(|i| all[i]);
    assert_eq!(wait(store.browse(&Filter::default(), None, 10)).unwrap(), expected);
    let mut seen = Vec::new();
    while let page = wait(store.browse(&Filter::default(), seen.last().copied(), 2)).unwrap()
        && !page.is_empty()
    {
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    assert_eq!(wait(store.browse(&Filter::default(), Some(AssetId(987_654)), 5)).unwrap(), []);
}

fn texts_are_cut_anew_for_another_segmenter(place: &dyn Place) {
    let store = place.open();
    let all: Vec<AssetId> =
        (0..5).map(|i| add_text(&*store, &format!("/{i}.jpg"), i, &["喜羊羊饭店欢迎您"])).collect();
    add(&*store, "/without.jpg", 9);
    let name = word("羊羊饭店");
    assert_eq!(wait(store.refresh_text(10)).unwrap(), 0);
    assert_eq!(find(&*store, &name), []);
    drop(store);

    let mut dictionary = tempfile::NamedTempFile::new().unwrap();
    writeln!(dictionary, "羊羊饭店 100000").unwrap();
    let segmenter = Arc::new(Segmenter::new(Some(dictionary.path())).unwrap());
    let store = place.open_with(segmenter.clone()).unwrap();
    assert_eq!(find(&*store, &name), [], "opening does not wait for it");
    assert_eq!(wait(store.refresh_text(2)).unwrap(), 3);
    drop(store);
    // It goes on where it was.
    let store = place.open_with(segmenter).unwrap();
    assert_eq!(find_sorted(&*store, &name), all[..2]);
    assert_eq!(wait(store.refresh_text(2)).unwrap(), 1);
    assert_eq!(wait(store.refresh_text(2)).unwrap(), 0);
    assert_eq!(wait(store.refresh_text(2)).unwrap(), 0);
    assert_eq!(find_sorted(&*store, &name), all);
}

fn a_catalogue_is_the_same_after_it_was_opened_again(place: &dyn Place) {
    let store = place.open();
    let id = add_text(&*store, "/1.jpg", 1, &["hello world"]);
    wait(store.record(&[outcome(id, 1, CLIP_MODEL, Finding::Embedding(unit(&[3.0, 4.0])))])).unwrap();
    let (asset, revision) = (wait(store.assets(&[id])).unwrap(), wait(store.revision()).unwrap());
    drop(store);
    let store = place.open();
    assert_eq!(wait(store.assets(&[id])).unwrap(), asset);
    assert_eq!(wait(store.lines(&[id])).unwrap()[0], lines(&["hello world"]));
    assert_eq!(wait(store.revision()).unwrap(), revision);
    assert_eq!(find(&*store, &letters("hello world")), [id]);
    assert_eq!(ids_of(&*store, &unit(&[3.0, 4.0])), [id]);
}

fn the_revision_changes_with_what_can_be_found(place: &dyn Place) {
    let store = place.open();
    let mut last = wait(store.revision()).unwrap();
    let mut changed = |what: &str| {
        let now = wait(store.revision()).unwrap();
        assert!(now > last, "{what}");
        last = now;
    };
    let id = add_text(&*store, "/1.jpg", 1, &["hello"]);
    changed("text");
    wait(store.correct(id, 0, "hallo")).unwrap();
    changed("a correction");
    wait(store.record(&[outcome(id, 1, FACE_MODEL, Finding::Faces(vec![face(0.1, &[1.0])]))])).unwrap();
    changed("a face");
    let person = wait(store.assign(id, 0, None)).unwrap().unwrap();
    changed("a person");
    wait(store.name_people(&[person], "Anna")).unwrap();
    changed("a name");
    wait(store.reject(id, 0, person)).unwrap();
    changed("a face taken away");
    wait(store.merge_people(person, &[])).unwrap();
    changed("people who are one");
    wait(store.move_file(id, &file("/2.jpg", 1))).unwrap();
    changed("a path");
    wait(store.remove(&[id])).unwrap();
    changed("a removal");
    wait(store.find_text(&word("hello"), &Filter::default(), 1)).unwrap();
    assert_eq!(wait(store.revision()).unwrap(), last, "asking changes nothing");
}

fn any_tokens_make_a_valid_query(place: &dyn Place) {
    let store = place.open();
    add_text(&*store, "/1.jpg", 1, &["hello world 发票 2024-01-05"]);
    let token = prop_oneof![
        any::<String>(),
        "[a-z0-9\u{4e00}-\u{9fff}]{1,4}",
        "[\"'\\\\:*&|!()<> \0-]{0,6}",
        Just("NEAR".to_owned()),
        "a{2040,2060}",
    ];
    let leaf = (any::<bool>(), token)
        .prop_map(|(is_word, token)| if is_word { TextExpr::Word(token) } else { TextExpr::Letters(token) });
    let expr = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(TextExpr::All),
            prop::collection::vec(inner, 0..4).prop_map(TextExpr::Any),
        ]
    });
    let path = prop::collection::vec(any::<String>(), 0..2);
    let strategy = (expr.clone(), prop::option::of(expr), path);
    let config = Config { failure_persistence: None, ..Config::with_cases(300) };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    runner
        .run(&strategy, |(expr, without, path)| {
            let filter = Filter { without, path, ..Filter::default() };
            wait(store.find_text(&expr, &filter, 10)).unwrap();
            Ok(())
        })
        .unwrap();
}

fn ten_thousand_arbitrary_files_are_kept(place: &dyn Place) {
    let store = place.open();
    let mut runner = TestRunner::deterministic();
    let size = 0..i64::MAX as u64;
    let unsized_file = (
        "[^\0]{1,30}",
        size,
        any::<i64>(),
        any::<[u8; 32]>(),
        any::<[Option<u32>; 2]>(),
        any::<Option<i64>>(),
    );
    let mut expected = std::collections::BTreeMap::new();
    for _ in 0..100 {
        let batch: Vec<_> = (0..100)
            .map(|_| {
                let (path, size, modified_ns, hash, [width, height], taken_ms) =
                    unsized_file.new_tree(&mut runner).unwrap().current();
                let (width, height) = (width.map(|w| w >> 1), height.map(|h| h >> 1));
                let record = viewfinder_catalog::FileRecord { path, size, modified_ns, hash };
                (record, Properties { width, height, taken_ms })
            })
            .collect();
        for (id, (record, properties)) in wait(store.put_files(&batch)).unwrap().into_iter().zip(&batch) {
            expected.insert(record.path.clone(), (id, record.clone(), *properties));
        }
    }
    let mut found = Vec::new();
    let mut after: Option<String> = None;
    while let page = wait(store.list("", after.as_deref(), 777)).unwrap()
        && let Some(last) = page.last()
    {
        after = Some(last.file.path.clone());
        found.extend(page.into_iter().map(|asset| (asset.id, asset.file, asset.properties)));
    }
    assert!(expected.len() > 9000, "{}", expected.len());
    assert!(found == expected.into_values().collect::<Vec<_>>());
}
