//! Text queries and filters as conditions in SQL.
use postgres::types::ToSql;

use super::{
    Cutter,
    session::storable,
    text::{GRAM_MARK, LONGEST_TOKEN, quoted},
};
use crate::{Field, Filter, TextExpr, fold::UNKNOWN_TIME, fold::folded};

/// How tokens of a phrase must stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// One after the other.
    Kept,
    /// Anywhere. The index alone can tell whether a text has them so.
    Any,
}

/// Does the order of tokens matter?
pub(super) fn has_phrase(cutter: &Cutter, expr: &TextExpr) -> bool {
    match expr {
        // The database may cut a word of ours into several.
        TextExpr::Phrase { field: Field::Words, .. } if cutter.config.is_some() => true,
        TextExpr::Phrase { tokens, .. } => tokens.len() > 1,
        TextExpr::All(parts) | TextExpr::Any(parts) => parts.iter().any(|part| has_phrase(cutter, part)),
    }
}

/// A statement's text and parameters as they grow.
#[derive(Default)]
pub struct Sql {
    params: Vec<Box<dyn ToSql + Sync>>,
}

impl Sql {
    /// Adds a parameter, and returns what stands for it.
    pub fn param(&mut self, value: impl ToSql + Sync + 'static) -> String {
        self.params.push(Box::new(value));
        format!("${}", self.params.len())
    }

    /// The parameters, for [`Work`](super::Work).
    pub fn refs(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.params.iter().map(AsRef::as_ref).collect()
    }

    /// The expression as a `tsquery`; none if it can match nothing.
    pub fn query(&mut self, cutter: &Cutter, expr: &TextExpr, order: Order) -> Option<String> {
        match expr {
            TextExpr::Phrase { field, tokens, prefix } => self.phrase(cutter, *field, tokens, *prefix, order),
            TextExpr::All(parts) => {
                let before = self.params.len();
                let parts: Option<Vec<String>> =
                    parts.iter().map(|part| self.query(cutter, part, order)).collect();
                if parts.is_none() {
                    self.params.truncate(before); // the database refuses parameters that nothing uses
                }
                join(&parts?, " && ")
            }
            TextExpr::Any(parts) => {
                let parts = parts.iter().filter_map(|part| self.query(cutter, part, order));
                join(&parts.collect::<Vec<_>>(), " || ")
            }
        }
    }

    /// Grams bear a mark instead of asking for their weight: the index does not know of weights.
    fn phrase(
        &mut self,
        cutter: &Cutter,
        field: Field,
        tokens: &[String],
        prefix: bool,
        order: Order,
    ) -> Option<String> {
        // What is neither letter nor digit parts tokens, as in the other store.
        let tokens: Vec<&str> = tokens
            .iter()
            .flat_map(|token| token.split(|c: char| c.is_ascii() && !c.is_ascii_alphanumeric()))
            .filter(|token| !token.is_empty())
            .collect();
        if tokens.is_empty() || tokens.iter().any(|token| token.len() > LONGEST_TOKEN) {
            return None;
        }
        if let (Field::Words, Some(config)) = (field, &cutter.config) {
            // Its words may begin and end elsewhere than ours, and have another form: each of ours is looked for by itself, as it is
            // and as the configuration has it.
            let config = self.param(config.clone());
            let function = match order {
                Order::Kept => "phraseto_tsquery",
                Order::Any => "plainto_tsquery",
            };
            let words: Vec<String> = tokens
                .iter()
                .map(|token| {
                    let (own, token) = (self.param(quoted(token)), self.param((*token).to_owned()));
                    format!("({own}::text::tsquery || {function}({config}::text::regconfig, {token}::text))")
                })
                .collect();
            return join(&words, " && ");
        }
        let mark = match field {
            Field::Words => "",
            Field::Grams => GRAM_MARK,
        };
        let last = tokens.len() - 1;
        let lexemes: Vec<String> = tokens
            .iter()
            .enumerate()
            .map(|(i, token)| {
                let lexeme = quoted(&format!("{mark}{token}"));
                format!("{lexeme}{}", if prefix && i == last { ":*" } else { "" })
            })
            .collect();
        let between = match order {
            Order::Kept => " <-> ",
            Order::Any => " & ",
        };
        let phrase = self.param(lexemes.join(between));
        Some(format!("{phrase}::text::tsquery"))
    }

    /// Conditions on rows of `asset`, each with `AND` before it.
    pub(super) fn conditions(&mut self, cutter: &Cutter, filter: &Filter) -> String {
        let mut conditions = String::new();
        let mut add = |condition: String| {
            conditions.push_str(" AND ");
            conditions.push_str(&condition);
        };
        for part in &filter.path {
            let part = self.param(storable(&folded(part)));
            add(format!("strpos(asset.folded_path, {part}) > 0"));
        }
        if let Some(from) = filter.from_ms {
            let from = self.param(from.max(UNKNOWN_TIME + 1));
            add(format!("asset.taken_ms >= {from}"));
        }
        if let Some(until) = filter.until_ms {
            let until = self.param(until);
            let unknown = self.param(UNKNOWN_TIME);
            add(format!("asset.taken_ms < {until} AND asset.taken_ms > {unknown}"));
        }
        for group in &filter.people {
            let group = self.param(group.iter().map(|person| person.0).collect::<Vec<i64>>());
            add(format!("asset.id IN (SELECT face.asset FROM face WHERE face.person = ANY({group}))"));
        }
        if let Some(without) = filter.without.as_ref().and_then(|expr| self.query(cutter, expr, Order::Kept))
        {
            add(format!("asset.id NOT IN (SELECT t.asset FROM tokens t WHERE t.tokens @@ {without})"));
        }
        if let Some(among) = &filter.among {
            let among = self.param(among.iter().map(|id| id.0).collect::<Vec<i64>>());
            add(format!("asset.id = ANY({among})"));
        }
        conditions
    }
}

fn join(parts: &[String], between: &str) -> Option<String> {
    (!parts.is_empty()).then(|| format!("({})", parts.join(between)))
}
