//! What reading the answers of different protocols has in common.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, SeqAccess, Visitor},
};
use serde_json::error::Category;

/// An answer that is not what its protocol says.
///
/// The reason quotes nothing of the answer, which comes from elsewhere and can hold anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadReply(String);

impl BadReply {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Reads a whole body.
pub(crate) fn json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, BadReply> {
    serde_json::from_slice(body).map_err(|error| {
        let what = match error.classify() {
            Category::Eof => "the JSON breaks off",
            Category::Data => "the JSON has another shape than it should",
            Category::Syntax | Category::Io => "this is no JSON",
        };
        BadReply::new(format!("{what} (line {}, column {})", error.line(), error.column()))
    })
}

/// A vector in any of its spellings: an array of numbers, an array of numbers as strings, an array of numbers within a string.
#[derive(Debug)]
pub(crate) struct Vector(Vec<f32>);

impl Vector {
    /// The components, if a database would take them and they point anywhere.
    pub(crate) fn checked(self) -> Result<Vec<f32>, BadReply> {
        if self.0.is_empty() {
            return Err(BadReply::new("a vector is empty"));
        }
        if self.0.iter().any(|component| !component.is_finite()) {
            return Err(BadReply::new("a vector is not finite"));
        }
        if self.0.iter().all(|component| *component == 0.0) {
            return Err(BadReply::new("a vector is all zero"));
        }
        Ok(self.0)
    }
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Spellings;
        impl<'de> Visitor<'de> for Spellings {
            type Value = Vector;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a vector")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Vector, E> {
                serde_json::from_str(text).map(Vector).map_err(|_| E::custom("a text that is no vector"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vector, A::Error> {
                let mut components = Vec::with_capacity(items.size_hint().unwrap_or(512).min(4096));
                while let Some(Number(component)) = items.next_element()? {
                    components.push(component as f32);
                }
                Ok(Vector(components))
            }
        }
        deserializer.deserialize_any(Spellings)
    }
}

/// A number, or a string that holds one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Number(pub(crate) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Spellings;
        impl Visitor<'_> for Spellings {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
                Ok(Number(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
                Ok(Number(value as f64))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Number, E> {
                text.trim().parse().map(Number).map_err(|_| E::custom("a text that is no number"))
            }
        }
        deserializer.deserialize_any(Spellings)
    }
}

/// Whether boxes and scores are numbers that fit their place.
pub(crate) fn finite<'a>(values: impl IntoIterator<Item = &'a f32>) -> Result<(), BadReply> {
    if values.into_iter().all(|value| value.is_finite()) {
        Ok(())
    } else {
        Err(BadReply::new("a box or a score is not finite"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_expected_is_told() {
        let vector = serde_json::from_str::<Vector>("{}").unwrap_err().to_string();
        assert!(vector.starts_with("invalid type: map, expected a vector"), "{vector}");
        let number = serde_json::from_str::<Number>("[]").unwrap_err().to_string();
        assert!(number.starts_with("invalid type: sequence, expected a number"), "{number}");
    }
}
