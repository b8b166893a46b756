//! A network made of a closure, for tests of single stages.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Network, NetworkError, Tensor, View};

/// One output: its shape and its values.
pub(crate) type Output = (Vec<usize>, Vec<f32>);

type Answer = dyn Fn(&[Tensor]) -> Result<Vec<Output>, NetworkError> + Send + Sync;

pub(crate) struct Fake {
    inputs: Vec<(String, Vec<Option<usize>>)>,
    answer: Box<Answer>,
    calls: AtomicUsize,
}

impl Fake {
    /// A network that declares `inputs` and answers by calling `answer`.
    pub(crate) fn new(
        inputs: &[(&str, &[Option<usize>])],
        answer: impl Fn(&[Tensor]) -> Result<Vec<Output>, NetworkError> + Send + Sync + 'static,
    ) -> Self {
        let inputs = inputs.iter().map(|(name, shape)| ((*name).to_owned(), shape.to_vec())).collect();
        Self { inputs, answer: Box::new(answer), calls: AtomicUsize::new(0) }
    }

    /// How often it was run.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

impl Network for Fake {
    fn run(&self, inputs: Vec<Tensor>, read: &mut dyn FnMut(&[View<'_>])) -> Result<(), NetworkError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        let outputs = (self.answer)(&inputs)?;
        let views: Vec<_> = outputs.iter().map(|(shape, data)| View { shape: shape.clone(), data }).collect();
        read(&views);
        Ok(())
    }

    fn metadata(&self, _key: &str) -> Option<String> {
        None
    }

    fn inputs(&self) -> &[(String, Vec<Option<usize>>)] {
        &self.inputs
    }

    fn outputs(&self) -> &[(String, Vec<Option<usize>>)] {
        &[]
    }
}
