//! The command line. Flags of settings come from the table of settings; the rest is declared here.
#![allow(clippy::doc_markdown, reason = "these lines are also what --help prints")]

use std::{num::ParseIntError, path::PathBuf, str::FromStr};

use clap::builder::PossibleValuesParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches, Parser, Subcommand};
use clap_complete::Shell;
use viewfinder_catalog::query::LANGUAGE;
use viewfinder_convert::precision::Precision;

use crate::config::{Flags, SETTINGS, Scope, Setting};

const AFTER_HELP: &str = "\
Exit codes:
  0  done
  1  some of the inputs failed; the others were done
  2  wrong use, or a configuration that is wrong
  3  something is missing on this machine: the ONNX Runtime library, a model, a device, a free port

Settings come from flags, then the environment, then viewfinder.toml, then defaults; `viewfinder config` shows them.";

/// Finds what is in your photos: text, faces and meaning
#[derive(Debug, Parser)]
#[command(name = "viewfinder", version, after_help = AFTER_HELP, max_term_width = 110)]
#[command(subcommand_required = true, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Verb,
    /// Settings for every command
    #[command(flatten)]
    pub settings: CommonFlags,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Serve Immich and MT Photos
    Serve(ServeArgs),
    /// Read the text in pictures
    Ocr(OcrArgs),
    /// Find the faces in pictures
    Faces(FacesArgs),
    /// Turn pictures and sentences into CLIP vectors
    Embed(EmbedArgs),
    /// Put folders of pictures and videos into a catalogue
    ///
    /// Reads their text, turns them into CLIP vectors and finds faces. What is there already is not done again; moved files
    /// keep what was found, files that are gone are forgotten. Hidden files, thumbnails, recycle bins, folders with a
    /// .nomedia file and what .viewfinderignore files name (as in .gitignore) are left out.
    Index(IndexArgs),
    /// Find pictures of the catalogue by their text and by what they show
    ///
    /// Words are looked for in text and in what pictures show. `ocr:` before them searches text only, `clip:` only what
    /// pictures show; "an exact phrase", -word, path:, after:2024-05, before:2024 and person: narrow it down.
    #[command(after_long_help = LANGUAGE)]
    Search(SearchArgs),
    /// Analyse pictures of the catalogue once more
    Rerun(RerunArgs),
    /// List the people in the catalogue, give them names, or make several of them one
    People(PeopleArgs),
    /// List, fetch, check and remove models
    #[command(subcommand)]
    Models(ModelsVerb),
    /// Show the effective configuration and where each value came from
    Config(ConfigArgs),
    /// Check this machine and say what to do
    Doctor(DoctorArgs),
    /// Open the page of photos of the server on this machine
    Open(OpenArgs),
    /// Make keys that open the page of photos on other machines
    #[command(subcommand)]
    Key(KeyVerb),
    /// List the tasks about pictures that failed for good
    ///
    /// A server that runs here is asked; without one, the file of failures.file is read.
    Failures(FailuresArgs),
    /// Look after the library of an Immich whose database the companion has
    #[command(subcommand)]
    Immich(ImmichVerb),
    /// Print the JSON Schema of what a command prints with --json
    Schema {
        /// Command; without one, those that have a schema are listed
        command: Option<String>,
    },
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Print the manual page, or write all of them into a folder
    Man {
        /// Folder to write to
        folder: Option<PathBuf>,
    },
}

/// Flags of `serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// The server's settings
    #[command(flatten)]
    pub settings: ServeFlags,
}

/// Flags of `open`.
#[derive(Debug, Args)]
pub(crate) struct OpenArgs {
    /// Only print the page's address
    #[arg(long)]
    pub print: bool,
    /// The server's settings
    #[command(flatten)]
    pub settings: ServeFlags,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyVerb {
    /// Make a key, and show the page's address with it, as text and as QR code
    ///
    /// The key is for the addresses that have none of their own in listen_keys. A server that runs takes it up by itself.
    New {
        /// Name by which it can be taken away again; without one, a number
        name: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
        /// The server's settings
        #[command(flatten)]
        settings: ServeFlags,
    },
    /// List the names of the keys
    List {
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Take a key away; it opens nothing any more
    Remove {
        /// Name, as the list tells it
        name: String,
    },
}

/// Flags shared by the commands that look at pictures.
#[derive(Debug, Args)]
pub(crate) struct PictureArgs {
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Write the stages' intermediate results (maps, boxes, crops) into this folder
    #[arg(long, value_name = "DIR")]
    pub dump: Option<PathBuf>,
}

/// Flags of `ocr`.
#[derive(Debug, Args)]
pub(crate) struct OcrArgs {
    /// Pictures; `-` is the standard input
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Whose rules to follow (setting ocr.profile)
    #[arg(long, value_parser = PossibleValuesParser::new(["viewfinder", "rapidocr", "immich"]))]
    pub profile: Option<String>,
    /// OCR model (setting ocr.model)
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Write the picture with boxes drawn around its text; for one picture
    #[arg(long, value_name = "OUT.png")]
    pub draw: Option<PathBuf>,
    #[command(flatten)]
    pub common: PictureArgs,
}

/// Flags of `faces`.
#[derive(Debug, Args)]
pub(crate) struct FacesArgs {
    /// Pictures; `-` is the standard input
    #[arg(required = true, value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Face pack (setting faces.model)
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// Least score of a face, 0 to 1 (setting faces.min_score)
    #[arg(long, value_name = "SCORE")]
    pub min_score: Option<f32>,
    /// Write the picture with boxes drawn around its faces; for one picture
    #[arg(long, value_name = "OUT.png")]
    pub draw: Option<PathBuf>,
    #[command(flatten)]
    pub common: PictureArgs,
}

/// Flags of `embed`.
#[derive(Debug, Args)]
pub(crate) struct EmbedArgs {
    /// Pictures; `-` is the standard input
    #[arg(required_unless_present = "text", value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// A sentence; can be repeated
    #[arg(long)]
    pub text: Vec<String>,
    /// Language of the sentences, such as zh-CN; only nllb models use it
    #[arg(long, value_name = "TAG")]
    pub language: Option<String>,
    /// CLIP model (setting clip.model)
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
}

/// Which catalogue.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CatalogArgs {
    /// The catalogue: a file, or a database as postgres://… (settings catalog.file and catalog.url). Everybody on this machine
    /// can see what stands here: an address with a password belongs into --catalog-url-file, or VIEWFINDER_CATALOG_URL
    #[arg(long, value_name = "FILE|URL")]
    pub catalog: Option<String>,
    /// A file that holds the address of the catalogue's database
    #[arg(long, value_name = "FILE", conflicts_with = "catalog")]
    pub catalog_url_file: Option<PathBuf>,
}

/// What to look for.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct KindArgs {
    /// Look for text, and for nothing that is not named too (setting index.kinds)
    #[arg(long, conflicts_with = "no_ocr")]
    pub ocr: bool,
    /// Make CLIP vectors, and nothing that is not named too
    #[arg(long, conflicts_with = "no_clip")]
    pub clip: bool,
    /// Find faces, and nothing that is not named too
    #[arg(long, conflicts_with = "no_faces")]
    pub faces: bool,
    /// Do not look for text
    #[arg(long)]
    pub no_ocr: bool,
    /// Make no CLIP vectors
    #[arg(long)]
    pub no_clip: bool,
    /// Do not look for faces
    #[arg(long)]
    pub no_faces: bool,
}

/// Flags of `index`.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct IndexArgs {
    /// Folders
    #[arg(required_unless_present = "status", value_name = "DIR")]
    pub folders: Vec<PathBuf>,
    /// Stay, and follow changes
    #[arg(long)]
    pub watch: bool,
    /// Forget pictures also where a whole folder is empty or missing
    #[arg(long)]
    pub prune: bool,
    /// Try again what failed for good
    #[arg(long)]
    pub retry_failed: bool,
    #[command(flatten)]
    pub kinds: KindArgs,
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// Only tell how far the catalogue is
    #[arg(long, conflicts_with_all = ["folders", "watch", "prune", "retry_failed"])]
    pub status: bool,
    /// With --status: as JSON
    #[arg(long, requires = "status")]
    pub json: bool,
    /// With --status: as CSV, a line for each kind of analysis
    #[arg(long, requires = "status", conflicts_with = "json")]
    pub csv: bool,
}

/// Flags of `search`.
#[derive(Debug, Args)]
pub(crate) struct SearchArgs {
    /// What to find
    #[arg(required = true, value_name = "QUERY")]
    pub query: Vec<String>,
    /// Hits, at most
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Show the best one
    #[arg(long)]
    pub open: bool,
    #[command(flatten)]
    pub catalog: CatalogArgs,
}

/// Flags of `rerun`.
#[derive(Debug, Args)]
pub(crate) struct RerunArgs {
    /// What to do again
    #[arg(value_parser = PossibleValuesParser::new(["ocr", "clip", "faces"]))]
    pub kind: String,
    /// Pictures, folders, or queries whose hits are meant
    #[arg(required = true, value_name = "PATH|QUERY")]
    pub targets: Vec<String>,
    /// Replace text that was corrected by hand, too
    #[arg(long)]
    pub replace_corrections: bool,
    #[command(flatten)]
    pub catalog: CatalogArgs,
}

/// Flags of `people`.
#[derive(Debug, Args)]
pub(crate) struct PeopleArgs {
    #[command(subcommand)]
    pub verb: Option<PeopleVerb>,
    /// Those of whom there is one face only, too
    #[arg(long)]
    pub all: bool,
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
    /// A table of comma-separated values, with a heading
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
    #[command(flatten)]
    pub catalog: CatalogArgs,
}

/// Numbers with commas between them, as one argument.
#[derive(Clone, Debug)]
pub(crate) struct Numbers(pub Vec<i64>);

impl FromStr for Numbers {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.split(',').map(|number| number.trim().parse()).collect::<Result<_, _>>().map(Self)
    }
}

/// What to do with people.
#[derive(Debug, Subcommand)]
pub(crate) enum PeopleVerb {
    /// Give a person a name, or several the same
    Name {
        /// Number, as the list tells it, or several: 3,5,8
        #[arg(value_name = "ID[,ID…]")]
        ids: Numbers,
        /// Name; empty takes it away
        name: String,
    },
    /// Make several persons one. This cannot be undone
    Merge {
        /// Number of who keeps number and name
        id: i64,
        /// Numbers of who is the same person
        #[arg(required = true, value_name = "ID")]
        others: Vec<i64>,
    },
}

/// The commands about models.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelsVerb {
    /// List the known models by what they are for, and which of them are here
    List {
        /// Only those on this machine
        #[arg(long)]
        installed: bool,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Say which models suit this machine, and how long 10,000 pictures will take
    ///
    /// Models that are here are timed on three built-in pictures; nothing is fetched.
    Advise {
        /// Language of the text and of the searches, such as zh or es; without it, that of the environment (LANG)
        #[arg(long, value_name = "TAG")]
        language: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Fetch models, or `runtime`: the ONNX Runtime library, in the build that engine.device needs
    ///
    /// Chinese-CLIP is published as PyTorch checkpoints, which are converted. NAME@int8 and NAME@fp16 are made from NAME.
    Pull {
        /// Names from `models list`, or `runtime`
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Make Chinese-CLIP's ONNX models from its published weights
    ///
    /// Reads the cn_clip package's checkpoints (.pt), and pytorch_model.bin and model.safetensors as Hugging Face's
    /// libraries write them. Nothing in the file is executed.
    Convert {
        /// A name from `models list`, whose weights are fetched, or a checkpoint on this machine
        #[arg(value_name = "NAME|CHECKPOINT")]
        from: String,
        /// fp32, fp16 (for accelerators) or int8 (for processors)
        #[arg(long, default_value_t = Precision::Fp32)]
        precision: Precision,
        /// Folder to write to, instead of the store
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Attention heads of the text model, for sizes that were never published
        #[arg(long, value_name = "N")]
        text_heads: Option<usize>,
        /// Keep a precision whose vectors stray further from fp32 than allowed
        #[arg(long)]
        force: bool,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Make a CLIP model's int8 or fp16 variant and compare it with the original
    ///
    /// The variant is NAME@int8 or NAME@fp16 from then on. One whose vectors have a cosine below 0.98 with the original's,
    /// on any of the built-in pictures and sentences, is refused.
    Quantize {
        /// A name from `models list`; its files are fetched if need be
        name: String,
        /// int8 (for processors) or fp16 (for accelerators)
        #[arg(long, default_value_t = Precision::Int8)]
        precision: Precision,
        /// Keep it however far its vectors stray
        #[arg(long)]
        force: bool,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Compare the files on this machine with their checksums
    Verify {
        /// Names; without any, everything that is here
        #[arg(value_name = "NAME")]
        names: Vec<String>,
        /// One JSON object per line
        #[arg(long)]
        json: bool,
    },
    /// Remove downloaded models
    Remove {
        /// Names from `models list`
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
    /// Print where models are kept, or where the files of one are
    Where {
        /// A name from `models list`, or `runtime`
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
}

/// Flags of `config`.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    /// Only check it
    #[arg(long, conflicts_with_all = ["json", "example"])]
    pub check: bool,
    /// Print a commented configuration file with all settings
    #[arg(long, conflicts_with = "json")]
    pub example: bool,
    /// The server's settings
    #[command(flatten)]
    pub settings: ServeFlags,
}

/// Flags of `doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// As JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub catalog: CatalogArgs,
    /// The server's settings
    #[command(flatten)]
    pub settings: ServeFlags,
}

/// What `immich` does.
#[derive(Debug, Subcommand)]
pub(crate) enum ImmichVerb {
    /// Show models, widths of vectors, what is missing, and how much can be found
    Status {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Read text or make vectors where they are missing, with the models that Immich is set to
    ///
    /// Results are written as Immich writes them, picture by picture, so that nothing is missing meanwhile. Whatever was
    /// stopped goes on with the same command.
    Reindex(ImmichReindexArgs),
}

/// Flags of `immich reindex`.
#[derive(Debug, Args)]
pub(crate) struct ImmichReindexArgs {
    /// What to make
    #[arg(value_parser = PossibleValuesParser::new(["ocr", "clip"]))]
    pub kind: String,
    /// All pictures, not only those without
    #[arg(long)]
    pub all: bool,
    /// Only pictures that these filters let through, as in a search: path:, after:, before:, person:
    #[arg(long = "where", value_name = "FILTERS")]
    pub only: Option<String>,
    /// Immich's folder of media, as it is seen here; previews are read from it. Without it, companion.media
    #[arg(long, value_name = "DIR")]
    pub media: Option<PathBuf>,
    /// What paths of that folder begin with in the database. Without it, companion.media_prefix
    #[arg(long, value_name = "PATH")]
    pub media_prefix: Option<String>,
}

/// Flags of `failures`.
#[derive(Debug, Args)]
pub(crate) struct FailuresArgs {
    /// One JSON object per line
    #[arg(long)]
    pub json: bool,
    /// Ask the server at this address
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    /// The key that this server wants, in a file
    #[arg(long, value_name = "FILE", requires = "url")]
    pub key_file: Option<PathBuf>,
    /// The server's settings
    #[command(flatten)]
    pub settings: ServeFlags,
}

/// The flags of settings that every command offers, with `--config` and `--set`.
#[derive(Clone, Debug, Default)]
pub(crate) struct CommonFlags(pub Flags);

/// The flags of settings that only matter to a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct ServeFlags(pub Flags);

fn setting_flags(scope: Scope) -> impl Iterator<Item = Arg> {
    SETTINGS.iter().filter_map(move |setting| setting_flag(setting, scope)).flatten()
}

/// The flag of a setting; for a secret, that of the file which holds it too.
fn setting_flag(setting: &'static Setting, scope: Scope) -> Option<Vec<Arg>> {
    let common = scope == Scope::Everywhere;
    let dressed =
        |arg: Arg| arg.help_heading(if common { "Settings" } else { "Server settings" }).global(common);
    let (name, _) = setting.flag.filter(|(_, offered)| *offered == scope)?;
    let mut help = setting.help.iter().map(|line| line.trim()).collect::<Vec<_>>().join(" ");
    if help.ends_with('.') {
        help.pop();
    }
    let file = setting.in_file.flag.filter(|_| setting.secret);
    if let Some((file, _)) = file {
        help += &format!(
            ". Everybody on this machine can see what stands here: better write it into a file, --{file}, or into {}",
            setting.env
        );
    }
    let arg = Arg::new(setting.key).long(name).help(help).action(ArgAction::Append);
    let arg = if setting.switch {
        arg.num_args(0..=1).require_equals(true).default_missing_value("true").value_name("true|false")
    } else {
        arg.value_name("VALUE")
    };
    let in_file = file.map(|(file, _)| {
        Arg::new(setting.in_file.key)
            .long(file)
            .help(format!("A file that holds what --{name} would say, and nothing else"))
            .value_name("FILE")
            .action(ArgAction::Append)
            .conflicts_with(setting.key)
    });
    Some([arg].into_iter().chain(in_file).map(dressed).collect())
}

/// What a flag was given, however often.
fn values<'a>(matches: &'a ArgMatches, flag: &str) -> Option<Vec<&'a str>> {
    Some(matches.get_many::<String>(flag)?.map(String::as_str).collect())
}

fn read_flags(matches: &ArgMatches, scope: Scope) -> Flags {
    let values = SETTINGS
        .iter()
        .filter(|setting| setting.flag.is_some_and(|(_, offered)| offered == scope))
        .flat_map(|setting| {
            // Repeated flags make a list; settings that are no lists get their last value.
            let of_setting = values(matches, setting.key).and_then(|values| {
                let text = if setting.list { values.join(",") } else { values.last()?.to_string() };
                Some((setting.key, text))
            });
            let file = setting.secret.then(|| values(matches, setting.in_file.key)).flatten();
            let of_file = file.and_then(|files| Some((setting.in_file.key, files.last()?.to_string())));
            [of_setting, of_file].into_iter().flatten()
        })
        .collect();
    Flags { values, ..Flags::default() }
}

impl Args for CommonFlags {
    fn augment_args(command: Command) -> Command {
        command
            .arg(
                Arg::new("config-file")
                    .long("config")
                    .value_name("FILE")
                    .help("Configuration file")
                    .value_parser(clap::value_parser!(PathBuf))
                    .help_heading("Settings")
                    .global(true),
            )
            .arg(
                Arg::new("set")
                    .long("set")
                    .value_name("KEY=VALUE")
                    .help(
                        "Any setting by its key in the configuration file; can be repeated. Everybody on this machine can see \
                         what stands here: name the file that holds a secret, as in api_key_file=FILE",
                    )
                    .action(ArgAction::Append)
                    .help_heading("Settings")
                    .global(true),
            )
            .args(setting_flags(Scope::Everywhere))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for CommonFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let flags = read_flags(matches, Scope::Everywhere);
        let set = matches.get_many::<String>("set").map(|pairs| pairs.cloned().collect()).unwrap_or_default();
        Ok(Self(Flags { file: matches.get_one::<PathBuf>("config-file").cloned(), set, ..flags }))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for ServeFlags {
    fn augment_args(command: Command) -> Command {
        command.args(setting_flags(Scope::Serve))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for ServeFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Ok(Self(read_flags(matches, Scope::Serve)))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Cli {
    /// Everything the command line says about the configuration.
    pub(crate) fn flags(&self) -> Flags {
        let mut flags = self.settings.0.clone();
        match &self.command {
            Verb::Serve(ServeArgs { settings, .. })
            | Verb::Open(OpenArgs { settings, .. })
            | Verb::Key(KeyVerb::New { settings, .. })
            | Verb::Config(ConfigArgs { settings, .. })
            | Verb::Doctor(DoctorArgs { settings, .. })
            | Verb::Failures(FailuresArgs { settings, .. }) => flags.values.extend(settings.0.values.clone()),
            _ => {}
        }
        flags
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::Cli;

    #[test]
    fn definition_is_consistent() {
        Cli::command().debug_assert();
    }
}
