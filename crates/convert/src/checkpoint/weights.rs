//! A Chinese-CLIP's weights under one set of names.
use super::{
    Checkpoint, CheckpointError,
    names::{self, Naming, Origin},
};
use std::collections::BTreeSet;

/// The tensors of a Chinese-CLIP by the names and in the shapes of the `cn_clip` package, whether that or Hugging Face
/// wrote the file.
#[derive(Debug)]
pub struct Weights {
    checkpoint: Checkpoint,
    naming: Naming,
}

impl Weights {
    /// Finds out whose names a checkpoint has.
    pub fn new(checkpoint: Checkpoint) -> Result<Weights, CheckpointError> {
        let naming = if checkpoint.contains(names::FLASH_ATTENTION_MARK) {
            Naming::FlashAttention
        } else if checkpoint.contains(names::CN_CLIP_MARK) {
            Naming::CnClip
        } else if checkpoint.contains(names::HUGGING_FACE_MARK) {
            Naming::HuggingFace
        } else {
            return Err(CheckpointError::NotChineseClip {
                cn_clip: names::CN_CLIP_MARK,
                hugging_face: names::HUGGING_FACE_MARK,
            });
        };
        Ok(Weights { checkpoint, naming })
    }

    /// Is there such a tensor?
    pub fn contains(&self, name: &str) -> bool {
        match names::origin(self.naming, name) {
            Some(Origin::Same(one) | Origin::Transposed(one) | Origin::Third(one, _)) => {
                self.checkpoint.contains(&one)
            }
            Some(Origin::Joined(parts)) => parts.iter().all(|part| self.checkpoint.contains(part)),
            None => false,
        }
    }

    /// The sizes of a tensor's dimensions.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>, CheckpointError> {
        match self.origin(name)? {
            Origin::Same(one) => self.checkpoint.shape(&one).map(<[usize]>::to_vec),
            Origin::Transposed(one) => {
                self.checkpoint.shape(&one).map(|shape| shape.iter().rev().copied().collect())
            }
            Origin::Third(one, _) => {
                let mut shape = self.checkpoint.shape(&one)?.to_vec();
                match shape.first_mut() {
                    Some(rows) if rows.is_multiple_of(3) => *rows /= 3,
                    _ => {
                        let reason = "it should be query, key and value, one below the other".to_owned();
                        return Err(CheckpointError::Malformed { item: one, reason });
                    }
                }
                Ok(shape)
            }
            Origin::Joined(parts) => {
                let mut joined = self.checkpoint.shape(&parts[0])?.to_vec();
                for part in &parts[1..] {
                    let shape = self.checkpoint.shape(part)?;
                    // Equal shapes are what the model has; others would not divide into three either.
                    if Some(shape) != self.checkpoint.shape(&parts[0]).ok() || shape.is_empty() {
                        return Err(CheckpointError::Shape {
                            tensor: part.clone(),
                            expected: self.checkpoint.shape(&parts[0])?.to_vec(),
                            found: shape.to_vec(),
                        });
                    }
                    joined[0] += shape[0];
                }
                Ok(joined)
            }
        }
    }

    /// Reads a tensor, which must have this shape.
    pub fn read(&self, name: &str, expected: &[usize]) -> Result<Vec<f32>, CheckpointError> {
        let mut out = Vec::new();
        self.read_into(name, expected, &mut out)?;
        Ok(out)
    }

    /// Reads a tensor, which must have this shape, in place of what the buffer holds.
    pub fn read_into(
        &self,
        name: &str,
        expected: &[usize],
        out: &mut Vec<f32>,
    ) -> Result<(), CheckpointError> {
        let found = self.shape(name)?;
        if found != expected {
            let (tensor, expected) = (name.to_owned(), expected.to_vec());
            return Err(CheckpointError::Shape { tensor, expected, found });
        }
        out.clear();
        match self.origin(name)? {
            Origin::Same(one) => self.checkpoint.append(&one, |layout, _| layout.clone(), out),
            Origin::Transposed(one) => self.checkpoint.append(&one, |layout, _| layout.transposed(), out),
            Origin::Third(one, third) => {
                self.checkpoint.append(&one, |layout, element| layout.third(third, element), out)
            }
            Origin::Joined(parts) => {
                out.reserve_exact(expected.iter().product());
                parts
                    .iter()
                    .try_for_each(|part| self.checkpoint.append(part, |layout, _| layout.clone(), out))
            }
        }
    }

    /// How many numbered parts there are, from 0: with `visual.transformer.resblocks` the picture's blocks, with
    /// `bert.encoder.layer` the text's, with `visual.layer1` a `ResNet` stage's. A gap is an error.
    pub fn layers(&self, prefix: &str) -> Result<usize, CheckpointError> {
        let prefix = names::numbered(self.naming, &format!("{prefix}."));
        let number = |name: &str| name.strip_prefix(&prefix)?.split_once('.')?.0.parse().ok();
        let numbers: BTreeSet<usize> = self.checkpoint.names().filter_map(number).collect();
        match (0..numbers.len()).find(|number| !numbers.contains(number)) {
            Some(gap) => Err(CheckpointError::Missing { tensor: format!("{prefix}{gap}") }),
            None => Ok(numbers.len()),
        }
    }

    /// The checkpoint itself, with its own names.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    fn origin(&self, name: &str) -> Result<Origin, CheckpointError> {
        names::origin(self.naming, name).ok_or_else(|| CheckpointError::Missing { tensor: name.to_owned() })
    }
}
