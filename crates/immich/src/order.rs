//! The order of hits that a request asks for.
use serde_json::Value;

use crate::{NotUnderstood, fields::Fields};

/// By what, and which way; pictures without it come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    by: By,
    ascending: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Taken,
    LocalTime,
    Size,
    Rating,
}

impl Order {
    /// Newest first, as Immich lists.
    pub(crate) const NEWEST: Self = Self { by: By::Taken, ascending: false };

    /// Reads `orderBy`.
    pub(crate) fn parse(value: &Value) -> Result<Self, NotUnderstood> {
        let Value::Object(order) = value else { return Err(NotUnderstood::new("orderBy is no object")) };
        let fields = Fields(order);
        fields.require_known(&[&["field", "direction"]])?;
        let by = fields.value("field", |field| {
            Some(match field.as_str()? {
                "fileCreatedAt" => By::Taken,
                "localDateTime" => By::LocalTime,
                "fileSizeInBytes" => By::Size,
                "rating" => By::Rating,
                _ => return None,
            })
        })?;
        let direction = fields.one_of("direction", &["asc", "desc"])?;
        Ok(Self { by: by.unwrap_or(By::Taken), ascending: direction.as_deref() == Some("asc") })
    }

    /// Does it look at EXIF?
    pub(crate) fn needs_exif(self) -> bool {
        matches!(self.by, By::Size | By::Rating)
    }

    /// What follows `ORDER BY` for rows of `asset`, with those of `ordering` from the table of EXIF beside them if it needs EXIF.
    pub(crate) fn sql(self) -> String {
        let direction = if self.ascending { "ASC" } else { "DESC" };
        let first = match self.by {
            By::Taken => format!("asset.\"fileCreatedAt\" {direction}"),
            By::LocalTime => format!("asset.\"localDateTime\" {direction}"),
            By::Size => format!("ordering.\"fileSizeInByte\" {direction} NULLS LAST"),
            By::Rating => format!("ordering.rating {direction} NULLS LAST"),
        };
        format!("{first}, asset.id {direction}")
    }
}
