//! Folders and pictures made to be read wrongly.

use std::{
    ffi::OsStr,
    fs,
    io::Write as _,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    MB, Outcome,
    ground::{Ground, SECRET},
};
use crate::{http, server};

/// Longest time to index a few files.
const PATIENCE: Duration = Duration::from_secs(180);
/// The most that `index` and the programs that it calls may hold together, with our own reader of text in it.
const INDEX_MEMORY: u64 = 1_600 * MB;
/// Requests at a time for a file that never answers.
const STUCK: usize = 100;

pub(super) fn links(ground: &Ground) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let (pictures, outside) = (ground.pictures(), ground.outside());
    let targets = [
        ("link-passwd.jpg", PathBuf::from("/etc/passwd")),
        ("link-config.jpg", pictures.join("../viewfinder.toml")),
        ("link-secret.jpg", outside.join("secret.txt")),
        ("link-photo.jpg", outside.join("photo.jpg")),
        ("link-zero.jpg", PathBuf::from("/dev/zero")),
        ("link-folder", outside.clone()),
    ];
    for (name, target) in &targets {
        symlink(target, pictures.join(name))?;
    }
    pipe(&pictures.join("pipe.jpg"))?;
    for (folder, rules) in [("rules-pipe", None), ("rules-zero", Some("/dev/zero"))] {
        let folder = pictures.join(folder);
        fs::create_dir(&folder)?;
        fs::copy(pictures.join("0000.jpg"), folder.join("0000.jpg"))?;
        match rules {
            None => pipe(&folder.join(".viewfinderignore"))?,
            Some(target) => symlink(target, folder.join(".viewfinderignore"))?,
        }
    }
    // Hidden in a picture's place once it is known.
    index(ground, &pictures, &mut outcome)?;
    for name in ["0001.jpg", "0002.jpg", "0003.jpg"] {
        fs::rename(pictures.join(name), outside.join(name))?;
    }
    symlink(outside.join("0001.jpg"), pictures.join("0001.jpg"))?;
    pipe(&pictures.join("0002.jpg"))?;
    symlink(outside.join("secret.txt"), pictures.join("0003.jpg"))?;

    let assets = assets(ground)?;
    ensure!(assets.iter().any(|(_, name)| name == "0002.jpg"), "the folder is not in the catalogue");
    for (id, name) in &assets {
        for part in ["file", "thumbnail"] {
            let (status, body) = get(ground, &format!("/api/v1/assets/{id}/{part}"))?;
            outcome.sent += 1;
            let good =
                name.starts_with("000") && !matches!(name.as_str(), "0001.jpg" | "0002.jpg" | "0003.jpg");
            // Kept small pictures were made of what was there.
            if status == 200 && !good && part == "file" || body.contains(SECRET) || body.contains("root:") {
                outcome.wrong.push(format!("{part} of {name} answers {status}"));
            }
        }
    }
    if let Some((id, _)) = assets.iter().find(|(_, name)| name == "0002.jpg") {
        std::thread::scope(|scope| -> Result<()> {
            for _ in 0..STUCK {
                scope.spawn(|| drop(get(ground, &format!("/api/v1/assets/{id}/file"))));
            }
            let (status, _) = get(ground, "/api/v1/status")?;
            ensure!(status == 200, "/api/v1/status answers {status} beside a file that is a pipe");
            Ok(())
        })?;
        outcome.sent += STUCK;
    }
    Ok(outcome)
}

/// Names and videos.
pub(super) fn folder(ground: &Ground) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let folder = ground.scratch("hostile")?;
    let picture = fs::read(ground.pictures().join("0000.jpg"))?;
    let names: [&[u8]; 7] = [
        b"-rf.jpg",
        b"$(touch injected).jpg",
        b";touch injected;.jpg",
        b"line\nbreak.jpg",
        b"not-utf8-\xff\xfe.jpg",
        "right\u{202e}gpj.exe.jpg".as_bytes(),
        b"%s%n%x.jpg",
    ];
    for name in names {
        fs::write(folder.join(OsStr::from_bytes(name)), &picture)?;
    }
    fs::write(folder.join(format!("{}.jpg", "n".repeat(251))), &picture)?;
    let outside = ground.outside();
    let target = outside.join("photo.jpg");
    let target = target.display();
    let texts = [
        ("playlist.mp4", format!("#EXTM3U\n#EXTINF:1,\nfile:{target}\n#EXT-X-ENDLIST\n")),
        ("concat.mkv", format!("ffconcat version 1.0\nfile '{target}'\nduration 1\n")),
        (
            "drawn.png",
            "<svg xmlns=\"http://www.w3.org/2000/svg\"><image href=\"/etc/passwd\"/></svg>".to_owned(),
        ),
        ("text.heic", "no picture at all".repeat(100)),
        ("text.nef", "no picture at all".repeat(100)),
        ("empty.jpg", String::new()),
        ("-i.mp4", "no video".to_owned()),
    ];
    for (name, text) in &texts {
        fs::write(folder.join(name), text)?;
    }
    // A picture of 8K, of one colour: a hundred kilobytes.
    let made = Command::new("ffmpeg")
        .args(["-v", "error", "-y", "-f", "lavfi", "-i", "color=c=green:s=7680x4320:d=3:r=25"])
        .args(["-c:v", "mpeg4", "-q:v", "31"])
        .arg(folder.join("8k.mp4"))
        .stdin(Stdio::null())
        .status();
    ensure!(made.is_ok_and(|status| status.success()), "ffmpeg makes no video");
    index(ground, &folder, &mut outcome)?;
    if folder.join("injected").exists() || Path::new("injected").exists() {
        outcome.wrong.push("a name became a command".to_owned());
    }
    for (id, name) in assets(ground)? {
        if ["playlist.mp4", "concat.mkv", "drawn.png"].contains(&name.as_str()) {
            let (status, _) = get(ground, &format!("/api/v1/assets/{id}/thumbnail"))?;
            if status == 200 {
                outcome.wrong.push(format!("{name} shows what lies elsewhere"));
            }
        }
    }
    Ok(outcome)
}

/// Pictures that promise more than they hold, or hold more than they promise.
pub(super) fn pictures(ground: &Ground) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let jpeg = fs::read(ground.pictures().join("0000.jpg"))?;
    let mut bitmap = b"BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0".to_vec();
    bitmap.extend(60_000_u32.to_le_bytes());
    bitmap.extend(60_000_u32.to_le_bytes());
    bitmap.extend([1, 0, 24, 0]);
    bitmap.resize(54, 0);
    let gif = |side: u16| {
        let mut gif = b"GIF89a".to_vec();
        gif.extend(side.to_le_bytes());
        gif.extend(side.to_le_bytes());
        gif.extend([0, 0, 0]);
        gif
    };
    let samples: [(&str, Vec<u8>); 6] = [
        ("a bitmap of 60,000 by 60,000", bitmap),
        ("half a JPEG", jpeg[..jpeg.len() / 2].to_vec()),
        ("a GIF of 65,535 by 65,535", gif(65_535)),
        ("a GIF without pictures", gif(100)),
        ("a TIFF of offsets", [b"II*\0\x08\0\0\0".as_slice(), &[0xff; 4000]].concat()),
        ("a WebP without content", b"RIFF\xff\xff\xff\x7fWEBPVP8L\xff\xff\xff\x7f/\xff\xff\xff\xff".to_vec()),
    ];
    for (name, sample) in samples {
        let body = http::question(server::TEXT, "image", &sample);
        let (status, answer) = http::ask_predict(&ground.gateway(), &body)?;
        outcome.sent += 1;
        // What ends too early is read as far as it goes, as by the libraries that others use.
        if status >= 500 || status == 200 && name != "half a JPEG" {
            outcome.wrong.push(format!("{name}: {status} {answer:.100}"));
        }
    }
    Ok(outcome)
}

fn pipe(path: &Path) -> Result<()> {
    let made = Command::new("mkfifo").arg(path).status().context("cannot start mkfifo")?;
    ensure!(made.success(), "no pipe at {}", path.display());
    Ok(())
}

/// Indexes a folder, and watches the time and the memory that it takes.
fn index(ground: &Ground, folder: &Path, outcome: &mut Outcome) -> Result<()> {
    let log = ground.scratch("logs")?.join("index.log");
    let mut output = fs::File::create(&log)?;
    writeln!(output, "{}", folder.display())?;
    let mut child = ground
        .command()
        .arg("index")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()?;
    let deadline = Instant::now() + PATIENCE;
    let mut most = 0;
    while child.try_wait()?.is_none() {
        most = most.max(server::peak_of_family(child.id()).unwrap_or_default());
        if Instant::now() > deadline {
            outcome.wrong.push(format!("indexing {} does not end; see {}", folder.display(), log.display()));
            child.kill()?;
            child.wait()?;
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    outcome.sent += fs::read_dir(folder)?.count();
    let said = fs::read_to_string(&log).unwrap_or_default();
    if said.contains("panicked") {
        outcome.wrong.push(format!("indexing {} panics; see {}", folder.display(), log.display()));
    }
    if most > INDEX_MEMORY {
        outcome.wrong.push(format!("indexing {} takes {} MB", folder.display(), most / MB));
    }
    Ok(())
}

/// Ids and names of everything in the catalogue.
fn assets(ground: &Ground) -> Result<Vec<(u64, String)>> {
    let (status, body) = get(ground, "/api/v1/search?limit=100")?;
    ensure!(status == 200, "a search answers {status}");
    let found: Value = serde_json::from_str(&body)?;
    let hits = found["hits"].as_array().context("no hits")?.iter();
    let asset = |hit: &Value| Some((hit["asset"]["id"].as_u64()?, hit["asset"]["name"].as_str()?.to_owned()));
    Ok(hits.filter_map(asset).collect())
}

/// Asks as the owner.
fn get(ground: &Ground, path: &str) -> Result<(u16, String)> {
    let head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
        ground.token
    );
    http::send(&ground.gateway(), &head, b"")
}
