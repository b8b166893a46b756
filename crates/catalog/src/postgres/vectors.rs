//! Models of vectors, their indices, and searching them.
use super::transaction::{Result, Transaction, at_most};

/// Numbers in a vector that an index of half precision takes. Wider ones are compared one by one.
const WIDEST_INDEXED: usize = 4000;
/// Rows compared in full precision beyond those asked for: the index knows halves only.
const SPARE: usize = 64;
/// How many candidates pgvector keeps while it walks its graph, at least and at most. More find more of the true nearest and take longer;
/// the most is pgvector's own.
pub(super) const BREADTH: (usize, usize) = (100, 1000);

/// The number of a model, if any vector came from it.
pub(super) async fn model(tx: &Transaction, name: &str, width: usize) -> Result<Option<i32>> {
    let row =
        tx.row("SELECT id FROM model WHERE name = $1 AND width = $2", &[&name, &(width as i32)]).await?;
    Ok(row.map(|row| row.get(0)))
}

/// The number of a model. A new one gets its indices.
pub(super) async fn provide_model(tx: &Transaction, name: &str, width: usize) -> Result<i32> {
    if let Some(model) = model(tx, name, width).await? {
        return Ok(model);
    }
    let id: i32 = tx
        .one(
            "INSERT INTO model (name, width) VALUES ($1, $2)
         ON CONFLICT (name, width) DO UPDATE SET name = excluded.name RETURNING id",
            &[&name, &(width as i32)],
        )
        .await?;
    if width <= WIDEST_INDEXED {
        for (table, condition) in [("embedding", "true"), ("face", "person IS NOT NULL")] {
            tx.batch(&format!(
                "CREATE INDEX IF NOT EXISTS {table}_of_model_{id} ON {table}
                 USING hnsw ((vector::halfvec({width})) halfvec_ip_ops) WHERE model = {id} AND {condition}"
            ))
            .await?;
        }
    }
    Ok(id)
}

/// A statement for the `limit` rows of `table` that meet the condition and are nearest to the vector `$1`: `column` and `score`, the cosine.
/// The model's number stands in it as such, so that its index can be used.
pub(super) fn nearest(
    column: &str,
    table: &str,
    condition: &str,
    model: i32,
    width: usize,
    limit: usize,
) -> String {
    let (limit, candidates) = (at_most(limit), at_most(limit.saturating_add(SPARE)));
    format!(
        "SELECT {column}, score FROM (
             SELECT {column}, -(vector <#> $1::vector) AS score FROM {table} WHERE model = {model} AND {condition}
             ORDER BY vector::halfvec({width}) <#> $1::vector::halfvec({width}) LIMIT {candidates}
         ) AS near ORDER BY score DESC, {column} LIMIT {limit}"
    )
}

/// Prepares the transaction for a search with so many results.
pub(super) async fn widen(tx: &Transaction, limit: usize) -> Result<()> {
    let breadth = limit.saturating_add(SPARE).clamp(BREADTH.0, BREADTH.1);
    // Where a filter or a large limit needs more, it goes on beyond; the outer statement puts all in order.
    tx.batch(&format!("SET LOCAL hnsw.ef_search = {breadth}; SET LOCAL hnsw.iterative_scan = relaxed_order"))
        .await
}
