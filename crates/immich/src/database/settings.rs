//! What Immich is set to, as far as it is kept in the database.
use serde_json::Value;
use viewfinder_catalog::postgres::{Result, Transaction};

use crate::database::schema::Schema;

/// Models and thresholds. What the database does not say is Immich's default, as of v2.7.5.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Settings {
    /// The model of vectors; none if they are switched off.
    pub(crate) clip: Option<String>,
    /// How text is found and read.
    pub(crate) ocr: OcrSettings,
}

/// How text is found and read.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct OcrSettings {
    pub(crate) enabled: bool,
    pub(crate) model: String,
    pub(crate) min_detection_score: f32,
    pub(crate) min_recognition_score: f32,
    /// Pixels of the short side.
    pub(crate) max_resolution: usize,
}

impl Settings {
    pub(crate) async fn read(tx: &Transaction, schema: &Schema) -> Result<Self> {
        let Some(table) = &schema.settings else { return Ok(Self::of(&Value::Null)) };
        let row = tx.row(&format!("SELECT value FROM {table} WHERE key = 'system-config'"), &[]).await?;
        Ok(Self::of(&row.map(|row| row.get(0)).unwrap_or_default()))
    }

    fn of(config: &Value) -> Self {
        let learning = &config["machineLearning"];
        let text = |value: &Value, default: &str| value.as_str().unwrap_or(default).to_owned();
        let number = |value: &Value, default: f32| value.as_f64().map_or(default, |number| number as f32);
        let on = |value: &Value| value["enabled"] != false;
        let (clip, ocr) = (&learning["clip"], &learning["ocr"]);
        Self {
            clip: (on(learning) && on(clip)).then(|| text(&clip["modelName"], "ViT-B-32__openai")),
            ocr: OcrSettings {
                enabled: on(learning) && on(ocr),
                model: text(&ocr["modelName"], "PP-OCRv5_mobile"),
                min_detection_score: number(&ocr["minDetectionScore"], 0.5),
                min_recognition_score: number(&ocr["minRecognitionScore"], 0.8),
                max_resolution: ocr["maxResolution"].as_u64().map_or(736, |pixels| pixels as usize),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_part_of_the_settings_leaves_the_defaults() {
        let plain = Settings::of(&Value::Null);
        assert_eq!(plain.clip.as_deref(), Some("ViT-B-32__openai"));
        assert_eq!((plain.ocr.max_resolution, plain.ocr.min_recognition_score), (736, 0.8));
        let set = Settings::of(&json!({"machineLearning": {
            "clip": {"modelName": "nllb-clip-base-siglip__v1"},
            "ocr": {"modelName": "PP-OCRv5_server", "minRecognitionScore": 0.6}
        }}));
        assert_eq!(set.clip.as_deref(), Some("nllb-clip-base-siglip__v1"));
        assert_eq!((set.ocr.model.as_str(), set.ocr.min_recognition_score), ("PP-OCRv5_server", 0.6));
        assert_eq!(Settings::of(&json!({"machineLearning": {"clip": {"enabled": false}}})).clip, None);
        let off = Settings::of(&json!({"machineLearning": {"enabled": false}}));
        assert_eq!((off.clip, off.ocr.enabled, plain.ocr.enabled), (None, false, true));
        assert!(!Settings::of(&json!({"machineLearning": {"ocr": {"enabled": false}}})).ocr.enabled);
    }
}
