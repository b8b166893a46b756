//! The address of a database: what the driver reads of it, and how the server is to be trusted, which the driver does not know.
use tokio_postgres::{Config, config::SslMode};

use crate::StoreError;

const FORM: &str =
    "the address of the database is not of the form postgresql://user:password@host:port/database";
const MODES: &str = "the database's sslmode is none of disable, prefer, require, verify-ca and verify-full";

/// How much of a server's certificate is checked, as `libpq` means it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// Nothing, unless an authority is named: whoever listens sees nothing, whoever takes the server's place sees all.
    Nothing,
    /// An authority signed it.
    Authority,
    /// And it is of the host that was asked for.
    Host,
}

/// What an address says.
pub(super) struct Address {
    /// For the driver.
    pub(super) config: Config,
    /// Of an encrypted connection.
    pub(super) check: Check,
    /// A PEM file with the authorities; without it, the public ones count.
    pub(super) authorities: Option<String>,
}

/// The options that are not for the driver: it knows only some modes, and no file.
#[derive(Default)]
struct Encryption {
    mode: Option<String>,
    authorities: Option<String>,
}

impl Address {
    /// Reads an address. No message repeats a piece of it, which may be one of the password.
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let unusable = |why: &str| StoreError::Unusable(why.to_owned());
        let mut encryption = Encryption::default();
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        let rest = if is_url { encryption.take_from_url(text) } else { encryption.take_from_words(text) };
        let mut config: Config = rest.parse().map_err(|_| unusable(FORM))?;
        let (mode, check) = match encryption.mode.as_deref() {
            Some("disable") => (SslMode::Disable, Check::Nothing),
            None | Some("prefer") => (SslMode::Prefer, Check::Nothing),
            Some("require") => (SslMode::Require, Check::Nothing),
            Some("verify-ca") => (SslMode::Require, Check::Authority),
            Some("verify-full") => (SslMode::Require, Check::Host),
            Some(_) => return Err(unusable(MODES)),
        };
        config.ssl_mode(mode);
        // A file named `system` means the public authorities to `libpq`, too.
        let authorities = encryption.authorities.filter(|file| file != "system");
        Ok(Self { config, check, authorities })
    }
}

impl Encryption {
    /// Keeps an option if it is one of these.
    fn takes(&mut self, key: &str, value: impl FnOnce() -> String) -> bool {
        let place = match key {
            "sslmode" => &mut self.mode,
            "sslrootcert" => &mut self.authorities,
            _ => return false,
        };
        *place = Some(value());
        true
    }

    /// Returns the address without them.
    fn take_from_url(&mut self, text: &str) -> String {
        // A password may hold a question mark, and ends at the first of these.
        let host = text.find('@').unwrap_or(0);
        let Some((before, query)) = text[host..].split_once('?') else { return text.to_owned() };
        let others: Vec<&str> = query
            .split('&')
            .filter(|option| {
                let (key, value) = option.split_once('=').unwrap_or((option, ""));
                !self.takes(key, || percent_decoded(value))
            })
            .collect();
        let between = if others.is_empty() { "" } else { "?" };
        format!("{}{before}{between}{}", &text[..host], others.join("&"))
    }

    /// The same for the form `host=… user=…`.
    fn take_from_words(&mut self, text: &str) -> String {
        let mut rest = text;
        let mut others = String::new();
        while let Some((key, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let (value, next) = after.split_at(end_of_value(after));
            if !self.takes(key.trim(), || unquoted(value)) {
                others.push_str(&format!("{key}={value} "));
            }
            rest = next;
        }
        others + rest
    }
}

/// Where the value ends with which `text` begins.
fn end_of_value(text: &str) -> usize {
    let is_quoted = text.starts_with('\'');
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(usize::from(is_quoted)) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\'' if is_quoted => return at + 1,
            c if !is_quoted && c.is_whitespace() => return at,
            _ => {}
        }
    }
    text.len()
}

fn unquoted(value: &str) -> String {
    let value = value.strip_prefix('\'').map_or(value, |value| value.strip_suffix('\'').unwrap_or(value));
    let mut escaped = false;
    value
        .chars()
        .filter(|c| {
            escaped = *c == '\\' && !escaped;
            !escaped
        })
        .collect()
}

fn percent_decoded(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        match part.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                bytes.extend_from_slice(&part.as_bytes()[2..]);
            }
            None => bytes.extend_from_slice(format!("%{part}").as_bytes()),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    #[test]
    fn what_is_said_of_encryption_is_read_in_both_forms() {
        for (text, mode, check, authorities) in [
            ("postgresql://u:p@h:1/d", SslMode::Prefer, Check::Nothing, None),
            ("postgres://u:p?@h:1/d?sslmode=disable", SslMode::Disable, Check::Nothing, None),
            (
                "postgresql://u:p@h:1/d?connect_timeout=3&sslmode=require",
                SslMode::Require,
                Check::Nothing,
                None,
            ),
            (
                "postgresql://u:p@h:1/d?sslmode=verify-ca&sslrootcert=/my%20files/ca.pem&connect_timeout=3",
                SslMode::Require,
                Check::Authority,
                Some("/my files/ca.pem"),
            ),
            (
                "postgresql://u:p@h:1/d?sslmode=verify-full&sslrootcert=system",
                SslMode::Require,
                Check::Host,
                None,
            ),
            (
                "host=h port=1 user=u dbname=d password='p sslmode=disable'",
                SslMode::Prefer,
                Check::Nothing,
                None,
            ),
            (
                r"host=h port=1 sslmode = verify-full user=u sslrootcert='/it\'s here/ca.pem' dbname=d",
                SslMode::Require,
                Check::Host,
                Some("/it's here/ca.pem"),
            ),
        ] {
            let address = Address::parse(text).unwrap();
            assert_eq!(address.config.get_ssl_mode(), mode, "{text}");
            assert_eq!(address.check, check, "{text}");
            assert_eq!(address.authorities.as_deref(), authorities, "{text}");
            assert_eq!(address.config.get_hosts(), [Host::Tcp("h".to_owned())], "{text}");
            assert_eq!(
                (address.config.get_ports(), address.config.get_dbname()),
                (&[1][..], Some("d")),
                "{text}"
            );
            assert_eq!(address.config.get_user(), Some("u"), "{text}");
        }
        let quoted = Address::parse("host=h password='p sslmode=disable'").unwrap();
        assert_eq!(quoted.config.get_password(), Some(&b"p sslmode=disable"[..]));
        let with_mark = Address::parse("postgres://u:p?@h:1/d?sslmode=disable").unwrap();
        assert_eq!(with_mark.config.get_password(), Some(&b"p?"[..]));
    }

    #[test]
    fn what_is_no_address_is_refused_without_a_word_of_it() {
        for text in [
            "postgresql://u:s3cret@h:x/d",
            "postgresql://u:s3cret@h/d?sslmode=s3cret",
            "postgresql://u:s3cret@h/d?sslmode=allow",
            "postgresql://u:s3cret@h/d?unheard_of=1",
            "host=h password=s3cret port=1x",
            "host=h password='s3cret",
            "s3cret",
        ] {
            let Err(error) = Address::parse(text) else { panic!("{text} is one") };
            assert!(matches!(&error, StoreError::Unusable(_)), "{error:?}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
        }
    }
}
