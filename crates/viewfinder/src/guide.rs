//! What a person wants to know of a model before taking it: what it is for, which languages it knows, how fast it is.
//!
//! Languages are those that the models' makers state; of PP-OCRv6 small, its dictionary was looked at too. Speed is a class among models
//! of the same use, by the depth and the input of their networks; `models advise` measures.
use serde::Serialize;
use viewfinder_models::Family;

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Use {
    Text,
    Meaning,
    Faces,
    Runtime,
}

impl Use {
    pub(crate) const ALL: [Self; 4] = [Self::Text, Self::Meaning, Self::Faces, Self::Runtime];

    pub(crate) fn of(family: Family) -> Self {
        match family.immich_task() {
            Some("ocr") => Self::Text,
            Some("facial-recognition") => Self::Faces,
            Some(_) => Self::Meaning,
            None => Self::Runtime,
        }
    }

    /// As a heading.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Text => "Text in pictures (ocr.model)",
            Self::Meaning => "Pictures and sentences (clip.model)",
            Self::Faces => "Faces (faces.model)",
            Self::Runtime => "What runs them (engine.device)",
        }
    }
}

/// How fast a model is beside others of the same use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Speed {
    Fast,
    Medium,
    Slow,
}

impl Speed {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Medium => "medium",
            Self::Slow => "slow",
        }
    }
}

/// Languages of recognisers, by what stands before `__` in their names.
const OF_RECOGNISERS: [(&str, &str); 15] = [
    ("KOREAN", "Korean, English"),
    ("LATIN", "languages in Latin letters"),
    ("ESLAV", "Russian, Ukrainian, Belarusian, English"),
    ("EN", "English"),
    ("TH", "Thai, English"),
    ("EL", "Greek, English"),
    ("ARABIC", "Arabic, Persian, Urdu, Uyghur"),
    ("CYRILLIC", "languages in Cyrillic letters"),
    ("DEVANAGARI", "Hindi, Marathi, Nepali"),
    ("TA", "Tamil"),
    ("TE", "Telugu"),
    ("KA", "Kannada"),
    ("JAPAN", "Japanese"),
    ("CHINESE_CHT", "traditional Chinese"),
    ("CH_DOC", "Chinese, English"),
];

/// Which languages a model knows; none where that does not matter, or nobody has said.
pub(crate) fn languages(name: &str, family: Family) -> Option<&'static str> {
    match family {
        Family::PaddleOcr => of_text(name),
        Family::ChineseClip => Some("Chinese"),
        Family::MClip | Family::Nllb => Some("many"),
        Family::OpenClip => {
            let many = ["XLM-Roberta", "SigLIP2", "i18n"].iter().any(|part| name.contains(part));
            Some(if many { "many" } else { "English" })
        }
        Family::InsightFace | Family::Runtime => None,
    }
}

fn of_text(name: &str) -> Option<&'static str> {
    if let Some((prefix, _)) = name.split_once("__") {
        return OF_RECOGNISERS.iter().find(|(known, _)| *known == prefix).map(|(_, languages)| *languages);
    }
    match name {
        "PP-OCRv6_small" | "PP-OCRv6_medium" => Some("Chinese, Japanese, languages in Latin letters"),
        "PP-OCRv6_tiny" => Some("Chinese, languages in Latin letters"),
        _ if name.starts_with("PP-OCRv5") => Some("Chinese, Japanese, English"),
        _ if name.starts_with("PP-OCRv4") => Some("Chinese, English"),
        // Parts of others, such as the one that tells which way a line is up.
        _ => None,
    }
}

/// How fast it is, where that can be told by its name.
pub(crate) fn speed(name: &str, family: Family) -> Option<Speed> {
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let class = |slow: &[&str], fast: &[&str]| {
        if has(slow) {
            Speed::Slow
        } else if has(fast) {
            Speed::Fast
        } else {
            Speed::Medium
        }
    };
    match Use::of(family) {
        Use::Text => of_text(name).map(|_| class(&["server", "medium"], &["mobile", "tiny"])),
        Use::Faces => Some(class(&["antelope"], &["buffalo_s", "scrfd"])),
        Use::Runtime => None,
        Use::Meaning => {
            let large =
                ["-L-", "-H-", "-g-", "SO400M", "RN50x16", "RN50x64", "384", "512", "nllb-clip-large"];
            let published = class(&large, &["B-32", "RN50__", "cn-clip/RN50"]);
            Some(match published {
                Speed::Slow if name.ends_with("@int8") => Speed::Medium,
                Speed::Medium if name.ends_with("@int8") => Speed::Fast,
                same => same,
            })
        }
    }
}

/// The model that reads a language's text, by the language's code (ISO 639-1).
pub(crate) fn text_model(language: &str) -> &'static str {
    match language {
        "ko" => "KOREAN__PP-OCRv5_mobile",
        "ru" | "uk" | "be" => "ESLAV__PP-OCRv5_mobile",
        "bg" | "sr" | "mk" | "mn" | "kk" | "ky" | "tg" => "CYRILLIC__PP-OCRv5_mobile",
        "th" => "TH__PP-OCRv5_mobile",
        "el" => "EL__PP-OCRv5_mobile",
        "ar" | "fa" | "ur" | "ug" => "ARABIC__PP-OCRv5_mobile",
        "hi" | "mr" | "ne" => "DEVANAGARI__PP-OCRv5_mobile",
        "ta" => "TA__PP-OCRv5_mobile",
        "te" => "TE__PP-OCRv5_mobile",
        "kn" => "KA__PP-OCRv4_mobile",
        _ => "PP-OCRv6_small",
    }
}

/// Below it, a model in a quarter of the size is the better choice: the published one alone takes most of a gigabyte.
const SMALL_MACHINE: u64 = 3 << 30;

/// The model that knows what pictures show, in words of a language, for a machine with so much memory.
pub(crate) fn meaning_model(language: &str, memory: Option<u64>) -> &'static str {
    let small = memory.is_some_and(|memory| memory < SMALL_MACHINE);
    match (language, small) {
        ("zh", false) => "cn-clip/ViT-B-16",
        ("zh", true) => "cn-clip/ViT-B-16@int8",
        (_, false) => "ViT-B-16-SigLIP2__webli",
        (_, true) => "ViT-B-16-SigLIP2__webli@int8",
    }
}

/// The pack that finds faces, for a machine with so much memory.
pub(crate) fn face_model(memory: Option<u64>) -> &'static str {
    if memory.is_some_and(|memory| memory < SMALL_MACHINE) { "buffalo_s" } else { "buffalo_l" }
}

#[cfg(test)]
mod tests {
    use viewfinder_models::Catalogue;

    use super::*;

    #[test]
    fn whatever_is_advised_is_known_and_has_a_speed_and_a_language() {
        let catalogue = Catalogue::new(Vec::new()).unwrap();
        for language in ["zh", "en", "es", "ja", "ko", "ru", "bg", "th", "el", "ar", "hi", "ta", "te", "kn"] {
            for memory in [None, Some(1 << 30), Some(16 << 30)] {
                for name in [text_model(language), meaning_model(language, memory), face_model(memory)] {
                    let entry = catalogue.find(name).unwrap_or_else(|| panic!("{name} is not known"));
                    assert!(speed(name, entry.family).is_some(), "{name}");
                    let wants_language = entry.family != Family::InsightFace;
                    assert_eq!(languages(name, entry.family).is_some(), wants_language, "{name}");
                }
            }
        }
    }

    #[test]
    fn every_recogniser_of_the_catalogue_says_its_languages() {
        let catalogue = Catalogue::new(Vec::new()).unwrap();
        let recognisers = catalogue
            .entries()
            .iter()
            .filter(|entry| entry.family == Family::PaddleOcr && entry.recognition.is_some());
        for entry in recognisers {
            assert!(languages(&entry.name, entry.family).is_some(), "{}", entry.name);
        }
    }

    #[test]
    fn speed_is_a_class_among_models_of_one_use() {
        for (name, family, class) in [
            ("PP-OCRv5_mobile", Family::PaddleOcr, Speed::Fast),
            ("PP-OCRv6_small", Family::PaddleOcr, Speed::Medium),
            ("PP-OCRv6_medium", Family::PaddleOcr, Speed::Slow),
            ("ViT-B-32__openai", Family::OpenClip, Speed::Fast),
            ("cn-clip/ViT-B-16", Family::ChineseClip, Speed::Medium),
            ("cn-clip/ViT-B-16@int8", Family::ChineseClip, Speed::Fast),
            ("ViT-H-14__laion2b-s32b-b79k", Family::OpenClip, Speed::Slow),
            ("buffalo_sc", Family::InsightFace, Speed::Fast),
            ("buffalo_l", Family::InsightFace, Speed::Medium),
        ] {
            assert_eq!(speed(name, family), Some(class), "{name}");
        }
    }
}
