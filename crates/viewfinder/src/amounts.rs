//! Amounts in words for people.
use std::time::Duration;

use indicatif::HumanDuration;

/// Bytes: `377 MB`, `12.3 MB`, `586 kB`.
pub(crate) fn size(bytes: u64) -> String {
    let amount = bytes as f64;
    match bytes {
        0..1000 => format!("{bytes} bytes"),
        1000..999_500 => format!("{:.0} kB", amount / 1e3),
        999_500..99_950_000 => format!("{:.1} MB", amount / 1e6),
        99_950_000..999_500_000 => format!("{:.0} MB", amount / 1e6),
        _ => format!("{:.1} GB", amount / 1e9),
    }
}

/// Bytes a second, with one decimal: `1.2 MB/s`, `0.9 kB/s`.
pub(crate) fn rate(bytes_a_second: f64) -> String {
    if bytes_a_second < 999_950.0 {
        format!("{:.1} kB/s", bytes_a_second / 1e3)
    } else {
        format!("{:.1} MB/s", bytes_a_second / 1e6)
    }
}

/// How long so much takes at that rate: `4 minutes`; none where that cannot be said.
pub(crate) fn left(amount: u64, rate: f64) -> Option<String> {
    let seconds = amount as f64 / rate;
    // A month is no forecast any more.
    (seconds.is_finite() && seconds < 2.6e6)
        .then(|| HumanDuration(Duration::from_secs_f64(seconds.ceil())).to_string())
}

/// A number and what is counted, in its right form: `1 picture`, `2 pictures`.
pub(crate) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short_and_rates_have_one_decimal() {
        for (bytes, told) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (585_532, "586 kB"),
            (999_600, "1.0 MB"),
            (12_345_678, "12.3 MB"),
            (377_000_000, "377 MB"),
            (3_770_000_000, "3.8 GB"),
        ] {
            assert_eq!(size(bytes), told);
        }
        assert_eq!(rate(1_240_000.0), "1.2 MB/s");
        assert_eq!(rate(940.0), "0.9 kB/s");
        assert_eq!(left(1_200_000, 10_000.0).as_deref(), Some("2 minutes"));
        assert_eq!(left(377_000_000, 0.0), None);
        assert_eq!(counted(1, "picture", "pictures"), "1 picture");
        assert_eq!(counted(0, "picture", "pictures"), "0 pictures");
    }
}
