//! TIFF files whose samples are numbers of colours in a table, which the `tiff` crate refuses. It reads them as grey,
//! the same numbers, and the colours are looked up here.

use std::io::Cursor;

use tiff::decoder::Decoder;
use tiff::tags::{ByteOrder, Tag};
use tiff::{ColorType, TiffError};

use super::{DecodeError, Format, Limits, Pixels, directory};

const BLACK_IS_ZERO: u16 = 1;
const PALETTE: u16 = 3;

/// Decodes the first page to width, height and samples; `None` if its colours are not in a table.
pub(super) fn decode(bytes: &[u8], limits: &Limits) -> Result<Option<(usize, usize, Pixels)>, DecodeError> {
    directory::check(bytes)?;
    let broken = |error: TiffError| unreadable(error.to_string());
    let mut header = Decoder::new(Cursor::new(bytes)).map_err(broken)?;
    let photometric = header.find_tag_unsigned(Tag::PhotometricInterpretation).map_err(broken)?;
    if photometric != Some(PALETTE) {
        return Ok(None);
    }
    let (width, height) = header.dimensions().map_err(broken)?;
    limits.check_size(width, height)?;
    let (width, height) = (width as usize, height as usize);
    let table = header.get_tag_u16_vec(Tag::ColorMap).map_err(broken)?;
    let at = photometric_at(bytes, &mut header).ok_or_else(|| unreadable("its directory is unusual"))?;

    let mut gray = bytes.to_vec();
    gray[at..at + 2].copy_from_slice(&match header.byte_order() {
        ByteOrder::LittleEndian => BLACK_IS_ZERO.to_le_bytes(),
        ByteOrder::BigEndian => BLACK_IS_ZERO.to_be_bytes(),
    });
    let mut decoder = Decoder::new(Cursor::new(gray)).map_err(broken)?;
    let bits = match decoder.colortype().map_err(broken)? {
        ColorType::Gray(bits @ (1 | 2 | 4 | 8)) => usize::from(bits),
        other => return Err(unreadable(format!("a palette with samples of {other:?} is not supported"))),
    };
    // Rows begin at whole bytes.
    let row_bytes = (width * bits).div_ceil(8);
    let mut samples = vec![0; row_bytes * height];
    decoder.read_image_bytes(&mut samples).map_err(broken)?;

    let colours = 1 << bits;
    if table.len() < 3 * colours {
        return Err(unreadable("its table of colours is too short"));
    }
    // Levels have 16 bits; all reds come first, then all greens, then all blues.
    let colour = |number: usize| [0, 1, 2].map(|channel| (table[channel * colours + number] >> 8) as u8);
    let colours: Vec<[u8; 3]> = (0..colours).map(colour).collect();
    let mut data = vec![0; width * height * 3];
    for (row, pixels) in samples.chunks_exact(row_bytes).zip(data.chunks_exact_mut(width * 3)) {
        for (x, pixel) in pixels.chunks_exact_mut(3).enumerate() {
            let bit = x * bits;
            let number = usize::from(row[bit / 8] >> (8 - bits - bit % 8)) & (colours.len() - 1);
            pixel.copy_from_slice(&colours[number]);
        }
    }
    Ok(Some((width, height, Pixels::Rgb(data))))
}

/// Where the photometric interpretation stands in the file, if it is stored as the two bytes it should be.
fn photometric_at(bytes: &[u8], decoder: &mut Decoder<Cursor<&[u8]>>) -> Option<usize> {
    const SHORT: u16 = 3;
    let order = decoder.byte_order();
    let short = |at: usize| {
        let bytes = bytes.get(at..at + 2)?.try_into().ok()?;
        Some(match order {
            ByteOrder::LittleEndian => u16::from_le_bytes(bytes),
            ByteOrder::BigEndian => u16::from_be_bytes(bytes),
        })
    };
    let big = short(2)? == 43;
    // A count, then entries of tag, type, count and value; BigTIFF's counts and values are wider.
    let (count, entry, value) = if big { (8, 20, 12) } else { (2, 12, 8) };
    let first = usize::try_from(decoder.ifd_pointer()?.0).ok()?.checked_add(count)?;
    let entries = (first..bytes.len()).step_by(entry);
    let found = entries
        .map_while(|at| Some((at, short(at)?)))
        .find(|&(_, tag)| tag == Tag::PhotometricInterpretation.to_u16());
    let (at, _) = found?;
    (short(at + 2)? == SHORT && short(at + value)? == PALETTE).then_some(at + value)
}

fn unreadable(reason: impl Into<String>) -> DecodeError {
    DecodeError::Undecodable { format: Format::Tiff, reason: reason.into() }
}
