//! `ocr`, `faces` and `embed` on real pictures with real models, against the references' answers.
use std::io::Write as _;
use std::process::Output;

use serde_json::Value;

use crate::schema::assert_fits;
use crate::support::{Run, fixture, need_faces, need_ocr, stderr, stdout};

const PICTURE: &str = "ocr/ch_en_num.jpg";

fn golden(name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(fixture(name)).unwrap()).unwrap()
}

/// The objects printed, each as its schema says.
fn objects(output: &Output) -> Vec<Value> {
    let objects: Vec<Value> =
        stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for object in &objects {
        let found = ["lines", "faces"].into_iter().find(|key| object.get(key).is_some());
        let command = found.map_or("embed", |key| if key == "lines" { "ocr" } else { key });
        assert_fits(command, object);
    }
    objects
}

fn texts(lines: &Value) -> Vec<String> {
    lines.as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(numbers).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn farthest(a: &Value, b: &Value) -> f64 {
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!(a.len(), b.len());
    a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn cosine(a: &Value, b: &Value) -> f64 {
    let (a, b) = (numbers(a), numbers(b));
    assert_eq!(a.len(), b.len());
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    dot(&a, &b) / (dot(&a, &a) * dot(&b, &b)).sqrt()
}

/// Width and height that a PNG file states.
fn png_size(bytes: &[u8]) -> (u32, u32) {
    assert_eq!(&bytes[..8], b"\x89PNG\r\n\x1a\n");
    let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[test]
fn ocr_prints_the_text_line_by_line() {
    need_ocr();
    let picture = fixture(PICTURE);
    let output = Run::with_models().args(["ocr", "--profile", "rapidocr"]).args([&picture]).succeeds();
    let expected = texts(&golden("ocr/golden.json")["ch_en_num.jpg"]["lines"]);
    assert_eq!(stdout(&output).lines().collect::<Vec<_>>(), expected);
    assert_eq!(stderr(&output), "");
}

#[test]
fn ocr_json_is_one_object_a_line_with_the_references_boxes() {
    need_ocr();
    let names = ["ch_en_num.jpg", "en.jpg"];
    let pictures = names.map(|name| fixture(&format!("ocr/{name}")));
    let output =
        Run::with_models().args(["ocr", "--profile", "rapidocr", "--json"]).args(&pictures).succeeds();
    let golden = golden("ocr/golden.json");
    let objects = objects(&output);
    assert_eq!(objects.len(), names.len());
    for ((object, name), picture) in objects.iter().zip(names).zip(&pictures) {
        let keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["file", "height", "lines", "width"]);
        assert_eq!(object["file"], picture.to_str().unwrap());
        let (found, expected) = (&object["lines"], &golden[name]["lines"]);
        assert_eq!(texts(found), texts(expected), "{name}");
        for (line, expected) in found.as_array().unwrap().iter().zip(expected.as_array().unwrap()) {
            assert!(farthest(&line["box"], &expected["box"]) <= 2.0, "{line} {expected}");
            assert!(farthest(&line["score"], &expected["score"]) <= 0.01, "{line} {expected}");
        }
    }
    assert_eq!((&objects[0]["width"], &objects[0]["height"]), (&323.into(), &430.into()));
}

#[test]
fn ocr_reads_the_standard_input() {
    need_ocr();
    let mut child = Run::with_models().args(["ocr", "--json", "-"]).stdin().spawn();
    let mut input = child.process.stdin.take().unwrap();
    input.write_all(&std::fs::read(fixture(PICTURE)).unwrap()).unwrap();
    drop(input);
    let output = child.wait();
    assert!(output.status.success(), "{output:?}");
    let object = &objects(&output)[0];
    assert_eq!(object["file"], "-");
    assert!(texts(&object["lines"]).contains(&"正品促销".to_owned()), "{object}");
}

#[test]
fn every_profile_reads_and_they_are_not_the_same() {
    need_ocr();
    let read = |profile: &str| {
        let output =
            Run::with_models().args(["ocr", "--profile", profile]).args([fixture(PICTURE)]).succeeds();
        stdout(&output)
    };
    let (rapidocr, immich, viewfinder) = (read("rapidocr"), read("immich"), read("viewfinder"));
    for text in [&rapidocr, &immich, &viewfinder] {
        assert!(text.contains("强力去污符合国标"), "{text}");
    }
    assert_ne!(rapidocr, immich);
}

#[test]
fn ocr_profile_comes_from_the_configuration_too() {
    need_ocr();
    let by_flag = Run::with_models().args(["ocr", "--profile", "immich"]).args([fixture(PICTURE)]).succeeds();
    let by_setting = Run::with_models()
        .env("VIEWFINDER_OCR_PROFILE", "immich")
        .args(["ocr"])
        .args([fixture(PICTURE)])
        .succeeds();
    assert_eq!(stdout(&by_flag), stdout(&by_setting));
}

#[test]
fn draw_writes_the_picture_with_boxes() {
    need_ocr();
    let folder = tempfile::TempDir::new().unwrap();
    let drawn = folder.path().join("out.png");
    Run::with_models().args(["ocr", "--draw"]).args([&drawn, &fixture(PICTURE)]).succeeds();
    assert_eq!(png_size(&std::fs::read(&drawn).unwrap()), (323, 430));
    // The boxes' colour is in it, which the picture itself does not have in such amounts.
    let decoded =
        viewfinder_image::decode(&std::fs::read(&drawn).unwrap(), &viewfinder_image::Limits::default())
            .unwrap()
            .into_rgb(false, viewfinder_core::Alpha::Drop);
    let red = decoded.data().chunks_exact(3).filter(|pixel| *pixel == [230, 30, 30]).count();
    assert!(red > 500, "{red} red pixels");

    let output =
        Run::with_models().args(["ocr", "--draw", "/nowhere/out.png"]).args([fixture(PICTURE)]).exits(1);
    assert!(stderr(&output).contains("/nowhere/out.png"), "{}", stderr(&output));
}

#[test]
fn dump_writes_the_stages() {
    need_ocr();
    let folder = tempfile::TempDir::new().unwrap();
    let one = folder.path().join("one");
    Run::with_models().args(["ocr", "--dump"]).args([&one, &fixture(PICTURE)]).succeeds();
    for name in ["page.png", "detection-map.png", "crop-000.png"] {
        let (width, height) = png_size(&std::fs::read(one.join(name)).unwrap());
        assert!(width > 8 && height > 8, "{name}: {width}x{height}");
    }
    let regions: Value = serde_json::from_slice(&std::fs::read(one.join("regions.json")).unwrap()).unwrap();
    assert!(!regions.as_array().unwrap().is_empty());

    need_faces();
    let several = folder.path().join("several");
    Run::with_models()
        .args(["faces", "--model", "probe", "--dump"])
        .args([&several, &fixture("faces/t1.jpg"), &fixture("faces/portrait.jpg")])
        .succeeds();
    assert_eq!(png_size(&std::fs::read(several.join("0000-t1/face-00.png")).unwrap()), (112, 112));
    assert!(several.join("0001-portrait/faces.json").exists());
}

#[test]
fn a_bad_picture_does_not_stop_the_others() {
    need_ocr();
    let good = fixture(PICTURE);
    let whole = std::fs::read(&good).unwrap();
    let run = Run::with_models()
        .file("empty.jpg", "")
        .file("text.jpg", "this is no picture")
        .file("head.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
        .file("half.jpg", &whole[..whole.len() / 2]);
    let files = ["empty.jpg", "absent.jpg", "text.jpg", good.to_str().unwrap(), "head.png", "half.jpg"];
    let output = run.args(["ocr", "--json"]).args(files).exits(1);
    let told: Vec<String> =
        objects(&output).iter().map(|object| object["file"].as_str().unwrap().to_owned()).collect();
    // A JPEG that is cut short is read as far as it goes.
    assert_eq!(told, [good.to_str().unwrap(), "half.jpg"]);
    for name in ["empty.jpg", "absent.jpg", "text.jpg", "head.png"] {
        let line = format!("viewfinder: {name}: ");
        assert_eq!(stderr(&output).matches(&line).count(), 1, "{name}: {}", stderr(&output));
    }
}

#[test]
fn limits_are_kept() {
    need_ocr();
    for limit in ["limits.max_pixels=1000", "limits.max_side=100", "limits.max_bytes=1k"] {
        let output = Run::with_models().args(["ocr", "--set", limit]).args([fixture(PICTURE)]).exits(1);
        assert!(stderr(&output).contains("ch_en_num.jpg: "), "{limit}: {}", stderr(&output));
    }
}

#[test]
fn exit_codes_tell_wrong_use_from_a_lacking_machine() {
    need_ocr();
    let picture = fixture(PICTURE);
    let unknown = Run::with_models().args(["ocr", "--model", "nonsense"]).args([&picture]).exits(2);
    assert!(stderr(&unknown).contains("viewfinder models list"), "{}", stderr(&unknown));
    let unsuited = Run::with_models().args(["embed", "--model", "PP-OCRv6_small"]).args([&picture]).exits(2);
    assert!(stderr(&unsuited).contains("PP-OCRv6_small"), "{}", stderr(&unsuited));
    let absent = Run::with_models().args(["ocr", "--model", "PP-OCRv5_server"]).args([&picture]).exits(3);
    assert!(stderr(&absent).contains("offline"), "{}", stderr(&absent));
    let library = Run::with_models().args(["ocr", "--library", "/nowhere/lib.so"]).args([&picture]).exits(3);
    assert!(stderr(&library).contains("/nowhere/lib.so"), "{}", stderr(&library));
    let device = Run::with_models().args(["ocr", "--device", "coreml"]).args([&picture]).exits(3);
    assert!(stderr(&device).contains("coreml"), "{}", stderr(&device));
    let allowed =
        Run::with_models().args(["ocr", "--device", "coreml", "--cpu-fallback"]).args([&picture]).succeeds();
    assert!(stdout(&allowed).contains("正品促销"));
    assert!(stderr(&allowed).contains("CPU"), "{}", stderr(&allowed));
}

#[test]
fn faces_are_the_references() {
    need_faces();
    let names = ["t1.jpg", "portrait.jpg", "prairie_falcon.jpg"];
    let output = Run::with_models()
        .args(["faces", "--model", "probe", "--min-score", "0.5", "--json"])
        .args(names.map(|name| fixture(&format!("faces/{name}"))))
        .succeeds();
    let golden = golden("faces/golden.json");
    for (object, name) in objects(&output).iter().zip(names) {
        let (found, expected) =
            (object["faces"].as_array().unwrap(), golden[name]["faces"].as_array().unwrap());
        assert_eq!(object["width"], golden[name]["width"]);
        assert_eq!(found.len(), expected.len(), "{name}");
        for (face, expected) in found.iter().zip(expected) {
            assert!(farthest(&face["box"], &expected["box"]) < 1.0, "{name}");
            assert!(farthest(&face["landmarks"], &expected["kps"]) < 1.0, "{name}");
            assert!(farthest(&face["score"], &expected["score"]) < 0.01, "{name}");
            assert!(cosine(&face["embedding"], &expected["embedding"]) > 0.999, "{name}");
            let length: f64 = numbers(&face["embedding"]).iter().map(|value| value * value).sum();
            assert!((length - 1.0).abs() < 1e-4, "{name}: {length}");
        }
    }
}

#[test]
fn faces_as_text_and_drawn() {
    need_faces();
    let folder = tempfile::TempDir::new().unwrap();
    let drawn = folder.path().join("out.png");
    let picture = fixture("faces/t1.jpg");
    let output =
        Run::with_models().args(["faces", "--model", "probe", "--draw"]).args([&drawn, &picture]).succeeds();
    let text = stdout(&output);
    assert_eq!(text.lines().next().unwrap(), format!("{}: 6 faces", picture.display()));
    assert_eq!(text.lines().count(), 7);
    assert_eq!(png_size(&std::fs::read(&drawn).unwrap()), (1280, 886));

    let none = fixture("faces/prairie_falcon.jpg");
    let output = Run::with_models().args(["faces", "--model", "probe"]).args([&none]).succeeds();
    assert_eq!(stdout(&output), format!("{}: no face\n", none.display()));
}

#[test]
fn vectors_are_the_references() {
    let golden = &golden("clip/golden.json")["models"]["tiny"];
    let images = golden["images"].as_object().unwrap();
    let sentences = golden["texts"].as_object().unwrap();
    let mut run = Run::with_models().args(["embed", "--model", "tiny", "--json"]);
    for text in sentences.keys() {
        run = run.args(["--text", text]);
    }
    let output = run.args(images.keys().map(|name| fixture(&format!("clip/{name}")))).succeeds();
    let objects = objects(&output);
    assert_eq!(objects.len(), images.len() + sentences.len());
    for object in &objects {
        assert_eq!(object["model"], "tiny");
        let keys: Vec<_> = object.as_object().unwrap().keys().map(String::as_str).collect();
        if let Some(text) = object["text"].as_str() {
            assert_eq!(keys, ["embedding", "model", "text"]);
            assert!(farthest(&object["embedding"], &sentences[text]) < 1e-4, "{text}");
        } else {
            assert_eq!(keys, ["embedding", "file", "model"]);
            let file = object["file"].as_str().unwrap().rsplit('/').next().unwrap();
            assert!(cosine(&object["embedding"], &images[file]) > 0.9999, "{file}");
        }
    }
}

#[test]
fn embed_as_text_compares_sentences_with_pictures() {
    let output = Run::with_models()
        .args(["embed", "--model", "tiny", "--text", "一只鸟", "--text", "a bird"])
        .args([fixture("clip/prairie_falcon.jpg")])
        .succeeds();
    let text = stdout(&output);
    assert_eq!(text.lines().filter(|line| line.contains("32 values")).count(), 3, "{text}");
    let similarities: Vec<&str> = text.lines().filter(|line| line.ends_with("prairie_falcon.jpg")).collect();
    assert_eq!(similarities.len(), 2, "{text}");
    for line in similarities {
        let cosine: f64 = line.split_whitespace().next().unwrap().parse().unwrap();
        assert!((-1.0..=1.0).contains(&cosine), "{line}");
    }
}

#[test]
fn aliases_answer_under_the_name_asked_for() {
    let output = Run::with_models()
        .env("VIEWFINDER_ALIASES", "anything=tiny")
        .args(["embed", "--model", "anything", "--json", "--text", "a"])
        .succeeds();
    assert_eq!(objects(&output)[0]["model"], "anything");
    // 32 values cannot stand in for 512.
    let output = Run::with_models()
        .env("VIEWFINDER_ALIASES", "ViT-B-32__openai=tiny")
        .args(["embed", "--model", "ViT-B-32__openai", "--text", "a"])
        .exits(2);
    assert!(stderr(&output).contains("512") && stderr(&output).contains("32"), "{}", stderr(&output));
}

#[test]
fn a_cache_of_immichs_is_used_in_place() {
    let cache = fixture("immich-cache");
    let run = || Run::with_models().env("MACHINE_LEARNING_CACHE_FOLDER", &cache);
    // Immich's own spelling of the name.
    let output = run().args(["embed", "--model", "ViT-B-32::openai", "--json", "--text", "a cat"]).succeeds();
    assert_eq!(objects(&output)[0]["embedding"].as_array().unwrap().len(), 512);
    let output = run().args(["models", "where", "ViT-B-32__openai"]).succeeds();
    assert!(stdout(&output).contains(cache.to_str().unwrap()), "{}", stdout(&output));
}
