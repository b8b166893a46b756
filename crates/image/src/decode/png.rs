//! PNG, without what it says besides pixels: a colour profile or a text of a few kilobytes unpacks to a gigabyte if its author
//! likes, and neither is used.

use std::io::Cursor;

use png::{BitDepth, ColorType, Decoder, DecodingError, Transformations};

use super::{DecodeError, Format, Limits, Pixels, general::expand};

/// Decodes to width, height and samples.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<(usize, usize, Pixels), DecodeError> {
    let broken = |error: DecodingError| unreadable(error.to_string());
    // Rows are not counted, but the chunks that are kept, which are parts of the file.
    let memory = png::Limits { bytes: bytes.len().saturating_mul(2).saturating_add(1 << 20) };
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), memory);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_ignore_text_chunk(true);
    let (width, height) = decoder.read_header_info().map_err(broken)?.size();
    limits.check_size(width, height)?;
    // Palettes become colours, and of 16 bits the higher eight are kept.
    decoder.set_transformations(Transformations::EXPAND | Transformations::STRIP_16);
    let mut reader = decoder.read_info().map_err(broken)?;
    let size = reader.output_buffer_size().ok_or_else(|| unreadable("its size overflows"))?;
    let mut data = vec![0; size];
    reader.next_frame(&mut data).map_err(broken)?;
    let pixels = match reader.output_color_type() {
        (ColorType::Grayscale, BitDepth::Eight) => Pixels::Rgb(expand(&data)),
        (ColorType::GrayscaleAlpha, BitDepth::Eight) => Pixels::GrayAlpha(data),
        (ColorType::Rgb, BitDepth::Eight) => Pixels::Rgb(data),
        (ColorType::Rgba, BitDepth::Eight) => Pixels::Rgba(data),
        (colour, depth) => {
            return Err(unreadable(format!("colour type {colour:?} of {depth:?} bits is not supported")));
        }
    };
    Ok((width as usize, height as usize, pixels))
}

fn unreadable(reason: impl Into<String>) -> DecodeError {
    DecodeError::Undecodable { format: Format::Png, reason: reason.into() }
}
