use std::path::Path;

use serde::Serialize;
use utoipa::ToSchema;
use viewfinder_core::{Alpha, Answer, DecodeRules, PictureTask, ocr::Line};
use viewfinder_image::{RgbImage, draw};

use super::show::{Findings, Question, show};
use crate::cli::OcrArgs;
use crate::config::{Loaded, OcrProfile};
use crate::failure::{Failure, Outcome};
use crate::{output, wiring};

/// One picture's text.
#[derive(Serialize, ToSchema)]
pub(crate) struct Text {
    /// Lines in reading order.
    lines: Vec<ReadLine>,
}

/// A line of text.
#[derive(Serialize, ToSchema)]
struct ReadLine {
    /// What it says.
    text: String,
    /// Confidence of the recognition, 0 to 1.
    score: f64,
    /// Corners, clockwise from the text's upper left, as x and y in pixels of the upright picture.
    #[serde(rename = "box")]
    corners: [[f32; 2]; 4],
}

/// Reads the text in pictures.
pub(crate) fn run(args: &OcrArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let config = &loaded.config;
    let profile = match &args.profile {
        Some(name) => name.parse().map_err(|error: String| Failure::Usage(anyhow::Error::msg(error)))?,
        None => config.ocr.profile,
    };
    let model = args.model.as_ref().unwrap_or(&config.ocr.model);
    let question = Question {
        images: &args.images,
        decode: DecodeRules {
            orient: true,
            alpha: if profile == OcrProfile::Immich { Alpha::Drop } else { Alpha::Contrast },
            max_side: None,
        },
        task: PictureTask::Text {
            detection: model.clone(),
            recognition: model.clone(),
            options: wiring::ocr_options(profile),
        },
        draw: args.draw.as_deref(),
        common: &args.common,
    };
    show::<Text>(&question, loaded)
}

impl Findings for Text {
    fn of(answer: Answer) -> Option<Self> {
        let Answer::Text(lines) = answer else { return None };
        let line = |Line { text, score, corners, .. }| ReadLine { text, score, corners };
        Some(Self { lines: lines.into_iter().map(line).collect() })
    }

    fn print(&self, path: &Path, several_pictures: bool) -> std::io::Result<()> {
        for line in &self.lines {
            if several_pictures {
                output::line(&format!("{}: {}", path.display(), line.text))?;
            } else {
                output::line(&line.text)?;
            }
        }
        Ok(())
    }

    fn draw(&self, picture: &mut RgbImage, width: u32) {
        for line in &self.lines {
            draw::polygon(picture, &line.corners, [230, 30, 30], width);
        }
    }
}
