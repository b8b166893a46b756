//! Pictures: what decodes is as large as its header says and within limits.
use viewfinder_core::Alpha;
use viewfinder_image::{Limits, decode, header};

const LIMITS: Limits = Limits { max_bytes: 1 << 20, max_pixels: 1 << 17, max_side: 4096 };

pub(super) fn run(input: &[u8]) {
    let told = header(input);
    assert_eq!(told, header(input));
    let Ok(decoded) = decode(input, &LIMITS) else { return };
    let told = told.expect("what can be decoded has a header");
    assert!(decoded.width().max(decoded.height()) <= LIMITS.max_side as usize);
    assert!((decoded.width() * decoded.height()) as u64 <= LIMITS.max_pixels);
    assert_eq!([decoded.width(), decoded.height()], told.size(false));
    assert_eq!((decoded.format(), decoded.orientation()), (told.format, told.orientation));
    let alpha = if input.len().is_multiple_of(2) { Alpha::Drop } else { Alpha::Contrast };
    let upright = decoded.into_rgb(true, alpha);
    assert_eq!([upright.width(), upright.height()], told.size(true));
    assert_eq!(upright.data().len(), upright.width() * upright.height() * 3);
}
