//! The model store's commands, and `doctor`.
use std::net::TcpListener;
use std::path::Path;

use serde_json::{Value, json};
use viewfinder_models::Role;
use viewfinder_test_support as test_support;

use crate::support::{Run, fixture, need_ocr, stderr, stdout};

const SMALL: &str = "ppocr_mobile_v2.0_cls";

/// A store with a copy of one small model.
fn small_store(folder: &Path) -> std::path::PathBuf {
    let model = test_support::model(SMALL, Role::Classification).model;
    let source = model.parent().unwrap();
    let target = folder.join("store").join(SMALL).join("classification");
    std::fs::create_dir_all(&target).unwrap();
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), target.join(entry.file_name())).unwrap();
    }
    target
}

fn run_on(folder: &Path) -> Run {
    Run::new().env("VIEWFINDER_MODELS", folder.join("store")).env("VIEWFINDER_OFFLINE", "1")
}

#[test]
fn list_knows_the_catalogue_and_what_is_here() {
    let folder = tempfile::TempDir::new().unwrap();
    small_store(folder.path());
    let table = stdout(&run_on(folder.path()).args(["models", "list"]).succeeds());
    for name in ["PP-OCRv6_small", "buffalo_l", "cn-clip/ViT-B-16", "ViT-B-32__openai", "runtime"] {
        assert!(
            table.lines().any(|line| line.starts_with(&format!("{name} "))),
            "{name} is missing in {table}"
        );
    }
    let lines = stdout(&run_on(folder.path()).args(["models", "list", "--json"]).succeeds());
    let models: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    // A heading, a head and a line between for each of four uses.
    assert_eq!(models.len() + 11, table.lines().count());
    let find = |name: &str| models.iter().find(|model| model["name"] == name).unwrap();
    let faces = find("buffalo_l");
    assert!(faces["licence"].as_str().unwrap().contains("non-commercial"), "{faces}");
    assert_eq!(
        (&faces["use"], &faces["default"], &faces["speed"]),
        (&json!("faces"), &json!(true), &json!("medium"))
    );
    let korean = find("KOREAN__PP-OCRv5_mobile");
    assert_eq!((&korean["use"], &korean["languages"]), (&json!("text"), &json!("Korean, English")));
    let under = |title: &str| table.split("# ").find(|part| part.starts_with(title)).unwrap().to_owned();
    let defaults = table.lines().filter(|line| line.contains(", the default")).count();
    assert!(under("Text").contains("\nPP-OCRv6_small ") && defaults == 3, "{table}");
    assert!(under("Pictures and sentences").contains("\ncn-clip/ViT-B-16 "), "{table}");

    let installed =
        stdout(&run_on(folder.path()).args(["models", "list", "--installed", "--json"]).succeeds());
    let names: Vec<String> = installed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["name"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names, [SMALL]);
}

#[test]
fn advice_is_for_this_machine_and_measures_what_is_here_and_nothing_else() {
    need_ocr();
    // Text alone is here; not even where a network is allowed is anything fetched.
    let run = Run::with_models()
        .env("VIEWFINDER_OFFLINE", "false")
        .env("VIEWFINDER_CLIP_MODEL", "cn-clip/ViT-L-14");
    let said = stdout(&run.args(["models", "advise", "--language", "ko-KR", "--json"]).succeeds());
    let advice: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(advice["take"][0]["model"], "KOREAN__PP-OCRv5_mobile", "{advice}");
    assert_eq!(advice["take"][0]["setting"], "ocr.model = \"KOREAN__PP-OCRv5_mobile\"");
    assert!(
        advice["machine"]["cores"].as_u64() > Some(0) && advice["machine"]["memory_bytes"].as_u64() > Some(0)
    );
    let [text] = &advice["measured"].as_array().unwrap()[..] else { panic!("{advice}") };
    assert_eq!((&text["use"], &text["model"]), (&json!("text"), &json!("PP-OCRv6_small")));
    let [one, all] = ["seconds_per_picture", "seconds_for_10000"].map(|name| text[name].as_f64().unwrap());
    assert!(one > 0.0 && (all / one - 10_000.0).abs() < 1.0, "{text}");
    let missing = advice["not_measured"].as_array().unwrap();
    assert_eq!(missing.iter().map(|not| &not["use"]).collect::<Vec<_>>(), ["meaning", "faces"]);
    assert!(
        missing[0]["why"].as_str().unwrap().contains("viewfinder models pull cn-clip/ViT-L-14"),
        "{advice}"
    );

    let said = stdout(
        &run_on(&std::env::temp_dir().join("nothing-is-here"))
            .args(["models", "advise", "--language", "zh"])
            .succeeds(),
    );
    assert!(said.contains("\n  PP-OCRv6_small: ") && said.contains("cn-clip/ViT-B-16"), "{said}");
    assert!(said.matches("not measured: it is not here").count() == 3 && said.contains("\nDisk: "), "{said}");
}

#[test]
fn verify_finds_a_changed_byte() {
    let folder = tempfile::TempDir::new().unwrap();
    let target = small_store(folder.path());
    let output = run_on(folder.path()).args(["models", "verify"]).succeeds();
    assert!(stdout(&output).starts_with("ok "), "{}", stdout(&output));

    let model = target.join("model.onnx");
    let mut bytes = std::fs::read(&model).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&model, bytes).unwrap();
    let output = run_on(folder.path()).args(["models", "verify", SMALL]).exits(1);
    assert!(stdout(&output).starts_with("bad "), "{}", stdout(&output));
    let output = run_on(folder.path()).args(["models", "verify", "--json"]).exits(1);
    let finding: Value = serde_json::from_str(stdout(&output).lines().next().unwrap()).unwrap();
    assert_eq!(finding["verdict"], "bad");
}

#[test]
fn remove_frees_and_where_tells() {
    let folder = tempfile::TempDir::new().unwrap();
    let target = small_store(folder.path());
    let output = run_on(folder.path()).args(["models", "where", SMALL]).succeeds();
    assert_eq!(stdout(&output).trim(), format!("classification: {}", target.join("model.onnx").display()));
    let output = run_on(folder.path()).args(["models", "where"]).succeeds();
    assert_eq!(stdout(&output).trim(), folder.path().join("store").to_str().unwrap());

    let output = run_on(folder.path()).args(["models", "remove", SMALL]).succeeds();
    assert!(stdout(&output).contains("freed"), "{}", stdout(&output));
    assert!(!target.exists());
    run_on(folder.path()).args(["models", "where", SMALL]).exits(3);
    let output = run_on(folder.path()).args(["models", "remove", SMALL]).succeeds();
    assert!(stdout(&output).contains("nothing of it"), "{}", stdout(&output));
}

#[test]
fn pull_says_what_is_wrong() {
    let folder = tempfile::TempDir::new().unwrap();
    let unknown = run_on(folder.path()).args(["models", "pull", "PP-OCRv6_small", "nonsense"]).exits(2);
    assert!(stderr(&unknown).contains("nonsense"), "{}", stderr(&unknown));
    let offline = run_on(folder.path()).args(["models", "pull", "PP-OCRv6_small"]).exits(3);
    assert!(stderr(&offline).contains("offline"), "{}", stderr(&offline));
    let library = run_on(folder.path()).args(["models", "pull", "runtime"]).exits(3);
    assert!(stderr(&library).contains("offline"), "{}", stderr(&library));
}

#[test]
fn runtime_is_the_build_that_the_device_needs() {
    need_ocr();
    // The one for the CPU is in this store, the one for CUDA is not.
    for (device, code) in [("cpu", 0), ("auto", 0), ("cuda", 3), ("tensorrt", 3)] {
        let run = Run::with_models().args(["models", "pull", "runtime", "--device", device]);
        let output = if code == 0 { run.succeeds() } else { run.exits(code) };
        assert_eq!(stdout(&output).contains("libonnxruntime"), code == 0, "{device}");
    }
}

#[test]
fn pull_of_what_is_here_fetches_nothing() {
    need_ocr();
    let output = Run::with_models().args(["models", "pull", "PP-OCRv6_small", "--json"]).succeeds();
    let pulled: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(pulled["name"], "PP-OCRv6_small");
    assert_eq!(pulled["files"].as_array().unwrap().len(), 3);
    assert_eq!(stderr(&output), "");
}

#[test]
fn wrong_entries_in_the_configuration_are_wrong_use() {
    let run = Run::new().file("viewfinder.toml", "[[models]]\nname = \"x\"\nfamily = \"crystal-ball\"\n");
    let output = run.args(["models", "list"]).exits(2);
    assert!(stderr(&output).contains("crystal-ball"), "{}", stderr(&output));
}

fn verdict(findings: &str, subject: &str) -> String {
    findings
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .find(|finding| finding["subject"] == subject)
        .unwrap_or_else(|| panic!("nothing about {subject} in {findings}"))["verdict"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[test]
fn doctor_finds_a_healthy_machine_healthy() {
    need_ocr();
    let output = Run::with_models()
        .env("API_AUTH_KEY", "k")
        .args(["doctor", "--json", "--listen", "127.0.0.1:0"])
        .succeeds();
    let findings = stdout(&output);
    for subject in ["configuration", "store", "network", "library", "device", "text", "port"] {
        assert_eq!(verdict(&findings, subject), "ok", "{subject}");
    }
    assert!(!findings.contains("\"api key\""));
}

#[test]
fn doctor_says_what_to_do() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = Run::new()
        .file("store", "a file where the folder should be")
        .env("VIEWFINDER_MODELS", "store")
        .env("VIEWFINDER_OFFLINE", "1")
        .env("VIEWFINDER_ORT_LIB", "/nowhere/libonnxruntime.so")
        .env("VIEWFINDER_ALIASES", "ViT-B-32__openai=buffalo_l,RN50__openai=cn-clip/ViT-B-16")
        .args(["doctor", "--listen", &address])
        .exits(1);
    let text = stdout(&output);
    for subject in ["store", "library", "port", "aliases"] {
        assert!(
            text.lines().any(|line| line.starts_with("FAIL") && line.contains(subject)),
            "{subject}: {text}"
        );
    }
    for advice in ["models pull runtime", "--listen", "VIEWFINDER_MODELS", "same width", "API_AUTH_KEY"] {
        assert!(text.contains(advice), "{advice}: {text}");
    }
}

#[test]
fn a_checkpoint_becomes_models_that_embed() {
    let folder = tempfile::TempDir::new().unwrap();
    let out = folder.path().join("out");
    let convert = |extra: &[&str]| {
        let run = Run::with_models().env("VIEWFINDER_MODELS", folder.path().join("store"));
        run.args(["models", "convert"]).args([fixture("models/tiny.pt")]).args(extra)
    };
    let out_text = out.to_str().unwrap();
    let printed = stdout(&convert(&["--text-heads", "4", "--out", out_text]).succeeds());
    assert!(printed.contains("textual/model.onnx"), "{printed}");
    let own = format!(
        "[[models]]\nname = \"mine\"\nfamily = \"chinese-clip\"\nsources = [{{ file = {out_text:?} }}]\n"
    );
    let embed = |configuration: Option<&String>, model: &str| -> Value {
        let run = Run::with_models().env("VIEWFINDER_MODELS", folder.path().join("store"));
        let run = configuration.into_iter().fold(run, |run, text| run.file("viewfinder.toml", text));
        let output = run.args(["embed", "--json", "--model", model, "--text", "海边的日落"]).succeeds();
        serde_json::from_str(&stdout(&output)).unwrap()
    };
    let numbers = |value: &Value| -> Vec<f64> { serde_json::from_value(value["embedding"].clone()).unwrap() };
    let (mine, exported) = (numbers(&embed(Some(&own), "mine")), numbers(&embed(None, "tiny")));
    assert!(mine.iter().zip(&exported).all(|(a, b)| (a - b).abs() < 1e-4), "{mine:?} {exported:?}");

    let printed = stdout(
        &convert(&["--text-heads", "4", "--out", out_text, "--precision", "fp16", "--json"]).succeeds(),
    );
    let first: Value = serde_json::from_str(printed.lines().next().unwrap()).unwrap();
    assert!(first["cosine_least"].as_f64().unwrap() > 0.9999, "{first}");
    assert_eq!(first["file"], out.join("visual/model.onnx").to_str().unwrap());
    let left: Vec<_> = std::fs::read_dir(&out).unwrap().map(|item| item.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "{left:?}");

    // What cannot be done says why, and leaves nothing behind.
    let error = stderr(&convert(&["--out", out_text]).exits(3));
    assert!(error.contains("attention heads is unknown"), "{error}");
    let picture = fixture("clip/t1.jpg");
    let output = Run::with_models().args(["models", "convert", "--out", out_text]).args([picture]).exits(3);
    assert!(stderr(&output).contains("t1.jpg"), "{}", stderr(&output));
    let output = Run::with_models().args(["models", "convert", "no-such-model"]).exits(2);
    assert!(stderr(&output).contains("neither a file nor a model"), "{}", stderr(&output));
    assert!(!folder.path().join("store/cn-clip").exists());
}

#[test]
fn a_model_is_made_in_another_precision_and_used_by_name() {
    let folder = tempfile::TempDir::new().unwrap();
    let run = || Run::with_models().env("VIEWFINDER_MODELS", folder.path().join("store"));
    let printed = stdout(&run().args(["models", "quantize", "tiny", "--json"]).succeeds());
    let made: Vec<Value> = printed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(made.iter().map(|made| &made["role"]).collect::<Vec<_>>(), ["visual", "textual"]);
    for made in &made {
        assert!(made["cosine_least"].as_f64().unwrap() > 0.98, "{made}");
        assert!(made["products"].as_u64().unwrap() > 0, "{made}");
    }
    let list = stdout(&run().args(["models", "list", "--installed"]).succeeds());
    assert!(list.lines().any(|line| line.starts_with("tiny@int8 ")), "{list}");
    // Made on first use, named in the answer.
    let output = run().args(["embed", "--json", "--model", "tiny@fp16", "--text", "猫"]).succeeds();
    let answer: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(answer["model"], "tiny@fp16");
    assert_eq!(answer["embedding"].as_array().unwrap().len(), 32);

    // Pictures of one precision are not searched with sentences of another that strays from it.
    let search = |least: &str| {
        let run = run().env("VIEWFINDER_CLIP_MODEL", "tiny@int8").env("VIEWFINDER_CLIP_TEXT_MODEL", "tiny");
        let run = run.env("VIEWFINDER_CLIP_LEAST_COSINE", least);
        run.args(["embed", "--text", "猫"]).args([fixture("clip/t1.jpg")])
    };
    search("0.5").succeeds();
    let error = stderr(&search("1").exits(2));
    assert!(error.contains("tiny@int8 (visual) follows tiny with a cosine of 0.99"), "{error}");

    let output = run().args(["models", "quantize", "tiny", "--precision", "fp32"]).exits(2);
    assert!(stderr(&output).contains("int8 or fp16"), "{}", stderr(&output));
    let output = run().args(["models", "quantize", "PP-OCRv6_small"]).exits(2);
    assert!(stderr(&output).contains("PP-OCRv6_small@int8"), "{}", stderr(&output));
    run().args(["models", "remove", "tiny@int8"]).succeeds();
    assert!(!folder.path().join("store/tiny@int8").exists());
}
