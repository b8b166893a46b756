//! What MT Photos asks for in words: the text as it stands in the JSON.
use serde_json::Value;
use viewfinder_server::fuzzing::sentence;

pub(super) fn run(input: &[u8]) {
    let Some(text) = sentence(input) else { return };
    let body: Value = serde_json::from_slice(input).expect("what was understood is JSON");
    assert_eq!(body.get("text").and_then(Value::as_str), Some(&*text));
}
