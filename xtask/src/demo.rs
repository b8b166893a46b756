use anyhow::Result;

use crate::{
    machine::{Need, provide},
    process::{self, cargo},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A picture of your own instead.
    #[arg(default_value = "tests/fixtures/ocr/ch_en_num.jpg")]
    picture: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    provide(&[Need::Pip, Need::Assembler])?;
    process::run(cargo().args([
        "run",
        "--release",
        "--package",
        "viewfinder",
        "--",
        "ocr",
        &arguments.picture,
    ]))
}
