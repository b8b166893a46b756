//! Viewfinder: finds what is in your photos.
//!
//! `main` reads the command line and the configuration, starts the log, and hands over to one of [`commands`].
//! What a command returns decides the exit code, see [`failure`].

mod amounts;
mod catalogue;
mod cli;
mod commands;
mod companion;
mod config;
mod counting;
mod descriptors;
mod dump;
mod failure;
mod greeting;
mod guide;
mod heap;
mod keys;
mod lan;
mod listen;
mod log;
mod output;
mod page_keys;
mod photos;
mod pictures;
mod progress;
mod remedies;
mod routing;
mod sentences;
mod signals;
mod token;
mod wiring;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;

use cli::{Cli, Verb};
use failure::{Failure, Outcome};

fn main() -> ExitCode {
    viewfinder_engine::runtime::tune_allocator();
    viewfinder_engine::runtime::forbid_telemetry();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A reader that closed the pipe has seen enough of the help.
            let _ = error.print();
            return match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(failure::USAGE),
            };
        }
    };
    let code = match run(&cli) {
        Ok(outcome) => outcome.code(),
        Err(failure) => failure.report(),
    };
    // What was printed, and nothing else: a thread may still open a model.
    let _ = std::io::stdout().flush();
    viewfinder_engine::runtime::leave(code)
}

fn run(cli: &Cli) -> Result<Outcome, Failure> {
    match &cli.command {
        Verb::Completions { shell } => return commands::completions::run(*shell),
        Verb::Man { folder } => return commands::man::run(folder.as_deref()),
        Verb::Schema { command } => return commands::schema::run(command.as_deref()),
        Verb::Config(args) if args.example => return commands::config::example(),
        _ => {}
    }
    let loaded = config::load(&cli.flags(), &config::Environment::of_process())?;
    match &cli.command {
        Verb::Config(args) => return commands::config::run(args, &loaded),
        Verb::Serve(_) => log::start(&loaded, "info"),
        _ => log::start(&loaded, "warn"),
    }
    wiring::narrow_data_folder();
    match &cli.command {
        Verb::Serve(args) => commands::serve::run(args, &loaded),
        Verb::Ocr(args) => commands::ocr::run(args, &loaded),
        Verb::Faces(args) => commands::faces::run(args, &loaded),
        Verb::Embed(args) => commands::embed::run(args, &loaded),
        Verb::Index(args) => commands::index::run(args, &loaded),
        Verb::Search(args) => commands::search::run(args, &loaded),
        Verb::Rerun(args) => commands::rerun::run(args, &loaded),
        Verb::People(args) => commands::people::run(args, &loaded),
        Verb::Models(verb) => commands::models::run(verb, &loaded),
        Verb::Doctor(args) => commands::doctor::run(args, &loaded),
        Verb::Failures(args) => commands::failures::run(args, &loaded),
        Verb::Open(args) => commands::open::run(args, &loaded),
        Verb::Key(verb) => commands::key::run(verb, &loaded),
        Verb::Immich(verb) => commands::immich::run(verb, &loaded),
        Verb::Config(_) | Verb::Completions { .. } | Verb::Man { .. } | Verb::Schema { .. } => {
            Ok(Outcome::Done)
        }
    }
}
