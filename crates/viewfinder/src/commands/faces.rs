use std::path::Path;

use serde::Serialize;
use utoipa::ToSchema;
use viewfinder_catalog::unit;
use viewfinder_core::{Alpha, Answer, DecodeRules, Face, PictureTask};
use viewfinder_image::{RgbImage, draw};

use super::show::{Findings, Question, show};
use crate::amounts::counted;
use crate::cli::FacesArgs;
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::output;

/// One picture's faces.
#[derive(Serialize, ToSchema)]
pub(crate) struct Faces {
    /// Faces, best first.
    faces: Vec<FoundFace>,
}

/// A face.
#[derive(Serialize, ToSchema)]
struct FoundFace {
    /// Left, top, right and bottom in pixels of the upright picture; a face at an edge may reach beyond it.
    #[serde(rename = "box")]
    bounds: [f32; 4],
    /// Confidence, 0 to 1.
    score: f32,
    /// Left eye, right eye, nose, left and right corner of the mouth, as the viewer sees them: x and y in pixels.
    landmarks: [[f32; 2]; 5],
    /// The recogniser's vector, of unit length: the larger the scalar product of two, the more alike the faces.
    embedding: Vec<f32>,
}

/// Finds the faces in pictures.
pub(crate) fn run(args: &FacesArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let config = &loaded.config;
    let model = args.model.as_ref().unwrap_or(&config.faces.model);
    let min_score = args.min_score.unwrap_or(config.faces.min_score);
    if !(0.0..=1.0).contains(&min_score) {
        return Err(Failure::Usage(anyhow::anyhow!("--min-score: {min_score} is not between 0 and 1")));
    }
    let question = Question {
        images: &args.images,
        decode: DecodeRules { orient: true, alpha: Alpha::Drop, max_side: None },
        task: PictureTask::Faces { detection: model.clone(), recognition: model.clone(), min_score },
        draw: args.draw.as_deref(),
        common: &args.common,
    };
    show::<Faces>(&question, loaded)
}

impl Findings for Faces {
    fn of(answer: Answer) -> Option<Self> {
        let Answer::Faces(faces) = answer else { return None };
        let face = |Face { bounds, score, landmarks, embedding }| FoundFace {
            bounds,
            score,
            landmarks,
            embedding: unit(&embedding),
        };
        Some(Self { faces: faces.into_iter().map(face).collect() })
    }

    fn print(&self, path: &Path, _several_pictures: bool) -> std::io::Result<()> {
        let count = match self.faces.len() {
            0 => "no face".to_owned(),
            some => counted(some as u64, "face", "faces"),
        };
        output::line(&format!("{}: {count}", path.display()))?;
        for face in &self.faces {
            let [left, top, right, bottom] = face.bounds;
            output::line(&format!(
                "  score {:.3}  at {left:.0},{top:.0}  size {:.0}x{:.0}",
                face.score,
                right - left,
                bottom - top
            ))?;
        }
        Ok(())
    }

    fn draw(&self, picture: &mut RgbImage, width: u32) {
        for face in &self.faces {
            let [left, top, right, bottom] = face.bounds;
            let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
            draw::polygon(picture, &corners, [30, 200, 60], width);
            for point in face.landmarks {
                draw::disc(picture, point, width as f32, [230, 30, 30]);
            }
        }
    }
}
