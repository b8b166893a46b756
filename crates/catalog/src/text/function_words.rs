//! Words that join others and say nothing alone.

/// Articles, pronouns, prepositions and the like, as people put them into sentences that say what a picture shows. Sorted.
const WORDS: [&str; 76] = [
    "a", "al", "an", "and", "are", "as", "at", "be", "been", "but", "by", "con", "de", "del", "do", "does",
    "el", "en", "es", "for", "from", "had", "has", "have", "her", "his", "how", "i", "in", "into", "is",
    "it", "its", "la", "las", "lo", "los", "me", "mi", "mis", "my", "of", "on", "or", "our", "para", "por",
    "que", "se", "she", "son", "su", "sus", "that", "the", "their", "there", "these", "this", "those", "to",
    "un", "una", "unas", "unos", "was", "we", "were", "what", "when", "where", "which", "who", "with", "y",
    "your",
];

/// Is this an English or Spanish function word? Normalised. Chinese and Japanese particles are single characters, which the
/// segmenter parts from the words.
pub fn is_function_word(word: &str) -> bool {
    WORDS.binary_search(&word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(WORDS.is_sorted());
        assert!(is_function_word("the") && is_function_word("del") && !is_function_word("museum"));
    }
}
