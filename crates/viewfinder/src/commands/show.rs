//! Findings that have a place in the picture: shown as text or JSON, and drawn into it if wished.
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;
use utoipa::ToSchema;
use viewfinder_core::{Answer, DecodeRules, PictureTask};
use viewfinder_image::{RgbImage, decode, encode};

use super::look::{json_line, look};
use crate::cli::PictureArgs;
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::wiring;

/// What one command finds in a picture. Serialises to its fields beside the picture's own.
pub(crate) trait Findings: Serialize + Sized {
    /// `None` if the answer is to another question.
    fn of(answer: Answer) -> Option<Self>;

    /// Prints them for people.
    fn print(&self, path: &Path, several_pictures: bool) -> std::io::Result<()>;

    /// Draws them with lines of `width` pixels.
    fn draw(&self, picture: &mut RgbImage, width: u32);
}

/// A question about pictures, and what to do with the answers.
pub(crate) struct Question<'a> {
    pub images: &'a [PathBuf],
    pub decode: DecodeRules,
    pub task: PictureTask,
    pub draw: Option<&'a Path>,
    pub common: &'a PictureArgs,
}

/// A picture, as JSON.
#[derive(Serialize, ToSchema)]
pub(crate) struct Picture {
    /// The file, as it was named.
    file: String,
    /// Pixels, upright.
    width: usize,
    /// Pixels, upright.
    height: usize,
}

/// A picture with what was found in it.
#[derive(Serialize)]
struct Found<'a, F> {
    #[serde(flatten)]
    picture: Picture,
    #[serde(flatten)]
    findings: &'a F,
}

/// Asks about every picture and shows what is found.
pub(crate) fn show<F: Findings>(question: &Question<'_>, loaded: &Loaded) -> Result<Outcome, Failure> {
    let Question { images, draw, common, decode: rules, ref task } = *question;
    let several = images.len() > 1;
    if draw.is_some() && several {
        let count = images.len();
        return Err(Failure::Usage(anyhow::anyhow!("--draw takes one picture; {count} were given")));
    }
    let engine = wiring::engine(loaded)?;
    look(images, &engine, &loaded.config, rules, task, common.dump.as_deref(), |path, seen| {
        let Some(findings) = F::of(seen.answer) else { return Ok(()) };
        if common.json {
            let file = path.to_string_lossy().into_owned();
            let picture = Picture { file, width: seen.width, height: seen.height };
            json_line(&Found { picture, findings: &findings })?;
        } else {
            findings.print(path, several)?;
        }
        if let Some(target) = draw {
            let limits = wiring::limits(&loaded.config);
            let picture = decode(&seen.bytes, &limits).map_err(anyhow::Error::from)?;
            write_drawn(target, picture.into_rgb(seen.decode.orient, seen.decode.alpha), &findings)?;
        }
        Ok(())
    })
}

fn write_drawn(path: &Path, mut picture: RgbImage, findings: &impl Findings) -> anyhow::Result<()> {
    // As thick as the picture is large, so that lines can be seen when it is shown whole.
    let width = u32::try_from(picture.width().max(picture.height()) / 500).unwrap_or(1).max(2);
    findings.draw(&mut picture, width);
    std::fs::write(path, encode::png(&picture)).with_context(|| format!("cannot write {}", path.display()))
}
