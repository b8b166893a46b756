//! Secrets of the configuration: wherever they stand and whatever is wrong with them, nobody is told them.
use std::process::Output;

use crate::support::{Run, stderr, stdout};

/// What must never be seen, as a text and as a number.
const WORD: &str = "hunter2-secret";
const NUMBER: &str = "772277227722";

/// Key and variable of every secret setting, from the example file, which names a file for each of them.
fn secrets() -> Vec<(String, String)> {
    let example = stdout(&Run::new().args(["config", "--example"]).succeeds());
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in example.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        }
        let Some(names) = line.strip_prefix("# Or in a file that holds nothing else: ") else { continue };
        let (name, variable) = names.split_once(" = \"…\", ").unwrap();
        let name = name.strip_suffix("_file").unwrap();
        found.push((format!("{section}{name}"), variable.strip_suffix("_FILE").unwrap().to_owned()));
    }
    assert!(found.len() >= 6, "{found:?}");
    found
}

fn silent(output: &Output, what: &str) {
    let text = format!("{}{}", stdout(output), stderr(output));
    assert!(!text.contains(WORD) && !text.contains(NUMBER), "{what}: {text}");
}

/// Runs to its end, whether something is wrong or not.
fn ends(run: Run, args: &[&str]) -> Output {
    run.args(args).spawn().wait()
}

const COMMANDS: [&[&str]; 3] = [&["config", "--check"], &["config"], &["config", "--json"]];

#[test]
fn in_a_file() {
    for (key, _) in secrets() {
        let (table, name) = key
            .rsplit_once('.')
            .map_or((String::new(), &*key), |(table, name)| (format!("[{table}]\n"), name));
        for value in [
            format!("\"{WORD}\""),
            format!("[\"{WORD}\"]"),
            format!("[[\"{WORD}\"]]"),
            format!("[{NUMBER}]"),
            format!("{{ a = \"{WORD}\" }}"),
            NUMBER.to_owned(),
            format!("{NUMBER}.5"),
            // No TOML.
            WORD.to_owned(),
            format!("\"{WORD}"),
            format!("'{WORD}"),
            format!("\"\"\"{WORD}"),
            format!("\"a\" \"{WORD}\""),
            format!("\"{WORD}\\q\""),
            format!("[\"{WORD}\","),
            format!("{{ a = \"{WORD}\""),
            format!("\"{WORD}\"\n{name} = \"{WORD}\""),
            format!("\"{WORD}\"\n{name}_file = \"{WORD}\""),
            format!("{NUMBER}{NUMBER}{NUMBER}"),
            format!("0x{WORD}"),
        ] {
            let file = format!("{table}{name} = {value}\n");
            for command in COMMANDS {
                let output = ends(Run::new().file("viewfinder.toml", &file), command);
                // The name of a file that is missing is told, of course.
                let told = format!("{}{}", stdout(&output), stderr(&output)).replace(&format!("/{WORD}"), "");
                assert!(!told.contains(WORD) && !told.contains(NUMBER), "{file}: {told}");
            }
        }
        // What is wrong is told with its line.
        let file = format!("\n\n{table}{name} = {{ a = \"{WORD}\" }}\n");
        let told = stderr(&Run::new().file("viewfinder.toml", &file).args(["config"]).exits(2));
        let line = if table.is_empty() { 3 } else { 4 };
        assert!(told.contains(&format!("viewfinder.toml:{line}: {key}: expected")), "{told}");
    }
}

#[test]
fn in_tables_that_hold_them() {
    let node = "[[nodes]]\nname = \"n\"\nkind = \"viewfinder\"\nurl = \"http://n\"\n";
    for file in [
        format!("{node}key = {NUMBER}"),
        format!("{node}key = [\"{WORD}\"]"),
        format!("{node}key = {{ file = \"{WORD}\" }}"),
        format!("{node}kee = \"{WORD}\""),
        format!("nodes = \"{WORD}\""),
        format!("nodes = [\"{WORD}\"]"),
        format!("nodes = {{ key = \"{WORD}\" }}"),
        format!("[[nodes]]\nname = \"n\"\nkind = \"{WORD}\"\nurl = \"http://u:{WORD}@n\""),
        format!("listen_keys = \"{WORD}\""),
        format!("[listen_keys]\n\"[::]:3003\" = [\"{WORD}\"]"),
        format!("[listen_keys]\n\"[::]:3003\" = {NUMBER}"),
        format!("[listen_keys]\n\"[::]:3003\" = {{ fiel = \"{WORD}\" }}"),
        format!("[listen_keys]\n\"{WORD}\" = \"[::]:3003\""),
        format!("[listen_keys]\n\"{WORD}\" = 5"),
        format!("companion = \"{WORD}\""),
        format!("[log]\nlevel = {{ api_key = \"{WORD}\" }}"),
        format!("[log]\nlevel = [\"{WORD}\"]"),
        format!("[companion]\nimmich_url = \"http://u:{WORD}@immich\""),
        format!("[remote]\nimmich_api = \"http://u:{WORD}@immich\""),
        format!("[companion]\ndatabase_url = \"postgres://u:{WORD}@h:port/d\""),
        format!("[catalog]\nurl = \"{WORD}\""),
    ] {
        let output = Run::new().file("viewfinder.toml", &file).args(["config", "--check"]).exits(2);
        silent(&output, &file);
    }
    let file = format!("[store]\nhf_endpoint = \"https://u:{WORD}@mirror/hub\"");
    for command in COMMANDS {
        let output = ends(Run::new().file("viewfinder.toml", &file), command);
        assert!(output.status.success());
        silent(&output, &file);
    }
}

#[test]
fn in_the_environment() {
    for (key, variable) in secrets() {
        for value in [WORD.to_owned(), format!("{WORD},{WORD}"), format!("postgres://u:{WORD}@h/d")] {
            for command in COMMANDS {
                let output = ends(Run::new().env(&variable, &value), command);
                silent(&output, &format!("{variable}={value}"));
            }
        }
        let output = ends(Run::new().env(&variable.replace("VIEWFINDER", "VIEWFINDR"), WORD), COMMANDS[1]);
        silent(&output, &key);
    }
    for value in [WORD.to_owned(), format!("{WORD}=[::]:3003"), format!("[::]:9={WORD}")] {
        let output = Run::new().env("VIEWFINDER_LISTEN_KEYS", &value).args(["config"]).exits(2);
        silent(&output, &value);
    }
}

#[test]
fn on_the_command_line() {
    for (key, _) in secrets() {
        for pair in [format!("{key}={WORD}"), format!("{key}:{WORD}"), format!("{key} {WORD}")] {
            for command in COMMANDS {
                silent(&ends(Run::new(), &[command, &["--set", &pair]].concat()), &pair);
            }
        }
    }
    for args in [
        vec!["--api-key", WORD],
        vec!["--api-kye=hunter2-secret"],
        vec!["--api-key", WORD, "--listen", "nowhere"],
        vec!["--api-key", WORD, "--api-key-file", "f"],
        vec!["--log-format", "xml", "--api-key", WORD],
    ] {
        silent(&ends(Run::new(), &[&["config"], &*args].concat()), &format!("{args:?}"));
    }
}

#[test]
fn doctor_tells_none() {
    let node =
        format!("[[nodes]]\nname = \"n\"\nkind = \"viewfinder\"\nurl = \"http://n\"\nkey = \"{WORD}\"\n");
    let file = format!(
        "api_key = \"{WORD}\"\nlisten = [\"127.0.0.1:0\"]\n[listen_keys]\n\"127.0.0.1:0\" = \"{WORD}\"\n\
         [companion]\nimmich_url = \"http://127.0.0.1:1\"\ndatabase_url = \"postgres://u:{WORD}@127.0.0.1:1/d\"\n{node}"
    );
    let run = Run::new().env("VIEWFINDER_OFFLINE", "true").file("viewfinder.toml", &file);
    let output = ends(run, &["doctor"]);
    assert!(stdout(&output).contains("Immich"), "{}", stdout(&output));
    silent(&output, "doctor");
}

#[test]
fn each_may_be_kept_in_a_file() {
    for (key, variable) in secrets() {
        let secret = format!("postgres://u:{WORD}@h/d\n");
        let (table, name) = key
            .rsplit_once('.')
            .map_or((String::new(), &*key), |(table, name)| (format!("[{table}]\n"), name));
        let in_file = format!("{table}{name}_file = \"s\"\n");
        let said = format!("{key}_file=s");
        for (from, run) in [
            ("file".to_owned(), Run::new().file("viewfinder.toml", in_file)),
            (format!("environment {variable}_FILE"), Run::new().env(&format!("{variable}_FILE"), "s")),
            ("flag --set".to_owned(), Run::new().args(["--set", &said])),
        ] {
            let output = run.file("s", &secret).args(["config", "--json"]).succeeds();
            let config: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
            assert_eq!(config["settings"][&key]["from"], from, "{key}");
            assert_eq!(config["settings"][&key]["value"], "(hidden)", "{key}");
            silent(&output, &key);
        }
        let missing = Run::new().env(&format!("{variable}_FILE"), "s").args(["config"]).exits(2);
        assert!(stderr(&missing).contains(&format!("{variable}_FILE: the secret cannot be read from s")));
        let empty =
            Run::new().env(&format!("{variable}_FILE"), "s").file("s", " \n").args(["config"]).exits(2);
        assert!(stderr(&empty).contains("s holds nothing"), "{}", stderr(&empty));
    }
    let flag = Run::new().file("s", WORD).args(["config", "--json", "--api-key-file", "s"]).succeeds();
    let config: serde_json::Value = serde_json::from_str(&stdout(&flag)).unwrap();
    assert_eq!(config["settings"]["api_key"]["from"], "flag --api-key-file");
    let both = Run::new().env("VIEWFINDER_API_KEY", "a").env("VIEWFINDER_API_KEY_FILE", "s").args(["config"]);
    assert!(stderr(&both.succeeds()).contains("VIEWFINDER_API_KEY wins over VIEWFINDER_API_KEY_FILE"));
    let both = Run::new().file("viewfinder.toml", "api_key = \"a\"\napi_key_file = \"s\"\n").args(["config"]);
    assert!(stderr(&both.exits(2)).contains("viewfinder.toml:2: api_key_file: api_key is there too"));
}

#[test]
fn the_help_says_who_sees_the_command_line() {
    for (command, file) in
        [("serve", "--api-key-file"), ("search", "--catalog-url-file"), ("index", "api_key_file=FILE")]
    {
        let help = stdout(&Run::new().args([command, "--help"]).succeeds());
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            help.contains("Everybody on this machine can see what stands here") && help.contains(file),
            "{help}"
        );
    }
}

#[test]
fn a_catalogue_s_address_may_be_kept_in_a_file() {
    let run = Run::new().file("url", format!("postgres://u:{WORD}@127.0.0.1:1/d\n"));
    let output = run.args(["search", "x", "--catalog-url-file", "url"]).exits(3);
    assert!(stderr(&output).contains("127.0.0.1"), "{}", stderr(&output));
    silent(&output, "search");
    for mistyped in
        ["postgress://u:WORD@h:1/d", "postgres:/u:WORD@h/d", "u:WORD@h:1/d", "host=h password=WORD"]
    {
        let mistyped = mistyped.replace("WORD", WORD);
        let output = Run::new().args(["search", "x", "--catalog", &mistyped]).exits(2);
        assert!(stderr(&output).contains("begins with postgres://"), "{}", stderr(&output));
        silent(&output, "search");
    }
}
