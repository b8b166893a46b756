//! Reads a request of the second shape.
use serde_json::{Map, Value};
use uuid::Uuid;
use viewfinder_catalog::query::Query;

use super::{
    Branch, Condition, Filter, Test,
    fields::{Field, Values, field},
};
use crate::library::{
    SearchRequest, SearchRoute, Unsupported, cursor,
    fields::{Fields, id, strange},
    order::Order,
    request::{Alternative, AssetFilter, MOST, Paging, default_size},
    structured::MatchCount,
    words,
};

/// The most branches.
const BRANCHES: usize = 64;
/// The most of them with words: each is a search of its own.
const SEARCHES: usize = 8;

/// The keys of a route. Any other one is refused by Immich beside these, or is for another route.
fn known(route: SearchRoute) -> &'static [&'static str] {
    match route {
        SearchRoute::Smart => &["filter", "size", "withExif", "query", "queryAssetId", "language"],
        SearchRoute::Metadata => {
            &["filter", "size", "withExif", "withPeople", "withStacked", "orderBy", "cursor"]
        }
        SearchRoute::Random => &["filter", "size", "withExif", "withPeople", "withStacked"],
        SearchRoute::Statistics => &["filter"],
    }
}

/// A branch as it was read, and the words that its text must have.
type Read = (Branch, Option<Query>);

/// Reads a body.
pub(crate) fn parse(route: SearchRoute, body: &Map<String, Value>) -> Result<SearchRequest, Unsupported> {
    let fields = Fields(body);
    fields.require_known(&[known(route)])?;
    if body.contains_key("queryAssetId") {
        return Err(Unsupported::new("what is similar to a picture is Immich's to say"));
    }
    let query = match route {
        SearchRoute::Smart => Some(words::read(&fields.text("query")?.unwrap_or_default())?),
        _ => None,
    };
    let (top, branches) = match body.get("filter") {
        None => ((Branch::default(), None), Vec::new()),
        Some(Value::Object(filter)) => read_filter(filter)?,
        Some(_) => return Err(strange("filter")),
    };
    let unstacked = fields.flag("withStacked")? == Some(false);
    let mut alternatives = alternatives(query, top, branches, unstacked);
    if route == SearchRoute::Smart {
        for alternative in &mut alternatives {
            alternative.query = words::required(std::mem::take(&mut alternative.query))?;
        }
    }
    let size = fields.number("size", 1..=MOST)?.map_or(default_size(route), |size| size as usize);
    let cursor = fields.value("cursor", |cursor| cursor::read(cursor.as_str()?))?;
    Ok(SearchRequest {
        route,
        alternatives,
        language: fields.text("language")?,
        start: cursor.unwrap_or(0),
        size,
        paging: if route == SearchRoute::Metadata { Paging::Cursors } else { Paging::None },
        order: body.get("orderBy").map(Order::parse).transpose()?,
        with_exif: fields.flag("withExif")?.unwrap_or(false),
        with_people: fields.flag("withPeople")?.unwrap_or(false),
    })
}

/// Branches without words join into one alternative; each with words is one of its own.
fn alternatives(
    query: Option<Query>,
    (top, top_words): Read,
    branches: Vec<Read>,
    unstacked: bool,
) -> Vec<Alternative> {
    let all = [query, top_words].into_iter().flatten().reduce(words::both).unwrap_or_default();
    let alternative = |words: Option<Query>, any: Vec<Branch>| Alternative {
        query: words.map_or_else(|| all.clone(), |words| words::both(all.clone(), words)),
        allows: AssetFilter::Structured(Filter { top: top.clone(), any, unstacked }),
    };
    if branches.is_empty() {
        return vec![alternative(None, Vec::new())];
    }
    let (with, without): (Vec<Read>, Vec<Read>) =
        branches.into_iter().partition(|(_, words)| words.is_some());
    // A branch of nothing but words lets every picture through.
    let alone = |branch: Branch| if branch.0.is_empty() { Vec::new() } else { vec![branch] };
    let mut alternatives: Vec<Alternative> =
        with.into_iter().map(|(branch, words)| alternative(words, alone(branch))).collect();
    if !without.is_empty() {
        alternatives.push(alternative(None, without.into_iter().map(|(branch, _)| branch).collect()));
    }
    alternatives
}

fn read_filter(filter: &Map<String, Value>) -> Result<(Read, Vec<Read>), Unsupported> {
    let top = read_branch(filter.iter().filter(|(name, _)| *name != "or"))?;
    let Some(branches) = filter.get("or") else { return Ok((top, Vec::new())) };
    let branches = branches.as_array().filter(|list| (1..=BRANCHES).contains(&list.len()));
    let branches = branches.ok_or_else(|| strange("or"))?.iter().map(|branch| match branch {
        Value::Object(branch) if !branch.is_empty() => read_branch(branch.iter()),
        _ => Err(Unsupported::new("a branch of or is empty, or none")),
    });
    let branches: Vec<Read> = branches.collect::<Result<_, _>>()?;
    if branches.iter().filter(|(_, words)| words.is_some()).count() > SEARCHES {
        return Err(Unsupported::new(format!("more than {SEARCHES} branches of or have words")));
    }
    Ok((top, branches))
}

fn read_branch<'a>(fields: impl Iterator<Item = (&'a String, &'a Value)>) -> Result<Read, Unsupported> {
    let (mut branch, mut words) = (Branch::default(), None);
    for (name, operators) in fields {
        let field =
            field(name).ok_or_else(|| Unsupported::new(format!("{name} is not known in a filter")))?;
        let Value::Object(operators) = operators else { return Err(strange(name)) };
        if operators.is_empty() {
            return Err(Unsupported::new(format!("{name} has no operator")));
        }
        match field {
            Field::Words => words = Some(read_words(operators).ok_or_else(|| strange(name))??),
            field => branch.0.extend(conditions(field, operators).ok_or_else(|| strange(name))?),
        }
    }
    Ok((branch, words))
}

fn conditions(field: Field, operators: &Map<String, Value>) -> Option<Vec<Condition>> {
    let tests = |values: Values| {
        let test = |(operator, value): (&String, &Value)| values.test(operator, value);
        operators.iter().map(test).collect::<Option<Vec<Test>>>()
    };
    Some(match field {
        Field::Column(column, values) => {
            tests(values)?.into_iter().map(|test| Condition::Column(column, test)).collect()
        }
        Field::Video => vec![Condition::Video(tests(Values::Text)?)],
        Field::Flag(flag) => vec![Condition::Flag(flag, only(operators, "eq")?.as_bool()?)],
        Field::Members(members) => {
            let condition = |(operator, value): (&String, &Value)| {
                let together = match operator.as_str() {
                    "any" => MatchCount::Any,
                    "all" => MatchCount::All,
                    "none" => MatchCount::None,
                    _ => return None,
                };
                let ids: Vec<Uuid> = value.as_array()?.iter().map(id).collect::<Option<_>>()?;
                (!ids.is_empty()).then_some(Condition::Members(members, together, ids))
            };
            operators.iter().map(condition).collect::<Option<_>>()?
        }
        Field::Words => return None,
    })
}

fn read_words(operators: &Map<String, Value>) -> Option<Result<Query, Unsupported>> {
    let words = only(operators, "matches")?.as_str()?;
    Some(words::read_text(words).and_then(words::required))
}

/// The value of an operator, if it is the only one.
fn only<'a>(operators: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    operators.get(name).filter(|_| operators.len() == 1)
}
