use std::{ffi::OsString, path::Path};

use viewfinder_programs::Program;

use super::{Converted, FFMPEG, FFPROBE, Subject, ToolError, Tools, broken, decoder, refused};
use crate::exif_time::clock_ms;

/// Frames among which the most typical one is taken: two seconds of a usual video.
const FRAMES: u32 = 50;
/// Frames are brought to at most this on the longer side before they are compared: `FRAMES` of them are held at a time, which
/// would be 2.5 GB for a video of 7680 x 4320 pixels. More than any detector looks at.
const LONG_SIDE: u32 = 2048;
/// What ffmpeg may take a file for: containers that hold their pictures themselves, behind the extensions of
/// [`FileKind`](crate::FileKind). Playlists and scripts name other files, which it would open.
const CONTAINERS: &str = "mov,matroska,avi,flv,mpegts,mpeg,mpegvideo,asf";
/// Bytes of what ffprobe tells.
const HEADER: u64 = 1 << 20;

impl Tools {
    /// A typical frame of a video from behind its first tenth, where titles and darkness are over.
    pub(crate) fn frame(&self, file: Subject<'_>, max_bytes: u64) -> Result<Converted, ToolError> {
        let program = &self.program(&FFMPEG).ok_or(ToolError::Lacking("ffmpeg"))?;
        let from = self.video(file).and_then(|video| video.seconds).map_or(0.0, |seconds| seconds / 10.0);
        let filters = format!(
            "scale=w='min({LONG_SIDE},iw)':h='min({LONG_SIDE},ih)':force_original_aspect_ratio=decrease,\
             thumbnail={FRAMES}"
        );
        let at = |seconds: f64| -> Result<Vec<u8>, ToolError> {
            // Each thread holds pictures of its own.
            let command =
                decoder(program, max_bytes).args(["-nostdin", "-filter_threads", "1", "-threads", "2"]);
            let command = open(command.arg("-ss").arg(format!("{seconds:.3}")), program, file)?;
            let command = command.args(["-an", "-sn", "-dn", "-vf", &filters, "-frames:v", "1"]);
            let command =
                command.args(["-f", "image2pipe", "-c:v", "mjpeg", "-threads", "1", "-q:v", "2", "pipe:1"]);
            Ok(command.run()?)
        };
        let mut frame = at(from)?;
        // A file without a usable index has nothing there.
        if frame.is_empty() && from > 0.0 {
            frame = at(0.0)?;
        }
        if frame.is_empty() {
            return Err(refused(program, "it has no pictures"));
        }
        Ok(Converted { bytes: frame.into(), orient: false })
    }

    /// What a video's header tells; none without ffprobe, or if it cannot be read. Blocks.
    pub(crate) fn video(&self, file: Subject<'_>) -> Option<VideoHeader> {
        let program = &self.program(&FFPROBE)?;
        let command = decoder(program, HEADER).args(["-of", "json", "-show_entries"]);
        let command =
            command.arg("format=duration:format_tags=creation_time,com.apple.quicktime.creationdate");
        let answer = open(command, program, file).ok()?.run().ok()?;
        let Probe { format } = serde_json::from_slice(&answer).ok()?;
        let taken_ms = format.tags.local.as_deref().and_then(local_clock_ms);
        let seconds = format.duration.and_then(|duration| duration.parse().ok());
        Some(VideoHeader {
            seconds: seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0),
            taken_ms: taken_ms.or_else(|| format.tags.universal.as_deref().and_then(local_clock_ms)),
        })
    }
}

/// Lets ffmpeg or ffprobe open the file, and nothing else.
fn open(command: Program, program: &Path, file: Subject<'_>) -> Result<Program, ToolError> {
    let command =
        command.args(["-v", "error", "-protocol_whitelist", "file", "-format_whitelist", CONTAINERS]);
    let (command, input) = file.hand(command).map_err(broken(program))?;
    // Keeps ffmpeg from taking a name for an address.
    let mut url = OsString::from("file:");
    url.push(input);
    Ok(command.arg("-i").arg(url))
}

/// What a video's header tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct VideoHeader {
    /// How long it is.
    pub(crate) seconds: Option<f64>,
    /// When it was taken, in milliseconds since 1970 on a clock at the place as far as the file tells, else on one that shows
    /// universal time.
    pub(crate) taken_ms: Option<i64>,
}

#[derive(serde::Deserialize)]
struct Probe {
    format: ProbedFormat,
}

#[derive(serde::Deserialize)]
struct ProbedFormat {
    duration: Option<String>,
    #[serde(default)]
    tags: ProbedTags,
}

#[derive(Default, serde::Deserialize)]
struct ProbedTags {
    #[serde(rename = "creation_time")]
    universal: Option<String>,
    #[serde(rename = "com.apple.quicktime.creationdate")]
    local: Option<String>,
}

/// `2024-05-06T07:08:09+0200`: what the clock shows, whatever the zone. Cameras without a clock write a year before 1971.
fn local_clock_ms(text: &str) -> Option<i64> {
    let shown: jiff::civil::DateTime = text.get(..19)?.parse().ok()?;
    (shown.year() > 1970).then(|| clock_ms(shown)).flatten()
}
