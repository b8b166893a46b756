//! Queries made from the labels of the pictures in the fixtures, and which pictures have what they ask for.
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};
use viewfinder_catalog::text::{Segmenter, is_cjk, is_han, letters};

/// The true lines of pictures, by their path in the fixtures.
pub(crate) type Truth = BTreeMap<String, Vec<String>>;

/// The labels of both libraries.
pub(crate) fn truth(fixtures: &Path) -> Truth {
    let mut truth = Truth::new();
    for set in ["library", "library_hard"] {
        let labels = fs::read(fixtures.join(set).join("labels.json")).unwrap();
        let labels: serde_json::Value = serde_json::from_slice(&labels).unwrap();
        for label in labels.as_array().unwrap() {
            let lines = label["lines"].as_array().unwrap().iter();
            let lines = lines.map(|line| line.as_str().unwrap().to_owned()).collect();
            truth.insert(format!("{set}/{}", label["file"].as_str().unwrap()), lines);
        }
    }
    truth
}

/// What kind of thing a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    WholeLine,
    ChineseWord,
    ChineseInside,
    Number,
    NumberPart,
    English,
    Spanish,
    Japanese,
    Variant,
    TwoLines,
    Absent,
}

impl Kind {
    pub(crate) const ALL: [Self; 11] = [
        Self::WholeLine,
        Self::ChineseWord,
        Self::ChineseInside,
        Self::Number,
        Self::NumberPart,
        Self::English,
        Self::Spanish,
        Self::Japanese,
        Self::Variant,
        Self::TwoLines,
        Self::Absent,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::WholeLine => "whole line",
            Self::ChineseWord => "2 to 4 Chinese characters, at word borders",
            Self::ChineseInside => "2 to 4 Chinese characters, across word borders",
            Self::Number => "number",
            Self::NumberPart => "part of a number",
            Self::English => "English word",
            Self::Spanish => "Spanish word",
            Self::Japanese => "2 to 4 Japanese characters",
            Self::Variant => "mixed case or full width",
            Self::TwoLines => "two words from different lines",
            Self::Absent => "word that occurs nowhere",
        }
    }

    /// Does it ask for whole words?
    pub(crate) fn is_exact(self) -> bool {
        matches!(self, Self::ChineseWord | Self::Number | Self::English | Self::Spanish)
    }
}

/// A query, and the pictures whose true text has it.
pub(crate) struct Case {
    pub(crate) kind: Kind,
    pub(crate) query: String,
    pub(crate) relevant: BTreeSet<String>,
}

/// Words that no label has, and numbers are added to them.
const ELSEWHERE: &[&str] = &[
    "火箭",
    "恐龙",
    "钢琴",
    "足球场",
    "葡萄酒",
    "摩天轮",
    "显微镜",
    "量子力学",
    "身份证",
    "结婚证",
    "驾驶证",
    "滑雪",
    "长颈鹿",
    "护照",
    "股票",
    "房产证",
    "毕业典礼",
    "心电图",
    "螺丝刀",
    "无人机",
    "elephant",
    "volcano",
    "passport",
    "mortgage",
    "saxophone",
    "dinosaur",
    "wedding",
    "submarine",
    "quarterly",
    "glacier",
    "telescope",
    "insurance",
    "mantequilla",
    "zapatos",
    "biblioteca",
    "ventana",
    "空港",
    "温泉",
    "寿司",
    "コーヒー",
    "パスポート",
    "新幹線",
];

/// How many queries of most kinds.
const OF_A_KIND: usize = 40;

/// All queries; the same at each call.
pub(crate) fn cases(truth: &Truth, segmenter: &Segmenter) -> Vec<Case> {
    let mut chance = Chance(7);
    let mut wanted: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    let mut add = |kind, query: String| {
        wanted.entry(kind).or_default().insert(query);
    };
    for (path, lines) in truth {
        let spanish = lines.iter().any(|line| line.contains(['ñ', 'ó', 'º']) || line.starts_with("Fecha"));
        let has_kana = |line: &str| line.chars().any(|c| matches!(c, 'ぁ'..='ヶ'));
        let japanese = path.contains("library/") && lines.iter().any(|line| has_kana(line));
        for line in lines {
            add(Kind::WholeLine, line.clone());
            for word in line.split_whitespace() {
                let word = word.trim_matches(|c: char| !c.is_alphanumeric());
                if word.len() > 3 && word.chars().all(|c| c.is_alphabetic() && !is_cjk(c)) {
                    add(if spanish { Kind::Spanish } else { Kind::English }, word.to_owned());
                    let mixed = word.chars().enumerate().map(|(at, c)| {
                        if at % 2 == 0 {
                            c.to_lowercase().next().unwrap()
                        } else {
                            c.to_uppercase().next().unwrap()
                        }
                    });
                    add(Kind::Variant, mixed.collect());
                }
                if word.is_ascii() && word.len() > 3 && word.bytes().any(|byte| byte.is_ascii_digit()) {
                    add(Kind::Number, word.to_owned());
                    add(
                        Kind::Variant,
                        word.chars().map(|c| char::from_u32(u32::from(c) + 0xfee0).unwrap()).collect(),
                    );
                    for digits in word.split(|c: char| !c.is_ascii_digit()).filter(|digits| digits.len() > 5)
                    {
                        let start = 1 + chance.below(digits.len() - 5);
                        add(Kind::NumberPart, digits[start..start + 4].to_owned());
                    }
                }
            }
            for run in line.split(|c: char| !is_cjk(c)).filter(|run| run.chars().count() > 1) {
                let run: Vec<char> = run.chars().collect();
                let length = (2 + chance.below(3)).min(run.len());
                let start = chance.below(run.len() - length + 1);
                let piece: String = run[start..start + length].iter().collect();
                if japanese || has_kana(line) {
                    add(Kind::Japanese, piece);
                } else if run.iter().all(|c| is_han(*c)) {
                    let borders = borders(&run.iter().collect::<String>(), segmenter);
                    let at_borders = borders.contains(&start) && borders.contains(&(start + length));
                    add(if at_borders { Kind::ChineseWord } else { Kind::ChineseInside }, piece);
                    // More words than chance alone gives.
                    let mut ends = borders.iter().zip(borders.iter().skip(1));
                    if let Some((start, end)) = ends.find(|(start, end)| (2..=4).contains(&(*end - *start))) {
                        add(Kind::ChineseWord, run[*start..*end].iter().collect());
                    }
                }
            }
        }
        if lines.len() > 1 && path.contains("library/") {
            let first = lines[0].split_whitespace().last().unwrap_or_default();
            let last = lines[lines.len() - 1].split_whitespace().next().unwrap_or_default();
            if first.chars().count() > 1 && last.chars().count() > 1 {
                add(Kind::TwoLines, format!("{last} {first}"));
            }
        }
    }
    for word in ELSEWHERE {
        add(Kind::Absent, (*word).to_owned());
    }
    for _ in 0..20 {
        add(Kind::Absent, (0..7).map(|_| char::from(b'0' + chance.below(10) as u8)).collect());
    }
    let mut cases = Vec::new();
    for (kind, queries) in wanted {
        let mut queries: Vec<String> = queries.into_iter().collect();
        while kind != Kind::WholeLine && kind != Kind::Absent && queries.len() > OF_A_KIND {
            queries.swap_remove(chance.below(queries.len()));
        }
        for query in queries {
            let relevant = relevant(truth, &query, kind == Kind::TwoLines);
            if (kind == Kind::Absent) == relevant.is_empty() {
                cases.push(Case { kind, query, relevant });
            }
        }
    }
    cases
}

/// Where Jieba sees words begin and end.
fn borders(text: &str, segmenter: &Segmenter) -> BTreeSet<usize> {
    segmenter.parts(&letters(text)).into_iter().flat_map(|part| [part.start, part.end]).collect()
}

fn relevant(truth: &Truth, query: &str, apart: bool) -> BTreeSet<String> {
    let parts: Vec<String> = if apart { query.split(' ').map(plain).collect() } else { vec![plain(query)] };
    let has =
        |lines: &Vec<String>| parts.iter().all(|part| lines.iter().any(|line| plain(line).contains(part)));
    truth.iter().filter(|(_, lines)| has(lines)).map(|(path, _)| path.clone()).collect()
}

/// Lower case without accents, full width and superfluous spaces.
fn plain(text: &str) -> String {
    let text: String = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Numbers that look random and are the same each time (Knuth's linear congruence).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % limit.max(1) as u64) as usize
    }
}
