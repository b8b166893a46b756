//! A small Immich: users, pictures, and what is known about them.
use std::{
    cell::RefCell,
    sync::{Arc, OnceLock},
};

use postgres::{Client, NoTls, types::ToSql};
use serde_json::Value;
use tokio::runtime::Runtime;
use uuid::Uuid;
use viewfinder_catalog::{search::Similarity, text::Segmenter};
use viewfinder_immich::{Caller, Error, Library, LibraryConfig, Page, SearchRequest, SearchRoute};
use viewfinder_test_support::PostgresServer;
use viewfinder_vision::ocr;

use crate::backend::Answers;

pub(crate) const V1: &str = include_str!("v1.sql");
pub(crate) const V3: &str = include_str!("v3.sql");
const V2: &str = include_str!("immich.sql");

pub(crate) fn server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start(&[]))
}

fn segmenter() -> Arc<Segmenter> {
    static SEGMENTER: OnceLock<Arc<Segmenter>> = OnceLock::new();
    SEGMENTER.get_or_init(|| Arc::new(Segmenter::new(None).unwrap())).clone()
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

pub(crate) fn config(url: &str, answers: &Arc<Answers>) -> LibraryConfig {
    LibraryConfig {
        database_url: url.to_owned(),
        text_search_config: None,
        segmenter: segmenter(),
        backend: Arc::clone(answers) as _,
        runtime: runtime().handle().clone(),
        ocr: ocr::Options::immich(0.5, 0.8, 736),
        similarity: Similarity::default(),
    }
}

/// A database with Immich's tables, which is filled first and opened then.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) answers: Arc<Answers>,
    /// The user who searches.
    pub(crate) me: Uuid,
    client: RefCell<Client>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::on(server())
    }

    pub(crate) fn on(server: &PostgresServer) -> Self {
        let url = server.new_database();
        let mut client = Client::connect(&url, NoTls).unwrap();
        client.batch_execute(V2).unwrap();
        let mut world = Self { url, answers: Arc::default(), me: Uuid::nil(), client: RefCell::new(client) };
        world.me = world.user("me");
        world
    }

    /// After the server was away.
    pub(crate) fn reconnect(&self) {
        *self.client.borrow_mut() = Client::connect(&self.url, NoTls).unwrap();
    }

    pub(crate) fn sql(&self, statement: &str, params: &[&(dyn ToSql + Sync)]) {
        self.client.borrow_mut().execute(statement, params).unwrap();
    }

    pub(crate) fn batch(&self, statements: &str) {
        self.client.borrow_mut().batch_execute(statements).unwrap();
    }

    pub(crate) fn rows(&self, statement: &str, params: &[&(dyn ToSql + Sync)]) -> Vec<postgres::Row> {
        self.client.borrow_mut().query(statement, params).unwrap()
    }

    pub(crate) fn count(&self, of: &str) -> i64 {
        self.rows(&format!("SELECT count(*) FROM {of}"), &[])[0].get(0)
    }

    fn added(&self, statement: &str, params: &[&(dyn ToSql + Sync)]) -> Uuid {
        self.rows(&format!("{statement} RETURNING id"), params)[0].get(0)
    }

    pub(crate) fn user(&self, name: &str) -> Uuid {
        self.added("INSERT INTO \"user\" (name) VALUES ($1)", &[&name])
    }

    pub(crate) fn partner(&self, shared_by: Uuid, in_timeline: bool) {
        self.sql("INSERT INTO partner VALUES ($1, $2, $3)", &[&shared_by, &self.me, &in_timeline]);
    }

    /// A picture of mine.
    pub(crate) fn picture(&self, name: &str) -> Uuid {
        self.picture_of(self.me, name)
    }

    /// A picture that was never read.
    pub(crate) fn picture_of(&self, owner: Uuid, name: &str) -> Uuid {
        let id = self.added(
            "INSERT INTO asset (\"deviceAssetId\", \"ownerId\", \"deviceId\", type, \"originalPath\", \"fileCreatedAt\",
                 \"fileModifiedAt\", \"localDateTime\", checksum, \"originalFileName\")
             VALUES ($2::text, $1, 'phone', 'IMAGE', '/data/upload/' || $2::text, '2024-01-01', '2024-01-01', '2024-01-01',
                 sha224($2::text::bytea), $2::text)",
            &[&owner, &name],
        );
        self.sql("INSERT INTO asset_exif (\"assetId\") VALUES ($1)", &[&id]);
        self.sql("INSERT INTO asset_job_status (\"assetId\") VALUES ($1)", &[&id]);
        id
    }

    /// A picture of mine with text.
    pub(crate) fn with_text(&self, name: &str, lines: &[&str]) -> Uuid {
        let id = self.picture(name);
        self.read(id, lines);
        id
    }

    /// Writes what Immich's job would write for these lines.
    pub(crate) fn read(&self, id: Uuid, lines: &[&str]) {
        self.sql("DELETE FROM asset_ocr WHERE \"assetId\" = $1", &[&id]);
        for (at, line) in lines.iter().enumerate() {
            let top = at as f32 / 20.0;
            self.sql(
                "INSERT INTO asset_ocr (\"assetId\", x1, y1, x2, y2, x3, y3, x4, y4, \"boxScore\", \"textScore\", text)
                 VALUES ($1, 0.1, $2, 0.9, $2, 0.9, $2, 0.1, $2, 0.9, 0.95, $3)",
                &[&id, &top, line],
            );
        }
        self.sql("UPDATE asset_job_status SET \"ocrAt\" = clock_timestamp() WHERE \"assetId\" = $1", &[&id]);
    }

    /// Changes columns of a picture.
    pub(crate) fn set(&self, id: Uuid, change: &str) {
        self.sql(&format!("UPDATE asset SET {change} WHERE id = $1"), &[&id]);
    }

    pub(crate) fn set_exif(&self, id: Uuid, change: &str) {
        self.sql(&format!("UPDATE asset_exif SET {change} WHERE \"assetId\" = $1"), &[&id]);
    }

    /// Gives a picture the vector of what it shows.
    pub(crate) fn show(&self, id: Uuid, vector: &[f32]) {
        self.sql(
            "INSERT INTO smart_search VALUES ($1, $2::vector)",
            &[&id, &pgvector::Vector::from(vector.to_vec())],
        );
    }

    /// Opens the library and takes everything over.
    pub(crate) fn open(&self) -> Library {
        let library = Library::open(config(&self.url, &self.answers)).unwrap();
        while !library.follow().unwrap() {}
        library
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller { user: self.me, elevated: false }
    }

    #[expect(clippy::needless_pass_by_value, reason = "literals read better")]
    pub(crate) fn search(&self, library: &Library, body: Value) -> Result<Page, Error> {
        library.search(&self.caller(), &parse(&body))
    }

    /// Names of the pictures found, best first.
    pub(crate) fn found(&self, library: &Library, body: Value) -> Vec<String> {
        names(&self.search(library, body).unwrap())
    }
}

/// A search for words of any kind, or for text.
pub(crate) fn parse(body: &Value) -> SearchRequest {
    let smart = body.get("query").is_some_and(Value::is_string);
    SearchRequest::parse(if smart { SearchRoute::Smart } else { SearchRoute::Metadata }, body).unwrap()
}

pub(crate) fn names(page: &Page) -> Vec<String> {
    page.items.iter().map(|item| item["originalFileName"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn sorted(mut names: Vec<String>) -> Vec<String> {
    names.sort_unstable();
    names
}
