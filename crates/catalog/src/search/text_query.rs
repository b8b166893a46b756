//! What a query wants to find in text.
use crate::{
    TextExpr,
    query::{Query, Scope, Term},
    text::{Gap, Letter, Segmenter, is_cjk, is_function_word, letters, text_of},
};

/// Longer phrases are looked for by their beginning; what was found is compared in full afterwards.
const LONGEST_PHRASE: usize = 24;

/// With more words than this, mistakes are looked for in the query as a whole, not in each word.
const FEW_WORDS: usize = 4;

/// A word or phrase to find.
#[derive(Clone, Debug)]
pub(super) struct SearchTerm {
    /// Its letters; at least one.
    pub(super) letters: Vec<Letter>,
    /// The words that it consists of, for something written without spaces; none if it is one word.
    pub(super) parts: Vec<Vec<Letter>>,
    /// Exactly this.
    pub(super) exact: bool,
    /// Must it be there? Otherwise a picture that shows it will do.
    pub(super) required: bool,
}

/// What to find in text: at least one needle.
#[derive(Clone, Debug)]
pub(super) struct TextQuery {
    /// In the order of the query.
    pub(super) needles: Vec<SearchTerm>,
    /// All words in one, those too that only join others.
    pub(super) whole: Vec<Letter>,
}

impl TextQuery {
    /// None if the query asks for no letters in text.
    pub(super) fn of(query: &Query, segmenter: &Segmenter) -> Option<Self> {
        let terms = query.terms.iter().filter(|term| term.scope != Scope::Meaning);
        let mut needles: Vec<SearchTerm> = terms.filter_map(|term| SearchTerm::of(term, segmenter)).collect();
        let whole: Vec<Letter> = needles.iter().flat_map(|needle| needle.letters.clone()).collect();
        // In sentences that say what a picture shows, some words only join others.
        if !needles.iter().all(SearchTerm::only_joins) {
            needles.retain(|needle| !needle.only_joins());
        }
        (!whole.is_empty()).then_some(Self { needles, whole })
    }

    /// The needles that decide: those that must be there, or all.
    pub(super) fn deciding(&self) -> impl Iterator<Item = &SearchTerm> {
        let any = self.any_required();
        self.needles.iter().filter(move |needle| needle.required || !any)
    }

    pub(super) fn any_required(&self) -> bool {
        self.needles.iter().any(|needle| needle.required)
    }

    /// Pictures that have it word for word.
    pub(super) fn exactly(&self) -> TextExpr {
        let all = all(self.deciding().map(SearchTerm::exactly).collect());
        // Those that have it in one go come first: the phrase counts as one more rare word.
        match (self.needles.len(), self.any_required()) {
            (2.., false) => TextExpr::Any(vec![all, phrase(&self.whole)]),
            _ => all,
        }
    }

    /// Pictures that have it inside of words and numbers.
    pub(super) fn inside(&self) -> TextExpr {
        all(self.deciding().map(|needle| phrase(&needle.letters)).collect())
    }

    /// Pictures that may have it with mistakes; none if no mistake is allowed in it.
    pub(super) fn mistaken(&self) -> Option<TextExpr> {
        let deciding: Vec<&SearchTerm> = self.deciding().collect();
        if !deciding.iter().any(|needle| needle.tolerates() > 0) {
            return None;
        }
        if deciding.len() > FEW_WORDS {
            // A third of a long query stands somewhere as it is.
            return Some(TextExpr::Any(pieces(&self.whole, 3).map(phrase).collect()));
        }
        let of = |needle: &&SearchTerm| match needle.tolerates() {
            0 => phrase(&needle.letters),
            // Of one more piece than mistakes, one is right.
            mistakes => TextExpr::Any(pieces(&needle.letters, mistakes + 1).map(phrase).collect()),
        };
        Some(all(deciding.iter().map(of).collect()))
    }

    /// Pictures that have some of it; none for a single word.
    pub(super) fn some(&self) -> Option<TextExpr> {
        let deciding: Vec<&SearchTerm> = self.deciding().collect();
        let loose = deciding.len() > 1 && !deciding.iter().any(|needle| needle.exact);
        loose.then(|| TextExpr::Any(deciding.into_iter().map(SearchTerm::exactly).collect()))
    }
}

impl SearchTerm {
    fn of(term: &Term, segmenter: &Segmenter) -> Option<Self> {
        let mut letters = letters(&term.text);
        letters.first_mut()?.gap = Gap::Space;
        let mut parts = Vec::new();
        if !term.exact && letters.iter().any(|letter| is_cjk(letter.value)) {
            // Particles and the like say nothing alone.
            let telling = |part: &Vec<Letter>| part.len() > 1 || !is_cjk(part[0].value);
            parts = segmenter.parts(&letters).into_iter().map(|part| letters[part].to_vec()).collect();
            parts.retain(telling);
            let told: usize = parts.iter().map(Vec::len).sum();
            if parts.len() < 2 || 3 * told < 2 * letters.len() {
                parts.clear();
            }
        }
        Some(Self { letters, parts, exact: term.exact, required: term.scope == Scope::Text })
    }

    /// A function word that was not asked for as text.
    fn only_joins(&self) -> bool {
        !self.required && !self.exact && is_function_word(&text_of(&self.letters))
    }

    fn exactly(&self) -> TextExpr {
        if self.exact || self.letters.iter().any(|letter| is_cjk(letter.value)) {
            let phrase = phrase(&self.letters);
            if self.parts.is_empty() {
                return phrase;
            }
            let parts = self.parts.iter().map(|part| self::phrase(part)).collect();
            return TextExpr::Any(vec![phrase, TextExpr::All(parts)]);
        }
        TextExpr::Word(text_of(&self.letters))
    }

    fn tolerates(&self) -> usize {
        if self.exact { 0 } else { super::find::allowed_mistakes(&self.letters) }
    }
}

/// What a picture must not have: words from border to border, and Chinese, Japanese and Korean anywhere. None without letters.
pub(super) fn without(term: &str) -> Option<TextExpr> {
    let mut letters = letters(term);
    letters.first_mut()?.gap = Gap::Space;
    let one_word = letters[1..].iter().all(|letter| letter.gap == Gap::None);
    if !one_word || letters.iter().any(|letter| is_cjk(letter.value)) {
        return Some(phrase(&letters));
    }
    Some(TextExpr::Word(text_of(&letters)))
}

fn all(mut parts: Vec<TextExpr>) -> TextExpr {
    if parts.len() == 1 { parts.remove(0) } else { TextExpr::All(parts) }
}

/// These letters anywhere. A single one that is no Chinese, Japanese or Korean character stands in almost every text: it must be a word.
fn phrase(letters: &[Letter]) -> TextExpr {
    match letters {
        [lone] if !is_cjk(lone.value) => TextExpr::Word(text_of(letters)),
        _ => TextExpr::Letters(text_of(&letters[..letters.len().min(LONGEST_PHRASE)])),
    }
}

fn pieces(letters: &[Letter], count: usize) -> impl Iterator<Item = &[Letter]> {
    let length = letters.len();
    (0..count).map(move |at| &letters[at * length / count..(at + 1) * length / count])
}
