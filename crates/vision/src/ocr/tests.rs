use std::sync::Mutex;

use super::*;
use crate::fake::Fake;
use crate::{Data, Sequential, Tensor};
use viewfinder_core::ocr::Profile;

/// A network that answers by a function of its only input.
pub(super) fn fake(answer: impl Fn(&Tensor) -> (Vec<usize>, Vec<f32>) + Send + Sync + 'static) -> Fake {
    Fake::new(&[("x", &[None; 4])], move |inputs| Ok(vec![answer(&inputs[0])]))
}

fn values(tensor: &Tensor) -> &[f32] {
    let Data::F32(values) = &tensor.data else { panic!("pictures are floats") };
    values
}

/// Takes white pixels for text.
fn white_is_text() -> Fake {
    fake(|input| {
        let (height, width) = (input.shape[2], input.shape[3]);
        let map =
            values(input)[..width * height].iter().map(|&v| if v > 0.5 { 0.95 } else { 0.02 }).collect();
        (vec![1, 1, height, width], map)
    })
}

/// Reads every line as "ab".
fn reads_ab() -> Fake {
    fake(|input| {
        let count = input.shape[0];
        let line = [0.0, 0.9, 0.1, 0.0, 0.9, 0.1, 0.0, 0.0, 0.0, 0.2, 0.8, 0.0];
        (vec![count, 3, 4], line.repeat(count))
    })
}

/// White bars on black.
fn page_with(width: usize, height: usize, bars: &[[usize; 4]]) -> RgbImage {
    let mut picture = RgbImage::filled(width, height, [0; 3]);
    for &[x, y, w, h] in bars {
        for row in y..y + h {
            picture.data_mut()[(row * width + x) * 3..(row * width + x + w) * 3].fill(255);
        }
    }
    picture
}

fn near(corners: &Quad, [x, y, w, h]: [usize; 4], slack: f32) -> bool {
    let (x, y, w, h) = (x as f32, y as f32, w as f32, h as f32);
    let margin = w * h * 1.6 / (2.0 * (w + h));
    let expected = [
        [x - margin, y - margin],
        [x + w + margin, y - margin],
        [x + w + margin, y + h + margin],
        [x - margin, y + h + margin],
    ];
    corners.iter().zip(expected).all(|(a, b)| (a[0] - b[0]).abs() <= slack && (a[1] - b[1]).abs() <= slack)
}

#[test]
fn both_profiles_find_drawn_bars_in_their_order() {
    let bars = [[520, 404, 200, 20], [80, 400, 300, 24], [100, 100, 400, 30]];
    let picture = page_with(800, 800, &bars);
    for options in [Options::rapidocr(), Options::immich(0.5, 0.5, 736)] {
        let found = detect(&picture, &white_is_text(), &options, None).unwrap();
        assert_eq!(found.len(), 3, "{:?}", options.profile);
        // The two on one line start at nearly the same height.
        let expected = match options.profile {
            Profile::Immich => [bars[0], bars[1], bars[2]],
            _ => [bars[2], bars[1], bars[0]],
        };
        for (region, bar) in found.iter().zip(expected) {
            assert!(near(&region.corners, bar, 4.0), "{:?} {bar:?}: {:?}", options.profile, region.corners);
            assert!(region.score > 0.85);
        }
    }
}

#[test]
fn boxes_map_back_through_shrinking_and_bands() {
    let bar = [400, 60, 900, 60];
    let picture = page_with(4000, 200, &[bar]);
    let found = detect(&picture, &white_is_text(), &Options::rapidocr(), None).unwrap();
    assert_eq!(found.len(), 1);
    let corners = found[0].corners;
    assert!(corners.iter().all(|c| (0.0..=4000.0).contains(&c[0]) && (0.0..=200.0).contains(&c[1])));
    assert!(
        (corners[0][0] - (400.0 - 45.0)).abs() < 12.0 && (corners[2][0] - 1345.0).abs() < 12.0,
        "{corners:?}"
    );
}

#[test]
fn reading_classifies_turns_filters_and_keeps_scores() {
    let picture = page_with(800, 800, &[[80, 400, 300, 24], [100, 100, 400, 30]]);
    let (detection, recognition) = (white_is_text(), reads_ab());
    // The first line asked about is upside down for sure, others hardly.
    let classification = fake(|input| {
        assert_eq!(input.shape[1..], [3, 48, 192]);
        (vec![input.shape[0], 2], [0.3, 0.7].repeat(input.shape[0]))
    });
    let characters = CharacterSet::from_metadata("a\nb");
    let networks = Networks {
        detection: &detection,
        classification: Some(Classifier { network: &classification, size: None }),
        recognition: &recognition,
        characters: &characters,
    };
    let lines = read(&picture, &networks, &Options::rapidocr(), &Sequential, None).unwrap();
    assert_eq!(lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(), ["ab", "ab"]);
    assert!(lines.iter().all(|line| (line.score - 0.85).abs() < 1e-9 && line.region_score > 0.85));
    // Immich asks for more than its limit, RapidOCR for no less.
    let at = |mut options: Options| {
        options.recognition_min_score = 0.85;
        read(&picture, &networks, &options, &Sequential, None).unwrap().len()
    };
    assert_eq!((at(Options::rapidocr()), at(Options::immich(0.5, 0.85, 736))), (2, 0));
}

#[test]
fn lines_are_classified_at_the_size_declared_or_known_or_usual() {
    let line = RgbImage::filled(100, 20, [200; 3]);
    let declared = [None, Some(3), Some(32), Some(100)];
    for (declared, size, expected) in [
        ([None; 4], None, [48, 192]),
        ([None; 4], Some((80, 160)), [80, 160]),
        (declared, Some((80, 160)), [32, 100]),
    ] {
        let network = Fake::new(&[("x", &declared)], move |inputs| {
            assert_eq!(inputs[0].shape, [1, 3, expected[0], expected[1]]);
            Ok(vec![(vec![1, 2], vec![0.0, 1.0])])
        });
        let classifier = Classifier { network: &network, size };
        let turned = classify::upside_down(std::slice::from_ref(&line), classifier, 0.9).unwrap();
        assert_eq!(turned, [true]);
    }
}

#[test]
fn grouping_changes_nothing_but_the_calls() {
    let bars: Vec<[usize; 4]> = (0..13).map(|i| [40, 40 + i * 55, 60 + i * 40, 20]).collect();
    let picture = page_with(800, 800, &bars);
    let (detection, characters) = (white_is_text(), CharacterSet::from_metadata("a\nb"));
    let read_by = |most: usize| {
        let recognition = reads_ab();
        let networks = Networks {
            detection: &detection,
            classification: None,
            recognition: &recognition,
            characters: &characters,
        };
        let options = Options { lines_per_run: most, ..Options::rapidocr() };
        read(&picture, &networks, &options, &Sequential, None).unwrap()
    };
    assert_eq!(read_by(1).len(), 13);
    assert_eq!(read_by(1), read_by(4));
}

#[test]
fn tiny_pictures_are_empty_or_read_but_never_fail() {
    let detection = white_is_text();
    for (width, height) in [(1, 1), (31, 500), (500, 31), (32, 32), (3, 900), (2100, 1)] {
        let picture = RgbImage::filled(width, height, [0; 3]);
        for options in [Options::rapidocr(), Options::immich(0.5, 0.5, 736)] {
            assert!(detect(&picture, &detection, &options, None).unwrap().is_empty(), "{width}x{height}");
        }
    }
    let strip = page_with(500, 31, &[[20, 8, 300, 14]]);
    assert!(detect(&strip, &detection, &Options::immich(0.5, 0.5, 736), None).unwrap().is_empty());
    assert_eq!(detect(&strip, &detection, &Options::rapidocr(), None).unwrap().len(), 1);
}

#[test]
fn another_kind_of_model_is_named_in_the_error() {
    let wrong = fake(|_| (vec![1, 1000], vec![0.0; 1000]));
    let picture = RgbImage::filled(64, 64, [0; 3]);
    let error = detect(&picture, &wrong, &Options::rapidocr(), None).unwrap_err();
    assert!(matches!(error, OcrError::Output { network: "detector", .. }), "{error}");
}

#[test]
fn dump_receives_each_stage() {
    #[derive(Default)]
    struct Names(Mutex<Vec<String>>);
    impl Dump for Names {
        fn picture(&self, name: &str, _: &RgbImage) {
            self.0.lock().unwrap().push(name.into());
        }
        fn map(&self, name: &str, width: usize, height: usize, values: &[f32]) {
            assert_eq!(values.len(), width * height);
            self.0.lock().unwrap().push(name.into());
        }
        fn json(&self, name: &str, _: serde_json::Value) {
            self.0.lock().unwrap().push(name.into());
        }
    }
    let (detection, recognition, characters) =
        (white_is_text(), reads_ab(), CharacterSet::from_metadata("a\nb"));
    let networks = Networks {
        detection: &detection,
        classification: None,
        recognition: &recognition,
        characters: &characters,
    };
    let names = Names::default();
    let picture = page_with(800, 800, &[[100, 100, 400, 30]]);
    read(&picture, &networks, &Options::rapidocr(), &Sequential, Some(&names)).unwrap();
    assert_eq!(*names.0.lock().unwrap(), ["detection-map", "page", "regions", "crop-000", "lines"]);

    // The line is read at 0.85 alone, so it is looked at again.
    let names = Names::default();
    read(&picture, &networks, &Options::viewfinder(), &Sequential, Some(&names)).unwrap();
    let names = names.0.into_inner().unwrap();
    let twice = ["detection-map", "page", "regions", "crop-000"];
    let expected = twice.map(str::to_owned).into_iter().chain(twice.map(|name| format!("careful-{name}")));
    assert_eq!(names, expected.chain(["lines".to_owned()]).collect::<Vec<_>>());
}

/// Reads every line as "ab", surely.
fn sure() -> Fake {
    fake(|input| {
        let count = input.shape[0];
        (vec![count, 2, 4], [0.0, 0.97, 0.03, 0.0, 0.0, 0.03, 0.97, 0.0].repeat(count))
    })
}

/// Reads by profile `Viewfinder`, and says how often and at what size the detector looked.
fn quick(picture: &RgbImage, recognition: &Fake) -> (Vec<Line>, Vec<[usize; 2]>) {
    let sizes = std::sync::Arc::new(Mutex::new(Vec::new()));
    let seen = sizes.clone();
    let detection = fake(move |input| {
        let (height, width) = (input.shape[2], input.shape[3]);
        seen.lock().unwrap().push([width, height]);
        let map =
            values(input)[..width * height].iter().map(|&v| if v > 0.5 { 0.95 } else { 0.02 }).collect();
        (vec![1, 1, height, width], map)
    });
    let characters = CharacterSet::from_metadata("a\nb");
    let networks =
        Networks { detection: &detection, classification: None, recognition, characters: &characters };
    let lines = read(picture, &networks, &Options::viewfinder(), &Sequential, None).unwrap();
    let sizes = sizes.lock().unwrap().clone();
    (lines, sizes)
}

#[test]
fn clear_text_and_none_are_looked_at_once() {
    let (lines, sizes) = quick(&page_with(2240, 1600, &[[100, 100, 1200, 60]]), &sure());
    assert_eq!((lines.len(), sizes), (1, vec![[1120, 800]]));
    let (lines, sizes) = quick(&page_with(640, 480, &[]), &sure());
    assert_eq!((lines.len(), sizes), (0, vec![[640, 480]]));
}

#[test]
fn small_huge_and_doubtful_text_is_looked_at_again() {
    let small = page_with(400, 400, &[[50, 50, 120, 6]]);
    let (lines, sizes) = quick(&small, &sure());
    assert_eq!((lines.len(), sizes), (1, vec![[384, 384], [736, 736]]));
    let huge = page_with(800, 800, &[[100, 100, 600, 200]]);
    assert_eq!(quick(&huge, &sure()).1.len(), 2);
    let (lines, sizes) = quick(&page_with(800, 800, &[[100, 100, 400, 40]]), &reads_ab());
    assert_eq!((lines.len(), sizes.len()), (1, 2));
}

#[test]
fn lines_that_read_better_upside_down_are_turned() {
    // Bars that are red on their left half. This recogniser reads them only if red is on the right.
    let mut picture = page_with(800, 800, &[[100, 100, 400, 40], [100, 300, 400, 40]]);
    let paint = |picture: &mut RgbImage, x: usize, y: usize| {
        for row in y..y + 40 {
            for pixel in
                picture.data_mut()[(row * 800 + x) * 3..(row * 800 + x + 200) * 3].as_chunks_mut::<3>().0
            {
                *pixel = [0, 0, 255];
            }
        }
    };
    paint(&mut picture, 100, 100);
    paint(&mut picture, 300, 300);
    let recognition = fake(|input| {
        assert_eq!(input.shape[..3], [1, 3, 48]);
        let width = input.shape[3];
        let red = &values(input)[2 * 48 * width..];
        let middle = &red[24 * width..25 * width];
        let white = |at: usize| middle[at] > 0.5;
        let score = if white(width / 4) && !white(width * 5 / 8) { 0.98 } else { 0.6 };
        (vec![1, 1, 4], vec![0.0, score, 1.0 - score, 0.0])
    });
    let (lines, sizes) = quick(&picture, &recognition);
    assert_eq!(lines.iter().map(|line| line.score).collect::<Vec<_>>(), [0.98, 0.98]);
    assert_eq!((sizes.len(), recognition.calls()), (1, 3));
}
