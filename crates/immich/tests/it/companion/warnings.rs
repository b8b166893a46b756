//! What is written to the log.

use std::{
    fmt::Debug,
    sync::{Arc, Mutex},
};

use serde_json::json;
use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
};
use viewfinder_immich::library::LibraryError;

use crate::companion::{
    immich::{NO_USER, SESSION, UNLOCKED},
    support::Running,
};

/// Remembers warnings.
#[derive(Clone, Default)]
struct Warnings(Arc<Mutex<Vec<String>>>);

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

impl Subscriber for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::WARN
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_cause_is_told_once_for_each_caller() {
    let warnings = Warnings::default();
    // The requests are answered on this thread.
    let _here = tracing::subscriber::set_default(warnings.clone());
    let told = || std::mem::take(&mut *warnings.0.lock().unwrap());
    let running = Running::start().await;
    for key in [NO_USER, NO_USER, NO_USER, NO_USER] {
        running.post_as(&format!("x-api-key: {key}"), "/api/search/smart", json!({"query": "cat"})).await;
    }
    assert_eq!(told(), ["a search is left to Immich"]);
    for code in ["database_away", "engine", "database_away", "engine"] {
        let trouble = LibraryError::Failed { code, message: "no connection".into() };
        *running.shelf.trouble.lock().unwrap() = Some(trouble);
        for session in [SESSION, UNLOCKED] {
            let header = format!("x-immich-user-token: {session}");
            running.post_as(&header, "/api/search/smart", json!({"query": "cat"})).await;
        }
    }
    // Both sessions are of one user.
    assert_eq!(told(), ["a search is left to Immich"; 2]);
    running.immich.stop();
    while tokio::net::TcpStream::connect(running.immich.address).await.is_ok() {
        tokio::task::yield_now().await;
    }
    for _ in 0..3 {
        running.post("/api/search/smart", json!({"query": "cat"})).await;
    }
    let told = told();
    assert_eq!(told.iter().filter(|line| line.contains("behind the proxy")).count(), 1, "{told:?}");
}
