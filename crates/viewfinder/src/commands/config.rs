use crate::cli::ConfigArgs;
use crate::config::{self, Loaded};
use crate::failure::{Failure, Outcome};
use crate::output;

/// Shows the effective configuration, or only says that it is right.
pub(crate) fn run(args: &ConfigArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    if args.json {
        output::line(&config::to_json(loaded).to_string())?;
        return Ok(Outcome::Done);
    }
    for note in &loaded.notes {
        output::complain(&note.text);
    }
    if args.check {
        let file = loaded.file.as_ref().map_or("no file".to_owned(), |path| path.display().to_string());
        output::line(&format!("the configuration is valid ({file})"))?;
    } else {
        output::text(&config::to_text(loaded))?;
    }
    Ok(Outcome::Done)
}

/// Prints a commented configuration file.
pub(crate) fn example() -> Result<Outcome, Failure> {
    output::text(&config::example())?;
    Ok(Outcome::Done)
}
