//! Variables of Immich's machine-learning server and of the MT Photos stack, and what they mean here.
#![expect(clippy::unnecessary_wraps, reason = "every alias has the same signature")]

use viewfinder_engine::runtime::Device;
use viewfinder_models::Role;

use super::settings::Config;
use super::value::{Preload, Value};

/// What an alias does: changes the configuration, and may have something to say about it.
type Applied = Result<Option<String>, String>;

/// The host part of an address, brackets included.
fn host(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

fn join(host: &str, port: &str) -> String {
    let bare_v6 = host.contains(':') && !host.starts_with('[');
    if bare_v6 { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn port_number(text: &str) -> Result<u16, String> {
    text.trim().parse().map_err(|_| format!("expected a port number, found `{text}`"))
}

fn first_address(config: &Config) -> String {
    config.listen.first().cloned().unwrap_or_else(|| "[::]:3003".to_owned())
}

pub(super) fn immich_host(config: &mut Config, text: &str) -> Applied {
    let first = first_address(config);
    let port = first.rsplit_once(':').map_or("3003", |(_, port)| port);
    config.listen = vec![join(text, port)];
    Ok(None)
}

pub(super) fn immich_port(config: &mut Config, text: &str) -> Applied {
    let port = port_number(text)?;
    config.listen = vec![join(host(&first_address(config)), &port.to_string())];
    Ok(None)
}

pub(super) fn another_port(config: &mut Config, text: &str) -> Applied {
    let port = port_number(text)?;
    let address = join(host(&first_address(config)), &port.to_string());
    if !config.listen.contains(&address) {
        config.listen.push(address);
    }
    Ok(None)
}

pub(super) fn immich_log_level(config: &mut Config, text: &str) -> Applied {
    let level = match text.to_ascii_lowercase().as_str() {
        "critical" | "fatal" | "error" => "error",
        "warning" | "warn" => "warn",
        "info" | "log" => "info",
        "debug" => "debug",
        "verbose" => "trace",
        _ => {
            return Err(format!(
                "`{text}` is no log level; known: critical, error, warn, log, debug, verbose"
            ));
        }
    };
    level.clone_into(&mut config.log.level);
    Ok(None)
}

/// Any value turns colour off, except the two by which Immich's own server leaves it on.
pub(super) fn no_color(config: &mut Config, text: &str) -> Applied {
    if !matches!(text.to_ascii_lowercase().as_str(), "false" | "0") {
        config.log.colour = super::value::LogColour::Never;
    }
    Ok(None)
}

pub(super) fn device(config: &mut Config, text: &str) -> Applied {
    match text.to_ascii_lowercase().as_str() {
        device @ ("armnn" | "rknn") => {
            config.engine.device = Device::Cpu;
            Ok(Some(format!("DEVICE={device} is not supported; the CPU is used")))
        }
        device => {
            config.engine.device = Value::from_text(device)?;
            Ok(None)
        }
    }
}

pub(super) fn device_ids(config: &mut Config, text: &str) -> Applied {
    let ids: Vec<u32> = Value::from_text(text)?;
    let first = *ids.first().ok_or("expected a device number")?;
    config.engine.device_id = first;
    Ok((ids.len() > 1)
        .then(|| format!("one process uses one device; MACHINE_LEARNING_DEVICE_IDS: {first} is used")))
}

/// Immich's server counts threads that wait for pictures; zero and less mean that the main thread does it all.
pub(super) fn request_threads(config: &mut Config, text: &str) -> Applied {
    let threads: i64 = text.parse().map_err(|_| format!("expected a whole number, found `{text}`"))?;
    config.engine.workers = Some(usize::try_from(threads).unwrap_or(1).max(1));
    Ok(None)
}

/// Seconds; zero and less mean never.
pub(super) fn model_ttl(config: &mut Config, text: &str) -> Applied {
    let seconds: i64 = text.parse().map_err(|_| format!("expected a number of seconds, found `{text}`"))?;
    config.engine.model_ttl = Value::from_text(&seconds.max(0).to_string())?;
    Ok(None)
}

/// The MT Photos stack names Chinese-CLIP's models without saying whose they are.
pub(super) fn clip_model(config: &mut Config, text: &str) -> Applied {
    let known = ["ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14", "RN50"];
    config.clip.model = match known.iter().find(|name| name.eq_ignore_ascii_case(text)) {
        Some(name) => format!("cn-clip/{name}"),
        None => text.to_owned(),
    };
    Ok(None)
}

fn preload(config: &mut Config, text: &str, roles: &[Role]) -> Applied {
    let models: Vec<String> = Value::from_text(text)?;
    for model in models {
        for role in roles {
            let preload = Preload { model: model.clone(), role: Some(*role) };
            if !config.engine.preload.contains(&preload) {
                config.engine.preload.push(preload);
            }
        }
    }
    Ok(None)
}

pub(super) fn preload_clip(config: &mut Config, text: &str) -> Applied {
    preload(config, text, &[Role::Textual, Role::Visual])
}

pub(super) fn preload_textual(config: &mut Config, text: &str) -> Applied {
    preload(config, text, &[Role::Textual])
}

pub(super) fn preload_visual(config: &mut Config, text: &str) -> Applied {
    preload(config, text, &[Role::Visual])
}

pub(super) fn preload_faces(config: &mut Config, text: &str) -> Applied {
    preload(config, text, &[Role::Detection, Role::Recognition])
}

pub(super) fn preload_detection(config: &mut Config, text: &str) -> Applied {
    preload(config, text, &[Role::Detection])
}

pub(super) fn preload_recognition(config: &mut Config, text: &str) -> Applied {
    preload(config, text, &[Role::Recognition])
}

/// Preloads the text half of the CLIP model, which the table of settings therefore lists before.
pub(super) fn auto_load_text(config: &mut Config, text: &str) -> Applied {
    if !text.eq_ignore_ascii_case("on") {
        return Ok(None);
    }
    let model = config.clip.model.clone();
    preload(config, &model, &[Role::Textual])
}

/// Variables that are understood and have no effect, with the reason.
pub(super) const WITHOUT_EFFECT: &[(&str, &str)] = &[
    (
        "MACHINE_LEARNING_WORKERS",
        "one process serves everything; engine.workers sets how many pictures at a time",
    ),
    ("MACHINE_LEARNING_WORKER_TIMEOUT", "no worker processes to restart"),
    ("MACHINE_LEARNING_MODEL_TTL_POLL_S", "idle models are dropped when their time is up"),
    ("MACHINE_LEARNING_HTTP_KEEPALIVE_TIMEOUT_S", "limits.head_time says how long a connection may be idle"),
    ("MACHINE_LEARNING_MODEL_INTER_OP_THREADS", "the networks run their steps one after another"),
    ("MACHINE_LEARNING_MODEL_ARENA", "memory of the CPU provider is always bounded"),
    ("MACHINE_LEARNING_MAX_BATCH_SIZE__OCR", "text batches close on their cost"),
    ("MACHINE_LEARNING_MAX_BATCH_SIZE__TEXT_RECOGNITION", "text batches close on their cost"),
    ("MACHINE_LEARNING_ANN", "ARM NN is not supported"),
    ("MACHINE_LEARNING_ANN_FP16_TURBO", "ARM NN is not supported"),
    ("MACHINE_LEARNING_ANN_TUNING_LEVEL", "ARM NN is not supported"),
    ("MACHINE_LEARNING_RKNN", "RKNN is not supported"),
    ("MACHINE_LEARNING_RKNN_THREADS", "RKNN is not supported"),
    ("MACHINE_LEARNING_OPENVINO_PRECISION", "models run in the precision of their files"),
    ("MACHINE_LEARNING_ROCM_PRECISION", "models run in the precision of their files"),
    ("MACHINE_LEARNING_TEST_FULL", "it belongs to the tests of Immich's own server"),
    ("DETECTOR_BACKEND", "faces are always found by InsightFace's detector"),
    ("CLIP_DOWNLOAD_ROOT", "it holds PyTorch weights; ONNX models live in store.root"),
    ("ONNX_PROVIDERS", "engine.device chooses the provider"),
    ("MT_USE_DML", "engine.device chooses the provider"),
];
