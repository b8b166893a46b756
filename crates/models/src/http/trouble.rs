//! Why a source did not deliver, in words for people.
use super::Retry;
use crate::error::redact;
use std::{io, time::Duration};
use ureq::http::Uri;

/// Whose fault it is, and so what else fails with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Blame {
    /// Nothing comes from this address, or not to the end: whatever is asked of it will have to wait in vain.
    Endpoint,
    /// Too little comes from this address.
    Crawling,
    /// It delivered another file than it should have.
    File,
    /// It said no, which costs no time; or the fault lies on this machine.
    Nobody,
}

/// One source's failure.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    /// One line, without credentials.
    pub(crate) reason: String,
    pub(crate) blame: Blame,
    /// Can another try help?
    pub(super) passes: bool,
    /// The wait that the server asked for.
    pub(super) asked: Option<Duration>,
}

impl Trouble {
    fn new(reason: impl Into<String>, blame: Blame, passes: bool) -> Self {
        Self { reason: reason.into(), blame, passes, asked: None }
    }

    /// Another try cannot help, and nobody is to be spared for it.
    pub(super) fn last(reason: impl Into<String>) -> Self {
        Self::new(reason, Blame::Nobody, false)
    }

    /// Another try can help, after the wait the server asked for.
    pub(super) fn answered(reason: impl Into<String>, asked: Option<Duration>) -> Self {
        Self { asked, ..Self::new(reason, Blame::Nobody, true) }
    }

    /// Nothing came, or no more.
    pub(super) fn broken(reason: impl Into<String>) -> Self {
        Self::new(reason, Blame::Endpoint, true)
    }

    /// Nothing comes from there, and another try was made already.
    pub(crate) fn unreachable(reason: impl Into<String>) -> Self {
        Self::new(reason, Blame::Endpoint, false)
    }

    /// Too little came.
    pub(super) fn crawling(reason: impl Into<String>) -> Self {
        Self::new(reason, Blame::Crawling, false)
    }

    /// What came is not what was asked for.
    pub(super) fn damaged(reason: impl Into<String>) -> Self {
        Self::new(reason, Blame::File, false)
    }

    /// No answer came to a request.
    pub(super) fn unanswered(error: &ureq::Error, url: &str, retry: &Retry) -> Self {
        let host = host(url);
        let seconds = |time: Duration| format!("{} s", time.as_secs_f32());
        let reason = match error {
            ureq::Error::BadUri(_) | ureq::Error::TooManyRedirects => {
                return Self::last(redact(&error.to_string()));
            }
            ureq::Error::HostNotFound => no_address(&host),
            ureq::Error::Timeout(ureq::Timeout::Resolve) => {
                format!("the address of {host} was not found within {}", seconds(retry.resolve))
            }
            ureq::Error::Timeout(ureq::Timeout::Connect) => {
                format!("{host} cannot be reached: no connection within {}", seconds(retry.connect))
            }
            ureq::Error::Timeout(_) => {
                format!("{host} is silent: no answer within {}", seconds(retry.silence))
            }
            ureq::Error::Io(error) => match error.kind() {
                io::ErrorKind::ConnectionRefused => format!("{host} refuses connections"),
                io::ErrorKind::TimedOut => format!("{host} cannot be reached: no connection"),
                // What looks up names has errors of its own, which the system's list does not have.
                _ if error.raw_os_error().is_none() && error.to_string().contains("lookup") => {
                    no_address(&host)
                }
                _ => format!("{host} cannot be reached: {}", redact(&error.to_string())),
            },
            other => format!("{host} cannot be reached: {}", redact(&other.to_string())),
        };
        Self::broken(reason)
    }

    /// An answer that ended before its end.
    pub(super) fn cut(error: &io::Error, have: u64, retry: &Retry) -> Self {
        let timeout = error.get_ref().and_then(|error| error.downcast_ref::<ureq::Error>());
        Self::broken(match timeout {
            Some(ureq::Error::Timeout(_)) => {
                format!("silent for {} s after {have} bytes", retry.silence.as_secs_f32())
            }
            _ => format!("cut off after {have} bytes: {}", redact(&error.to_string())),
        })
    }
}

fn no_address(host: &str) -> String {
    format!("no address is known for {host}")
}

/// Host and port of an address, for messages.
fn host(url: &str) -> String {
    let uri = url.parse::<Uri>().ok();
    let authority = uri.as_ref().and_then(Uri::authority);
    authority.map_or_else(
        || redact(url),
        |authority| {
            let port = authority.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}{port}", authority.host())
        },
    )
}

/// What happens on this machine is told in words alone.
impl From<String> for Trouble {
    fn from(reason: String) -> Self {
        Self::last(reason)
    }
}

impl From<Trouble> for String {
    fn from(trouble: Trouble) -> Self {
        trouble.reason
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_without_credentials() {
        assert_eq!(host("https://me:secret@hub.example/a?token=1"), "hub.example");
        assert_eq!(host("http://127.0.0.1:81/x"), "127.0.0.1:81");
    }

    #[test]
    fn a_name_without_address_is_told_in_plain_words() {
        let error = ureq::Error::Io(io::Error::other("failed to lookup address information: x"));
        let trouble = Trouble::unanswered(&error, "https://hub.invalid/x", &Retry::default());
        assert_eq!(trouble.reason, "no address is known for hub.invalid");
        assert_eq!(trouble.blame, Blame::Endpoint);
    }
}
