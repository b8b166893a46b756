//! Forms: a line with the content type, then the body. Parts are slices of the body, and their names come from it.
use bytes::Bytes;
use http::HeaderValue;
use viewfinder_server::fuzzing::form;

/// Most parts in a form.
const PARTS: usize = 100;

pub(super) fn run(input: &[u8]) {
    let end = input.iter().position(|&byte| byte == b'\n').unwrap_or(input.len());
    let Ok(content_type) = HeaderValue::from_bytes(&input[..end]) else { return };
    let body = Bytes::copy_from_slice(input.get(end + 1..).unwrap_or_default());
    let within = body.as_ptr_range();
    form(content_type, &body, |parts| {
        assert!(parts.len() <= PARTS);
        for (name, file_name, bytes) in parts {
            let part = bytes.as_ptr_range();
            assert!(bytes.is_empty() || within.start <= part.start && part.end <= within.end, "a copy");
            assert!(name.len() + file_name.map_or(0, str::len) <= body.len());
        }
    });
}
