/// The candidate closest to what was typed, if it is close enough to be what was meant.
pub(super) fn closest<'a>(typed: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (typed.chars().count() / 3).max(2);
    candidates
        .map(|candidate| (strsim::levenshtein(&typed.to_lowercase(), &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn suggests_near_names_only() {
        let names = ["listen", "log.level", "engine.device"];
        assert_eq!(closest("lisen", names.into_iter()), Some("listen"));
        assert_eq!(closest("engine.devise", names.into_iter()), Some("engine.device"));
        assert_eq!(closest("colour_of_the_sky", names.into_iter()), None);
    }
}
