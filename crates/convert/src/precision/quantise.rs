//! Weights as 8-bit integers.

/// Largest sum of two neighbours of one sign. Processors without VNNI multiply unsigned activations with signed
/// weights in pairs and add them in 16 bits: 255 · 128 = 32 640 is the most that fits. So results are the same on
/// every processor. Rounding can add half to each of the two, hence one less than 128. Weights of 7 bits would
/// be safe too, at twice the error.
const PAIR: f32 = 127.0;

/// Columns whose largest value is below this are zero: their scale would be no normal number.
const NOTHING: f32 = 1e-30;

/// Weights of a product, a column for each output channel.
pub(super) struct Quantised {
    /// Row-major, `inputs × outputs`.
    pub(super) values: Vec<i8>,
    /// What a value's one is worth, for each output channel.
    pub(super) scales: Vec<f32>,
}

/// Weights as the file has them.
#[derive(Clone, Copy)]
pub(super) struct Weights<'a> {
    /// Row-major, `inputs × outputs`, or `outputs × inputs` if `transposed`.
    pub(super) values: &'a [f32],
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) transposed: bool,
}

impl Weights<'_> {
    fn at(&self, input: usize, output: usize) -> f32 {
        self.values
            [if self.transposed { output * self.inputs + input } else { input * self.outputs + output }]
    }

    /// Adds the squares of each input's weights.
    pub(super) fn add_energies(&self, energies: &mut [f64]) {
        for (input, energy) in energies.iter_mut().enumerate() {
            *energy += (0..self.outputs).map(|output| f64::from(self.at(input, output)).powi(2)).sum::<f64>();
        }
    }

    /// Quantises the weights divided by their input's `balance`.
    pub(super) fn quantise(&self, balance: &[f32]) -> Quantised {
        let mut scales = vec![0_f32; self.outputs];
        for first in (0..self.inputs).step_by(2) {
            for (output, scale) in scales.iter_mut().enumerate() {
                let balanced = |input: usize| self.at(input, output) / balance[input];
                let (a, b) =
                    (balanced(first), if first + 1 < self.inputs { balanced(first + 1) } else { 0.0 });
                *scale = scale.max(a.max(0.0) + b.max(0.0)).max(-(a.min(0.0) + b.min(0.0)));
            }
        }
        for scale in &mut scales {
            *scale = if *scale < NOTHING { 1.0 } else { *scale / PAIR };
        }
        let mut values = Vec::with_capacity(self.inputs * self.outputs);
        for (input, balance) in balance.iter().enumerate() {
            values.extend(
                scales
                    .iter()
                    .enumerate()
                    .map(|(output, scale)| (self.at(input, output) / balance / scale).round() as i8),
            );
        }
        Quantised { values, scales }
    }
}

/// What activations are multiplied with, and weights divided by, so that neither has channels that stand out.
///
/// Networks learn small weights for channels with large activations, and such weights would have no digits left beside
/// the others. Half of the difference, in the logarithm, goes to the activations.
pub(super) fn balance(energies: &[f64]) -> Vec<f32> {
    let mean = energies.iter().sum::<f64>() / energies.len() as f64;
    if mean == 0.0 {
        return vec![1.0; energies.len()];
    }
    // Energies are squares: the fourth root is the square root of their size.
    energies.iter().map(|energy| (energy / mean).clamp(1e-6, 1e6).powf(0.25) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(values: &[f32], inputs: usize, outputs: usize) -> Quantised {
        Weights { values, inputs, outputs, transposed: false }.quantise(&vec![1.0; inputs])
    }

    #[test]
    fn neighbours_never_overflow_sixteen_bits() {
        let weights: Vec<f32> = (0..7 * 5).map(|i| ((i * 37 % 23) as f32 - 11.0) * 0.3).collect();
        let quantised = plain(&weights, 7, 5);
        for output in 0..5 {
            for first in (0..7).step_by(2) {
                let value = |input: usize| i32::from(quantised.values[input * 5 + output]) * 255;
                let (a, b) = (value(first), if first + 1 < 7 { value(first + 1) } else { 0 });
                assert!(i16::try_from(a.max(0) + b.max(0)).is_ok());
                assert!(i16::try_from(a.min(0) + b.min(0)).is_ok());
            }
        }
    }

    #[test]
    fn both_layouts_give_the_same() {
        let columns = [1.0, 0.5, 0.25, -2.0, 3.0, -0.125];
        let a = plain(&[1.0, -2.0, 0.5, 3.0, 0.25, -0.125], 3, 2);
        let b = Weights { values: &columns, inputs: 3, outputs: 2, transposed: true }.quantise(&[1.0; 3]);
        assert_eq!((a.values, a.scales), (b.values, b.scales));
    }

    #[test]
    fn an_empty_column_is_zero() {
        let quantised = plain(&[0.0, 1.0, 0.0, -1.0], 2, 2);
        assert_eq!(quantised.values, [0, 127, 0, -127]);
        assert_eq!(quantised.scales[0], 1.0);
    }

    #[test]
    fn balance_is_the_root_of_the_size() {
        assert_eq!(balance(&[1.0, 1.0]), [1.0, 1.0]);
        assert_eq!(balance(&[0.0, 0.0]), [1.0, 1.0]);
        let found = balance(&[1.0, 16.0]);
        assert!((found[1] / found[0] - 2.0).abs() < 1e-6);
        assert!(balance(&[0.0, 1.0])[0] > 0.0);
    }
}
