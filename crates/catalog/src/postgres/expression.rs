//! Text queries and filters as conditions in SQL.
use tokio_postgres::types::ToSql;

use super::{
    Tokenizer,
    text::{GRAM_MARK, quoted},
    transaction::storable,
};
use crate::{
    Filter, TextExpr,
    fold::{UNKNOWN_TIME, folded},
    text::{gram_phrase, letters},
};

/// A statement's text and parameters as they grow.
#[derive(Default)]
pub struct Sql {
    params: Vec<Box<dyn ToSql + Sync + Send>>,
}

impl Sql {
    /// Adds a parameter, and returns what stands for it.
    pub fn param(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.params.push(Box::new(value));
        format!("${}", self.params.len())
    }

    /// The parameters, for a [`Transaction`](super::Transaction).
    pub fn refs(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.params.iter().map(|param| &**param as &(dyn ToSql + Sync)).collect()
    }

    /// The expression as a `tsquery` that knows no order, for an index that knows none either. The expression must be cleaned.
    pub(super) fn query(&mut self, tokenizer: &Tokenizer, expr: &TextExpr) -> String {
        match expr {
            TextExpr::Word(word) => self.word(tokenizer, word),
            // Grams bear a mark instead of asking for their weight: the index does not know of weights.
            TextExpr::Letters(text) => {
                let (grams, prefix) = gram_phrase(&letters(text)).unwrap_or_default();
                // Not all of them: where letters stand one after the other, these do.
                let mut lexemes = Vec::new();
                let mut at = 0;
                while let Some(gram) = grams.get(at) {
                    lexemes.push(quoted(&format!("{GRAM_MARK}{gram}")));
                    at = (at + gram.chars().count()).min(grams.len() - 1).max(at + 1);
                }
                let end = if prefix { ":*" } else { "" };
                format!("{}::text::tsquery", self.param(lexemes.join(" & ") + end))
            }
            TextExpr::All(parts) => self.join(parts, " && ", |sql, part| sql.query(tokenizer, part)),
            TextExpr::Any(parts) => self.join(parts, " || ", |sql, part| sql.query(tokenizer, part)),
        }
    }

    fn word(&mut self, tokenizer: &Tokenizer, word: &str) -> String {
        let own = self.param(quoted(word));
        match &tokenizer.config {
            None => format!("{own}::text::tsquery"),
            // Its words may begin and end elsewhere than ours, and have another form: each of ours is looked for as it is and as the
            // configuration has it.
            Some(config) => {
                let (config, word) = (self.param(config.clone()), self.param(word.to_owned()));
                format!("({own}::text::tsquery || plainto_tsquery({config}::text::regconfig, {word}::text))")
            }
        }
    }

    /// What the index cannot tell: whether letters stand one after the other. Words need not be words here, but the index has seen to that,
    /// as far as it matters: where they are only some letters, a search that takes those comes next. The expression must be cleaned.
    fn letters(&mut self, tokenizer: &Tokenizer, expr: &TextExpr, row: &str) -> String {
        match expr {
            TextExpr::Letters(text) => format!("strpos({row}.letters, {}) > 0", self.param(text.clone())),
            TextExpr::Word(word) => {
                let text = self.param(word.clone());
                let as_it_is = format!("strpos({row}.letters, {text}) > 0");
                if tokenizer.config.is_none() {
                    return as_it_is;
                }
                format!("({as_it_is} OR {row}.tokens @@ {})", self.word(tokenizer, word))
            }
            TextExpr::All(parts) => self.join(parts, " AND ", |sql, part| sql.letters(tokenizer, part, row)),
            TextExpr::Any(parts) => self.join(parts, " OR ", |sql, part| sql.letters(tokenizer, part, row)),
        }
    }

    /// The expression as a condition on a row, of that name, with the columns `tokens`, of type `tsvector`, and `letters`; none if it can
    /// match nothing.
    pub fn text(&mut self, tokenizer: &Tokenizer, expr: &TextExpr, row: &str) -> Option<String> {
        let expr = expr.cleaned()?;
        let query = self.query(tokenizer, &expr);
        Some(self.fits(tokenizer, &expr, &query, row))
    }

    /// The same for an expression that is cleaned, and whose [`Self::query`] is at hand.
    pub(super) fn fits(&mut self, tokenizer: &Tokenizer, expr: &TextExpr, query: &str, row: &str) -> String {
        let mut condition = format!("{row}.tokens @@ {query}");
        if has_order(expr) {
            condition = format!("{condition} AND {}", self.letters(tokenizer, expr, row));
        }
        condition
    }

    fn join(
        &mut self,
        parts: &[TextExpr],
        between: &str,
        mut part: impl FnMut(&mut Self, &TextExpr) -> String,
    ) -> String {
        let parts: Vec<String> = parts.iter().map(|expr| part(self, expr)).collect();
        format!("({})", parts.join(between))
    }

    /// Conditions on rows of `asset`, each with `AND` before it.
    pub(super) fn conditions(&mut self, tokenizer: &Tokenizer, filter: &Filter) -> String {
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
        if let Some(without) = filter.without.as_ref().and_then(|expr| self.text(tokenizer, expr, "t")) {
            add(format!("asset.id NOT IN (SELECT t.asset FROM tokens t WHERE {without})"));
        }
        if let Some(among) = &filter.among {
            let among = self.param(among.iter().map(|id| id.0).collect::<Vec<i64>>());
            add(format!("asset.id = ANY({among})"));
        }
        conditions
    }
}

/// Are there letters of more than one gram?
fn has_order(expr: &TextExpr) -> bool {
    match expr {
        TextExpr::Word(_) => false,
        TextExpr::Letters(text) => gram_phrase(&letters(text)).is_some_and(|(grams, _)| grams.len() > 1),
        TextExpr::All(parts) | TextExpr::Any(parts) => parts.iter().any(has_order),
    }
}
