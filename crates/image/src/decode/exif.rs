use std::io::Cursor;

use exif::{In, Reader, Tag};

use super::Format;
use crate::Orientation;

/// The orientation that the file's EXIF data asks for; [`Orientation::Normal`] where there is none or it is broken.
pub(super) fn orientation(format: Format, bytes: &[u8]) -> Orientation {
    if matches!(format, Format::Gif | Format::Bmp) {
        return Orientation::Normal;
    }
    // Damage elsewhere in the EXIF data (thumbnails and maker notes often are) leaves the orientation readable.
    Reader::new()
        .continue_on_error(true)
        .read_from_container(&mut Cursor::new(bytes))
        .or_else(|error| error.distill_partial_result(|_| ()))
        .ok()
        .and_then(|exif| exif.get_field(Tag::Orientation, In::PRIMARY)?.value.get_uint(0))
        .and_then(Orientation::from_exif)
        .unwrap_or_default()
}
