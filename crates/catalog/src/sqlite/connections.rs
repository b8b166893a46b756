//! Opening the file, and one writer and several readers on it.
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior, config::DbConfig, ffi};

use viewfinder_files::private;

use super::schema::{APPLICATION_ID, STEPS};
use crate::StoreError;

/// How long to wait for another program's transaction.
const PATIENCE: Duration = Duration::from_secs(10);
/// Readers kept open; more are opened and closed as needed.
const KEPT_READERS: usize = 4;
/// What a reader remembers of the file: SQLite's default.
const CACHE_KB: i64 = 2000;
/// The same of one that reads vectors, of which the next search wants others.
const VECTORS_CACHE_KB: i64 = 400;
/// Three vectors of 512 floats fit into one page; into SQLite's default of 4096 bytes only one would.
const PAGE_BYTES: u32 = 8192;
/// The write-ahead log is cut back to this after a large transaction.
const LOG_BYTES: i64 = 32 << 20;
/// Statements that a connection keeps prepared; there are about 60.
const KEPT_STATEMENTS: usize = 96;

/// Connections to one file.
pub(super) struct Connections {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    /// Those that read vectors one by one, from all over the file.
    vector_readers: Mutex<Vec<Connection>>,
}

impl Connections {
    /// Opens the file or makes it, and brings it to the newest format.
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        // SQLite takes an empty file for an empty database, and gives the files beside it its rights.
        let is_new = private::create_new(path).is_ok();
        let mut writer = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
            .map_err(|error| explain(path, &error))?;
        prepare(path, &mut writer)?;
        if !is_new {
            keep_private(path);
        }
        Ok(Self {
            path: path.to_owned(),
            writer: Mutex::new(writer),
            readers: Mutex::default(),
            vector_readers: Mutex::default(),
        })
    }

    /// Runs `work` in a transaction that is kept if it succeeds.
    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut writer = lock(&self.writer);
        let run = || {
            let tx = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = work(&tx)?;
            tx.commit()?;
            Ok(value)
        };
        run().map_err(|error| explain(&self.path, &error))
    }

    /// Runs `work` on one state of the file, whatever is written meanwhile.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.read_by(&self.readers, CACHE_KB, work)
    }

    /// The same, for work that reads many vectors and of everything else little: it takes no cache from other readers.
    pub(super) fn read_vectors<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.read_by(&self.vector_readers, VECTORS_CACHE_KB, work)
    }

    fn read_by<T>(
        &self,
        readers: &Mutex<Vec<Connection>>,
        cache_kb: i64,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let kept = lock(readers).pop();
        let run = || {
            let open = || -> rusqlite::Result<Connection> {
                let reader = connect(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
                reader.pragma_update(None, "cache_size", -cache_kb)?;
                Ok(reader)
            };
            let mut reader = kept.map_or_else(open, Ok)?;
            let tx = reader.transaction()?;
            let value = work(&tx)?;
            tx.commit()?;
            let mut readers = lock(readers);
            if readers.len() < KEPT_READERS {
                readers.push(reader);
            }
            Ok(value)
        };
        run().map_err(|error| explain(&self.path, &error))
    }
}

/// The text of somebody's photos is for nobody else. Only once it is known to be a catalogue: what was named by mistake may be for others.
fn keep_private(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(ending);
        private::narrow(Path::new(&name));
    }
}

/// A connection is sound after a panic: its transaction was rolled back.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(PATIENCE)?;
    connection.set_prepared_statement_cache_capacity(KEPT_STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    // A statement is planned once. Otherwise one with a limit would be planned anew for each.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    rusqlite::vtab::array::load_module(&connection)?;
    Ok(connection)
}

/// Checks that the file is a catalogue, and brings it to the newest format.
fn prepare(path: &Path, db: &mut Connection) -> Result<(), StoreError> {
    let explain = |error: rusqlite::Error| explain(path, &error);
    let number = |db: &Connection, name: &str| db.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let known = STEPS.len() as i64;
    let is_empty = |db: &Connection| {
        db.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get::<_, bool>(0))
    };
    if is_empty(db).map_err(explain)? {
        db.pragma_update(None, "page_size", PAGE_BYTES).map_err(explain)?;
    }
    // Kept in the file. A commit survives the end of this program; of the computer, all but the last ones.
    db.pragma_update(None, "journal_mode", "wal").map_err(explain)?;
    db.pragma_update(None, "synchronous", "normal").map_err(explain)?;
    db.pragma_update(None, "journal_size_limit", LOG_BYTES).map_err(explain)?;

    if number(db, "user_version").map_err(explain)? == known
        && number(db, "application_id").map_err(explain)? == i64::from(APPLICATION_ID)
    {
        return Ok(());
    }
    // Whoever comes first does it; others wait for this transaction and find it done.
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate).map_err(explain)?;
    let found = number(&tx, "user_version").map_err(explain)?;
    if is_empty(&tx).map_err(explain)? {
        tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(explain)?;
    } else if number(&tx, "application_id").map_err(explain)? != i64::from(APPLICATION_ID) {
        return Err(StoreError::Unusable(format!(
            "{} is a database of another program; give the catalogue a file of its own",
            path.display()
        )));
    }
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    for step in STEPS.iter().skip(found as usize) {
        tx.execute_batch(step).map_err(explain)?;
    }
    tx.pragma_update(None, "user_version", known).map_err(explain)?;
    tx.commit().map_err(explain)
}

/// What an error of SQLite means to a person, and what to do.
fn explain(path: &Path, error: &rusqlite::Error) -> StoreError {
    let path = path.display();
    let damaged = || {
        StoreError::Damaged(format!(
            "{path} is damaged; move it away together with {path}-wal and {path}-shm, and index its folders anew \
             (`sqlite3 {path} .recover` may save corrected texts and names)"
        ))
    };
    if contradicts_itself(error) {
        return damaged();
    }
    let Some(code) = error.sqlite_error_code() else {
        return StoreError::Internal(error.to_string());
    };
    let unusable = |text: String| StoreError::Unusable(text);
    match code {
        ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreError::Away(format!(
            "{path} is locked by another program; wait until it is done, or stop it"
        )),
        ErrorCode::DiskFull => {
            unusable(format!("no room left on the disk for {path}; make some and try again"))
        }
        ErrorCode::ReadOnly | ErrorCode::PermissionDenied => unusable(format!(
            "{path} cannot be written; give this user the right to write it and its folder, or name another place"
        )),
        ErrorCode::CannotOpen => unusable(format!(
            "{path} cannot be opened; check that its folder exists and that this user may write there"
        )),
        ErrorCode::NotADatabase => {
            unusable(format!("{path} is no catalogue; give another path, or move that file away"))
        }
        ErrorCode::DatabaseCorrupt => damaged(),
        ErrorCode::SystemIoFailure => {
            let detail = match error {
                rusqlite::Error::SqliteFailure(code, _) => ffi::code_to_str(code.extended_code),
                _ => "",
            };
            unusable(format!("{path} cannot be read or written ({detail}); check the disk"))
        }
        _ => StoreError::Internal(error.to_string()),
    }
}

/// Is it an error that a sound file cannot give? Its tables are strict, are there, and have the columns and rows that are asked for.
fn contradicts_itself(error: &rusqlite::Error) -> bool {
    use rusqlite::Error;
    match error {
        Error::InvalidColumnType(..)
        | Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::Utf8Error(..)
        | Error::QueryReturnedNoRows => true,
        Error::SqliteFailure(_, Some(said)) | Error::SqlInputError { msg: said, .. } => {
            ["no such table", "no such column", "has no column", "malformed"]
                .iter()
                .any(|start| said.contains(start))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use rusqlite::StatementStatus;

    use super::*;

    #[test]
    fn a_statement_is_planned_once_whatever_limit_it_gets() {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("catalogue.db")).unwrap();
        let again = |db: &Connection| {
            let mut statement = db.prepare("SELECT name FROM sqlite_schema ORDER BY name LIMIT ?")?;
            for limit in 1..5 {
                let _ = statement.query_map([limit], |row| row.get::<_, String>(0))?.count();
            }
            Ok(statement.get_status(StatementStatus::RePrepare))
        };
        assert_eq!(connections.read(again).unwrap(), 0);
        assert_eq!(connections.read_vectors(again).unwrap(), 0);
        assert_eq!(again(&Connection::open_in_memory().unwrap()).unwrap(), 4, "or is it needed no more?");
    }

    fn fill(connections: &Connections) -> Result<(), StoreError> {
        connections.write(|tx| {
            tx.execute_batch(
                "CREATE TABLE filler (bytes BLOB); INSERT INTO filler VALUES (zeroblob(1000000))",
            )
        })
    }

    #[cfg(unix)]
    #[test]
    fn the_catalogue_is_for_its_owner_alone_from_the_first_byte_and_again_when_it_was_not() {
        use std::{fs, os::unix::fs::PermissionsExt as _};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("catalogue.db");
        let modes = || {
            let entries = fs::read_dir(folder.path()).unwrap().map(Result::unwrap);
            let mut modes: Vec<_> = entries
                .map(|entry| {
                    (
                        entry.file_name().into_string().unwrap(),
                        entry.metadata().unwrap().permissions().mode() & 0o777,
                    )
                })
                .collect();
            modes.sort();
            modes
        };
        let private =
            ["catalogue.db", "catalogue.db-shm", "catalogue.db-wal"].map(|name| (name.to_owned(), 0o600));
        let connections = Connections::open(&path).unwrap();
        fill(&connections).unwrap();
        assert_eq!(modes(), private);
        for (name, _) in modes() {
            fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o644)).unwrap();
        }
        let again = Connections::open(&path).unwrap();
        assert_eq!(modes(), private);
        drop((connections, again));
    }

    /// A limit on the file's size makes the same error as a disk that is full, and a connection for reading the same as a file without
    /// the right to write.
    #[test]
    fn a_full_disk_and_a_file_without_rights_are_told_and_change_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let connections = Connections::open(&folder.path().join("catalogue.db")).unwrap();
        let limit =
            |name: &str, value: i64| lock(&connections.writer).pragma_update(None, name, value).unwrap();

        limit("max_page_count", 60);
        let error = fill(&connections).unwrap_err();
        let StoreError::Unusable(text) = error else { panic!("{error:?}") };
        assert!(text.starts_with("no room left on the disk for "), "{text}");
        limit("max_page_count", 1000);

        limit("query_only", 1);
        let error = fill(&connections).unwrap_err();
        let StoreError::Unusable(text) = error else { panic!("{error:?}") };
        assert!(text.contains("cannot be written; give this user the right"), "{text}");
        limit("query_only", 0);

        fill(&connections).unwrap();
        let check =
            |db: &Connection| db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0));
        assert_eq!(connections.read(check).unwrap(), "ok");
    }
}
