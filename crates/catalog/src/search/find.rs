//! Finds letters in a line: exactly, and with the mistakes that reading makes.
use std::ops::Range;

use crate::text::{Gap, Letter, is_cjk, is_number};

/// How something stands in a line, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum MatchKind {
    /// With a few wrong letters.
    Mistaken,
    /// Inside a word or number.
    Inside,
    /// At the beginning of a word or number.
    Start,
    /// From border to border. Chinese, Japanese and Korean are written without borders: anywhere.
    Whole,
}

/// Where something stands in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Letters of the line.
    pub(super) range: Range<usize>,
    /// How.
    pub(super) fit: MatchKind,
}

/// The best place of `needle` in `line`, and the first of those; `needle` is not empty.
pub(super) fn find(needle: &[Letter], line: &[Letter]) -> Option<Found> {
    let mut best: Option<Found> = None;
    for (start, place) in line.windows(needle.len()).enumerate() {
        if place.iter().zip(needle).any(|(one, other)| one.value != other.value) {
            continue;
        }
        let range = start..start + needle.len();
        let (starts, ends) = (is_border(line, range.start), is_border(line, range.end));
        let whole = starts && ends;
        if (!whole || joins_numbers(needle, place)) && gaps_differ(needle, place) {
            continue;
        }
        let fit = if whole {
            MatchKind::Whole
        } else if starts {
            MatchKind::Start
        } else {
            MatchKind::Inside
        };
        if best.as_ref().is_none_or(|best| best.fit < fit) {
            best = Some(Found { range, fit });
        }
    }
    best
}

/// Does a word begin or end here?
fn is_border(line: &[Letter], at: usize) -> bool {
    if at == 0 || at == line.len() {
        return true;
    }
    let (one, next) = (line[at - 1].value, line[at].value);
    line[at].gap != Gap::None || is_cjk(one) || is_cjk(next) || is_number(one) != is_number(next)
}

/// Fewer digits stand side by side by chance.
const LONG_NUMBER: usize = 6;

/// Is the needle a short number that the line has only as the neighbours `12 34`?
fn joins_numbers(needle: &[Letter], place: &[Letter]) -> bool {
    needle.len() < LONG_NUMBER
        && (1..needle.len()).any(|at| {
            needle[at].gap == Gap::None
                && place[at].gap == Gap::Space
                && is_number(place[at - 1].value)
                && is_number(place[at].value)
        })
}

/// Do words or numbers end at other places? `tonly` does not stand in `exit only`, nor `4.99` in `49.90`. Signs that the needle leaves
/// out make no difference, and in Chinese, Japanese and Korean none does.
fn gaps_differ(needle: &[Letter], place: &[Letter]) -> bool {
    (1..needle.len()).any(|at| {
        let differ = match needle[at].gap {
            Gap::None => place[at].gap == Gap::Space,
            Gap::Joint | Gap::Space => place[at].gap == Gap::None,
        };
        differ && !is_cjk(place[at - 1].value) && !is_cjk(place[at].value)
    })
}

/// How many wrong, missing or additional letters still make the same word.
pub(super) fn allowed_mistakes(needle: &[Letter]) -> usize {
    // A Chinese character tells more than a letter.
    let (one, two) = if needle.iter().any(|letter| is_cjk(letter.value)) { (4, 8) } else { (5, 9) };
    usize::from(needle.len() >= one) + usize::from(needle.len() >= two)
}

/// The best place of `needle` in `line` with up to [`allowed_mistakes`], from border to border.
///
/// Sellers' algorithm: edit distance to any part of a text. Another number is no mistake: no digit may become another one, be
/// missing or too much; but readers do take `0` for `O`.
pub(super) fn find_mistaken(needle: &[Letter], line: &[Letter]) -> Option<Found> {
    let allowed = allowed_mistakes(needle);
    if allowed == 0 || line.len() + allowed < needle.len() {
        return None;
    }
    let never = allowed + 1;
    let lone = |letter: &Letter| if is_number(letter.value) { never } else { 1 };
    // For each length of the needle's beginning: mistakes up to here, and where that began.
    let mut column: Vec<(usize, usize)> = vec![(0, 0)];
    for letter in needle {
        column.push((column[column.len() - 1].0 + lone(letter), 0));
    }
    let mut best: Option<(usize, Range<usize>)> = None;
    for (at, letter) in line.iter().enumerate() {
        let mut diagonal = column[0];
        column[0] =
            if is_border(line, at + 1) { (0, at + 1) } else { (diagonal.0 + lone(letter), diagonal.1) };
        for (row, text_query) in needle.iter().enumerate() {
            let changed = match (text_query.value, letter.value) {
                (one, other) if one == other => 0,
                (one, other) if is_number(one) && is_number(other) => never,
                _ => 1,
            };
            let next = [
                (diagonal.0 + changed, diagonal.1),
                (column[row + 1].0 + lone(letter), column[row + 1].1),
                (column[row].0 + lone(text_query), column[row].1),
            ];
            diagonal = column[row + 1];
            column[row + 1] = next.into_iter().min_by_key(|(mistakes, _)| *mistakes).unwrap_or((never, at));
        }
        let (mistakes, start) = column[needle.len()];
        let better = best.as_ref().is_none_or(|(fewest, _)| mistakes < *fewest);
        if mistakes <= allowed && better && is_border(line, at + 1) {
            best = Some((mistakes, start..at + 1));
        }
    }
    best.map(|(_, range)| Found { range, fit: MatchKind::Mistaken })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::text::letters;

    fn fit(needle: &str, line: &str) -> Option<MatchKind> {
        find(&letters(needle), &letters(line)).map(|found| found.fit)
    }

    #[test]
    fn borders_make_the_difference() {
        for (needle, line, expected) in [
            ("car", "The Car, again", Some(MatchKind::Whole)),
            ("car", "a cartoon", Some(MatchKind::Start)),
            ("car", "scarf", Some(MatchKind::Inside)),
            ("car", "scarf car", Some(MatchKind::Whole)),
            ("号", "发票号码", Some(MatchKind::Whole)),
            ("12345", "京A·12345", Some(MatchKind::Whole)),
            ("2345", "京A·12345", Some(MatchKind::Inside)),
            ("1299", "¥1,299.00", Some(MatchKind::Whole)),
            ("20240105", "2024-01-05", Some(MatchKind::Whole)),
            ("024-01", "2024-01-05", Some(MatchKind::Inside)),
            ("tonly", "exit only", None),
            ("4.99", "49.90", None),
            ("4.99", "134.99", Some(MatchKind::Inside)),
            ("0313", "06-03 13:27", None),
            ("13812345678", "138 1234 5678", Some(MatchKind::Whole)),
            ("exitonly", "exit only", Some(MatchKind::Whole)),
            ("no parking", "noparking", Some(MatchKind::Whole)),
            ("北至", "重庆北 至 厦门", Some(MatchKind::Whole)),
            ("sn", "SN0012", Some(MatchKind::Whole)),
        ] {
            assert_eq!(fit(needle, line), expected, "{needle} in {line}");
        }
    }

    #[test]
    fn mistakes_of_reading_are_forgiven_and_other_numbers_are_not() {
        for (needle, line, expected) in [
            ("增值税发票", "电子增值锐发票（上海）", Some("增值锐发票")),
            ("增值税发票", "增值发票", Some("增值发票")),
            ("departure", "20 minutes before depatrure now", Some("depatrure")),
            ("Sourdough", "sour dough loaf", Some("sour dough")),
            ("kitchen", "the kltchen door", Some("kltchen")),
            ("here", "where", None),
            ("bread", "breakfast", None),
            ("2024-01-05", "2024-01-06", None),
            ("76031372", "7603137", None),
            ("76031302", "76O313O2", None),
            ("6031304", "6O31304", Some("6O31304")),
            ("SN65797543", "5N65797543", Some("5N65797543")),
        ] {
            let letters_of_line = letters(line);
            let found = find_mistaken(&letters(needle), &letters_of_line).map(|found| {
                let place = &letters_of_line[found.range];
                &line[place[0].place.start..place[place.len() - 1].place.end]
            });
            assert_eq!(found, expected, "{needle} in {line}");
        }
    }

    proptest! {
        #[test]
        fn mistakes_are_counted_as_edit_distance_does(needle in "[a-c]{5,8}", word in "[a-c]{3,9}") {
            let found = find_mistaken(&letters(&needle), &letters(&word));
            let distance = strsim::levenshtein(&needle, &word);
            prop_assert_eq!(found.is_some_and(|found| found.range == (0..word.len())), distance <= 1, "{}", distance);
        }

        #[test]
        fn what_stands_there_is_found(line in "[ab一二1 .]{1,20}", start in 0_usize..20, length in 1_usize..6) {
            let line = letters(&line);
            if let Some(needle) = line.get(start..start + length) {
                let mut needle = needle.to_vec();
                needle[0].gap = Gap::Space;
                prop_assert!(find(&needle, &line).is_some());
            }
        }
    }
}
