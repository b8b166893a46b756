//! The catalogue with the text that our engine read in the fixtures.
use std::{collections::BTreeMap, sync::Arc};

use tokio::runtime::Handle;
use viewfinder_catalog::{
    FileRecord, Finding, Outcome, Properties, Store, TextLine,
    search::{Page, Searcher, Similarity},
    text::Segmenter,
};

/// Lines that were read, by the picture's path.
pub(crate) type Readings = BTreeMap<String, Vec<String>>;

/// Puts pictures and their text into a store.
pub(crate) async fn fill(store: &dyn Store, readings: &Readings) {
    for (number, (path, lines)) in readings.iter().enumerate() {
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&(number as u64).to_le_bytes());
        let file = FileRecord { path: path.clone(), size: 1, modified_ns: 0, hash };
        let asset = store.put_files(&[(file, Properties::default())]).await.unwrap()[0];
        let line = |text: &String| TextLine {
            text: text.clone(),
            score: 1.0,
            corners: [[0.0; 2]; 4],
            corrected: false,
        };
        let finding = Finding::Text(lines.iter().map(line).collect());
        store.record(&[Outcome { asset, hash, model: "ocr".into(), at_ms: 0, finding }]).await.unwrap();
    }
}

/// Searches text, and waits for what is found.
pub(crate) fn searcher(
    store: Arc<dyn Store>,
    segmenter: Arc<Segmenter>,
    runtime: Handle,
) -> impl Fn(&str) -> Vec<String> {
    let searcher = Searcher::new(store, segmenter, None, Similarity::default());
    move |query| {
        let page = Page { cursor: None, limit: 10 };
        let results = runtime.block_on(searcher.search(&format!("ocr:{query}"), &page)).unwrap();
        results.hits.into_iter().map(|hit| hit.asset.file.path).collect()
    }
}
