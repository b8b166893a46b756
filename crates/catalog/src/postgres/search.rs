//! Finding assets by text, by vector, and by nothing but a filter.
use futures_util::future::try_join;
use pgvector::Vector;
use tokio_postgres::Row;

use super::{
    Tokenizer,
    expression::Sql,
    transaction::{Result, Transaction, at_most},
    vectors,
};
use crate::{AssetId, Filter, Scored, TextExpr, store::GRAMS_WEIGHT};

/// Up to this many allowed assets are compared one by one; more are looked for through the index.
const FEW: i64 = 5000;

/// So many texts are ranked, the shortest: the rank prefers short ones, and reading the tokens of a text takes longer than
/// finding it. Others follow by their size.
const RANKED: i64 = 128;

/// So many texts are looked at at all: each is a page of the table to be read.
const CANDIDATES: usize = 4000;

pub(super) async fn find_text(
    tx: &Transaction,
    tokenizer: &Tokenizer,
    expr: &TextExpr,
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Scored>> {
    let mut sql = Sql::default();
    let Some(search) = TextSearch::new(&mut sql, tokenizer, expr, "tokens") else { return Ok(Vec::new()) };
    let conditions = sql.conditions(tokenizer, filter);
    let asset = if conditions.is_empty() { "" } else { "JOIN asset ON asset.id = tokens.asset" };
    let candidates = format!(
        "SELECT tokens.asset, tokens.size FROM tokens {asset} WHERE {}{conditions}",
        search.condition
    );
    let (statement, params) = (search.statement("tokens", &candidates, None, limit), sql.refs());
    // Both are sent at once, in this order.
    let ((), rows) = try_join(use_index(tx), tx.rows(&statement, &params)).await?;
    Ok(rows.iter().map(scored).collect())
}

/// A search for text in a table with the columns `asset`, `tokens`, of type `tsvector`, `size`, the number of tokens, and `letters`, all
/// letters in a row with a line break after each line.
pub struct TextSearch {
    query: String,
    /// What a row must fulfil.
    pub condition: String,
}

impl TextSearch {
    /// None for an expression that can match nothing. `row` is the name of the table's row in [`Self::condition`].
    pub fn new(sql: &mut Sql, tokenizer: &Tokenizer, expr: &TextExpr, row: &str) -> Option<Self> {
        let expr = expr.cleaned()?;
        let query = sql.query(tokenizer, &expr);
        let condition = sql.fits(tokenizer, &expr, &query, row);
        Some(Self { query, condition })
    }

    /// Rows of asset, score and `then`, best first, then the largest of the column `then`, then by asset. `candidates` is a statement that gives
    /// `asset`, `size` and `then`; of them, the shortest texts come first.
    pub fn statement(&self, table: &str, candidates: &str, then: Option<&str>, limit: usize) -> String {
        let query = &self.query;
        let [column, order] =
            then.map_or_else(Default::default, |then| [format!(", {then}"), format!("{then} DESC, ")]);
        let limit = at_most(limit);
        // 1: divided by 1 + the logarithm of the text's length. A match is a match, whatever the rank's arithmetic makes of it.
        format!(
            "SELECT asset, CASE WHEN place > {RANKED} THEN 1e-9 / place ELSE (
                 SELECT greatest(ts_rank_cd('{{0, 0, {GRAMS_WEIGHT}, 1}}', t.tokens, {query}, 1), 1e-9)
                 FROM {table} AS t WHERE t.asset = found.asset
             ) END::float8 AS score{column}
             FROM (
                 SELECT *, row_number() OVER (ORDER BY size, asset) AS place
                 FROM ({candidates} LIMIT {CANDIDATES}) AS small ORDER BY size, asset LIMIT {limit}
             ) AS found ORDER BY score DESC, {order}asset"
        )
    }
}

/// For the rest of the transaction, keeps the server from going through a whole table where an index can tell. For a frequent
/// word and a limit, it takes that for cheap, but would unpack every text.
pub async fn use_index(tx: &Transaction) -> Result<()> {
    tx.batch("SET LOCAL enable_seqscan = off").await
}

pub(super) async fn nearest(
    tx: &Transaction,
    tokenizer: &Tokenizer,
    model: &str,
    query: &[f32],
    filter: &Filter,
    limit: usize,
) -> Result<Vec<Scored>> {
    let width = query.len();
    let Some(model) = vectors::model(tx, model, width).await? else { return Ok(Vec::new()) };
    let mut count = Sql::default();
    let conditions = count.conditions(tokenizer, filter);
    // More than the index holds at once are not looked for through it either.
    let one_by_one = limit > vectors::BREADTH.1
        || !conditions.is_empty() && {
            let sql = format!(
                "SELECT count(*) FROM (SELECT FROM asset WHERE true{conditions} LIMIT {FEW} + 1) AS allowed"
            );
            tx.one::<i64>(&sql, &count.refs()).await? <= FEW
        };
    let mut sql = Sql::default();
    let vector = sql.param(Vector::from(query.to_vec()));
    let conditions = sql.conditions(tokenizer, filter);
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
        let condition = if conditions.is_empty() {
            "true".to_owned()
        } else {
            format!("EXISTS (SELECT FROM asset WHERE asset.id = embedding.asset{conditions})")
        };
        vectors::nearest("asset", "embedding", &condition, model, width, limit)
    };
    let params = sql.refs();
    let widened = async { if one_by_one { Ok(()) } else { vectors::widen(tx, limit).await } };
    // Both are sent at once, in this order.
    let ((), rows) = try_join(widened, tx.rows(&statement, &params)).await?;
    Ok(rows.iter().map(scored).collect())
}

/// Cosines with vectors at even distances in the order of numbers.
pub(super) async fn background(
    tx: &Transaction,
    model: &str,
    query: &[f32],
    count: usize,
) -> Result<Vec<f32>> {
    let Some(model) = vectors::model(tx, model, query.len()).await? else { return Ok(Vec::new()) };
    let rows = tx
        .rows(
            "SELECT DISTINCT ON (near.asset) -(near.vector <#> $1::vector) FROM
             (SELECT min(asset) AS first, max(asset) AS last FROM embedding) AS ends,
             generate_series(0, $2::bigint - 1) AS step,
             LATERAL (
                 SELECT asset, vector FROM embedding
                 WHERE model = $3 AND asset >= first + (last - first) * step / $2 ORDER BY asset LIMIT 1
             ) AS near",
            &[&Vector::from(query.to_vec()), &at_most(count), &model],
        )
        .await?;
    Ok(rows.iter().map(|row| row.get::<_, f64>(0) as f32).collect())
}

pub(super) async fn count(tx: &Transaction, tokenizer: &Tokenizer, filter: &Filter) -> Result<usize> {
    let mut sql = Sql::default();
    let conditions = sql.conditions(tokenizer, filter);
    let statement = format!("SELECT count(*) FROM asset WHERE true{conditions}");
    let row = tx.row(&statement, &sql.refs()).await?;
    Ok(row.map_or(0, |row| row.get::<_, i64>(0) as usize))
}

pub(super) async fn browse(
    tx: &Transaction,
    tokenizer: &Tokenizer,
    filter: &Filter,
    after: Option<AssetId>,
    limit: usize,
) -> Result<Vec<AssetId>> {
    let mut sql = Sql::default();
    let mut conditions = sql.conditions(tokenizer, filter);
    if let Some(after) = after {
        let row = tx.row("SELECT taken_ms FROM asset WHERE id = $1", &[&after.0]).await?;
        let Some(taken) = row.map(|row| row.get::<_, i64>(0)) else { return Ok(Vec::new()) };
        let (taken, id) = (sql.param(taken), sql.param(after.0));
        conditions.push_str(&format!(" AND (taken_ms, id) < ({taken}, {id})"));
    }
    let limit = sql.param(at_most(limit));
    let rows = tx
        .rows(
            &format!(
                "SELECT id FROM asset WHERE true{conditions} ORDER BY taken_ms DESC, id DESC LIMIT {limit}"
            ),
            &sql.refs(),
        )
        .await?;
    Ok(rows.iter().map(|row| AssetId(row.get(0))).collect())
}

fn scored(row: &Row) -> Scored {
    Scored { asset: AssetId(row.get(0)), score: row.get::<_, f64>(1) as f32 }
}
