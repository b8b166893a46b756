//! Encrypted connections to a server that wants them.
use std::fs;

use tempfile::TempDir;
use viewfinder_catalog::{StoreError, postgres::Pool};
use viewfinder_test_support::{Authority, PostgresServer};

use crate::places::wait;

const RULES: &str = "hostssl all guest 127.0.0.1/32 trust\nhostnossl all plain 127.0.0.1/32 trust";

/// A server with a certificate for this name, where `guest` must come encrypted, and `plain` must not.
fn server(authority: &Authority, name: &str) -> PostgresServer {
    let identity = authority.identity(name);
    let certificate = String::from_utf8(identity.pem()).unwrap();
    let server = PostgresServer::start_encrypted(&certificate, &identity.key_pem(), RULES);
    server.sql("postgres", "CREATE ROLE guest LOGIN; CREATE ROLE plain LOGIN");
    server
}

/// The address of a user, without a word on how to come there.
fn address(server: &PostgresServer, user: &str) -> String {
    server.url("postgres").replace("postgres@", &format!("{user}:s3cret@"))
}

/// Comes there, and answers whether it was encrypted.
fn comes_encrypted(url: &str, options: &str) -> Result<bool, StoreError> {
    wait(async {
        let pool = Pool::new(&format!("{url}?{options}"))?;
        let tx = pool.read().await?;
        let encrypted = tx.one("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", &[]).await?;
        tx.commit().await?;
        Ok(encrypted)
    })
}

fn refused(url: &str, options: &str, hint: &str) {
    let error = comes_encrypted(url, options).unwrap_err();
    assert!(matches!(error, StoreError::Unusable(_)), "{options}: {error:?}");
    assert!(error.to_string().contains(hint), "{options}: {error}");
    assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
}

#[test]
fn a_server_that_demands_encryption_is_trusted_as_far_as_the_address_says() {
    let (authority, other) = (Authority::new("home"), Authority::new("elsewhere"));
    let folder = TempDir::new().unwrap();
    let file = |name: &str, authority: &Authority| {
        let path = folder.path().join(name);
        fs::write(&path, authority.pem()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ours, others) = (file("ours.pem", &authority), file("others.pem", &other));
    let nothing = folder.path().join("nothing.pem");
    fs::write(&nothing, "nothing").unwrap();
    let by_address = server(&authority, "127.0.0.1");
    let by_name = server(&authority, "localhost");

    let url = address(&by_address, "guest");
    for options in [
        String::new(),
        "sslmode=prefer".to_owned(),
        "sslmode=require".to_owned(),
        format!("sslmode=require&sslrootcert={ours}"),
        format!("sslmode=verify-ca&sslrootcert={ours}"),
        format!("sslmode=verify-full&sslrootcert={ours}"),
    ] {
        assert!(comes_encrypted(&url, &options).unwrap(), "{options}");
    }
    refused(&url, "sslmode=disable", "no encryption");
    for mode in ["require", "verify-ca", "verify-full"] {
        let options = format!("sslmode={mode}&sslrootcert={others}");
        refused(
            &url,
            &options,
            "its certificate is signed by nobody who is trusted; see sslmode and sslrootcert",
        );
    }
    refused(&url, "sslmode=verify-full", "signed by nobody who is trusted");
    refused(&url, "sslmode=verify-full&sslrootcert=system", "signed by nobody who is trusted");
    let options = format!("sslmode=verify-full&sslrootcert={}", nothing.display());
    refused(&url, &options, "it holds no certificate in PEM");

    // Of another host, which only the strictest asks about.
    let url = address(&by_name, "guest");
    assert!(comes_encrypted(&url, &format!("sslmode=verify-ca&sslrootcert={ours}")).unwrap());
    let options = format!("sslmode=verify-full&sslrootcert={ours}");
    refused(&url, &options, "certificate not valid for name \"127.0.0.1\"");
    assert!(comes_encrypted(&url.replace("127.0.0.1", "localhost"), &options).unwrap());
}

#[test]
fn who_only_prefers_encryption_comes_without_it_where_that_is_the_rule() {
    let server = server(&Authority::new("home"), "127.0.0.1");
    let url = address(&server, "plain");
    for options in ["", "sslmode=prefer", "sslmode=disable"] {
        assert!(!comes_encrypted(&url, options).unwrap(), "{options}");
    }
    refused(&url, "sslmode=require", "SSL encryption");
}
