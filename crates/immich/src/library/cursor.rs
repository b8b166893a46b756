//! Where a page of the second shape begins: in Immich's own form, so that either may go on where the other ended.
use serde_json::Value;

use crate::library::base64;

/// So many hits were on the pages before; none for what is no cursor, or one that says more than that.
pub(crate) fn read(text: &str) -> Option<usize> {
    let cursor: Value = serde_json::from_slice(&base64::decode(text)?).ok()?;
    let cursor = cursor.as_object().filter(|cursor| cursor.len() == 1)?;
    let hits = cursor.get("offset")?.as_u64()?;
    u32::try_from(hits).ok().map(|hits| hits as usize)
}

/// The cursor of the page after so many hits.
pub(crate) fn write(hits: usize) -> String {
    base64::encode_for_address(format!("{{\"offset\":{hits}}}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_those_of_a_real_server() {
        for (hits, cursor) in [(1, "eyJvZmZzZXQiOjF9"), (2, "eyJvZmZzZXQiOjJ9"), (4, "eyJvZmZzZXQiOjR9")] {
            assert_eq!((read(cursor), write(hits).as_str()), (Some(hits), cursor));
        }
        assert_eq!(read(&write(1000)), Some(1000));
    }

    #[test]
    fn anything_else_is_none() {
        let encoded = |text: &str| base64::encode_for_address(text.as_bytes());
        for text in [
            "{\"offset\":-1}",
            "{\"offset\":1.5}",
            "{\"offset\":\"1\"}",
            "{}",
            "[1]",
            "{\"offset\":1,\"more\":2}",
        ] {
            assert_eq!(read(&encoded(text)), None, "{text}");
        }
        assert_eq!((read(""), read("!!")), (None, None));
    }
}
