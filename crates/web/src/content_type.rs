//! What a file is, said as browsers understand it.
use std::path::Path;

/// By the name, for what browsers may show or play; anything else is only saved.
pub(crate) fn content_type(path: &str) -> &'static str {
    let extension = Path::new(path).extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    match extension.to_ascii_lowercase().as_str() {
        "jpg" | "jpeg" | "jpe" | "jfif" => "image/jpeg",
        "png" => "image/png",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "avif" => "image/avif",
        "bmp" | "dib" => "image/bmp",
        "tif" | "tiff" => "image/tiff",
        "heic" | "heif" | "hif" => "image/heic",
        "mp4" | "m4v" => "video/mp4",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "mkv" => "video/x-matroska",
        "3gp" => "video/3gpp",
        "avi" => "video/x-msvideo",
        "wmv" => "video/x-ms-wmv",
        "flv" => "video/x-flv",
        "mpg" | "mpeg" => "video/mpeg",
        "mts" | "m2ts" => "video/mp2t",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use viewfinder_index::FileKind;

    use super::*;

    #[test]
    fn every_kind_of_file_that_is_indexed_has_a_type_but_for_raw() {
        for (name, begins) in [
            ("a.JPG", "image/jpeg"),
            ("a.b.heic", "image/heic"),
            ("a.avif", "image/avif"),
            ("a.mov", "video/quicktime"),
            ("a.nef", "application/octet-stream"),
            ("a.svg", "application/octet-stream"),
            ("none", "application/octet-stream"),
        ] {
            assert_eq!(content_type(name), begins, "{name}");
        }
        for name in ["a.jfif", "a.dib", "a.hif", "a.3gp", "a.flv", "a.m2ts", "a.mpeg", "a.wmv"] {
            let video = FileKind::of_name(Path::new(name)) == Some(FileKind::Video);
            assert!(content_type(name).starts_with(if video { "video/" } else { "image/" }), "{name}");
        }
    }
}
