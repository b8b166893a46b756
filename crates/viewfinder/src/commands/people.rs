//! People of the catalogue.
use std::collections::HashMap;
use std::io;

use anyhow::Context as _;
use serde::Serialize;
use utoipa::ToSchema;
use viewfinder_catalog::{AssetId, Person, PersonId, Store, StoreError};

use super::{look::json_line, on_threads};
use crate::cli::{PeopleArgs, PeopleVerb};
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::{catalogue, output};

/// People looked up at a time.
const PAGE: usize = 200;

/// A person, and a picture to know them by.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listed {
    /// Number in the catalogue.
    id: i64,
    /// Empty until somebody gives one.
    name: String,
    /// Faces of this person.
    faces: u64,
    /// Pictures with them.
    pictures: u64,
    /// Path of the picture that shows them best.
    #[schema(required)]
    example: Option<String>,
}

/// Lists people, names them, or makes several of them one.
pub(crate) fn run(args: &PeopleArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    on_threads(list_or_change(args, loaded))
}

async fn list_or_change(args: &PeopleArgs, loaded: &Loaded) -> Result<Outcome, Failure> {
    let store = catalogue::open(&args.catalog, loaded, false).await?.store;
    match &args.verb {
        None => list(args, &*store).await?,
        Some(PeopleVerb::Name { ids, name }) => {
            let people: Vec<PersonId> = ids.0.iter().copied().map(PersonId).collect();
            if !store.name_people(&people, name).await? {
                return Err(nobody(&*store, &ids.0).await?);
            }
        }
        Some(PeopleVerb::Merge { id, others }) => {
            let people: Vec<PersonId> = others.iter().copied().map(PersonId).collect();
            if store.merge_people(PersonId(*id), &people).await?.is_none() {
                return Err(nobody(&*store, &[&[*id], &others[..]].concat()).await?);
            }
        }
    }
    Ok(Outcome::Done)
}

/// Says which of them is nobody.
async fn nobody(store: &dyn Store, ids: &[i64]) -> Result<Failure, StoreError> {
    let people: Vec<PersonId> = ids.iter().copied().map(PersonId).collect();
    let known = store.people_of(&people).await?;
    let unknown = ids.iter().find(|id| known.iter().all(|person| person.id.0 != **id));
    let unknown = unknown.map_or_else(String::new, |id| format!(" {id}"));
    Ok(Failure::Usage(anyhow::anyhow!("there is no person{unknown}; `viewfinder people` lists them")))
}

async fn list(args: &PeopleArgs, store: &dyn Store) -> Result<(), Failure> {
    let mut people = store.people().await?;
    // Most of those with one face are passers-by.
    people.retain(|person| person.faces >= 2 || !person.name.is_empty() || args.all);
    let mut table = args.csv.then(|| csv::Writer::from_writer(io::stdout()));
    for page in people.chunks(PAGE) {
        for listed in with_examples(store, page).await? {
            match &mut table {
                Some(table) => table.serialize(&listed).context("cannot write the table")?,
                None if args.json => json_line(&listed)?,
                None => print(&listed)?,
            }
        }
    }
    table.map_or(Ok(()), |mut table| table.flush())?;
    Ok(())
}

/// People with a picture of each.
async fn with_examples(store: &dyn Store, people: &[Person]) -> Result<Vec<Listed>, StoreError> {
    let ids: Vec<PersonId> = people.iter().map(|person| person.id).collect();
    let faces = store.portraits(&ids, 1).await?;
    let assets: Vec<AssetId> = faces.iter().flatten().map(|face| face.asset).collect();
    let paths = store.assets(&assets).await?.into_iter().map(|asset| (asset.id, asset.file.path));
    let paths: HashMap<AssetId, String> = paths.collect();
    let listed = |(person, faces): (&Person, &Vec<_>)| {
        let face: Option<&viewfinder_catalog::PersonFace> = faces.first();
        let Person { id, name, faces, pictures } = person.clone();
        let example = face.and_then(|face| paths.get(&face.asset).cloned());
        Listed { id: id.0, name, faces, pictures, example }
    };
    Ok(people.iter().zip(&faces).map(listed).collect())
}

/// A line for a person, and one for the picture.
fn print(Listed { id, name, faces, pictures, example }: &Listed) -> io::Result<()> {
    let count = |number: &u64, one: &str| format!("{number} {one}{}", if *number == 1 { "" } else { "s" });
    let known = format!("{id:>6}  {name}");
    let known = if name.is_empty() { format!("{id:>6}  (no name)") } else { known };
    output::line(&format!("{known}: {} in {}", count(faces, "face"), count(pictures, "picture")))?;
    example.as_ref().map_or(Ok(()), |path| output::line(&format!("        {path}")))
}
