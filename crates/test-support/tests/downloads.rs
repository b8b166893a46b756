//! The promises that the other crates' tests rely on.
use viewfinder_models::Role;
use viewfinder_test_support::{PostgresServer, fixtures, model, ort_library, store};

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
