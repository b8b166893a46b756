use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::{ImageDecoder, codecs::webp::WebPDecoder};
use tiff::decoder::Decoder as TiffDecoder;

use super::{DecodeError, Format, directory, exif, markers};
use crate::Orientation;

/// What a picture file says of itself before its pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Pixels per row, as stored (before orientation).
    pub width: u32,
    /// Number of rows, as stored (before orientation).
    pub height: u32,
    /// The file's format.
    pub format: Format,
    /// How the picture has to be turned to be upright, from its EXIF data.
    pub orientation: Orientation,
}

impl Header {
    /// Width and height, of the upright picture if `orient`.
    pub fn size(&self, orient: bool) -> [usize; 2] {
        let [width, height] = [self.width as usize, self.height as usize];
        if orient && self.orientation.swaps_sides() { [height, width] } else { [width, height] }
    }
}

/// Reads the header of a picture file without decoding any pixel. Says nothing about whether they can be decoded.
pub fn header(bytes: &[u8]) -> Result<Header, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    let format = Format::sniff(bytes).ok_or(DecodeError::UnknownFormat)?;
    let broken = |reason: String| DecodeError::Undecodable { format, reason };
    // A parser that panics on a hostile file must not take the program along.
    catch_unwind(AssertUnwindSafe(|| {
        let (width, height) = match format {
            Format::Jpeg => {
                markers::size(bytes).ok_or_else(|| broken("it has no frame header".to_owned()))?
            }
            Format::Png | Format::Gif | Format::Bmp => {
                format.stated_size(bytes).ok_or_else(|| broken("it ends within its header".to_owned()))?
            }
            Format::WebP => WebPDecoder::new(Cursor::new(bytes))
                .map(|decoder| decoder.dimensions())
                .map_err(|error| broken(error.to_string()))?,
            Format::Tiff => {
                directory::check(bytes)?;
                TiffDecoder::new(Cursor::new(bytes))
                    .and_then(|mut decoder| decoder.dimensions())
                    .map_err(|error| broken(error.to_string()))?
            }
        };
        if width == 0 || height == 0 {
            return Err(DecodeError::ZeroSize);
        }
        Ok(Header { width, height, format, orientation: exif::orientation(format, bytes) })
    }))
    .unwrap_or_else(|_| Err(broken("its header makes the parser fail".to_owned())))
}
