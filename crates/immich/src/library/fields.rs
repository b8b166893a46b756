//! Values of a body, as they must be. Whatever else stands there is Immich's to refuse.
use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::library::Unsupported;

/// The keys of an object.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a Map<String, Value>);

impl Fields<'_> {
    /// Are all of its keys among these?
    pub(crate) fn require_known(self, known: &[&[&str]]) -> Result<(), Unsupported> {
        let is_known = |key: &str| known.iter().any(|list| list.contains(&key));
        match self.0.keys().find(|key| !is_known(key)) {
            Some(key) => Err(Unsupported::new(format!("{key} is not known"))),
            None => Ok(()),
        }
    }

    /// A value that Immich refuses if it is null.
    pub(crate) fn value<T>(
        self,
        name: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, Unsupported> {
        let Some(value) = self.0.get(name) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| strange(name))
    }

    pub(crate) fn text(self, name: &str) -> Result<Option<String>, Unsupported> {
        self.value(name, |value| value.as_str().map(str::to_owned))
    }

    /// A text; null is none.
    pub(crate) fn words(self, name: &str) -> Result<Option<String>, Unsupported> {
        Ok(self.nullable(name)?.flatten())
    }

    /// Not there, null, or a text.
    #[expect(clippy::option_option, reason = "not to be there, and to be null, are two things")]
    pub(crate) fn nullable(self, name: &str) -> Result<Option<Option<String>>, Unsupported> {
        if self.is_null(name) {
            return Ok(Some(None));
        }
        Ok(self.text(name)?.map(Some))
    }

    /// Is it there, and null?
    pub(crate) fn is_null(self, name: &str) -> bool {
        self.0.get(name).is_some_and(Value::is_null)
    }

    pub(crate) fn flag(self, name: &str) -> Result<Option<bool>, Unsupported> {
        self.value(name, Value::as_bool)
    }

    pub(crate) fn number(
        self,
        name: &str,
        range: std::ops::RangeInclusive<i64>,
    ) -> Result<Option<i64>, Unsupported> {
        self.value(name, |value| value.as_i64().filter(|number| range.contains(number)))
    }

    pub(crate) fn one_of(self, name: &str, known: &[&str]) -> Result<Option<String>, Unsupported> {
        self.value(name, |value| value.as_str().filter(|text| known.contains(text)).map(str::to_owned))
    }

    pub(crate) fn id(self, name: &str) -> Result<Option<Uuid>, Unsupported> {
        self.value(name, id)
    }

    pub(crate) fn ids(self, name: &str) -> Result<Vec<Uuid>, Unsupported> {
        let read = |value: &Value| value.as_array()?.iter().map(id).collect();
        Ok(self.value(name, read)?.unwrap_or_default())
    }
}

/// That a value is of another kind.
pub(crate) fn strange(name: &str) -> Unsupported {
    Unsupported::new(format!("the value of {name} is not of the expected kind"))
}

/// An id as Immich writes it.
pub(crate) fn id(value: &Value) -> Option<Uuid> {
    let text = value.as_str()?;
    Uuid::parse_str(text).ok().filter(|id| id.to_string().eq_ignore_ascii_case(text))
}

/// A time with its zone, or a day in that of Greenwich, as JavaScript reads it: to the millisecond.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Timestamp::from_millisecond(time.as_millisecond()).ok();
    }
    // Without a zone, the server's own would count, which is not known here.
    let day = text.parse::<Date>().ok().filter(|_| text.len() == "2024-05-31".len())?;
    TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight())).ok()
}
