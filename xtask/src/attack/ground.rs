//! Where it takes place: a server with an indexed folder and a companion, and an Immich behind it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use super::immich::Immich;
use crate::{
    process,
    server::{self, Server},
    workspace,
};

/// Pictures in the folder.
const PICTURES: usize = 6;

/// The server, the folder, and the way to both.
pub(super) struct Ground {
    folder: PathBuf,
    program: PathBuf,
    server: Server,
    _immich: Immich,
    /// Of the server, and of the companion: ports, since one half comes by IPv4 and the other by IPv6.
    pub(super) ports: [u16; 2],
    /// The word that opens the page of photos.
    pub(super) token: String,
}

/// What nobody may read over the network. It lies beside the pictures.
pub(super) const SECRET: &str = "the-secret-that-lies-outside";

impl Ground {
    pub(super) fn prepare(program: &Path) -> Result<Self> {
        let folder = workspace().join("target/attack");
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.join("pictures"))?;
        fs::create_dir_all(folder.join("outside"))?;
        fs::write(folder.join("outside/secret.txt"), SECRET)?;
        for number in 0..PICTURES {
            let name = format!("{number:04}.jpg");
            let from = workspace().join("tests/fixtures/library").join(&name);
            fs::copy(&from, folder.join("pictures").join(name))
                .with_context(|| from.display().to_string())?;
        }
        fs::copy(folder.join("pictures/0000.jpg"), folder.join("outside/photo.jpg"))?;

        let immich = Immich::start()?;
        let ports = [server::free_port()?, server::free_port()?];
        let path = |name: &str| folder.join(name).display().to_string();
        let settings = format!(
            "listen = [\"[::]:{}\"]\n{}\noffline = true\n[ocr]\nmodel = \"PP-OCRv6_small\"\n[clip]\nmodel = \"ViT-B-32__openai\"\n[index]\nkinds = [\"ocr\"]\n[catalog]\nfile = {:?}\nthumbnails = {:?}\n\
             [failures]\nfile = {:?}\n[companion]\nimmich_url = \"http://{}\"\nlisten = [\"[::]:{}\"]\napi_keys = [\"{}\"]\ncatalogs = {:?}\njobs = {:?}\n",
            ports[0],
            server::small_models(),
            path("catalog.db"),
            path("thumbnails"),
            path("failures.jsonl"),
            immich.address,
            ports[1],
            super::immich::KEY,
            path("immich"),
            path("jobs.json"),
        );
        fs::write(folder.join("viewfinder.toml"), settings)?;
        let run = |words: &[&str]| process::run(command(program, &folder).args(words));
        for name in ["runtime", "PP-OCRv6_small"] {
            process::run(
                command(program, &folder).args(["models", "pull", name]).env("VIEWFINDER_OFFLINE", "0"),
            )?;
        }
        run(&["index", &path("pictures")])?;
        let server = Server::start(command(program, &folder).arg("serve"), ports[0], &folder)?;
        server.wait_for(ports[1])?;
        let token =
            fs::read_to_string(folder.join("data/viewfinder/token")).context("the server keeps no token")?;
        let token = token.trim().to_owned();
        Ok(Self { program: program.to_owned(), server, _immich: immich, ports, token, folder })
    }

    /// The folder of pictures.
    pub(super) fn pictures(&self) -> PathBuf {
        self.folder.join("pictures")
    }

    /// What lies beside it.
    pub(super) fn outside(&self) -> PathBuf {
        self.folder.join("outside")
    }

    /// A folder for what an attack needs.
    pub(super) fn scratch(&self, name: &str) -> Result<PathBuf> {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    /// The address by which attackers come.
    pub(super) fn gateway(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// The same, of the companion.
    pub(super) fn companion(&self) -> String {
        format!("127.0.0.1:{}", self.ports[1])
    }

    /// Our program with the same configuration.
    pub(super) fn command(&self) -> Command {
        command(&self.program, &self.folder)
    }

    pub(super) fn server(&self) -> &Server {
        &self.server
    }

    /// Lines of the log that speak of a panic.
    pub(super) fn panics(&self) -> Result<Vec<String>> {
        let log = fs::read(self.folder.join("server.log"))?;
        let log = String::from_utf8_lossy(&log).into_owned();
        Ok(log.lines().filter(|line| line.contains("panicked")).map(str::to_owned).collect())
    }

    /// Bytes of the log.
    pub(super) fn log_bytes(&self) -> Result<u64> {
        Ok(fs::metadata(self.folder.join("server.log"))?.len())
    }

    /// Ends the server, which must still live, and keeps what it wrote.
    pub(super) fn stop(self) -> Result<()> {
        ensure!(self.server.resident().is_ok(), "the server is gone");
        self.server.stop()
    }
}

/// The program with the ground's configuration, and with as many file handles as most systems give.
fn command(program: &Path, folder: &Path) -> Command {
    let mut command = Command::new("prlimit");
    command.arg("--nofile=1024:8192").arg("--").arg(program);
    command.arg("--config").arg(folder.join("viewfinder.toml")).env("XDG_DATA_HOME", folder.join("data"));
    command.env_remove(super::WITH_HANDLES);
    command
}
