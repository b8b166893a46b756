//! The order of hits that a request asks for.
use serde_json::Value;

use crate::library::{Unsupported, fields::Fields};

/// By what, and which way; pictures without it come last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Order {
    pub(crate) by: By,
    pub(crate) ascending: bool,
}

/// What an order goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Taken,
    LocalTime,
    Size,
    Rating,
}

impl Order {
    /// Newest first, as Immich lists.
    pub(crate) const NEWEST: Self = Self { by: By::Taken, ascending: false };

    /// Reads `orderBy`.
    pub(crate) fn parse(value: &Value) -> Result<Self, Unsupported> {
        let Value::Object(order) = value else { return Err(Unsupported::new("orderBy is no object")) };
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
}
