//! The older Go gateway in front of a forked Immich: one shape of OCR answer that only this Immich reads.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{number::two_decimals, upright};
use viewfinder_core::ocr::Line;

/// What answers `{"ocr":{"recognition":{"modelName":"ocr"}}}`, beside all its texts in one string.
///
/// That gateway put width and height into `x2` and `y2`; these are corners, as the names say. The size of
/// the picture, which it left out, is in the answer, so that the boxes can be placed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = LegacyLines, description = "Only for the forked Immich")]
pub struct Lines {
    texts: Vec<String>,
    /// Strings of two decimals.
    scores: Vec<String>,
    boxes: Vec<Corners>,
}

/// The upright rectangle around a line, in pixels with at most two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
struct Corners {
    x1: f64,
    y1: f64,
    x2: f64,
    y2: f64,
}

impl Lines {
    /// Lines of text.
    pub fn new(lines: &[Line]) -> Self {
        let corners = |line: &Line| {
            let [x1, y1, x2, y2] = upright(&line.corners).map(two_decimals);
            Corners { x1, y1, x2, y2 }
        };
        Self {
            texts: lines.iter().map(|line| line.text.replace('\0', "")).collect(),
            scores: lines.iter().map(|line| format!("{:.2}", line.score)).collect(),
            boxes: lines.iter().map(corners).collect(),
        }
    }

    /// All texts, joined by one space: what the fork searches.
    pub fn joined(&self) -> String {
        self.texts.join(" ")
    }
}
