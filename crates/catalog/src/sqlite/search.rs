//! Finding assets by text, by vector, and by nothing but a filter.
use std::{rc::Rc, sync::Arc};

use rusqlite::{Connection, OptionalExtension as _, ToSql, params, params_from_iter, types::Value};

use super::{expression, text, vectors::Vectors};
use crate::{
    AssetId, Filter, Scored, TextExpr, bytes::dot, fold::UNKNOWN_TIME, fold::folded, search::TextSteps,
    store::GRAMS_WEIGHT,
};

/// So many texts are ranked, the newest: of something that more have, none is better than the others.
const RANKED: usize = 2000;

/// Conditions on rows of `asset`, and what stands for their question marks.
#[derive(Default)]
struct Conditions {
    sql: String,
    params: Vec<Box<dyn ToSql>>,
}

impl Conditions {
    fn of(filter: &Filter) -> Self {
        let mut conditions = Self::default();
        for part in &filter.path {
            conditions.add("instr(asset.folded_path, ?) > 0", folded(part));
        }
        if let Some(from) = filter.from_ms {
            conditions.add("asset.taken_ms >= ?", from.max(UNKNOWN_TIME + 1));
        }
        if let Some(until) = filter.until_ms {
            conditions.add("asset.taken_ms < ?", until);
            conditions.add("asset.taken_ms > ?", UNKNOWN_TIME);
        }
        for group in &filter.people {
            let group: Vec<Value> = group.iter().map(|person| Value::from(person.0)).collect();
            conditions.add("asset.id IN (SELECT asset FROM face WHERE person IN rarray(?))", Rc::new(group));
        }
        if let Some(without) = filter.without.as_ref().and_then(expression::of) {
            conditions
                .add("asset.id NOT IN (SELECT rowid FROM text_index WHERE text_index MATCH ?)", without);
        }
        if let Some(among) = &filter.among {
            let ids: Vec<Value> = among.iter().map(|id| Value::from(id.0)).collect();
            conditions.add("asset.id IN rarray(?)", Rc::new(ids));
        }
        conditions
    }

    fn add(&mut self, condition: &str, param: impl ToSql + 'static) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.params.push(Box::new(param));
    }
}

pub(super) fn find_text(
    db: &Connection,
    expr: &TextExpr,
    filter: &Filter,
    limit: usize,
) -> rusqlite::Result<Vec<Scored>> {
    let Some(expression) = expression::of(expr) else { return Ok(Vec::new()) };
    let Conditions { sql, params } = Conditions::of(filter);
    // In this order: first what the text index finds, then what else must be true of it.
    let asset = if sql.is_empty() { "" } else { "CROSS JOIN asset ON asset.id = text_index.rowid" };
    let sql = format!(
        "SELECT id, score FROM (
             SELECT text_index.rowid AS id, -bm25(text_index, 1.0, {GRAMS_WEIGHT:.1}) AS score FROM text_index {asset}
             WHERE text_index MATCH ?{sql} ORDER BY text_index.rowid DESC LIMIT {RANKED}
         ) ORDER BY score DESC, id LIMIT ?"
    );
    let all = [Box::new(expression) as Box<dyn ToSql>]
        .into_iter()
        .chain(params)
        .chain([Box::new(limit as i64) as Box<dyn ToSql>]);
    db.prepare_cached(&sql)?
        .query_map(params_from_iter(all), |row| {
            Ok(Scored { asset: AssetId(row.get(0)?), score: row.get(1)? })
        })?
        .collect()
}

/// Goes through the steps of a search for text.
pub(super) fn in_steps(
    db: &Connection,
    mut steps: TextSteps,
    filter: &Filter,
) -> rusqlite::Result<TextSteps> {
    while let Some(step) = steps.next_step() {
        let proposals = find_text(db, &step.expr, filter, step.limit())?;
        let lines = text::lines(db, &steps.to_read(&proposals))?;
        steps.judge(&step, &proposals, &lines);
    }
    Ok(steps)
}

pub(super) fn nearest(
    db: &Connection,
    vectors: &Arc<Vectors>,
    model: &str,
    query: &[f32],
    filter: &Filter,
    limit: usize,
) -> rusqlite::Result<Vec<Scored>> {
    let Conditions { sql, params } = Conditions::of(filter);
    let allowed: Option<Vec<i64>> = if sql.is_empty() {
        None
    } else {
        let ids = db
            .prepare_cached(&format!("SELECT id FROM asset WHERE true{sql}"))?
            .query_map(params_from_iter(params), |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        Some(ids)
    };
    let nearest = vectors.nearest(db, model, query, allowed.as_deref(), limit)?;
    Ok(nearest.into_iter().map(|(id, score)| Scored { asset: AssetId(id), score }).collect())
}

/// Cosines with vectors at even distances in the order of numbers.
pub(super) fn background(
    db: &Connection,
    model: &str,
    query: &[f32],
    count: usize,
) -> rusqlite::Result<Vec<f32>> {
    let ends = db
        // One after the other: only alone does either come from the index.
        .prepare_cached("SELECT (SELECT min(id) FROM embedding), (SELECT max(id) FROM embedding)")?
        .query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get::<_, Option<i64>>(1)?)))?;
    let Some((first, last)) = ends else { return Ok(Vec::new()) };
    // Not by the models' index, from which all ids would have to be sorted to find the next.
    let mut from = db.prepare_cached(
        "SELECT id, vector FROM embedding NOT INDEXED WHERE id >= ? AND model = ? ORDER BY id LIMIT 1",
    )?;
    let mut cosines = Vec::with_capacity(count);
    let mut next = first;
    for step in 0..count as i64 {
        next = next.max(first + (last - first) / count as i64 * step);
        let found = from
            .query_row(params![next, model], |row| {
                Ok((row.get::<_, i64>(0)?, dot(row.get_ref(1)?.as_blob()?, query)))
            })
            .optional()?;
        let Some((id, cosine)) = found else { break };
        cosines.push(cosine);
        next = id + 1;
    }
    Ok(cosines)
}

pub(super) fn count(db: &Connection, filter: &Filter) -> rusqlite::Result<usize> {
    let Conditions { sql, params } = Conditions::of(filter);
    let count: i64 = db
        .prepare_cached(&format!("SELECT count(*) FROM asset WHERE true{sql}"))?
        .query_row(params_from_iter(params), |row| row.get(0))?;
    Ok(count as usize)
}

pub(super) fn browse(
    db: &Connection,
    filter: &Filter,
    after: Option<AssetId>,
    limit: usize,
) -> rusqlite::Result<Vec<AssetId>> {
    let mut conditions = Conditions::of(filter);
    if let Some(after) = after {
        let taken: Option<i64> = db
            .prepare_cached("SELECT taken_ms FROM asset WHERE id = ?")?
            .query_row([after.0], |row| row.get(0))
            .optional()?;
        let Some(taken) = taken else { return Ok(Vec::new()) };
        conditions.sql.push_str(" AND (taken_ms, id) < (?, ?)");
        conditions.params.extend([Box::new(taken) as Box<dyn ToSql>, Box::new(after.0)]);
    }
    let Conditions { sql, mut params } = conditions;
    params.push(Box::new(limit as i64));
    db.prepare_cached(&format!(
        "SELECT id FROM asset WHERE true{sql} ORDER BY taken_ms DESC, id DESC LIMIT ?"
    ))?
    .query_map(params_from_iter(params), |row| row.get(0).map(AssetId))?
    .collect()
}
