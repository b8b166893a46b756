//! A search as Immich's apps send it.
use jiff::{
    Timestamp,
    civil::{Date, Time},
    tz::TimeZone,
};
use serde_json::{Map, Value};
use uuid::Uuid;
use viewfinder_catalog::query::{Query, Scope};

use crate::{
    NotUnderstood,
    filters::{Days, Filters, Visibility},
};

/// What the two kinds of requests give if they name no size.
const SMART_SIZE: u32 = 100;
const METADATA_SIZE: u32 = 250;
/// The most items on a page.
const MOST: u32 = 1000;

/// The body of a `POST /api/search/smart`, or of a `POST /api/search/metadata` with `ocr`, as far as it is understood in full.
#[derive(Clone, Debug, PartialEq)]
pub struct SearchRequest {
    pub(crate) query: Query,
    pub(crate) filters: Filters,
    /// The interface's language, for models that ask for it.
    pub(crate) language: Option<String>,
    pub(crate) page: u32,
    pub(crate) size: u32,
    pub(crate) with_exif: bool,
    pub(crate) with_people: bool,
    /// Was it for `/search/metadata`?
    pub(crate) metadata: bool,
}

impl SearchRequest {
    /// Reads a body. With `query` it is one of `/search/smart`, else one of `/search/metadata` with `ocr`.
    ///
    /// # Errors
    /// [`NotUnderstood`] for a key that is not known here, a value of another kind than expected, and whatever Immich answers better itself: it
    /// alone says what is wrong with a request.
    pub fn parse(body: &Value) -> Result<Self, NotUnderstood> {
        let Value::Object(body) = body else { return Err(NotUnderstood::new("the body is no object")) };
        let mut fields = Fields { body, of_metadata: body.get("query").is_none_or(Value::is_null) };
        let request = fields.request()?;
        match body.keys().find(|key| !KNOWN.contains(&key.as_str())) {
            Some(key) => Err(NotUnderstood::new(format!("{key} is not known"))),
            None => Ok(request),
        }
    }

    /// What is looked for.
    pub fn query(&self) -> &Query {
        &self.query
    }

    /// The interface's language, for models that ask for it.
    pub fn language(&self) -> Option<&str> {
        self.language.as_deref()
    }

    /// Places of the page's first hit and of the one after its last.
    pub fn places(&self) -> std::ops::Range<usize> {
        let start = (self.page as usize - 1).saturating_mul(self.size as usize);
        start..start.saturating_add(self.size as usize)
    }

    /// The page's number, from 1.
    pub fn page(&self) -> u32 {
        self.page
    }

    /// Was it for `/search/metadata`?
    pub fn is_metadata(&self) -> bool {
        self.metadata
    }
}

/// Keys that are read, or are known to make no difference here.
const KNOWN: &[&str] = &[
    "query",
    "queryAssetId",
    "ocr",
    "language",
    "page",
    "size",
    "libraryId",
    "type",
    "isEncoded",
    "isFavorite",
    "isMotion",
    "isOffline",
    "isNotInAlbum",
    "isVisible",
    "visibility",
    "createdBefore",
    "createdAfter",
    "updatedBefore",
    "updatedAfter",
    "trashedBefore",
    "trashedAfter",
    "takenBefore",
    "takenAfter",
    "city",
    "state",
    "country",
    "make",
    "model",
    "lensModel",
    "personIds",
    "tagIds",
    "albumIds",
    "rating",
    "deviceId",
    "withDeleted",
    "withExif",
    "withStacked",
    "withPeople",
    "id",
    "checksum",
    "originalFileName",
    "originalPath",
    "description",
    "deviceAssetId",
];

struct Fields<'a> {
    body: &'a Map<String, Value>,
    of_metadata: bool,
}

impl Fields<'_> {
    fn request(&mut self) -> Result<SearchRequest, NotUnderstood> {
        if self.get("queryAssetId").is_some() {
            return Err(NotUnderstood::new("what is similar to a picture is Immich's to say"));
        }
        // A web page of v1.134 sends it always.
        if self.flag("isVisible")? == Some(false) {
            return Err(NotUnderstood::new("isVisible is not true"));
        }
        let size = if self.of_metadata { METADATA_SIZE } else { SMART_SIZE };
        let size = self.number("size", 1..=i64::from(MOST))?.map_or(size, |size| size as u32);
        let page = self.number("page", 1..=i64::from(u32::MAX / MOST))?.map_or(1, |page| page as u32);
        if self.of_metadata && self.flag("withStacked")? == Some(false) {
            return Err(NotUnderstood::new("withStacked is false"));
        }
        Ok(SearchRequest {
            query: self.query()?,
            filters: self.filters()?,
            language: self.text("language")?,
            page,
            size,
            with_exif: self.flag("withExif")?.unwrap_or(false),
            with_people: self.of_metadata && self.flag("withPeople")?.unwrap_or(false),
            metadata: self.of_metadata,
        })
    }

    /// The words of `query` and of `ocr`, which are all for text.
    fn query(&self) -> Result<Query, NotUnderstood> {
        let read = |text: &str| Query::parse(text).map_err(|error| NotUnderstood::new(error.to_string()));
        let mut query = read(self.text("query")?.unwrap_or_default().trim())?;
        if let Some(ocr) = self.text("ocr")? {
            let ocr = read(&ocr)?;
            query.terms.extend(ocr.terms.into_iter().map(|mut term| {
                term.scope = Scope::Text;
                term
            }));
            query.without.extend(ocr.without);
            query.path.extend(ocr.path);
            query.people.extend(ocr.people);
            query.from_ms = query.from_ms.max(ocr.from_ms);
            query.until_ms = [query.until_ms, ocr.until_ms].into_iter().flatten().min();
        }
        let filters = !query.path.is_empty() || !query.people.is_empty();
        let days = query.from_ms.is_some() || query.until_ms.is_some();
        if query.terms.is_empty() && !filters && !days {
            return Err(NotUnderstood::new("there are no words to search for"));
        }
        Ok(query)
    }

    fn filters(&self) -> Result<Filters, NotUnderstood> {
        let metadata = |name: &str| if self.of_metadata { self.text(name) } else { Ok(None) };
        Ok(Filters {
            library: self.nullable("libraryId")?.flatten().map(|id| uuid("libraryId", &id)).transpose()?,
            kind: self.one_of("type", &["IMAGE", "VIDEO", "AUDIO", "OTHER"])?,
            encoded: self.flag("isEncoded")?,
            favorite: self.flag("isFavorite")?,
            motion: self.flag("isMotion")?,
            offline: self.flag("isOffline")?,
            not_in_album: self.flag("isNotInAlbum")?.unwrap_or(false),
            visibility: match self
                .one_of("visibility", &["archive", "timeline", "hidden", "locked"])?
                .as_deref()
            {
                None => None,
                Some("archive") => Some(Visibility::Archive),
                Some("hidden") => Some(Visibility::Hidden),
                Some("locked") => Some(Visibility::Locked),
                Some(_) => Some(Visibility::Timeline),
            },
            created: self.days("created")?,
            updated: self.days("updated")?,
            trashed: self.days("trashed")?,
            taken: self.days("taken")?,
            exif: {
                let mut exif = Vec::new();
                for name in ["city", "state", "country", "make", "model", "lensModel"] {
                    exif.extend(self.nullable(name)?.map(|value| (name, value)));
                }
                exif
            },
            rating: match self.body.get("rating") {
                Some(Value::Null) => Some(None),
                _ => self.number("rating", -1..=5)?.map(|rating| Some(rating as i32)),
            },
            people: self.ids("personIds")?,
            albums: self.ids("albumIds")?,
            tags: match self.body.get("tagIds") {
                Some(Value::Null) => None,
                _ => Some(self.ids("tagIds")?),
            },
            with_deleted: self.flag("withDeleted")?.unwrap_or(false),
            device: self.text("deviceId")?,
            id: metadata("id")?.map(|id| uuid("id", &id)).transpose()?,
            checksum: metadata("checksum")?,
            file_name: metadata("originalFileName")?,
            path: metadata("originalPath")?,
            description: metadata("description")?,
            device_asset: metadata("deviceAssetId")?,
        })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    /// A value that Immich refuses if it is null.
    fn value<T>(
        &self,
        name: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>, NotUnderstood> {
        let Some(value) = self.body.get(name) else { return Ok(None) };
        let strange = || NotUnderstood::new(format!("the value of {name} is not of the expected kind"));
        read(value).map(Some).ok_or_else(strange)
    }

    fn text(&self, name: &str) -> Result<Option<String>, NotUnderstood> {
        if ["query", "ocr"].contains(&name) && self.get(name).is_none() {
            return Ok(None);
        }
        self.value(name, |value| value.as_str().map(str::to_owned))
    }

    /// Not there, null, or a text.
    #[expect(clippy::option_option, reason = "not to be there, and to be null, are two things")]
    fn nullable(&self, name: &str) -> Result<Option<Option<String>>, NotUnderstood> {
        if self.body.get(name).is_some_and(Value::is_null) {
            return Ok(Some(None));
        }
        Ok(self.text(name)?.map(Some))
    }

    fn flag(&self, name: &str) -> Result<Option<bool>, NotUnderstood> {
        self.value(name, Value::as_bool)
    }

    fn number(&self, name: &str, range: std::ops::RangeInclusive<i64>) -> Result<Option<i64>, NotUnderstood> {
        self.value(name, |value| value.as_i64().filter(|number| range.contains(number)))
    }

    fn one_of(&self, name: &str, known: &[&str]) -> Result<Option<String>, NotUnderstood> {
        let text = self.text(name)?;
        match text {
            Some(text) if !known.contains(&text.as_str()) => {
                Err(NotUnderstood::new(format!("{name} is none of {}", known.join(", "))))
            }
            text => Ok(text),
        }
    }

    fn ids(&self, name: &str) -> Result<Vec<Uuid>, NotUnderstood> {
        let read = |value: &Value| -> Option<Vec<String>> {
            value.as_array()?.iter().map(|id| id.as_str().map(str::to_owned)).collect()
        };
        let ids = self.value(name, read)?.unwrap_or_default();
        ids.iter().map(|id| uuid(name, id)).collect()
    }

    fn days(&self, name: &str) -> Result<Days, NotUnderstood> {
        let time = |end: &str| {
            let name = format!("{name}{end}");
            self.value(&name, |value| instant(value.as_str()?))
        };
        Ok(Days { before: time("Before")?, after: time("After")? })
    }
}

fn uuid(name: &str, text: &str) -> Result<Uuid, NotUnderstood> {
    Uuid::parse_str(text).map_err(|_| NotUnderstood::new(format!("{name} has an id that is none")))
}

/// A time with its zone, or a day in that of Greenwich, as JavaScript reads it.
fn instant(text: &str) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time);
    }
    // Without a zone, the server's own would count, which is not known here.
    let day = text.parse::<Date>().ok().filter(|_| text.len() == "2024-05-31".len())?;
    TimeZone::UTC.to_timestamp(day.to_datetime(Time::midnight())).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "literals read better")]
    fn parse(body: Value) -> Result<SearchRequest, NotUnderstood> {
        SearchRequest::parse(&body)
    }

    #[test]
    fn kinds_and_pages() {
        let smart = parse(json!({"query": " a cat ", "language": "en", "page": 2})).unwrap();
        assert_eq!(
            (smart.page, smart.size, smart.metadata, smart.query().meaning().is_none()),
            (2, 100, false, false)
        );
        assert_eq!(smart.query.meaning().as_deref(), Some("a cat"));
        let ocr = parse(json!({"ocr": "hello world", "withPeople": true, "query": null})).unwrap();
        assert_eq!((ocr.page, ocr.size, ocr.metadata, ocr.query().meaning().is_none()), (1, 250, true, true));
        assert!(ocr.with_people);
        assert!(parse(json!({"query": "ocr:发票", "size": 10})).unwrap().query().meaning().is_none());
        let both = parse(json!({"query": "a cat", "ocr": "invoice", "withPeople": true})).unwrap();
        assert_eq!(both.query.meaning().as_deref(), Some("a cat"));
        assert_eq!(both.query.terms.len(), 3);
        assert!(parse(json!({"query": "path:IMG_1"})).is_ok());
        assert!(!both.with_people, "Immich leaves it out there");
    }

    #[test]
    fn what_is_not_understood_is_left_to_immich() {
        for body in [
            json!([]),
            json!({}),
            json!({"query": ""}),
            json!({"query": "-cat"}),
            json!({"query": "\"open"}),
            json!({"query": 5}),
            json!({"queryAssetId": "5b4cab2a-607b-4054-a512-8f31a3c3e07e"}),
            json!({"query": "a", "queryAssetId": "5b4cab2a-607b-4054-a512-8f31a3c3e07e"}),
            json!({"query": "a", "brandNew": 1}),
            json!({"query": "a", "size": 0}),
            json!({"query": "a", "size": 1001}),
            json!({"query": "a", "size": "10"}),
            json!({"query": "a", "page": 0}),
            json!({"query": "a", "type": "PICTURE"}),
            json!({"query": "a", "type": null}),
            json!({"query": "a", "personIds": ["x"]}),
            json!({"query": "a", "personIds": null}),
            json!({"query": "a", "isFavorite": "true"}),
            json!({"query": "a", "rating": 6}),
            json!({"query": "a", "takenAfter": "2024-01-01T00:00:00"}),
            json!({"query": "a", "takenAfter": "yesterday"}),
            json!({"query": "a", "city": 5}),
            json!({"query": "a", "isVisible": false}),
            json!({"ocr": "a", "order": "asc"}),
            json!({"ocr": "a", "withStacked": false}),
            json!({"ocr": "a", "previewPath": "x"}),
        ] {
            assert!(parse(body.clone()).is_err(), "{body}");
        }
    }

    #[test]
    fn values_are_read() {
        let request = parse(json!({
            "query": "a", "city": null, "make": "Canon", "rating": null, "tagIds": null, "libraryId": null,
            "takenAfter": "2024-01-01", "takenBefore": "2024-02-01T10:00:00.000+02:00", "isVisible": true,
        }));
        let filters = request.unwrap().filters;
        assert_eq!(filters.exif, [("city", None), ("make", Some("Canon".into()))]);
        assert_eq!((filters.rating, filters.tags, filters.library), (Some(None), None, None));
        assert_eq!(filters.taken.after.unwrap().to_string(), "2024-01-01T00:00:00Z");
        assert_eq!(filters.taken.before.unwrap().to_string(), "2024-02-01T08:00:00Z");
    }
}
