//! What stands in for the engine: known vectors for known words, and the answer that a real Immich was given for a picture.
use std::sync::Mutex;
use viewfinder_core::{
    Answer, AnswerFuture, Backend, EngineStatus, ErrorCode, PictureAnswer, PictureRequest, PictureTask,
    SentenceRequest, TaskError, ocr,
};

use serde_json::Value;

/// Numbers in a vector, as in Immich's column.
pub(crate) const WIDTH: usize = 512;

/// Answers at once, and remembers what it was asked.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) asked: Mutex<Vec<String>>,
    /// Numbers in the vectors of pictures and sentences, if not [`WIDTH`].
    pub(crate) width: Mutex<Option<usize>>,
    /// Sentences are refused.
    pub(crate) down: Mutex<bool>,
}

/// A direction for words: those that begin alike point alike.
pub(crate) fn direction(text: &str, width: usize) -> Vec<f32> {
    let axis = |text: &str| text.bytes().next().map_or(0, usize::from);
    let mut vector = vec![0.0; width];
    for word in text.split_whitespace() {
        vector[axis(word) % width] += 2.0;
    }
    vector
}

impl Answers {
    fn note(&self, what: String) {
        self.asked.lock().unwrap().push(what);
    }

    fn width(&self) -> usize {
        self.width.lock().unwrap().unwrap_or(WIDTH)
    }
}

impl Backend for Answers {
    fn picture(&self, request: PictureRequest) -> AnswerFuture<'_, PictureAnswer> {
        let answer = match &request.tasks[0] {
            PictureTask::Embed { model } => {
                self.note(format!("embed {model}"));
                Answer::Embedding(direction(std::str::from_utf8(&request.bytes).unwrap(), self.width()))
            }
            PictureTask::Text { detection, options, .. } => {
                self.note(format!(
                    "read {detection} {} {} {}",
                    options.detection_min_score, options.recognition_min_score, options.max_resolution
                ));
                if request.bytes.is_empty() { Answer::Text(Vec::new()) } else { Answer::Text(captured().1) }
            }
            other => panic!("nobody asks {other:?}"),
        };
        let [width, height] = captured().0;
        Box::pin(
            async move { Ok(PictureAnswer { width, height, answers: vec![Ok::<_, TaskError>(answer)] }) },
        )
    }

    fn sentence(&self, request: SentenceRequest) -> AnswerFuture<'_, Vec<f32>> {
        let SentenceRequest { model, text, language } = request;
        self.note(format!("sentence {model} {text} {}", language.unwrap_or_default()));
        let down = *self.down.lock().unwrap();
        let vector = direction(&text, self.width());
        let away = || TaskError::new(ErrorCode::NodeUnavailable, "no engine is up");
        Box::pin(async move { if down { Err(away()) } else { Ok(vector) } })
    }

    fn status(&self) -> EngineStatus {
        unreachable!("the library does not ask")
    }

    fn unload(&self) {}
}

/// The answer that Immich 2.7.5 got from its machine-learning server in a recorded run: size of the picture, and lines.
fn captured() -> ([usize; 2], Vec<ocr::Line>) {
    let file =
        viewfinder_test_support::fixtures().join("immich-2.7.5/ml/ocr-detection-recognition.response.json");
    let answer: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    let size = ["imageWidth", "imageHeight"].map(|side| answer[side].as_u64().unwrap() as usize);
    let found = &answer["ocr"];
    let number = |list: &str, at: usize| found[list][at].as_f64().unwrap();
    let texts = found["text"].as_array().unwrap();
    let line = |(at, text): (usize, &Value)| ocr::Line {
        text: text.as_str().unwrap().to_owned(),
        score: number("textScore", at),
        region_score: number("boxScore", at) as f32,
        corners: [0, 1, 2, 3].map(|corner| {
            [0, 1].map(|axis| (number("box", at * 8 + corner * 2 + axis) * size[axis] as f64) as f32)
        }),
    };
    (size, texts.iter().enumerate().map(line).collect())
}
