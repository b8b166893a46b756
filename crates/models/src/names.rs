//! Immich's rule for turning a model name into a folder name.

/// The folder name Immich gives a model: what follows the last `/`, with `:` and `\` as `_`, and dots left out.
///
/// `immich-app/ViT-B-32::openai` becomes `ViT-B-32__openai`. The result never leaves its parent folder.
pub fn clean_name(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.chars().filter(|c| *c != '.').map(|c| if c == ':' || c == '\\' { '_' } else { c }).collect()
}

/// Can this be a folder below the store? Names in the configuration become paths, so nothing may climb out of it.
pub(crate) fn is_safe(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(['\\', ':', '\0'])
        && !name.chars().any(char::is_control)
        && name.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cleans_as_immich_does() {
        assert_eq!(clean_name("immich-app/ViT-B-32::openai"), "ViT-B-32__openai");
        assert_eq!(clean_name(r"a\b"), "a_b");
        assert_eq!(clean_name("nllb.clip"), "nllbclip");
        assert_eq!(clean_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_name(".."), "");
    }

    #[test]
    fn unsafe_names_are_told_apart() {
        for bad in ["", "/etc", "../x", "a/../b", "a//b", r"a\b", "c:x", ".locks", "a/.b", "a\nb"] {
            assert!(!is_safe(bad), "{bad:?}");
        }
        for good in ["PP-OCRv6_small", "cn-clip/ViT-B-16", "ppocr_mobile_v2.0_cls"] {
            assert!(is_safe(good), "{good:?}");
        }
    }
}
