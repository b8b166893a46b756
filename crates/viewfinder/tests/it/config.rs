//! The configuration: sources, precedence, origins, secrets, foreign names.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::{Run, stderr, stdout, workspace};

/// The effective configuration as JSON.
fn effective(run: Run) -> Value {
    effective_with(run, &[])
}

/// The same with flags.
fn effective_with(run: Run, flags: &[&str]) -> Value {
    let output = run.args(["config", "--json"]).args(flags).succeeds();
    serde_json::from_str(&stdout(&output)).unwrap()
}

fn value(config: &Value, key: &str) -> Value {
    config["settings"][key]["value"].clone()
}

fn origin(config: &Value, key: &str) -> String {
    config["settings"][key]["from"].as_str().unwrap_or_else(|| panic!("no setting {key}")).to_owned()
}

fn notes(config: &Value) -> Vec<String> {
    config["notes"].as_array().unwrap().iter().map(|note| note["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn defaults_without_any_source() {
    let config = effective(Run::new());
    assert_eq!(value(&config, "listen"), json!(["[::]:3003"]));
    assert_eq!(value(&config, "engine.model_ttl"), json!(300));
    assert_eq!(value(&config, "faces.min_score"), json!(0.65));
    assert_eq!(value(&config, "clip.model"), json!("cn-clip/ViT-B-16"));
    assert_eq!(value(&config, "ocr.profile"), json!("viewfinder"));
    assert_eq!(value(&config, "mt_photos.ocr_profile"), json!("rapidocr"));
    assert_eq!(value(&config, "immich.ocr_profile"), json!("immich"));
    assert_eq!(origin(&config, "listen"), "default");
    assert_eq!(config["file"], Value::Null);
    assert_eq!(notes(&config), [""; 0]);
}

#[test]
fn flag_over_environment_over_file_over_default() {
    let file = "[engine]\nqueue = 10\nworkers = 1\nthreads = 1\n";
    let run = Run::new()
        .file("viewfinder.toml", file)
        .env("VIEWFINDER_WORKERS", "2")
        .env("VIEWFINDER_THREADS", "2");
    let config = effective(run.args(["--threads", "3"]));
    assert_eq!(value(&config, "engine.queue"), json!(10));
    assert_eq!(origin(&config, "engine.queue"), "file");
    assert_eq!(value(&config, "engine.workers"), json!(2));
    assert_eq!(origin(&config, "engine.workers"), "environment VIEWFINDER_WORKERS");
    assert_eq!(value(&config, "engine.threads"), json!(3));
    assert_eq!(origin(&config, "engine.threads"), "flag --threads");
    assert_eq!(origin(&config, "engine.device"), "default");
}

#[test]
fn text_output_names_the_origins_and_is_toml() {
    let output = Run::new().env("IMMICH_LOG_LEVEL", "verbose").args(["config"]).succeeds();
    let text = stdout(&output);
    let line = text.lines().find(|line| line.starts_with("log.level")).unwrap();
    assert!(
        line.starts_with("log.level = \"trace\" ") && line.ends_with("# environment IMMICH_LOG_LEVEL"),
        "{line}"
    );
    toml::from_str::<toml::Table>(&text).unwrap();
}

#[test]
fn any_setting_can_be_set_by_its_key() {
    let config = effective(Run::new().args(["--set", "limits.max_bytes=5MB", "--set", "clip.model=x"]));
    assert_eq!(value(&config, "limits.max_bytes"), json!(5_000_000));
    assert_eq!(value(&config, "clip.model"), json!("x"));
    assert_eq!(origin(&config, "clip.model"), "flag --set");

    let output = Run::new().args(["config", "--set", "clip.modl=x"]).exits(2);
    assert!(stderr(&output).contains("did you mean `clip.model`?"), "{}", stderr(&output));
}

#[test]
fn flags_that_are_lists_can_be_repeated() {
    let config = effective_with(Run::new(), &["--listen", "[::1]:1", "--listen", "[::1]:2"]);
    assert_eq!(value(&config, "listen"), json!(["[::1]:1", "[::1]:2"]));
    let config = effective_with(Run::new(), &["--alias", "a=b", "--alias", "c=d"]);
    assert_eq!(value(&config, "aliases"), json!({ "a": "b", "c": "d" }));
}

/// A key that is an address too.
const SECRET: &str = "postgres://user:hunter2-secret@host/database";

#[test]
fn secrets_are_never_shown() {
    let secrets = [
        ("API_AUTH_KEY", "api_key"),
        ("MT_PHOTOS_API_KEY", "remote.mt_photos_api_key"),
        ("HF_TOKEN", "store.hf_token"),
        ("VIEWFINDER_COMPANION_DATABASE_URL", "companion.database_url"),
    ];
    for (variable, key) in secrets {
        for args in [&["config"][..], &["config", "--json"], &["config", "--check"]] {
            let output = Run::new().env(variable, SECRET).args(args).succeeds();
            assert!(!stdout(&output).contains("hunter2"), "{variable} {args:?}");
            assert!(!stderr(&output).contains("hunter2"), "{variable} {args:?}");
        }
        let config = effective(Run::new().env(variable, SECRET));
        assert_eq!(value(&config, key), json!("(hidden)"));
        assert_eq!(origin(&config, key), format!("environment {variable}"));
    }
}

#[test]
fn unknown_keys_are_errors_with_a_suggestion() {
    let run = Run::new()
        .file("viewfinder.toml", "lisen = [\"[::]:1\"]\n[engine]\ndevize = \"cpu\"\n[nonsense]\nx = 1\n");
    let output = run.args(["config"]).exits(2);
    let text = stderr(&output);
    assert!(text.contains("unknown setting `lisen`; did you mean `listen`?"), "{text}");
    assert!(text.contains("unknown setting `engine.devize`; did you mean `engine.device`?"), "{text}");
    assert!(text.contains("unknown setting `nonsense`"), "{text}");
    assert_eq!(stdout(&output), "");
}

#[test]
fn all_errors_are_told_at_once() {
    let run = Run::new()
        .file("viewfinder.toml", "[engine]\nworkers = \"many\"\n")
        .env("IMMICH_PORT", "seventy")
        .env("DETECTION_THRESH", "7")
        .env("VIEWFINDER_OFFLINE", "perhaps");
    let text = stderr(&run.args(["config", "--check"]).exits(2));
    for part in [
        "engine.workers",
        "IMMICH_PORT",
        "faces.min_score",
        "environment DETECTION_THRESH",
        "VIEWFINDER_OFFLINE",
    ] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn wrong_values_name_their_source() {
    for (variable, text) in [
        ("DEVICE", "abacus"),
        ("VIEWFINDER_LISTEN", "nowhere"),
        ("VIEWFINDER_LOG_FORMAT", "xml"),
        ("VIEWFINDER_QUEUE", "0"),
        ("MACHINE_LEARNING_MODEL_TTL", "soon"),
        ("VIEWFINDER_ALIASES", "a"),
        ("VIEWFINDER_PRELOAD", "model:eyes"),
    ] {
        let output = Run::new().env(variable, text).args(["config", "--check"]).exits(2);
        assert!(stderr(&output).contains(variable), "{variable}: {}", stderr(&output));
    }
}

#[test]
fn a_missing_or_broken_file_is_an_error() {
    let output = Run::new().args(["config", "--config", "nowhere.toml"]).exits(2);
    assert!(stderr(&output).contains("nowhere.toml"));
    let output =
        Run::new().file("broken.toml", "listen = [").args(["config", "--config", "broken.toml"]).exits(2);
    assert!(stderr(&output).contains("broken.toml"));
    let output = Run::new().env("VIEWFINDER_CONFIG", "nowhere.toml").args(["config"]).exits(2);
    assert!(stderr(&output).contains("nowhere.toml"));
}

#[test]
fn files_are_found_where_they_belong() {
    let user = Run::new().file(".config/viewfinder/viewfinder.toml", "[clip]\nmodel = \"user\"\n");
    assert_eq!(value(&effective(user), "clip.model"), json!("user"));
    let both = Run::new()
        .file(".config/viewfinder/viewfinder.toml", "[clip]\nmodel = \"user\"\n")
        .file("viewfinder.toml", "[clip]\nmodel = \"here\"\n");
    assert_eq!(value(&effective(both), "clip.model"), json!("here"));
}

#[test]
fn paths_in_a_file_are_relative_to_it() {
    let run = Run::new().file("conf/v.toml", "[store]\nroot = \"models\"\nimmich_caches = [\"cache\"]\n");
    let folder = run.folder().canonicalize().unwrap().join("conf");
    let config = effective(run.args(["--config", "conf/v.toml"]));
    assert_eq!(value(&config, "store.root"), json!(folder.join("models")));
    assert_eq!(value(&config, "store.immich_caches"), json!([folder.join("cache")]));
}

#[test]
fn unknown_variables_of_ours_are_warned_about() {
    let config = effective(Run::new().env("VIEWFINDER_LISEN", "x").env("MACHINE_LEARNING_MODEL_TTTL", "1"));
    let notes = notes(&config).join("\n");
    assert!(
        notes.contains("VIEWFINDER_LISEN is not a known variable; did you mean VIEWFINDER_LISTEN?"),
        "{notes}"
    );
    assert!(notes.contains("did you mean MACHINE_LEARNING_MODEL_TTL?"), "{notes}");
}

#[test]
fn own_name_wins_over_alias_with_a_warning() {
    let run = Run::new().env("VIEWFINDER_MODEL_TTL", "60").env("MACHINE_LEARNING_MODEL_TTL", "900");
    let config = effective(run);
    assert_eq!(value(&config, "engine.model_ttl"), json!(60));
    assert_eq!(notes(&config), ["VIEWFINDER_MODEL_TTL wins over MACHINE_LEARNING_MODEL_TTL"]);
}

#[test]
fn names_are_found_in_any_case_and_empty_ones_are_unset() {
    let config = effective(Run::new().env("machine_learning_model_ttl", "77").env("IMMICH_PORT", ""));
    assert_eq!(value(&config, "engine.model_ttl"), json!(77));
    assert_eq!(origin(&config, "listen"), "default");
    let config = effective(Run::new().env("VIEWFINDER_LOG__LEVEL", "debug"));
    assert_eq!(value(&config, "log.level"), json!("debug"));
}

/// Variable, value, key of the setting, its value then.
fn foreign() -> Vec<(&'static str, &'static str, &'static str, Value)> {
    vec![
        ("IMMICH_HOST", "0.0.0.0", "listen", json!(["0.0.0.0:3003"])),
        ("IMMICH_PORT", "4000", "listen", json!(["[::]:4000"])),
        ("PORT", "8080", "listen", json!(["[::]:3003", "[::]:8080"])),
        ("HTTP_PORT", "8060", "listen", json!(["[::]:3003", "[::]:8060"])),
        ("API_AUTH_KEY", "k", "api_key", json!("(hidden)")),
        ("IMMICH_LOG_LEVEL", "critical", "log.level", json!("error")),
        ("IMMICH_LOG_LEVEL", "warning", "log.level", json!("warn")),
        ("IMMICH_LOG_LEVEL", "log", "log.level", json!("info")),
        ("NO_COLOR", "1", "log.colour", json!("never")),
        ("NO_COLOR", "false", "log.colour", json!("auto")),
        ("HF_HUB_OFFLINE", "1", "store.offline", json!(true)),
        ("MACHINE_LEARNING_CACHE_FOLDER", "/cache", "store.immich_caches", json!(["/cache"])),
        ("HF_ENDPOINT", "http://mirror", "store.hf_endpoint", json!("http://mirror")),
        ("HF_TOKEN", "t", "store.hf_token", json!("(hidden)")),
        ("RECOGNITION_MODEL", "buffalo_s", "faces.model", json!("buffalo_s")),
        ("DETECTION_THRESH", "0.5", "faces.min_score", json!(0.5)),
        ("CLIP_MODEL", "ViT-L-14", "clip.model", json!("cn-clip/ViT-L-14")),
        ("CLIP_MODEL", "ViT-B-32__openai", "clip.model", json!("ViT-B-32__openai")),
        ("ORT_DYLIB_PATH", "/lib/ort.so", "engine.library", json!("/lib/ort.so")),
        ("DEVICE", "cuda", "engine.device", json!("cuda")),
        ("DEVICE", "armnn", "engine.device", json!("cpu")),
        ("OCR_CUDA_DEVICE_ID", "1", "engine.device_id", json!(1)),
        ("MACHINE_LEARNING_DEVICE_ID", "2", "engine.device_id", json!(2)),
        ("MACHINE_LEARNING_DEVICE_IDS", "3,4", "engine.device_id", json!(3)),
        ("MACHINE_LEARNING_REQUEST_THREADS", "6", "engine.workers", json!(6)),
        ("MACHINE_LEARNING_REQUEST_THREADS", "0", "engine.workers", json!(1)),
        ("MACHINE_LEARNING_MODEL_INTRA_OP_THREADS", "2", "engine.threads", json!(2)),
        ("MACHINE_LEARNING_MODEL_INTRA_OP_THREADS", "0", "engine.threads", json!("auto")),
        ("SERVER_RESTART_TIME", "120", "engine.model_ttl", json!(120)),
        ("MACHINE_LEARNING_MODEL_TTL", "900", "engine.model_ttl", json!(900)),
        ("MACHINE_LEARNING_MODEL_TTL", "-1", "engine.model_ttl", json!(0)),
        ("MACHINE_LEARNING_PRELOAD__CLIP", "m", "engine.preload", json!(["m:textual", "m:visual"])),
        (
            "MACHINE_LEARNING_PRELOAD__CLIP__TEXTUAL",
            "m,n",
            "engine.preload",
            json!(["m:textual", "n:textual"]),
        ),
        (
            "MACHINE_LEARNING_PRELOAD__CLIP__VISUAL",
            "ViT-B-32::openai",
            "engine.preload",
            json!(["ViT-B-32::openai:visual"]),
        ),
        (
            "MACHINE_LEARNING_PRELOAD__FACIAL_RECOGNITION",
            "m",
            "engine.preload",
            json!(["m:detection", "m:recognition"]),
        ),
        (
            "MACHINE_LEARNING_PRELOAD__FACIAL_RECOGNITION__DETECTION",
            "m",
            "engine.preload",
            json!(["m:detection"]),
        ),
        (
            "MACHINE_LEARNING_PRELOAD__FACIAL_RECOGNITION__RECOGNITION",
            "m",
            "engine.preload",
            json!(["m:recognition"]),
        ),
        ("MACHINE_LEARNING_PRELOAD__OCR__DETECTION", "m", "engine.preload", json!(["m:detection"])),
        ("MACHINE_LEARNING_PRELOAD__OCR__RECOGNITION", "m", "engine.preload", json!(["m:recognition"])),
        ("AUTO_LOAD_TXT_MODAL", "on", "engine.preload", json!(["cn-clip/ViT-B-16:textual"])),
        ("AUTO_LOAD_TXT_MODAL", "off", "engine.preload", json!([])),
        ("MACHINE_LEARNING_MAX_BATCH_SIZE__FACIAL_RECOGNITION", "4", "engine.max_face_batch", json!(4)),
        ("IMMICH_API", "http://a", "remote.immich_api", json!("http://a")),
        ("MT_PHOTOS_API", "http://b", "remote.mt_photos_api", json!("http://b")),
        ("MT_PHOTOS_API_KEY", "k", "remote.mt_photos_api_key", json!("(hidden)")),
    ]
}

#[test]
fn every_foreign_variable_means_what_its_owner_meant() {
    for (variable, text, key, expected) in foreign() {
        let config = effective(Run::new().env(variable, text));
        assert_eq!(value(&config, key), expected, "{variable}={text}");
        assert_eq!(origin(&config, key), format!("environment {variable}"), "{variable}={text}");
    }
}

#[test]
fn every_variable_in_the_table_is_tried_here() {
    let example = stdout(&Run::new().args(["config", "--example"]).succeeds());
    let mut declared = BTreeSet::new();
    let mut within = false;
    for line in example.lines() {
        let names = match line.strip_prefix("# Environment:") {
            Some(names) => names,
            None if within && line.starts_with("#   ") => &line[1..],
            None => {
                within = false;
                continue;
            }
        };
        within = true;
        let names = names.split(',').map(str::trim).filter(|name| !name.is_empty());
        declared.extend(names.filter(|name| !name.starts_with("VIEWFINDER_")).map(str::to_owned));
    }
    let tried: BTreeSet<String> = foreign().into_iter().map(|(variable, ..)| variable.to_owned()).collect();
    assert_eq!(declared, tried);
}

#[test]
fn foreign_variables_work_together() {
    let run = Run::new()
        .env("IMMICH_HOST", "127.0.0.1")
        .env("IMMICH_PORT", "3003")
        .env("PORT", "8080")
        .env("HTTP_PORT", "8060")
        .env("CLIP_MODEL", "ViT-H-14")
        .env("AUTO_LOAD_TXT_MODAL", "on");
    let config = effective(run);
    assert_eq!(value(&config, "listen"), json!(["127.0.0.1:3003", "127.0.0.1:8080", "127.0.0.1:8060"]));
    assert_eq!(origin(&config, "listen"), "environment IMMICH_HOST, IMMICH_PORT, PORT, HTTP_PORT");
    assert_eq!(value(&config, "engine.preload"), json!(["cn-clip/ViT-H-14:textual"]));
    assert_eq!(notes(&config), [""; 0]);
}

#[test]
fn variables_without_meaning_here_are_accepted_and_said() {
    for variable in [
        "MACHINE_LEARNING_WORKERS",
        "MACHINE_LEARNING_WORKER_TIMEOUT",
        "MACHINE_LEARNING_MODEL_TTL_POLL_S",
        "MACHINE_LEARNING_HTTP_KEEPALIVE_TIMEOUT_S",
        "MACHINE_LEARNING_MODEL_INTER_OP_THREADS",
        "MACHINE_LEARNING_MODEL_ARENA",
        "MACHINE_LEARNING_MAX_BATCH_SIZE__OCR",
        "MACHINE_LEARNING_ANN",
        "MACHINE_LEARNING_RKNN",
        "MACHINE_LEARNING_OPENVINO_PRECISION",
        "MACHINE_LEARNING_ROCM_PRECISION",
        "MACHINE_LEARNING_TEST_FULL",
        "DETECTOR_BACKEND",
        "CLIP_DOWNLOAD_ROOT",
    ] {
        let notes = notes(&effective(Run::new().env(variable, "1")));
        assert_eq!(notes.len(), 1, "{variable}: {notes:?}");
        assert!(notes[0].starts_with(&format!("{variable} has no effect: ")), "{notes:?}");
    }
}

#[test]
fn example_file_is_current_complete_and_equal_to_the_defaults() {
    let path = workspace().join("viewfinder.example.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    let generated = stdout(&Run::new().args(["config", "--example"]).succeeds());
    assert!(text == generated, "update it with: viewfinder config --example > viewfinder.example.toml");

    let defaults = effective(Run::new());
    let with_file = effective(Run::new().args(["--config", path.to_str().unwrap()]));
    for key in defaults["settings"].as_object().unwrap().keys() {
        assert_eq!(value(&with_file, key), value(&defaults, key), "{key}");
        let name = key.rsplit_once('.').map_or(key.as_str(), |(_, name)| name);
        let mentioned = text.lines().any(|line| {
            let line = line.trim_start_matches("# ");
            line.starts_with(&format!("{name} = "))
                || line == format!("[{name}]")
                || line == format!("[[{name}]]")
        });
        assert!(mentioned, "{key} is not mentioned");
    }
}

#[test]
fn check_says_valid_or_exits_2() {
    let output =
        Run::new().file("viewfinder.toml", "listen = [\"[::]:1\"]\n").args(["config", "--check"]).succeeds();
    assert!(stdout(&output).contains("valid"));
    Run::new().file("viewfinder.toml", "listen = []\n").args(["config", "--check"]).exits(2);
}

#[test]
fn keys_of_addresses_come_from_anywhere_and_are_never_shown() {
    let file = "listen = [\"[::]:1\", \"[::]:2\"]\n[listen_keys]\n\"[::]:1\" = \"geheim\"\n\"[::]:2\" = { file = \"two.key\" }\n";
    let run = Run::new().file("viewfinder.toml", file);
    let path = run.folder().join("two.key");
    let config = effective(run);
    assert_eq!(
        value(&config, "listen_keys"),
        json!({"[::]:1": "(hidden)", "[::]:2": {"file": path.to_str().unwrap()}})
    );
    let run = Run::new()
        .env("VIEWFINDER_LISTEN", "[::]:1,[::]:2")
        .env("VIEWFINDER_LISTEN_KEYS", "[::]:1=geheim==, [::]:2=@/run/secrets/two");
    let output = run.args(["config"]).succeeds();
    let text = stdout(&output);
    assert!(text.contains("\"[::]:1\" = \"(hidden)\"") && text.contains("/run/secrets/two"), "{text}");
    assert!(!text.contains("geheim"), "{text}");
}

#[test]
fn keys_that_would_protect_nothing_are_errors() {
    for (variable, file, word) in [
        ("[::]:3004=geheim", "", "`[::]:3004` is not among the addresses"),
        ("geheim", "", "expected ADDRESS=KEY or ADDRESS=@FILE"),
        ("", "listen_keys = \"geheim\"", "expected a table of keys by address"),
        ("", "[listen_keys]\n\"[::]:3003\" = { fiel = \"geheim\" }", "expected { file"),
        ("", "[listen_keys]\n\"[::]:3003\" = 5", "expected a key"),
        (
            "",
            "[[nodes]]\nname = \"n\"\nkind = \"viewfinder\"\nurl = \"http://n\"\nkey = \"geheim\"\nkey_file = \"k\"",
            "node n has a key and a file",
        ),
    ] {
        let run = Run::new().env("VIEWFINDER_LISTEN_KEYS", variable).file("viewfinder.toml", file);
        let told = stderr(&run.args(["config"]).exits(2));
        assert!(told.contains(word) && !told.contains("geheim"), "{told}");
    }
}

#[test]
fn files_of_nodes_are_relative_to_the_configuration() {
    let file = "[[nodes]]\nname = \"n\"\nkind = \"viewfinder\"\nurl = \"https://n\"\nkey_file = \"n.key\"\nca_file = \"/etc/ca.pem\"\n";
    let run = Run::new().file("viewfinder.toml", file);
    let key = run.folder().join("n.key");
    let config = effective(run);
    let node = &value(&config, "nodes")[0];
    assert_eq!(node["key_file"], key.to_str().unwrap());
    assert_eq!(node["ca_file"], "/etc/ca.pem");
}

#[test]
fn addresses_that_cannot_be_called_are_told_with_setting_and_line() {
    for (file, line, key, word) in [
        (
            "[[nodes]]\nname = \"n\"\nkind = \"viewfinder\"\nurl = \"ftp://h\"",
            4,
            "nodes: node n",
            "must begin with http",
        ),
        (
            "[[nodes]]\nname = \"n\"\nkind = \"toaster\"\nurl = \"http://h\"",
            3,
            "nodes: node n",
            "a node is of kind",
        ),
        (
            "[[nodes]]\nname = \"n\"\nkind = \"mt-photos\"\nurl = \"h:8060\"",
            4,
            "nodes: node n",
            "should look like",
        ),
        ("[remote]\n\nimmich_api = \"nas:3003\"", 3, "remote.immich_api", "should look like"),
        ("[remote]\nmt_photos_api = \"http://\"", 2, "remote.mt_photos_api", "should look like"),
        ("[companion]\nimmich_url = \"http://immich/photos\"", 2, "companion.immich_url", "without a path"),
        ("[companion]\nimmich_url = \"immich\"", 2, "companion.immich_url", "must begin with"),
        (
            "[companion]\ndatabase_url = \"mysql://h\"",
            2,
            "companion.database_url",
            "not of the form postgresql://",
        ),
        ("[catalog]\nurl = \"postgres://h:port/d\"", 2, "catalog.url", "not of the form postgresql://"),
        (
            "[catalog]\nurl = \"postgres://h/d?sslmode=allow\"",
            2,
            "catalog.url",
            "sslmode is none of disable, prefer, require, verify-ca and verify-full",
        ),
        ("[store]\nhf_endpoint = \"mirror\"", 2, "store.hf_endpoint", "should look like https://host"),
        (
            "[store]\nmodelscope_endpoint = \"https:/m\"",
            2,
            "store.modelscope_endpoint",
            "should look like https://host",
        ),
        (
            "[store]\ngithub_endpoint = \"ssh://m\"",
            2,
            "store.github_endpoint",
            "should look like https://host",
        ),
    ] {
        let told = stderr(&Run::new().file("viewfinder.toml", file).args(["config", "--check"]).exits(2));
        let end = format!("(from file, line {line})");
        assert!(
            told.contains(&format!("{key}: ")) && told.contains(word) && told.trim_end().ends_with(&end),
            "{told}"
        );
    }
    let told = stderr(&Run::new().env("IMMICH_API", "nas").args(["config", "--check"]).exits(2));
    assert!(told.contains("remote.immich_api: ") && told.contains("(from environment IMMICH_API)"), "{told}");
}

#[test]
fn what_is_no_toml_is_told_with_its_line_alone() {
    let run = Run::new().file("viewfinder.toml", "listen = []\n[log]\nlevel = geheim\n");
    let told = stderr(&run.args(["config"]).exits(2));
    assert!(told.contains("viewfinder.toml:3: ") && !told.contains("geheim"), "{told}");
    assert_eq!(told.trim_end().lines().count(), 1, "{told}");
}
