//! How much patience a source is given.
use super::Trouble;
use std::time::Duration;

/// How stubborn a download is.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Tries before a source counts as failed; counted anew whenever a try brought the file further.
    pub attempts: u32,
    /// Wait before the second try; doubles each time.
    pub first_delay: Duration,
    /// The longest wait, also when a server asks for more: then the source counts as failed.
    pub max_delay: Duration,
    /// For a host's address to be found.
    pub resolve: Duration,
    /// For a connection to stand, with its encryption. With `resolve`, it makes the 5 seconds that a host has to be reached.
    pub connect: Duration,
    /// For the next byte, also the first, from a server that is connected.
    pub silence: Duration,
    /// When a source that delivers is left for the next one.
    pub crawl: Crawl,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            // One more try; then another source is the better chance.
            attempts: 2,
            first_delay: Duration::from_secs(1),
            max_delay: Duration::from_mins(1),
            resolve: Duration::from_secs(2),
            connect: Duration::from_secs(3),
            silence: Duration::from_secs(15),
            crawl: Crawl::default(),
        }
    }
}

/// When a download crawls: less than `rate` came for `span`, and at that rate the rest would take longer than `rest`. Such a
/// source is left if there is another, and taken up again, where it stopped, if the others do not deliver.
///
/// A slow line is slow with every source; so the bound lies below what any line brings on which somebody would fetch models. Where there is no
/// other source, it may take `hopeless`, and no longer: nobody sees the end of it, and whatever else was to be done waits.
#[derive(Clone, Copy, Debug)]
pub struct Crawl {
    /// Measured so long at a time.
    pub span: Duration,
    /// Bytes a second.
    pub rate: u64,
    /// Patience for the rest where there is another source.
    pub rest: Duration,
    /// Patience for the rest where there is none.
    pub hopeless: Duration,
}

impl Default for Crawl {
    fn default() -> Self {
        Self {
            span: Duration::from_secs(15),
            rate: 16 << 10,
            rest: Duration::from_mins(5),
            hopeless: Duration::from_hours(12),
        }
    }
}

impl Crawl {
    /// Did so few bytes come in `time` that the rest, unknown or known, is not worth the wait? `impatient`: there is another source.
    pub(super) fn is(&self, bytes: u64, time: Duration, rest: Option<u64>, impatient: bool) -> bool {
        let patience = if impatient { self.rest } else { self.hopeless };
        let rate = bytes as f64 / time.as_secs_f64().max(1e-3);
        let left = rest.map_or(f64::INFINITY, |rest| rest as f64 / rate.max(1e-3));
        rate < self.rate as f64 && left > patience.as_secs_f64()
    }
}

/// How many more tries, and how long until the next.
pub(super) struct Backoff {
    left: u32,
    delay: Duration,
    max_delay: Duration,
}

impl Backoff {
    pub(super) fn new(retry: Retry) -> Self {
        Self { left: retry.attempts, delay: retry.first_delay, max_delay: retry.max_delay }
    }

    /// How long to wait before the next try, or why there is none.
    pub(super) fn after(&mut self, trouble: Trouble) -> Result<Duration, Trouble> {
        if !trouble.passes {
            return Err(trouble);
        }
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            return Err(trouble);
        }
        let wait = trouble.asked.unwrap_or(self.delay);
        if wait > self.max_delay {
            let reason = format!("{}; the server asks to wait {} s", trouble.reason, wait.as_secs());
            return Err(Trouble { reason, ..trouble });
        }
        self.delay = (self.delay * 2).min(self.max_delay);
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_hopeless_crawls() {
        let crawl = Crawl::default();
        let span = Duration::from_secs(15);
        // 1 kB/s: hopeless for hundreds of megabytes or for a file of unknown size, bearable for a small one.
        assert!(crawl.is(15_000, span, Some(377_000_000), true));
        assert!(crawl.is(15_000, span, None, true));
        assert!(!crawl.is(15_000, span, Some(200_000), true));
        // 50 kB/s is a slow line: two hours, and no other source would be quicker.
        assert!(!crawl.is(750_000, span, Some(377_000_000), true));
        assert!(crawl.is(0, span, Some(1), true));
        // 10 kB/s is ten hours, which is better than nothing; 1 kB/s is four days.
        assert!(!crawl.is(150_000, span, Some(377_000_000), false));
        assert!(crawl.is(15_000, span, Some(377_000_000), false));
    }
}
