//! Connections to the server: a few, made anew when they break.
use std::{pin::Pin, sync::Arc, time::Duration};

use deadpool_postgres::{
    ClientWrapper, Connect, Hook, HookError, Manager, ManagerConfig, Metrics, Object, PoolError, QueueMode,
    RecyclingMethod,
};
use tokio::{task::JoinHandle, time::timeout};
use tokio_postgres::{
    Client, Config, Error,
    config::{Host, SslMode},
    error::SqlState,
};

use super::{
    address::Address,
    error::explain,
    tls::{Tls, is_of_tls},
    transaction::Transaction,
};
use crate::StoreError;

/// Connections at most; whoever needs one more waits. Servers allow 100 in all.
const MOST: usize = 8;
/// How long to wait for the server to accept a connection, unless the address says otherwise.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a server may take to show that a kept connection still works.
const PULSE: Duration = Duration::from_secs(2);
/// A connection that was used so short a time ago is not asked whether it works: the first statement
/// tells, and a server that vanished does not do so at once.
const FRESH: Duration = Duration::from_millis(500);

/// Connections. Names without a schema mean those of the schema `viewfinder`, then of `public`.
///
/// Whoever asks for one must be within a Tokio runtime, which a connection lives on until it ends.
pub struct Pool {
    connections: deadpool_postgres::Pool,
    server: Arc<Server>,
}

/// What is known of the server.
pub(super) struct Server {
    /// Host and database, for messages. No user, no password.
    pub(super) name: String,
    pub(super) tls: Tls,
}

impl Pool {
    /// Connections to the database of an address. None is made yet.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for an address that is none, or authorities that cannot be read.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let Address { mut config, check, authorities } = Address::parse(url)?;
        let name = name(&config);
        let tls = Tls::new(check, authorities.as_deref())?;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("viewfinder");
        }
        let manager = Manager::from_connect(
            config,
            Connector(tls.clone()),
            ManagerConfig { recycling_method: RecyclingMethod::Fast },
        );
        let connections = deadpool_postgres::Pool::builder(manager)
            .max_size(MOST)
            // The one used last has the most statements prepared.
            .queue_mode(QueueMode::Lifo)
            .post_create(Hook::async_fn(|client, _| {
                Box::pin(async move { set_up(client).await.map_err(HookError::Backend) })
            }))
            .pre_recycle(Hook::async_fn(|client, metrics| Box::pin(check_pulse(client, metrics))))
            .build()
            .map_err(|error| StoreError::Internal(error.to_string()))?;
        Ok(Self { connections, server: Arc::new(Server { name, tls }) })
    }

    /// Begins a transaction that may write. It is kept if it is [committed](Transaction::commit).
    pub async fn write(&self) -> Result<Transaction, StoreError> {
        self.begin("START TRANSACTION", true).await
    }

    /// Begins a transaction on one state of the database, whatever is written meanwhile.
    pub async fn read(&self) -> Result<Transaction, StoreError> {
        self.begin("START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY", false).await
    }

    async fn begin(&self, statement: &str, writes: bool) -> Result<Transaction, StoreError> {
        loop {
            let connection = self.connections.get().await.map_err(|error| match error {
                PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
                    explain(&self.server.name, &error)
                }
                other => StoreError::Internal(other.to_string()),
            })?;
            let is_kept = Object::metrics(&connection).recycle_count > 0;
            let transaction = Transaction::new(connection, Arc::clone(&self.server), writes);
            match transaction.batch(statement).await {
                Ok(()) => return Ok(transaction),
                // It broke since it was used last.
                Err(_) if is_kept => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Connects, encrypted if that is wanted.
struct Connector(Tls);

impl Connect for Connector {
    fn connect(
        &self,
        config: &Config,
    ) -> Pin<Box<dyn Future<Output = Result<(Client, JoinHandle<()>), Error>> + Send + '_>> {
        let mut config = config.clone();
        Box::pin(async move {
            let connected = match config.connect(self.0.clone()).await {
                Err(error) if config.get_ssl_mode() == SslMode::Prefer && is_of_encryption(&error) => {
                    config.ssl_mode(SslMode::Disable).connect(self.0.clone()).await
                }
                connected => connected,
            };
            let (client, connection) = connected?;
            // That it broke, whoever uses it next is told.
            let task = tokio::spawn(async move { drop(connection.await) });
            Ok((client, task))
        })
    }
}

/// May the server be reached if only the connection is not encrypted?
fn is_of_encryption(error: &Error) -> bool {
    is_of_tls(error) || error.code() == Some(&SqlState::INVALID_AUTHORIZATION_SPECIFICATION)
}

/// What every connection is told first.
async fn set_up(client: &ClientWrapper) -> Result<(), Error> {
    // Queries differ too much for one plan: each gets its own.
    client
        .batch_execute(
            "SET search_path TO viewfinder, public; SET plan_cache_mode TO force_custom_plan; SET jit TO off",
        )
        .await?;
    // Wherever the database keeps its extension.
    let schema = client
        .query_opt(
            "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
             WHERE extname = 'vector'",
            &[],
        )
        .await?;
    if let Some(schema) = schema.map(|row| row.get::<_, String>(0)) {
        client.batch_execute(&format!("SET search_path TO viewfinder, public, {schema}")).await?;
    }
    Ok(())
}

/// Does a kept connection still work?
async fn check_pulse(client: &ClientWrapper, metrics: &Metrics) -> Result<(), HookError> {
    let works = !client.is_closed()
        && (metrics.last_used() < FRESH
            || matches!(timeout(PULSE, client.simple_query("")).await, Ok(Ok(_))));
    if works { Ok(()) } else { Err(HookError::message("it broke since it was used last")) }
}

fn name(config: &Config) -> String {
    let host = match config.get_hosts().first() {
        Some(Host::Tcp(host)) => host.clone(),
        #[cfg(unix)]
        Some(Host::Unix(path)) => path.display().to_string(),
        None => "localhost".to_owned(),
    };
    let port = config.get_ports().first().map_or_else(String::new, |port| format!(":{port}"));
    let database = config.get_dbname().or_else(|| config.get_user()).unwrap_or_default();
    format!("database {database} on {host}{port}")
}
