//! Dates in EXIF data and in searches: each is a day of the calendar, and the one that is written.
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use viewfinder_catalog::query::Query;
use viewfinder_index::fuzzing::taken_ms;

pub(super) fn run(input: &[u8]) {
    if let Some(ms) = taken_ms(input) {
        day(ms);
    }
    let Ok(text) = std::str::from_utf8(input) else { return };
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"-/.".contains(&byte)) {
        return;
    }
    let Ok(Query { from_ms: Some(ms), .. }) = Query::parse(&format!("after:{text}")) else { return };
    let mut numbers = text.split(['-', '/', '.']).map(|number| number.parse::<i16>().ok());
    let mut next = || numbers.next().map_or(Some(1), |number| number);
    let (year, month, date) = (next(), next(), next());
    let found = day(ms);
    assert_eq!(
        (Some(found.year()), Some(found.month().into()), Some(found.day().into())),
        (year, month, date),
        "{text:?}"
    );
}

fn day(ms: i64) -> Date {
    let moment = Timestamp::from_millisecond(ms).expect("a moment that can be told");
    TimeZone::UTC.to_datetime(moment).date()
}
