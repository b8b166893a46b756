//! From a model's name and role to a network with what belongs to it.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::runtime::{Calls, Device, LibraryError, Runtime, Session, SessionError};
use viewfinder_convert::tune;
use viewfinder_core::{ErrorCode, TaskError};
use viewfinder_models::{Family, ModelFiles, Role};
use viewfinder_vision::{
    Network,
    clip::{ChineseTokenizer, HfFamily, HfText, ImagePreprocess, TextTokenizer, declared_side},
    ocr::CharacterSet,
};

/// Side of Chinese-CLIP's square input where the model file does not fix it.
const CHINESE_CLIP_SIDE: usize = 224;

/// A network in memory, and what its pipeline needs beside it.
pub(crate) struct LoadedNetwork {
    pub(crate) session: Session,
    pub(crate) preprocessing: Preprocessing,
    /// What it can be used for.
    pub(crate) family: Family,
    /// Bytes of its files, about what it takes in memory.
    pub(crate) bytes: u64,
}

pub(crate) enum Preprocessing {
    None,
    CharacterSet(CharacterSet),
    Preprocess(ImagePreprocess),
    Tokenizer(TextTokenizer),
    /// Height and width of an orientation classifier's input, where the catalogue knows them.
    Size(Option<(usize, usize)>),
}

pub(crate) fn load(runtime: &Runtime, files: &ModelFiles) -> Result<LoadedNetwork, TaskError> {
    let calls = if files.role == Role::Detection { Calls::OnePerPicture } else { Calls::Many };
    // Pictures and their lines of text come in every size; what other networks look at is brought to one.
    let session = match files.family {
        Family::PaddleOcr => open(&runtime.for_any_shapes(), &files.model, calls)?,
        _ => open(runtime, &files.model, calls)?,
    };
    let preprocessing = match (files.family, files.role) {
        (Family::PaddleOcr, Role::Recognition) => {
            let characters = session.metadata("character").ok_or_else(|| {
                broken(
                    &files.name,
                    "it carries no alphabet (metadata `character`), so it is no PP-OCR recogniser",
                )
            })?;
            Preprocessing::CharacterSet(CharacterSet::from_metadata(&characters))
        }
        (Family::PaddleOcr, Role::Classification) => Preprocessing::Size(files.input_size),
        (Family::ChineseClip, Role::Visual) => Preprocessing::Preprocess(ImagePreprocess::chinese(
            declared_side(&session).unwrap_or(CHINESE_CLIP_SIDE),
        )),
        (_, Role::Visual) => {
            let config = extra(files, "preprocess_cfg.json")?;
            Preprocessing::Preprocess(
                ImagePreprocess::from_preprocess_cfg(&config).map_err(|e| broken(&files.name, e))?,
            )
        }
        (Family::ChineseClip, Role::Textual) => {
            Preprocessing::Tokenizer(TextTokenizer::Chinese(ChineseTokenizer::new()))
        }
        (family, Role::Textual) => {
            let family = match family {
                Family::MClip => HfFamily::MClip,
                Family::Nllb => HfFamily::Nllb,
                _ => HfFamily::OpenClip,
            };
            let tokenizer = HfText::open(
                &extra(files, "tokenizer.json")?,
                &extra(files, "tokenizer_config.json")?,
                &extra(files, "config.json")?,
                family,
            )
            .map_err(|error| broken(&files.name, error))?;
            Preprocessing::Tokenizer(TextTokenizer::HuggingFace(Box::new(tokenizer)))
        }
        _ => Preprocessing::None,
    };
    Ok(LoadedNetwork { session, preprocessing, family: files.family, bytes: bytes(files) })
}

/// Bytes of a network's files. Weights may lie in files beside the graph; other engines' files do not count.
pub(crate) fn bytes(files: &ModelFiles) -> u64 {
    let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let beside = files.model.parent().and_then(|folder| fs::read_dir(folder).ok());
    let weights = beside.into_iter().flatten().filter_map(Result::ok).map(|item| item.path());
    let counts = |path: &PathBuf| {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        path.is_file() && !["onnx", "armnn", "rknn"].contains(&extension)
    };
    size(&files.model) + weights.filter(counts).map(|path| size(&path)).sum::<u64>()
}

/// Opens a model in the form that suits the device best.
fn open(runtime: &Runtime, file: &Path, calls: Calls) -> Result<Session, SessionError> {
    if runtime.device() == Device::Cpu {
        // Weights are looked for beside the file itself, not beside a link to it.
        let real = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let tuned = match tune(&real) {
            Ok(None) => None,
            Ok(Some(graph)) => {
                Some(runtime.open_rewritten(&real, &graph, calls).map_err(|error| error.to_string()))
            }
            Err(error) => Some(Err(error.to_string())),
        };
        match tuned {
            Some(Ok(session)) => return Ok(session),
            Some(Err(error)) => tracing::debug!(file = %file.display(), error, "model is used as published"),
            None => {}
        }
    }
    runtime.open(file, calls)
}

fn extra(files: &ModelFiles, name: &str) -> Result<Vec<u8>, TaskError> {
    let path = files.extra.get(name).ok_or_else(|| broken(&files.name, format!("{name} is missing")))?;
    fs::read(path).map_err(|error| broken(&files.name, format!("{name}: {error}")))
}

fn broken(model: &str, reason: impl std::fmt::Display) -> TaskError {
    TaskError::new(ErrorCode::ModelBroken, format!("model {model}: {reason}"))
}

impl From<LibraryError> for TaskError {
    fn from(error: LibraryError) -> Self {
        Self::new(ErrorCode::RuntimeUnavailable, error)
    }
}

impl From<SessionError> for TaskError {
    fn from(error: SessionError) -> Self {
        let code = match &error {
            SessionError::Device { .. } => ErrorCode::DeviceUnavailable,
            SessionError::Model { .. } => ErrorCode::ModelBroken,
        };
        Self::new(code, error)
    }
}
