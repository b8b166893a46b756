use serde::Deserialize;
use tokenizers::{PaddingParams, PaddingStrategy, Tokenizer, TruncationParams};

use super::{ClipError, flores_code};
use crate::Tensor;

/// Context length where a model's `config.json` states none.
const DEFAULT_CONTEXT: usize = 77;
/// Context lengths outside this range are a broken configuration: real models have 52 to 512.
const CONTEXT_RANGE: std::ops::RangeInclusive<usize> = 8..=4096;

/// How a text network wants its sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HfFamily {
    /// OpenCLIP and SigLIP: one input, the ids.
    OpenClip,
    /// OpenCLIP with an nllb text tower: as [`HfFamily::OpenClip`], the sentence led by its language's code.
    Nllb,
    /// M-CLIP: ids and attention mask.
    MClip,
}

/// Characters per token of context beyond which a sentence is cut before it is split: no vocabulary has tokens
/// that long, and splitting a megabyte to keep 77 tokens of it takes most of a second.
const CHARS_PER_TOKEN: usize = 128;

/// A tokenizer as model repositories in Immich's layout carry it.
#[derive(Debug)]
pub struct HfText {
    tokenizer: Tokenizer,
    family: HfFamily,
    context: usize,
    canonicalize: bool,
}

#[derive(Deserialize)]
struct Config {
    text_cfg: TextConfig,
}

#[derive(Deserialize)]
struct TextConfig {
    context_length: Option<usize>,
    tokenizer_kwargs: Option<TokenizerArguments>,
}

#[derive(Deserialize)]
struct TokenizerArguments {
    clean: Option<String>,
}

#[derive(Deserialize)]
struct TokenizerConfig {
    pad_token: PadToken,
}

/// Repositories write special tokens as text or as an object around it.
#[derive(Deserialize)]
#[serde(untagged)]
enum PadToken {
    Plain(String),
    Added { content: String },
}

impl HfText {
    /// Reads `textual/tokenizer.json`, `textual/tokenizer_config.json` (for the padding token) and the
    /// model's `config.json` (for the context length and the clean-up rule).
    pub fn open(
        tokenizer_json: &[u8],
        tokenizer_config_json: &[u8],
        config_json: &[u8],
        family: HfFamily,
    ) -> Result<Self, ClipError> {
        let config: Config = parse("config.json", config_json)?;
        let tokenizer_config: TokenizerConfig = parse("tokenizer_config.json", tokenizer_config_json)?;

        let context = config.text_cfg.context_length.unwrap_or(DEFAULT_CONTEXT);
        if !CONTEXT_RANGE.contains(&context) {
            let reason = format!("a context length of {context} tokens is not plausible");
            return Err(ClipError::Config { file: "config.json", reason });
        }
        let broken = |reason: String| ClipError::Config { file: "tokenizer.json", reason };
        let mut tokenizer =
            Tokenizer::from_bytes(tokenizer_json).map_err(|error| broken(error.to_string()))?;
        let pad_token = match tokenizer_config.pad_token {
            PadToken::Plain(token) | PadToken::Added { content: token } => token,
        };
        let pad_id = tokenizer
            .token_to_id(&pad_token)
            .ok_or_else(|| broken(format!("the padding token {pad_token:?} is not in the vocabulary")))?;
        tokenizer.with_padding(Some(PaddingParams {
            strategy: PaddingStrategy::Fixed(context),
            pad_id,
            pad_token,
            ..PaddingParams::default()
        }));
        tokenizer
            .with_truncation(Some(TruncationParams { max_length: context, ..TruncationParams::default() }))
            .map_err(|error| broken(error.to_string()))?;

        let clean = config.text_cfg.tokenizer_kwargs.and_then(|arguments| arguments.clean);
        let canonicalize = clean.as_deref() == Some("canonicalize");
        Ok(Self { tokenizer, family, context, canonicalize })
    }

    /// Tokens per sentence: every tensor is `[1, context]`.
    pub fn context(&self) -> usize {
        self.context
    }

    /// The ids, and for M-CLIP the attention mask (1 for tokens, 0 for padding), as 32-bit integers.
    pub fn tokenize(&self, text: &str, language: Option<&str>) -> Result<Vec<Tensor>, ClipError> {
        let mut text = clean(text, self.canonicalize);
        if let Some((end, _)) = text.char_indices().nth(self.context * CHARS_PER_TOKEN) {
            text.truncate(end);
        }
        if let (HfFamily::Nllb, Some(language)) = (self.family, language) {
            text.insert_str(0, flores_code(language));
        }
        let encoding =
            self.tokenizer.encode(text, true).map_err(|error| ClipError::Tokenize(error.to_string()))?;
        let tensor = |values: &[u32]| {
            Tensor::i32([1, values.len()], values.iter().map(|&value| value as i32).collect::<Vec<_>>())
        };
        let mut tensors = vec![tensor(encoding.get_ids())];
        if self.family == HfFamily::MClip {
            tensors.push(tensor(encoding.get_attention_mask()));
        }
        Ok(tensors)
    }

    /// What the tensors of [`HfText::tokenize`] are called in model files.
    pub fn input_names(&self) -> &'static [&'static str] {
        match self.family {
            HfFamily::OpenClip | HfFamily::Nllb => &["text"],
            HfFamily::MClip => &["input_ids", "attention_mask"],
        }
    }
}

/// One space between words and none around them; canonical form also drops ASCII punctuation and capitals.
///
/// Punctuation goes last, so `a - b` keeps two spaces: the models' own training code does the same.
fn clean(text: &str, canonicalize: bool) -> String {
    // Immich's server splits as Python does, for which the four information separators are space too.
    let words = text.split(|c: char| c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c));
    let joined = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    if !canonicalize {
        return joined;
    }
    joined.chars().filter(|c| !c.is_ascii_punctuation()).collect::<String>().to_lowercase()
}

fn parse<T: serde::de::DeserializeOwned>(file: &'static str, json: &[u8]) -> Result<T, ClipError> {
    serde_json::from_slice(json).map_err(|error| ClipError::Config { file, reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Data;

    /// A word-level tokenizer small enough to read.
    const TOKENIZER: &str = r#"{
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null,
        "added_tokens": [
            {"id": 0, "content": "<pad>", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false},
            {"id": 5, "content": "deu_Latn", "special": true, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}
        ],
        "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "<unk>",
                  "vocab": {"<pad>": 0, "<unk>": 1, "a": 2, "dog": 3, "Dog": 4, "deu_Latn": 5}}
    }"#;

    fn open(config: &str, family: HfFamily) -> Result<HfText, ClipError> {
        HfText::open(
            TOKENIZER.as_bytes(),
            br#"{"pad_token": {"content": "<pad>"}}"#,
            config.as_bytes(),
            family,
        )
    }

    fn ids(tensor: &Tensor) -> Vec<i32> {
        let Data::I32(ids) = &tensor.data else { panic!("ids are 32-bit") };
        ids.clone()
    }

    #[test]
    fn sentences_are_padded_to_the_context_length() {
        let text = open(r#"{"text_cfg": {"context_length": 8}}"#, HfFamily::OpenClip).unwrap();
        let tensors = text.tokenize("  a \t Dog \u{1f} ", None).unwrap();
        assert_eq!(tensors[0].shape, [1, 8]);
        assert_eq!(ids(&tensors[0]), [2, 4, 0, 0, 0, 0, 0, 0]);
        assert_eq!(tensors.len(), text.input_names().len());
    }

    #[test]
    fn long_sentences_are_cut() {
        let text = open(r#"{"text_cfg": {"context_length": 8}}"#, HfFamily::OpenClip).unwrap();
        assert_eq!(ids(&text.tokenize(&"dog ".repeat(50), None).unwrap()[0]), [3; 8]);
    }

    #[test]
    fn a_book_is_cut_before_it_is_split() {
        let text = open(r#"{"text_cfg": {"context_length": 8}}"#, HfFamily::OpenClip).unwrap();
        // One word without end is one token, and what follows it is never reached.
        let book = format!("a {} dog", "é".repeat(1_000_000));
        assert_eq!(ids(&text.tokenize(&book, None).unwrap()[0])[..4], [2, 1, 0, 0]);
    }

    #[test]
    fn canonical_form_drops_punctuation_and_capitals() {
        let config = r#"{"text_cfg": {"context_length": 8, "tokenizer_kwargs": {"clean": "canonicalize"}}}"#;
        let text = open(config, HfFamily::OpenClip).unwrap();
        assert_eq!(ids(&text.tokenize("A, Dog!", None).unwrap()[0])[..3], [2, 3, 0]);
        assert_eq!(clean("A -  b", true), "a  b");
    }

    #[test]
    fn nllb_leads_with_the_language() {
        let text = open(r#"{"text_cfg": {"context_length": 8}}"#, HfFamily::Nllb).unwrap();
        assert_eq!(ids(&text.tokenize("dog", Some("de-AT")).unwrap()[0])[..3], [5, 3, 0]);
        assert_eq!(ids(&text.tokenize("dog", None).unwrap()[0])[..2], [3, 0]);
        let others = open(r#"{"text_cfg": {"context_length": 8}}"#, HfFamily::OpenClip).unwrap();
        assert_eq!(ids(&others.tokenize("dog", Some("de")).unwrap()[0])[..2], [3, 0]);
    }

    #[test]
    fn m_clip_gets_an_attention_mask() {
        let text = open(r#"{"text_cfg": {"context_length": 8}}"#, HfFamily::MClip).unwrap();
        let tensors = text.tokenize("a dog", None).unwrap();
        assert_eq!(ids(&tensors[1]), [1, 1, 0, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn context_length_defaults_to_77_and_must_be_plausible() {
        assert_eq!(open(r#"{"text_cfg": {}}"#, HfFamily::OpenClip).unwrap().context(), 77);
        for broken in [
            r#"{"text_cfg": {"context_length": 0}}"#,
            r#"{"text_cfg": {"context_length": 100000000}}"#,
            "{",
            "{}",
        ] {
            assert!(matches!(
                open(broken, HfFamily::OpenClip),
                Err(ClipError::Config { file: "config.json", .. })
            ));
        }
    }

    #[test]
    fn a_padding_token_outside_the_vocabulary_is_refused() {
        let error = HfText::open(
            TOKENIZER.as_bytes(),
            br#"{"pad_token": "<x>"}"#,
            br#"{"text_cfg": {}}"#,
            HfFamily::OpenClip,
        );
        assert!(error.unwrap_err().to_string().contains("<x>"));
    }
}
