//! WebP, GIF, BMP and TIFF through the `image` crate; TIFF files with a palette aside.

use std::io::Cursor;

use image::codecs::{bmp, gif, tiff, webp};
use image::{ColorType, ImageDecoder, ImageError};

use super::{DecodeError, Format, Limits, Pixels, palette};

/// Decodes to width, height and samples.
pub(super) fn decode(
    format: Format,
    bytes: &[u8],
    limits: &Limits,
) -> Result<(usize, usize, Pixels), DecodeError> {
    if format == Format::Tiff
        && let Some(decoded) = palette::decode(bytes, limits)?
    {
        return Ok(decoded);
    }
    let broken = |error: ImageError| DecodeError::Undecodable { format, reason: error.to_string() };
    let reader = Cursor::new(bytes);
    let mut decoder: Box<dyn ImageDecoder + '_> = match format {
        Format::WebP => Box::new(webp::WebPDecoder::new(reader).map_err(broken)?),
        Format::Gif => Box::new(gif::GifDecoder::new(reader).map_err(broken)?),
        Format::Bmp => Box::new(bmp::BmpDecoder::new(reader).map_err(broken)?),
        Format::Tiff => Box::new(tiff::TiffDecoder::new(reader).map_err(broken)?),
        Format::Jpeg | Format::Png => unreachable!("JPEG and PNG have decoders of their own"),
    };
    let (width, height) = decoder.dimensions();
    limits.check_size(width, height)?;
    decoder.set_limits(memory(width, height, bytes.len())).map_err(broken)?;
    let colour = decoder.color_type();
    let mut data = vec![0; decoder.total_bytes() as usize];
    decoder.read_image(&mut data).map_err(broken)?;

    let pixels = match colour {
        ColorType::L8 => Pixels::Rgb(expand(&data)),
        ColorType::La8 => Pixels::GrayAlpha(data),
        ColorType::Rgb8 => Pixels::Rgb(data),
        ColorType::Rgba8 => Pixels::Rgba(data),
        ColorType::L16 => Pixels::Rgb(expand(&high_bytes(data))),
        ColorType::La16 => Pixels::GrayAlpha(high_bytes(data)),
        ColorType::Rgb16 => Pixels::Rgb(high_bytes(data)),
        ColorType::Rgba16 => Pixels::Rgba(high_bytes(data)),
        ColorType::Rgb32F => Pixels::Rgb(from_floats(&data)),
        ColorType::Rgba32F => Pixels::Rgba(from_floats(&data)),
        other => {
            let reason = format!("colour type {other:?} is not supported");
            return Err(DecodeError::Undecodable { format, reason });
        }
    };
    Ok((width as usize, height as usize, pixels))
}

/// Room for a picture of this size at 16 bits and four channels, for what the file says besides, and for tables.
fn memory(width: u32, height: u32, file_bytes: usize) -> image::Limits {
    let pixels = u64::from(width) * u64::from(height);
    let mut limits = image::Limits::no_limits();
    limits.max_alloc =
        Some(pixels.saturating_mul(8).saturating_add(2 * file_bytes as u64).saturating_add(16 << 20));
    limits
}

/// Grey to three equal channels.
pub(super) fn expand(gray: &[u8]) -> Vec<u8> {
    let mut data = vec![0; gray.len() * 3];
    for (pixel, &sample) in data.chunks_exact_mut(3).zip(gray) {
        pixel.fill(sample);
    }
    data
}

/// Samples of 16 bits, in the machine's byte order, to their high bytes.
fn high_bytes(mut data: Vec<u8>) -> Vec<u8> {
    let samples = data.len() / 2;
    for index in 0..samples {
        data[index] = (u16::from_ne_bytes([data[index * 2], data[index * 2 + 1]]) >> 8) as u8;
    }
    data.truncate(samples);
    data
}

/// Samples in single precision, 0 black to 1 white, to 8 bits.
fn from_floats(data: &[u8]) -> Vec<u8> {
    data.chunks_exact(4)
        .map(|sample| {
            let value = f32::from_ne_bytes([sample[0], sample[1], sample[2], sample[3]]);
            (value.clamp(0.0, 1.0) * 255.0).round() as u8
        })
        .collect()
}
