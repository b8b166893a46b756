//! A small Immich: users, pictures, and what is known about them.
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, atomic::AtomicUsize};

use postgres::{Client, NoTls, types::ToSql};
use serde_json::Value;
use tokio::runtime::Runtime;
use uuid::Uuid;
use viewfinder_catalog::{search::Similarity, text::Segmenter};
use viewfinder_core::ocr;
use viewfinder_immich::{
    database::{Database, DatabaseConfig, Error},
    library::{Caller, Page, SearchRequest, SearchRoute},
};
use viewfinder_test_support::{FakeBackend, PostgresServer, PostgresVersion};

use crate::database::{
    backend::{self, WIDTH},
    layout::{self, Layout},
};

pub(crate) const V1: &str = include_str!("v1.sql");

pub(crate) fn server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start(&[]))
}

/// As in Immich's own image, but without pgvector.
pub(crate) fn older_server() -> &'static PostgresServer {
    static SERVER: OnceLock<PostgresServer> = OnceLock::new();
    SERVER.get_or_init(|| PostgresServer::start_version(PostgresVersion::V14, &[]))
}

fn segmenter() -> Arc<Segmenter> {
    static SEGMENTER: OnceLock<Arc<Segmenter>> = OnceLock::new();
    SEGMENTER.get_or_init(|| Arc::new(Segmenter::new(None).unwrap())).clone()
}

fn runtime() -> &'static Runtime {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| Runtime::new().unwrap())
}

/// What comes of something asynchronous.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

pub(crate) fn config(url: &str, answers: &Arc<FakeBackend>) -> DatabaseConfig {
    DatabaseConfig {
        database_url: url.to_owned(),
        text_search_config: None,
        segmenter: segmenter(),
        backend: Arc::clone(answers) as _,
        ocr: ocr::Options::immich(0.5, 0.8, 736),
        similarity: Similarity::default(),
    }
}

/// A database with Immich's tables, which is filled first and opened then.
pub(crate) struct World {
    pub(crate) url: String,
    pub(crate) answers: Arc<FakeBackend>,
    /// Numbers in the vectors that it makes.
    pub(crate) width: Arc<AtomicUsize>,
    /// The user who searches.
    pub(crate) me: Uuid,
    /// Whose tables it has, and where it is.
    name: String,
    client: Mutex<Client>,
}

impl Drop for World {
    #[expect(clippy::print_stderr, reason = "which of the worlds made a test fail")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in a world of {}", self.name);
        }
    }
}

impl World {
    /// Tables of v2.7.5.
    pub(crate) fn new() -> Self {
        Self::of(Layout::named("2.7.5"))
    }

    pub(crate) fn of(layout: &'static Layout) -> Self {
        Self::at(layout.copy(server()), format!("Immich {}", layout.name))
    }

    /// One after the other, each with other tables.
    pub(crate) fn on_every_layout() -> impl Iterator<Item = Self> {
        layout::all().iter().map(Self::of)
    }

    /// The same, and the oldest and the newest in PostgreSQL 14 too, without vectors.
    pub(crate) fn everywhere() -> impl Iterator<Item = Self> {
        let older = |layout: &'static Layout| {
            Self::at(layout.copy(older_server()), format!("Immich {} in PostgreSQL 14", layout.name))
        };
        let all = layout::all();
        Self::on_every_layout().chain(all.first().into_iter().chain(all.last()).map(older))
    }

    pub(crate) fn on(server: &PostgresServer) -> Self {
        Self::at(Layout::named("2.7.5").database(server), "Immich 2.7.5".to_owned())
    }

    fn at(url: String, name: String) -> Self {
        let client = Client::connect(&url, NoTls).unwrap();
        let width = Arc::new(AtomicUsize::new(WIDTH));
        let answers = Arc::new(backend::backend(&width));
        let mut world = Self { url, answers, width, me: Uuid::nil(), name, client: Mutex::new(client) };
        world.me = world.user("me");
        world
    }

    /// Is there such a column? What differs between versions is hidden here.
    pub(crate) fn has(&self, table: &str, column: &str) -> bool {
        let statement = "SELECT FROM information_schema.columns
             WHERE table_schema = 'public' AND table_name = $1 AND column_name = $2";
        !self.rows(statement, &[&table, &column]).is_empty()
    }

    pub(crate) fn has_vectors(&self) -> bool {
        self.has("smart_search", "embedding")
    }

    /// Does it answer as v3 does?
    pub(crate) fn is_v3(&self) -> bool {
        !self.has("asset", "deviceId")
    }

    /// Do faces belong to groups, in which each user has a person?
    pub(crate) fn has_groups(&self) -> bool {
        self.has("person", "personGroupId")
    }

    fn client(&self) -> MutexGuard<'_, Client> {
        self.client.lock().unwrap()
    }

    /// After the server was away.
    pub(crate) fn reconnect(&self) {
        *self.client() = Client::connect(&self.url, NoTls).unwrap();
    }

    pub(crate) fn sql(&self, statement: &str, params: &[&(dyn ToSql + Sync)]) {
        self.client().execute(statement, params).unwrap();
    }

    pub(crate) fn batch(&self, statements: &str) {
        self.client().batch_execute(statements).unwrap();
    }

    pub(crate) fn rows(&self, statement: &str, params: &[&(dyn ToSql + Sync)]) -> Vec<postgres::Row> {
        self.client().query(statement, params).unwrap()
    }

    pub(crate) fn count(&self, of: &str) -> i64 {
        self.rows(&format!("SELECT count(*) FROM {of}"), &[])[0].get(0)
    }

    fn added(&self, statement: &str, params: &[&(dyn ToSql + Sync)]) -> Uuid {
        self.rows(&format!("{statement} RETURNING id"), params)[0].get(0)
    }

    fn new_id(&self) -> Uuid {
        self.rows("SELECT gen_random_uuid()", &[])[0].get(0)
    }

    pub(crate) fn user(&self, name: &str) -> Uuid {
        let id = self.new_id();
        self.user_with(id, name, None);
        id
    }

    /// A user of this id, and in the other's group of users, where there is such a thing.
    pub(crate) fn user_with(&self, id: Uuid, name: &str, beside: Option<Uuid>) {
        if !self.has("user", "clusterGroupId") {
            self.sql("INSERT INTO \"user\" (id, name) VALUES ($1, $2)", &[&id, &name]);
            return;
        }
        let group: Uuid = match beside {
            Some(other) => {
                self.rows("SELECT \"clusterGroupId\" FROM \"user\" WHERE id = $1", &[&other])[0].get(0)
            }
            None => self.added("INSERT INTO cluster_group DEFAULT VALUES", &[]),
        };
        self.sql(
            "INSERT INTO \"user\" (id, name, \"clusterGroupId\") VALUES ($1, $2, $3)",
            &[&id, &name, &group],
        );
    }

    /// Somebody whom a user calls by this name; the id that the API gives.
    pub(crate) fn person(&self, owner: Uuid, name: &str) -> Uuid {
        let id = self.new_id();
        self.person_with(id, owner, name);
        id
    }

    pub(crate) fn person_with(&self, id: Uuid, owner: Uuid, name: &str) {
        if !self.has_groups() {
            self.sql("INSERT INTO person (id, \"ownerId\", name) VALUES ($1, $2, $3)", &[&id, &owner, &name]);
            return;
        }
        self.sql(
            "INSERT INTO person_group (id, \"clusterGroupId\") SELECT $1, \"clusterGroupId\" FROM \"user\" WHERE id = $2",
            &[&id, &owner],
        );
        self.named_by(id, owner, name);
    }

    /// Another user's person of a group.
    pub(crate) fn named_by(&self, group: Uuid, owner: Uuid, name: &str) {
        self.sql(
            "INSERT INTO person (\"ownerId\", \"personGroupId\", name) VALUES ($1, $2, $3)",
            &[&owner, &group, &name],
        );
    }

    /// A face in a picture.
    pub(crate) fn face(&self, picture: Uuid, person: Option<Uuid>) -> Uuid {
        let column = if self.has_groups() { "personGroupId" } else { "personId" };
        self.added(
            &format!("INSERT INTO asset_face (\"assetId\", \"{column}\") VALUES ($1, $2)"),
            &[&picture, &person],
        )
    }

    /// An album of mine.
    pub(crate) fn album(&self, pictures: &[Uuid]) -> Uuid {
        let album = if self.has("album", "ownerId") {
            self.added("INSERT INTO album (\"ownerId\") VALUES ($1)", &[&self.me])
        } else {
            let album = self.added("INSERT INTO album DEFAULT VALUES", &[]);
            self.sql("INSERT INTO album_user VALUES ($1, $2, 'owner')", &[&album, &self.me]);
            album
        };
        for picture in pictures {
            self.sql("INSERT INTO album_asset VALUES ($1, $2)", &[&album, picture]);
        }
        album
    }

    /// A tag of mine, below others.
    pub(crate) fn tag(&self, above: &[Uuid]) -> Uuid {
        let tag =
            self.added("INSERT INTO tag (\"userId\", value) VALUES ($1, uuid_generate_v4())", &[&self.me]);
        for ancestor in above.iter().chain([&tag]) {
            self.sql("INSERT INTO tag_closure VALUES ($1, $2)", &[ancestor, &tag]);
        }
        tag
    }

    pub(crate) fn add_tag(&self, picture: Uuid, tag: Uuid) {
        self.sql("INSERT INTO tag_asset VALUES ($1, $2)", &[&picture, &tag]);
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
        let device = if self.is_v3() {
            ["", ""]
        } else {
            [", \"deviceAssetId\", \"deviceId\"", ", $2::text, 'phone'"]
        };
        let id = self.added(
            &format!(
                "INSERT INTO asset (\"ownerId\", type, \"originalPath\", \"fileCreatedAt\", \"fileModifiedAt\",
                     \"localDateTime\", checksum, \"checksumAlgorithm\", \"originalFileName\"{})
                 VALUES ($1, 'IMAGE', '/data/upload/' || $2::text, '2024-01-01', '2024-01-01', '2024-01-01',
                     sha224($2::text::bytea), 'sha1', $2::text{})",
                device[0], device[1]
            ),
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

    /// Gives a picture the vector of what it shows, where there are vectors.
    pub(crate) fn show(&self, id: Uuid, vector: &[f32]) {
        if !self.has_vectors() {
            return;
        }
        self.sql(
            "INSERT INTO smart_search VALUES ($1, $2::vector)",
            &[&id, &pgvector::Vector::from(vector.to_vec())],
        );
    }

    /// Opens the library and takes everything over.
    pub(crate) fn open(&self) -> Database {
        let library = wait(Database::open(config(&self.url, &self.answers))).unwrap();
        while !wait(library.follow()).unwrap() {}
        library
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller { user: self.me, elevated: false }
    }

    #[expect(clippy::needless_pass_by_value, reason = "literals read better")]
    pub(crate) fn search(&self, library: &Database, body: Value) -> Result<Page, Error> {
        wait(library.search(&self.caller(), &parse(&body)))
    }

    /// Names of the pictures found, best first.
    pub(crate) fn found(&self, library: &Database, body: Value) -> Vec<String> {
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
