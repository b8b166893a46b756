use viewfinder_image::{RgbImage, resize};

use super::OcrError;
use super::bidi::reading_order;
use super::pack::{Normalisation, bgr_planes};
use crate::{Network, Tensor};

/// Height of every PP-OCR recogniser's input.
const HEIGHT: usize = 48;

/// The characters a recogniser knows, by class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharacterSet {
    characters: Vec<Box<str>>,
}

impl CharacterSet {
    /// From the model's metadata property `character`: one character a line. Class 0 is the blank that separates
    /// repeated characters, classes 1 to n are the lines, and class n + 1 is the space.
    pub fn from_metadata(lines: &str) -> Self {
        Self { characters: lines.lines().chain([" "]).map(Box::from).collect() }
    }

    /// Number of classes, the blank included.
    pub fn classes(&self) -> usize {
        self.characters.len() + 1
    }
}

/// How wide the recogniser's inputs are.
///
/// Lines are filled up on the right to their batch's width, and a little of that filling shows in the scores (and,
/// on rare occasions, in the text), so results depend on how lines are grouped. The reference's grouping is kept as
/// far as the widths go; which lines share a call is free.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum WidthRule {
    /// By batches.
    Batches {
        /// Lines, by rising ratio of width to height, that share a width.
        lines: usize,
        /// Least ratio.
        floor: f64,
    },
    /// Each line by itself, in steps.
    Steps {
        /// Least width.
        floor: usize,
        /// Greatest width; longer lines are squeezed. The answer takes 19 kB for each of these pixels.
        ceiling: usize,
        /// Least filling on the right: a line that fills its input loses its last character more often.
        filling: usize,
        /// Widths are multiples of this, so that few different shapes occur: networks keep memory for each.
        step: usize,
    },
}

impl WidthRule {
    /// `RapidOCR`'s, and Immich's, which uses that recogniser: six lines, at least 320 pixels wide.
    pub(super) const RAPIDOCR: Self = Self::Batches { lines: 6, floor: 320.0 / 48.0 };

    /// This program's own. Time grows with the width, and `RapidOCR`'s floor makes a short word four times as dear.
    pub(super) const VIEWFINDER: Self = Self::Steps { floor: 96, ceiling: 3200, filling: 16, step: 32 };

    /// Groups lines, given by their ratios of width to height, into runs of at most `most` lines of one width; the
    /// widest, which take longest, first.
    pub(super) fn plan(&self, ratios: &[f64], most: usize) -> Vec<RecognitionBatch> {
        let mut order: Vec<usize> = (0..ratios.len()).collect();
        order.sort_by(|&a, &b| ratios[a].total_cmp(&ratios[b]));
        let groups: Vec<(usize, &[usize])> = match *self {
            Self::Batches { lines, floor } => order
                .chunks(lines)
                .map(|batch| {
                    let widest = batch.iter().fold(floor, |widest, &line| widest.max(ratios[line]));
                    ((HEIGHT as f64 * widest) as usize, batch)
                })
                .collect(),
            Self::Steps { floor, ceiling, filling, step } => {
                let width = |line: usize| {
                    (natural_width(ratios[line]) + filling).next_multiple_of(step).clamp(floor, ceiling)
                };
                order.chunk_by(|&a, &b| width(a) == width(b)).map(|lines| (width(lines[0]), lines)).collect()
            }
        };
        let mut runs: Vec<RecognitionBatch> = groups
            .into_iter()
            .flat_map(|(width, lines)| {
                lines.chunks(most.max(1)).map(move |lines| RecognitionBatch { width, lines: lines.to_vec() })
            })
            .collect();
        runs.reverse();
        runs
    }
}

/// Lines for one call of the recogniser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RecognitionBatch {
    /// Width of the input.
    pub(super) width: usize,
    /// Which lines.
    pub(super) lines: Vec<usize>,
}

/// A line's text and the mean confidence of its characters (0…1), each rounded to five decimals as in the
/// references; a line without any character scores 0.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) text: String,
    pub(super) score: f64,
}

/// Width of a line of this ratio of width to height in the recogniser's input.
fn natural_width(ratio: f64) -> usize {
    (HEIGHT as f64 * ratio).ceil() as usize
}

/// Reads `lines` at the given input width.
///
/// The network takes `[N, 3, 48, W]` (B, G, R, -1…1; lines keep their proportions, are cut short of nothing but
/// squeezed where longer than W, and filled up with 0) and gives `[N, T, C]`: for each of T columns the probability
/// of each of C classes.
pub(super) fn recognize(
    lines: &[RgbImage],
    width: usize,
    network: &dyn Network,
    characters: &CharacterSet,
) -> Result<Vec<Reading>, OcrError> {
    let table = Normalisation::CENTRED.table();
    let mut values = vec![0.0; lines.len() * 3 * HEIGHT * width];
    for (line, values) in lines.iter().zip(values.chunks_exact_mut(3 * HEIGHT * width)) {
        let natural = natural_width(line.width() as f64 / line.height() as f64);
        bgr_planes(&resize::bilinear(line, natural.clamp(1, width), HEIGHT), &table, width, values);
    }
    let mut readings = None;
    network.run(vec![Tensor::f32([lines.len(), 3, HEIGHT, width], values)], &mut |outputs| {
        readings = outputs.first().and_then(|scores| match scores.shape[..] {
            [count, columns, classes] if count == lines.len() && classes == characters.classes() => Some(
                (0..count)
                    .map(|line| {
                        decode(&scores.data[line * columns * classes..][..columns * classes], characters)
                    })
                    .collect(),
            ),
            _ => None,
        });
    })?;
    readings.ok_or_else(|| OcrError::Output {
        network: "recogniser",
        expected: format!("[{}, columns, {}]", lines.len(), characters.classes()),
    })
}

/// Greedy CTC decoding of `[columns, classes]` probabilities: the best class of each column, repeats joined, blanks
/// left out.
fn decode(scores: &[f32], characters: &CharacterSet) -> Reading {
    let (mut text, mut sum, mut count, mut previous) = (String::new(), 0.0, 0usize, 0);
    for column in scores.chunks_exact(characters.classes()) {
        let (class, score) = best(column);
        if class != previous && class != 0 {
            text.push_str(&characters.characters[class - 1]);
            sum += rounded(f64::from(score));
            count += 1;
        }
        previous = class;
    }
    let text = reading_order(text);
    Reading { text, score: if count == 0 { 0.0 } else { rounded(sum / count as f64) } }
}

fn rounded(score: f64) -> f64 {
    (score * 1e5).round_ties_even() / 1e5
}

/// The first greatest value and its index. A column has some 18,000 classes, so the greatest value is found in
/// vector registers first, and its place after that.
fn best(column: &[f32]) -> (usize, f32) {
    let mut lanes = [f32::MIN; 32];
    let (chunks, rest) = column.as_chunks::<32>();
    for chunk in chunks {
        for (lane, &value) in lanes.iter_mut().zip(chunk) {
            *lane = if value > *lane { value } else { *lane };
        }
    }
    let greatest = lanes.iter().chain(rest).fold(f32::MIN, |a, &b| if b > a { b } else { a });
    let class = chunks
        .iter()
        .position(|chunk| chunk.contains(&greatest))
        .map_or(column.len() - rest.len(), |chunk| chunk * 32);
    let place = column[class..].iter().position(|&value| value == greatest).map_or(0, |at| class + at);
    (place, greatest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ocr::tests::fake;
    use proptest::prelude::*;

    fn characters() -> CharacterSet {
        CharacterSet::from_metadata("a\nb\n文")
    }

    /// Columns of one certain class each.
    fn columns(classes: &[(usize, f32)]) -> Vec<f32> {
        classes
            .iter()
            .flat_map(|&(class, score)| {
                (0..5).map(move |c| if c == class { score } else { (1.0 - score) / 9.0 })
            })
            .collect()
    }

    #[test]
    fn alphabet_counts_blank_and_space() {
        assert_eq!(characters().classes(), 5);
        assert_eq!(CharacterSet::from_metadata("a\r\nb\n").classes(), 4);
    }

    #[test]
    fn repeats_join_and_blanks_part_them() {
        let scores = columns(&[(1, 0.9), (1, 0.8), (0, 1.0), (1, 0.7), (4, 0.6), (3, 1.0), (3, 1.0)]);
        let reading = decode(&scores, &characters());
        assert_eq!(reading.text, "aa 文");
        assert!((reading.score - (0.9 + 0.7 + 0.6 + 1.0) / 4.0).abs() < 1e-5);
    }

    #[test]
    fn arabic_is_put_into_reading_order() {
        let scores = columns(&[(1, 0.9), (2, 0.9), (4, 0.9), (3, 0.9)]);
        assert_eq!(decode(&scores, &CharacterSet::from_metadata("ا\nم\n7")).text, "7 ما");
    }

    #[test]
    fn nothing_but_blanks_is_an_empty_line() {
        let reading = decode(&columns(&[(0, 1.0), (0, 0.9)]), &characters());
        assert_eq!(reading, Reading { text: String::new(), score: 0.0 });
        assert_eq!(decode(&[], &characters()).text, "");
        assert_eq!(decode(&[f32::NAN; 10], &characters()).text, "");
    }

    #[test]
    fn equal_scores_go_to_the_first_class() {
        let mut column = vec![0.1; 100];
        column[37] = 0.5;
        column[99] = 0.5;
        assert_eq!(best(&column), (37, 0.5));
    }

    #[test]
    fn widths_follow_the_reference_batches() {
        let rule = WidthRule::RAPIDOCR;
        // Seven lines: the six narrowest share the floor, the widest has its own width.
        let ratios = [1.0, 9.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        let runs = rule.plan(&ratios, 4);
        let widths: Vec<_> = runs.iter().map(|run| (run.width, run.lines.len())).collect();
        assert_eq!(widths, [(432, 1), (320, 2), (320, 4)]);
        assert_eq!(runs[0].lines, [1]);
        assert_eq!(rule.plan(&[7.0, 7.2115], 1)[0].width, 346);
        assert!(rule.plan(&[], 4).is_empty());
    }

    #[test]
    fn steps_leave_filling_and_share_widths() {
        // 48, 100, 112 and 113 pixels wide: the floor, then the next multiple of 32 with 16 to spare.
        let ratios = [112.0 / 48.0, 1.0, 113.0 / 48.0, 100.0 / 48.0];
        let runs = WidthRule::VIEWFINDER.plan(&ratios, 4);
        let widths: Vec<_> = runs.iter().map(|run| (run.width, &run.lines[..])).collect();
        assert_eq!(widths, [(160, &[2][..]), (128, &[3, 0]), (96, &[1])]);
        assert_eq!(WidthRule::VIEWFINDER.plan(&ratios, 1).len(), 4);
    }

    #[test]
    fn wrong_shapes_are_errors() {
        let line = RgbImage::filled(20, 10, [200; 3]);
        for shape in [vec![1, 4, 6], vec![2, 4, 5], vec![1, 20]] {
            let network = fake(move |_| (shape.clone(), vec![0.5; shape.iter().product()]));
            let error = recognize(std::slice::from_ref(&line), 320, &network, &characters()).unwrap_err();
            assert!(error.to_string().contains("recogniser"), "{error}");
        }
    }

    #[test]
    fn lines_are_scaled_and_padded_with_mid_grey() {
        let line = RgbImage::filled(20, 10, [255, 255, 255]);
        let network = fake(|input| {
            assert_eq!(input.shape, [1, 3, 48, 320]);
            let crate::Data::F32(values) = &input.data else { panic!("floats") };
            assert!(values.chunks(320).all(|row| row[..96] == [1.0; 96] && row[96..] == [0.0; 224]));
            (vec![1, 2, 5], columns(&[(2, 0.9), (0, 0.9)]))
        });
        let read = recognize(&[line], 320, &network, &characters()).unwrap();
        assert_eq!(read[0].text, "b");
    }

    proptest! {
        #[test]
        fn best_agrees_with_the_plain_search(column in prop::collection::vec(0u8..20, 1..200)) {
            let column: Vec<f32> = column.into_iter().map(f32::from).collect();
            let greatest = column.iter().copied().fold(f32::MIN, f32::max);
            prop_assert_eq!(best(&column), (column.iter().position(|&v| v == greatest).unwrap(), greatest));
        }

        #[test]
        fn every_line_is_planned_once_and_fits(ratios in prop::collection::vec(0.1f64..60.0, 0..40), most in 1usize..8) {
            for (rule, floor) in [(WidthRule::RAPIDOCR, 320), (WidthRule::VIEWFINDER, 96)] {
            let runs = rule.plan(&ratios, most);
            let mut lines: Vec<usize> = runs.iter().flat_map(|run| run.lines.clone()).collect();
            lines.sort_unstable();
            prop_assert_eq!(lines, (0..ratios.len()).collect::<Vec<_>>());
            prop_assert!(runs.windows(2).all(|pair| pair[0].width >= pair[1].width));
            for run in &runs {
                prop_assert!(run.width >= floor && run.lines.len() <= most);
                prop_assert!(run.lines.iter().all(|&line| (48.0 * ratios[line]) as usize <= run.width));
            }
            }
        }
    }
}
