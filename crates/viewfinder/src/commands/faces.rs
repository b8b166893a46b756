use std::path::Path;

use serde::Serialize;
use viewfinder_engine::{Answer, DecodeRules, PictureTask};
use viewfinder_image::{Alpha, draw};
use viewfinder_vision::face::Face;

use super::look::{Seen, check_draw, json_line, line_width, look, pixels, write_png};
use crate::cli::FacesArgs;
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::{output, wiring};

/// One picture's faces as JSON.
#[derive(Serialize)]
struct Found<'a> {
    file: &'a Path,
    width: usize,
    height: usize,
    faces: Vec<FoundFace>,
}

#[derive(Serialize)]
struct FoundFace {
    #[serde(rename = "box")]
    bounds: [f32; 4],
    score: f32,
    landmarks: [[f32; 2]; 5],
    /// Of unit length.
    embedding: Vec<f32>,
}

/// Finds the faces in pictures.
pub(crate) fn run(args: &FacesArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    check_draw(args.draw.as_deref(), &args.images)?;
    let config = &loaded.config;
    let model = args.model.as_ref().unwrap_or(&config.faces_model);
    let min_score = args.min_score.unwrap_or(config.faces_min_score);
    if !(0.0..=1.0).contains(&min_score) {
        return Err(Failure::Usage(anyhow::anyhow!("--min-score: {min_score} is not between 0 and 1")));
    }
    let decode = DecodeRules { orient: true, alpha: Alpha::Drop, max_side: None };
    let engine = wiring::engine(loaded)?;
    let task = PictureTask::Faces { detection: model.clone(), recognition: model.clone(), min_score };
    look(&args.images, &engine, decode, &task, args.common.dump.as_deref(), |path, seen| {
        let Answer::Faces(faces) = &seen.answer else { return Ok(()) };
        if args.common.json {
            json_line(&Found {
                file: path,
                width: seen.width,
                height: seen.height,
                faces: faces.iter().map(as_json).collect(),
            })?;
        } else {
            tell(path, faces)?;
        }
        match &args.draw {
            Some(target) => Ok(draw_faces(&seen, faces, decode, loaded, target)?),
            None => Ok(()),
        }
    })
}

fn as_json(face: &Face) -> FoundFace {
    FoundFace {
        bounds: face.bounds,
        score: face.score,
        landmarks: face.landmarks,
        embedding: unit(&face.embedding),
    }
}

/// The vector scaled to length 1, so that a dot product of two is their similarity.
fn unit(vector: &[f32]) -> Vec<f32> {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
    vector.iter().map(|value| (f64::from(*value) * scale) as f32).collect()
}

fn tell(path: &Path, faces: &[Face]) -> Result<(), Failure> {
    let count = match faces.len() {
        0 => "no face".to_owned(),
        1 => "1 face".to_owned(),
        several => format!("{several} faces"),
    };
    output::line(&format!("{}: {count}", path.display()))?;
    for face in faces {
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

fn draw_faces(
    seen: &Seen,
    faces: &[Face],
    rules: DecodeRules,
    loaded: &Loaded,
    target: &Path,
) -> anyhow::Result<()> {
    let mut picture = pixels(&seen.bytes, rules, &wiring::limits(&loaded.config))?;
    let width = line_width(&picture);
    for face in faces {
        let [left, top, right, bottom] = face.bounds;
        let corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
        draw::polygon(&mut picture, &corners, [30, 200, 60], width);
        for point in face.landmarks {
            draw::disc(&mut picture, point, width as f32, [230, 30, 30]);
        }
    }
    write_png(target, &picture)
}
