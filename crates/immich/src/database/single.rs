//! Questions of one statement, each in a transaction of its own.
use tokio_postgres::{Row, types::FromSql};
use viewfinder_catalog::postgres::{Params, Pool, Result};

/// All rows.
pub(crate) async fn rows(pool: &Pool, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
    let tx = pool.read().await?;
    let rows = tx.rows(sql, params).await?;
    tx.commit().await?;
    Ok(rows)
}

/// The first column of the only row.
pub(crate) async fn one<T: for<'r> FromSql<'r>>(pool: &Pool, sql: &str, params: Params<'_>) -> Result<T> {
    let tx = pool.read().await?;
    let value = tx.one(sql, params).await?;
    tx.commit().await?;
    Ok(value)
}
