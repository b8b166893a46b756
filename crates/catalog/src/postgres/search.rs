//! Finding assets by text, by vector, and by nothing but a filter.
use pgvector::Vector;
use postgres::Row;

use super::{
    Cutter,
    expression::{Order, Sql, has_phrase},
    session::{Result, Work, at_most},
    vectors,
};
use crate::{AssetId, Filter, Scored, TextExpr, store::GRAMS_WEIGHT};

/// Up to this many allowed assets are compared one by one; more are looked for through the index.
const FEW: i64 = 5000;

/// So many texts are ranked, the shortest: the rank prefers short ones, and reading the tokens of a text takes longer than
/// finding it. Others follow by their size.
const RANKED: i64 = 256;

/// So many texts are looked at at all: each is a page of the table to be read.
const CANDIDATES: usize = 4000;

pub(super) fn find_text(
    work: &mut Work<'_>,
    cutter: &Cutter,
    expr: &TextExpr,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Scored>> {
    let mut sql = Sql::default();
    let Some(search) = TextSearch::new(&mut sql, cutter, expr) else { return Ok(Vec::new()) };
    let conditions = sql.conditions(cutter, filter);
    let asset = if conditions.is_empty() { "" } else { "JOIN asset ON asset.id = tokens.asset" };
    let candidates = format!(
        "SELECT tokens.asset, tokens.size FROM tokens {asset} WHERE tokens.tokens @@ {}{conditions}",
        search.candidate
    );
    use_index(work)?;
    let rows = work.rows(&search.statement("tokens", &candidates, None, limit), &sql.refs())?;
    Ok(rows.iter().map(scored).collect())
}

/// A search for text in a table with the columns `asset`, `tokens`, of type `tsvector`, and `size`, the number of tokens.
pub struct TextSearch {
    /// What tokens must fit, as a `tsquery`.
    query: String,
    /// What the index can tell of it, as a `tsquery`.
    pub candidate: String,
}

impl TextSearch {
    /// None for an expression that can match nothing.
    pub fn new(sql: &mut Sql, cutter: &Cutter, expr: &TextExpr) -> Option<Self> {
        let query = sql.query(cutter, expr, Order::Kept)?;
        // The index finds tokens in any order; whether phrases are in order, the text's own tokens tell, and only they.
        let candidate =
            if has_phrase(cutter, expr) { sql.query(cutter, expr, Order::Any)? } else { query.clone() };
        Some(Self { query, candidate })
    }

    /// Rows of asset, score and `then`, best first, then the largest of the column `then`, then by asset. `candidates` is a statement that gives
    /// `asset`, `size` and `then`; of them, the shortest texts come first, and no more are read than are wanted: a frequent word is in many.
    pub fn statement(&self, table: &str, candidates: &str, then: Option<&str>, limit: usize) -> String {
        let Self { query, candidate } = self;
        let phrases =
            if query == candidate { String::new() } else { format!("WHERE whole.tokens @@ {query}") };
        let [column, order] =
            then.map_or_else(Default::default, |then| [format!(", {then}"), format!("{then} DESC, ")]);
        let score = text_score("tokens", query);
        let limit = at_most(limit);
        // What OFFSET 0 parts is done one after the other. Tokens are large: they are not sorted, but fetched in their order.
        format!(
            "SELECT asset, {score} AS score{column}
             FROM (
                 SELECT candidate.*, whole.tokens, row_number() OVER () AS place FROM (
                     SELECT * FROM ({candidates} LIMIT {CANDIDATES}) AS small ORDER BY size, asset OFFSET 0
                 ) AS candidate, LATERAL (
                     SELECT tokens FROM {table} AS t WHERE t.asset = candidate.asset OFFSET 0
                 ) AS whole {phrases} LIMIT {limit}
             ) AS found ORDER BY score DESC, {order}asset"
        )
    }
}

/// For the rest of the transaction, keeps the server from going through a whole table where an index can tell. For a frequent
/// word and a limit, it takes that for cheap, but would unpack every text.
pub fn use_index(work: &mut Work<'_>) -> Result<()> {
    work.batch("SET LOCAL enable_seqscan = off")
}

/// How well a `tsvector` fits a `tsquery`, above zero, where the number of the row, from 1 and by size, is `place`; an expression of
/// type `float8`.
fn text_score(vector: &str, query: &str) -> String {
    // 1: divided by 1 + the logarithm of the text's length. A match is a match, whatever the rank's arithmetic makes of it.
    format!(
        "CASE WHEN place > {RANKED} THEN 1e-9 / place ELSE greatest(
             ts_rank_cd('{{0, 0, {GRAMS_WEIGHT}, 1}}', {vector}, {query}, 1), 1e-9
         )::float8 END"
    )
}

pub(super) fn nearest(
    work: &mut Work<'_>,
    cutter: &Cutter,
    model: &str,
    query: &[f32],
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Scored>> {
    let width = query.len();
    let Some(model) = vectors::model(work, model, width)? else { return Ok(Vec::new()) };
    let mut count = Sql::default();
    let conditions = count.conditions(cutter, filter);
    // More than the index holds at once are not looked for through it either.
    let one_by_one = limit > vectors::BREADTH.1
        || !conditions.is_empty() && {
            let sql = format!(
                "SELECT count(*) FROM (SELECT FROM asset WHERE true{conditions} LIMIT {FEW} + 1) AS allowed"
            );
            work.one::<i64>(&sql, &count.refs())? <= FEW
        };
    let mut sql = Sql::default();
    let vector = sql.param(Vector::from(query.to_vec()));
    let conditions = sql.conditions(cutter, filter);
    let statement = if one_by_one {
        // Materialized, so that the index is not asked, which would walk past most rows.
        format!(
            "WITH allowed AS MATERIALIZED (
                 SELECT embedding.asset, -(vector <#> {vector}::vector) AS score FROM asset
                 JOIN embedding ON embedding.asset = asset.id WHERE model = {model}{conditions}
             ) SELECT asset, score FROM allowed ORDER BY score DESC, asset LIMIT {}",
            at_most(limit)
        )
    } else {
        vectors::widen(work, limit)?;
        let condition = if conditions.is_empty() {
            "true".to_owned()
        } else {
            format!("EXISTS (SELECT FROM asset WHERE asset.id = embedding.asset{conditions})")
        };
        vectors::nearest("asset", "embedding", &condition, model, width, limit)
    };
    let rows = work.rows(&statement, &sql.refs())?;
    Ok(rows.iter().map(scored).collect())
}

/// Cosines with vectors at even distances in the order of numbers.
pub(super) fn background(work: &mut Work<'_>, model: &str, query: &[f32], count: usize) -> Result<Vec<f32>> {
    let Some(model) = vectors::model(work, model, query.len())? else { return Ok(Vec::new()) };
    let rows = work.rows(
        "SELECT DISTINCT ON (near.asset) -(near.vector <#> $1::vector) FROM
             (SELECT min(asset) AS first, max(asset) AS last FROM embedding) AS ends,
             generate_series(0, $2::bigint - 1) AS step,
             LATERAL (
                 SELECT asset, vector FROM embedding
                 WHERE model = $3 AND asset >= first + (last - first) * step / $2 ORDER BY asset LIMIT 1
             ) AS near",
        &[&Vector::from(query.to_vec()), &at_most(count), &model],
    )?;
    Ok(rows.iter().map(|row| row.get::<_, f64>(0) as f32).collect())
}

pub(super) fn browse(
    work: &mut Work<'_>,
    cutter: &Cutter,
    filter: &Filter,
    after: Option<AssetId>,
    limit: usize,
) -> Result<Vec<AssetId>> {
    let mut sql = Sql::default();
    let mut conditions = sql.conditions(cutter, filter);
    if let Some(after) = after {
        let row = work.row("SELECT taken_ms FROM asset WHERE id = $1", &[&after.0])?;
        let Some(taken) = row.map(|row| row.get::<_, i64>(0)) else { return Ok(Vec::new()) };
        let (taken, id) = (sql.param(taken), sql.param(after.0));
        conditions.push_str(&format!(" AND (taken_ms, id) < ({taken}, {id})"));
    }
    let limit = sql.param(at_most(limit));
    let rows = work.rows(
        &format!("SELECT id FROM asset WHERE true{conditions} ORDER BY taken_ms DESC, id DESC LIMIT {limit}"),
        &sql.refs(),
    )?;
    Ok(rows.iter().map(|row| AssetId(row.get(0))).collect())
}

fn scored(row: &Row) -> Scored {
    Scored { asset: AssetId(row.get(0)), score: row.get::<_, f64>(1) as f32 }
}
