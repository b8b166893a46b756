use viewfinder_core::Alpha;
use viewfinder_image::{DecodeError, Format, Limits, Orientation, RgbImage, decode, encode, header, rotate};

use crate::support::{golden, noise, number, read, sha256};

#[test]
fn pictures_decode_like_the_references() {
    let mut wrong = Vec::new();
    let cases = golden("decoders");
    for case in &cases {
        let name = case["file"].as_str().unwrap();
        let decoded =
            decode(&read(name), &Limits::default()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!decoded.truncated(), "{name}");
        let header = header(&read(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(header.size(false), [decoded.width(), decoded.height()], "{name}");
        assert_eq!((header.format, header.orientation), (decoded.format(), decoded.orientation()), "{name}");
        let alpha = if case["alpha"] == "contrast" { Alpha::Contrast } else { Alpha::Drop };
        let image = decoded.into_rgb(case["orient"] == true, alpha);
        assert_eq!(
            (image.width(), image.height()),
            (number(case, "width"), number(case, "height")),
            "{name}"
        );
        if let Some(tolerance) = case["tolerance"].as_u64() {
            let expected = read(&format!("{name}.raw"));
            let worst = image.data().iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert_eq!(image.data().len(), expected.len(), "{name}");
            assert!(u64::from(worst) <= tolerance, "{name}: differs by up to {worst}");
        } else if sha256(image.data()) != case["sha256"] {
            wrong.push(case.to_string());
        }
    }
    assert!(wrong.is_empty(), "{} of {} pictures differ: {wrong:#?}", wrong.len(), cases.len());
}

#[test]
fn sizes_are_as_stored_and_orientation_is_told() {
    let expected = [
        Orientation::Normal,
        Orientation::FlipHorizontal,
        Orientation::Rotate180,
        Orientation::FlipVertical,
        Orientation::Transpose,
        Orientation::Rotate90,
        Orientation::Transverse,
        Orientation::Rotate270,
    ];
    for (index, expected) in expected.into_iter().enumerate() {
        let value = index + 1;
        let decoded = decode(&read(&format!("orientation{value}.jpg")), &Limits::default()).unwrap();
        assert_eq!((decoded.width(), decoded.height()), (23, 14));
        assert_eq!((decoded.orientation(), decoded.format()), (expected, Format::Jpeg));
        let upright = header(&read(&format!("orientation{value}.jpg"))).unwrap().size(true);
        let image = decoded.into_rgb(true, Alpha::Drop);
        assert_eq!(upright, [image.width(), image.height()]);
        let sides = if expected.swaps_sides() { (14, 23) } else { (23, 14) };
        assert_eq!((image.width(), image.height()), sides);
    }
}

#[test]
fn broken_headers_are_told_apart() {
    let limits = Limits::default();
    assert_eq!(decode(&[], &limits).unwrap_err(), DecodeError::Empty);
    assert_eq!(decode(b"%PDF-1.4 and more", &limits).unwrap_err(), DecodeError::UnknownFormat);
    assert_eq!(decode(&[0xFF], &limits).unwrap_err(), DecodeError::UnknownFormat);
    for name in ["420.jpg", "rgb.png", "lossless.webp", "animated.gif", "rgb.bmp", "rgb.tiff"] {
        let head = &read(name)[..14];
        let error = decode(head, &limits).unwrap_err();
        assert!(matches!(error, DecodeError::Undecodable { .. }), "{name}: {error:?}");
    }
}

#[test]
fn limits_hold_before_pixels_are_decoded() {
    for name in ["420.jpg", "rgb.png", "lossless.webp", "animated.gif", "rgb.bmp", "rgb.tiff", "palette.tiff"]
    {
        let bytes = read(name);
        let refused = DecodeError::TooLarge { width: 61, height: 47 };
        let side = Limits { max_side: 60, ..Limits::default() };
        assert_eq!(decode(&bytes, &side).unwrap_err(), refused, "{name}");
        let pixels = Limits { max_pixels: 61 * 47 - 1, ..Limits::default() };
        assert_eq!(decode(&bytes, &pixels).unwrap_err(), refused, "{name}");
        let length = bytes.len() as u64;
        let short = Limits { max_bytes: length - 1, ..Limits::default() };
        let expected = DecodeError::TooManyBytes { bytes: length, limit: length - 1 };
        assert_eq!(decode(&bytes, &short).unwrap_err(), expected, "{name}");
        let exact = Limits { max_side: 61, max_pixels: 61 * 47, max_bytes: length };
        assert!(decode(&bytes, &exact).is_ok(), "{name}");
    }
}

/// Puts `value` at `at` of a fixture.
fn patched(name: &str, at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = read(name);
    bytes[at..at + value.len()].copy_from_slice(value);
    bytes
}

/// Where the height stands in the frame header of a JPEG file.
fn jpeg_height(bytes: &[u8]) -> usize {
    bytes.windows(2).position(|marker| matches!(marker, [0xFF, 0xC0 | 0xC2])).unwrap() + 5
}

#[test]
fn zero_and_huge_sizes_are_refused() {
    let limits = Limits::default();
    let height = jpeg_height(&read("420.jpg"));
    for (name, at) in [("rgb.png", 16), ("animated.gif", 6), ("rgb.bmp", 18), ("420.jpg", height)] {
        let width = if name == "animated.gif" || name == "420.jpg" { 2 } else { 4 };
        let bytes = patched(name, at, &[0; 4][..width]);
        assert_eq!(decode(&bytes, &limits).unwrap_err(), DecodeError::ZeroSize, "{name}");
    }
    let bytes = patched("420.jpg", height, &[0xEA, 0x60, 0xEA, 0x60]);
    assert_eq!(decode(&bytes, &limits).unwrap_err(), DecodeError::TooLarge { width: 60_000, height: 60_000 });
    let bytes = patched("rgb.png", 16, &[0x7F, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1]);
    assert_eq!(decode(&bytes, &limits).unwrap_err(), DecodeError::TooLarge { width: 0x7FFF_FFFF, height: 1 });
}

#[test]
fn a_cut_jpeg_keeps_what_is_there() {
    for name in ["420.jpg", "444.jpg", "gray.jpg"] {
        let bytes = read(name);
        let whole = decode(&bytes, &Limits::default()).unwrap().into_rgb(false, Alpha::Drop);
        let cut = decode(&bytes[..bytes.len() * 7 / 10], &Limits::default()).unwrap();
        assert!(cut.truncated(), "{name}");
        let cut = cut.into_rgb(false, Alpha::Drop);
        assert_eq!((cut.width(), cut.height()), (61, 47));
        assert_eq!(cut.row(0), whole.row(0), "{name}");
        assert_eq!(cut.data()[..61 * 3 * 14], whole.data()[..61 * 3 * 14], "{name}");
        assert_ne!(cut.row(46), whole.row(46), "{name}");
    }
}

#[test]
fn a_cut_progressive_jpeg_is_blurred_not_lost() {
    let bytes = read("progressive.jpg");
    let whole = decode(&bytes, &Limits::default()).unwrap().into_rgb(false, Alpha::Drop);
    let first_scan = bytes.windows(2).position(|marker| marker == [0xFF, 0xDA]).unwrap();
    let mut decoded = 0;
    for length in first_scan + 30..bytes.len() - 1 {
        let cut =
            decode(&bytes[..length], &Limits::default()).unwrap_or_else(|error| panic!("{length}: {error}"));
        assert!(cut.truncated());
        decoded += 1;
    }
    assert!(decoded > 1000);
    let cut =
        decode(&bytes[..bytes.len() * 9 / 10], &Limits::default()).unwrap().into_rgb(false, Alpha::Drop);
    let error: u64 = cut.data().iter().zip(whole.data()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    assert!(
        error > 0 && error / (cut.data().len() as u64) < 16,
        "mean error {}",
        error / cut.data().len() as u64
    );
}

#[test]
fn too_many_scans_are_refused() {
    let bytes = read("progressive.jpg");
    let scan = bytes.windows(2).rposition(|marker| marker == [0xFF, 0xDA]).unwrap();
    let mut bomb = bytes[..bytes.len() - 2].to_vec();
    for _ in 0..200 {
        bomb.extend_from_slice(&bytes[scan..bytes.len() - 2]);
    }
    let error = decode(&bomb, &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("scans"), "{error}");
}

#[test]
fn errors_of_libjpeg_come_back_as_errors() {
    // A Huffman table that does not exist is fatal for libjpeg, in the middle of its C frames.
    let bytes = read("420.jpg");
    let scan = bytes.windows(2).position(|marker| marker == [0xFF, 0xDA]).unwrap();
    for _ in 0..50 {
        let error = decode(&patched("420.jpg", scan + 6, &[0x33]), &Limits::default()).unwrap_err();
        let DecodeError::Undecodable { format: Format::Jpeg, reason } = error else { panic!("{error}") };
        assert!(reason.contains("Huffman"), "{reason}");
    }
}

#[test]
fn png_files_of_ours_come_back() {
    let image = noise(37, 21, 5);
    let again = decode(&encode::png(&image), &Limits::default()).unwrap().into_rgb(true, Alpha::Contrast);
    assert_eq!(again.data(), image.data());
    let gray: Vec<u8> = (0..=255).collect();
    let again =
        decode(&encode::gray_png(32, 8, &gray), &Limits::default()).unwrap().into_rgb(false, Alpha::Drop);
    assert_eq!(again.data(), gray.iter().flat_map(|&v| [v; 3]).collect::<Vec<_>>());
}

#[test]
fn turns_undo_each_other() {
    for (width, height) in [(1, 1), (1, 9), (70, 33), (64, 64), (0, 0)] {
        let image = noise(width, height, 3);
        assert_eq!(rotate::cw90(&rotate::ccw90(&image)).data(), image.data());
        assert_eq!(rotate::half(&rotate::half(&image)).data(), image.data());
        assert_eq!(rotate::ccw90(&rotate::ccw90(&image)).data(), rotate::half(&image).data());
    }
    let image = RgbImage::from_raw(2, 1, vec![1, 2, 3, 4, 5, 6]);
    assert_eq!(rotate::ccw90(&image).pixel(0, 0), [4, 5, 6]);
    assert_eq!(rotate::cw90(&image).pixel(0, 0), [1, 2, 3]);
}
