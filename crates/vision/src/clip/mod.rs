//! Pictures and sentences as vectors of one space: Chinese-CLIP, OpenCLIP, SigLIP, M-CLIP and nllb-CLIP.
//!
//! A picture goes through [`ImagePreprocess`] and an image network ([`embed_image`]); a sentence through a
//! [`TextTokenizer`] and a text network ([`embed_text`]). Vectors are handed on exactly as the network gives
//! them: the exports of Chinese-CLIP are not of unit length, Immich's are.

mod embed;
mod hf_text;
mod languages;
mod preprocess;
mod wordpiece;

pub use embed::{embed_image, embed_images, embed_text};
pub use hf_text::{HfFamily, HfText};
pub use languages::flores_code;
pub use preprocess::{Fit, ImagePreprocess, declared_side};
pub use wordpiece::ChineseTokenizer;

use crate::{NetworkError, Tensor};
use viewfinder_core::{ErrorCode, TaskError};

/// Why a picture or a sentence got no vector.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ClipError {
    /// The network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// The picture has no pixels.
    #[error("the picture is empty")]
    EmptyPicture,
    /// A file that belongs to the model cannot be understood.
    #[error("{file}: {reason}")]
    Config {
        /// Name of the file as model repositories have it, such as `preprocess_cfg.json`.
        file: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// The tokenizer refused the sentence.
    #[error("the sentence cannot be split into tokens: {0}")]
    Tokenize(String),
    /// The network does not take the tensors that this kind of model is fed with.
    #[error("the network does not fit its preprocessing: {0}")]
    Input(String),
    /// The network answered with something that is not a vector.
    #[error("the network gave no usable vector: {0}")]
    Output(String),
}

impl From<ClipError> for TaskError {
    fn from(error: ClipError) -> Self {
        match error {
            ClipError::Network(error) => error.into(),
            ClipError::EmptyPicture => Self::new(ErrorCode::ImageZeroSize, error),
            error => Self::new(ErrorCode::ModelBroken, error),
        }
    }
}

/// A sentence becomes the input tensors of a text network.
#[derive(Debug)]
pub enum TextTokenizer {
    /// Chinese-CLIP's own word pieces.
    Chinese(ChineseTokenizer),
    /// Any model with a Hugging Face `tokenizer.json`.
    HuggingFace(Box<HfText>),
}

impl TextTokenizer {
    /// Input tensors for one sentence, in the order in which [`TextTokenizer::input_names`] names them.
    ///
    /// `language` is a BCP-47 tag such as `zh-CN`; only nllb models use it. `any_length`: the network takes sentences of
    /// any length; only Chinese-CLIP's gain from it.
    pub fn tokenize(
        &self,
        text: &str,
        language: Option<&str>,
        any_length: bool,
    ) -> Result<Vec<Tensor>, ClipError> {
        match self {
            Self::Chinese(tokenizer) => Ok(tokenizer.tokenize(text, any_length)),
            Self::HuggingFace(tokenizer) => tokenizer.tokenize(text, language),
        }
    }

    /// What the tensors of [`TextTokenizer::tokenize`] are called in model files.
    pub fn input_names(&self) -> &'static [&'static str] {
        match self {
            Self::Chinese(_) => &["text"],
            Self::HuggingFace(tokenizer) => tokenizer.input_names(),
        }
    }
}
