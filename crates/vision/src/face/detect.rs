use serde_json::json;
use viewfinder_image::{RgbImage, resize};

use super::{FaceError, MAX_CANDIDATES, suppress};
use crate::{Dump, Network, Tensor, View};
use viewfinder_core::Face;

/// Side of the letterbox where the network leaves it open.
const DEFAULT_SIDE: usize = 640;
/// Letterboxes outside this range are a broken model file.
const SIDE_RANGE: std::ops::RangeInclusive<usize> = 32..=4096;
/// Boxes that overlap a better one by more than this (intersection over union) are the same face.
const OVERLAP: f32 = 0.4;
/// Pixels per cell on the finest level; each further level doubles it.
const FINEST_STRIDE: usize = 8;
/// Where the five points of a face lie in its box, as parts of its width and height, for detectors that give
/// none: the medians of what SCRFD finds on the faces of the test pictures, made symmetric.
const TYPICAL_POINTS: [[f32; 2]; 5] = [[0.3, 0.425], [0.7, 0.425], [0.5, 0.64], [0.35, 0.755], [0.65, 0.755]];

/// Finds faces with a score of at least `min_score`, best first, without embeddings.
///
/// The picture is scaled into the top left of the network's black input, colours as `(x - 127.5) / 128`. Two
/// faces of equal score keep the order of their anchors. A `min_score` that is not a number finds nothing.
pub fn detect(
    picture: &RgbImage,
    network: &dyn Network,
    min_score: f32,
    dump: Option<&dyn Dump>,
) -> Result<Vec<Face>, FaceError> {
    if picture.width() == 0 || picture.height() == 0 {
        return Err(FaceError::EmptyPicture);
    }
    let (width, height) = input_size(network)?;
    let (fitted, scale) = fit(picture, width, height);
    if let Some(dump) = dump {
        dump.picture("face-input", &fitted);
    }
    let mut decoded = Err(FaceError::Detector("no output at all".into()));
    network.run(vec![letterbox(&fitted, width, height)], &mut |outputs| {
        decoded = decode(outputs, width, height, scale, min_score);
    })?;
    let mut candidates = decoded?;
    candidates.sort_by(|a, b| b.score.total_cmp(&a.score));
    candidates.truncate(MAX_CANDIDATES);
    let bounds: Vec<[f32; 4]> = candidates.iter().map(|face| face.bounds).collect();
    let mut kept = vec![false; candidates.len()];
    for index in suppress(&bounds, OVERLAP) {
        kept[index] = true;
    }
    let faces: Vec<Face> =
        candidates.into_iter().zip(kept).filter_map(|(face, kept)| kept.then_some(face)).collect();
    if let Some(dump) = dump {
        dump.json("faces", json!(faces));
    }
    Ok(faces)
}

/// Width and height of the network's input: what it declares, else 640.
fn input_size(network: &dyn Network) -> Result<(usize, usize), FaceError> {
    let [(_, shape)] = network.inputs() else {
        return Err(FaceError::Detector(format!("{} inputs instead of one", network.inputs().len())));
    };
    let [_, _, height, width] = shape[..] else {
        return Err(FaceError::Detector(format!("an input of {} axes instead of four", shape.len())));
    };
    let (width, height) = (width.unwrap_or(DEFAULT_SIDE), height.unwrap_or(DEFAULT_SIDE));
    if !SIDE_RANGE.contains(&width) || !SIDE_RANGE.contains(&height) {
        return Err(FaceError::Detector(format!("an input of {width}x{height} pixels")));
    }
    Ok((width, height))
}

/// The picture scaled to fit `width`×`height`, and the scale that was applied to its height. Lengths are
/// truncated, except that nothing gets thinner than a pixel.
fn fit(picture: &RgbImage, width: usize, height: usize) -> (RgbImage, f64) {
    let ratio = picture.height() as f64 / picture.width() as f64;
    let (fitted_width, fitted_height) = if ratio > height as f64 / width as f64 {
        (((height as f64 / ratio) as usize).max(1), height)
    } else {
        (width, ((width as f64 * ratio) as usize).max(1))
    };
    let scale = fitted_height as f64 / picture.height() as f64;
    (resize::bilinear(picture, fitted_width, fitted_height), scale)
}

/// The network's input `[1, 3, height, width]`: `fitted` in the top left, black elsewhere.
fn letterbox(fitted: &RgbImage, width: usize, height: usize) -> Tensor {
    let table: [f32; 256] = std::array::from_fn(|sample| (sample as f32 - 127.5) / 128.0);
    let plane = width * height;
    let mut data = vec![table[0]; 3 * plane];
    for (channel, target) in data.chunks_exact_mut(plane).enumerate() {
        for (y, row) in target.chunks_exact_mut(width).enumerate().take(fitted.height()) {
            let samples = fitted.row(y).iter().skip(channel).step_by(3);
            row.iter_mut().zip(samples).for_each(|(value, &sample)| *value = table[usize::from(sample)]);
        }
    }
    Tensor::f32([1, 3, height, width], data)
}

/// Turns the network's outputs into faces at least as sure as `min_score`, level by level, finest first.
///
/// Each level has scores `[rows, 1]`, boxes `[rows, 4]` and usually points `[rows, 10]`, with or without a
/// leading axis of 1. They are told apart by shape alone, because exports differ in order and names.
fn decode(
    outputs: &[View<'_>],
    width: usize,
    height: usize,
    scale: f64,
    min_score: f32,
) -> Result<Vec<Face>, FaceError> {
    let (scores, boxes, points) = (of_width(outputs, 1), of_width(outputs, 4), of_width(outputs, 10));
    let levels = scores.len();
    let complete = boxes.len() == levels && (points.len() == levels || points.is_empty());
    if !matches!(levels, 3 | 5) || !complete || outputs.len() != levels + boxes.len() + points.len() {
        let shapes: Vec<_> = outputs.iter().map(|output| &output.shape).collect();
        return Err(FaceError::Detector(format!("outputs of the shapes {shapes:?}")));
    }
    let scale = scale as f32;
    let mut faces = Vec::new();
    for level in 0..levels {
        let stride = FINEST_STRIDE << level;
        let (columns, cells) = (width / stride, (width / stride) * (height / stride));
        let rows = scores[level].len();
        let points = points.get(level).copied();
        let agree = boxes[level].len() == rows * 4 && points.is_none_or(|points| points.len() == rows * 10);
        if cells == 0 || rows == 0 || !rows.is_multiple_of(cells) || !agree {
            return Err(FaceError::Detector(format!("{rows} scores on the level of {columns} columns")));
        }
        let anchors = rows / cells;
        let step = stride as f32;
        for (row, &score) in scores[level].iter().enumerate().filter(|&(_, &score)| score >= min_score) {
            let cell = row / anchors;
            let (x, y) = ((cell % columns * stride) as f32, (cell / columns * stride) as f32);
            let reach = &boxes[level][row * 4..][..4];
            let bounds = [x - reach[0] * step, y - reach[1] * step, x + reach[2] * step, y + reach[3] * step];
            let landmarks = match points {
                Some(points) => {
                    let offsets = &points[row * 10..][..10];
                    std::array::from_fn(|k| [x + offsets[2 * k] * step, y + offsets[2 * k + 1] * step])
                }
                None => typical_points(&bounds),
            };
            let face = Face {
                bounds: bounds.map(|value| value / scale),
                score,
                landmarks: landmarks.map(|point| point.map(|value| value / scale)),
                embedding: Vec::new(),
            };
            // A half-precision device can overflow; such a box means nothing.
            if face.bounds.iter().chain(face.landmarks.as_flattened()).all(|value| value.is_finite()) {
                faces.push(face);
            }
        }
    }
    Ok(faces)
}

/// The values of all outputs whose last axis has this extent, longest first, which is finest level first.
fn of_width<'a>(outputs: &[View<'a>], width: usize) -> Vec<&'a [f32]> {
    let mut found: Vec<&[f32]> = outputs
        .iter()
        .filter(|output| matches!(output.shape[..], [1, _, last] | [_, last] if last == width))
        .map(|output| output.data)
        .collect();
    found.sort_by_key(|data| std::cmp::Reverse(data.len()));
    found
}

fn typical_points([x1, y1, x2, y2]: &[f32; 4]) -> [[f32; 2]; 5] {
    TYPICAL_POINTS.map(|[x, y]| [x1 + x * (x2 - x1), y1 + y * (y2 - y1)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Data, NetworkError,
        fake::{Fake, Output},
    };

    /// One anchor's answer: level, column, row, anchor, score.
    type Hit = (usize, usize, usize, usize, f32);

    /// How a detector arranges its outputs.
    #[derive(Clone, Copy)]
    struct Layout {
        side: usize,
        levels: usize,
        anchors: usize,
        points: bool,
        batched: bool,
        reversed: bool,
    }

    const USUAL: Layout =
        Layout { side: 640, levels: 3, anchors: 2, points: true, batched: false, reversed: false };

    /// Answers every hit with a box that reaches 1, 2, 3 and 4 steps from its cell and points of which the
    /// k-th is k steps right and k + 1 steps down of it.
    fn outputs(layout: Layout, hits: &[Hit]) -> Vec<Output> {
        let mut all = Vec::new();
        let widths: &[usize] = if layout.points { &[1, 4, 10] } else { &[1, 4] };
        for &width in widths {
            for level in 0..layout.levels {
                let columns = layout.side / (8 << level);
                let rows = columns * columns * layout.anchors;
                let mut data = vec![0.0; rows * width];
                for &(_, column, row, anchor, score) in hits.iter().filter(|hit| hit.0 == level) {
                    let at = ((row * columns + column) * layout.anchors + anchor) * width;
                    for (k, value) in data[at..at + width].iter_mut().enumerate() {
                        *value = match width {
                            1 => score,
                            4 => (k + 1) as f32,
                            _ => (k / 2 + k % 2) as f32,
                        };
                    }
                }
                let shape = if layout.batched { vec![1, rows, width] } else { vec![rows, width] };
                all.push((shape, data));
            }
        }
        if layout.reversed {
            all.reverse();
        }
        all
    }

    fn detector(layout: Layout, hits: &'static [Hit]) -> Fake {
        let side = (layout.side != 640).then_some(layout.side);
        Fake::new(&[("input.1", &[Some(1), Some(3), side, side])], move |_| Ok(outputs(layout, hits)))
    }

    const HITS: &[Hit] = &[(0, 10, 5, 1, 0.6), (1, 30, 20, 0, 0.9), (2, 2, 15, 1, 0.7)];

    #[test]
    fn boxes_and_points_are_measured_from_their_cell() {
        let faces = detect(&RgbImage::filled(1280, 640, [0; 3]), &detector(USUAL, HITS), 0.5, None).unwrap();
        let scores: Vec<f32> = faces.iter().map(|face| face.score).collect();
        assert_eq!(scores, [0.9, 0.7, 0.6]);
        // Stride 8, cell (10, 5), picture twice as large as the letterbox.
        let face = &faces[2];
        assert_eq!(face.bounds, [144.0, 48.0, 208.0, 144.0]);
        assert_eq!(face.landmarks[0], [160.0, 96.0]);
        assert_eq!(face.landmarks[4], [224.0, 160.0]);
        assert!(face.embedding.is_empty());
    }

    #[test]
    fn every_arrangement_of_outputs_gives_the_same_faces() {
        let picture = RgbImage::filled(640, 480, [0; 3]);
        let expected = detect(&picture, &detector(USUAL, HITS), 0.5, None).unwrap();
        for layout in [
            Layout { batched: true, ..USUAL },
            Layout { reversed: true, ..USUAL },
            Layout { batched: true, reversed: true, levels: 5, ..USUAL },
        ] {
            assert_eq!(detect(&picture, &detector(layout, HITS), 0.5, None).unwrap(), expected);
        }
        let single = Layout { anchors: 1, levels: 5, ..USUAL };
        let hits: &[Hit] = &[(0, 10, 5, 0, 0.6), (1, 30, 20, 0, 0.9), (2, 2, 15, 0, 0.7)];
        assert_eq!(detect(&picture, &detector(single, hits), 0.5, None).unwrap(), expected);
    }

    #[test]
    fn without_points_the_landmarks_lie_inside_the_box() {
        for levels in [3, 5] {
            let layout = Layout { points: false, levels, ..USUAL };
            let faces =
                detect(&RgbImage::filled(64, 64, [0; 3]), &detector(layout, HITS), 0.5, None).unwrap();
            assert_eq!(faces.len(), 3);
            for face in faces {
                let [x1, y1, x2, y2] = face.bounds;
                assert!(face.landmarks.iter().all(|&[x, y]| x1 < x && x < x2 && y1 < y && y < y2));
            }
        }
    }

    #[test]
    fn a_declared_input_size_is_honoured() {
        let network = Fake::new(&[("x", &[None, Some(3), Some(320), Some(320)])], |inputs| {
            assert_eq!(inputs[0].shape, [1, 3, 320, 320]);
            Ok(outputs(Layout { side: 320, ..USUAL }, &[(0, 39, 39, 0, 0.9)]))
        });
        let faces = detect(&RgbImage::filled(320, 320, [0; 3]), &network, 0.5, None).unwrap();
        assert_eq!(faces[0].bounds, [304.0, 296.0, 336.0, 344.0]);
    }

    #[test]
    fn the_picture_lies_in_the_top_left_on_black() {
        let network = Fake::new(&[("x", &[None; 4])], |inputs| {
            let Data::F32(values) = &inputs[0].data else { panic!("pictures are floats") };
            let at = |channel: usize, y: usize, x: usize| values[(channel * 640 + y) * 640 + x];
            let black = -127.5 / 128.0;
            assert_eq!([at(0, 0, 0), at(1, 0, 0), at(2, 0, 0)], [127.5 / 128.0, black, -77.5 / 128.0]);
            assert_eq!([at(0, 319, 639), at(0, 320, 639)], [127.5 / 128.0, black]);
            Ok(outputs(USUAL, &[]))
        });
        assert!(detect(&RgbImage::filled(200, 100, [255, 0, 50]), &network, 0.5, None).unwrap().is_empty());
    }

    #[test]
    fn the_threshold_is_inclusive_and_nothing_is_not_a_face() {
        let faces =
            |min_score| detect(&RgbImage::filled(64, 64, [0; 3]), &detector(USUAL, HITS), min_score, None);
        assert_eq!(faces(0.7).unwrap().len(), 2);
        assert_eq!(faces(1.1).unwrap().len(), 0);
        assert_eq!(faces(f32::NAN).unwrap().len(), 0);
    }

    #[test]
    fn a_threshold_of_zero_stays_bounded() {
        let faces = detect(&RgbImage::filled(64, 64, [0; 3]), &detector(USUAL, HITS), 0.0, None).unwrap();
        assert!(faces.len() <= MAX_CANDIDATES);
        assert_eq!(faces[0].score, 0.9);
    }

    #[test]
    fn numbers_that_are_none_are_left_out() {
        let network = Fake::new(&[("x", &[None; 4])], |_| {
            let mut all = outputs(USUAL, &[(0, 1, 1, 0, f32::NAN), (1, 1, 1, 0, 0.9), (2, 9, 9, 0, 0.8)]);
            let at = (40 + 1) * 2 * 4;
            all[4].1[at] = f32::INFINITY;
            Ok(all)
        });
        let faces = detect(&RgbImage::filled(64, 64, [0; 3]), &network, 0.5, None).unwrap();
        assert_eq!(faces.iter().map(|face| face.score).collect::<Vec<_>>(), [0.8]);
    }

    #[test]
    fn any_proportion_works_but_no_picture_does_not() {
        for (width, height) in [(1, 1), (1, 5000), (5000, 1), (3, 2)] {
            let picture = RgbImage::filled(width, height, [9; 3]);
            assert!(detect(&picture, &detector(USUAL, HITS), 0.5, None).is_ok());
        }
        let empty = detect(&RgbImage::filled(0, 5, [0; 3]), &detector(USUAL, HITS), 0.5, None);
        assert!(matches!(empty, Err(FaceError::EmptyPicture)));
    }

    #[test]
    fn other_networks_are_refused() {
        let picture = RgbImage::filled(64, 64, [0; 3]);
        let answers: [fn() -> Vec<Output>; 4] = [
            Vec::new,
            || vec![(vec![1, 512], vec![0.0; 512])],
            || outputs(USUAL, &[])[..8].to_vec(),
            || outputs(Layout { side: 320, levels: 3, anchors: 1, ..USUAL }, &[]),
        ];
        for answer in answers {
            let network = Fake::new(&[("x", &[None; 4])], move |_| Ok(answer()));
            assert!(matches!(detect(&picture, &network, 0.5, None), Err(FaceError::Detector(_))));
        }
        let inputs: [&[Option<usize>]; 3] =
            [&[None; 3], &[None, None, Some(8), None], &[None, None, Some(9000), None]];
        for shape in inputs {
            let network = Fake::new(&[("x", shape)], |_| Ok(outputs(USUAL, &[])));
            assert!(matches!(detect(&picture, &network, 0.5, None), Err(FaceError::Detector(_))));
        }
        let failing = Fake::new(&[("x", &[None; 4])], |_| Err(NetworkError::new("no")));
        assert!(matches!(detect(&picture, &failing, 0.5, None), Err(FaceError::Network(_))));
    }
}
