//! Which models suit this machine, and how long they will take, as far as they are here to be measured.
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use indicatif::{HumanBytes, HumanDuration};
use serde::Serialize;
use viewfinder_core::{DecodeRules, PictureRequest, PictureTask, resident_bytes};
use viewfinder_engine::{Engine, EngineConfig, runtime::usable_bytes, sample_pictures};
use viewfinder_models::{ModelStatus, State, Store, StoreConfig};

use super::look::json_line;
use super::models_list::{bytes, state};
use crate::config::{Config, Kind, Loaded};
use crate::failure::{Failure, Outcome};
use crate::guide::{self, Use};
use crate::{output, wiring};

/// For so many pictures times are told.
const PICTURES: u32 = 10_000;
/// How often each of the pictures is looked at.
const ROUNDS: usize = 2;
/// Of a picture's entry in a catalogue: 5.1 kB measured with 100,000 pictures (BENCHMARKS.md).
const ENTRY_BYTES: u64 = 5_120;

/// All that is said.
#[derive(Serialize)]
struct Advice {
    machine: Machine,
    language: String,
    take: Vec<Take>,
    measured: Vec<Measured>,
    not_measured: Vec<NotMeasured>,
    /// For 10,000 pictures, with everything that was measured.
    seconds_for_10000: Option<f64>,
    memory: Memory,
    disk: Disk,
}

#[derive(Serialize)]
struct Machine {
    cores: usize,
    memory_bytes: Option<u64>,
    device: String,
}

/// A model to take for a use.
#[derive(Serialize)]
struct Take {
    #[serde(rename = "use")]
    for_what: Use,
    model: String,
    languages: Option<&'static str>,
    licence: Option<String>,
    /// Is it in the configuration already?
    configured: bool,
    here: State,
    bytes: Option<u64>,
    /// What to write into the configuration.
    setting: String,
    fetch: String,
}

#[derive(Serialize)]
struct Measured {
    #[serde(rename = "use")]
    for_what: Use,
    model: String,
    seconds_per_picture: f64,
    seconds_for_10000: f64,
}

#[derive(Serialize)]
struct NotMeasured {
    #[serde(rename = "use")]
    for_what: Use,
    model: String,
    why: String,
}

#[derive(Serialize)]
struct Memory {
    /// What this program held after measuring, with the models that it measured.
    held_bytes: Option<u64>,
    /// What models may take at most, by `engine.model_bytes`.
    models_at_most_bytes: Option<u64>,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "programs read the unit")]
struct Disk {
    /// Of the configured models, as far as their sizes are known.
    models_bytes: u64,
    catalogue_bytes: u64,
    /// At most, by `catalog.thumbnail_bytes`.
    thumbnails_at_most_bytes: u64,
}

/// Says which models to take, and measures those of the configuration that are here.
pub(super) fn run(
    store: &Store,
    language: Option<&str>,
    json: bool,
    loaded: &Loaded,
) -> Result<Outcome, Failure> {
    let config = &loaded.config;
    let language = base(&language.map_or_else(of_environment, str::to_owned));
    let memory = usable_bytes();
    let listed = store.list();
    let take = takes(&language, memory, &listed, config, store);
    let (measured, not_measured) = measure(store, &listed, loaded)?;
    let total: f64 = measured.iter().map(|measured| measured.seconds_for_10000).sum();
    let advice = Advice {
        machine: Machine {
            cores: thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: memory,
            device: config.engine.device.to_string(),
        },
        memory: Memory {
            held_bytes: (!measured.is_empty()).then(resident_bytes).flatten(),
            models_at_most_bytes: config
                .engine
                .model_bytes
                .map(|bytes| bytes as u64)
                .or(memory.map(|memory| memory / 2)),
        },
        disk: Disk {
            models_bytes: configured(config).filter_map(|(_, name)| bytes(find(&listed, store, name)?)).sum(),
            catalogue_bytes: u64::from(PICTURES) * ENTRY_BYTES,
            thumbnails_at_most_bytes: config.catalog.thumbnail_bytes,
        },
        seconds_for_10000: (!measured.is_empty()).then_some(total),
        language,
        take,
        measured,
        not_measured,
    };
    if json {
        json_line(&advice)?;
    } else {
        tell(&advice)?;
    }
    Ok(Outcome::Done)
}

/// The configured model of each kind that `index` looks for.
fn configured(config: &Config) -> impl Iterator<Item = (Use, &str)> {
    config.index.kinds.iter().map(|kind| match kind {
        Kind::Ocr => (Use::Text, config.ocr.model.as_str()),
        Kind::Clip => (Use::Meaning, config.clip.model.as_str()),
        Kind::Faces => (Use::Faces, config.faces.model.as_str()),
    })
}

fn find<'a>(listed: &'a [ModelStatus], store: &Store, name: &str) -> Option<&'a ModelStatus> {
    let known = store.catalogue().find(name)?;
    listed.iter().find(|model| model.name == known.name)
}

fn takes(
    language: &str,
    memory: Option<u64>,
    listed: &[ModelStatus],
    config: &Config,
    store: &Store,
) -> Vec<Take> {
    let wanted = [
        (Use::Text, "ocr", guide::text_model(language), &config.ocr.model),
        (Use::Meaning, "clip", guide::meaning_model(language, memory), &config.clip.model),
        (Use::Faces, "faces", guide::face_model(memory), &config.faces.model),
    ];
    let take = |(for_what, section, name, now): (Use, &str, &str, &String)| {
        let entry = store.catalogue().find(name)?;
        let model = find(listed, store, name);
        Some(Take {
            for_what,
            model: name.to_owned(),
            languages: guide::languages(name, entry.family),
            licence: entry.licence.clone(),
            configured: store.catalogue().find(now).is_some_and(|now| now.name == entry.name),
            here: model.map_or(State::Absent, state),
            bytes: model.and_then(bytes),
            setting: format!("{section}.model = \"{name}\""),
            fetch: format!("viewfinder models pull {name}"),
        })
    };
    wanted.into_iter().filter_map(take).collect()
}

/// Times each configured model that is here. Nothing is fetched for it.
fn measure(
    store: &Store,
    listed: &[ModelStatus],
    loaded: &Loaded,
) -> Result<(Vec<Measured>, Vec<NotMeasured>), Failure> {
    let config = &loaded.config;
    let given = wiring::engine_config(loaded)?;
    let models = StoreConfig { offline: true, ..given.models };
    let engine_config = EngineConfig { models, model_ttl: None, ..given };
    let engine = Engine::new(engine_config)?;
    let (mut measured, mut not_measured) = (Vec::new(), Vec::new());
    for (for_what, model) in configured(config) {
        let not = |why: String| NotMeasured { for_what, model: model.to_owned(), why };
        if find(listed, store, model).is_none_or(|found| state(found) != State::Present) {
            not_measured.push(not(format!("it is not here; `viewfinder models pull {model}` fetches it")));
            continue;
        }
        match time(&engine, &task(for_what, model, config)) {
            Ok(each) => measured.push(Measured {
                for_what,
                model: model.to_owned(),
                seconds_per_picture: each.as_secs_f64(),
                seconds_for_10000: (each * PICTURES).as_secs_f64(),
            }),
            Err(why) => not_measured.push(not(why)),
        }
    }
    Ok((measured, not_measured))
}

/// As `index` asks.
fn task(for_what: Use, model: &str, config: &Config) -> PictureTask {
    let model = model.to_owned();
    match for_what {
        Use::Text => PictureTask::Text {
            detection: model.clone(),
            recognition: model,
            options: wiring::ocr_options(crate::config::OcrProfile::Viewfinder),
        },
        Use::Faces => PictureTask::Faces {
            detection: model.clone(),
            recognition: model,
            min_score: config.faces.min_score,
        },
        Use::Meaning | Use::Runtime => PictureTask::Embed { model },
    }
}

/// How long a picture takes when as many are in work as the machine is set to, the time to load the model apart.
fn time(engine: &Engine, task: &PictureTask) -> Result<Duration, String> {
    let ask = |bytes: &'static [u8]| {
        let request = PictureRequest {
            bytes: Bytes::from_static(bytes),
            decode: DecodeRules::UPRIGHT,
            tasks: vec![task.clone()],
        };
        let answer = engine.picture_dumped(request, None).map_err(|error| error.to_string())?;
        answer.answers.into_iter().try_for_each(|answer| answer.map(drop)).map_err(|error| error.to_string())
    };
    let pictures = sample_pictures();
    pictures.iter().try_for_each(|picture| ask(picture))?;
    let waiting: Vec<_> = pictures.iter().cycle().take(pictures.len() * ROUNDS).copied().collect();
    let workers = engine.status().workers.max(1);
    let start = Instant::now();
    let done: Result<(), String> = thread::scope(|scope| {
        let share = waiting.len().div_ceil(workers);
        let threads: Vec<_> = waiting
            .chunks(share)
            .map(|share| scope.spawn(move || share.iter().try_for_each(|picture| ask(picture))))
            .collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err("it ended by a defect".to_owned())))
    });
    done.map(|()| start.elapsed() / waiting.len() as u32)
}

/// `zh` of `zh_CN.UTF-8` and of `zh-CN`.
fn base(tag: &str) -> String {
    let language = tag.split(['_', '-', '.', '@']).next().unwrap_or_default().to_ascii_lowercase();
    if matches!(language.as_str(), "" | "c" | "posix") { "en".to_owned() } else { language }
}

fn of_environment() -> String {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    ["LC_ALL", "LC_MESSAGES", "LANG"].into_iter().find_map(set).unwrap_or_default()
}

fn tell(advice: &Advice) -> std::io::Result<()> {
    let Machine { cores, memory_bytes, device } = &advice.machine;
    let memory = memory_bytes.map_or_else(|| "unknown".to_owned(), |bytes| HumanBytes(bytes).to_string());
    output::line(&format!("This machine: {cores} cores, {memory} of memory, device {device}"))?;
    output::line("")?;
    output::line(&format!("What to take for the language `{}` (--language for another):", advice.language))?;
    advice.take.iter().try_for_each(tell_take)?;
    output::line("")?;
    output::line(&format!("{PICTURES} pictures, timed on three small ones that come with the program:"))?;
    for Measured { model, seconds_per_picture, seconds_for_10000, .. } in &advice.measured {
        let whole = HumanDuration(Duration::from_secs_f64(*seconds_for_10000));
        output::line(&format!("  {model}: {seconds_per_picture:.3} s a picture, about {whole}"))?;
    }
    for NotMeasured { model, why, .. } in &advice.not_measured {
        output::line(&format!("  {model}: not measured: {why}"))?;
    }
    if let Some(seconds) = advice.seconds_for_10000 {
        let whole = HumanDuration(Duration::from_secs_f64(seconds));
        output::line(&format!(
            "  together: about {whole} while the machine does nothing else; much text, large files and slow disks take longer"
        ))?;
    }
    tell_room(&advice.memory, &advice.disk)
}

fn tell_take(take: &Take) -> std::io::Result<()> {
    let Take { model, languages, licence, configured, here, bytes, setting, fetch, .. } = take;
    let facts = [
        languages.map(str::to_owned),
        bytes.map(|bytes| HumanBytes(bytes).to_string()),
        licence.clone(),
        Some(if *here == State::Present { "here".to_owned() } else { format!("not here: {fetch}") }),
        Some(if *configured { "configured".to_owned() } else { format!("set {setting}") }),
    ];
    output::line(&format!("  {model}: {}", facts.into_iter().flatten().collect::<Vec<_>>().join("; ")))
}

fn tell_room(memory: &Memory, disk: &Disk) -> std::io::Result<()> {
    let human = |bytes: u64| HumanBytes(bytes).to_string();
    let held = memory.held_bytes.map(|bytes| format!("{} held with the models measured", human(bytes)));
    let most = memory
        .models_at_most_bytes
        .map(|bytes| format!("models take {} at most (engine.model_bytes)", human(bytes)));
    let said: Vec<_> = [held, most].into_iter().flatten().collect();
    output::line("")?;
    output::line(&format!(
        "Memory: {}",
        if said.is_empty() { "unknown".to_owned() } else { said.join("; ") }
    ))?;
    let models = if disk.models_bytes > 0 { human(disk.models_bytes) } else { "of unknown size".to_owned() };
    output::line(&format!(
        "Disk: models {models}; catalogue about {} for {PICTURES} pictures; small pictures up to {} (catalog.thumbnail_bytes)",
        human(disk.catalogue_bytes),
        human(disk.thumbnails_at_most_bytes)
    ))
}

#[cfg(test)]
mod tests {
    use super::base;

    #[test]
    fn a_language_is_told_from_its_tag_or_locale() {
        for (tag, language) in
            [("zh_CN.UTF-8", "zh"), ("es-MX", "es"), ("C.UTF-8", "en"), ("", "en"), ("KO", "ko")]
        {
            assert_eq!(base(tag), language, "{tag}");
        }
    }
}
