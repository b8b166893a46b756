use viewfinder_image::RgbImage;

use super::{ClipError, ImagePreprocess, TextTokenizer};
use crate::{Network, Tensor, View};

/// The vector of one picture, as the network gives it.
pub fn embed_image(
    picture: &RgbImage,
    network: &dyn Network,
    preprocess: &ImagePreprocess,
) -> Result<Vec<f32>, ClipError> {
    let tensor = preprocess.tensor(picture)?;
    check_fits(network, std::slice::from_ref(&tensor))?;
    first_row(network, vec![tensor])
}

/// The vectors of several pictures, in their order.
///
/// They go through the network together where it takes batches of any size, else one by one.
pub fn embed_images(
    pictures: &[&RgbImage],
    network: &dyn Network,
    preprocess: &ImagePreprocess,
) -> Result<Vec<Vec<f32>>, ClipError> {
    let any_batch = network.inputs().first().is_some_and(|(_, shape)| shape.first() == Some(&None));
    if pictures.len() < 2 || !any_batch {
        return pictures.iter().map(|picture| embed_image(picture, network, preprocess)).collect();
    }
    let tensor = preprocess.batch(pictures)?;
    check_fits(network, std::slice::from_ref(&tensor))?;
    let vectors = rows(network, vec![tensor])?;
    if vectors.len() != pictures.len() {
        return Err(ClipError::Output(format!("{} vectors for {} pictures", vectors.len(), pictures.len())));
    }
    Ok(vectors)
}

/// The vector of one sentence, as the network gives it. `language`: see [`TextTokenizer::tokenize`].
pub fn embed_text(
    text: &str,
    language: Option<&str>,
    network: &dyn Network,
    tokenizer: &TextTokenizer,
) -> Result<Vec<f32>, ClipError> {
    let any_length = network.inputs().first().is_some_and(|(_, shape)| shape.get(1) == Some(&None));
    let tensors = tokenizer.tokenize(text, language, any_length)?;
    let tensors = in_declared_order(network, tokenizer.input_names(), tensors);
    check_fits(network, &tensors)?;
    first_row(network, tensors)
}

/// Sorts tensors into the order in which the network declares inputs of their names; names that it does not
/// have leave the order as it is.
fn in_declared_order(network: &dyn Network, names: &[&str], tensors: Vec<Tensor>) -> Vec<Tensor> {
    let rank = |name: &str| network.inputs().iter().position(|(declared, _)| declared == name);
    let mut ranked: Vec<_> = names.iter().map(|name| rank(name)).zip(tensors).collect();
    if ranked.iter().all(|(rank, _)| rank.is_some()) {
        ranked.sort_by_key(|(rank, _)| *rank);
    }
    ranked.into_iter().map(|(_, tensor)| tensor).collect()
}

/// Says in words what a runtime would say in riddles: wrong number of inputs, wrong size.
fn check_fits(network: &dyn Network, tensors: &[Tensor]) -> Result<(), ClipError> {
    let declared = network.inputs();
    if declared.len() != tensors.len() {
        return Err(ClipError::Input(format!("it has {} inputs, not {}", declared.len(), tensors.len())));
    }
    for ((name, shape), tensor) in declared.iter().zip(tensors) {
        let fits = shape.len() == tensor.shape.len()
            && shape
                .iter()
                .zip(&tensor.shape)
                .all(|(declared, &given)| declared.is_none_or(|size| size == given));
        if !fits {
            let sizes: Vec<String> = shape
                .iter()
                .map(|axis| axis.map_or_else(|| "?".to_owned(), |size| size.to_string()))
                .collect();
            return Err(ClipError::Input(format!(
                "its input `{name}` is [{}], prepared was {:?}",
                sizes.join(", "),
                tensor.shape
            )));
        }
    }
    Ok(())
}

fn first_row(network: &dyn Network, inputs: Vec<Tensor>) -> Result<Vec<f32>, ClipError> {
    let mut vectors = rows(network, inputs)?;
    Ok(vectors.swap_remove(0))
}

/// Runs the network and cuts its first output into the rows of its first axis: at least one, none of them
/// empty, all numbers finite.
fn rows(network: &dyn Network, inputs: Vec<Tensor>) -> Result<Vec<Vec<f32>>, ClipError> {
    let mut result = Err(ClipError::Output("no output at all".into()));
    network.run(inputs, &mut |outputs| result = split(outputs))?;
    result
}

fn split(outputs: &[View<'_>]) -> Result<Vec<Vec<f32>>, ClipError> {
    let Some(output) = outputs.first() else { return Err(ClipError::Output("no output at all".into())) };
    let count = output.shape.first().copied().unwrap_or(0);
    if count == 0 || output.data.is_empty() || !output.data.len().is_multiple_of(count) {
        return Err(ClipError::Output(format!("an output of shape {:?}", output.shape)));
    }
    if !output.data.iter().all(|value| value.is_finite()) {
        return Err(ClipError::Output("it contains values that are not finite".into()));
    }
    Ok(output.data.chunks_exact(output.data.len() / count).map(<[f32]>::to_vec).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Data, NetworkError,
        clip::{ChineseTokenizer, HfFamily, HfText},
        fake::Fake,
    };

    /// Answers each picture with its mean.
    fn averaging(batch: Option<usize>) -> Fake {
        Fake::new(&[("image", &[batch, Some(3), Some(8), Some(8)])], |inputs| {
            let Data::F32(values) = &inputs[0].data else { panic!("pictures are floats") };
            let means = values.chunks(192).map(|picture| picture.iter().sum::<f32>() / 192.0).collect();
            Ok(vec![(vec![inputs[0].shape[0], 1], means)])
        })
    }

    fn answering(shape: &'static [usize], values: &'static [f32]) -> Fake {
        Fake::new(&[("image", &[None, Some(3), Some(8), Some(8)])], |_| {
            Ok(vec![(shape.to_vec(), values.to_vec())])
        })
    }

    #[test]
    fn a_batch_gives_the_same_vectors_as_single_pictures() {
        let pictures: Vec<RgbImage> =
            (1..5).map(|i| RgbImage::filled(10 * i, 20, [40 * i as u8; 3])).collect();
        let pictures: Vec<&RgbImage> = pictures.iter().collect();
        let (dynamic, fixed) = (averaging(None), averaging(Some(1)));
        let preprocess = ImagePreprocess::chinese(8);
        let together = embed_images(&pictures, &dynamic, &preprocess).unwrap();
        assert_eq!(together, embed_images(&pictures, &fixed, &preprocess).unwrap());
        assert_eq!((dynamic.calls(), fixed.calls()), (1, 4));
        assert_eq!(embed_images(&[], &dynamic, &preprocess).unwrap(), Vec::<Vec<f32>>::new());
    }

    #[test]
    fn unusable_answers_are_errors() {
        let picture = RgbImage::filled(8, 8, [1; 3]);
        let embed = |network: &Fake| embed_image(&picture, network, &ImagePreprocess::chinese(8));
        for network in [
            answering(&[1, 0], &[]),
            answering(&[0, 4], &[]),
            answering(&[], &[]),
            answering(&[1, 2], &[1.0, f32::NAN]),
            answering(&[1, 2], &[f32::INFINITY, 0.0]),
            answering(&[2], &[0.0, 0.0, 0.0]),
        ] {
            assert!(matches!(embed(&network), Err(ClipError::Output(_))));
        }
        let failing = Fake::new(&[("image", &[None; 4])], |_| Err(NetworkError::new("no")));
        assert!(matches!(embed(&failing), Err(ClipError::Network(_))));
        assert!(matches!(
            embed_images(
                &[&picture, &picture],
                &answering(&[1, 2], &[0.0, 1.0]),
                &ImagePreprocess::chinese(8)
            ),
            Err(ClipError::Output(_))
        ));
    }

    #[test]
    fn a_wrong_size_is_explained() {
        let error =
            embed_image(&RgbImage::filled(9, 9, [0; 3]), &averaging(None), &ImagePreprocess::chinese(224));
        assert_eq!(
            error.unwrap_err().to_string(),
            "the network does not fit its preprocessing: its input `image` is [?, 3, 8, 8], prepared was [1, 3, 224, 224]"
        );
        let sentence = TextTokenizer::Chinese(ChineseTokenizer::new());
        let two_inputs = Fake::new(&[("a", &[None; 2]), ("b", &[None; 2])], |_| Ok(vec![]));
        assert!(matches!(embed_text("", None, &two_inputs, &sentence), Err(ClipError::Input(_))));
    }

    #[test]
    fn inputs_follow_the_order_of_the_network() {
        let tokenizer = br#"{"version": "1.0", "added_tokens": [],
            "model": {"type": "WordLevel", "unk_token": "?", "vocab": {"?": 7}}}"#;
        let sentence = HfText::open(
            tokenizer,
            br#"{"pad_token": "?"}"#,
            br#"{"text_cfg": {"context_length": 8}}"#,
            HfFamily::MClip,
        );
        let sentence = TextTokenizer::HuggingFace(Box::new(sentence.unwrap()));
        // The answer is the first two values of the first input: an attention mask has ones and zeros.
        let network = |first, second| {
            Fake::new(&[(first, &[None, Some(8)]), (second, &[None, Some(8)])], |inputs| {
                let Data::I32(values) = &inputs[0].data else { panic!("ids are 32-bit") };
                Ok(vec![(vec![1, 2], values[..2].iter().map(|&value| value as f32).collect())])
            })
        };
        let embed = |network: &Fake| embed_text("word", None, network, &sentence).unwrap();
        assert_eq!(embed(&network("input_ids", "attention_mask")), [7.0, 7.0]);
        assert_eq!(embed(&network("attention_mask", "input_ids")), [1.0, 0.0]);
    }
}
