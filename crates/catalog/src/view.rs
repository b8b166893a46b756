//! How the catalogue is shown to programs: by names, with hashes in hexadecimal digits, times in RFC 3339, and places in a text
//! counted in characters.
use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::{
    AnalysisState, Asset, Counts,
    search::{Hit, LineMatch, MatchQuality, Reason},
};

/// A photo or video.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = CatalogAsset))]
pub struct AssetView {
    /// Number in the catalogue; never given twice.
    pub id: i64,
    /// The file's name.
    pub name: String,
    /// Its whole path.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, in lower-case hexadecimal digits.
    #[cfg_attr(feature = "schema", schema(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// When the file was changed last.
    #[cfg_attr(feature = "schema", schema(format = DateTime, required))]
    pub modified: Option<String>,
    /// Pixels of the upright picture; none before it was read.
    #[cfg_attr(feature = "schema", schema(required))]
    pub width: Option<u32>,
    /// Pixels of the upright picture.
    #[cfg_attr(feature = "schema", schema(required))]
    pub height: Option<u32>,
    /// When it was taken, on the clock of the place, whose time zone pictures do not tell: `2024-05-31T12:30:00`.
    #[cfg_attr(feature = "schema", schema(required))]
    pub taken: Option<String>,
    /// How far each analysis is.
    pub analysis: AnalysesView,
}

/// How far each analysis of an asset is.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = Analyses))]
pub struct AnalysesView {
    /// Text recognition.
    pub ocr: AnalysisState,
    /// The vector of what the picture shows.
    pub clip: AnalysisState,
    /// Faces.
    pub faces: AnalysisState,
}

/// Why a picture was found, beside the picture itself.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = Match))]
pub struct MatchView {
    /// Relevance, 0 to 1.
    pub score: f32,
    /// What made it a hit.
    pub reason: Reason,
    /// Cosine of query and picture.
    #[cfg_attr(feature = "schema", schema(required))]
    pub similarity: Option<f32>,
    /// How well the text fits.
    #[cfg_attr(feature = "schema", schema(required))]
    pub closeness: Option<MatchQuality>,
    /// Words of the query as the picture has them.
    pub words: Vec<String>,
    /// Lines to show and to highlight.
    pub lines: Vec<LineView>,
}

/// A line of text with a match.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = FoundLine))]
pub struct LineView {
    /// Place in the asset's lines, from 0.
    pub line: usize,
    /// What it says.
    pub text: String,
    /// Corners, clockwise from the text's upper left, as fractions of width and height of the upright picture.
    #[serde(rename = "box")]
    pub corners: [[f32; 2]; 4],
    /// Parts that fit, as first and last character (Unicode code points, the last not included).
    pub marks: Vec<[usize; 2]>,
}

/// How much of a catalogue is analysed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = Counts))]
pub struct CountsView {
    /// Photos and videos.
    pub assets: u64,
    /// Text recognition.
    pub ocr: StatesView,
    /// Vectors of what pictures show.
    pub clip: StatesView,
    /// Faces.
    pub faces: StatesView,
}

/// How many assets are in which state of one analysis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "schema", schema(as = StateCounts))]
pub struct StatesView {
    /// Not done yet, or to be done again.
    pub waiting: u64,
    /// Done.
    pub done: u64,
    /// Failed for good.
    pub failed: u64,
}

impl From<Asset> for AssetView {
    fn from(asset: Asset) -> Self {
        let Asset { id, file, properties, states: [ocr, clip, faces] } = asset;
        Self {
            id: id.0,
            name: file.path.rsplit(['/', '\\']).next().unwrap_or_default().to_owned(),
            bytes: file.size,
            sha256: hex(&file.hash),
            modified: Timestamp::from_nanosecond(file.modified_ns.into()).ok().map(|time| time.to_string()),
            width: properties.width,
            height: properties.height,
            taken: properties.taken_ms.and_then(wall_clock),
            analysis: AnalysesView { ocr, clip, faces },
            path: file.path,
        }
    }
}

impl MatchView {
    /// Takes a hit apart: its picture, and why it is one.
    pub fn of(hit: Hit) -> (Asset, Self) {
        let Hit { asset, score, reason, text, similarity } = hit;
        let closeness = text.as_ref().map(|text| text.closeness);
        let (words, lines) = text.map(|text| (text.words, text.lines)).unwrap_or_default();
        let lines = lines.into_iter().map(LineView::from).collect();
        (asset, Self { score, reason, similarity, closeness, words, lines })
    }
}

impl From<LineMatch> for LineView {
    fn from(LineMatch { line, text, corners, spans }: LineMatch) -> Self {
        let character = |byte: usize| text.char_indices().take_while(|(at, _)| *at < byte).count();
        let marks = spans.iter().map(|span| span.map(character)).collect();
        Self { line, text, corners, marks }
    }
}

impl From<Counts> for CountsView {
    fn from(Counts { assets, states }: Counts) -> Self {
        let [ocr, clip, faces] = states.map(|[waiting, done, failed]| StatesView { waiting, done, failed });
        Self { assets, ocr, clip, faces }
    }
}

/// Bytes in hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// Milliseconds since 1970 as a date and time without a zone.
fn wall_clock(ms: i64) -> Option<String> {
    let time = Timestamp::from_millisecond(ms).ok()?;
    Some(jiff::tz::Offset::UTC.to_datetime(time).strftime("%Y-%m-%dT%H:%M:%S").to_string())
}

/// Serialises milliseconds since 1970 as RFC 3339 has a time.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
pub(crate) fn rfc3339<S: Serializer>(ms: &i64, to: S) -> Result<S::Ok, S::Error> {
    // Our own clock showed it.
    to.collect_str(&Timestamp::from_millisecond(*ms).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AssetId, FileRecord, Properties};

    #[test]
    fn an_asset_is_shown_by_names() {
        let states = [
            AnalysisState::Done { model: "PP-OCRv6_small".to_owned(), at_ms: 1_700_000_000_123 },
            AnalysisState::Never,
            AnalysisState::Failed {
                model: "buffalo_l".to_owned(),
                code: "decoder_missing".to_owned(),
                message: "m".to_owned(),
                at_ms: 0,
            },
        ];
        let path = "/photos/a/b.jpg".to_owned();
        let file = FileRecord { path, size: 7, modified_ns: 1_700_000_000_000_000_001, hash: [0xAB; 32] };
        let properties = Properties { width: Some(4), height: None, taken_ms: Some(1_717_158_600_000) };
        let shown = AssetView::from(Asset { id: AssetId(3), file, properties, states });
        let expected = serde_json::json!({
            "id": 3, "name": "b.jpg", "path": "/photos/a/b.jpg", "bytes": 7, "sha256": "ab".repeat(32),
            "modified": "2023-11-14T22:13:20.000000001Z", "width": 4, "height": null,
            "taken": "2024-05-31T12:30:00",
            "analysis": {
                "ocr": { "state": "done", "model": "PP-OCRv6_small", "at": "2023-11-14T22:13:20.123Z" },
                "clip": { "state": "never" },
                "faces": {
                    "state": "failed", "model": "buffalo_l", "code": "decoder_missing", "message": "m",
                    "at": "1970-01-01T00:00:00Z",
                },
            },
        });
        assert_eq!(serde_json::to_value(shown).unwrap(), expected);
    }

    #[test]
    fn marks_are_counted_in_characters() {
        let text = "😀 合计 INVOICE".to_owned();
        let spans = vec![[5, 11], [12, text.len()]];
        let shown = LineView::from(LineMatch { line: 0, text, corners: [[0.0; 2]; 4], spans });
        assert_eq!(shown.marks, [[2, 4], [5, 12]]);
    }
}
