//! The words of a request.
use viewfinder_catalog::query::{Query, Scope};

use crate::library::Unsupported;

/// Reads words in the query language.
pub(crate) fn read(text: &str) -> Result<Query, Unsupported> {
    Query::parse(text.trim()).map_err(|error| Unsupported::new(error.to_string()))
}

/// Reads words that are all for text.
pub(crate) fn read_text(text: &str) -> Result<Query, Unsupported> {
    let mut query = read(text)?;
    for term in &mut query.terms {
        term.scope = Scope::Text;
    }
    Ok(query)
}

/// Both must fit.
pub(crate) fn both(mut one: Query, other: Query) -> Query {
    one.terms.extend(other.terms);
    one.without.extend(other.without);
    one.path.extend(other.path);
    one.people.extend(other.people);
    one.from_ms = one.from_ms.max(other.from_ms);
    one.until_ms = [one.until_ms, other.until_ms].into_iter().flatten().min();
    one
}

/// Does it only exclude, or not even that?
fn asks_nothing(query: &Query) -> bool {
    let Query { terms, without: _, path, from_ms, until_ms, people } = query;
    terms.is_empty() && path.is_empty() && people.is_empty() && from_ms.is_none() && until_ms.is_none()
}

/// Nothing but words that may be anywhere: what people write who know of no query language.
pub(crate) fn is_plain(query: &Query) -> bool {
    let Query { terms, without, path, from_ms, until_ms, people } = query;
    let others = without.is_empty() && path.is_empty() && people.is_empty();
    let days = from_ms.is_none() && until_ms.is_none();
    others && days && !terms.is_empty() && terms.iter().all(|term| term.scope == Scope::Both && !term.exact)
}

/// The query, if it asks for anything.
pub(crate) fn required(query: Query) -> Result<Query, Unsupported> {
    if asks_nothing(&query) {
        return Err(Unsupported::new("there are no words to search for"));
    }
    Ok(query)
}
