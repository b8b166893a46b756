//! Listens to what a program says.
use std::{
    io::{self, Read},
    sync::mpsc,
    thread,
    time::Duration,
};

/// A pipe whose program has ended says the rest at once, unless something outside its group holds it.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) type PipeReader = Option<mpsc::Receiver<Vec<u8>>>;

/// Reads at most `limit` bytes. What comes after is thrown away if the program shall go on, else it finds its pipe closed.
pub(crate) fn listen(pipe: Option<impl Read + Send + 'static>, limit: u64, go_on: bool) -> PipeReader {
    let mut pipe = pipe?;
    let (tell, hear) = mpsc::channel();
    thread::spawn(move || {
        let mut heard = Vec::new();
        // A pipe that breaks has said all it could.
        let _ = pipe.by_ref().take(limit).read_to_end(&mut heard);
        if go_on {
            let _ = io::copy(&mut pipe, &mut io::sink());
        }
        // Nobody may listen any more.
        let _ = tell.send(heard);
    });
    Some(hear)
}

/// What was said by a program that has ended.
pub(crate) fn collect(listening: PipeReader) -> Vec<u8> {
    listening.and_then(|hear| hear.recv_timeout(PATIENCE).ok()).unwrap_or_default()
}
