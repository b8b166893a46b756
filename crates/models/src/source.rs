//! Where a file can come from, as written in the catalogue.
use serde::Deserialize;
use std::{fmt, path::PathBuf};

/// A place that may hold a file, or (without a path) a whole model in Immich's layout.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub enum Source {
    /// A file or folder on this machine, used in place. For Chinese-CLIP also the prefix of its exported files.
    File {
        /// Where it is.
        path: PathBuf,
    },
    /// A repository on a Hugging Face hub.
    HuggingFace {
        /// `owner/name`.
        repo: String,
        /// Branch, tag or commit.
        revision: String,
        /// The file; none for the whole repository.
        path: Option<String>,
    },
    /// A file in a `ModelScope` repository.
    ModelScope {
        /// `owner/name`.
        repo: String,
        /// Branch or tag.
        revision: String,
        /// The file.
        path: String,
    },
    /// A file attached to a GitHub release.
    GitHub {
        /// `owner/name`.
        repo: String,
        /// The release's tag.
        tag: String,
        /// The attached file.
        asset: String,
        /// The file inside, when the asset is a zip archive.
        member: Option<String>,
        /// SHA-256 of the asset, where files in it have no sums of their own.
        sha256: Option<String>,
        /// The only kind of machine it is for, as `linux-x86_64`: system and processor, as Rust names them.
        platform: Option<String>,
    },
    /// A file inside a Python package, fetched by `pip download` under the user's own pip settings.
    Pip {
        /// Package name.
        package: String,
        /// `1.2.3`, or a specifier such as `>=1.2,<2`.
        version: String,
        /// The file inside; none when the whole package is wanted (ONNX Runtime).
        member: Option<String>,
        /// Read the source archive instead of a wheel.
        sdist: Option<Sdist>,
        /// SHA-256 of the wheels that are trusted, one for each kind of machine; none trusts every wheel, where the files in
        /// it have sums of their own.
        wheels: Vec<String>,
    },
}

impl Source {
    /// What kind of place it is, in a word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::HuggingFace { .. } => "huggingface",
            Self::ModelScope { .. } => "modelscope",
            Self::GitHub { .. } => "github",
            Self::Pip { .. } => "pip",
        }
    }
}

/// A source archive of a Python package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sdist {
    /// SHA-256 of the archive, which pip checks before it looks inside.
    pub sha256: String,
    /// The build backend its `pyproject.toml` names, such as `hatchling.build`.
    pub build_backend: String,
}

/// Every key a source may have; which ones belong together is checked by the conversion, for readable errors.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    file: Option<PathBuf>,
    huggingface: Option<String>,
    modelscope: Option<String>,
    github: Option<String>,
    pip: Option<String>,
    revision: Option<String>,
    path: Option<String>,
    tag: Option<String>,
    asset: Option<String>,
    member: Option<String>,
    sha256: Option<String>,
    platform: Option<String>,
    version: Option<String>,
    sdist_sha256: Option<String>,
    build_backend: Option<String>,
    wheel_sha256: Option<Vec<String>>,
}

impl TryFrom<Raw> for Source {
    type Error = String;

    fn try_from(mut raw: Raw) -> Result<Self, String> {
        fn need(value: Option<String>, kind: &str, key: &str) -> Result<String, String> {
            value.ok_or_else(|| format!("a {kind} source needs `{key}`"))
        }
        let source = match (
            raw.file.take(),
            raw.huggingface.take(),
            raw.modelscope.take(),
            raw.github.take(),
            raw.pip.take(),
        ) {
            (Some(path), None, None, None, None) => Self::File { path },
            (None, Some(repo), None, None, None) => Self::HuggingFace {
                repo,
                revision: raw.revision.take().unwrap_or_else(|| "main".into()),
                path: raw.path.take(),
            },
            (None, None, Some(repo), None, None) => Self::ModelScope {
                repo,
                revision: raw.revision.take().unwrap_or_else(|| "master".into()),
                path: need(raw.path.take(), "modelscope", "path")?,
            },
            (None, None, None, Some(repo), None) => Self::GitHub {
                repo,
                tag: need(raw.tag.take(), "github", "tag")?,
                asset: need(raw.asset.take(), "github", "asset")?,
                member: raw.member.take(),
                sha256: raw.sha256.take(),
                platform: raw.platform.take(),
            },
            (None, None, None, None, Some(package)) => {
                let sdist = match (raw.sdist_sha256.take(), raw.build_backend.take()) {
                    (None, None) => None,
                    (Some(sha256), Some(build_backend)) => Some(Sdist { sha256, build_backend }),
                    _ => return Err("`sdist_sha256` and `build_backend` belong together".into()),
                };
                let version = need(raw.version.take(), "pip", "version")?;
                let wheels = raw.wheel_sha256.take().unwrap_or_default();
                if sdist.is_some() && !wheels.is_empty() {
                    return Err("`sdist_sha256` and `wheel_sha256` exclude each other".into());
                }
                Self::Pip { package, version, member: raw.member.take(), sdist, wheels }
            }
            _ => {
                return Err("a source needs exactly one of file, huggingface, modelscope, github, pip".into());
            }
        };
        let left = [
            ("revision", raw.revision),
            ("path", raw.path),
            ("tag", raw.tag),
            ("asset", raw.asset),
            ("member", raw.member),
            ("sha256", raw.sha256),
            ("platform", raw.platform),
            ("version", raw.version),
            ("sdist_sha256", raw.sdist_sha256),
            ("build_backend", raw.build_backend),
            ("wheel_sha256", raw.wheel_sha256.map(|sums| sums.join(", "))),
        ];
        match left.iter().find(|(_, value)| value.is_some()) {
            Some((key, _)) => Err(format!("`{key}` has no meaning for {source}")),
            None => Ok(source),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path } => write!(f, "file {}", path.display()),
            Self::HuggingFace { repo, path: Some(path), .. } => write!(f, "huggingface {repo} {path}"),
            Self::HuggingFace { repo, path: None, .. } => write!(f, "huggingface {repo}"),
            Self::ModelScope { repo, path, .. } => write!(f, "modelscope {repo} {path}"),
            Self::GitHub { repo, tag, asset, .. } => write!(f, "github {repo} {tag} {asset}"),
            Self::Pip { package, version, .. } => write!(f, "pip {package} {version}"),
        }
    }
}
