//! Chinese-CLIP's networks from its weights.
//!
//! The graphs are plain ONNX, so that every execution provider can run them: written with ONNX Runtime's own fused
//! operators for attention, normalisation and activation they measured no faster on a CPU, because its optimiser finds
//! those patterns by itself. What it does not find is done here: one product for query, key and value; rows of all
//! pictures in one matrix; a last block in which only the class token asks.

mod architecture;
mod graph;
mod resnet;
mod text;
mod vision_transformer;

pub use architecture::{Architecture, ResNet, Text, Vision, VisionTransformer};

use std::path::Path;

use crate::{
    ConvertError,
    checkpoint::Weights,
    precision::{PRECISION_KEY, Precision},
};
use graph::Graph;

/// Name of the image network's output, as the original package's exporter has it.
const IMAGE_OUTPUT: &str = "unnorm_image_features";
/// Name of the text network's output.
const TEXT_OUTPUT: &str = "unnorm_text_features";

/// Where weights come from, as their model files tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Where they are published, or the name of the file.
    pub source: String,
    /// SHA-256 of that file in lower-case hex.
    pub sha256: String,
}

/// A conversion: what is written, and who is told.
pub struct Conversion<'a> {
    /// The weights.
    pub weights: &'a Weights,
    /// What they are of.
    pub architecture: &'a Architecture,
    /// Where they come from.
    pub origin: &'a Origin,
    /// Told of the bytes of each weight that was written.
    pub progress: &'a dyn Fn(u64),
}

impl Conversion<'_> {
    /// Writes the image network to `path`, with its weights beside it: `image`, f32 `[batch, 3, side, side]`, to
    /// `unnorm_image_features`, f32 `[batch, embedding]`.
    pub fn write_visual(&self, path: &Path) -> Result<(), ConvertError> {
        let mut graph = Graph::new(path, "chinese-clip-visual", self.weights, self.progress)?;
        let embedding = self.architecture.embedding;
        match &self.architecture.vision {
            Vision::Transformer(vision) => vision_transformer::build(&mut graph, vision, embedding)?,
            Vision::ResNet(vision) => resnet::build(&mut graph, vision, embedding)?,
        }
        graph.finish(&self.properties())
    }

    /// Writes the text network to `path`, with its weights beside it: `text`, i64 `[batch, length]`, to
    /// `unnorm_text_features`, f32 `[batch, embedding]`.
    pub fn write_textual(&self, path: &Path) -> Result<(), ConvertError> {
        let mut graph = Graph::new(path, "chinese-clip-textual", self.weights, self.progress)?;
        text::build(&mut graph, &self.architecture.text, self.architecture.embedding)?;
        graph.finish(&self.properties())
    }

    /// What the model files say of themselves.
    fn properties(&self) -> [(&'static str, String); 6] {
        [
            ("viewfinder.family", "chinese-clip".to_owned()),
            ("viewfinder.size", self.architecture.size().unwrap_or("unpublished").to_owned()),
            ("viewfinder.source", self.origin.source.clone()),
            ("viewfinder.source_sha256", self.origin.sha256.clone()),
            (PRECISION_KEY, Precision::Fp32.to_string()),
            ("viewfinder.converter", env!("CARGO_PKG_VERSION").to_owned()),
        ]
    }
}
