//! Searches find what they should. Texts are what our engine read in the pictures; what must be found comes from their labels.
#[path = "../../examples/quality/measure.rs"]
mod measure;
#[path = "../../examples/quality/ours.rs"]
mod ours;
#[path = "../../examples/quality/queries.rs"]
mod queries;

use std::{fs, path::Path};

use measure::{measure, total};
use queries::Kind;

use crate::places::{Database, File, Place, runtime, segmenter, wait};

fn searches_find_what_they_should(place: &dyn Place) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let readings = serde_json::from_slice(&fs::read(fixtures.join("readings.json")).unwrap()).unwrap();
    let store = place.open();
    wait(ours::fill(&*store, &readings));
    let cases = queries::cases(&queries::truth(&fixtures), &segmenter());
    let scores = measure(&cases, ours::searcher(store, segmenter(), runtime().handle().clone()));
    for kind in Kind::ALL {
        assert!(scores[&kind].queries >= 20, "{}: {}", kind.name(), scores[&kind].queries);
    }
    let present = total(&scores, |kind| kind != Kind::Absent);
    assert!(present.recall() >= 0.97, "{}", present.recall());
    let exact = total(&scores, Kind::is_exact);
    assert!(exact.precision() >= 0.95, "{}", exact.precision());
    let absent = scores[&Kind::Absent].unanswered();
    assert!(absent >= 0.9, "{absent}");
}

#[test]
fn in_sqlite() {
    searches_find_what_they_should(&File::new());
}

#[test]
fn in_postgresql() {
    searches_find_what_they_should(&Database::new());
}
