//! Tensors that lie in their storage in any order, against the plain sum of index times stride.
use crate::support::{floats, one_tensor, open, torch};
use proptest::prelude::*;
use viewfinder_convert::checkpoint::CheckpointError;
use zip::CompressionMethod::{Deflated, Stored};

fn plain(values: &[f32], offset: usize, shape: &[usize], strides: &[usize]) -> Vec<f32> {
    let mut positions = vec![offset];
    for (&size, &stride) in shape.iter().zip(strides) {
        positions = positions.iter().flat_map(|at| (0..size).map(move |index| at + index * stride)).collect();
    }
    positions.into_iter().map(|at| values[at]).collect()
}

#[test]
fn a_transposed_matrix_larger_than_one_read() {
    let values: Vec<f32> = (0..600 * 500).map(|at| at as f32).collect();
    let bytes = floats(&values);
    for (offset, shape, strides) in [
        (0, vec![500, 600], vec![1, 500]),
        (7, vec![450, 599], vec![1, 500]),
        (3, vec![599, 250], vec![500, 2]),
        (1, vec![10, 20, 30], vec![500, 1, 5000]),
        (299_999, vec![1, 1], vec![1, 1]),
    ] {
        let pickle = one_tensor(values.len(), offset, &shape, &strides);
        for method in [Stored, Deflated] {
            let read = open(&torch(&pickle, &[&bytes], method)).unwrap().read("w").unwrap();
            assert!(read == plain(&values, offset, &shape, &strides), "{shape:?} {strides:?} {method}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_strides(
        dims in prop::collection::vec((0usize..5, 0usize..9), 0..4), offset in 0usize..4, spare in 0usize..9,
    ) {
        let (shape, strides): (Vec<_>, Vec<_>) = dims.into_iter().unzip();
        let reach: usize = shape.iter().zip(&strides).map(|(size, stride)| size.saturating_sub(1) * stride).sum();
        let count = offset + reach + 1 + spare;
        let values: Vec<f32> = (0..count).map(|at| at as f32).collect();
        let pickle = one_tensor(count, offset, &shape, &strides);
        for method in [Stored, Deflated] {
            let read = open(&torch(&pickle, &[&floats(&values)], method)).and_then(|file| file.read("w"));
            match read {
                Ok(read) => prop_assert_eq!(read, plain(&values, offset, &shape, &strides)),
                // More elements than the storage has, or, compressed, in an order that goes back.
                Err(CheckpointError::Unsupported { .. }) => {
                    prop_assert!(shape.iter().product::<usize>() > count || method == Deflated);
                }
                Err(error) => prop_assert!(false, "{error}"),
            }
        }
    }
}
