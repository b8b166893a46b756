use std::path::PathBuf;

use serde::Serialize;
use utoipa::ToSchema;
use viewfinder_core::{Alpha, Answer, DecodeRules, PictureTask, SentenceRequest};

use super::look::{json_line, look};
use crate::cli::EmbedArgs;
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::{output, wiring};

/// One vector as JSON.
#[derive(Serialize, ToSchema)]
pub(crate) struct Embedded<'a> {
    /// The picture, as it was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    file: Option<String>,
    /// The sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String)]
    text: Option<&'a str>,
    /// The model that was asked.
    model: &'a str,
    /// Its vector: the larger the cosine of two, the better they fit.
    embedding: &'a [f32],
}

/// Turns pictures and sentences into vectors; as text, tells how well each sentence fits each picture.
pub(crate) fn run(args: &EmbedArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let config = &loaded.config;
    let model = args.model.as_ref().unwrap_or(&config.clip.model);
    let text_model = args.model.as_deref().unwrap_or_else(|| wiring::sentence_model(config));
    let engine = wiring::engine(loaded)?;
    if args.model.is_none() && !args.text.is_empty() && !args.images.is_empty() {
        wiring::check_sentence_model(config, engine.store())?;
    }
    let mut sentences: Vec<(&str, Vec<f32>)> = Vec::new();
    for text in &args.text {
        let request = SentenceRequest {
            model: text_model.to_owned(),
            text: text.clone(),
            language: args.language.clone(),
        };
        let embedding = engine.sentence_blocking(request)?;
        if args.json {
            json_line(&Embedded { file: None, text: Some(text), model: text_model, embedding: &embedding })?;
        } else {
            output::line(&summary(&format!("{text:?}"), &embedding))?;
        }
        sentences.push((text, embedding));
    }
    let decode = DecodeRules { orient: true, alpha: Alpha::Drop, max_side: None };
    let task = PictureTask::Embed { model: model.clone() };
    let mut pictures: Vec<(PathBuf, Vec<f32>)> = Vec::new();
    let outcome = look(&args.images, &engine, config, decode, &task, None, |path, seen| {
        let Answer::Embedding(embedding) = seen.answer else { return Ok(()) };
        if args.json {
            let file = Some(path.to_string_lossy().into_owned());
            return json_line(&Embedded { file, text: None, model, embedding: &embedding });
        }
        output::line(&summary(&path.display().to_string(), &embedding))?;
        pictures.push((path.to_owned(), embedding));
        Ok(())
    })?;
    if !args.json {
        for (text, sentence) in &sentences {
            for (path, picture) in &pictures {
                output::line(&format!(
                    "{:.4}  {text:?}  {}",
                    viewfinder_core::cosine(sentence, picture),
                    path.display()
                ))?;
            }
        }
    }
    Ok(outcome)
}

fn summary(name: &str, embedding: &[f32]) -> String {
    let head: Vec<String> = embedding.iter().take(4).map(|value| format!("{value:.4}")).collect();
    format!("{name}: {} values, {} …", embedding.len(), head.join(" "))
}
