use std::fs;

use viewfinder_programs::ProgramError;

use super::{Converted, HEIF, Subject, ToolError, Tools, broken, decoder, name};

impl Tools {
    /// A HEIF file as a picture. libheif turns and mirrors as the file says, so that the result is upright whatever EXIF data
    /// it copies. Blocks, as all of these.
    pub(crate) fn heif(&self, file: Subject<'_>, max_bytes: u64) -> Result<Converted, ToolError> {
        let program = &self.program(&HEIF).ok_or(ToolError::Lacking("heif-dec or heif-convert (libheif)"))?;
        let broken = broken(program);
        let folder = tempfile::tempdir().map_err(&broken)?;
        let output = folder.path().join("picture.jpg");
        let (command, input) = file.hand(decoder(program, max_bytes).args(["-q", "95"])).map_err(&broken)?;
        command.arg(input).arg(&output).run()?;
        // Several pictures in one file are numbered; the first is the main one.
        let output = if output.exists() { output } else { folder.path().join("picture-1.jpg") };
        // Where the system has no bound on written files.
        if fs::metadata(&output).map_err(&broken)?.len() > max_bytes {
            return Err(ProgramError::TooLarge { program: name(program), limit: max_bytes }.into());
        }
        Ok(Converted { bytes: fs::read(&output).map_err(&broken)?.into(), orient: false })
    }
}
