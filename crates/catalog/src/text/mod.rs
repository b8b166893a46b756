//! Text as it is compared: normalised, and cut into what stores index.
mod function_words;
mod normalize;
mod script;
mod segment;

pub use function_words::is_function_word;
pub(crate) use normalize::text_of;
pub use normalize::{Gap, Letter, letters, normalized};
pub use script::{is_cjk, is_han, is_number};
pub(crate) use segment::is_word;
pub use segment::{DictionaryError, SEGMENTATION_VERSION, Segmenter, Tokens, gram_phrase};
