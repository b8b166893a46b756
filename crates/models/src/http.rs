//! Downloads that survive cuts, busy servers and killed processes.
use crate::{Progress, Step, checksum, error::redact, manifest};
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};
use ureq::{Agent, Body, config::RedirectAuthHeaders, http::Response};

/// How stubborn a download is.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Tries before a source counts as failed; counted anew whenever a try brought the file further.
    pub attempts: u32,
    /// Wait before the second try; doubles each time.
    pub first_delay: Duration,
    /// The longest wait, also when a server asks for more: then the source counts as failed.
    pub max_delay: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self { attempts: 5, first_delay: Duration::from_secs(1), max_delay: Duration::from_mins(1) }
    }
}

/// What a file must be, as far as known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Expected {
    /// Size in bytes; binding only where the sum is unknown.
    pub(crate) bytes: Option<u64>,
    /// SHA-256 in lower-case hex.
    pub(crate) sha256: Option<String>,
}

/// One file to fetch.
#[derive(Clone, Copy)]
pub(crate) struct Download<'a> {
    pub(crate) url: &'a str,
    /// Token for the host of `url`; never sent to the host of a redirect.
    pub(crate) bearer: Option<&'a str>,
    pub(crate) expected: &'a Expected,
    pub(crate) dest: &'a Path,
    /// What to call it in progress reports.
    pub(crate) label: &'a str,
}

/// Why a try failed.
enum Failure {
    /// Another try can help, after the wait the server asked for.
    Passing(String, Option<Duration>),
    /// The host does not answer. One more try, then a mirror is the better chance.
    Unreachable(String),
    /// Another try cannot help.
    Final(String),
}

/// An HTTP client with back-off.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    agent: Agent,
    retry: Retry,
}

impl Client {
    pub(crate) fn new(retry: Retry) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .redirect_auth_headers(RedirectAuthHeaders::SameHost)
            .user_agent(concat!("viewfinder/", env!("CARGO_PKG_VERSION")))
            // Offsets of a resumed download count bytes of the file, not of a compressed stream.
            .accept_encoding("identity")
            .timeout_connect(Some(Duration::from_secs(20)))
            .timeout_recv_response(Some(Duration::from_mins(1)))
            .timeout_per_read(Some(Duration::from_mins(1)))
            .build();
        Self { agent: config.into(), retry }
    }

    /// Fetches a JSON document and the address of its next page, if it has one.
    pub(crate) fn json(
        &self,
        url: &str,
        bearer: Option<&str>,
    ) -> Result<(serde_json::Value, Option<String>), String> {
        let task = || {
            let mut response = self.get(url, bearer, &[])?;
            let next = header(&response, "link").and_then(|links| next_page(&links));
            let text = response
                .body_mut()
                .with_config()
                .limit(64 << 20)
                .read_to_string()
                .map_err(|error| Failure::Passing(redact(&error.to_string()), None))?;
            let value =
                serde_json::from_str(&text).map_err(|error| Failure::Final(format!("no JSON: {error}")))?;
            Ok((value, next))
        };
        let mut backoff = Backoff::new(self.retry);
        loop {
            match task() {
                Ok(answer) => return Ok(answer),
                Err(failure) => backoff.after(failure)?,
            }
        }
    }

    /// Fetches a file to `dest` and returns its SHA-256. The file appears complete and verified, or not at all; what has
    /// arrived before a failure waits in `<dest>.part` for the next try, even one after a restart.
    pub(crate) fn download(&self, file: Download<'_>, progress: &dyn Progress) -> Result<String, String> {
        let failed = |error: io::Error| format!("cannot write: {error}");
        let part = Partial::of(file.dest);
        fs::create_dir_all(file.dest.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let result = self.whole(file, &part, progress);
        progress.end(result.as_ref().map(|_| ()).map_err(String::as_str));
        let sha256 = result?;
        part.land(file.dest).map_err(failed)?;
        Ok(sha256)
    }

    fn whole(&self, file: Download<'_>, part: &Partial, progress: &dyn Progress) -> Result<String, String> {
        for fresh in [false, true] {
            if fresh {
                part.discard();
            }
            let mut patched = part.len() > 0;
            let mut best = part.len();
            let mut backoff = Backoff::new(self.retry);
            // Ends: each round either uses up an attempt or has brought the file further than ever before.
            while let Err(failure) = self.stream(file, part, progress) {
                if part.len() > best {
                    best = part.len();
                    backoff = Backoff::new(self.retry);
                }
                patched |= part.len() > 0;
                backoff.after(failure)?;
            }
            let found =
                checksum::of_file(&part.data).map_err(|error| format!("cannot read back: {error}"))?;
            let problem = match (&file.expected.sha256, file.expected.bytes) {
                (Some(expected), _) if *expected != found => {
                    Some(format!("its SHA-256 is {found}, not {expected}"))
                }
                (None, Some(bytes)) if bytes != part.len() => {
                    Some(format!("it has {} bytes instead of {bytes}", part.len()))
                }
                _ => None,
            };
            match problem {
                None => return Ok(found),
                // Pieces of different requests may not fit; a download in one go tells.
                Some(problem) if patched && !fresh => {
                    tracing::warn!(file = file.label, problem, "resumed download is damaged, starting over");
                }
                Some(problem) => {
                    part.discard();
                    return Err(problem);
                }
            }
        }
        Err("the download stays damaged".into())
    }

    /// One request; whatever arrives is kept.
    fn stream(&self, file: Download<'_>, part: &Partial, progress: &dyn Progress) -> Result<(), Failure> {
        let disk = |error: io::Error| Failure::Final(format!("cannot write: {error}"));
        let validator = part.resumable(file.expected.sha256.as_deref());
        let mut have = if validator.is_some() { part.len() } else { 0 };
        if file.expected.sha256.is_some() && have > 0 && file.expected.bytes == Some(have) {
            return Ok(());
        }
        let range = format!("bytes={have}-");
        let mut headers = Vec::new();
        if have > 0 {
            headers.push(("Range", range.as_str()));
            if let Some(etag) = validator.as_deref().and_then(|validator| validator.strip_prefix("etag:")) {
                headers.push(("If-Range", etag));
            }
        }
        let mut response = match self.get(file.url, file.bearer, &headers) {
            Err(Failure::Final(reason)) if have > 0 && reason.starts_with("416") => {
                part.discard();
                return Err(Failure::Passing(reason, Some(Duration::ZERO)));
            }
            other => other?,
        };
        let mut total = header(&response, "content-length").and_then(|length| length.parse::<u64>().ok());
        if response.status() == 206 {
            let (start, size) = header(&response, "content-range").as_deref().and_then(content_range).unzip();
            if start != Some(have) {
                part.discard();
                return Err(Failure::Passing(
                    "the server sent another range than asked".into(),
                    Some(Duration::ZERO),
                ));
            }
            total = size.flatten().or(total.map(|rest| rest + have));
        } else {
            have = 0;
            part.begin(file.expected.sha256.as_deref(), header(&response, "etag").as_deref())
                .map_err(disk)?;
        }
        progress.begin(Step::Fetch, file.label, total.or(file.expected.bytes));
        progress.advance(have);
        let mut out = File::options().create(true).append(true).open(&part.data).map_err(disk)?;
        let mut body = response.body_mut().as_reader();
        let mut buffer = vec![0; 128 * 1024];
        loop {
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    out.write_all(&buffer[..n]).map_err(disk)?;
                    have += n as u64;
                    progress.advance(n as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    return Err(Failure::Passing(
                        format!("cut off after {have} bytes: {}", redact(&error.to_string())),
                        None,
                    ));
                }
            }
        }
        match total {
            Some(total) if have < total => {
                Err(Failure::Passing(format!("cut off after {have} of {total} bytes"), None))
            }
            _ => out.sync_all().map_err(disk),
        }
    }

    fn get(
        &self,
        url: &str,
        bearer: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Response<Body>, Failure> {
        let mut request = self.agent.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = bearer {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.call().map_err(|error| {
            let reason = redact(&error.to_string());
            match error {
                ureq::Error::BadUri(_) | ureq::Error::TooManyRedirects => Failure::Final(reason),
                ureq::Error::HostNotFound
                | ureq::Error::ConnectionFailed
                | ureq::Error::Timeout(ureq::Timeout::Resolve | ureq::Timeout::Connect) => {
                    Failure::Unreachable(reason)
                }
                ureq::Error::Io(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    Failure::Unreachable(reason)
                }
                _ => Failure::Passing(reason, None),
            }
        })?;
        let status = response.status();
        let wait =
            header(&response, "retry-after").and_then(|s| s.trim().parse().ok()).map(Duration::from_secs);
        let reason = || {
            let words = status.canonical_reason().unwrap_or("unknown status");
            match status.as_u16() {
                401 | 403 => format!("{} {words} (does it need a token?)", status.as_u16()),
                code => format!("{code} {words}"),
            }
        };
        match status.as_u16() {
            200 | 206 => Ok(response),
            408 | 429 | 500..=599 => Err(Failure::Passing(reason(), wait)),
            _ => Err(Failure::Final(reason())),
        }
    }
}

/// How many more tries, and how long until the next.
struct Backoff {
    left: u32,
    delay: Duration,
    max_delay: Duration,
}

impl Backoff {
    fn new(retry: Retry) -> Self {
        Self { left: retry.attempts, delay: retry.first_delay, max_delay: retry.max_delay }
    }

    /// Waits for the next try, or says why there is none.
    fn after(&mut self, failure: Failure) -> Result<(), String> {
        let (reason, asked) = match failure {
            Failure::Final(reason) => return Err(reason),
            Failure::Passing(reason, asked) => (reason, asked),
            Failure::Unreachable(reason) => {
                self.left = self.left.min(2);
                (reason, None)
            }
        };
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(reason);
        }
        let wait = asked.unwrap_or(self.delay);
        if wait > self.max_delay {
            return Err(format!("{reason}; the server asks to wait {} s", wait.as_secs()));
        }
        tracing::debug!(reason, wait_ms = wait.as_millis() as u64, "trying again");
        thread::sleep(wait);
        self.delay = (self.delay * 2).min(self.max_delay);
        Ok(())
    }
}

/// The unfinished copy of a file, and a note saying what may continue it.
struct Partial {
    data: PathBuf,
    note: PathBuf,
}

impl Partial {
    fn of(dest: &Path) -> Self {
        let with = |ending: &str| {
            let mut name = dest.as_os_str().to_owned();
            name.push(ending);
            PathBuf::from(name)
        };
        Self { data: with(".part"), note: with(".part.txt") }
    }

    fn len(&self) -> u64 {
        fs::metadata(&self.data).map_or(0, |metadata| metadata.len())
    }

    /// What allows a continuation: the same sum (then any source will do), or the same tag from the same kind of server.
    fn resumable(&self, sha256: Option<&str>) -> Option<String> {
        let note = fs::read_to_string(&self.note).ok()?;
        match sha256 {
            Some(sum) => (note == format!("sha256:{sum}")).then_some(note),
            None => note.starts_with("etag:").then_some(note),
        }
    }

    /// Starts from the first byte.
    fn begin(&self, sha256: Option<&str>, etag: Option<&str>) -> io::Result<()> {
        self.discard();
        let note = match (sha256, etag) {
            (Some(sum), _) => format!("sha256:{sum}"),
            // A weak tag does not promise the same bytes.
            (None, Some(tag)) if tag.starts_with('"') => format!("etag:{tag}"),
            _ => return Ok(()),
        };
        fs::write(&self.note, note)
    }

    fn discard(&self) {
        let _ = fs::remove_file(&self.note);
        let _ = fs::remove_file(&self.data);
    }

    fn land(&self, dest: &Path) -> io::Result<()> {
        let _ = fs::remove_file(&self.note);
        fs::rename(&self.data, dest)?;
        if let Some(folder) = dest.parent() {
            manifest::sync_folder(folder);
        }
        Ok(())
    }
}

fn header(response: &Response<Body>, name: &str) -> Option<String> {
    Some(response.headers().get(name)?.to_str().ok()?.to_owned())
}

/// First byte and whole size out of `bytes 10-99/100`.
fn content_range(value: &str) -> Option<(u64, Option<u64>)> {
    let (range, size) = value.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, size.parse().ok()))
}

/// The address marked `rel="next"` in a Link header.
fn next_page(links: &str) -> Option<String> {
    links.split(',').find_map(|link| {
        let (address, attributes) = link.split_once(';')?;
        let address = address.trim().strip_prefix('<')?.strip_suffix('>')?;
        attributes.contains("rel=\"next\"").then(|| address.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_understood() {
        assert_eq!(content_range("bytes 10-99/100"), Some((10, Some(100))));
        assert_eq!(content_range("bytes 10-99/*"), Some((10, None)));
        assert_eq!(content_range("pages 1"), None);
        let links = "<http://h/1>; rel=\"prev\", <http://h/3?a=b>; rel=\"next\"";
        assert_eq!(next_page(links).as_deref(), Some("http://h/3?a=b"));
        assert_eq!(next_page("<http://h/1>; rel=\"prev\""), None);
    }
}
