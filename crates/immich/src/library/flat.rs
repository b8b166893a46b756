//! The first shape of a request: all filters side by side with the words.
use serde_json::{Map, Value};
use viewfinder_catalog::query::Query;

use crate::library::{
    SearchRequest, SearchRoute, Unsupported,
    fields::{Fields, instant},
    filters::{Days, Filters, Visibility},
    request::{Alternative, AssetFilter, MOST, Paging, default_size},
    words,
};

/// Filters that every route has, and what old apps send beside them.
const EVERYWHERE: &[&str] = &[
    "ocr",
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
];
/// Of routes that give pictures.
const OF_PICTURES: &[&str] = &["size", "withDeleted", "withExif", "withStacked", "withPeople"];
/// Of routes that give pages of them. Immich passes over those that are not for the route.
const OF_PAGES: &[&str] = &[
    "query",
    "queryAssetId",
    "language",
    "page",
    "id",
    "checksum",
    "originalFileName",
    "originalPath",
    "description",
    "deviceAssetId",
];

fn known(route: SearchRoute) -> &'static [&'static [&'static str]] {
    match route {
        SearchRoute::Smart | SearchRoute::Metadata => &[EVERYWHERE, OF_PICTURES, OF_PAGES],
        SearchRoute::Random => &[EVERYWHERE, OF_PICTURES],
        SearchRoute::Statistics => &[EVERYWHERE, &["description"]],
    }
}

/// Reads a body.
pub(crate) fn parse(route: SearchRoute, body: &Map<String, Value>) -> Result<SearchRequest, Unsupported> {
    let fields = Fields(body);
    fields.require_known(known(route))?;
    if fields.words("queryAssetId")?.is_some() {
        return Err(Unsupported::new("what is similar to a picture is Immich's to say"));
    }
    // A web page of v1.134 sends it always.
    if fields.flag("isVisible")? == Some(false) {
        return Err(Unsupported::new("isVisible is not true"));
    }
    let has_people = matches!(route, SearchRoute::Metadata | SearchRoute::Random);
    if has_people && fields.flag("withStacked")? == Some(false) {
        return Err(Unsupported::new("withStacked is false"));
    }
    let size = fields.number("size", 1..=MOST)?.map_or(default_size(route), |size| size as usize);
    let page = fields.number("page", 1..=i64::from(u32::MAX) / MOST)?.map_or(1, |page| page as usize);
    let paging = match route {
        SearchRoute::Smart | SearchRoute::Metadata => Paging::Pages,
        SearchRoute::Random | SearchRoute::Statistics => Paging::None,
    };
    let query = words::required(query(route, fields)?)?;
    let allows = AssetFilter::Flat(Box::new(filters(route, fields)?));
    Ok(SearchRequest {
        route,
        alternatives: vec![Alternative { query, allows }],
        language: fields.text("language")?,
        start: (page - 1) * size,
        size,
        paging,
        order: None,
        with_exif: fields.flag("withExif")?.unwrap_or(false),
        with_people: has_people && fields.flag("withPeople")?.unwrap_or(false),
    })
}

/// The words of `query` and of `ocr`, which are all for text.
fn query(route: SearchRoute, fields: Fields<'_>) -> Result<Query, Unsupported> {
    let text = words::read_text(&fields.words("ocr")?.unwrap_or_default())?;
    match fields.words("query")? {
        None => Ok(text),
        Some(query) if route == SearchRoute::Smart => Ok(words::both(words::read(&query)?, text)),
        Some(_) => Err(Unsupported::new("query is for another route")),
    }
}

fn filters(route: SearchRoute, fields: Fields<'_>) -> Result<Filters, Unsupported> {
    let metadata = |name: &str| if route == SearchRoute::Metadata { fields.text(name) } else { Ok(None) };
    Ok(Filters {
        library: if fields.is_null("libraryId") { None } else { fields.id("libraryId")? },
        kind: fields.one_of("type", &["IMAGE", "VIDEO", "AUDIO", "OTHER"])?,
        encoded: fields.flag("isEncoded")?,
        favorite: fields.flag("isFavorite")?,
        motion: fields.flag("isMotion")?,
        offline: fields.flag("isOffline")?,
        not_in_album: fields.flag("isNotInAlbum")?.unwrap_or(false),
        visibility: match fields
            .one_of("visibility", &["archive", "timeline", "hidden", "locked"])?
            .as_deref()
        {
            None => None,
            Some("archive") => Some(Visibility::Archive),
            Some("hidden") => Some(Visibility::Hidden),
            Some("locked") => Some(Visibility::Locked),
            Some(_) => Some(Visibility::Timeline),
        },
        created: days(fields, "created")?,
        updated: days(fields, "updated")?,
        trashed: days(fields, "trashed")?,
        taken: days(fields, "taken")?,
        exif: {
            let mut exif = Vec::new();
            for name in ["city", "state", "country", "make", "model", "lensModel"] {
                exif.extend(fields.nullable(name)?.map(|value| (name, value)));
            }
            exif
        },
        rating: if fields.is_null("rating") {
            Some(None)
        } else {
            fields.number("rating", -1..=5)?.map(|rating| Some(rating as i32))
        },
        people: fields.ids("personIds")?,
        albums: fields.ids("albumIds")?,
        tags: if fields.is_null("tagIds") { None } else { Some(fields.ids("tagIds")?) },
        with_deleted: fields.flag("withDeleted")?.unwrap_or(false),
        device: fields.text("deviceId")?,
        id: if route == SearchRoute::Metadata { fields.id("id")? } else { None },
        checksum: metadata("checksum")?,
        file_name: metadata("originalFileName")?,
        path: metadata("originalPath")?,
        description: match route {
            SearchRoute::Metadata | SearchRoute::Statistics => fields.text("description")?,
            _ => None,
        },
        device_asset: metadata("deviceAssetId")?,
    })
}

fn days(fields: Fields<'_>, name: &str) -> Result<Days, Unsupported> {
    let time = |end: &str| fields.value(&format!("{name}{end}"), |value| instant(value.as_str()?));
    Ok(Days { before: time("Before")?, after: time("After")? })
}

#[cfg(test)]
mod tests {
    use crate::library::Next;
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "literals read better")]
    fn parse(body: Value) -> Result<SearchRequest, Unsupported> {
        let smart = body.get("query").is_some_and(Value::is_string);
        SearchRequest::parse(if smart { SearchRoute::Smart } else { SearchRoute::Metadata }, &body)
    }

    #[test]
    fn kinds_and_pages() {
        let smart = parse(json!({"query": " a cat ", "language": "en", "page": 2})).unwrap();
        assert_eq!((smart.page(), smart.places(), smart.is_metadata()), (2, 100..200, false));
        assert_eq!(smart.next(true), Some(Next::Page(3)));
        assert_eq!(smart.query().meaning().as_deref(), Some("a cat"));
        let ocr = parse(json!({"ocr": "hello world", "withPeople": true, "query": null})).unwrap();
        assert_eq!((ocr.page(), ocr.places(), ocr.is_metadata()), (1, 0..250, true));
        assert_eq!((ocr.next(false), ocr.query().meaning()), (None, None));
        assert!(ocr.with_people);
        assert!(parse(json!({"query": "ocr:发票", "size": 10})).unwrap().query().meaning().is_none());
        let both = parse(json!({"query": "a cat", "ocr": "invoice", "withPeople": true})).unwrap();
        assert_eq!(both.query().meaning().as_deref(), Some("a cat"));
        assert_eq!(both.query().terms.len(), 3);
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
    fn each_route_has_its_own_keys() {
        let parse = |route, body: Value| SearchRequest::parse(route, &body);
        let random =
            parse(SearchRoute::Random, json!({"ocr": "a", "size": 3, "withPeople": true, "withExif": true}));
        let random = random.unwrap();
        assert_eq!((random.places(), random.next(true), random.with_people), (0..3, None, true));
        assert_eq!(parse(SearchRoute::Random, json!({"ocr": "a"})).unwrap().places(), 0..250);
        let body = json!({"ocr": "a", "description": "b", "isFavorite": true});
        assert!(parse(SearchRoute::Statistics, body).is_ok());
        for (route, body) in [
            (SearchRoute::Random, json!({"ocr": "a", "page": 2})),
            (SearchRoute::Random, json!({"ocr": "a", "description": "b"})),
            (SearchRoute::Random, json!({"ocr": "a", "withStacked": false})),
            (SearchRoute::Random, json!({"isFavorite": true})),
            (SearchRoute::Statistics, json!({"ocr": "a", "size": 1})),
            (SearchRoute::Statistics, json!({"ocr": "a", "withExif": true})),
            (SearchRoute::Statistics, json!({"ocr": "a", "query": "b"})),
            (SearchRoute::Metadata, json!({"ocr": "a", "query": "b"})),
        ] {
            assert!(parse(route, body.clone()).is_err(), "{body}");
        }
    }

    #[test]
    fn values_are_read() {
        let request = parse(json!({
            "query": "a", "city": null, "make": "Canon", "rating": null, "tagIds": null, "libraryId": null,
            "takenAfter": "2024-01-01", "takenBefore": "2024-02-01T10:00:00.000+02:00", "isVisible": true,
        }));
        let AssetFilter::Flat(filters) = request.unwrap().alternatives.remove(0).allows else { panic!() };
        assert_eq!(filters.exif, [("city", None), ("make", Some("Canon".into()))]);
        assert_eq!((filters.rating, filters.tags, filters.library), (Some(None), None, None));
        assert_eq!(filters.taken.after.unwrap().to_string(), "2024-01-01T00:00:00Z");
        assert_eq!(filters.taken.before.unwrap().to_string(), "2024-02-01T08:00:00Z");
    }
}
