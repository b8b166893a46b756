//! Tasks as metrics, logs, routes and the ledger call them: Immich's words.

/// Reading text, or finding where it is.
pub const OCR: &str = "ocr";
/// Finding faces, with or without their vectors.
pub const FACES: &str = "facial-recognition";
/// The vector of a picture.
pub const VISUAL: &str = "clip.visual";
/// The vector of a sentence.
pub const TEXTUAL: &str = "clip.textual";
