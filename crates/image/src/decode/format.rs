use std::fmt;

/// The picture formats that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// JPEG, baseline or progressive.
    Jpeg,
    /// PNG, every depth and colour type.
    Png,
    /// WebP, lossy or lossless; the first frame of an animation.
    WebP,
    /// GIF; the first frame of an animation.
    Gif,
    /// Windows bitmap.
    Bmp,
    /// TIFF; the first page.
    Tiff,
}

impl Format {
    /// Tells the format from the first bytes of a file.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0xFF, 0xD8, 0xFF, ..] => Some(Self::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1A, b'\n', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Self::Gif),
            [b'B', b'M', ..] => Some(Self::Bmp),
            // 42 is TIFF, 43 BigTIFF.
            [b'I', b'I', 42 | 43, 0, ..] | [b'M', b'M', 0, 42 | 43, ..] => Some(Self::Tiff),
            _ => None,
        }
    }

    /// Width and height where they stand at a fixed place of the header, so that an empty or huge picture is
    /// refused before a decoder sees it. The other formats' sizes come from their decoders.
    pub(super) fn stated_size(self, bytes: &[u8]) -> Option<(u32, u32)> {
        let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?) as u32);
        let i32_at = |at: usize| Some(i32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let be_at = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        match self {
            Self::Png => Some((be_at(16)?, be_at(20)?)),
            Self::Gif => Some((u16_at(6)?, u16_at(8)?)),
            // A header of 12 bytes is that of OS/2 with 16-bit sizes; a negative height means "top row first".
            Self::Bmp if i32_at(14)? == 12 => Some((u16_at(18)?, u16_at(20)?)),
            Self::Bmp => Some((i32_at(18)?.unsigned_abs(), i32_at(22)?.unsigned_abs())),
            Self::Jpeg | Self::WebP | Self::Tiff => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
            Self::Tiff => "TIFF",
        })
    }
}
