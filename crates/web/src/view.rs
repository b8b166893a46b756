//! What the API shows of the catalogue.
use serde::Serialize;
use utoipa::ToSchema;
use viewfinder_catalog::{AnalysisKind, AnalysisState, Asset, FaceRecord, PersonId, TextLine};

use crate::{content_type::content_type, face_crop};

/// An asset in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Asset)]
pub(crate) struct AssetView {
    id: i64,
    /// The file's name.
    name: String,
    path: String,
    /// What the file is, by its name: `image/jpeg`, `video/mp4`; `application/octet-stream` where browsers know no better.
    content_type: &'static str,
    bytes: u64,
    #[schema(required)]
    width: Option<u32>,
    #[schema(required)]
    height: Option<u32>,
    /// When it was taken, on the clock of the place: `2024-05-31T12:30:00`.
    #[schema(required)]
    taken: Option<String>,
    analysis: Analyses,
    /// Address of a small picture; `&size=` chooses its longer side.
    thumbnail: String,
    /// Address of the file itself.
    file: String,
}

#[derive(Debug, Serialize, ToSchema)]
struct Analyses {
    ocr: AnalysisState,
    clip: AnalysisState,
    faces: AnalysisState,
}

/// An asset with what was found in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FullAsset)]
pub(crate) struct FullAssetView {
    #[serde(flatten)]
    pub(crate) asset: AssetView,
    pub(crate) lines: Vec<TextLine>,
    pub(crate) faces: Vec<FaceView>,
    pub(crate) people: Vec<PersonView>,
}

/// A face, without its vector: whoever has that can recognise the person elsewhere.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Face)]
pub(crate) struct FaceView {
    #[serde(rename = "box")]
    corners: [f32; 4],
    score: f32,
    #[schema(required)]
    person: Option<PersonId>,
    /// Address of a small picture of the face alone.
    crop: String,
}

#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PersonName)]
pub(crate) struct PersonView {
    pub(crate) id: i64,
    pub(crate) name: String,
}

impl FaceView {
    /// The face at this place of an asset.
    pub(crate) fn of(asset: &Asset, place: usize, face: &FaceRecord) -> Self {
        let crop = crop_of(asset, place, face.corners);
        Self { corners: face.corners, score: face.score, person: face.person, crop }
    }
}

/// Address of the small picture of a face. Another content and another place have another one, so that browsers may keep it for ever.
pub(crate) fn crop_of(asset: &Asset, place: usize, corners: [f32; 4]) -> String {
    let (id, version) = (asset.id.0, hex(&asset.file.hash[..6]));
    format!("/api/v1/assets/{id}/faces/{place}/crop?v={version}{}", face_crop::mark(corners))
}

impl From<Asset> for AssetView {
    fn from(asset: Asset) -> Self {
        let Asset { id, file, properties, states: [ocr, clip, faces] } = asset;
        // A changed file gets other addresses, so that browsers may keep what they have for ever.
        let version = hex(&file.hash[..6]);
        let address = |what: &str| format!("/api/v1/assets/{}/{what}?v={version}", id.0);
        Self {
            id: id.0,
            name: file.path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
            content_type: content_type(&file.path),
            bytes: file.size,
            width: properties.width,
            height: properties.height,
            taken: properties.taken_ms.and_then(wall_clock),
            analysis: Analyses { ocr, clip, faces },
            thumbnail: address("thumbnail"),
            file: address("file"),
            path: file.path,
        }
    }
}

/// Milliseconds since 1970 as a date and time without a zone.
fn wall_clock(ms: i64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(ms).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(time).strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// Bytes in hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// The kinds of analysis by their names.
pub(crate) fn kind(name: &str) -> Option<AnalysisKind> {
    AnalysisKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}
