//! JPEG through libjpeg-turbo's code as mozjpeg carries it: accurate integer inverse transform and triangle
//! ("fancy") chroma up-sampling, so pixels are those of Pillow and OpenCV.

use std::panic::{AssertUnwindSafe, catch_unwind};

use mozjpeg::{ColorSpace, Decompress};

use super::{DecodeError, Format, Limits, markers};
use crate::RgbImage;

/// Each scan costs a pass over the whole picture, and a scan can be a few bytes. Encoders make a dozen; past
/// this number a small file is meant to keep the processor busy.
const MAX_SCANS: usize = 100;

/// Decodes; says too whether the file ends early, in which case the rest of the picture is what libjpeg leaves.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<(RgbImage, bool), DecodeError> {
    let outline = markers::outline(bytes);
    let (width, height) = outline.size.ok_or_else(|| broken("it has no frame header"))?;
    limits.check_size(width, height)?;
    if outline.scans > MAX_SCANS {
        return Err(broken(&format!("it has {} scans, more than {MAX_SCANS}", outline.scans)));
    }
    // libjpeg reports fatal errors by unwinding through its C frames, which are built for it.
    let image =
        catch_unwind(AssertUnwindSafe(|| pixels(&bytes[..outline.usable]))).unwrap_or_else(|reason| {
            Err(broken(reason.downcast_ref::<String>().map_or("unknown error", |s| s)))
        })?;
    Ok((image, !outline.complete))
}

fn pixels(bytes: &[u8]) -> Result<RgbImage, DecodeError> {
    let decoder = Decompress::new_mem(bytes).map_err(|error| broken(&error.to_string()))?;
    let (width, height) = decoder.size();
    let mut data = vec![0; width * height * 3];
    let read = match decoder.color_space() {
        ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK => cmyk(decoder, width, &mut data),
        _ => decoder.rgb().and_then(|mut rows| rows.read_scanlines_into(&mut data).map(|_| ())),
    };
    read.map_err(|error| broken(&error.to_string()))?;
    Ok(RgbImage::from_raw(width, height, data))
}

/// Four inks to R, G, B as Pillow does it: samples are taken as inverted (Adobe's habit) whatever the file says,
/// and black and ink are multiplied, rounding like a division by 255.
fn cmyk(decoder: Decompress<&[u8]>, width: usize, data: &mut [u8]) -> std::io::Result<()> {
    let mut rows = decoder.to_colorspace(ColorSpace::JCS_CMYK)?;
    let mut row = vec![0u8; width * 4];
    for out in data.chunks_exact_mut(width * 3) {
        rows.read_scanlines_into(&mut row)?;
        for (pixel, ink) in out.chunks_exact_mut(3).zip(row.chunks_exact(4)) {
            let light = u32::from(ink[3]);
            for (sample, &ink) in pixel.iter_mut().zip(ink) {
                let product = u32::from(255 - ink) * light + 128;
                *sample = (light - ((product + (product >> 8)) >> 8)) as u8;
            }
        }
    }
    Ok(())
}

fn broken(reason: &str) -> DecodeError {
    let reason = reason.strip_prefix("libjpeg fatal error: ").unwrap_or(reason).to_owned();
    DecodeError::Undecodable { format: Format::Jpeg, reason }
}
