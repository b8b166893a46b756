//! JSON Schemas of what commands print with `--json`, made of the very types that they print.
use std::collections::BTreeMap;

use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa::openapi::{RefOr, Schema};
use viewfinder_catalog::view::CountsView;
use viewfinder_server::ledger::Entry;

use super::{embed::Embedded, faces::Faces, ocr::Text, people::Listed, search::FoundView, show::Picture};
use crate::failure::{Failure, Outcome};
use crate::output;

/// Prints the schema of what a command prints; without a command, the commands that have one.
pub(crate) fn run(command: Option<&str>) -> Result<Outcome, Failure> {
    let schemas = schemas();
    let Some(command) = command else {
        for name in schemas.keys() {
            output::line(name)?;
        }
        return Ok(Outcome::Done);
    };
    let Some(schema) = schemas.get(command) else {
        let known = schemas.keys().copied().collect::<Vec<_>>().join(", ");
        return Err(Failure::Usage(anyhow::anyhow!("there is no schema {command}, only {known}")));
    };
    output::line(&format!("{schema:#}"))?;
    Ok(Outcome::Done)
}

/// Each by its command.
fn schemas() -> BTreeMap<&'static str, Value> {
    [
        ("embed", Shape::of::<Embedded<'_>>()),
        ("faces", Shape::of::<Picture>().and::<Faces>()),
        ("failures", Shape::of::<Entry>()),
        ("index-status", Shape::of::<CountsView>()),
        ("ocr", Shape::of::<Picture>().and::<Text>()),
        ("people", Shape::of::<Listed>()),
        ("search", Shape::of::<FoundView>()),
    ]
    .map(|(name, shape)| (name, shape.document(name)))
    .into()
}

/// What one line of JSON looks like.
#[derive(Default)]
struct Shape {
    parts: Vec<RefOr<Schema>>,
    /// What the parts refer to, by name.
    named: Vec<(String, RefOr<Schema>)>,
}

impl Shape {
    fn of<T: ToSchema>() -> Self {
        Self::default().and::<T>()
    }

    /// The fields of one more type beside those that are there.
    fn and<T: ToSchema>(mut self) -> Self {
        self.parts.push(T::schema());
        T::schemas(&mut self.named);
        self
    }

    fn document(self, name: &str) -> Value {
        let named: BTreeMap<_, _> = self.named.into_iter().collect();
        let mut document = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": format!("A line of viewfinder {} --json", name.replace('-', " --")),
            "allOf": self.parts,
        });
        if !named.is_empty() {
            document["$defs"] = json!(named);
        }
        at_home(&mut document);
        document
    }
}

/// Lets references lead to where a schema by itself keeps what it refers to.
fn at_home(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref") {
                *reference = reference.replace("#/components/schemas/", "#/$defs/");
            }
            fields.values_mut().for_each(at_home);
        }
        Value::Array(items) => items.iter_mut().for_each(at_home),
        _ => {}
    }
}
