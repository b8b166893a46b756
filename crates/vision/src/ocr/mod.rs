//! Reads the text in a picture: where it is ([`detect`]), and what it says ([`read`]).
//!
//! In order, each stage in its file: bound and pad the picture (`prescale`); let the detector mark text
//! pixels (`detect`, `pack`); turn its map into rotated boxes (`postprocess`, with `contours`, `rect`, `fill` and
//! `unclip`); put them in reading order (`layout`); straighten each line (`crop`); turn those that are upside down
//! (`classify`); read them (`recognize`). All that differs between profiles is data, in `recipe`.
//!
//! Profile [`Viewfinder`](viewfinder_core::ocr::Profile::Viewfinder) reads quickly first, and a second time, with more
//! care, only where the first reading cannot be trusted (`second_pass`); `merge` makes one answer of both.
//!
//! Networks are those of PP-OCR v4, v5 and v6.

mod bidi;
mod classify;
mod contours;
mod crop;
mod detect;
mod fill;
mod layout;
mod merge;
mod pack;
mod postprocess;
mod prescale;
mod recipe;
mod recognize;
mod rect;
mod second_pass;
mod unclip;

use std::borrow::Cow;
use std::sync::OnceLock;

use viewfinder_core::{
    ErrorCode, TaskError,
    ocr::{Line, Options, Region},
};
use viewfinder_image::{RgbImage, rotate};

use crate::dump::Prefixed;
use crate::{Dump, Network, NetworkError, Parallel};
use crop::Crop;
use prescale::Mapping;
use recipe::{Recipe, TurnRule};
use recognize::Reading;

pub use recognize::CharacterSet;

/// Four corners: top left, top right, bottom right, bottom left, each x then y.
type Quad = [[f32; 2]; 4];

/// The networks that [`read`] needs.
#[derive(Clone, Copy)]
pub struct Networks<'a> {
    /// Marks text pixels: `[1, 3, H, W]` to `[1, 1, H, W]`.
    pub detection: &'a dyn Network,
    /// Tells upside-down lines. Without one, and in profiles that use none, lines are read as they lie.
    pub classification: Option<Classifier<'a>>,
    /// Reads lines: `[N, 3, 48, W]` to `[N, T, C]`.
    pub recognition: &'a dyn Network,
    /// The recogniser's characters.
    pub characters: &'a CharacterSet,
}

/// An orientation classifier.
#[derive(Clone, Copy)]
pub struct Classifier<'a> {
    /// The network, `[N, 3, H, W]` to `[N, 2]`.
    pub network: &'a dyn Network,
    /// The height and width it was trained with, for networks that leave `H` and `W` free; 48 and 192 if unknown.
    pub size: Option<(usize, usize)>,
}

/// Why no text could be looked for.
#[derive(Clone, Debug, thiserror::Error)]
pub enum OcrError {
    /// A network failed.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A network answered in another shape than networks of its kind do: it is not one.
    #[error("the {network} gave no output of shape {expected}: this model file is of another kind")]
    Output {
        /// Which network.
        network: &'static str,
        /// The shape that was expected.
        expected: String,
    },
}

impl From<OcrError> for TaskError {
    fn from(error: OcrError) -> Self {
        match error {
            OcrError::Network(error) => error.into(),
            error @ OcrError::Output { .. } => Self::new(ErrorCode::ModelBroken, error),
        }
    }
}

/// Reads the text in `picture`: only lines that the options' scores admit, in reading order
/// (profile [`Immich`](viewfinder_core::ocr::Profile::Immich): in its server's, roughly the lowest first).
pub fn read(
    picture: &RgbImage,
    networks: &Networks<'_>,
    options: &Options,
    parallel: &dyn Parallel,
    dump: Option<&dyn Dump>,
) -> Result<Vec<Line>, OcrError> {
    let recipe = Recipe::of(options);
    let mut lines = read_once(picture, networks, options, &recipe, parallel, dump)?;
    if let Some((trust, careful)) = Recipe::second_look(options)
        && !trust.accepts(&lines, recipe.scale(picture))
    {
        let again = dump.map(|dump| Prefixed { prefix: "careful-", dump });
        let again = again.as_ref().map(|dump| dump as &dyn Dump);
        let careful = read_once(picture, networks, options, &careful, parallel, again)?;
        lines = merge::complete(careful, lines, trust.weak_below);
    }
    if let Some(dump) = dump {
        dump.json("lines", serde_json::json!(lines));
    }
    Ok(lines)
}

/// Reads `picture` by one recipe.
fn read_once(
    picture: &RgbImage,
    networks: &Networks<'_>,
    options: &Options,
    recipe: &Recipe,
    parallel: &dyn Parallel,
    dump: Option<&dyn Dump>,
) -> Result<Vec<Line>, OcrError> {
    let Some((page, mapping)) = page(picture, recipe) else { return Ok(Vec::new()) };
    let regions = find(&page, networks.detection, recipe, dump)?;
    let crops: Vec<Crop> = regions.iter().map(|region| Crop::new(region.corners)).collect();
    let ratios: Vec<f64> = crops.iter().map(Crop::ratio).collect();
    let runs = recipe.recognition.plan(&ratios, options.lines_per_run);

    let results: Vec<OnceLock<Result<Vec<Reading>, OcrError>>> =
        runs.iter().map(|_| OnceLock::new()).collect();
    parallel.for_each(runs.len(), &|i| {
        let run = &runs[i];
        let read = || {
            let mut lines: Vec<RgbImage> =
                run.lines.iter().map(|&i| crops[i].cut(&page, recipe.warp)).collect();
            if let (TurnRule::Classified { above }, Some(classifier)) = (recipe.turn, networks.classification)
            {
                let turned = classify::upside_down(&lines, classifier, above)?;
                for (line, turned) in lines.iter_mut().zip(turned) {
                    if turned {
                        *line = rotate::half(line);
                    }
                }
            }
            if let Some(dump) = dump {
                for (&i, line) in run.lines.iter().zip(&lines) {
                    dump.picture(&format!("crop-{i:03}"), line);
                }
            }
            let recognize = |lines: &[RgbImage]| {
                recognize::recognize(lines, run.width, networks.recognition, networks.characters)
            };
            let mut readings = recognize(&lines)?;
            if let TurnRule::IfReadBetter { below, by } = recipe.turn {
                let weak: Vec<usize> = (0..lines.len()).filter(|&i| readings[i].score < below).collect();
                if !weak.is_empty() {
                    let turned: Vec<RgbImage> = weak.iter().map(|&i| rotate::half(&lines[i])).collect();
                    for (i, reading) in weak.into_iter().zip(recognize(&turned)?) {
                        if reading.score > readings[i].score + by {
                            readings[i] = reading;
                        }
                    }
                }
            }
            Ok(readings)
        };
        // Each index is worked on once, so there is never a value already.
        let _ = results[i].set(read());
    });

    let mut readings: Vec<Option<Reading>> = regions.iter().map(|_| None).collect();
    for (run, result) in runs.iter().zip(results) {
        if let Some(read) = result.into_inner() {
            for (&line, reading) in run.lines.iter().zip(read?) {
                readings[line] = Some(reading);
            }
        }
    }
    Ok(regions
        .iter()
        .zip(readings)
        .filter_map(|(region, reading)| Some((region, reading?)))
        .filter(|(_, reading)| recipe.keep.accepts(&reading.text, reading.score))
        .map(|(region, Reading { text, score })| Line {
            text,
            score,
            region_score: region.score,
            corners: mapping.back(region.corners),
        })
        .collect())
}

/// Finds the text in `picture` without reading it, in the same order as [`read`].
pub fn detect(
    picture: &RgbImage,
    network: &dyn Network,
    options: &Options,
    dump: Option<&dyn Dump>,
) -> Result<Vec<Region>, OcrError> {
    let recipe = Recipe::of(options);
    let Some((page, mapping)) = page(picture, &recipe) else { return Ok(Vec::new()) };
    let mut regions = find(&page, network, &recipe, dump)?;
    for region in &mut regions {
        region.corners = mapping.back(region.corners);
    }
    Ok(regions)
}

/// The picture as detection and cropping see it; `None` if it is too small to hold text.
fn page<'a>(picture: &'a RgbImage, recipe: &Recipe) -> Option<(Cow<'a, RgbImage>, Mapping)> {
    if picture.width().min(picture.height()) < recipe.smallest_side {
        return None;
    }
    Some(match &recipe.prescale {
        Some(prescale) => prescale.apply(picture),
        None => (Cow::Borrowed(picture), Mapping::identity(picture)),
    })
}

/// Regions in page pixels, in the recipe's order.
fn find(
    page: &RgbImage,
    network: &dyn Network,
    recipe: &Recipe,
    dump: Option<&dyn Dump>,
) -> Result<Vec<Region>, OcrError> {
    let mut regions = detect::detect(page, network, recipe, dump)?;
    layout::sort(&mut regions, recipe.order);
    if let Some(dump) = dump {
        dump.picture("page", page);
        dump.json("regions", serde_json::json!(regions));
    }
    Ok(regions)
}

/// The nearest multiple of 32, halves to the even one, but not 0: what the networks' five halvings need.
fn multiple_of_32(side: usize) -> usize {
    ((side as f64 / 32.0).round_ties_even() as usize).max(1) * 32
}

#[cfg(test)]
mod tests;
