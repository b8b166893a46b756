//! The protocol between Immich's server and its machine-learning service (`POST /predict`).

mod answer;
mod entries;
mod reply;

pub use answer::{Answer, FaceList, TextList};
pub use entries::{Entries, EntriesError, Task, TextDetection, TextRecognition};
pub use reply::{FoundFaces, FoundText, RelativeLines, Reply};
