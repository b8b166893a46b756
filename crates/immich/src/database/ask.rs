//! Questions to the engine, as Immich's server would put them.
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use viewfinder_core::{
    Answer, Backend, DecodeRules, PictureRequest, PictureTask, SentenceRequest, TaskError, ocr,
};
use viewfinder_wire::immich::ReadText;

use crate::{database::settings::OcrSettings, recent::Recent};

/// Vectors of sentences that are kept: whoever turns pages asks the same again and again.
const KEPT: usize = 100;
/// Kept no longer than this, because another model may come to answer under the same name.
const FRESH: Duration = Duration::from_secs(600);

/// What answers.
pub(crate) struct QueryEmbedder {
    backend: Arc<dyn Backend>,
    /// How text is read, but for the thresholds, which Immich's settings say.
    ocr: ocr::Options,
    sentences: Recent<SentenceRequest, Vec<f32>>,
}

impl QueryEmbedder {
    pub(crate) fn new(backend: Arc<dyn Backend>, ocr: ocr::Options) -> Self {
        Self { backend, ocr, sentences: Recent::new(KEPT, FRESH) }
    }

    /// The vector of a sentence, as the model gives it.
    pub(crate) async fn sentence(&self, request: &SentenceRequest) -> Result<Vec<f32>, TaskError> {
        if let Some((vector, _)) = self.sentences.get(request) {
            return Ok(vector);
        }
        let vector = self.backend.sentence_at_hand(request.clone()).await?;
        self.sentences.keep(request.clone(), vector.clone(), Instant::now());
        Ok(vector)
    }

    /// The vector of a picture, as the model gives it.
    pub(crate) async fn vector(&self, model: &str, picture: Bytes) -> Result<Vec<f32>, TaskError> {
        let (answer, ..) = self.picture(PictureTask::Embed { model: model.to_owned() }, picture).await?;
        answer.into_embedding()
    }

    /// The text of a picture.
    pub(crate) async fn text(&self, settings: &OcrSettings, picture: Bytes) -> Result<ReadText, TaskError> {
        let task = PictureTask::Text {
            detection: settings.model.clone(),
            recognition: settings.model.clone(),
            options: ocr::Options {
                detection_min_score: settings.min_detection_score,
                recognition_min_score: settings.min_recognition_score,
                max_resolution: settings.max_resolution,
                score_mode: ocr::ScoreMode::Fast,
                ..self.ocr.clone()
            },
        };
        let (answer, width, height) = self.picture(task, picture).await?;
        Ok(ReadText::of(&answer.into_lines()?, width, height))
    }

    async fn picture(&self, task: PictureTask, bytes: Bytes) -> Result<(Answer, usize, usize), TaskError> {
        let request = PictureRequest { bytes, decode: DecodeRules::AS_STORED, tasks: vec![task] };
        let found = self.backend.picture(request).await?;
        let answer = found.answers.into_iter().next().ok_or_else(TaskError::another_answer)??;
        Ok((answer, found.width, found.height))
    }
}
