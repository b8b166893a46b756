//! Where a tensor's elements lie in its storage.
use super::CheckpointError;

/// Byte offset, sizes and strides (in elements), as `PyTorch` has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    pub(super) offset: u64,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// One dimension of a walk through the storage.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dim {
    pub(super) size: usize,
    /// Elements to the next position in the storage.
    pub(super) stride: usize,
    /// Elements to the next position in the row-major result.
    pub(super) step: usize,
}

impl Layout {
    /// Elements in row-major order without gaps.
    pub(super) fn contiguous(offset: u64, shape: Vec<usize>) -> Layout {
        let strides = row_major(&shape);
        Layout { offset, shape, strides }
    }

    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    pub(super) fn is_contiguous(&self) -> bool {
        let expected = row_major(&self.shape);
        self.shape
            .iter()
            .zip(&self.strides)
            .zip(expected)
            .all(|((&size, &have), want)| size < 2 || have == want)
    }

    /// The same elements with the dimensions in reverse order.
    pub(super) fn transposed(&self) -> Layout {
        let mut turned = self.clone();
        turned.shape.reverse();
        turned.strides.reverse();
        turned
    }

    /// One of three equal parts, which lie one below the other; an element has so many bytes. There must be an outermost
    /// dimension that three divides.
    pub(super) fn third(&self, third: usize, element: usize) -> Layout {
        let mut part = self.clone();
        part.shape[0] /= 3;
        part.offset += (third * part.shape[0] * part.strides[0] * element) as u64;
        part
    }

    /// Checks that all elements lie in a storage of so many bytes, and that no product overflows afterwards.
    pub(super) fn check(&self, tensor: &str, element: usize, storage: u64) -> Result<(), CheckpointError> {
        if self.shape.contains(&0) {
            return Ok(());
        }
        let outside =
            |needed| CheckpointError::OutOfStorage { tensor: tensor.to_owned(), needed, found: storage };
        let last = self.shape.iter().zip(&self.strides).try_fold(0u64, |sum, (&size, &stride)| {
            (size as u64 - 1).checked_mul(stride as u64)?.checked_add(sum)
        });
        let end = last
            .and_then(|last| last.checked_add(1)?.checked_mul(element as u64)?.checked_add(self.offset))
            .ok_or_else(|| outside(u64::MAX))?;
        if end > storage {
            return Err(outside(end));
        }
        // A view may repeat elements (stride 0), so its size is not bounded by its extent.
        let repeats = self.shape.iter().try_fold(element as u64, |all, &size| all.checked_mul(size as u64));
        match repeats {
            Some(bytes) if bytes <= storage => Ok(()),
            _ => Err(CheckpointError::Unsupported {
                item: tensor.to_owned(),
                reason: format!("the tensor is larger than its storage of {storage} bytes"),
            }),
        }
    }

    /// The dimensions from the longest stride to the shortest: walked so, positions in the storage only grow, unless
    /// dimensions overlap.
    pub(super) fn walk(&self) -> Vec<Dim> {
        let steps = row_major(&self.shape);
        let mut dims: Vec<Dim> = self
            .shape
            .iter()
            .zip(&self.strides)
            .zip(steps)
            .map(|((&size, &stride), step)| Dim { size, stride, step })
            .filter(|dim| dim.size != 1)
            .collect();
        dims.sort_by_key(|dim| std::cmp::Reverse(dim.stride));
        dims
    }
}

/// Strides of a tensor without gaps. Where a size is 0, or the product overflows, they mean nothing.
fn row_major(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for at in (1..shape.len()).rev() {
        strides[at - 1] = shape[at].wrapping_mul(strides[at]);
    }
    strides
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(offset: u64, shape: &[usize], strides: &[usize]) -> Layout {
        Layout { offset, shape: shape.to_vec(), strides: strides.to_vec() }
    }

    #[test]
    fn extents_are_exact() {
        for (fits, layout, storage) in [
            (true, layout(0, &[2, 3], &[3, 1]), 24),
            (false, layout(0, &[2, 3], &[3, 1]), 23),
            (false, layout(4, &[2, 3], &[3, 1]), 24),
            (true, layout(0, &[3, 2], &[1, 3]), 24),
            (true, layout(0, &[], &[]), 4),
            (false, layout(1, &[], &[]), 4),
            (true, layout(u64::MAX, &[0, usize::MAX], &[1, 1]), 0),
            (false, layout(0, &[usize::MAX, 2], &[usize::MAX, 1]), u64::MAX),
            (false, layout(0, &[usize::MAX, usize::MAX], &[0, 0]), 1 << 40),
            (false, layout(0, &[2], &[0]), 4),
        ] {
            assert_eq!(layout.check("t", 4, storage).is_ok(), fits, "{layout:?} in {storage}");
        }
    }

    #[test]
    fn thirds_lie_behind_each_other() {
        let whole = layout(8, &[6, 5], &[5, 1]);
        assert_eq!(whole.third(0, 2), layout(8, &[2, 5], &[5, 1]));
        assert_eq!(whole.third(2, 2), layout(8 + 40, &[2, 5], &[5, 1]));
        assert_eq!(layout(0, &[3, 4], &[1, 3]).third(1, 4), layout(4, &[1, 4], &[1, 3]));
    }

    #[test]
    fn strides_of_single_elements_do_not_matter() {
        assert!(layout(0, &[1, 5], &[77, 1]).is_contiguous());
        assert!(layout(0, &[2, 1, 5], &[5, 9, 1]).is_contiguous());
        assert!(!layout(0, &[2, 5], &[6, 1]).is_contiguous());
        assert!(!layout(0, &[5, 2], &[1, 5]).is_contiguous());
        assert!(layout(0, &[5, 2], &[1, 5]).transposed().is_contiguous());
    }
}
