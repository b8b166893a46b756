use std::{collections::BTreeMap, fmt};

use serde::Serialize;

/// One thing that a companion adds to an Immich. Each needs only its own tables, columns or places in Immich's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Capability {
    /// `ocr:…` and the field `ocr`, ranked.
    TextSearch,
    /// Plain words, by what pictures show.
    MeaningSearch,
    /// Plain words, by text and by what pictures show.
    HybridSearch,
    /// Searches that name people.
    PeopleFilter,
    /// `people` of the pictures in an answer.
    PeopleInAnswers,
    /// Searches that name albums.
    AlbumFilter,
    /// Searches that name tags.
    TagFilter,
    /// Searches by place, camera, rating or description, and `exifInfo` in an answer.
    Exif,
    /// The text of a picture is read again.
    RedoText,
    /// The vector of a picture is made again.
    RedoVectors,
    /// New and changed pictures are noticed.
    FollowChanges,
    /// Entries in the menu of an opened photo.
    ViewerMenu,
    /// Entries in the menu of a selection.
    SelectionMenu,
    /// Marks on text that was searched for.
    Marks,
}

impl Capability {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::TextSearch,
        Self::MeaningSearch,
        Self::HybridSearch,
        Self::PeopleFilter,
        Self::PeopleInAnswers,
        Self::AlbumFilter,
        Self::TagFilter,
        Self::Exif,
        Self::RedoText,
        Self::RedoVectors,
        Self::FollowChanges,
        Self::ViewerMenu,
        Self::SelectionMenu,
        Self::Marks,
    ];

    /// Stable name, for metrics and programs.
    pub fn name(self) -> &'static str {
        match self {
            Self::TextSearch => "text_search",
            Self::MeaningSearch => "meaning_search",
            Self::HybridSearch => "hybrid_search",
            Self::PeopleFilter => "people_filter",
            Self::PeopleInAnswers => "people_in_answers",
            Self::AlbumFilter => "album_filter",
            Self::TagFilter => "tag_filter",
            Self::Exif => "exif",
            Self::RedoText => "redo_text",
            Self::RedoVectors => "redo_vectors",
            Self::FollowChanges => "follow_changes",
            Self::ViewerMenu => "viewer_menu",
            Self::SelectionMenu => "selection_menu",
            Self::Marks => "marks",
        }
    }

    /// Does it need nothing but places in Immich's page?
    fn is_of_page(self) -> bool {
        matches!(self, Self::ViewerMenu | Self::SelectionMenu | Self::Marks)
    }

    /// What is not possible without it, for its owner; and what happens instead, if anything does.
    fn loss(self) -> (&'static str, Option<&'static str>) {
        const IMMICH: Option<&str> = Some("Immich answers such searches itself");
        match self {
            Self::TextSearch => ("text cannot be searched here", IMMICH),
            Self::MeaningSearch => ("pictures cannot be searched by what they show", IMMICH),
            Self::HybridSearch => ("plain words do not find text and meaning together", IMMICH),
            Self::PeopleFilter => ("people cannot be filtered", IMMICH),
            Self::PeopleInAnswers => ("people cannot be told with pictures", IMMICH),
            Self::AlbumFilter => ("albums cannot be filtered", IMMICH),
            Self::TagFilter => ("tags cannot be filtered", IMMICH),
            Self::Exif => ("places, cameras, ratings and descriptions cannot be used", IMMICH),
            Self::RedoText => ("text cannot be read again", None),
            Self::RedoVectors => ("vectors cannot be made again", None),
            Self::FollowChanges => ("new and changed pictures are not noticed", None),
            Self::ViewerMenu => ("the menu of a photo has no entries of Viewfinder", None),
            Self::SelectionMenu => ("the menu of a selection has no entries of Viewfinder", None),
            Self::Marks => ("text that was searched for is not marked", None),
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(self.name())
    }
}

/// Which capabilities there are, and why others are missing. One that was never set is on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeMap<Capability, String>);

impl Capabilities {
    /// None of those that need a library, for one reason. What needs places in Immich's page alone is not a library's to lose.
    pub fn none(reason: &str) -> Self {
        let mut capabilities = Self::default();
        for capability in Capability::ALL.into_iter().filter(|capability| !capability.is_of_page()) {
            capabilities.lose(capability, reason);
        }
        capabilities
    }

    /// Switches one off, with the reason in a few words: "this Immich has no column …". The first reason stays.
    pub fn lose(&mut self, capability: Capability, reason: &str) {
        self.0.entry(capability).or_insert_with(|| reason.to_owned());
    }

    /// Is it there?
    pub fn has(&self, capability: Capability) -> bool {
        !self.0.contains_key(&capability)
    }

    /// Those that are missing, each with its reason alone.
    pub(crate) fn reasons(&self) -> impl Iterator<Item = (Capability, &str)> {
        self.0.iter().map(|(capability, reason)| (*capability, reason.as_str()))
    }

    /// Why it is missing.
    pub(crate) fn reason(&self, capability: Capability) -> Option<&str> {
        self.0.get(&capability).map(String::as_str)
    }

    /// Why it is missing, and what follows from that, as a sentence for the owner; none if it is there.
    pub fn told(&self, capability: Capability) -> Option<String> {
        let reason = self.reason(capability)?;
        let (loss, instead) = capability.loss();
        let instead = instead.map_or_else(String::new, |instead| format!("; {instead}"));
        Some(format!("{loss}: {reason}{instead}"))
    }

    /// Those that are missing, with what is told of them.
    pub fn missing(&self) -> impl Iterator<Item = (Capability, String)> + '_ {
        Capability::ALL.into_iter().filter_map(|capability| Some((capability, self.told(capability)?)))
    }
}

/// By name: `{"text_search": {"on": true}, "people_filter": {"on": false, "reason": "…"}}`.
impl Serialize for Capabilities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct State {
            on: bool,
            #[serde(skip_serializing_if = "Option::is_none")]
            reason: Option<String>,
        }
        let state = |capability| State { on: self.has(capability), reason: self.told(capability) };
        serializer.collect_map(Capability::ALL.map(|capability| (capability.name(), state(capability))))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_is_told_with_its_reason_and_what_follows() {
        let mut capabilities = Capabilities::default();
        capabilities.lose(Capability::PeopleFilter, "this Immich has no column asset_face.personId");
        capabilities.lose(Capability::PeopleFilter, "another reason");
        assert!(capabilities.has(Capability::TextSearch) && !capabilities.has(Capability::PeopleFilter));
        let told = "people cannot be filtered: this Immich has no column asset_face.personId; \
                    Immich answers such searches itself";
        let all: Vec<_> = capabilities.missing().collect();
        assert_eq!(all, [(Capability::PeopleFilter, told.to_owned())]);
        let shown = serde_json::to_value(&capabilities).unwrap();
        assert_eq!(shown["people_filter"], json!({"on": false, "reason": told}));
        assert_eq!(shown["marks"], json!({"on": true}));
        assert_eq!(shown.as_object().unwrap().len(), Capability::ALL.len());
        let none = Capabilities::none("x");
        assert!(none.has(Capability::ViewerMenu) && none.has(Capability::SelectionMenu));
        assert!(none.has(Capability::Marks) && !none.has(Capability::RedoText));
        assert_eq!(none.missing().count(), Capability::ALL.len() - 3);
    }
}
