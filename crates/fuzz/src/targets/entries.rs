//! What Immich asks for: written again, it asks for the same.
use viewfinder_wire::immich::Entries;

pub(super) fn run(input: &[u8]) {
    let Ok(json) = std::str::from_utf8(input) else { return };
    match Entries::parse(json) {
        Ok(entries) => {
            let again = Entries::parse(&entries.to_json()).expect("what was understood can be said");
            assert_eq!(sorted(&again), sorted(&entries));
        }
        // Messages go to logs and to the caller.
        Err(error) => assert!(error.to_string().len() < 1000 && matches!(error.http_status(), 400 | 422)),
    }
}

/// The order is that of the text, and is not kept.
fn sorted(entries: &Entries) -> Vec<String> {
    let mut tasks: Vec<String> = entries.tasks.iter().map(|task| format!("{task:?}")).collect();
    tasks.sort();
    tasks
}
