//! A catalogue in a database that goes away and comes back.
use std::{
    sync::{Arc, Mutex},
    thread::sleep,
    time::Duration,
};

use viewfinder_catalog::{AnalysisKind, Filter};
use viewfinder_index::{Event, Listener};
use viewfinder_test_support::PostgresServer;

use crate::support::{CLIP, Library, engine, wait};

/// Stops the server as soon as the first picture is done, and starts it again after the run has noticed.
struct Disturber {
    server: Mutex<PostgresServer>,
    state: Mutex<State>,
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    Before,
    Down,
    After,
}

impl Listener for Disturber {
    fn tell(&self, event: Event) {
        let mut state = self.state.lock().unwrap();
        match (*state, event) {
            (State::Before, Event::Analysed { .. }) => {
                self.server.lock().unwrap().stop();
                *state = State::Down;
            }
            (State::Down, Event::Paused { .. }) => {
                sleep(Duration::from_millis(500));
                self.server.lock().unwrap().start_again();
                *state = State::After;
            }
            _ => {}
        }
    }
}

#[test]
fn a_database_that_restarts_mid_way_is_waited_for_and_nothing_is_lost() {
    let server = PostgresServer::start(&[]);
    let library = Library::in_database(&server.new_database());
    for number in 0..6 {
        library.put(&format!("{number}.jpg"), &format!("library/000{number}.jpg"));
    }
    let kinds = [AnalysisKind::Ocr, AnalysisKind::Clip];
    let analysis = library.analysis(&kinds);
    let disturber = Arc::new(Disturber { server: Mutex::new(server), state: Mutex::new(State::Before) });
    let summary = library.index_telling(analysis, engine(), Arc::clone(&disturber) as Arc<dyn Listener>);
    assert!(*disturber.state.lock().unwrap() == State::After);
    assert_eq!((summary.scanned.new, summary.analysed.done, summary.analysed.failed), (6, 6, 0));
    let states = wait(library.store.counts()).unwrap().states;
    assert_eq!(states[..2], [[0, 6, 0], [0, 6, 0]]);
    let (_, vector) = wait(library.store.embedding(library.asset("3.jpg").id)).unwrap().unwrap();
    assert_eq!(wait(library.store.nearest(CLIP, &vector, &Filter::default(), 9)).unwrap().len(), 6);
}
