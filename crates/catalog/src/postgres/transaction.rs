//! A transaction, with statements that its connection has prepared.
use std::sync::Arc;

use deadpool_postgres::Object;
use futures_util::FutureExt as _;
use tokio::runtime::Handle;
use tokio_postgres::{
    Row, Statement,
    types::{FromSql, ToSql},
};

use super::{error::explain, pool::Server};
use crate::StoreError;

/// Statements that a connection keeps prepared; there are about 60 and the forms of filters.
const MOST_STATEMENTS: usize = 200;

/// What a step of a transaction returns.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Parameters of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// A transaction. Unless it is [committed](Self::commit), nothing of it is kept, and its connection ends.
///
/// Statements are sent in the order in which they are first polled, so several may be under way together.
pub struct Transaction {
    /// None once it is back in the pool.
    connection: Option<Object>,
    server: Arc<Server>,
    writes: bool,
}

impl Transaction {
    pub(super) fn new(connection: Object, server: Arc<Server>, writes: bool) -> Self {
        Self { connection: Some(connection), server, writes }
    }

    /// All rows.
    pub async fn rows(&self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let statement = self.statement(sql).await?;
        self.connection().query(&statement, params).await.map_err(|error| self.explain(&error))
    }

    /// The first row.
    pub async fn row(&self, sql: &str, params: Params<'_>) -> Result<Option<Row>> {
        Ok(self.rows(sql, params).await?.into_iter().next())
    }

    /// The first column of the only row.
    pub async fn one<T: for<'r> FromSql<'r>>(&self, sql: &str, params: Params<'_>) -> Result<T> {
        let statement = self.statement(sql).await?;
        let row = self.connection().query_one(&statement, params).await;
        row.and_then(|row| row.try_get(0)).map_err(|error| self.explain(&error))
    }

    /// Returns how many rows it changed.
    pub async fn execute(&self, sql: &str, params: Params<'_>) -> Result<u64> {
        let statement = self.statement(sql).await?;
        self.connection().execute(&statement, params).await.map_err(|error| self.explain(&error))
    }

    /// Several statements without parameters.
    pub async fn batch(&self, sql: &str) -> Result<()> {
        self.connection().batch_execute(sql).await.map_err(|error| self.explain(&error))
    }

    /// Keeps what was written, and the connection for others. One that only read is ended so, too.
    pub async fn commit(mut self) -> Result<()> {
        let end = self.batch("COMMIT");
        if self.writes {
            end.await?;
        } else {
            // There is nothing to keep, so nobody waits for the answer: it is sent, and whatever comes next on this connection follows it.
            let _ = end.now_or_never();
        }
        drop(self.connection.take());
        Ok(())
    }

    async fn statement(&self, sql: &str) -> Result<Statement> {
        let connection = self.connection();
        if connection.statement_cache.size() >= MOST_STATEMENTS {
            connection.statement_cache.clear();
        }
        connection.prepare_cached(sql).await.map_err(|error| self.explain(&error))
    }

    fn connection(&self) -> &Object {
        self.connection.as_ref().expect("only what consumes the transaction takes it")
    }

    fn explain(&self, error: &tokio_postgres::Error) -> StoreError {
        explain(&self.server.name, error)
    }
}

impl Drop for Transaction {
    /// Something failed, or nobody waits for the answer any more: the connection is in the middle of a transaction, perhaps of a
    /// statement, and so nothing for anyone else. It ends, and what the server still does for it is cancelled, which it would otherwise
    /// finish. To roll back and keep it would not be safe: a request to cancel may arrive late, and hit the next statement.
    fn drop(&mut self) {
        let Some(connection) = self.connection.take().filter(|connection| !connection.is_closed()) else {
            return;
        };
        // Outside of a runtime, it ends without a word.
        let Ok(runtime) = Handle::try_current() else { return drop(Object::take(connection)) };
        let tls = self.server.tls.clone();
        runtime.spawn(async move {
            // Its place is free once the server knows.
            let _ = connection.cancel_token().cancel_query(tls).await; // who cannot be reached does nothing either
            drop(Object::take(connection));
        });
    }
}

/// A text without the one character that PostgreSQL does not keep.
pub fn storable(text: &str) -> String {
    text.replace('\0', "")
}

/// How many rows to take at most, in the database's numbers.
pub fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
