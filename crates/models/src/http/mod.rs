//! Downloads that survive cuts, busy servers and killed processes, and wait for no server that is not there.
mod partial;
mod retry;
mod trouble;

pub use retry::{Crawl, Retry};
pub(crate) use trouble::{Blame, Trouble};

use crate::{Progress, Step, checksum, error::redact};
use partial::Partial;
use retry::Backoff;
use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::Path,
    thread,
    time::{Duration, Instant},
};
use ureq::{Agent, Body, config::RedirectAuthHeaders, http::Response};

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
            // A thread of its own looks the host up, since the system may hang over that for minutes.
            .timeout_resolve(Some(retry.resolve))
            .timeout_connect(Some(retry.connect))
            .timeout_recv_response(Some(retry.silence))
            .timeout_per_read(Some(retry.silence))
            .build();
        Self { agent: config.into(), retry }
    }

    /// Fetches a JSON document and the address of its next page, if it has one.
    pub(crate) fn json(
        &self,
        url: &str,
        bearer: Option<&str>,
        progress: &dyn Progress,
    ) -> Result<(serde_json::Value, Option<String>), Trouble> {
        let task = || {
            let mut response = self.get(url, bearer, &[])?;
            let next = header(&response, "link").and_then(|links| next_page(&links));
            let text = response
                .body_mut()
                .with_config()
                .limit(64 << 20)
                .read_to_string()
                .map_err(|error| Trouble::broken(redact(&error.to_string())))?;
            let value =
                serde_json::from_str(&text).map_err(|error| Trouble::last(format!("no JSON: {error}")))?;
            Ok((value, next))
        };
        let mut backoff = Backoff::new(self.retry);
        loop {
            match task() {
                Ok(answer) => return Ok(answer),
                Err(trouble) => again(&mut backoff, trouble, progress)?,
            }
        }
    }

    /// Asks for the first byte of a file, once: does its source deliver?
    pub(crate) fn probe(&self, url: &str, bearer: Option<&str>) -> Result<(), Trouble> {
        self.get(url, bearer, &[("Range", "bytes=0-0")]).map(drop)
    }

    /// Fetches a file to `dest` and returns its SHA-256. The file appears complete and verified, or not at all; what has
    /// arrived before a failure waits in `<dest>.part` for the next try, even one after a restart. Whoever is `impatient`
    /// leaves a source that crawls.
    pub(crate) fn download(
        &self,
        file: Download<'_>,
        impatient: bool,
        progress: &dyn Progress,
    ) -> Result<String, Trouble> {
        let failed = |error: io::Error| Trouble::last(format!("cannot write: {error}"));
        let part = Partial::of(file.dest);
        fs::create_dir_all(file.dest.parent().unwrap_or(Path::new("."))).map_err(failed)?;
        let result = self.whole(file, &part, impatient, progress);
        progress.end(result.as_ref().map(|_| ()).map_err(|trouble| trouble.reason.as_str()));
        let sha256 = result?;
        part.land(file.dest).map_err(failed)?;
        Ok(sha256)
    }

    fn whole(
        &self,
        file: Download<'_>,
        part: &Partial,
        impatient: bool,
        progress: &dyn Progress,
    ) -> Result<String, Trouble> {
        for fresh in [false, true] {
            if fresh {
                part.discard();
            }
            let mut patched = part.len() > 0;
            let mut best = part.len();
            let mut backoff = Backoff::new(self.retry);
            // Ends: each round either uses up an attempt or has brought the file further than ever before.
            while let Err(trouble) = self.stream(file, part, impatient, progress) {
                if part.len() > best {
                    best = part.len();
                    backoff = Backoff::new(self.retry);
                }
                patched |= part.len() > 0;
                again(&mut backoff, trouble, progress)?;
            }
            let found = checksum::of_file(&part.data)
                .map_err(|error| Trouble::last(format!("cannot read back: {error}")))?;
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
                    return Err(Trouble::damaged(problem));
                }
            }
        }
        Err(Trouble::damaged("the download stays damaged"))
    }

    /// One request; whatever arrives is kept.
    fn stream(
        &self,
        file: Download<'_>,
        part: &Partial,
        impatient: bool,
        progress: &dyn Progress,
    ) -> Result<(), Trouble> {
        let disk = |error: io::Error| Trouble::last(format!("cannot write: {error}"));
        let validator = part.resumable(file.expected.sha256.as_deref());
        let mut have = if validator.is_some() { part.len() } else { 0 };
        if file.expected.sha256.is_some() && have > 0 && file.expected.bytes == Some(have) {
            return Ok(());
        }
        let mut response = self.ask(file, part, have, validator.as_deref())?;
        let mut total = header(&response, "content-length").and_then(|length| length.parse::<u64>().ok());
        if response.status() == 206 {
            let (start, size) = header(&response, "content-range").as_deref().and_then(content_range).unzip();
            if start != Some(have) {
                part.discard();
                return Err(Trouble::answered(
                    "the server sent another range than asked",
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
        let crawl = self.retry.crawl;
        let (mut since, mut came) = (Instant::now(), 0);
        loop {
            match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    out.write_all(&buffer[..n]).map_err(disk)?;
                    have += n as u64;
                    came += n as u64;
                    progress.advance(n as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Trouble::cut(&error, have, &self.retry)),
            }
            let time = since.elapsed();
            if time >= crawl.span {
                if crawl.is(came, time, total.map(|total| total.saturating_sub(have)), impatient) {
                    let rate = came as f64 / time.as_secs_f64() / 1000.0;
                    return Err(Trouble::crawling(format!("only {rate:.1} kB a second come from it")));
                }
                (since, came) = (Instant::now(), 0);
            }
        }
        match total {
            Some(total) if have < total => {
                Err(Trouble::broken(format!("cut off after {have} of {total} bytes")))
            }
            _ => out.sync_all().map_err(disk),
        }
    }

    /// Asks for what is not here yet.
    fn ask(
        &self,
        file: Download<'_>,
        part: &Partial,
        have: u64,
        validator: Option<&str>,
    ) -> Result<Response<Body>, Trouble> {
        let range = format!("bytes={have}-");
        let mut headers = Vec::new();
        if have > 0 {
            headers.push(("Range", range.as_str()));
            if let Some(etag) = validator.and_then(|validator| validator.strip_prefix("etag:")) {
                headers.push(("If-Range", etag));
            }
        }
        match self.get(file.url, file.bearer, &headers) {
            Err(trouble) if have > 0 && trouble.reason.starts_with("416") => {
                part.discard();
                Err(Trouble::answered(trouble.reason, Some(Duration::ZERO)))
            }
            other => other,
        }
    }

    fn get(
        &self,
        url: &str,
        bearer: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Result<Response<Body>, Trouble> {
        let mut request = self.agent.get(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = bearer {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let response = request.call().map_err(|error| Trouble::unanswered(&error, url, &self.retry))?;
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
            408 | 429 | 500..=599 => Err(Trouble::answered(reason(), wait)),
            _ => Err(Trouble::last(reason())),
        }
    }
}

/// Waits for the next try, and says so; or hands on why there is none.
fn again(backoff: &mut Backoff, trouble: Trouble, progress: &dyn Progress) -> Result<(), Trouble> {
    let reason = trouble.reason.clone();
    let wait = backoff.after(trouble)?;
    tracing::debug!(reason, wait_ms = wait.as_millis() as u64, "trying again");
    progress.pause(&format!("{reason}; trying once more"));
    thread::sleep(wait);
    Ok(())
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
