//! MT Photos' AI service (`mt-photos-ai`): answers as its official onnx version formats them, and all its versions'
//! answers read.

mod answer;
mod reply;

pub use answer::{
    CHECK, Check, DETECTOR_BACKEND, FaceAnswer, FaceCheck, Failed, LONGEST_SIDE, OUT_OF_RANGE, RESTARTED,
    Restarted, TextAnswer, VectorAnswer,
};
pub use reply::{ReplyError, passes, read_faces, read_text, read_vector};
