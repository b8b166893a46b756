//! Reading text: what a caller can choose, and what is found.

/// Whose results the pipeline reproduces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Profile {
    /// `RapidOCR` 3.10: scaled so that the short side has 736 pixels or more, with the orientation classifier.
    RapidOcr,
    /// Immich's machine-learning server 2.2 to 3.1: only ever shrunk, and no orientation classifier.
    Immich,
    /// This program's own: a quick reading with the pictures only ever shrunk, the detector's own normalisation and
    /// narrow recogniser inputs; and [`Profile::RapidOcr`]'s where that cannot be trusted, as with small print.
    Viewfinder,
}

/// Which pixels a found region is scored over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScoreMode {
    /// Those inside the region's rectangle. A curved or hollow region is scored too low, since the rectangle
    /// covers background as well.
    Fast,
    /// Those inside the region's own outline: a little slower, kinder to curved text.
    Slow,
}

/// What a caller can choose.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The front end and its constants.
    pub profile: Profile,
    /// Regions whose mean text probability is below this are dropped (0…1). Lower finds faint text and texture
    /// that only looks like text; higher loses small print first.
    pub detection_min_score: f32,
    /// Lines whose mean character confidence is below this are dropped (0…1). Lower lets guesses on texture
    /// through; higher loses blurred lines.
    pub recognition_min_score: f32,
    /// Profile [`Profile::Immich`] only: the picture is shrunk until its short side has this many pixels.
    pub max_resolution: usize,
    /// How regions are scored.
    pub score_mode: ScoreMode,
    /// Lines given to the recogniser in one call, at most. On a CPU one is best: a batch costs what its lines
    /// cost singly, and single lines spread evenly over cores. An accelerator wants eight or more.
    pub lines_per_run: usize,
}

impl Options {
    /// `RapidOCR`'s defaults.
    pub fn rapidocr() -> Self {
        Self {
            profile: Profile::RapidOcr,
            detection_min_score: 0.5,
            recognition_min_score: 0.5,
            max_resolution: 736,
            score_mode: ScoreMode::Fast,
            lines_per_run: 1,
        }
    }

    /// Immich's pipeline with the options that a request of its server carries.
    pub fn immich(detection_min_score: f32, recognition_min_score: f32, max_resolution: usize) -> Self {
        Self {
            profile: Profile::Immich,
            detection_min_score,
            recognition_min_score,
            max_resolution,
            ..Self::rapidocr()
        }
    }

    /// This program's own defaults.
    pub fn viewfinder() -> Self {
        Self { profile: Profile::Viewfinder, ..Self::rapidocr() }
    }
}

/// A line of text.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Line {
    /// What it says.
    pub text: String,
    /// Mean confidence of its characters, 0…1, to five decimals.
    pub score: f64,
    /// Mean text probability of the region it was read from, 0…1.
    pub region_score: f32,
    /// Corners in picture pixels: top left, top right, bottom right, bottom left, each x then y.
    pub corners: [[f32; 2]; 4],
}

/// A place where text was found.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Region {
    /// Mean text probability, 0…1.
    pub score: f32,
    /// Corners in picture pixels: top left, top right, bottom right, bottom left, each x then y.
    pub corners: [[f32; 2]; 4],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_has_its_own_defaults_and_immichs_those_of_the_request() {
        let rapidocr = Options::rapidocr();
        assert_eq!(Options::viewfinder(), Options { profile: Profile::Viewfinder, ..rapidocr.clone() });
        assert_eq!(
            Options::immich(0.25, 0.75, 99),
            Options {
                profile: Profile::Immich,
                detection_min_score: 0.25,
                recognition_min_score: 0.75,
                max_resolution: 99,
                ..rapidocr
            }
        );
    }
}
