use std::path::Path;

use serde::Serialize;
use viewfinder_engine::{Answer, DecodeRules, PictureTask};
use viewfinder_image::{Alpha, draw};
use viewfinder_vision::ocr::Line;

use super::look::{Seen, check_draw, json_line, line_width, look, pixels, write_png};
use crate::cli::OcrArgs;
use crate::config::{Loaded, OcrProfile};
use crate::failure::{Failure, Outcome};
use crate::{output, wiring};

/// One picture's text as JSON.
#[derive(Serialize)]
struct Read<'a> {
    file: &'a Path,
    width: usize,
    height: usize,
    lines: Vec<ReadLine<'a>>,
}

#[derive(Serialize)]
struct ReadLine<'a> {
    text: &'a str,
    score: f64,
    #[serde(rename = "box")]
    corners: [[f32; 2]; 4],
}

/// Reads the text in pictures.
pub(crate) fn run(args: &OcrArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    check_draw(args.draw.as_deref(), &args.images)?;
    let config = &loaded.config;
    let profile = match &args.profile {
        Some(name) => name.parse().map_err(|error: String| Failure::Usage(anyhow::Error::msg(error)))?,
        None => config.ocr_profile,
    };
    let model = args.model.as_ref().unwrap_or(&config.ocr_model);
    let decode = DecodeRules {
        orient: true,
        alpha: if profile == OcrProfile::Immich { Alpha::Drop } else { Alpha::Contrast },
        max_side: None,
    };
    let engine = wiring::engine(loaded)?;
    let options = wiring::ocr_options(profile);
    let task = PictureTask::Text { detection: model.clone(), recognition: model.clone(), options };
    let several = args.images.len() > 1;
    look(&args.images, &engine, decode, &task, args.common.dump.as_deref(), |path, seen| {
        let Answer::Text(lines) = &seen.answer else { return Ok(()) };
        if args.common.json {
            json_line(&Read {
                file: path,
                width: seen.width,
                height: seen.height,
                lines: lines.iter().map(as_json).collect(),
            })?;
        } else {
            for line in lines {
                if several {
                    output::line(&format!("{}: {}", path.display(), line.text))?;
                } else {
                    output::line(&line.text)?;
                }
            }
        }
        match &args.draw {
            Some(target) => Ok(draw_boxes(&seen, lines, decode, loaded, target)?),
            None => Ok(()),
        }
    })
}

fn as_json(line: &Line) -> ReadLine<'_> {
    ReadLine { text: &line.text, score: line.score, corners: line.corners }
}

fn draw_boxes(
    seen: &Seen,
    lines: &[Line],
    rules: DecodeRules,
    loaded: &Loaded,
    target: &Path,
) -> anyhow::Result<()> {
    let mut picture = pixels(&seen.bytes, rules, &wiring::limits(&loaded.config))?;
    let width = line_width(&picture);
    for line in lines {
        draw::polygon(&mut picture, &line.corners, [230, 30, 30], width);
    }
    write_png(target, &picture)
}
