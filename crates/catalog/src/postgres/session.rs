//! Connections to the server: a few, made anew when they break.
use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use postgres::{
    Client, Config, IsolationLevel, NoTls, Row, Statement, Transaction,
    config::{Host, SslMode},
    error::SqlState,
    types::ToSql,
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

/// What goes wrong within a transaction.
#[derive(Debug)]
pub enum Trouble {
    /// The database said so.
    Sql(postgres::Error),
    /// We said so.
    Store(StoreError),
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<postgres::Error> for Trouble {
    fn from(error: postgres::Error) -> Self {
        Self::Sql(error)
    }
}

/// What a job in a transaction returns.
pub type Result<T, E = Trouble> = std::result::Result<T, E>;

/// Parameters of a statement.
pub type Params<'a> = &'a [&'a (dyn ToSql + Sync)];

/// Connections. Names without a schema mean those of the schema `viewfinder`, then of `public`.
pub struct Pool {
    config: Config,
    /// Host and database, for messages. No user, no password.
    name: String,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Session>,
    out: usize,
}

struct Session {
    client: Client,
    statements: HashMap<String, Statement>,
    last_use: Instant,
}

impl Drop for Pool {
    /// A connection blocks while it ends, which a thread of an asynchronous runtime must not, and whoever lets go of a pool last
    /// may be one.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut self.lock().idle);
        if !idle.is_empty() {
            let _ = std::thread::spawn(move || drop(idle)).join(); // a panic was printed when it happened
        }
    }
}

impl Pool {
    /// Connections to the database of an address. None is made yet.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] for an address that is none, or demands TLS.
    pub fn new(url: &str) -> Result<Self, StoreError> {
        let mut config: Config = url.parse().map_err(|_| {
            // What the parser says may repeat a piece of the address, and with it of the password.
            StoreError::Unusable(
                "the address of the database is not of the form postgresql://user:password@host:port/database".to_owned(),
            )
        })?;
        let name = name(&config);
        if config.get_ssl_mode() == SslMode::Require {
            return Err(StoreError::Unusable(format!(
                "{name}: sslmode=require is not supported; use a private network or a tunnel, and sslmode=prefer"
            )));
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(PATIENCE);
        }
        if config.get_application_name().is_none() {
            config.application_name("viewfinder");
        }
        Ok(Self { config, name, state: Mutex::default(), returned: Condvar::new() })
    }

    /// Runs `job` in a transaction that is kept if it succeeds.
    pub fn write<T>(&self, job: impl FnOnce(&mut Work<'_>) -> Result<T>) -> Result<T, StoreError> {
        self.run(false, job)
    }

    /// Runs `job` on one state of the database, whatever is written meanwhile.
    pub fn read<T>(&self, job: impl FnOnce(&mut Work<'_>) -> Result<T>) -> Result<T, StoreError> {
        self.run(true, job)
    }

    fn run<T>(
        &self,
        only_reads: bool,
        job: impl FnOnce(&mut Work<'_>) -> Result<T>,
    ) -> Result<T, StoreError> {
        let place = Place::take(self);
        let result = self.transact(only_reads, job).map_err(|error| self.explain(error));
        drop(place);
        result
    }

    fn transact<T>(&self, only_reads: bool, job: impl FnOnce(&mut Work<'_>) -> Result<T>) -> Result<T> {
        loop {
            let (mut session, is_kept) = self.session()?;
            let Session { client, statements, .. } = &mut session;
            let mut transaction = client.build_transaction();
            if only_reads {
                transaction = transaction.read_only(true).isolation_level(IsolationLevel::RepeatableRead);
            }
            let transaction = match transaction.start() {
                Ok(transaction) => transaction,
                // It broke since it was used last.
                Err(_) if is_kept => continue,
                Err(error) => return Err(error.into()),
            };
            let run = |mut work: Work<'_>| {
                let value = job(&mut work)?;
                work.transaction.commit()?;
                Ok(value)
            };
            let result = run(Work { transaction, statements });
            if !session.client.is_closed() {
                session.last_use = Instant::now();
                self.lock().idle.push(session);
            }
            return result;
        }
    }

    /// A connection, and whether it was used before.
    fn session(&self) -> Result<(Session, bool), postgres::Error> {
        loop {
            let kept = self.lock().idle.pop();
            let Some(mut session) = kept else { break };
            let is_fresh = session.last_use.elapsed() < FRESH;
            if is_fresh || session.client.is_valid(PULSE).is_ok() {
                return Ok((session, true));
            }
        }
        let mut client = self.config.connect(NoTls)?;
        // Queries differ too much for one plan: each gets its own.
        client.batch_execute(
            "SET search_path TO viewfinder, public; SET plan_cache_mode TO force_custom_plan; SET jit TO off",
        )?;
        // Wherever the database keeps its extension.
        let schema = client.query_opt(
            "SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace
             WHERE extname = 'vector'",
            &[],
        )?;
        if let Some(schema) = schema.map(|row| row.get::<_, String>(0)) {
            client.batch_execute(&format!("SET search_path TO viewfinder, public, {schema}"))?;
        }
        Ok((Session { client, statements: HashMap::new(), last_use: Instant::now() }, false))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an error means to a person, and what to do. Messages of the server name no password.
    fn explain(&self, trouble: Trouble) -> StoreError {
        let error = match trouble {
            Trouble::Store(error) => return error,
            Trouble::Sql(error) => error,
        };
        let name = &self.name;
        let Some(said) = error.as_db_error() else {
            let cause =
                std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
            return StoreError::Away(format!("{name} does not answer: {cause}"));
        };
        let message = said.message();
        let code = said.code();
        let class = &code.code()[..2];
        match class {
            // Shutting down, starting, too many connections; deadlocks and the like, which a second try settles.
            "57" | "08" | "40" => StoreError::Away(format!("{name}: {message}")),
            "53" if *code == SqlState::TOO_MANY_CONNECTIONS => StoreError::Away(format!("{name}: {message}")),
            "53" => StoreError::Unusable(format!("{name} lacks room or memory: {message}")),
            "28" => StoreError::Unusable(format!("{name} refuses the user or the password: {message}")),
            "3D" => StoreError::Unusable(format!("{name}: {message}; make it first, or name another")),
            "25" if *code == SqlState::READ_ONLY_SQL_TRANSACTION => {
                StoreError::Unusable(format!("{name} is read-only; name the primary server"))
            }
            "42" if *code == SqlState::INSUFFICIENT_PRIVILEGE => StoreError::Unusable(format!(
                "{name}: {message}; the user needs the right to create in this database"
            )),
            _ => StoreError::Internal(format!("{message} ({})", code.code())),
        }
    }
}

/// The right to have a connection out.
struct Place<'a>(&'a Pool);

impl<'a> Place<'a> {
    fn take(pool: &'a Pool) -> Self {
        let mut state = pool.lock();
        while state.out >= MOST {
            state = pool.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.out += 1;
        Self(pool)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.lock().out -= 1;
        self.0.returned.notify_one();
    }
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

/// A transaction, with statements that the connection has prepared.
pub struct Work<'a> {
    transaction: Transaction<'a>,
    statements: &'a mut HashMap<String, Statement>,
}

impl Work<'_> {
    /// All rows.
    pub fn rows(&mut self, sql: &str, params: Params<'_>) -> Result<Vec<Row>> {
        let statement = self.statement(sql)?;
        Ok(self.transaction.query(&statement, params)?)
    }

    /// The first row.
    pub fn row(&mut self, sql: &str, params: Params<'_>) -> Result<Option<Row>> {
        Ok(self.rows(sql, params)?.into_iter().next())
    }

    /// The first column of the only row.
    pub fn one<T: for<'r> postgres::types::FromSql<'r>>(
        &mut self,
        sql: &str,
        params: Params<'_>,
    ) -> Result<T> {
        let statement = self.statement(sql)?;
        Ok(self.transaction.query_one(&statement, params)?.try_get(0)?)
    }

    /// Returns how many rows it changed.
    pub fn execute(&mut self, sql: &str, params: Params<'_>) -> Result<u64> {
        let statement = self.statement(sql)?;
        Ok(self.transaction.execute(&statement, params)?)
    }

    /// Several statements without parameters.
    pub fn batch(&mut self, sql: &str) -> Result<()> {
        Ok(self.transaction.batch_execute(sql)?)
    }

    fn statement(&mut self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.transaction.prepare(sql)?;
        if self.statements.len() >= MOST_STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// Statements that a connection keeps prepared; there are about 60 and the forms of filters.
const MOST_STATEMENTS: usize = 200;

/// A text without the one character that PostgreSQL does not keep.
pub fn storable(text: &str) -> String {
    text.replace('\0', "")
}

/// How many rows to take at most, in the database's numbers.
pub fn at_most(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
