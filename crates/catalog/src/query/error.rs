//! What is wrong with a query, and where.

/// A query that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, serde::Serialize)]
#[error("character {}: {problem}", character + 1)]
pub struct QueryError {
    /// What is wrong and what to do.
    #[serde(serialize_with = "as_text")]
    pub problem: Problem,
    /// Where, in bytes from the beginning.
    pub byte: usize,
    /// Where, in characters from the beginning.
    pub character: usize,
}

/// What is wrong with a query.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A quotation mark opens a phrase that never ends.
    #[error("this quotation mark has no partner; add one at the end of the phrase, or remove it")]
    Unclosed,
    /// Nothing in quotation marks.
    #[error("nothing stands between the quotation marks; write a phrase, or remove them")]
    EmptyPhrase,
    /// `path:` and the like alone.
    #[error("something must follow `{prefix}:`, such as {prefix}:{example}")]
    NoValue {
        /// The word before the colon.
        prefix: &'static str,
        /// What could follow.
        example: &'static str,
    },
    /// Not a date.
    #[error("this is no date; write a year, 2024, a month, 2024-05, or a day, 2024-05-31")]
    BadDate,
    /// No time lies between the dates.
    #[error("no time lies between this date and the other; `after:` must be earlier than `before:`")]
    NoTime,
    /// `-path:` and the like.
    #[error("only words and phrases can be excluded; write -word or -\"a phrase\"")]
    CannotExclude,
    /// Too long.
    #[error("the query is too long; up to {} characters are read", super::LONGEST_QUERY)]
    TooLong,
}

fn as_text<S: serde::Serializer>(problem: &Problem, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(problem)
}
