//! A made-up library: texts, and vectors of what pictures show, the same in each run.

/// Groups of pictures that show about the same.
pub const CLUSTERS: u64 = 1000;

/// Words as frequent as in real text: the n-th a n-th as often as the first.
pub struct Vocabulary {
    chinese: Vec<String>,
    english: Vec<String>,
}

impl Default for Vocabulary {
    fn default() -> Self {
        Self::new()
    }
}

impl Vocabulary {
    /// The same words each time.
    pub fn new() -> Self {
        let mut random = Random::new(42);
        let character = |random: &mut Random| {
            char::from_u32(0x4e00 + (random.rank(2500) * 7919 % 20_900) as u32).unwrap_or('一')
        };
        let chinese = (0..30_000)
            .map(|_| {
                let length = [1, 2, 2, 2, 2, 3, 4][random.below(7) as usize];
                (0..length).map(|_| character(&mut random)).collect()
            })
            .collect();
        let english =
            (0..30_000).map(|_| (0..=random.below(4)).map(|_| syllable(&mut random)).collect()).collect();
        Self { chinese, english }
    }

    /// Text as it is in a family's library: most pictures have none, some a sign or two, a tenth is a document.
    pub fn lines(&self, picture: u64) -> Vec<String> {
        let mut random = Random::new(picture);
        let count = match random.below(100) {
            0..70 => 0,
            70..90 => 1 + random.below(5),
            _ => 20 + random.below(41),
        };
        let is_chinese = random.below(2) == 0;
        (0..count).map(|_| self.line(&mut random, is_chinese)).collect()
    }

    /// What a person may look for in one of the first `count` pictures: with an even `seed` a word or two if they are Latin, else a piece of
    /// a line; at least two letters or digits, none of the other characters at its ends.
    pub fn query(&self, seed: u64, random: &mut Random, count: u64) -> String {
        loop {
            let lines = self.lines(random.below(count));
            if lines.is_empty() {
                continue;
            }
            let line = &lines[random.below(lines.len() as u64) as usize];
            let piece = if seed.is_multiple_of(2) && line.is_ascii() {
                let words: Vec<&str> = line.split_whitespace().collect();
                let start = random.below(words.len() as u64) as usize;
                words[start..]
                    .iter()
                    .take(1 + random.below(2) as usize)
                    .copied()
                    .collect::<Vec<_>>()
                    .join(" ")
            } else {
                let line: Vec<char> = line.chars().collect();
                let start = random.below(line.len() as u64) as usize;
                line[start..].iter().take(2 + random.below(6) as usize).collect()
            };
            // A dash before a word would exclude it.
            let piece = piece.trim_matches(|c: char| !c.is_alphanumeric());
            if piece.chars().filter(|c| c.is_alphanumeric()).count() >= 2 {
                return piece.to_owned();
            }
        }
    }

    fn line(&self, random: &mut Random, is_chinese: bool) -> String {
        let mut line = String::new();
        for _ in 0..3 + random.below(6) {
            match (random.below(12), is_chinese) {
                (0, _) => line.push_str(&format!("{} ", random.below(1_000_000))),
                (1, _) => {
                    line.push_str(&format!("2024-{:02}-{:02} ", 1 + random.below(12), 1 + random.below(28)));
                }
                (_, true) => line.push_str(&self.chinese[random.rank(30_000) as usize]),
                (_, false) => {
                    line.push_str(&self.english[random.rank(30_000) as usize]);
                    line.push(' ');
                }
            }
        }
        line
    }
}

/// A syllable of European words, with as many forms as these have.
fn syllable(random: &mut Random) -> String {
    const ONSETS: [&str; 24] = [
        "", "t", "s", "r", "n", "l", "d", "c", "m", "p", "f", "b", "h", "g", "v", "w", "st", "pr", "th",
        "ch", "tr", "gr", "br", "qu",
    ];
    const VOWELS: [&str; 9] = ["e", "a", "i", "o", "u", "ea", "ou", "io", "ie"];
    const CODAS: [&str; 14] = ["", "n", "r", "s", "t", "l", "d", "m", "ng", "st", "nd", "ck", "x", "ll"];
    let mut part = |of: &[&'static str]| of[random.rank(of.len() as u64) as usize];
    [part(&ONSETS), part(&VOWELS), part(&CODAS)].concat()
}

/// A vector of unit length from a cluster: its middle, and `spread` times as much noise.
pub fn vector(width: usize, cluster: u64, i: u64, spread: f32) -> Vec<f32> {
    let mut middle = Random::new(1_000_000_007 + cluster);
    let mut own = Random::new(2_000_000_011 + i);
    let mut vector: Vec<f32> = (0..width).map(|_| middle.signed() + spread * own.signed()).collect();
    let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
    for value in &mut vector {
        *value /= length;
    }
    vector
}

/// Numbers that look random, the same in each run.
pub struct Random(u64);

impl Random {
    /// Another seed, other numbers.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// One step of splitmix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number from -1 to 1.
    pub fn signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }

    /// A number below `end`, n about 1/n as likely as 1.
    pub fn rank(&mut self, end: u64) -> u64 {
        let uniform = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        ((end as f64 + 1.0).powf(uniform) as u64).clamp(1, end) - 1
    }
}
