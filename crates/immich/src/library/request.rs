//! A search as Immich's apps send it.
use std::ops::Range;

use serde_json::{Map, Value};
use viewfinder_catalog::query::Query;

use crate::library::{
    LibraryError, Next, SearchRoute, cursor, filters::Filters, flat, order::Order, structured, words,
};

/// The most pictures in an answer.
pub(crate) const MOST: i64 = 1000;

/// So many pictures are in an answer if the request names no size.
pub(crate) fn default_size(route: SearchRoute) -> usize {
    match route {
        SearchRoute::Smart => 100,
        SearchRoute::Metadata | SearchRoute::Random => 250,
        SearchRoute::Statistics => 0,
    }
}

/// The body of a search, as far as it is understood in full.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    pub(crate) route: SearchRoute,
    /// What is looked for; a picture need fit one of them only. At least one.
    pub(crate) alternatives: Vec<Alternative>,
    /// The interface's language, for models that ask for it.
    pub(crate) language: Option<String>,
    /// Hits before the first that is given.
    pub(crate) start: usize,
    /// The most pictures in the answer.
    pub(crate) size: usize,
    pub(crate) paging: Paging,
    /// None: by relevance, or newest first without words.
    pub(crate) order: Option<Order>,
    pub(crate) with_exif: bool,
    pub(crate) with_people: bool,
}

/// Words, and which pictures may have them.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alternative {
    pub(crate) query: Query,
    pub(crate) allows: AssetFilter,
}

/// Which pictures may be found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AssetFilter {
    Flat(Box<Filters>),
    Structured(structured::Filter),
}

/// How the pages after the first are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paging {
    /// There are none.
    None,
    Pages,
    Cursors,
}

impl SearchRequest {
    /// Reads the body of a search, of either shape.
    ///
    /// # Errors
    /// [`Unsupported`] for a key that is not known here, a value of another kind than expected, and whatever Immich answers better itself: it
    /// alone says what is wrong with a request.
    pub fn parse(route: SearchRoute, body: &Value) -> Result<Self, Unsupported> {
        let Value::Object(body) = body else { return Err(Unsupported::new("the body is no object")) };
        if is_structured(body) { structured::parse(route, body) } else { flat::parse(route, body) }
    }

    /// What is looked for; in the first of the alternatives, if there are several.
    pub fn query(&self) -> &Query {
        &self.alternatives[0].query
    }

    /// Different words, a picture need have one of which only. The second shape has them in the branches of its `or`.
    pub(crate) fn queries(&self) -> impl Iterator<Item = &Query> {
        self.alternatives.iter().map(|alternative| &alternative.query)
    }

    /// The interface's language, for models that ask for it.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Places of the first hit of the answer and of the one after its last.
    pub fn places(&self) -> Range<usize> {
        self.start..self.start.saturating_add(self.size)
    }

    /// How the page after this one is asked for, if there is `more`.
    pub fn next(&self, more: bool) -> Option<Next> {
        match self.paging {
            Paging::Pages if more => u32::try_from(self.page() as usize + 1).ok().map(Next::Page),
            Paging::Cursors if more => Some(Next::Cursor(cursor::write(self.places().end))),
            _ => None,
        }
    }

    /// The page's number, from 1, in the first shape.
    pub fn page(&self) -> u32 {
        (self.start / self.size.max(1)) as u32 + 1
    }

    /// Was it for `/search/metadata`?
    pub fn is_metadata(&self) -> bool {
        self.route == SearchRoute::Metadata
    }

    /// Nothing but words that may be anywhere.
    pub fn is_plain(&self) -> bool {
        self.queries().all(words::is_plain)
    }
}

/// Is a body of the second shape, which v3.2 has: with `filter`, `orderBy` or `cursor`?
pub fn is_structured(body: &Map<String, Value>) -> bool {
    ["filter", "orderBy", "cursor"].iter().any(|key| body.contains_key(*key))
}

/// A search that is better left to Immich; the reason in a few words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("left to Immich: {0}")]
pub struct Unsupported(pub(crate) String);

impl Unsupported {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl From<Unsupported> for LibraryError {
    fn from(why: Unsupported) -> Self {
        Self::Unsupported(why.to_string())
    }
}
