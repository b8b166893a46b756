//! What the commands that look at pictures have in common.
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use viewfinder_core::{Answer, DecodeRules, PictureAnswer, PictureRequest, PictureTask, TaskError};
use viewfinder_engine::{Engine, SharedDump};
use viewfinder_index::{Converted, Tools};

use crate::config::Config;
use crate::dump::Folder;
use crate::failure::{Failure, Outcome, fails_all};
use crate::output;
use crate::pictures::{in_order, read};

/// A picture and what was found out about it.
pub(crate) struct Seen {
    /// The encoded picture, as the engine got it.
    pub bytes: Bytes,
    /// How it was decoded.
    pub decode: DecodeRules,
    /// Its width in pixels.
    pub width: usize,
    /// Its height in pixels.
    pub height: usize,
    /// What was found out.
    pub answer: Answer,
}

enum PictureError {
    Unreadable(std::io::Error),
    Dump(anyhow::Error),
    Engine(TaskError),
}

/// One picture's intermediate results lie in the folder itself; of several, each has its own inside, numbered because
/// names repeat.
fn dump_folder(dump: &Path, images: &[PathBuf], path: &Path) -> PathBuf {
    if images.len() == 1 {
        return dump.to_owned();
    }
    let index = images.iter().position(|image| image == path).unwrap_or(0);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    dump.join(format!("{index:04}-{stem}"))
}

/// Asks the engine about every picture, several at a time, and hands the answers to `told` in the order of the pictures.
///
/// A picture that fails is named on the standard error, and the others go on; a machine or a configuration on which no
/// picture can succeed ends the run.
pub(crate) fn look(
    images: &[PathBuf],
    engine: &Engine,
    config: &Config,
    decode: DecodeRules,
    task: &PictureTask,
    dump: Option<&Path>,
    mut told: impl FnMut(&Path, Seen) -> Result<(), Failure>,
) -> Result<Outcome, Failure> {
    let (tools, max_bytes) = (Tools::find(), config.limits.max_bytes);
    let work = |path: &PathBuf| {
        // What is logged on the way names the file.
        let _of_file = tracing::warn_span!("file", ?path).entered();
        let Converted { bytes, orient } =
            read(path, &tools, max_bytes).map_err(PictureError::Unreadable)?.map_err(PictureError::Engine)?;
        let decode = DecodeRules { orient: orient && decode.orient, ..decode };
        let folder = dump.map(|dump| Folder::create(&dump_folder(dump, images, path))).transpose();
        let folder = folder.map_err(PictureError::Dump)?.map(Arc::new);
        let dump = folder.clone().map(|folder| folder as SharedDump);
        let request = PictureRequest { bytes: bytes.clone(), decode, tasks: vec![task.clone()] };
        let PictureAnswer { width, height, answers } =
            engine.picture_dumped(request, dump).map_err(PictureError::Engine)?;
        // One task, one answer.
        let answer =
            answers.into_iter().collect::<Result<Vec<_>, _>>().map_err(PictureError::Engine)?.remove(0);
        folder.map_or(Ok(()), |folder| folder.finish()).map_err(PictureError::Dump)?;
        Ok(Seen { bytes, decode, width, height, answer })
    };
    let mut outcome = Outcome::Done;
    // One more than the workers: while one picture is read from disk, no worker waits.
    in_order(images, engine.status().workers + 1, work, |path, result| {
        let message = match result {
            Ok(seen) => return told(path, seen),
            Err(PictureError::Unreadable(error)) => error.to_string(),
            Err(PictureError::Dump(error)) => return Err(Failure::Other(error)),
            Err(PictureError::Engine(error)) if fails_all(error.code) => {
                return Err(error.into());
            }
            Err(PictureError::Engine(error)) => error.to_string(),
        };
        output::complain(&format!("{}: {message}", path.display()));
        outcome = Outcome::SomeFailed;
        Ok(())
    })?;
    Ok(outcome)
}

/// One object as one line of JSON.
pub(crate) fn json_line(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut line = serde_json::to_vec(value).map_err(anyhow::Error::from)?;
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    out.write_all(&line)?;
    Ok(out.flush()?)
}
