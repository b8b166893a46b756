//! Opens the page of photos in a browser.
use std::process::{Command, Stdio};

use anyhow::anyhow;

use crate::cli::OpenArgs;
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::{listen, output, token};

/// What opens an address in the user's browser.
const OPENER: &str = if cfg!(windows) {
    "explorer"
} else if cfg!(target_os = "macos") {
    "open"
} else {
    "xdg-open"
};

/// Prints the page's address with its token, and opens it unless told otherwise. An address with a key asks for that.
pub(crate) fn run(args: &OpenArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let addresses = listen::addresses(&loaded.config).map_err(Failure::Usage)?;
    let open = addresses.iter().find(|listen| listen.key.is_none());
    let address = open.ok_or_else(|| {
        Failure::Usage(anyhow!("every address wants a key; open /photos there, and enter the key"))
    })?;
    let page = token::page(address.address, &token::kept().map_err(Failure::Environment)?);
    output::line(&page)?;
    if !args.print && browse(&page).is_err() {
        output::complain("no browser can be opened from here; open the address yourself");
    }
    Ok(Outcome::Done)
}

/// A program of the user's own desktop, which needs his environment and goes on when this one has ended: no limits.
fn browse(page: &str) -> anyhow::Result<()> {
    let mut opener = Command::new(OPENER);
    opener
        .arg(token::redirect(page)?)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    Ok(())
}
