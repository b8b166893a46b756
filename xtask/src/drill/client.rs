//! A client that asks as Immich's server does, and checks every answer.

use std::{
    collections::VecDeque,
    fs,
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::{
    http,
    process::say,
    quality,
    server::{CLIP, FACES, SENTENCE, TEXT},
    workspace,
};

/// Immich sends so many at a time of each kind, with its default settings.
const KINDS: [(&str, &str, usize); 3] = [("ocr", TEXT, 1), ("clip", CLIP, 2), ("faces", FACES, 2)];
/// Pictures of the drawn library that are used.
const PICTURES: usize = 30;
/// A sentence is asked so often, whether or not the one before is answered.
const SENTENCES_EVERY: Duration = Duration::from_millis(200);
/// Numbers may differ by so much: sums run in another order when a node is busy.
const TOLERANCE: f64 = 1e-3;

/// A question, and the answer of a node that was asked directly.
struct Question {
    name: String,
    body: Vec<u8>,
    answer: Value,
}

impl Question {
    fn new(node: &str, name: String, body: Vec<u8>) -> Result<Self> {
        let answer = http::predict(node, &body).with_context(|| name.clone())?;
        Ok(Self { name, body, answer: serde_json::from_str(&answer)? })
    }

    /// Asks the server in front; an error is a lost job.
    fn ask(&self, gateway: &str) -> Result<()> {
        let answer = http::predict(gateway, &self.body)?;
        let answer: Value = serde_json::from_str(&answer).context("the answer is no JSON")?;
        ensure!(same(&answer, &self.answer), "the answer is wrong: {:.200}", answer.to_string());
        Ok(())
    }
}

/// Everything that is asked.
pub(crate) struct Questions {
    kinds: Vec<Vec<Question>>,
    sentences: Vec<Question>,
}

impl Questions {
    /// Asks a node for the right answers.
    pub(crate) fn new(node: &str) -> Result<Self> {
        let folder = |name: &str| quality::pictures(&workspace().join("tests/fixtures").join(name));
        let mut pictures = folder("library")?;
        pictures.truncate(PICTURES);
        let faces: Vec<_> = folder("faces")?.into_iter().chain(pictures[..2].iter().cloned()).collect();
        let mut kinds = Vec::new();
        for (kind, entries, _) in KINDS {
            let files = if kind == "faces" { &faces } else { &pictures };
            let questions = files.iter().map(|file| {
                let content = fs::read(file).with_context(|| file.display().to_string())?;
                let name = format!("{kind} of {}", file.display());
                Question::new(node, name, http::question(entries, "image", &content))
            });
            kinds.push(questions.collect::<Result<_>>()?);
        }
        let sentences = (0..20).map(|number| {
            let text = format!("sunset number {number}");
            let body = http::question(SENTENCE, "text", text.as_bytes());
            Question::new(node, text, body)
        });
        Ok(Self { kinds, sentences: sentences.collect::<Result<_>>()? })
    }
}

/// What became of the questions.
#[derive(Default)]
pub(crate) struct Tally {
    /// Pictures by kind: answered rightly.
    pub(crate) answered: [AtomicUsize; KINDS.len()],
    /// Why pictures were lost.
    pub(crate) lost: Mutex<Vec<String>>,
    /// The longest that a picture took.
    pub(crate) slowest: Mutex<Duration>,
    /// Times of sentences that were asked and answered while a healthy node was there.
    pub(crate) sentences: Mutex<Vec<Duration>>,
    /// Why sentences were not answered, or wrongly, while a healthy node was there.
    pub(crate) sentences_lost: Mutex<Vec<String>>,
    /// Sentences asked while none was.
    pub(crate) hopeless: AtomicUsize,
}

impl Tally {
    pub(crate) fn pictures(&self) -> usize {
        self.answered.iter().map(|count| count.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn kinds(&self) -> String {
        let counts = self.answered.iter().zip(KINDS);
        let counts = counts.map(|(count, (kind, ..))| format!("{} {kind}", count.load(Ordering::Relaxed)));
        counts.collect::<Vec<_>>().join(", ")
    }
}

/// What the client knows of the drill.
pub(crate) struct Course {
    /// No more questions.
    pub(crate) over: AtomicBool,
    /// Is there a node that could answer?
    pub(crate) hope: AtomicBool,
}

impl Course {
    pub(crate) fn new() -> Self {
        Self { over: AtomicBool::new(false), hope: AtomicBool::new(true) }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }
}

/// Asks about pictures until the drill is over; every question that was begun is waited for.
pub(crate) fn ask_pictures(gateway: &str, questions: &Questions, course: &Course, tally: &Tally) {
    std::thread::scope(|scope| {
        for ((questions, answered), (_, _, at_a_time)) in
            questions.kinds.iter().zip(&tally.answered).zip(KINDS)
        {
            for client in 0..at_a_time {
                scope.spawn(move || {
                    let mine = questions.iter().skip(client).step_by(at_a_time).cycle();
                    for question in mine.take_while(|_| !course.is_over()) {
                        let started = Instant::now();
                        match question.ask(gateway) {
                            Ok(()) => drop(answered.fetch_add(1, Ordering::Relaxed)),
                            Err(error) => note(&tally.lost, &question.name, &error),
                        }
                        let mut slowest = tally.slowest.lock().expect("no client panics while counting");
                        *slowest = slowest.max(started.elapsed());
                    }
                });
            }
        }
    });
}

/// Asks about sentences until the drill is over, at a steady pace.
pub(crate) fn ask_sentences(gateway: &str, questions: &Questions, course: &Course, tally: &Tally) {
    let mut due = Instant::now();
    std::thread::scope(|scope| {
        let mut running = VecDeque::new();
        for question in questions.sentences.iter().cycle().take_while(|_| !course.is_over()) {
            running.push_back(scope.spawn(move || {
                let hope = course.hope.load(Ordering::Relaxed);
                let started = Instant::now();
                let result = question.ask(gateway);
                let took = started.elapsed();
                if !hope || !course.hope.load(Ordering::Relaxed) {
                    tally.hopeless.fetch_add(1, Ordering::Relaxed);
                    return;
                }
                tally.sentences.lock().expect("no client panics while counting").push(took);
                if let Err(error) = result {
                    note(&tally.sentences_lost, &question.name, &error);
                }
            }));
            while running.front().is_some_and(std::thread::ScopedJoinHandle::is_finished) {
                running.pop_front();
            }
            due += SENTENCES_EVERY;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
    });
}

fn note(list: &Mutex<Vec<String>>, name: &str, error: &anyhow::Error) {
    let line = format!("{name}: {error:#}");
    say(&format!("LOST {line}"));
    list.lock().expect("no client panics while counting").push(line);
}

/// Do two answers say the same?
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Number(a), Value::Number(b)) => {
            let (a, b) = (a.as_f64().unwrap_or(f64::NAN), b.as_f64().unwrap_or(f64::NAN));
            (a - b).abs() <= TOLERANCE * a.abs().max(1.0)
        }
        // Vectors are arrays in strings.
        (Value::String(a), Value::String(b)) if a.starts_with('[') && a != b => {
            let parse = |text: &str| serde_json::from_str::<Value>(text).ok().filter(Value::is_array);
            parse(a).zip(parse(b)).is_some_and(|(a, b)| same(&a, &b))
        }
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answers_are_the_same_up_to_the_last_digits() {
        let answer =
            json!({ "clip": "[0.1,0.2]", "ocr": { "text": ["a"], "box": [0.5, 100.0] }, "imageWidth": 3 });
        let changed = |pointer: &str, value: Value| {
            let mut other = answer.clone();
            *other.pointer_mut(pointer).unwrap() = value;
            other
        };
        assert!(same(&answer, &answer));
        assert!(same(&answer, &changed("/clip", json!("[0.1,0.20001]"))));
        assert!(same(&answer, &changed("/ocr/box/1", json!(100.01))));
        for (pointer, value) in [
            ("/clip", json!("[0.1,0.25]")),
            ("/clip", json!("[0.1]")),
            ("/clip", json!("[0.1,0.2")),
            ("/ocr/text/0", json!("b")),
            ("/ocr/box", json!([0.5])),
            ("/ocr/box/0", json!(0.51)),
            ("/ocr", json!({ "text": ["a"] })),
            ("/imageWidth", json!("3")),
        ] {
            assert!(!same(&answer, &changed(pointer, value)), "{pointer}");
        }
    }
}
