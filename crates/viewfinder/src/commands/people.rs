//! People of the catalogue.
use viewfinder_catalog::PersonId;

use super::{look::json_line, on_threads};
use crate::cli::{PeopleArgs, PeopleVerb};
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::{catalogue, output};

/// Lists people, or names one.
pub(crate) fn run(args: &PeopleArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    on_threads(list_or_name(args, loaded))
}

async fn list_or_name(args: &PeopleArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let store = catalogue::open(&args.catalog, loaded, false).await?.store;
    if let Some(PeopleVerb::Name { id, name }) = &args.verb {
        if !store.name_people(&[PersonId(*id)], name).await? {
            return Err(Failure::Usage(anyhow::anyhow!(
                "there is no person {id}; `viewfinder people` lists them"
            )));
        }
        return Ok(Outcome::Done);
    }
    for person in store.people().await? {
        // Most of those with one face are passers-by.
        if person.faces < 2 && person.name.is_empty() && !args.all {
            continue;
        }
        if args.json {
            json_line(&person)?;
            continue;
        }
        let faces = if person.faces == 1 { "face" } else { "faces" };
        output::line(format!("{:>6}  {:>6} {faces}  {}", person.id.0, person.faces, person.name).trim_end())?;
    }
    Ok(Outcome::Done)
}
