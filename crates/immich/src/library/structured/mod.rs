//! The second shape of a request, which v3.2 has: `filter`, `orderBy` and `cursor`.
mod fields;
mod locked;
mod needs;
mod parse;

use jiff::Timestamp;
use uuid::Uuid;

pub(crate) use parse::parse;

/// How many of some people, albums or tags a picture must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatchCount {
    All,
    Any,
    None,
}

/// Which pictures may be found.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    /// Must fit.
    pub(crate) top: Branch,
    /// One of them must fit, unless there are none.
    pub(crate) any: Vec<Branch>,
    /// Without pictures that lie in a stack.
    pub(crate) unstacked: bool,
}

/// Conditions that must all be true.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Branch(pub(crate) Vec<Condition>);

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    Column(Column, Test),
    Flag(Flag, bool),
    /// Which of these the picture must belong to, or show.
    Members(Members, MatchCount, Vec<Uuid>),
    /// Of the path of the converted video, if there is one.
    Video(Vec<Test>),
}

/// A column of a picture, ready for SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    Asset(&'static str),
    Exif(&'static str),
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flag {
    Favorite,
    Motion,
    Offline,
    Encoded,
    Albums,
    People,
    Tags,
}

/// What a picture may belong to, or show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Members {
    Albums,
    People,
    Tags,
}

/// What must be true of a column. Only [`Test::Null`] is ever true of nothing, as in Immich.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Test {
    /// Must it be nothing, or anything?
    Null(bool),
    /// A comparison, with its sign in SQL.
    Is(&'static str, Operand),
    /// One of them, or none of them.
    Among(bool, Vec<Operand>),
    Like {
        yes: bool,
        /// Where more may stand.
        before: bool,
        after: bool,
        text: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Id(Uuid),
    Text(String),
    Number(f64),
    Time(Timestamp),
    Bytes(Vec<u8>),
}

impl Branch {
    /// Are all of its pictures in albums that are named? Then it does not matter whose they are.
    pub(crate) fn is_confined(&self) -> bool {
        self.0.iter().any(|condition| {
            matches!(condition, Condition::Members(Members::Albums, MatchCount::Any | MatchCount::All, _))
        })
    }
}

impl Filter {
    fn conditions(&self) -> impl Iterator<Item = &Condition> {
        [&self.top].into_iter().chain(&self.any).flat_map(|branch| &branch.0)
    }

    /// Albums that are named, whatever for.
    pub(crate) fn albums(&self) -> impl Iterator<Item = Uuid> {
        self.conditions()
            .filter_map(|condition| match condition {
                Condition::Members(Members::Albums, _, ids) => Some(ids.iter().copied()),
                _ => None,
            })
            .flatten()
    }
}
