//! The local engine: a picture or a sentence in, text, vectors and faces out.
