//! Tables of Immich as its versions have them: each folder of `tests/layouts` is one.
use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use postgres::{Client, NoTls};
use viewfinder_test_support::PostgresServer;

/// The tables of a version.
pub(crate) struct Layout {
    pub(crate) name: String,
    /// Statements that make them.
    pub(crate) tables: String,
    /// Those that need pgvector.
    pub(crate) vectors: String,
}

/// All of them, older ones first.
pub(crate) fn all() -> &'static [Layout] {
    static LAYOUTS: OnceLock<Vec<Layout>> = OnceLock::new();
    LAYOUTS.get_or_init(|| {
        let entries = fs::read_dir(folder("")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort_unstable();
        names.iter().map(|name| Layout::read(name)).collect()
    })
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layouts").join(name)
}

impl Layout {
    pub(crate) fn named(name: &str) -> &'static Self {
        all().iter().find(|layout| layout.name == name).unwrap()
    }

    /// A folder has `tables.sql`, and maybe `vectors.sql`. They go on where those of the layout end that `from` names.
    fn read(name: &str) -> Self {
        let folder = folder(name);
        let part = |file: &str| fs::read_to_string(folder.join(file)).unwrap_or_default();
        let before = part("from");
        let mut layout = if before.is_empty() {
            Self { name: String::new(), tables: String::new(), vectors: String::new() }
        } else {
            Self::read(before.trim())
        };
        name.clone_into(&mut layout.name);
        layout.tables.push_str(&fs::read_to_string(folder.join("tables.sql")).unwrap());
        layout.vectors.push_str(&part("vectors.sql"));
        layout
    }

    /// Makes the tables in a new database; those with vectors, where the server has pgvector.
    pub(crate) fn database(&self, server: &PostgresServer) -> String {
        let url = server.new_database();
        let mut client = Client::connect(&url, NoTls).unwrap();
        client.batch_execute(&self.tables).unwrap();
        if !client.query("SELECT FROM pg_available_extensions WHERE name = 'vector'", &[]).unwrap().is_empty()
        {
            client.batch_execute(&self.vectors).unwrap();
        }
        url
    }

    /// The same by copying one that was made before on this server.
    pub(crate) fn copy(&'static self, server: &'static PostgresServer) -> String {
        static MADE: Mutex<Option<HashMap<String, String>>> = Mutex::new(None);
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        // Addresses differ between servers.
        let key = format!("{} {}", server.url(""), self.name);
        let made = made.get_or_insert_default();
        let template = made.entry(key).or_insert_with(|| self.database(server));
        server.copy_of(template)
    }
}
