//! Whole searches: what is found, in which order, and what is said about it.
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use viewfinder_catalog::{
    Store,
    search::{
        Cursor, EmbedError, Embedder, MatchQuality, Page, QueryVector, Reason, Results, SearchError,
        Searcher, Similarity,
    },
    view::MatchView,
};

use crate::{
    data::{CLIP_MODEL, OCR_MODEL, add, add_text, lines, outcome, unit},
    places::{Database, File, Place, segmenter, wait},
};

/// A searcher whose words all mean the vector (1, 0).
fn searcher(store: &Arc<dyn Store>, embedder: Option<Arc<dyn Embedder>>) -> Searcher {
    Searcher::new(store.clone(), segmenter(), embedder, Similarity::default())
}

fn first() -> Page {
    Page { cursor: None, limit: 10 }
}

fn search(searcher: &Searcher, query: &str) -> Results {
    wait(searcher.search(query, &first())).unwrap()
}

fn paths(results: &Results) -> Vec<&str> {
    results.hits.iter().map(|hit| hit.asset.file.path.as_str()).collect()
}

fn codes(results: &Results) -> Vec<&str> {
    results.notes.iter().map(|note| note.code).collect()
}

fn means(vector: &'static [f32]) -> Arc<dyn Embedder> {
    Arc::new(|_: &str| {
        Ok::<_, EmbedError>(QueryVector { model: CLIP_MODEL.to_owned(), vector: unit(vector) })
    })
}

fn closer_texts_come_first(place: &dyn Place) {
    let store = place.open();
    for (number, (path, text)) in [
        ("/mistake", &["增值锐发票"][..]),
        ("/scattered", &["发票在此", "增值税率"]),
        ("/long line", &["这是一张增值税发票请收好"]),
        ("/line", &["增值税发票"]),
        ("/other", &["小心地滑"]),
        ("/inside", &["scarfs"]),
        ("/car", &["my car"]),
        ("/two", &["red car", "blue bus"]),
        ("/together", &["a bus, a blue car"]),
        ("/code", &["京A·12345"]),
    ]
    .into_iter()
    .enumerate()
    {
        add_text(&*store, path, number as u64, text);
    }
    let searcher = searcher(&store, None);
    let found = |query: &str| {
        let results = search(&searcher, query);
        paths(&results).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(found("ocr:增值税发票"), ["/line", "/long line", "/scattered", "/mistake"]);
    assert_eq!(found("ocr：“增值税发票”"), ["/line", "/long line"]);
    assert_eq!(found("ocr:票").len(), 4);
    assert_eq!(found("ocr:car")[3], "/inside");
    assert_eq!(found("ocr:blue car"), ["/together", "/two"]);
    assert_eq!(found("ocr:2345"), ["/code"]);
    assert_eq!(found("ocr:ＢＵＳ -red"), ["/together"]);
    assert_eq!(found("ocr:car path:TOGETHER"), ["/together"]);
    assert!(found("ocr:钢琴").is_empty());
}

fn hits_explain_themselves(place: &dyn Place) {
    let store = place.open();
    let id = add_text(&*store, "/1", 1, &["Hello", "Vitamin Ｃ 60ct  $26.99", "60 tablets"]);
    let results = search(&searcher(&store, None), "ocr:vitamin 60");
    let [hit] = &results.hits[..] else { panic!("{results:?}") };
    assert_eq!((hit.asset.id, hit.reason, hit.similarity), (id, Reason::Text, None));
    let text = hit.text.as_ref().unwrap();
    assert_eq!(text.closeness, MatchQuality::Line);
    assert_eq!(text.words, ["Vitamin", "60"]);
    let marked: Vec<Vec<&str>> = text
        .lines
        .iter()
        .map(|line| line.spans.iter().map(|[from, to]| &line.text[*from..*to]).collect())
        .collect();
    assert_eq!(marked, [vec!["Vitamin", "60"], vec!["60"]]);
    assert_eq!(text.lines.iter().map(|line| line.line).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(text.lines[0].corners, wait(store.lines(&[id])).unwrap()[0][1].corners);
    let (_, shown) = MatchView::of(hit.clone());
    let json = serde_json::to_value(&shown).unwrap();
    assert_eq!(json["closeness"], "line");
    assert_eq!(json["lines"][0]["box"][0][0], 0.1_f32);
}

fn text_and_meaning_meet(place: &dyn Place) {
    let store = place.open();
    // Many pictures that show something else, so that there is a middle to compare with.
    for number in 0..60_u64 {
        let id = add(&*store, &format!("/other/{number}"), number);
        let vector = unit(&[0.02 * (number % 7) as f32, 1.0]);
        let finding = viewfinder_catalog::Finding::Embedding(vector);
        wait(store.record(&[outcome(id, number, CLIP_MODEL, finding)])).unwrap();
    }
    for (number, path, vector, text) in [
        (100, "/both", [1.0, 0.1], &["the beach"][..]),
        (101, "/shows", [1.0, 0.0], &[]),
        (102, "/says", [0.0, 1.0], &["beach"]),
    ] {
        let id = add(&*store, path, number);
        wait(store.record(&[
            outcome(id, number, CLIP_MODEL, viewfinder_catalog::Finding::Embedding(unit(&vector))),
            outcome(id, number, OCR_MODEL, viewfinder_catalog::Finding::Text(lines(text))),
        ]))
        .unwrap();
    }
    let with = searcher(&store, Some(means(&[1.0, 0.0])));
    let results = search(&with, "beach");
    assert_eq!(paths(&results), ["/both", "/says", "/shows"]);
    let reasons: Vec<_> = results.hits.iter().map(|hit| hit.reason).collect();
    assert_eq!(reasons, [Reason::TextAndMeaning, Reason::Text, Reason::Meaning]);
    assert!(results.notes.is_empty() && results.next.is_none() && results.found == 3);
    // Words that only join others need not stand in a text; where nothing else is asked for, they must.
    assert_eq!(paths(&search(&with, "where is that beach")), ["/both", "/says", "/shows"]);
    assert_eq!(search(&with, "ocr:where ocr:beach").notes[0].code, "some_words");
    assert_eq!(paths(&search(&with, "the"))[0], "/both");
    assert_eq!(paths(&search(&with, "clip:beach")), ["/shows", "/both"]);
    assert_eq!(paths(&search(&with, "sand ocr:beach")), ["/both", "/says"]);
    assert_eq!(paths(&search(&with, "clip:sand -the")), ["/shows"]);
    assert!(search(&with, "clip:sand ocr:mountain").hits.is_empty());

    let similar = wait(with.similar(results.hits[0].asset.id, &Page { cursor: None, limit: 1 })).unwrap();
    assert_eq!(paths(&similar), ["/shows"]);
    let unknown = add(&*store, "/new", 1000);
    assert!(matches!(wait(with.similar(unknown, &first())), Err(SearchError::NoVector)));

    let calls = Arc::new(AtomicUsize::new(0));
    let counter = calls.clone();
    let down: Arc<dyn Embedder> = Arc::new(move |_: &str| {
        counter.fetch_add(1, Ordering::Relaxed);
        Err(EmbedError("the engine is away".to_owned()))
    });
    let without = searcher(&store, Some(down));
    let results = search(&without, "beach");
    assert_eq!((paths(&results), codes(&results)), (vec!["/says", "/both"], vec!["text_only"]));
    assert!(results.notes[0].message.ends_with("the engine is away"), "{results:?}");
    assert_eq!(calls.load(Ordering::Relaxed), 1);
    assert_eq!(codes(&search(&without, "ocr:beach")), [""; 0]);
    assert_eq!(calls.load(Ordering::Relaxed), 1, "a search of text asks for no vector");
}

fn pages_show_everything_once(place: &dyn Place) {
    let store = place.open();
    for number in 0..25 {
        add_text(&*store, &format!("/{number:02}"), number, &["menu", "of the day"]);
    }
    let searcher = searcher(&store, None);
    for query in ["ocr:menu", "path:/"] {
        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let results = wait(searcher.search(query, &Page { cursor, limit: 7 })).unwrap();
            assert!(results.hits.len() <= 7 && results.notes.is_empty());
            seen.extend(results.hits.iter().map(|hit| hit.asset.file.path.clone()));
            cursor = results.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 25, "{query}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 25, "{query}");
    }
    let next = wait(searcher.search("ocr:menu", &Page { cursor: None, limit: 7 })).unwrap().next;
    add_text(&*store, "/new", 100, &["menu"]);
    let page = Page { cursor: next, limit: 7 };
    let results = wait(searcher.search("ocr:menu", &page)).unwrap();
    assert_eq!((results.hits.len(), codes(&results)), (7, vec!["changed"]));
    assert!(matches!(wait(searcher.search("ocr:day", &page)), Err(SearchError::BadCursor)));
    let page = Page { cursor: Some(Cursor("x".to_owned())), limit: 7 };
    assert!(matches!(wait(searcher.search("ocr:menu", &page)), Err(SearchError::BadCursor)));
}

fn notes_say_what_is_missing(place: &dyn Place) {
    let store = place.open();
    add_text(&*store, "/1", 1, &["red car"]);
    let searcher = searcher(&store, None);
    assert_eq!(codes(&search(&searcher, "person:Ana")), ["nobody"]);
    assert_eq!(codes(&search(&searcher, "ocr:★")), ["no_letters"]);
    let results = search(&searcher, "ocr:red car boat");
    assert_eq!((paths(&results), codes(&results)), (vec!["/1"], vec!["some_words"]));
    assert!(search(&searcher, "ocr:red \"boat\"").hits.is_empty());
    let results = search(&searcher, "red car boat");
    assert_eq!((paths(&results), codes(&results)), (vec!["/1"], vec!["text_only", "some_words"]));
    assert!(matches!(wait(searcher.search("\"red", &first())), Err(SearchError::Query(_))));
}

macro_rules! on_both {
    ($($name:ident),*) => {
        mod in_sqlite { $( #[test] fn $name() { super::$name(&super::File::new()); } )* }
        mod in_postgresql { $( #[test] fn $name() { super::$name(&super::Database::new()); } )* }
    };
}

on_both!(
    closer_texts_come_first,
    hits_explain_themselves,
    text_and_meaning_meet,
    pages_show_everything_once,
    notes_say_what_is_missing
);
