//! What the API shows of the catalogue.
use serde::Serialize;
use utoipa::ToSchema;
use viewfinder_catalog::{
    AnalysisKind, Asset, FaceRecord, PersonId, TextLine,
    view::{AssetView as CatalogAsset, hex},
};

use crate::{content_type::content_type, face_crop};

/// An asset in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Asset)]
pub(crate) struct AssetView {
    #[serde(flatten)]
    asset: CatalogAsset,
    /// What the file is, by its name: `image/jpeg`, `video/mp4`; `application/octet-stream` where browsers know no better.
    content_type: &'static str,
    /// Address of a small picture; `&size=` chooses its longer side.
    thumbnail: String,
    /// Address of the file itself.
    file: String,
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
        // A changed file gets other addresses, so that browsers may keep what they have for ever.
        let version = hex(&asset.file.hash[..6]);
        let address = |what: &str| format!("/api/v1/assets/{}/{what}?v={version}", asset.id.0);
        Self {
            content_type: content_type(&asset.file.path),
            thumbnail: address("thumbnail"),
            file: address("file"),
            asset: asset.into(),
        }
    }
}

/// The kinds of analysis by their names.
pub(crate) fn kind(name: &str) -> Option<AnalysisKind> {
    AnalysisKind::ALL.into_iter().find(|kind| kind.as_str() == name)
}
