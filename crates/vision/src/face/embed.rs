use viewfinder_image::RgbImage;

use super::{FaceError, aligned};
use crate::{Dump, Network, Tensor, View};
use viewfinder_core::Face;

/// Side of an aligned face where the network leaves it open.
const DEFAULT_SIDE: usize = 112;
/// Sides outside this range are a broken model file.
const SIDE_RANGE: std::ops::RangeInclusive<usize> = 32..=1024;
/// Faces per run where nobody asks for fewer. Bounds memory on pictures of crowds; a face's vector does not
/// depend on its companions.
const USUAL_BATCH: usize = 32;

/// How a recogniser is fed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recognition {
    /// At most so many faces per run; `None` leaves it to the pipeline. A network that declares a batch of one
    /// gets its faces one by one in any case.
    pub max_batch: Option<usize>,
    /// Subtracted from samples of 0…255.
    pub mean: f32,
    /// Divided by afterwards.
    pub std: f32,
}

impl Default for Recognition {
    /// What every recogniser of InsightFace's current packs wants: `(x - 127.5) / 127.5`.
    ///
    /// Old exports of `MXNet` begin with their own `Sub` and `Mul` nodes and want mean 0 and deviation 1. A
    /// [`Network`] does not show its nodes, so whoever loads such a model has to say so.
    fn default() -> Self {
        Self { max_batch: None, mean: 127.5, std: 127.5 }
    }
}

/// Fills in the embeddings of `faces`, found on this picture, with the usual normalisation. On an error, some
/// faces may already have theirs.
pub fn embed(
    picture: &RgbImage,
    faces: &mut [Face],
    network: &dyn Network,
    max_batch: Option<usize>,
    dump: Option<&dyn Dump>,
) -> Result<(), FaceError> {
    embed_with(picture, faces, network, &Recognition { max_batch, ..Recognition::default() }, dump)
}

/// As [`embed`], for recognisers that want to be fed differently.
pub fn embed_with(
    picture: &RgbImage,
    faces: &mut [Face],
    network: &dyn Network,
    recognition: &Recognition,
    dump: Option<&dyn Dump>,
) -> Result<(), FaceError> {
    let (side, one_by_one) = input_shape(network)?;
    let batch = if one_by_one { 1 } else { recognition.max_batch.unwrap_or(USUAL_BATCH).max(1) };
    let factor = 1.0 / recognition.std;
    let table: [f32; 256] = std::array::from_fn(|sample| (sample as f32 - recognition.mean) * factor);

    let mut number = 0;
    for faces in faces.chunks_mut(batch) {
        let mut data = Vec::with_capacity(faces.len() * 3 * side * side);
        for face in &*faces {
            let upright = aligned(picture, &face.landmarks, side).ok_or(FaceError::Landmarks)?;
            if let Some(dump) = dump {
                dump.picture(&format!("face-{number:02}"), &upright);
            }
            number += 1;
            for channel in 0..3 {
                let samples = upright.data().iter().skip(channel).step_by(3);
                data.extend(samples.map(|&sample| table[usize::from(sample)]));
            }
        }
        let input = Tensor::f32([faces.len(), 3, side, side], data);
        let mut assigned = Err(FaceError::Recognizer("no output at all".into()));
        network.run(vec![input], &mut |outputs| assigned = assign(outputs, faces))?;
        assigned?;
    }
    Ok(())
}

/// Side of the network's square input, and whether it takes one face at a time only.
fn input_shape(network: &dyn Network) -> Result<(usize, bool), FaceError> {
    let [(_, shape)] = network.inputs() else {
        return Err(FaceError::Recognizer(format!("{} inputs instead of one", network.inputs().len())));
    };
    let [batch, _, height, width] = shape[..] else {
        return Err(FaceError::Recognizer(format!("an input of {} axes instead of four", shape.len())));
    };
    let (width, height) = (width.unwrap_or(DEFAULT_SIDE), height.unwrap_or(DEFAULT_SIDE));
    if width != height || !SIDE_RANGE.contains(&width) {
        return Err(FaceError::Recognizer(format!("an input of {width}x{height} pixels")));
    }
    Ok((width, batch == Some(1)))
}

/// Hands the rows of the first output `[faces, length]` to their faces.
fn assign(outputs: &[View<'_>], faces: &mut [Face]) -> Result<(), FaceError> {
    let output = outputs.first().ok_or_else(|| FaceError::Recognizer("no output at all".into()))?;
    let fits = output.shape.first() == Some(&faces.len());
    if !fits || output.data.is_empty() || !output.data.len().is_multiple_of(faces.len()) {
        let reason = format!("an output of shape {:?} for {} faces", output.shape, faces.len());
        return Err(FaceError::Recognizer(reason));
    }
    if !output.data.iter().all(|value| value.is_finite()) {
        return Err(FaceError::Recognizer("its vectors contain values that are not finite".into()));
    }
    let length = output.data.len() / faces.len();
    for (face, vector) in faces.iter_mut().zip(output.data.chunks_exact(length)) {
        face.embedding = vector.to_vec();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Data, NetworkError,
        face::template,
        fake::{Fake, Output},
    };

    /// Answers each face with the mean of its channels.
    fn averaging(batch: Option<usize>, side: usize) -> Fake {
        Fake::new(&[("input.1", &[batch, Some(3), Some(side), Some(side)])], move |inputs| {
            let Data::F32(values) = &inputs[0].data else { panic!("pictures are floats") };
            assert!(batch.is_none_or(|batch| inputs[0].shape == [batch, 3, side, side]));
            let plane = side * side;
            let mean =
                |channel: &[f32]| channel.iter().map(|&value| f64::from(value)).sum::<f64>() / plane as f64;
            let means = values.chunks(plane).map(|channel| mean(channel) as f32).collect();
            Ok(vec![(vec![inputs[0].shape[0], 3], means)])
        })
    }

    /// Faces side by side, each on its own colour, and their picture.
    fn row_of_faces(count: usize, side: usize) -> (RgbImage, Vec<Face>) {
        let mut picture = RgbImage::filled(count * side, side, [0; 3]);
        let width = picture.width();
        for (at, pixel) in picture.data_mut().chunks_exact_mut(3).enumerate() {
            pixel.copy_from_slice(&[(at % width / side * 3) as u8, 255, 0]);
        }
        let faces = (0..count).map(|index| Face {
            bounds: [0.0; 4],
            score: 0.9,
            landmarks: template(side).map(|[x, y]| [x + (index * side) as f32, y]),
            embedding: Vec::new(),
        });
        (picture, faces.collect())
    }

    #[test]
    fn every_face_gets_its_own_vector_however_they_are_batched() {
        let (picture, faces) = row_of_faces(70, 112);
        let embedded = |network: &Fake, max_batch| {
            let mut faces = faces.clone();
            embed(&picture, &mut faces, network, max_batch, None).unwrap();
            faces.into_iter().map(|face| face.embedding).collect::<Vec<_>>()
        };
        let (free, single) = (averaging(None, 112), averaging(Some(1), 112));
        let expected = embedded(&free, None);
        assert_eq!(free.calls(), 3);
        for (index, vector) in expected.iter().enumerate() {
            let red = (index * 3) as f32 / 127.5 - 1.0;
            assert!(
                (vector[0] - red).abs() < 1e-4
                    && (vector[1] - 1.0).abs() < 1e-4
                    && (vector[2] + 1.0).abs() < 1e-4
            );
        }
        assert_eq!(embedded(&free, Some(7)), expected);
        assert_eq!(embedded(&free, Some(0)), expected);
        assert_eq!(embedded(&single, Some(7)), expected);
        assert_eq!(single.calls(), 70);
    }

    #[test]
    fn size_and_normalisation_follow_the_network() {
        let (picture, mut faces) = row_of_faces(2, 128);
        let raw = Recognition { mean: 0.0, std: 1.0, ..Recognition::default() };
        embed_with(&picture, &mut faces, &averaging(None, 128), &raw, None).unwrap();
        assert_eq!(faces[1].embedding, [3.0, 255.0, 0.0]);
    }

    #[test]
    fn no_face_needs_no_run() {
        let network = averaging(None, 112);
        embed(&RgbImage::filled(1, 1, [0; 3]), &mut [], &network, None, None).unwrap();
        assert_eq!(network.calls(), 0);
    }

    #[test]
    fn unusable_faces_networks_and_answers_are_errors() {
        let (picture, faces) = row_of_faces(2, 112);
        let attempt = |network: &Fake| embed(&picture, &mut faces.clone(), network, None, None);
        let answers: [fn() -> Output; 4] = [
            || (vec![1, 4], vec![0.0; 4]),
            || (vec![2, 0], vec![]),
            || (vec![2, 2], vec![0.0, 1.0, f32::NAN, 0.0]),
            || (vec![], vec![]),
        ];
        for answer in answers {
            let network = Fake::new(&[("x", &[None; 4])], move |_| Ok(vec![answer()]));
            assert!(matches!(attempt(&network), Err(FaceError::Recognizer(_))));
        }
        assert!(matches!(
            attempt(&Fake::new(&[("x", &[None; 4])], |_| Ok(vec![]))),
            Err(FaceError::Recognizer(_))
        ));
        let failing = Fake::new(&[("x", &[None; 4])], |_| Err(NetworkError::new("no")));
        assert!(matches!(attempt(&failing), Err(FaceError::Network(_))));
        let oblong = Fake::new(&[("x", &[None, None, Some(112), Some(96)])], |_| Ok(vec![]));
        assert!(matches!(attempt(&oblong), Err(FaceError::Recognizer(_))));

        let mut shapeless = faces.clone();
        shapeless[1].landmarks = [[5.0, 5.0]; 5];
        let error = embed(&picture, &mut shapeless, &averaging(None, 112), None, None);
        assert!(matches!(error, Err(FaceError::Landmarks)));
    }
}
