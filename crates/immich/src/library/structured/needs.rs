//! What a filter needs of Immich's tables.
use crate::library::Capability;

use super::{Column, Condition, Filter, Flag, Members};

impl Filter {
    /// What its conditions need beside what every search does.
    pub(crate) fn needs(&self) -> impl Iterator<Item = Capability> {
        self.conditions().filter_map(|condition| match condition {
            Condition::Column(Column::Exif(_), _) => Some(Capability::Exif),
            Condition::Flag(Flag::People, _) | Condition::Members(Members::People, ..) => {
                Some(Capability::PeopleFilter)
            }
            Condition::Flag(Flag::Albums, _) | Condition::Members(Members::Albums, ..) => {
                Some(Capability::AlbumFilter)
            }
            Condition::Flag(Flag::Tags, _) | Condition::Members(Members::Tags, ..) => {
                Some(Capability::TagFilter)
            }
            Condition::Column(Column::Asset(_), _)
            | Condition::Flag(Flag::Favorite | Flag::Motion | Flag::Offline | Flag::Encoded, _)
            | Condition::Video(_) => None,
        })
    }

    /// Does it look at converted videos?
    pub(crate) fn asks_for_converted(&self) -> bool {
        self.conditions()
            .any(|condition| matches!(condition, Condition::Flag(Flag::Encoded, _) | Condition::Video(_)))
    }
}
