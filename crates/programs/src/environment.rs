use std::{env, ffi::OsString};

/// Which of our variables a program gets. Keys, tokens and passwords in the others are none of its business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// What any program needs to start, and messages in English. No home, so that nobody's configuration changes what it does.
    Closed,
    /// What pip needs to work as its user has set it up: his home, index, proxies, certificates and Python.
    Pip,
}

/// What any program needs to start. The last three are Windows'.
const PLAIN: [&str; 8] =
    ["PATH", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "TMP", "SYSTEMROOT", "WINDIR", "PATHEXT"];
/// What pip and Python look at besides.
const PIP: [&str; 22] = [
    "ALL_PROXY",
    "APPDATA",
    "COMSPEC",
    "CURL_CA_BUNDLE",
    // Where keyrings with the index's password listen.
    "DBUS_SESSION_BUS_ADDRESS",
    "HOME",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "LOCALAPPDATA",
    "LOGNAME",
    "NETRC",
    "NIX_SSL_CERT_FILE",
    "NO_PROXY",
    // Ours, for what is told to leave its makers alone.
    "ORT_DISABLE_TELEMETRY",
    "PROGRAMDATA",
    "PROGRAMFILES",
    "REQUESTS_CA_BUNDLE",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "USER",
    "USERPROFILE",
    "VIRTUAL_ENV",
];
/// Families of variables that pip and Python look at.
const PIP_FAMILIES: [&str; 5] = ["CONDA_", "PIP_", "PYENV_", "PYTHON", "XDG_"];

impl Environment {
    /// The variables with their values.
    pub(crate) fn variables(self) -> impl Iterator<Item = (OsString, OsString)> {
        let kept = env::vars_os().filter(move |(name, _)| name.to_str().is_some_and(|name| self.keeps(name)));
        let english = [("LANG", "C"), ("LC_ALL", "C")].map(|(name, value)| (name.into(), value.into()));
        kept.chain(english.into_iter().filter(move |_| self == Self::Closed))
    }

    fn keeps(self, name: &str) -> bool {
        // Proxies are written either way, and Windows minds no case.
        let name = name.to_ascii_uppercase();
        let plain = PLAIN.contains(&name.as_str());
        match self {
            Self::Closed => plain,
            Self::Pip => {
                plain
                    || PIP.contains(&name.as_str())
                    || PIP_FAMILIES.iter().any(|family| name.starts_with(family))
                    || name == "LANG"
                    || name.starts_with("LC_")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_here() {
        for secret in
            ["VIEWFINDER_API_KEY", "API_AUTH_KEY", "HF_TOKEN", "PGPASSWORD", "AWS_SECRET_ACCESS_KEY"]
        {
            assert!(!Environment::Closed.keeps(secret) && !Environment::Pip.keeps(secret), "{secret}");
        }
    }

    #[test]
    fn pip_finds_its_settings_and_decoders_do_not() {
        for name in ["HOME", "PIP_INDEX_URL", "https_proxy", "HTTPS_PROXY", "SSL_CERT_FILE", "PYTHONPATH"] {
            assert!(Environment::Pip.keeps(name) && !Environment::Closed.keeps(name), "{name}");
        }
        assert!(Environment::Closed.keeps("PATH") && Environment::Pip.keeps("Path"));
    }
}
