//! The filters of the first shape.
use jiff::Timestamp;
use uuid::Uuid;
use viewfinder_catalog::query::Query;

use crate::library::Capability;

/// Where a picture is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Visibility {
    Archive,
    Timeline,
    /// The moving parts of live photos.
    Hidden,
    /// The folder behind the PIN.
    Locked,
}

impl Visibility {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Archive => "archive",
            Self::Timeline => "timeline",
            Self::Hidden => "hidden",
            Self::Locked => "locked",
        }
    }
}

/// A stretch of time, its ends included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Days {
    pub(crate) before: Option<Timestamp>,
    pub(crate) after: Option<Timestamp>,
}

/// The filters of a request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Filters {
    pub(crate) library: Option<Uuid>,
    pub(crate) kind: Option<String>,
    pub(crate) encoded: Option<bool>,
    pub(crate) favorite: Option<bool>,
    pub(crate) motion: Option<bool>,
    pub(crate) offline: Option<bool>,
    pub(crate) not_in_album: bool,
    pub(crate) visibility: Option<Visibility>,
    pub(crate) created: Days,
    pub(crate) updated: Days,
    pub(crate) trashed: Days,
    pub(crate) taken: Days,
    /// Columns, and the text that they must have, or none.
    pub(crate) exif: Vec<(&'static str, Option<String>)>,
    #[expect(clippy::option_option, reason = "not to matter, and to be missing, are two things")]
    pub(crate) rating: Option<Option<i32>>,
    pub(crate) people: Vec<Uuid>,
    pub(crate) albums: Vec<Uuid>,
    /// None: without any tag.
    pub(crate) tags: Option<Vec<Uuid>>,
    pub(crate) with_deleted: bool,
    pub(crate) device: Option<String>,
    pub(crate) id: Option<Uuid>,
    pub(crate) checksum: Option<String>,
    pub(crate) file_name: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) device_asset: Option<String>,
}

impl Filters {
    /// What they need beside what every search does.
    pub(crate) fn needs(&self) -> impl Iterator<Item = Capability> {
        let exif = !self.exif.is_empty() || self.rating.is_some() || self.description.is_some();
        let needs = [
            (exif, Capability::Exif),
            (!self.people.is_empty(), Capability::PeopleFilter),
            (!self.albums.is_empty() || self.not_in_album, Capability::AlbumFilter),
            (self.tags.as_ref().is_none_or(|tags| !tags.is_empty()), Capability::TagFilter),
        ];
        needs.into_iter().filter_map(|(needed, capability)| needed.then_some(capability))
    }
}

/// What the words of a query need for their filters.
pub(crate) fn needs_of_query(query: &Query) -> impl Iterator<Item = Capability> {
    let of_pictures = !query.path.is_empty() || query.from_ms.is_some() || query.until_ms.is_some();
    let needs = [
        // It has all columns of a picture.
        (of_pictures, Capability::TextSearch),
        (!query.people.is_empty(), Capability::PeopleFilter),
    ];
    needs.into_iter().filter_map(|(needed, capability)| needed.then_some(capability))
}
