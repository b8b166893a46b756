//! One picture's tasks, on a worker thread.

use std::sync::Arc;

use crate::runtime::Helpers;
use viewfinder_core::{Answer, ErrorCode, PictureAnswer, PictureRequest, PictureTask, TaskError};
use viewfinder_image::{Limits, RgbImage, decode};
use viewfinder_models::{Family, Role};
use viewfinder_vision::{Dump, clip, face, ocr};

use crate::{
    engine::CLIP,
    load::{LoadedNetwork, Preprocessing},
};

/// The networks of one task, in the order of [`needs`].
pub(crate) type Networks = Vec<Arc<LoadedNetwork>>;

/// A network that a task needs.
pub(crate) struct Need<'a> {
    /// Model name as asked for.
    pub(crate) model: &'a str,
    pub(crate) role: Role,
    /// Families that can do the job.
    pub(crate) families: &'static [Family],
}

/// Which networks a task needs. The orientation classifier comes last, so that a model without one leaves it out.
pub(crate) fn needs(task: &PictureTask) -> Vec<Need<'_>> {
    const TEXT: &[Family] = &[Family::PaddleOcr];
    const FACES: &[Family] = &[Family::InsightFace];
    let need = |model, role, families| Need { model, role, families };
    match task {
        PictureTask::Text { detection, recognition, options } => {
            let mut needs =
                vec![need(detection, Role::Detection, TEXT), need(recognition, Role::Recognition, TEXT)];
            if options.profile != viewfinder_core::ocr::Profile::Immich {
                needs.push(need(detection, Role::Classification, TEXT));
            }
            needs
        }
        PictureTask::TextRegions { detection, .. } => vec![need(detection, Role::Detection, TEXT)],
        PictureTask::FaceRegions { detection, .. } => vec![need(detection, Role::Detection, FACES)],
        PictureTask::Faces { detection, recognition, .. } => {
            vec![need(detection, Role::Detection, FACES), need(recognition, Role::Recognition, FACES)]
        }
        PictureTask::Embed { model } => vec![need(model, Role::Visual, CLIP)],
    }
}

/// Does the whole request: decodes once, then task by task. Only a picture that cannot be decoded fails them all.
pub(crate) fn answer(
    request: &PictureRequest,
    networks: &[Result<Networks, TaskError>],
    limits: &Limits,
    max_face_batch: Option<usize>,
    helpers: &Helpers,
    dump: Option<&dyn Dump>,
) -> Result<PictureAnswer, TaskError> {
    let rules = &request.decode;
    let max_side = rules.max_side.map_or(limits.max_side, |side| side.min(limits.max_side));
    let decoded = decode(&request.bytes, &Limits { max_side, ..*limits })?;
    if decoded.truncated() {
        tracing::warn!(
            bytes = request.bytes.len(),
            "the picture is cut short; what could be decoded is used"
        );
    }
    let picture = decoded.into_rgb(rules.orient, rules.alpha);
    let answers = request
        .tasks
        .iter()
        .zip(networks)
        .map(|(task, networks)| {
            let networks = networks.as_ref().map_err(TaskError::clone)?;
            one(&picture, task, networks, max_face_batch, helpers, dump)
        })
        .collect();
    Ok(PictureAnswer { width: picture.width(), height: picture.height(), answers })
}

fn one(
    picture: &RgbImage,
    task: &PictureTask,
    networks: &Networks,
    max_face_batch: Option<usize>,
    helpers: &Helpers,
    dump: Option<&dyn Dump>,
) -> Result<Answer, TaskError> {
    let first = &networks[0];
    Ok(match task {
        PictureTask::Text { options, .. } => {
            let recognition = &networks[1];
            let Preprocessing::CharacterSet(characters) = &recognition.preprocessing else {
                return Err(wrong_model("text recogniser"));
            };
            let networks = ocr::Networks {
                detection: &first.session,
                classification: networks.get(2).map(|loaded| ocr::Classifier {
                    network: &loaded.session,
                    size: if let Preprocessing::Size(size) = loaded.preprocessing { size } else { None },
                }),
                recognition: &recognition.session,
                characters,
            };
            Answer::Text(ocr::read(picture, &networks, options, helpers, dump)?)
        }
        PictureTask::TextRegions { options, .. } => {
            Answer::TextRegions(ocr::detect(picture, &first.session, options, dump)?)
        }
        PictureTask::Faces { min_score, .. } => {
            let mut faces = face::detect(picture, &first.session, *min_score, dump)?;
            let recognition = &networks[1].session;
            let max_batch = max_face_batch.or_else(|| recognition.wants_one_shape().then_some(1));
            face::embed(picture, &mut faces, recognition, max_batch, dump)?;
            Answer::Faces(faces)
        }
        PictureTask::FaceRegions { min_score, .. } => {
            Answer::Faces(face::detect(picture, &first.session, *min_score, dump)?)
        }
        PictureTask::Embed { .. } => {
            let Preprocessing::Preprocess(preprocess) = &first.preprocessing else {
                return Err(wrong_model("image encoder"));
            };
            Answer::Embedding(clip::embed_image(picture, &first.session, preprocess)?)
        }
    })
}

fn wrong_model(wanted: &str) -> TaskError {
    TaskError::new(ErrorCode::ModelUnsuited, format!("the model is no {wanted}"))
}
