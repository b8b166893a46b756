//! The built-in list against what other programs know.
use std::collections::BTreeSet;
use viewfinder_models::{Catalogue, Family, Role, Source};

fn built_in() -> Catalogue {
    Catalogue::new(Vec::new()).unwrap()
}

#[test]
fn every_ocr_network_has_a_sum_and_a_source() {
    let catalogue = built_in();
    let mut sums = BTreeSet::new();
    for entry in catalogue.entries().iter().filter(|entry| entry.family == Family::PaddleOcr) {
        assert!(!entry.roles().is_empty(), "{}", entry.name);
        for role in entry.roles() {
            let part = entry.part(role).unwrap();
            if part.same_as.is_none() {
                let sum = part.sha256.as_ref().unwrap_or_else(|| panic!("{} {role} has no sum", entry.name));
                assert!(sums.insert(sum.clone()), "{} {role} repeats a sum", entry.name);
                assert!(
                    part.sources.iter().any(|source| matches!(source, Source::ModelScope { .. })),
                    "{}",
                    entry.name
                );
            }
        }
    }
    // The model table of RapidOCR 3.10.0 has 42 ONNX files for ONNX Runtime.
    assert_eq!(sums.len(), 42);
}

#[test]
fn what_is_used_by_default_needs_no_python() {
    let catalogue = built_in();
    let needs_none = |source: &Source| !matches!(source, Source::Pip { .. } | Source::File { .. });
    for (name, role) in [
        ("PP-OCRv6_small", Role::Detection),
        ("ppocr_mobile_v2.0_cls", Role::Classification),
        ("PP-OCRv6_small", Role::Recognition),
    ] {
        let part = catalogue.find(name).unwrap().part(role).unwrap();
        assert_eq!(part.sources.iter().filter(|source| needs_none(source)).count(), 2, "{name} {role}");
    }
    for (name, platforms) in [
        (
            "runtime",
            &[
                "linux-x86_64",
                "linux-aarch64",
                "macos-aarch64",
                "macos-x86_64",
                "windows-x86_64",
                "windows-aarch64",
            ][..],
        ),
        ("runtime-cuda", &["linux-x86_64", "windows-x86_64"]),
    ] {
        let released = catalogue.find(name).unwrap().sources.iter().filter_map(|source| match source {
            Source::GitHub { asset, platform: Some(platform), .. } => Some((asset.clone(), platform.clone())),
            _ => None,
        });
        let (assets, found): (BTreeSet<String>, Vec<String>) = released.unzip();
        assert_eq!(found, platforms, "{name}");
        assert_eq!(assets.len(), platforms.len(), "{name}");
    }
}

#[test]
fn classifiers_know_their_input() {
    let catalogue = built_in();
    for (name, classifier, input) in [
        ("PP-OCRv6_small", "ppocr_mobile_v2.0_cls", (48, 192)),
        ("JAPAN__PP-OCRv4_mobile", "ppocr_mobile_v2.0_cls", (48, 192)),
        ("EN__PP-OCRv5_mobile", "PP-LCNet_x0_25_textline_ori", (80, 160)),
    ] {
        let mut entry = catalogue.find(name).unwrap();
        while let Some(next) = entry.part(Role::Classification).unwrap().same_as.as_deref() {
            entry = catalogue.find(next).unwrap();
        }
        assert_eq!(entry.name, classifier, "{name}");
        assert_eq!(entry.part(Role::Classification).unwrap().input, Some(input), "{name}");
    }
}

#[test]
fn immichs_names_are_all_known_with_their_widths() {
    let catalogue = built_in();
    let ocr = [
        "PP-OCRv5_server",
        "PP-OCRv5_mobile",
        "CH__PP-OCRv5_server",
        "CH__PP-OCRv5_mobile",
        "EL__PP-OCRv5_mobile",
        "EN__PP-OCRv5_mobile",
        "ESLAV__PP-OCRv5_mobile",
        "KOREAN__PP-OCRv5_mobile",
        "LATIN__PP-OCRv5_mobile",
        "TH__PP-OCRv5_mobile",
    ];
    for name in ocr {
        assert_eq!(catalogue.find(name).unwrap().family, Family::PaddleOcr, "{name}");
    }
    for name in ["buffalo_l", "buffalo_m", "buffalo_s", "buffalo_sc", "antelopev2"] {
        let pack = catalogue.find(name).unwrap();
        assert_eq!(pack.roles(), [Role::Detection, Role::Recognition]);
        assert!(pack.licence.as_ref().unwrap().contains("non-commercial") && pack.note.is_some(), "{name}");
    }
    let clip = |family| catalogue.entries().iter().filter(|entry| entry.family == family).count();
    assert_eq!((clip(Family::OpenClip), clip(Family::MClip), clip(Family::Nllb)), (50, 4, 4));
    for (name, width) in [
        ("ViT-B-32__openai", 512),
        ("RN50x4__openai", 640),
        ("ViT-L-14__openai", 768),
        ("nllb-clip-base-siglip__v1", 768),
        ("XLM-Roberta-Large-Vit-B-16Plus", 640),
        ("ViT-H-14__laion2b-s32b-b79k", 1024),
        ("ViT-SO400M-16-SigLIP2-384__webli", 1152),
        ("ViT-gopt-16-SigLIP2-384__webli", 1536),
        ("cn-clip/RN50", 1024),
        ("cn-clip/ViT-B-16", 512),
        ("cn-clip/ViT-L-14", 768),
        ("cn-clip/ViT-L-14-336", 768),
        ("cn-clip/ViT-H-14", 1024),
    ] {
        assert_eq!(catalogue.find(name).unwrap().width, Some(width), "{name}");
    }
}
