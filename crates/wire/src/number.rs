//! Number formats of the Python services that clients were written against.

/// Rounds to two decimals the way Python's `round(x, 2)` does: correctly, from the exact binary value.
pub(crate) fn two_decimals(value: f64) -> f64 {
    // Formatting with a precision is correctly rounded, and what it prints always parses.
    let rounded = format!("{value:.2}").parse().unwrap_or(value);
    // A tiny negative must not become "-0.0".
    if rounded == 0.0 { 0.0 } else { rounded }
}

/// The shortest text that reads back as the same number, with at least one decimal: `4.0`, `12.35`.
pub(crate) fn shortest(value: f64) -> String {
    format!("{value:?}")
}

/// The number that the shortest decimal of an `f32` means: 0.6, and not the 0.6000000238418579 it is stored as.
pub(crate) fn meant(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

/// Cuts off the fraction; numbers beyond the range stay at its end.
pub(crate) fn truncated(value: f32) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_decimals_round_the_widened_value() {
        // 12.345 as f32 lies just above the half once widened, and 2.675 as f64 just below it.
        assert_eq!(shortest(two_decimals(f64::from(12.345_f32))), "12.35");
        assert_eq!(shortest(two_decimals(2.675)), "2.67");
        assert_eq!(shortest(two_decimals(4.0)), "4.0");
        assert_eq!(shortest(two_decimals(283.0)), "283.0");
        assert_eq!(shortest(two_decimals(-0.001)), "0.0");
        assert_eq!(shortest(two_decimals(-1.005)), "-1.0");
    }

    #[test]
    fn truncation_goes_towards_zero() {
        assert_eq!(truncated(-3.9), -3);
        assert_eq!(truncated(3.9), 3);
        assert_eq!(truncated(f32::NAN), 0);
    }
}
