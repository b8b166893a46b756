/// Languages of Immich's interface and their FLORES-200 codes, which nllb-CLIP was trained with.
///
/// The tags and codes are Immich's, oddities included (`mfa` and `ja`), so that vectors agree with its own.
const FLORES: [(&str, &str); 56] = [
    ("af", "afr_Latn"),
    ("ar", "arb_Arab"),
    ("az", "azj_Latn"),
    ("be", "bel_Cyrl"),
    ("bg", "bul_Cyrl"),
    ("ca", "cat_Latn"),
    ("cs", "ces_Latn"),
    ("da", "dan_Latn"),
    ("de", "deu_Latn"),
    ("el", "ell_Grek"),
    ("en", "eng_Latn"),
    ("es", "spa_Latn"),
    ("et", "est_Latn"),
    ("fa", "pes_Arab"),
    ("fi", "fin_Latn"),
    ("fr", "fra_Latn"),
    ("he", "heb_Hebr"),
    ("hi", "hin_Deva"),
    ("hr", "hrv_Latn"),
    ("hu", "hun_Latn"),
    ("hy", "hye_Armn"),
    ("id", "ind_Latn"),
    ("it", "ita_Latn"),
    ("ja", "jpn_Hira"),
    ("kmr", "kmr_Latn"),
    ("ko", "kor_Hang"),
    ("lb", "ltz_Latn"),
    ("lt", "lit_Latn"),
    ("lv", "lav_Latn"),
    ("mfa", "zsm_Latn"),
    ("mk", "mkd_Cyrl"),
    ("mn", "khk_Cyrl"),
    ("mr", "mar_Deva"),
    ("ms", "zsm_Latn"),
    ("nb-NO", "nob_Latn"),
    ("nl", "nld_Latn"),
    ("nn", "nno_Latn"),
    ("pl", "pol_Latn"),
    ("pt", "por_Latn"),
    ("pt-BR", "por_Latn"),
    ("ro", "ron_Latn"),
    ("ru", "rus_Cyrl"),
    ("sk", "slk_Latn"),
    ("sl", "slv_Latn"),
    ("sr-Cyrl", "srp_Cyrl"),
    ("sv", "swe_Latn"),
    ("ta", "tam_Taml"),
    ("te", "tel_Telu"),
    ("th", "tha_Thai"),
    ("tr", "tur_Latn"),
    ("uk", "ukr_Cyrl"),
    ("ur", "urd_Arab"),
    ("vi", "vie_Latn"),
    ("zh-CN", "zho_Hans"),
    ("zh-Hans", "zho_Hans"),
    ("zh-TW", "zho_Hant"),
];

/// The FLORES-200 code of a BCP-47 tag: the tag as it is, else its part before the first `-`, else English.
pub fn flores_code(language: &str) -> &'static str {
    let find = |tag: &str| FLORES.iter().find(|(known, _)| *known == tag).map(|&(_, code)| code);
    let base = language.split('-').next().unwrap_or(language);
    find(language).or_else(|| find(base)).unwrap_or("eng_Latn")
}

#[cfg(test)]
mod tests {
    use super::flores_code;

    #[test]
    fn exact_tags_win_over_their_base() {
        assert_eq!(flores_code("zh-TW"), "zho_Hant");
        assert_eq!(flores_code("pt-BR"), "por_Latn");
        assert_eq!(flores_code("de"), "deu_Latn");
    }

    #[test]
    fn regions_fall_back_to_the_language_and_then_to_english() {
        assert_eq!(flores_code("de-AT"), "deu_Latn");
        assert_eq!(flores_code("tlh"), "eng_Latn");
        assert_eq!(flores_code(""), "eng_Latn");
        assert_eq!(flores_code("-"), "eng_Latn");
    }
}
