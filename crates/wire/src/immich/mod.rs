//! The protocol between Immich's server and its machine-learning service (`POST /predict`).

mod answer;
mod entries;
mod raw_entries;
mod reply;

pub use answer::{Answer, FaceList, ReadText, TextList};
pub use entries::{Entries, EntriesError, Task, TextDetection, TextRecognition};
pub use reply::{FoundFaces, FoundText, RelativeLines, Reply};

/// What the service greets with at `/`.
pub const GREETING: &str = "Immich ML";

/// Is this body the greeting?
pub fn is_greeting(body: &[u8]) -> bool {
    #[derive(serde::Deserialize)]
    struct Greeting {
        message: String,
    }
    crate::reply::json::<Greeting>(body).is_ok_and(|greeting| greeting.message == GREETING)
}
