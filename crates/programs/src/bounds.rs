use std::time::Duration;

/// What a program may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// From its start to its end.
    pub time: Duration,
    /// Bytes of its standard output that are read; more are an error.
    pub output: u64,
    /// Bytes of memory of its own, where the system can tell.
    pub memory: Option<u64>,
    /// Bytes of any file it writes.
    pub file: Option<u64>,
    /// Open files at a time.
    pub open_files: Option<u64>,
    /// May it use the network?
    pub network: bool,
}

impl Bounds {
    /// For one that decodes one file, and writes and answers at most `bytes`.
    pub fn decoder(bytes: u64) -> Self {
        Self {
            time: Duration::from_secs(60),
            output: bytes,
            // ffmpeg takes 1.4 GB for a video of 7680 x 4320 pixels with all the reference frames that H.264 knows. LibRaw
            // takes 0.9 GB for 100 megapixels, the most that is decoded at all.
            memory: Some(2 << 30),
            file: Some(bytes),
            // A decoder opens its file, its libraries one after the other, and what it writes.
            open_files: Some(64),
            network: false,
        }
    }

    /// For one that the owner of the machine has set up to fetch something.
    pub fn fetcher() -> Self {
        Self {
            // 300 MB over a slow line.
            time: Duration::from_hours(1),
            output: 1 << 20,
            memory: None,
            file: None,
            open_files: None,
            network: true,
        }
    }
}
