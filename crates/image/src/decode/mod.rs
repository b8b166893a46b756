//! Files to pixels.

mod alpha;
mod directory;
mod exif;
mod format;
mod general;
mod header;
mod jpeg;
mod markers;
mod palette;
mod png;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use directory::is_raw;
pub use format::Format;
pub use header::{Header, header};

use crate::{Orientation, RgbImage};
use viewfinder_core::{Alpha, ErrorCode, TaskError};

/// How large a picture may be. Checked before any pixel is decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Width times height.
    pub max_pixels: u64,
    /// The longer of width and height.
    pub max_side: u32,
}

impl Default for Limits {
    /// 100 MB, 110 million pixels (a camera of 108 megapixels; 330 MB of memory), 40,000 pixels a side.
    fn default() -> Self {
        Self { max_bytes: 100_000_000, max_pixels: 110_000_000, max_side: 40_000 }
    }
}

impl Limits {
    fn check_size(&self, width: u32, height: u32) -> Result<(), DecodeError> {
        if width == 0 || height == 0 {
            return Err(DecodeError::ZeroSize);
        }
        if width.max(height) > self.max_side || u64::from(width) * u64::from(height) > self.max_pixels {
            return Err(DecodeError::TooLarge { width, height });
        }
        Ok(())
    }
}

/// Why bytes are not a picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// There are no bytes at all.
    #[error("the picture is empty (0 bytes)")]
    Empty,
    /// The first bytes belong to no format that is read.
    #[error("the data is not a JPEG, PNG, WebP, GIF, BMP or TIFF picture")]
    UnknownFormat,
    /// The format is known, but the content is damaged or uses a feature that is not supported.
    #[error("the {format} picture cannot be decoded: {reason}")]
    Undecodable {
        /// The format its first bytes claim.
        format: Format,
        /// What the decoder says.
        reason: String,
    },
    /// The file is over [`Limits::max_bytes`].
    #[error("the picture has {bytes} bytes; at most {limit} are allowed")]
    TooManyBytes {
        /// Bytes of the file.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The picture is over [`Limits::max_pixels`] or [`Limits::max_side`].
    #[error("the picture is {width} x {height} pixels, more than is allowed")]
    TooLarge {
        /// Stored width.
        width: u32,
        /// Stored height.
        height: u32,
    },
    /// The picture has a width or height of zero.
    #[error("the picture has zero width or height")]
    ZeroSize,
}

impl From<DecodeError> for TaskError {
    fn from(error: DecodeError) -> Self {
        let code = match &error {
            DecodeError::Empty => ErrorCode::ImageEmpty,
            DecodeError::TooManyBytes { .. } => ErrorCode::ImageTooManyBytes,
            DecodeError::TooLarge { .. } => ErrorCode::ImageTooLarge,
            DecodeError::ZeroSize => ErrorCode::ImageZeroSize,
            _ => ErrorCode::ImageUndecodable,
        };
        Self::new(code, error)
    }
}

/// Pixels as stored in the file, and what the file says about them.
#[derive(Clone, Debug)]
pub struct Decoded {
    width: usize,
    height: usize,
    pixels: Pixels,
    format: Format,
    orientation: Orientation,
    truncated: bool,
}

/// Samples at 8 bits. Grey is expanded to R, G, B while decoding unless it comes with alpha.
#[derive(Clone)]
enum Pixels {
    Rgb(Vec<u8>),
    Rgba(Vec<u8>),
    GrayAlpha(Vec<u8>),
}

impl std::fmt::Debug for Pixels {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Rgb(_) => "Rgb",
            Self::Rgba(_) => "Rgba",
            Self::GrayAlpha(_) => "GrayAlpha",
        })
    }
}

impl Decoded {
    /// Pixels per row, as stored (before orientation).
    pub fn width(&self) -> usize {
        self.width
    }

    /// Number of rows, as stored (before orientation).
    pub fn height(&self) -> usize {
        self.height
    }

    /// The file's format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// How the picture has to be turned to be upright, from its EXIF data.
    pub fn orientation(&self) -> Orientation {
        self.orientation
    }

    /// Whether the file ends before the picture does. Only JPEG is decoded that far; its missing rows are grey
    /// or repeat, and the missing passes of a progressive file leave it blurred. Other formats are errors then.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// The picture in R, G, B, turned upright if `orient`. Without alpha and upright as stored, this is free.
    pub fn into_rgb(self, orient: bool, alpha: Alpha) -> RgbImage {
        let data = match (self.pixels, alpha) {
            (Pixels::Rgb(data), _) => data,
            (Pixels::Rgba(mut data), Alpha::Drop) => {
                alpha::drop_rgba(&mut data);
                data
            }
            (Pixels::Rgba(mut data), Alpha::Contrast) => {
                alpha::contrast_rgba(&mut data);
                data
            }
            (Pixels::GrayAlpha(data), Alpha::Drop) => alpha::drop_gray(&data),
            (Pixels::GrayAlpha(data), Alpha::Contrast) => alpha::contrast_gray(&data),
        };
        let image = RgbImage::from_raw(self.width, self.height, data);
        if orient { self.orientation.apply(image) } else { image }
    }
}

/// Decodes a picture file, whatever its name says.
///
/// JPEG pixels are those of libjpeg-turbo (and so of Pillow and OpenCV). Samples of 16 bits keep their high byte,
/// as OpenCV does; palettes become colours; the first frame or page counts. Colour profiles are not applied.
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Decoded, DecodeError> {
    if bytes.is_empty() {
        return Err(DecodeError::Empty);
    }
    if bytes.len() as u64 > limits.max_bytes {
        return Err(DecodeError::TooManyBytes { bytes: bytes.len() as u64, limit: limits.max_bytes });
    }
    let format = Format::sniff(bytes).ok_or(DecodeError::UnknownFormat)?;
    if let Some((width, height)) = format.stated_size(bytes) {
        limits.check_size(width, height)?;
    }
    // A decoder that panics on a hostile file must not take the program along.
    catch_unwind(AssertUnwindSafe(|| {
        let (width, height, pixels, truncated) = if format == Format::Jpeg {
            let (image, truncated) = jpeg::decode(bytes, limits)?;
            (image.width(), image.height(), Pixels::Rgb(image.into_raw()), truncated)
        } else {
            let (width, height, pixels) = match format {
                Format::Png => png::decode(bytes, limits)?,
                _ => general::decode(format, bytes, limits)?,
            };
            (width, height, pixels, false)
        };
        let orientation = exif::orientation(format, bytes);
        Ok(Decoded { width, height, pixels, format, orientation, truncated })
    }))
    .unwrap_or_else(|_| {
        Err(DecodeError::Undecodable { format, reason: "its decoder failed unexpectedly".to_owned() })
    })
}
