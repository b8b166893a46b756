//! The promises that the other crates' tests rely on.
use viewfinder_models::Role;
use viewfinder_test_support::{PostgresServer, PostgresVersion, fixtures, model, ort_library, store};

#[test]
fn default_models_and_the_library_arrive() {
    for role in [Role::Detection, Role::Classification, Role::Recognition] {
        let files = model("PP-OCRv6_small", role);
        assert!(files.model.is_file(), "{role}");
        assert_eq!(files.sha256.map(|sum| sum.len()), Some(64));
    }
    assert_eq!(model("PP-OCRv6_small", Role::Classification).input_size, Some((48, 192)));
    assert!(model("scrfd_2.5g", Role::Detection).model.starts_with(store().root()));
    assert!(ort_library().is_file());
    assert!(fixtures().ends_with("tests/fixtures"));
}

#[test]
fn postgresql_starts_with_its_extension_and_comes_back_after_a_stop() {
    let mut server = PostgresServer::start(&[]);
    let url = server.new_database();
    let database = url.rsplit('/').next().unwrap();
    assert_eq!(server.sql(database, "CREATE EXTENSION vector; SELECT '[3,4]'::vector <-> '[0,0]'"), "5");
    server.stop();
    server.start_again();
    assert_eq!(server.sql(database, "SELECT count(*) FROM pg_extension WHERE extname = 'vector'"), "1");
}

#[test]
fn postgresql_14_starts_too_and_copies_databases() {
    let server = PostgresServer::start_version(PostgresVersion::V14, &[]);
    assert!(server.sql("postgres", "SHOW server_version").starts_with("14."));
    let url = server.new_database();
    server.sql(url.rsplit('/').next().unwrap(), "CREATE TABLE one AS SELECT 1 AS a, 'x' AS b");
    let copy = server.copy_of(&url);
    assert_eq!(server.sql(copy.rsplit('/').next().unwrap(), "SELECT * FROM one"), "1|x");
}
