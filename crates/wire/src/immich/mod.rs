//! The protocol between Immich's server and its machine-learning service (`POST /predict`).

mod answer;
mod entries;

pub use answer::{Answer, FaceList, TextList};
pub use entries::{Entries, EntriesError, Task, TextDetection, TextRecognition};
