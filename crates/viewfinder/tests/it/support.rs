//! Runs the built program in a folder of its own, with an environment of its own.
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;

use tempfile::TempDir;
use tokio::runtime::Runtime;
use viewfinder_models::Role;
use viewfinder_test_support as test_support;

/// The workspace's folder.
pub(crate) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Waits for an answer, on threads that all tests share.
pub(crate) fn wait<F: Future>(answer: F) -> F::Output {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap()).block_on(answer)
}

/// A file of `tests/fixtures`.
pub(crate) fn fixture(name: &str) -> PathBuf {
    let path = workspace().join("tests/fixtures").join(name);
    assert!(path.exists(), "{} is missing", path.display());
    path
}

/// PP-OCRv6 small is in the tests' store from here on.
pub(crate) fn need_ocr() {
    for role in [Role::Detection, Role::Classification, Role::Recognition] {
        test_support::model("PP-OCRv6_small", role);
    }
}

/// The face detector is in the tests' store from here on.
pub(crate) fn need_faces() {
    test_support::model("scrfd_2.5g", Role::Detection);
}

/// A configuration with the small models of the fixtures: faces by a real detector and a stand-in recogniser, and a
/// two-layer Chinese-CLIP.
fn own_models() -> String {
    let file =
        |name: &str| toml::Value::from(fixture(&format!("models/{name}")).to_str().unwrap()).to_string();
    format!(
        "[[models]]\nname = \"probe\"\nfamily = \"insight-face\"\n\
         [models.detection]\nsame_as = \"scrfd_2.5g\"\n\
         [models.recognition]\nsources = [{{ file = {} }}]\n\n\
         [[models]]\nname = \"tiny\"\nfamily = \"chinese-clip\"\nwidth = 32\n\
         [models.visual]\nsources = [{{ file = {} }}]\n\
         [models.textual]\nsources = [{{ file = {} }}]\n",
        file("arcface_probe.onnx"),
        file("tiny.img.onnx"),
        file("tiny.txt.onnx"),
    )
}

/// One run of the program. Nothing of the tester's environment, home or configuration reaches it.
pub(crate) struct Run {
    command: Command,
    folder: TempDir,
}

impl Run {
    pub(crate) fn new() -> Self {
        Self::of(env!("CARGO_BIN_EXE_viewfinder"))
    }

    /// Of the built program under another path.
    pub(crate) fn of(program: impl AsRef<OsStr>) -> Self {
        let folder = TempDir::new().unwrap();
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Self { command, folder }
    }

    /// With the tests' model store and library, and without a network: what a test needs it asks of `test_support` first.
    pub(crate) fn with_models() -> Self {
        Self::new()
            .env("VIEWFINDER_ORT_LIB", test_support::ort_library())
            .env("VIEWFINDER_MODELS", test_support::store().root())
            .env("VIEWFINDER_OFFLINE", "true")
            .file("viewfinder.toml", own_models())
    }

    /// Where it runs; also its home.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Puts a file into its folder.
    pub(crate) fn file(self, name: &str, text: impl AsRef<[u8]>) -> Self {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn args<I: IntoIterator<Item = S>, S: AsRef<OsStr>>(mut self, args: I) -> Self {
        self.command.args(args);
        self
    }

    /// Under another program, which gets the built one as its last arguments.
    pub(crate) fn under(mut self, program: &[&str]) -> Self {
        let inner = std::mem::replace(&mut self.command, Command::new(program[0]));
        self.command
            .args(&program[1..])
            .arg(inner.get_program())
            .args(inner.get_args())
            .env_clear()
            .envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self
    }

    /// The test writes to its standard input.
    pub(crate) fn stdin(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    pub(crate) fn spawn(mut self) -> Running {
        let process = self.command.spawn().unwrap();
        Running { process, folder: self.folder }
    }

    /// Runs to its end, which must be the given exit code.
    pub(crate) fn exits(mut self, code: i32) -> Output {
        let output = self.command.output().unwrap();
        assert_eq!(
            output.status.code(),
            Some(code),
            "{:?}\nstdout: {}\nstderr: {}",
            self.command,
            stdout(&output),
            stderr(&output)
        );
        output
    }

    pub(crate) fn succeeds(self) -> Output {
        self.exits(0)
    }
}

/// A program that runs. Its folder lives as long; whoever drops it ends the program.
pub(crate) struct Running {
    pub(crate) process: Child,
    folder: TempDir,
}

impl Running {
    /// Where it runs; also its home.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn wait(mut self) -> Output {
        drop(self.process.stdin.take());
        let errors = self.process.stderr.take();
        // Read beside the other, so that neither fills up.
        let errors = std::thread::spawn(move || read(errors));
        let stdout = read(self.process.stdout.take());
        let status = self.process.wait().unwrap();
        Output { status, stdout, stderr: errors.join().unwrap() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn read(pipe: Option<impl std::io::Read>) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes).unwrap();
    }
    bytes
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
