//! Programs of the system that decode what Viewfinder does not: HEIF, RAW and videos.
//!
//! They are called with lists of arguments, never through a shell, with limits on time and on what they may answer.
use std::{
    env,
    ffi::{OsStr, OsString},
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use viewfinder_image::{Format, header};

use crate::exif_time::clock_ms;

/// How long a program may take for one file.
const TIME: Duration = Duration::from_secs(60);
/// How often a running program is looked at.
const GLANCE: Duration = Duration::from_millis(10);
/// Bytes of a complaint that are read.
const COMPLAINT: u64 = 4096;
/// Previews in RAW files with a longer side below this are for the camera's screen: text in them is lost.
const PREVIEW_SIDE: u32 = 1000;
/// Frames among which the most typical one is taken: two seconds of a usual video.
const FRAMES: u32 = 50;

/// The decoders on this machine.
#[derive(Clone, Debug, Default)]
pub struct Tools {
    heif: Option<PathBuf>,
    exiftool: Option<PathBuf>,
    libraw: Option<PathBuf>,
    ffmpeg: Option<PathBuf>,
    ffprobe: Option<PathBuf>,
}

/// Why a program gave no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    /// None of these programs is here.
    #[error("it takes {0}, which is not on this machine")]
    Lacking(&'static str),
    /// It could not be started or talked to.
    #[error("{program} does not run: {error}")]
    Broken { program: String, error: io::Error },
    /// It says no.
    #[error("{program} cannot decode it: {reason}")]
    Refused { program: String, reason: String },
    /// It would take too long.
    #[error("{program} took longer than {} s", TIME.as_secs())]
    TooSlow { program: String },
    /// It answered too much.
    #[error("{program} answered more than {limit} bytes")]
    TooLarge { program: String, limit: u64 },
}

/// A picture that a tool made.
#[derive(Debug)]
pub struct Converted {
    /// A file that Viewfinder decodes.
    pub bytes: Bytes,
    /// Does its EXIF orientation say how to turn it? Otherwise it is upright.
    pub orient: bool,
}

impl Tools {
    /// Looks in the folders of the variable `PATH`.
    pub fn find() -> Self {
        Self::find_in(&env::var_os("PATH").unwrap_or_default())
    }

    /// Looks in these folders, written as in the variable `PATH`.
    pub fn find_in(path: &OsStr) -> Self {
        let program = |names: &[&str]| {
            let mut places = env::split_paths(path)
                .flat_map(|folder| names.iter().map(move |name| folder.join(name)))
                .map(|file| file.with_extension(env::consts::EXE_EXTENSION));
            places.find(|file| file.is_file())
        };
        Self {
            // libheif 1.19 renamed it.
            heif: program(&["heif-dec", "heif-convert"]),
            exiftool: program(&["exiftool"]),
            libraw: program(&["dcraw_emu"]),
            ffmpeg: program(&["ffmpeg"]),
            ffprobe: program(&["ffprobe"]),
        }
    }

    /// A HEIF file as a picture. libheif turns and mirrors as the file says, so that the result is upright whatever EXIF data
    /// it copies. Blocks, as all of these.
    pub(crate) fn heif(&self, path: &Path, max_bytes: u64) -> Result<Converted, ToolError> {
        let program = self.heif.as_deref().ok_or(ToolError::Lacking("heif-dec or heif-convert (libheif)"))?;
        let broken = |error| ToolError::Broken { program: name(program), error };
        let folder = tempfile::tempdir().map_err(broken)?;
        let output = folder.path().join("picture.jpg");
        run(Command::new(program).args(["-q", "95"]).arg(path).arg(&output), COMPLAINT)?;
        // Several pictures in one file are numbered; the first is the main one.
        let output = if output.exists() { output } else { folder.path().join("picture-1.jpg") };
        if fs::metadata(&output).map_err(broken)?.len() > max_bytes {
            return Err(ToolError::TooLarge { program: name(program), limit: max_bytes });
        }
        Ok(Converted { bytes: fs::read(&output).map_err(broken)?.into(), orient: false })
    }

    /// The picture that a camera left in a RAW file, if it is of good size; otherwise what LibRaw develops.
    pub(crate) fn raw(&self, path: &Path, max_bytes: u64) -> Result<Converted, ToolError> {
        let preview = match &self.exiftool {
            Some(program) => preview(program, path, max_bytes),
            None => Err(ToolError::Lacking("exiftool or dcraw_emu (LibRaw)")),
        };
        match (&self.libraw, preview) {
            (Some(_), Ok(preview)) if long_side(&preview.bytes) >= PREVIEW_SIDE => Ok(preview),
            (Some(program), _) => develop(program, path, max_bytes),
            (None, preview) => preview,
        }
    }

    /// A typical frame of a video from behind its first tenth, where titles and darkness are over.
    pub(crate) fn frame(&self, path: &Path, max_bytes: u64) -> Result<Converted, ToolError> {
        let program = self.ffmpeg.as_deref().ok_or(ToolError::Lacking("ffmpeg"))?;
        let from = self.video(path).and_then(|video| video.seconds).map_or(0.0, |seconds| seconds / 10.0);
        let at = |seconds: f64| {
            let mut command = Command::new(program);
            command.args(["-nostdin", "-v", "error", "-protocol_whitelist", "file", "-ss"]);
            command.arg(format!("{seconds:.3}")).arg("-i").arg(file_url(path));
            command.args(["-an", "-sn", "-dn", "-vf", &format!("thumbnail={FRAMES}"), "-frames:v", "1"]);
            command.args(["-f", "image2pipe", "-c:v", "mjpeg", "-q:v", "2", "pipe:1"]);
            run(&mut command, max_bytes)
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
    pub(crate) fn video(&self, path: &Path) -> Option<VideoHeader> {
        let mut command = Command::new(self.ffprobe.as_deref()?);
        command.args(["-v", "error", "-protocol_whitelist", "file", "-of", "json", "-show_entries"]);
        command.arg("format=duration:format_tags=creation_time,com.apple.quicktime.creationdate");
        command.arg("-i").arg(file_url(path));
        let answer = run(&mut command, 1 << 20).ok()?;
        let Probe { format } = serde_json::from_slice(&answer).ok()?;
        let taken_ms = format.tags.local.as_deref().and_then(local_clock_ms);
        let seconds = format.duration.and_then(|duration| duration.parse().ok());
        Some(VideoHeader {
            seconds: seconds.filter(|seconds: &f64| seconds.is_finite() && *seconds > 0.0),
            taken_ms: taken_ms.or_else(|| format.tags.universal.as_deref().and_then(local_clock_ms)),
        })
    }
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

/// Keeps ffmpeg from taking a name for an address.
fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

/// The largest JPEG that a RAW file carries.
fn preview(program: &Path, path: &Path, max_bytes: u64) -> Result<Converted, ToolError> {
    let ask = |tag: &str| run(Command::new(program).args(["-b", "-n", tag]).arg(path), max_bytes);
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
fn develop(program: &Path, path: &Path, max_bytes: u64) -> Result<Converted, ToolError> {
    let bytes = run(Command::new(program).args(["-h", "-w", "-T", "-Z", "-"]).arg(path), max_bytes)?;
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

fn refused(program: &Path, reason: &str) -> ToolError {
    ToolError::Refused { program: name(program), reason: reason.to_owned() }
}

fn name(program: &Path) -> String {
    program.file_stem().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()
}

/// Runs a program to its end and returns what it writes.
fn run(command: &mut Command, max_bytes: u64) -> Result<Vec<u8>, ToolError> {
    let program = name(Path::new(command.get_program()));
    let broken = |error| ToolError::Broken { program: program.clone(), error };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(broken)?;
    let output = listen(child.stdout.take(), max_bytes.saturating_add(1), false);
    let complaint = listen(child.stderr.take(), COMPLAINT, true);
    let ended = wait(&mut child).map_err(broken)?;
    let (output, complaint) = (heard(output), heard(complaint));
    if output.len() as u64 > max_bytes {
        return Err(ToolError::TooLarge { program, limit: max_bytes });
    }
    match ended {
        None => Err(ToolError::TooSlow { program }),
        Some(status) if status.success() => Ok(output),
        Some(status) => {
            let complaint = String::from_utf8_lossy(&complaint);
            let last = complaint.lines().map(str::trim).rfind(|line| !line.is_empty());
            let reason = last.map_or_else(|| format!("it ended with {status}"), str::to_owned);
            Err(ToolError::Refused { program, reason })
        }
    }
}

type Listening = Option<thread::JoinHandle<Vec<u8>>>;

/// Reads at most `limit` bytes. What comes after is thrown away if the program shall go on, else it finds its pipe closed.
fn listen(pipe: Option<impl Read + Send + 'static>, limit: u64, go_on: bool) -> Listening {
    let mut pipe = pipe?;
    Some(thread::spawn(move || {
        let mut heard = Vec::new();
        // A pipe that breaks has said all it could.
        let _ = pipe.by_ref().take(limit).read_to_end(&mut heard);
        if go_on {
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        heard
    }))
}

fn heard(listening: Listening) -> Vec<u8> {
    listening.and_then(|thread| thread.join().ok()).unwrap_or_default()
}

/// Waits for the end; a program that takes too long is ended, and `None` returned.
fn wait(child: &mut Child) -> io::Result<Option<std::process::ExitStatus>> {
    let deadline = Instant::now() + TIME;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        thread::sleep(GLANCE);
    }
}
