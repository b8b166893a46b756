//! A picture as Immich lists it, and as a catalogue keeps it.
use jiff::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use viewfinder_catalog::{Asset, FileRecord, Properties};

/// A picture of a list.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Listed {
    pub(crate) owner: Uuid,
    pub(crate) id: Uuid,
    /// When anything about it was last changed.
    pub(crate) updated: Timestamp,
    pub(crate) file: FileRecord,
    pub(crate) properties: Properties,
}

impl Listed {
    /// Reads an item of Immich's answers; `None` if it lacks what every version gives.
    pub(crate) fn of(item: &Value) -> Option<Self> {
        let text = |name: &str| item.get(name)?.as_str();
        let time = |name: &str| text(name)?.parse::<Timestamp>().ok();
        let [id, owner] = ["id", "ownerId"].map(|name| text(name).and_then(|id| Uuid::parse_str(id).ok()));
        let (id, owner) = (id?, owner?);
        let name = text("originalFileName").unwrap_or_default();
        let modified = text("fileModifiedAt").unwrap_or_default();
        // The checksum of a file in an external library is one of its path, and only the time tells that it was changed.
        let mut hash = Sha256::new();
        hash.update(text("checksum").unwrap_or_default());
        hash.update(" ");
        hash.update(modified);
        let exif = item.get("exifInfo");
        let size = exif.and_then(|exif| exif.get("fileSizeInByte")?.as_u64()).unwrap_or(0);
        let side = |name: &str| item.get(name)?.as_u64().and_then(|side| u32::try_from(side).ok());
        Some(Self {
            owner,
            id,
            updated: time("updatedAt")?,
            file: FileRecord {
                path: format!("{}{name}", place(owner, id)),
                size,
                modified_ns: modified
                    .parse::<Timestamp>()
                    .ok()
                    .and_then(|time| i64::try_from(time.as_nanosecond()).ok())
                    .unwrap_or(0),
                hash: hash.finalize().into(),
            },
            properties: Properties {
                width: side("width"),
                height: side("height"),
                // The clock at the place, written as if it were Greenwich's.
                taken_ms: time("localDateTime").map(Timestamp::as_millisecond),
            },
        })
    }
}

/// What the path of a picture in a catalogue begins with; its name follows.
pub(crate) fn place(owner: Uuid, id: Uuid) -> String {
    format!("{owner}/{id}/")
}

/// Immich's id of a picture in a catalogue.
pub(crate) fn id_of(asset: &Asset) -> Option<Uuid> {
    Uuid::parse_str(asset.file.path.split('/').nth(1)?).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item() -> Value {
        let path = "immich-2.7.5/api/search-metadata-ocr.json";
        let text = std::fs::read_to_string(viewfinder_test_support::fixtures().join(path)).unwrap();
        let captured: Value = serde_json::from_str(&text).unwrap();
        captured["response"]["body"]["assets"]["items"][0].clone()
    }

    #[test]
    fn what_a_real_immich_lists_is_read() {
        let listed = Listed::of(&item()).unwrap();
        assert_eq!(listed.id.to_string(), "55322edf-c9c5-4d27-9185-2e03523a8c2e");
        let path = "7a545f09-508b-408d-bd23-bea659519770/55322edf-c9c5-4d27-9185-2e03523a8c2e/text2.png";
        assert_eq!(listed.file.path, path);
        // `date -u -d 2026-11-22T06:59:42Z +%s`
        assert_eq!(listed.properties.taken_ms, Some(1_795_330_782_947));
        assert_eq!((listed.properties.width, listed.properties.height), (Some(900), Some(1400)));
        assert_eq!(listed.updated.to_string(), "2026-11-22T07:17:25.544Z");
    }

    #[test]
    fn another_content_is_another_hash_and_another_name_is_not() {
        let first = Listed::of(&item()).unwrap();
        let with = |name: &str, value: &str| {
            let mut item = item();
            item[name] = json!(value);
            Listed::of(&item).unwrap()
        };
        assert_eq!(with("originalFileName", "other.png").file.hash, first.file.hash);
        assert_eq!(with("updatedAt", "2026-12-01T00:00:00.000Z").file.hash, first.file.hash);
        assert_ne!(with("checksum", "YxKv0iBvBDcehI0H0PthcpyHR7k=").file.hash, first.file.hash);
        assert_ne!(with("fileModifiedAt", "2026-12-01T00:00:00.000Z").file.hash, first.file.hash);
        for name in ["id", "ownerId", "updatedAt"] {
            let mut item = item();
            item.as_object_mut().unwrap().remove(name);
            assert_eq!(Listed::of(&item), None, "{name}");
        }
    }
}
