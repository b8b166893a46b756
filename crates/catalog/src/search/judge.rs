//! How well the text of a picture fits, and where it does.
use serde::Serialize;

use super::{
    find::{Found, MatchKind, find, find_mistaken},
    text_query::{SearchTerm, TextQuery},
};
use crate::{
    TextLine,
    text::{Letter, letters},
};

/// How well a text fits, worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum MatchQuality {
    /// Some of the words.
    SomeWords,
    /// All words, some of them with mistakes of reading.
    Mistakes,
    /// All words, some of them inside other words or numbers.
    Inside,
    /// All words, in several lines.
    Picture,
    /// All words in one line.
    Line,
    /// Everything in one line, one after the other.
    Phrase,
}

impl MatchQuality {
    /// The least and the largest relevance. A closer fit is always more relevant.
    fn range(self) -> (f32, f32) {
        match self {
            Self::SomeWords => (0.1, 0.3),
            Self::Mistakes => (0.3, 0.5),
            Self::Inside => (0.5, 0.65),
            Self::Picture => (0.65, 0.8),
            Self::Line => (0.8, 0.9),
            // Short of 1, so that what a picture shows can still add to it.
            Self::Phrase => (0.9, 0.98),
        }
    }
}

/// What was found in the text of a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct TextMatch {
    /// How well it fits.
    pub closeness: MatchQuality,
    /// Words as the picture has them, in the order of the query.
    pub words: Vec<String>,
    /// Lines with a match, in their order.
    pub lines: Vec<LineMatch>,
}

/// A line with a match.
#[derive(Clone, Debug, PartialEq)]
pub struct LineMatch {
    /// Place of the line in the picture's text, from 0.
    pub line: usize,
    /// What it says.
    pub text: String,
    /// Corners, as [`TextLine::corners`].
    pub corners: [[f32; 2]; 4],
    /// Matching parts, as first and last byte (not included) of `text`, in order, apart from each other.
    pub spans: Vec<[usize; 2]>,
}

/// How much is forgiven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tolerance {
    /// Nothing.
    Exact,
    /// Matches inside of words.
    Inside,
    /// Mistakes of reading.
    Mistakes,
    /// Missing words, up to a half.
    SomeWords,
}

/// Judges the text of a picture: its relevance from 0 to 1, and what was found. None if it does not fit. `score` is the
/// store's, as a part of the best one's.
pub(super) fn judge(
    text_query: &TextQuery,
    lines: &[TextLine],
    tolerance: Tolerance,
    score: f32,
) -> Option<(f32, TextMatch)> {
    let texts: Vec<Vec<Letter>> = lines.iter().map(|line| letters(&line.text)).collect();
    let mut marks = Marks { texts: &texts, lines, of_line: vec![Vec::new(); texts.len()], words: Vec::new() };
    let mut closeness = MatchQuality::Phrase;
    let (mut found_letters, mut all_letters) = (0, 0);
    // Lines that have everything so far.
    let mut common: Vec<usize> = (0..texts.len()).collect();
    let any_required = text_query.any_required();
    for needle in &text_query.needles {
        let places = Places::of(needle, &texts, tolerance);
        let decides = needle.required || !any_required;
        if decides {
            all_letters += needle.letters.len();
        }
        let Some(places) = places else {
            if needle.exact || decides && tolerance < Tolerance::SomeWords {
                return None;
            }
            if decides {
                closeness = MatchQuality::SomeWords;
            }
            continue;
        };
        if decides {
            found_letters += needle.letters.len();
            closeness = closeness.min(places.closeness);
            common.retain(|line| places.found.iter().any(|(place, _)| place == line));
        }
        for (line, found) in places.found {
            marks.add(line, &found);
        }
    }
    if 2 * found_letters < all_letters || found_letters == 0 {
        return None;
    }
    if closeness > MatchQuality::Picture && text_query.needles.len() > 1 {
        let phrase = |text: &Vec<Letter>| {
            find(&text_query.whole, text).is_some_and(|found| found.fit == MatchKind::Whole)
        };
        closeness = if texts.iter().any(phrase) {
            MatchQuality::Phrase
        } else if common.is_empty() {
            MatchQuality::Picture
        } else {
            MatchQuality::Line
        };
    }
    let (least, most) = closeness.range();
    let detail = 0.6 * marks.coverage() + 0.4 * score.clamp(0.0, 1.0);
    Some((least + (most - least) * detail, marks.into_match(closeness)))
}

/// Where a needle stands.
struct Places {
    closeness: MatchQuality,
    /// Lines, and places in them.
    found: Vec<(usize, Found)>,
}

impl Places {
    fn of(needle: &SearchTerm, texts: &[Vec<Letter>], tolerance: Tolerance) -> Option<Self> {
        let mut found = everywhere(texts, |line| find(&needle.letters, line));
        let best = found.iter().map(|(_, found)| found.fit).max();
        if best == Some(MatchKind::Whole) {
            found.retain(|(_, found)| found.fit == MatchKind::Whole);
            return Some(Self { closeness: MatchQuality::Phrase, found });
        }
        if needle.exact {
            return None;
        }
        if !needle.parts.is_empty() {
            let parts: Option<Vec<_>> = needle
                .parts
                .iter()
                .map(|part| {
                    let found = everywhere(texts, |line| {
                        find(part, line).filter(|found| found.fit == MatchKind::Whole)
                    });
                    (!found.is_empty()).then_some(found)
                })
                .collect();
            if let Some(parts) = parts {
                return Some(Self { closeness: MatchQuality::Picture, found: parts.concat() });
            }
        }
        if tolerance >= Tolerance::Inside && best.is_some() {
            found.retain(|(_, found)| Some(found.fit) == best);
            return Some(Self { closeness: MatchQuality::Inside, found });
        }
        if tolerance >= Tolerance::Mistakes {
            found = everywhere(texts, |line| find_mistaken(&needle.letters, line));
            return (!found.is_empty()).then_some(Self { closeness: MatchQuality::Mistakes, found });
        }
        None
    }
}

fn everywhere(texts: &[Vec<Letter>], find: impl Fn(&[Letter]) -> Option<Found>) -> Vec<(usize, Found)> {
    texts.iter().enumerate().filter_map(|(line, text)| Some((line, find(text)?))).collect()
}

/// What is found, by line.
struct Marks<'a> {
    texts: &'a [Vec<Letter>],
    lines: &'a [TextLine],
    /// Places in letters.
    of_line: Vec<Vec<[usize; 2]>>,
    words: Vec<String>,
}

impl Marks<'_> {
    fn add(&mut self, line: usize, found: &Found) {
        let [start, end] = self.bytes(line, [found.range.start, found.range.end]);
        let word = self.lines[line].text[start..end].to_owned();
        if !self.words.contains(&word) {
            self.words.push(word);
        }
        self.of_line[line].push([found.range.start, found.range.end]);
    }

    fn bytes(&self, line: usize, [start, end]: [usize; 2]) -> [usize; 2] {
        let letters = &self.texts[line][start..end];
        letters
            .first()
            .zip(letters.last())
            .map_or([0, 0], |(first, last)| [first.place.start, last.place.end])
    }

    /// How much of the line that matches best matches.
    fn coverage(&self) -> f32 {
        let of = |(marks, text): (&Vec<[usize; 2]>, &Vec<Letter>)| {
            let marked: usize = apart(marks.clone()).iter().map(|[start, end]| end - start).sum();
            marked as f32 / text.len().max(1) as f32
        };
        self.of_line.iter().zip(self.texts).map(of).fold(0.0, f32::max)
    }

    fn into_match(self, closeness: MatchQuality) -> TextMatch {
        let marked = self.of_line.iter().enumerate().filter(|(_, marks)| !marks.is_empty());
        let lines = marked.map(|(line, marks)| LineMatch {
            line,
            text: self.lines[line].text.clone(),
            corners: self.lines[line].corners,
            spans: apart(marks.iter().map(|mark| self.bytes(line, *mark)).collect()),
        });
        let lines = lines.collect();
        TextMatch { closeness, words: self.words, lines }
    }
}

/// Joins what overlaps.
fn apart(mut spans: Vec<[usize; 2]>) -> Vec<[usize; 2]> {
    spans.sort_unstable();
    let mut apart: Vec<[usize; 2]> = Vec::with_capacity(spans.len());
    for span in spans {
        match apart.last_mut() {
            Some(last) if span[0] <= last[1] => last[1] = last[1].max(span[1]),
            _ => apart.push(span),
        }
    }
    apart
}
