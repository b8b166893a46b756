use viewfinder_core::ocr::{Options, Profile};
use viewfinder_image::RgbImage;

use super::crop::Warp;
use super::detect::InputSize;
use super::layout::Order;
use super::pack::Normalisation;
use super::postprocess::BoxParameters;
use super::prescale::Prescale;
use super::recognize::WidthRule;
use super::second_pass::SecondPass;

impl Recipe {
    /// The front end and constants of a profile, with what the caller chose.
    pub(super) fn of(options: &Options) -> Self {
        let boxes = BoxParameters::new(options.detection_min_score, options.score_mode);
        match options.profile {
            Profile::RapidOcr => Recipe {
                smallest_side: 1,
                prescale: Some(Prescale::RAPIDOCR),
                input: InputSize::ShortSideAtLeast(736),
                resize: Resize::Bilinear,
                detection_values: Normalisation::RAPIDOCR,
                boxes,
                order: Order::Reading,
                warp: Warp::OpenCvCubic,
                turn: TurnRule::Classified { above: 0.9 },
                recognition: WidthRule::RAPIDOCR,
                keep: LineFilter { min_score: options.recognition_min_score, equal: true, blank: false },
            },
            Profile::Immich => Recipe {
                smallest_side: 32,
                prescale: None,
                input: InputSize::ShortSideAtMost(options.max_resolution),
                resize: Resize::Lanczos,
                detection_values: Normalisation::IMMICH,
                boxes,
                order: Order::ImmichServer,
                warp: Warp::PillowBicubic,
                turn: TurnRule::Never,
                recognition: WidthRule::RAPIDOCR,
                keep: LineFilter { min_score: options.recognition_min_score, equal: false, blank: true },
            },
            Profile::Viewfinder => Recipe {
                smallest_side: 1,
                prescale: Some(Prescale::BANDS),
                // Print of a hundredth of a page's height is still 11 pixels high here, which the detector finds.
                input: InputSize::LongSideAtMost(1120),
                resize: Resize::Halving,
                detection_values: Normalisation::IMAGENET,
                // Fewer letters are cut at the ends of lines than with less; with more, neighbouring lines of
                // dense print get into the crop. A higher crop is also a shorter one to read.
                boxes: BoxParameters { unclip_ratio: 1.8, ..boxes },
                order: Order::Reading,
                warp: Warp::OpenCvCubic,
                turn: TurnRule::IfReadBetter { below: SecondPass::PP_OCR.weak_below, by: 0.15 },
                recognition: WidthRule::VIEWFINDER,
                keep: LineFilter { min_score: options.recognition_min_score, equal: true, blank: false },
            },
        }
    }

    /// How to read a picture again whose first reading cannot be trusted.
    pub(super) fn second_look(options: &Options) -> Option<(SecondPass, Self)> {
        match options.profile {
            Profile::RapidOcr | Profile::Immich => None,
            Profile::Viewfinder => {
                let careful = Options { profile: Profile::RapidOcr, ..options.clone() };
                Some((SecondPass::PP_OCR, Self::of(&careful)))
            }
        }
    }
}

/// Kernel that brings the picture to the detector's size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resize {
    /// OpenCV's, two taps: fast, and aliased when it shrinks.
    Bilinear,
    /// Halves, then `Bilinear`: nearly as fast, and thin strokes survive.
    Halving,
    /// Pillow's, anti-aliased.
    Lanczos,
}

/// When a line is turned by half a turn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum TurnRule {
    /// Never.
    Never,
    /// If the classifier says that it is upside down.
    Classified {
        /// With more confidence than this.
        above: f32,
    },
    /// If it reads better so. Costs nothing for lines that read well at once; and no upright word is ever turned
    /// by a classifier's mistake.
    IfReadBetter {
        /// Only lines that read worse than this are tried.
        below: f64,
        /// The least gain: words such as "11" and "SOS" read nearly alike both ways, wrong-way nonsense does not.
        by: f64,
    },
}

/// Which read lines are worth answering.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LineFilter {
    /// Least mean confidence.
    pub(super) min_score: f32,
    /// Whether a score of exactly `min_score` is enough.
    pub(super) equal: bool,
    /// Whether lines of nothing but white space are kept.
    pub(super) blank: bool,
}

impl LineFilter {
    pub(super) fn accepts(self, text: &str, score: f64) -> bool {
        // Through the shortest decimal, so that a limit of 0.9 given as `f32` is 0.9 and not 0.899999976.
        let limit: f64 = self.min_score.to_string().parse().unwrap_or(f64::from(self.min_score));
        (score > limit || (self.equal && score == limit)) && (self.blank || !text.trim().is_empty())
    }
}

/// Everything in which profiles differ; the stages know nothing of profiles.
#[derive(Clone, Debug)]
pub(super) struct Recipe {
    /// A picture with a shorter side than this is taken to hold no text.
    pub(super) smallest_side: usize,
    /// Bounding of the sides, and padding, of the whole picture before anything else.
    pub(super) prescale: Option<Prescale>,
    /// The detector's input size for a picture's.
    pub(super) input: InputSize,
    /// How the picture is brought to that size.
    pub(super) resize: Resize,
    /// From bytes to the detector's values.
    pub(super) detection_values: Normalisation,
    /// From probabilities to boxes.
    pub(super) boxes: BoxParameters,
    /// The order of the answer.
    pub(super) order: Order,
    /// How a line is cut out.
    pub(super) warp: Warp,
    /// How lines that lie upside down are put right.
    pub(super) turn: TurnRule,
    /// Widths of the recogniser's inputs.
    pub(super) recognition: WidthRule,
    /// Which lines are answered.
    pub(super) keep: LineFilter,
}

impl Recipe {
    /// Pixels of the detector's input for each pixel of `picture`.
    pub(super) fn scale(&self, picture: &RgbImage) -> f64 {
        let size = [picture.width(), picture.height()];
        let longest = |[width, height]: [usize; 2]| width.max(height) as f64;
        longest(self.input.of(size)) / longest(size)
    }
}
