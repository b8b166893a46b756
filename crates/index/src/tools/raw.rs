use std::path::Path;

use viewfinder_image::{Format, header};

use super::{Converted, EXIFTOOL, LIBRAW, Subject, ToolError, Tools, broken, decoder, refused};

/// Previews in RAW files with a longer side below this are for the camera's screen: text in them is lost.
const PREVIEW_SIDE: u32 = 1000;

impl Tools {
    /// The picture that a camera left in a RAW file, if it is of good size; otherwise what LibRaw develops.
    pub(crate) fn raw(&self, file: Subject<'_>, max_bytes: u64) -> Result<Converted, ToolError> {
        let preview = match self.program(&EXIFTOOL) {
            Some(program) => preview(&program, file, max_bytes),
            None => Err(ToolError::Lacking("exiftool or dcraw_emu (LibRaw)")),
        };
        match (self.program(&LIBRAW), preview) {
            (Some(_), Ok(preview)) if long_side(&preview.bytes) >= PREVIEW_SIDE => Ok(preview),
            (Some(program), _) => develop(&program, file, max_bytes),
            // Without a preview, it may still be developed.
            (None, Err(ToolError::Refused { .. })) => Err(ToolError::Lacking("dcraw_emu (LibRaw)")),
            (None, preview) => preview,
        }
    }
}

/// The largest JPEG that a RAW file carries.
fn preview(program: &Path, file: Subject<'_>, max_bytes: u64) -> Result<Converted, ToolError> {
    let ask = |tag: &str| -> Result<Vec<u8>, ToolError> {
        // A configuration is a program of its own; without a name there is none. It must come first.
        let command = decoder(program, max_bytes).args(["-config", "", "-b", "-n", tag]);
        let (command, input) = file.hand(command).map_err(broken(program))?;
        Ok(command.arg(input).run()?)
    };
    let mut best = Vec::new();
    for tag in ["-JpgFromRaw", "-PreviewImage"] {
        let found = ask(tag)?;
        if Format::sniff(&found) == Some(Format::Jpeg) && long_side(&found) > long_side(&best) {
            best = found;
        }
    }
    if best.is_empty() {
        return Err(refused(program, "it holds no preview"));
    }
    let orientation = ask("-Orientation")?;
    let orientation = str::from_utf8(&orientation).ok().and_then(|text| text.trim().parse().ok());
    Ok(Converted { bytes: with_orientation(&best, orientation.unwrap_or(1)).into(), orient: true })
}

fn long_side(picture: &[u8]) -> u32 {
    header(picture).map_or(0, |header| header.width.max(header.height))
}

/// Half the size is quick, and still more than any detector looks at. LibRaw turns it upright.
fn develop(program: &Path, file: Subject<'_>, max_bytes: u64) -> Result<Converted, ToolError> {
    let command = decoder(program, max_bytes).args(["-h", "-w", "-T", "-Z", "-"]);
    let (command, input) = file.hand(command).map_err(broken(program))?;
    let bytes = command.arg(input).run()?;
    if bytes.is_empty() {
        // It ends well even so.
        return Err(refused(program, "it is of no RAW format that LibRaw knows, or damaged"));
    }
    Ok(Converted { bytes: bytes.into(), orient: false })
}

/// A JPEG with EXIF data in front that say nothing but how to turn it (EXIF 2.32, 4.5.4 and 4.7.2).
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let (start, rest) = jpeg.split_at(2);
    let segment = [
        &b"\xFF\xE1\0\x22Exif\0\0MM\0\x2A\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0"[..],
        &[orientation],
        &b"\0\0\0\0\0\0"[..],
    ]
    .concat();
    [start, &segment, rest].concat()
}
