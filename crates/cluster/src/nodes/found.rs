//! What a peer found out, task by task.

use crate::nodes::NodeError;
use viewfinder_core::{Answer, PictureAnswer};

/// The picture's size in pixels, and an answer for each task or why there is none.
pub(crate) struct Found {
    pub(crate) size: [usize; 2],
    pub(crate) answers: Vec<Result<Answer, NodeError>>,
}

impl Found {
    /// The engine's answer; an error if no task has one.
    pub(crate) fn at(self, node: &str) -> Result<PictureAnswer, NodeError> {
        if let Some(Err(error)) = self.answers.first()
            && self.answers.iter().all(Result::is_err)
        {
            return Err(error.clone());
        }
        let [width, height] = self.size;
        let answers = self.answers.into_iter().map(|answer| answer.map_err(|error| error.at(node))).collect();
        Ok(PictureAnswer { width, height, answers })
    }
}

/// What became of one question, unless the peer itself is in such trouble that it need not be asked another.
pub(crate) fn split_task_error<T>(result: Result<T, NodeError>) -> Result<Result<T, NodeError>, NodeError> {
    match result {
        Err(error @ (NodeError::Unreachable(_) | NodeError::TimedOut(_) | NodeError::Busy { .. })) => {
            Err(error)
        }
        result => Ok(result),
    }
}
