use std::fmt;

use bytes::Bytes;

use crate::{label, ocr};

/// What becomes of transparent pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alpha {
    /// The alpha channel is ignored, as OpenCV's `imdecode` and Pillow's `convert("RGB")` do.
    Drop,
    /// The picture is laid on white or black, whichever its visible part stands out from, so that text on a
    /// transparent ground stays readable; as RapidOCR 3.10 does.
    Contrast,
}

/// Which rules turn the bytes of a picture into pixels.
///
/// The protocols' reference servers decode differently, and stored vectors depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeRules {
    /// Turn the picture upright as its EXIF orientation says.
    pub orient: bool,
    /// What becomes of transparency.
    pub alpha: Alpha,
    /// Refuse pictures with a side of more pixels, on their header, even where the engine's limits allow them.
    pub max_side: Option<u32>,
}

impl DecodeRules {
    /// As Immich's reference servers take a picture: pixels as they are stored, transparency ignored.
    pub const AS_STORED: Self = Self { orient: false, alpha: Alpha::Drop, max_side: None };
    /// As MT Photos' official service does: OpenCV turns pictures upright by their EXIF orientation, and ignores transparency.
    pub const UPRIGHT: Self = Self { orient: true, alpha: Alpha::Drop, max_side: None };
    /// As a person sees a picture: upright, and what is transparent on a ground that it stands out from.
    pub const AS_SHOWN: Self = Self { orient: true, alpha: Alpha::Contrast, max_side: None };
}

/// One question about a picture.
#[derive(Clone, Debug, PartialEq)]
pub enum PictureTask {
    /// Detect text and read it. Models by catalogue name; the two may differ.
    Text {
        /// Model whose detector (and orientation classifier) to use.
        detection: String,
        /// Model whose recogniser to use.
        recognition: String,
        /// Profile and thresholds.
        options: ocr::Options,
    },
    /// Detect text without reading it.
    TextRegions {
        /// Model whose detector to use.
        detection: String,
        /// Profile and thresholds.
        options: ocr::Options,
    },
    /// Find faces and embed each.
    Faces {
        /// Pack whose detector to use.
        detection: String,
        /// Pack whose recogniser to use.
        recognition: String,
        /// Keep faces scoring at least this, 0 to 1.
        min_score: f32,
    },
    /// Find faces without embedding them: the answer's `embedding` fields are empty.
    FaceRegions {
        /// Pack whose detector to use.
        detection: String,
        /// Keep faces scoring at least this, 0 to 1.
        min_score: f32,
    },
    /// Embed the whole picture with a CLIP model.
    Embed {
        /// Catalogue name or alias.
        model: String,
    },
}

impl PictureTask {
    /// What the task is called.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Text { .. } | Self::TextRegions { .. } => label::OCR,
            Self::Faces { .. } | Self::FaceRegions { .. } => label::FACES,
            Self::Embed { .. } => label::VISUAL,
        }
    }

    /// The model the task is given to; the first, where it needs several.
    pub fn model(&self) -> &str {
        match self {
            Self::Text { detection: model, .. }
            | Self::TextRegions { detection: model, .. }
            | Self::Faces { detection: model, .. }
            | Self::FaceRegions { detection: model, .. }
            | Self::Embed { model } => model,
        }
    }
}

/// A picture and what is asked about it. It is decoded once, however many tasks there are.
#[derive(Clone)]
pub struct PictureRequest {
    /// The encoded picture.
    pub bytes: Bytes,
    /// How to decode it.
    pub decode: DecodeRules,
    /// What to find out; answers come in the same order.
    pub tasks: Vec<PictureTask>,
}

impl fmt::Debug for PictureRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PictureRequest")
            .field("bytes", &self.bytes.len())
            .field("decode", &self.decode)
            .field("tasks", &self.tasks)
            .finish()
    }
}

/// A sentence to embed with a CLIP model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentenceRequest {
    /// Catalogue name or alias.
    pub model: String,
    /// The sentence.
    pub text: String,
    /// Interface language of the asker as a BCP-47 tag (`zh-CN`); only nllb models use it.
    pub language: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_called_as_immich_calls_it_and_given_to_its_first_model() {
        let (detection, recognition) = ("first".to_owned(), "second".to_owned());
        let options = ocr::Options::rapidocr();
        for (task, called, model) in [
            (
                PictureTask::Text {
                    detection: detection.clone(),
                    recognition: recognition.clone(),
                    options: options.clone(),
                },
                "ocr",
                "first",
            ),
            (PictureTask::TextRegions { detection: detection.clone(), options }, "ocr", "first"),
            (
                PictureTask::Faces { detection: detection.clone(), recognition, min_score: 0.5 },
                "facial-recognition",
                "first",
            ),
            (PictureTask::FaceRegions { detection, min_score: 0.5 }, "facial-recognition", "first"),
            (PictureTask::Embed { model: "only".into() }, "clip.visual", "only"),
        ] {
            assert_eq!((task.label(), task.model()), (called, model));
        }
    }

    #[test]
    fn a_request_is_logged_without_its_picture() {
        let bytes = Bytes::from_static(&[0xAB; 1234]);
        let logged = format!("{:?}", PictureRequest { bytes, decode: DecodeRules::UPRIGHT, tasks: vec![] });
        assert!(logged.starts_with("PictureRequest { bytes: 1234, decode: DecodeRules {"), "{logged}");
    }
}
