//! When a picture was taken, by its EXIF data.
use std::{
    fs::File,
    io::{BufRead, BufReader, Read as _, Seek},
};

use exif::{DateTime, Exif, In, Reader, Tag, Value};

/// Tags with a time, the moment of exposure first, each with the tag of its fraction of a second.
const TIMES: [(Tag, Tag); 3] = [
    (Tag::DateTimeOriginal, Tag::SubSecTimeOriginal),
    (Tag::DateTimeDigitized, Tag::SubSecTimeDigitized),
    (Tag::DateTime, Tag::SubSecTime),
];

/// Bytes of a file in which EXIF data are looked for: they stand in front but for rare RAW formats, and a TIFF file is read as a
/// whole for them.
const REACH: u64 = 128 << 20;

/// As [`read`], of a file of any size.
pub(crate) fn read_file(file: &File) -> Option<Exif> {
    read(&mut BufReader::new(file.take(REACH)))
}

/// EXIF data of a JPEG, TIFF (and so most RAW formats), HEIF, PNG or WebP file; none where there is none or it cannot be
/// read. Damage in one part leaves the rest readable.
pub(crate) fn read(file: &mut (impl BufRead + Seek)) -> Option<Exif> {
    Reader::new()
        .continue_on_error(true)
        .read_from_container(file)
        .or_else(|error| error.distill_partial_result(|_| ()))
        .ok()
}

/// When it was taken, in milliseconds since 1970 on a clock at the place.
pub(crate) fn taken_ms(exif: &Exif) -> Option<i64> {
    TIMES.into_iter().find_map(|(time, fraction)| {
        let mut moment = DateTime::from_ascii(ascii(exif, time)?).ok()?;
        if let Some(fraction) = ascii(exif, fraction) {
            // A broken fraction leaves the second as it is.
            let _ = moment.parse_subsec(fraction);
        }
        civil_ms(&moment)
    })
}

fn ascii(exif: &Exif, tag: Tag) -> Option<&[u8]> {
    match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(texts) => texts.first().map(Vec::as_slice),
        _ => None,
    }
}

/// Cameras whose clock was never set write zeros, which are no date.
fn civil_ms(moment: &DateTime) -> Option<i64> {
    let date = jiff::civil::Date::new(
        i16::try_from(moment.year).ok()?,
        i8::try_from(moment.month).ok()?,
        i8::try_from(moment.day).ok()?,
    );
    let time = jiff::civil::Time::new(
        i8::try_from(moment.hour).ok()?,
        i8::try_from(moment.minute).ok()?,
        i8::try_from(moment.second.min(59)).ok()?,
        i32::try_from(moment.nanosecond.unwrap_or(0)).ok()?,
    );
    clock_ms(date.ok()?.to_datetime(time.ok()?))
}

/// What a clock shows, as milliseconds since it showed the beginning of 1970.
pub(crate) fn clock_ms(shown: jiff::civil::DateTime) -> Option<i64> {
    jiff::tz::Offset::UTC.to_timestamp(shown).ok().map(jiff::Timestamp::as_millisecond)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_checked() {
        let ms = |text: &[u8]| civil_ms(&DateTime::from_ascii(text).unwrap());
        assert_eq!(ms(b"1970:01:02 00:00:01"), Some(86_401_000));
        // `date -u -d '2024-02-29 12:34:56' +%s`
        assert_eq!(ms(b"2024:02:29 12:34:56"), Some(1_709_210_096_000));
        assert_eq!(ms(b"2023:02:29 12:34:56"), None);
        assert_eq!(ms(b"0000:00:00 00:00:00"), None);
    }
}
