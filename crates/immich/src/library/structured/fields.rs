//! The fields of a filter, and which operators and values each may have.
use serde_json::Value;

use super::{Column, Flag, Members, Operand, Test};
use crate::library::{
    base64,
    fields::{id, instant},
};

/// What a field is about.
#[derive(Clone, Copy)]
pub(super) enum Field {
    Column(Column, Values),
    Flag(Flag),
    Members(Members),
    /// The path of the converted video.
    Video,
    /// Words in text.
    Words,
}

/// Values that can be compared.
#[derive(Clone, Copy)]
pub(super) enum Values {
    Id,
    IdOrNull,
    /// One of these.
    Name(&'static [&'static str]),
    /// May not be null.
    Text,
    TextOrNull,
    /// Parts of it can be asked for, too.
    Pattern,
    Number,
    NumberOrNull,
    Time,
    TimeOrNull,
    Checksum,
}

/// All fields.
const FIELDS: &[(&str, Field)] = &[
    ("id", Field::Column(Column::Asset("asset.id"), Values::Id)),
    ("libraryId", Field::Column(Column::Asset("asset.\"libraryId\""), Values::IdOrNull)),
    ("type", Field::Column(Column::Asset("asset.type"), Values::Name(&["IMAGE", "VIDEO", "AUDIO", "OTHER"]))),
    ("visibility", Field::Column(VISIBILITY, Values::Name(&["archive", "timeline", "hidden", "locked"]))),
    ("isFavorite", Field::Flag(Flag::Favorite)),
    ("isMotion", Field::Flag(Flag::Motion)),
    ("isOffline", Field::Flag(Flag::Offline)),
    ("isEncoded", Field::Flag(Flag::Encoded)),
    ("hasAlbums", Field::Flag(Flag::Albums)),
    ("hasPeople", Field::Flag(Flag::People)),
    ("hasTags", Field::Flag(Flag::Tags)),
    ("city", Field::Column(Column::Exif("e.city"), Values::TextOrNull)),
    ("state", Field::Column(Column::Exif("e.state"), Values::TextOrNull)),
    ("country", Field::Column(Column::Exif("e.country"), Values::TextOrNull)),
    ("make", Field::Column(Column::Exif("e.make"), Values::TextOrNull)),
    ("model", Field::Column(Column::Exif("e.model"), Values::TextOrNull)),
    ("lensModel", Field::Column(Column::Exif("e.\"lensModel\""), Values::TextOrNull)),
    ("description", Field::Column(Column::Exif("e.description"), Values::Pattern)),
    ("originalFileName", Field::Column(Column::Asset("asset.\"originalFileName\""), Values::Pattern)),
    ("originalPath", Field::Column(Column::Asset("asset.\"originalPath\""), Values::Pattern)),
    ("ocr", Field::Words),
    ("rating", Field::Column(Column::Exif("e.rating::float8"), Values::NumberOrNull)),
    ("fileSizeInBytes", Field::Column(Column::Exif("e.\"fileSizeInByte\"::float8"), Values::Number)),
    ("takenAt", Field::Column(Column::Asset("asset.\"fileCreatedAt\""), Values::Time)),
    ("createdAt", Field::Column(Column::Asset("asset.\"createdAt\""), Values::Time)),
    ("updatedAt", Field::Column(Column::Asset("asset.\"updatedAt\""), Values::Time)),
    ("trashedAt", Field::Column(Column::Asset("asset.\"deletedAt\""), Values::TimeOrNull)),
    ("albumIds", Field::Members(Members::Albums)),
    ("personIds", Field::Members(Members::People)),
    ("tagIds", Field::Members(Members::Tags)),
    ("checksum", Field::Column(Column::Asset("asset.checksum"), Values::Checksum)),
    ("encodedVideoPath", Field::Video),
];

/// Where a picture is shown.
pub(super) const VISIBILITY: Column = Column::Asset("asset.visibility::text");

/// The most values in a list.
const MOST: usize = 1000;

/// The field of this name.
pub(super) fn field(name: &str) -> Option<Field> {
    FIELDS.iter().find(|(known, _)| *known == name).map(|(_, field)| *field)
}

impl Values {
    /// What an operator asks of a column; none if it is not for these values, or its own value is another kind of thing.
    pub(super) fn test(self, operator: &str, value: &Value) -> Option<Test> {
        let compared = |sign| Some(Test::Is(sign, self.operand(value)?));
        match operator {
            "eq" | "ne" if value.is_null() => self.may_be_null().then_some(Test::Null(operator == "eq")),
            "eq" => compared("="),
            "ne" => compared("<>"),
            "lt" if self.has_order() => compared("<"),
            "lte" if self.has_order() => compared("<="),
            "gt" if self.has_order() => compared(">"),
            "gte" if self.has_order() => compared(">="),
            "in" | "notIn" if self.has_lists() => {
                let list = value.as_array().filter(|list| (1..=MOST).contains(&list.len()))?;
                let list = list.iter().map(|value| self.operand(value)).collect::<Option<_>>()?;
                Some(Test::Among(operator == "in", list))
            }
            "like" => self.like(value, true, [true, true]),
            "notLike" => self.like(value, false, [true, true]),
            "startsWith" => self.like(value, true, [false, true]),
            "endsWith" => self.like(value, true, [true, false]),
            _ => None,
        }
    }

    fn like(self, value: &Value, yes: bool, [before, after]: [bool; 2]) -> Option<Test> {
        let text = value.as_str().filter(|text| matches!(self, Self::Pattern) && !text.is_empty())?;
        // A backslash with nothing after it makes PostgreSQL fail, and Immich with it.
        let backslashes = text.len() - text.trim_end_matches('\\').len();
        (after || backslashes % 2 == 0).then(|| Test::Like { yes, before, after, text: text.to_owned() })
    }

    fn operand(self, value: &Value) -> Option<Operand> {
        Some(match self {
            Self::Id | Self::IdOrNull => Operand::Id(id(value)?),
            Self::Name(known) => {
                Operand::Text(value.as_str().filter(|name| known.contains(name))?.to_owned())
            }
            Self::Text | Self::TextOrNull | Self::Pattern => Operand::Text(value.as_str()?.to_owned()),
            Self::Number | Self::NumberOrNull => Operand::Number(value.as_f64()?),
            Self::Time | Self::TimeOrNull => Operand::Time(instant(value.as_str()?)?),
            Self::Checksum => Operand::Bytes(checksum(value.as_str()?)?),
        })
    }

    fn may_be_null(self) -> bool {
        matches!(
            self,
            Self::IdOrNull | Self::TextOrNull | Self::Pattern | Self::NumberOrNull | Self::TimeOrNull
        )
    }

    fn has_order(self) -> bool {
        matches!(self, Self::Number | Self::NumberOrNull | Self::Time | Self::TimeOrNull)
    }

    fn has_lists(self) -> bool {
        !matches!(self, Self::Id | Self::IdOrNull | Self::Time | Self::TimeOrNull)
    }
}

/// A SHA-1: in base64 it has 28 characters, else it is hexadecimal.
fn checksum(text: &str) -> Option<Vec<u8>> {
    if text.len() == 28 {
        return base64::decode(text);
    }
    let digits: Vec<u32> = text.chars().map(|digit| digit.to_digit(16)).collect::<Option<_>>()?;
    digits
        .len()
        .is_multiple_of(2)
        .then(|| digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect())
}
