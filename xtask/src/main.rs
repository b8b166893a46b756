//! Everything about this project that is not plain cargo.

mod attack;
mod bench;
mod catalogue;
mod clip;
mod compile;
mod demo;
mod deny;
mod dist;
mod drill;
mod forwarding;
mod fuzz;
mod http;
mod machine;
mod metadata;
mod predict;
mod process;
mod proxy;
mod quality;
mod report;
mod reruns;
mod search;
mod server;
mod side;
mod soak;
mod test;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

/// Chores of the Viewfinder project. Each installs or fetches what it needs.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Build the program and read the text of a picture that comes with the project.
    Demo(demo::Arguments),
    /// Make a folder that is ready to run without a network, pack it, and try it in an empty root.
    Dist(dist::Arguments),
    /// Format, lints, documentation, dependencies and all tests, as continuous integration runs them.
    Test(test::Arguments),
    /// Compare speed, memory and accuracy with other programs.
    Bench(bench::Arguments),
    /// Convert Chinese-CLIP checkpoints of the full sizes and compare with the original package's own networks.
    CheckCnclip(clip::Arguments),
    /// Compare `/predict` with Immich's own machine-learning server: speed, memory, answers.
    BenchPredict(predict::Arguments),
    /// Print how much text is found, against the labels and RapidOCR's own results.
    Quality(quality::Arguments),
    /// Send a server thousands of requests, one in ten broken, and watch its answers and its memory.
    Soak(soak::Arguments),
    /// Ask `cargo deny` about licences, known holes, duplicates and sources of dependencies.
    Deny(deny::Arguments),
    /// Attack a server with everything that a stranger can send, and watch that it gives nothing away and serves the others.
    Attack(attack::Arguments),
    /// Search every parser of foreign bytes for inputs that break it, led by coverage.
    Fuzz(fuzz::Arguments),
    /// Break two nodes behind a server in every way, one after the other, and watch that no picture is lost.
    Drill(drill::Arguments),
}

fn main() -> ExitCode {
    let result = match Arguments::parse().chore {
        Chore::Demo(arguments) => demo::run(&arguments),
        Chore::Dist(arguments) => dist::run(&arguments),
        Chore::Test(arguments) => test::run(&arguments),
        Chore::Bench(arguments) => bench::run(&arguments),
        Chore::CheckCnclip(arguments) => clip::check(&arguments),
        Chore::BenchPredict(arguments) => predict::run(&arguments),
        Chore::Quality(arguments) => quality::run(&arguments),
        Chore::Soak(arguments) => soak::run(&arguments),
        Chore::Deny(arguments) => deny::run(&arguments),
        Chore::Attack(arguments) => attack::run(&arguments),
        Chore::Fuzz(arguments) => fuzz::run(&arguments),
        Chore::Drill(arguments) => drill::run(&arguments),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(&format!("failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// The folder that holds the workspace.
fn workspace() -> PathBuf {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    here.parent().map_or(here.clone(), PathBuf::from)
}
