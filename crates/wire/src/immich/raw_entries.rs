//! The `entries` field as it is written: what is known of it, and nothing else.
//!
//! Whoever sends it decides how long and how deep it is. So what is not known is skipped while it is read, and of a key that comes
//! twice the last counts, as in Python.

use std::{borrow::Cow, fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::entries::{CLIP, FACES, TEXT};

/// Characters in a name or a language; longer ones name nothing that there is.
const LONGEST: usize = 256;

/// Everything asked for, by task.
#[derive(Debug, Default)]
pub(super) struct RawEntries {
    pub(super) clip: Kinds,
    pub(super) faces: Kinds,
    pub(super) text: Kinds,
    /// A task that does not exist, with a type that it has.
    strange: Option<(String, String)>,
}

/// The types of one task.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    pub(super) visual: Option<Entry>,
    pub(super) textual: Option<Entry>,
    pub(super) detection: Option<Entry>,
    pub(super) recognition: Option<Entry>,
    /// A type that does not exist.
    strange: Option<String>,
}

/// `{"modelName": string, "options"?: object}`.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) model: String,
    pub(super) options: Options,
}

/// The options that any type has.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) language: Option<Scalar>,
    pub(super) min_score: Option<Scalar>,
    pub(super) max_resolution: Option<Scalar>,
    pub(super) score_mode: Option<Scalar>,
}

/// A value without anything in it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Number(f64),
    Text(String),
    /// Of any other type, and dropped.
    Other,
}

impl RawEntries {
    /// A task that there is not, or a task with a type that it does not have.
    pub(super) fn unsupported(&self) -> Option<(&str, &str)> {
        let of = |task, kind: Option<_>| kind.map(|kind| (task, kind));
        let strange = self.strange.as_ref().map(|(task, kind)| (task.as_str(), kind.as_str()));
        strange
            .or_else(|| of(CLIP, self.clip.beside_clip()))
            .or_else(|| of(FACES, self.faces.beside_detection()))
            .or_else(|| of(TEXT, self.text.beside_detection()))
    }
}

impl Kinds {
    /// A type that embedding does not have.
    fn beside_clip(&self) -> Option<&str> {
        let others = [(&self.detection, "detection"), (&self.recognition, "recognition")];
        self.excluded_by(others)
    }

    /// A type that finding does not have.
    fn beside_detection(&self) -> Option<&str> {
        self.excluded_by([(&self.visual, "visual"), (&self.textual, "textual")])
    }

    fn excluded_by(&self, others: [(&Option<Entry>, &'static str); 2]) -> Option<&str> {
        let other = others.into_iter().find_map(|(entry, name)| entry.as_ref().map(|_| name));
        self.strange.as_deref().or(other)
    }

    /// Any type at all.
    fn any(&self) -> Option<&str> {
        self.beside_clip().or_else(|| self.beside_detection())
    }
}

/// An object that is read key by key.
trait Fields: Default {
    /// What it is, for messages.
    const WHAT: &'static str;

    /// Takes the value of a key.
    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error>;
}

impl Fields for RawEntries {
    const WHAT: &'static str = "an object of tasks";

    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let kinds: Kinds = map.next_value()?;
        match key {
            CLIP => self.clip = kinds,
            FACES => self.faces = kinds,
            TEXT => self.text = kinds,
            task => {
                if let Some(kind) = kinds.any() {
                    self.strange = Some((shortened(task), kind.to_owned()));
                }
            }
        }
        Ok(())
    }
}

impl Fields for Kinds {
    const WHAT: &'static str = "an object of types";

    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let entry: Entry = map.next_value()?;
        match key {
            "visual" => self.visual = Some(entry),
            "textual" => self.textual = Some(entry),
            "detection" => self.detection = Some(entry),
            "recognition" => self.recognition = Some(entry),
            kind => self.strange = Some(shortened(kind)),
        }
        Ok(())
    }
}

/// An entry while it is read.
#[derive(Default)]
struct Fragment {
    model: Option<Scalar>,
    options: Options,
}

impl Fields for Fragment {
    const WHAT: &'static str = "an object with modelName";

    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        match key {
            "modelName" => self.model = Some(map.next_value()?),
            "options" => self.options = map.next_value()?,
            _ => _ = map.next_value::<IgnoredAny>()?,
        }
        Ok(())
    }
}

impl Fields for Options {
    const WHAT: &'static str = "an object of options";

    fn take<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        let option = match key {
            "language" => &mut self.language,
            "minScore" => &mut self.min_score,
            "maxResolution" => &mut self.max_resolution,
            "scoreMode" => &mut self.score_mode,
            _ => return map.next_value::<IgnoredAny>().map(drop),
        };
        *option = Some(map.next_value()?);
        Ok(())
    }
}

/// Reads an object.
fn object<'de, T: Fields, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Fields> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str(T::WHAT)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<T, A::Error> {
            let mut read = T::default();
            while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                read.take(&key, &mut map)?;
            }
            Ok(read)
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

impl<'de> Deserialize<'de> for RawEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl<'de> Deserialize<'de> for Kinds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl<'de> Deserialize<'de> for Options {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Fragment { model, options } = object(deserializer)?;
        match model {
            Some(Scalar::Text(model)) => Ok(Self { model, options }),
            _ => Err(D::Error::custom("there is no modelName")),
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;

        impl<'de> Visitor<'de> for Any {
            type Value = Scalar;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a value")
            }

            fn visit_unit<E: Error>(self) -> Result<Scalar, E> {
                Ok(Scalar::Null)
            }

            fn visit_bool<E: Error>(self, _: bool) -> Result<Scalar, E> {
                Ok(Scalar::Other)
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value as f64))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value as f64))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar, E> {
                if text.chars().nth(LONGEST).is_some() {
                    return Err(E::custom("a name is too long"));
                }
                Ok(Scalar::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Scalar, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Scalar, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Scalar::Other)
            }
        }

        deserializer.deserialize_any(Any)
    }
}

/// Names come back in messages and logs, so they are kept short.
fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use serde::de::value::{BytesDeserializer, Error};

    use super::*;

    #[test]
    fn what_was_expected_is_told() {
        let told = |text: &str| serde_json::from_str::<RawEntries>(text).unwrap_err().to_string();
        for (text, expected) in [
            ("7", "expected an object of tasks"),
            (r#"{"clip":7}"#, "expected an object of types"),
            (r#"{"clip":{"visual":7}}"#, "expected an object with modelName"),
            (r#"{"clip":{"visual":{"options":7}}}"#, "expected an object of options"),
        ] {
            assert!(told(text).contains(expected), "{}", told(text));
        }
        // JSON has nothing that is no value.
        let error = Scalar::deserialize(BytesDeserializer::<Error>::new(&[7])).unwrap_err();
        assert!(error.to_string().ends_with("expected a value"), "{error}");
    }
}
