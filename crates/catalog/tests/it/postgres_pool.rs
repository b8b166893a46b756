//! Transactions, and what becomes of their connections.
use std::time::Duration;

use tokio::{join, time::timeout};
use viewfinder_catalog::postgres::{Pool, Transaction};

use crate::places::{Database, server, wait};

fn sessions(place: &Database, condition: &str) -> usize {
    let database = place.0.rsplit('/').next().unwrap();
    let count = format!(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = '{database}' AND pid <> pg_backend_pid() {condition}"
    );
    server().sql("postgres", &count).parse().unwrap()
}

/// Waits until there are none; far longer than anything here takes.
fn come_to_none(place: &Database, condition: &str) {
    for _ in 0..1500 {
        if sessions(place, condition) == 0 {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("there are still sessions {condition}");
}

async fn number(tx: &Transaction) -> i64 {
    tx.one("SELECT count(*) FROM kept", &[]).await.unwrap()
}

#[test]
fn what_is_not_committed_is_not_kept_and_its_connection_is_nobody_elses() {
    let place = Database::new();
    let pool = Pool::new(&place.0).unwrap();
    wait(async {
        let tx = pool.write().await.unwrap();
        tx.batch("CREATE TABLE kept (number INT)").await.unwrap();
        tx.commit().await.unwrap();
        // More often than there are connections.
        for _ in 0..30 {
            let tx = pool.write().await.unwrap();
            assert_eq!(number(&tx).await, 0);
            tx.execute("INSERT INTO kept VALUES (1)", &[]).await.unwrap();
            drop(tx);
            let tx = pool.write().await.unwrap();
            tx.execute("INSERT INTO kept VALUES (1)", &[]).await.unwrap();
            tx.rows("SELECT nothing", &[]).await.unwrap_err();
        }
        let tx = pool.read().await.unwrap();
        assert_eq!(number(&tx).await, 0);
        tx.commit().await.unwrap();
    });
    assert!(sessions(&place, "") <= 8);
    come_to_none(&place, "AND state LIKE 'idle in transaction%'");
}

#[test]
fn a_statement_that_nobody_waits_for_any_more_ends() {
    let place = Database::new();
    let pool = Pool::new(&place.0).unwrap();
    wait(async {
        // More often than there are connections.
        for _ in 0..10 {
            let tx = pool.read().await.unwrap();
            let forever = timeout(Duration::from_millis(50), tx.rows("SELECT pg_sleep(100000)", &[]));
            assert!(forever.await.is_err());
        }
    });
    come_to_none(&place, "AND state = 'active'");
    wait(async { pool.read().await.unwrap().commit().await.unwrap() });
}

#[test]
fn statements_of_one_transaction_may_be_under_way_together() {
    let place = Database::new();
    let pool = Pool::new(&place.0).unwrap();
    wait(async {
        let tx = pool.read().await.unwrap();
        let (one, two) =
            join!(tx.one::<i32>("SELECT 1", &[]), tx.rows("SELECT 2 FROM generate_series(1, 3)", &[]));
        assert_eq!((one.unwrap(), two.unwrap().len()), (1, 3));
        tx.commit().await.unwrap();
    });
}

#[test]
fn a_connection_keeps_some_statements_prepared_and_not_all() {
    let place = Database::new();
    let pool = Pool::new(&place.0).unwrap();
    wait(async {
        let tx = pool.read().await.unwrap();
        let prepared = "SELECT count(*) FROM pg_prepared_statements";
        for number in 0..1000 {
            tx.one::<i32>(&format!("SELECT {number}"), &[]).await.unwrap();
            tx.one::<i32>("SELECT 7", &[]).await.unwrap();
            if number == 100 {
                assert_eq!(tx.one::<i64>(prepared, &[]).await.unwrap(), 102);
            }
        }
        assert!(tx.one::<i64>(prepared, &[]).await.unwrap() <= 210);
        tx.commit().await.unwrap();
    });
}
