//! Many pictures through the engine: read in parallel, told in order.
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use viewfinder_core::TaskError;
use viewfinder_index::{Converted, Tools};

/// Does `work` for every item on `workers` threads, and hands each result to `done` in the order of the items, as soon as
/// it and all before it are there. If `done` fails, no further item is begun.
pub(crate) fn in_order<T: Sync, R: Send, E>(
    items: &[T],
    workers: usize,
    work: impl Fn(&T) -> R + Sync,
    mut done: impl FnMut(&T, R) -> Result<(), E>,
) -> Result<(), E> {
    let next = AtomicUsize::new(0);
    let stopped = AtomicBool::new(false);
    let (sender, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..workers.clamp(1, items.len().max(1)) {
            let sender = sender.clone();
            let (next, stopped, work) = (&next, &stopped, &work);
            scope.spawn(move || {
                while !stopped.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(index) else { break };
                    if sender.send((index, work(item))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        let mut told = 0;
        for (index, result) in results {
            early.insert(index, result);
            while let Some(result) = early.remove(&told) {
                let outcome = done(&items[told], result);
                told += 1;
                if outcome.is_err() {
                    stopped.store(true, Ordering::Relaxed);
                    return outcome;
                }
            }
        }
        Ok(())
    })
}

/// A file as a picture that the engine decodes, or why it cannot be made one; `-` is the standard input.
pub(crate) fn read(
    path: &Path,
    tools: &Tools,
    max_bytes: u64,
) -> std::io::Result<Result<Converted, TaskError>> {
    if path == Path::new("-") {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(tools.picture_of_bytes(bytes.into(), max_bytes, &Arc::default()));
    }
    tools.picture_of_file(path, max_bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::in_order;

    #[test]
    fn results_come_in_order_whatever_ends_first() {
        let items: Vec<u64> = (0..20).collect();
        let mut seen = Vec::new();
        let work = |item: &u64| {
            std::thread::sleep(Duration::from_millis((20 - item) % 7));
            item * 2
        };
        let told: Result<(), ()> = in_order(&items, 4, work, |item, double| {
            assert_eq!(double, item * 2);
            seen.push(*item);
            Ok(())
        });
        assert_eq!(told, Ok(()));
        assert_eq!(seen, items);
    }

    #[test]
    fn a_failed_listener_stops_the_work() {
        let items: Vec<u64> = (0..1000).collect();
        let begun = std::sync::atomic::AtomicUsize::new(0);
        let work = |_: &u64| {
            begun.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            std::thread::sleep(Duration::from_millis(1));
        };
        assert_eq!(in_order(&items, 2, work, |_, ()| Err("closed")), Err("closed"));
        assert!(begun.into_inner() < items.len());
    }

    #[test]
    fn nothing_to_do_is_done() {
        assert_eq!(in_order(&[] as &[u8], 3, |_| (), |_, ()| Err("never")), Ok(()));
    }
}
