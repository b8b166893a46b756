//! The protocol between Immich's server and its machine-learning service (`POST /predict`).

mod answer;
mod entries;

pub use answer::{Answer, FaceList, TextList};
pub use entries::{Entries, EntriesError, Task, TextDetection, TextRecognition};

/// The name a model goes by, whatever decoration a client puts around it.
///
/// Keeps what follows the last `/`, turns `:` and `\` into `_` and drops dots, so that `ViT-B-32::openai` and
/// `ViT-B-32__openai` are the same model, and no name can walk out of a folder.
pub fn clean_model_name(name: &str) -> String {
    let last = name.rsplit('/').next().unwrap_or_default();
    last.chars().filter(|c| *c != '.').map(|c| if matches!(c, ':' | '\\') { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::clean_model_name;

    #[test]
    fn names_are_cleaned() {
        assert_eq!(clean_model_name("ViT-B-32::openai"), "ViT-B-32__openai");
        assert_eq!(clean_model_name("immich-app/ViT-B-32__openai"), "ViT-B-32__openai");
        assert_eq!(clean_model_name("../../etc/passwd"), "passwd");
        assert_eq!(clean_model_name("..\\.."), "_");
        assert_eq!(clean_model_name(""), "");
    }
}
