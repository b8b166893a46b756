use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::library::RerunKind;

/// How a job ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum End {
    /// Every picture had its turn, and not all of them failed.
    Done,
    /// Every picture failed.
    Failed,
    /// Immich does not give previews to the key that started it.
    Refused,
    /// Its owner stopped it.
    Stopped,
}

/// Pictures of one user with which something is done again. As it is kept in the file: credentials are no part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) id: Uuid,
    pub(crate) user: Uuid,
    pub(crate) kind: RerunKind,
    /// Was the PIN of the locked folder given when pictures were added? As Immich, we ask then and not again.
    pub(crate) elevated: bool,
    pub(crate) end: Option<End>,
    pub(crate) all: usize,
    pub(crate) done: usize,
    pub(crate) failed: usize,
    /// Why the last picture that failed did.
    pub(crate) message: Option<String>,
    /// Seconds since 1970.
    pub(crate) created: u64,
    pub(crate) ended: Option<u64>,
    /// When a picture of it last had its turn; 0 while none had.
    #[serde(default)]
    pub(crate) worked: u64,
    /// Pictures still to do, those in hand first.
    pub(crate) left: VecDeque<Uuid>,
    #[serde(skip)]
    in_hand: usize,
}

impl Job {
    /// A job without pictures.
    pub(crate) fn new(user: Uuid, kind: RerunKind, now: u64) -> Self {
        Self {
            id: Uuid::new_v4(),
            user,
            kind,
            elevated: false,
            end: None,
            all: 0,
            done: 0,
            failed: 0,
            message: None,
            created: now,
            ended: None,
            worked: 0,
            left: VecDeque::new(),
            in_hand: 0,
        }
    }

    pub(crate) fn add(&mut self, assets: &[Uuid], elevated: bool) {
        self.all += assets.len();
        self.left.extend(assets);
        self.elevated |= elevated;
    }

    /// Is there a picture that nobody has in hand?
    pub(crate) fn has_next(&self) -> bool {
        self.end.is_none() && self.in_hand < self.left.len()
    }

    /// Takes the next picture in hand.
    pub(crate) fn take(&mut self) -> Option<Uuid> {
        let asset = *self.left.get(self.in_hand)?;
        self.in_hand += 1;
        Some(asset)
    }

    /// Strikes out a picture in hand, which is done or has failed.
    pub(crate) fn strike(&mut self, asset: Uuid) {
        if let Some(place) = self.left.iter().take(self.in_hand).position(|one| *one == asset) {
            self.left.remove(place);
            self.in_hand -= 1;
        }
    }

    /// Puts a picture in hand back, behind all others; nothing is left of it in a job that has ended.
    pub(crate) fn put_back(&mut self, asset: Uuid) {
        self.strike(asset);
        if self.end.is_none() {
            self.left.push_back(asset);
        }
    }

    /// Ends it; pictures in hand are finished.
    pub(crate) fn finish(&mut self, end: End, now: u64) {
        self.left.truncate(self.in_hand);
        self.end = Some(end);
        self.ended = Some(now);
    }

    /// What its owner is told.
    pub(crate) fn told(&self, waits_for_owner: bool, trouble: Option<&str>) -> Value {
        let state = match self.end {
            None if waits_for_owner => "waiting",
            None => "running",
            Some(End::Done) => "done",
            Some(End::Failed | End::Refused) => "failed",
            Some(End::Stopped) => "stopped",
        };
        let mut told = json!({
            "id": self.id,
            "name": self.kind,
            "state": state,
            "all": self.all,
            "done": self.done,
            "failed": self.failed,
        });
        if let Some(message) = trouble.or(self.message.as_deref()) {
            told["message"] = json!(message);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_in_hand_are_still_to_do_until_they_are_struck_out() {
        let ids: Vec<Uuid> = (1..=4).map(Uuid::from_u128).collect();
        let mut job = Job::new(Uuid::nil(), RerunKind::Ocr, 0);
        job.add(&ids, false);
        assert_eq!([job.take(), job.take()], [Some(ids[0]), Some(ids[1])]);
        assert_eq!(job.left, ids);
        job.strike(ids[1]);
        assert_eq!(job.left, [ids[0], ids[2], ids[3]]);
        assert_eq!(job.take(), Some(ids[2]));
        job.put_back(ids[0]);
        assert_eq!(job.left, [ids[2], ids[3], ids[0]]);
        assert_eq!(job.take(), Some(ids[3]));
        job.finish(End::Stopped, 1);
        assert_eq!(job.left, [ids[2], ids[3]]);
        assert!(!job.has_next());
        job.put_back(ids[2]);
        job.strike(ids[3]);
        assert!(job.left.is_empty());
    }
}
