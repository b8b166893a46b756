//! The program's own OCR profile, against the true text of drawn pictures and `RapidOCR`'s reading of real ones.

use serde_json::Value;
use viewfinder_core::{Alpha, ocr::Options};
use viewfinder_image::rotate;

use crate::{
    ocr_golden::{Models, picture},
    quality::Quality,
    support,
};

/// Reads the pictures of `folder`, each listed with its true lines.
fn measure(models: &Models, folder: &str, truth: &[(String, Vec<String>)], options: &Options) -> Quality {
    let files: Vec<String> = truth.iter().map(|(name, _)| format!("{folder}/{name}")).collect();
    let mut quality = Quality::default();
    let read = models.read_all(&files, Alpha::Contrast, options);
    for ((file, (_, truth)), lines) in files.iter().zip(truth).zip(read) {
        let truth: Vec<&str> = truth.iter().map(String::as_str).collect();
        let read: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        quality.add(file, &truth, &read);
    }
    quality
}

fn strings(lines: &Value, text: impl Fn(&Value) -> &Value) -> Vec<String> {
    lines.as_array().unwrap().iter().map(|line| text(line).as_str().unwrap().to_owned()).collect()
}

fn labels(folder: &str) -> Vec<(String, Vec<String>)> {
    let labels = support::json(&format!("{folder}/labels.json"));
    let name = |picture: &Value| picture["file"].as_str().unwrap().to_owned();
    labels
        .as_array()
        .unwrap()
        .iter()
        .map(|picture| (name(picture), strings(&picture["lines"], |line| line)))
        .collect()
}

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[test]
fn photos_are_read_better_than_by_the_references() {
    let quality = measure(&Models::open(), "library", &labels("library"), &Options::viewfinder());
    assert_eq!(quality.lines, 319);
    // RapidOCR: 0.0197, 0.969 and 4. Of faster-paddle: 0.0291, 0.975 and 19.
    assert!(share(quality.page_edits, quality.characters) <= 0.005, "{quality:#?}");
    assert!(share(quality.found, quality.lines) >= 0.978, "{quality:#?}");
    assert!(quality.invented <= 2, "{quality:#?}");
}

#[test]
fn small_print_in_large_pictures_is_read() {
    let quality = measure(&Models::open(), "library_hard", &labels("library_hard"), &Options::viewfinder());
    assert_eq!(quality.lines, 641);
    // RapidOCR: 0.959 and 0.027. Of faster-paddle: 0.998 and 0.0001.
    assert!(share(quality.found, quality.lines) >= 0.995, "{quality:#?}");
    assert!(share(quality.line_edits, quality.characters) <= 0.001, "{quality:#?}");
}

#[test]
fn real_pictures_are_read_like_the_reference() {
    let golden = support::json("ocr/golden.json");
    let truth: Vec<(String, Vec<String>)> = golden
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, picture)| (name.clone(), strings(&picture["lines"], |line| &line["text"])))
        .collect();
    let quality = measure(&Models::open(), "ocr", &truth, &Options::viewfinder());
    assert_eq!(quality.lines, 140);
    assert!(share(quality.identical, quality.lines) >= 0.97, "{quality:#?}");
}

#[test]
fn upside_down_pictures_are_read_without_a_classifier() {
    let models = Models::open();
    for file in ["library/0002.jpg", "library/0008.jpg"] {
        let upright = picture(file, Alpha::Drop);
        let texts = |lines: Vec<viewfinder_core::ocr::Line>| {
            let mut texts: Vec<String> = lines.into_iter().map(|line| line.text.replace(' ', "")).collect();
            texts.sort();
            texts
        };
        let expected = texts(models.read(&upright, &Options::viewfinder()));
        assert_eq!(expected.len(), 7);
        let turned = texts(models.read(&rotate::half(&upright), &Options::viewfinder()));
        assert_eq!(turned, expected, "{file}");
    }
}
