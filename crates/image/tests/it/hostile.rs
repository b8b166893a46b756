//! Whatever the bytes are, decoding ends with a picture or an error: never a panic, never an abort.

use proptest::prelude::*;
use viewfinder_core::Alpha;
use viewfinder_image::{Limits, Orientation, decode, resize};

use crate::support::{noise, read};

const FILES: [&str; 22] = [
    "420.jpg",
    "444.jpg",
    "gray.jpg",
    "progressive.jpg",
    "restart.jpg",
    "cmyk.jpg",
    "orientation6.jpg",
    "rgb.png",
    "palette.png",
    "interlaced.png",
    "rgb16.png",
    "gray_alpha.png",
    "lossless.webp",
    "lossy.webp",
    "alpha.webp",
    "animated.gif",
    "rgb.bmp",
    "palette.bmp",
    "rgb.tiff",
    "orientation6.tiff",
    "palette.tiff",
    "palette4.tiff",
];

/// Small limits, so that a mutated size costs little.
const LIMITS: Limits = Limits { max_bytes: 1 << 20, max_pixels: 1 << 20, max_side: 4096 };

fn survives(bytes: &[u8]) {
    // Any panic, also one that `decode` catches and reports, would be a defect worth knowing.
    match decode(bytes, &LIMITS) {
        Ok(decoded) => {
            let (width, height) = (decoded.width(), decoded.height());
            let swaps = decoded.orientation().swaps_sides();
            let image = decoded.into_rgb(true, Alpha::Contrast);
            let sides = if swaps { (height, width) } else { (width, height) };
            assert_eq!((image.width(), image.height()), sides);
        }
        Err(error) => assert!(!error.to_string().contains("unexpectedly"), "{error}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files(
        file in 0..FILES.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::weighted(0.3, any::<prop::sample::Index>()),
        near_start in any::<bool>(),
    ) {
        let mut bytes = read(FILES[file]);
        let reach = if near_start { bytes.len().min(700) } else { bytes.len() };
        for (at, value) in changes {
            bytes[at.index(reach)] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        survives(&bytes);
    }

    #[test]
    fn random_bytes_behind_each_signature(
        signature in 0..FILES.len(),
        keep in 2usize..40,
        tail in prop::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut bytes = read(FILES[signature])[..keep].to_vec();
        bytes.extend_from_slice(&tail);
        survives(&bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn resizing_gives_the_size_asked_for(
        w in 1usize..60, h in 1usize..60, tw in 0usize..90, th in 0usize..90, seed in any::<u64>(),
    ) {
        let image = noise(w, h, seed);
        for resized in [resize::bilinear(&image, tw, th), resize::bicubic(&image, tw, th), resize::lanczos(&image, tw, th)] {
            prop_assert_eq!((resized.width(), resized.height()), (tw, th));
        }
    }

    #[test]
    fn plain_pictures_stay_plain(
        w in 1usize..60, h in 1usize..60, tw in 1usize..90, th in 1usize..90, value in any::<u8>(),
    ) {
        let image = viewfinder_image::RgbImage::filled(w, h, [value; 3]);
        for resized in [resize::bicubic(&image, tw, th), resize::lanczos(&image, tw, th)] {
            prop_assert!(resized.data().iter().all(|&sample| sample == value));
        }
        // OpenCV's fixed-point arithmetic loses up to one level.
        prop_assert!(resize::bilinear(&image, tw, th).data().iter().all(|&sample| sample.abs_diff(value) <= 1));
    }

    #[test]
    fn orientations_undo_each_other(w in 0usize..70, h in 0usize..70, seed in any::<u64>()) {
        let image = noise(w, h, seed);
        for value in 1..=8 {
            let orientation = Orientation::from_exif(value).unwrap();
            let back = Orientation::from_exif(match value { 6 => 8, 8 => 6, same => same }).unwrap();
            let turned = orientation.apply(image.clone());
            prop_assert_eq!(orientation.swaps_sides(), (turned.width(), turned.height()) == (h, w) && (w != h || orientation.swaps_sides()));
            prop_assert_eq!(back.apply(turned), image.clone());
        }
    }
}

#[test]
fn every_prefix_of_every_file() {
    for name in FILES {
        let bytes = read(name);
        // All short ones, where headers end, and then about 300 more.
        let step = (bytes.len() / 300).max(1);
        for length in (0..bytes.len().min(400)).chain((400..bytes.len()).step_by(step)) {
            survives(&bytes[..length]);
        }
    }
}
