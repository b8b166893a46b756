//! Dates as people write them.

/// Milliseconds of a day.
const DAY_MS: i64 = 86_400_000;

/// Where a year, month or day begins, in milliseconds since 1970 on the clock of the place; none if it is no date.
pub(super) fn start_of(date: &str) -> Option<i64> {
    let mut parts = date.split(['-', '/', '.']);
    let number = |part: &str, digits: std::ops::RangeInclusive<usize>| {
        let good = digits.contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        good.then(|| part.parse::<i64>().ok()).flatten()
    };
    let year = number(parts.next()?, 4..=4)?;
    let month = parts.next().map_or(Some(1), |part| number(part, 1..=2))?;
    let day = parts.next().map_or(Some(1), |part| number(part, 1..=2))?;
    let valid =
        parts.next().is_none() && (1..=12).contains(&month) && (1..=days_in(year, month)).contains(&day);
    valid.then(|| days_since_1970(year, month, day) * DAY_MS)
}

fn days_in(year: i64, month: i64) -> i64 {
    let (year_after, month_after) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    days_since_1970(year_after, month_after, 1) - days_since_1970(year, month, 1)
}

/// Days of the Gregorian calendar: years count from March, so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let months_since_march = (month + 9) % 12;
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    // 30.6 days a month from March on, rounded down, is their exact beginning.
    365 * year + leap_days + (153 * months_since_march + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_begin_where_the_calendar_says() {
        // `date -u -d DATE +%s`
        for (date, seconds) in [
            ("1970", 0),
            ("2024", 1_704_067_200),
            ("2024-05", 1_714_521_600),
            ("2024-02-29", 1_709_164_800),
            ("2024-3-1", 1_709_251_200),
            ("2000/03/01", 951_868_800),
            ("1900.3.1", -2_203_891_200),
            ("1969-12-31", -86_400),
        ] {
            assert_eq!(start_of(date), Some(seconds * 1000), "{date}");
        }
        for date in [
            "",
            "24",
            "2024-",
            "2024-13",
            "2023-02-29",
            "1900-02-29",
            "2024-05-32",
            "2024-05-01-01",
            "2024-+5",
            "２０２４",
        ] {
            assert_eq!(start_of(date), None, "{date}");
        }
    }
}
