use anyhow::Result;
use std::process::Command;

use crate::{
    compile,
    machine::{Need, provide},
    process::{self, say},
    workspace,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A picture of your own instead.
    #[arg(default_value = "tests/fixtures/ocr/ch_en_num.jpg")]
    picture: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    provide(&[Need::Pip, Need::Assembler])?;
    let program = compile::program("release")?;
    process::run(Command::new(program).current_dir(workspace()).args(["ocr", &arguments.picture]))?;
    say("this is the text in that picture; next:");
    next();
    Ok(())
}

/// What one does with the program now.
#[expect(clippy::print_stdout, reason = "this program talks to a person")]
fn next() {
    println!(
        "
  cd target/release
  ./viewfinder ocr PICTURE...              the text in pictures of yours
  ./viewfinder index ~/Pictures            reads a folder into a catalogue; then
  ./viewfinder search 'ocr:invoice'          finds in it, and
  ./viewfinder open                          shows the page to search, beside `./viewfinder serve`
  ./viewfinder serve                       serves Immich (port 3003) and MT Photos
  ./viewfinder doctor                      says what does not work, and what to do

  cargo xtask dist                         makes a folder that runs on other machines, without a network"
    );
}
