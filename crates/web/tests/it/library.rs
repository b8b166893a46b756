//! A folder of five pictures and a file that is none, and what there is to see in them.
use std::{path::Path, sync::Arc, time::Duration};

use serde_json::Value;
use viewfinder_catalog::AnalysisKind;
use viewfinder_core::{ErrorCode, Face, PictureRequest, TaskError, ocr};
use viewfinder_image::{RgbImage, encode};
use viewfinder_test_support::{Contents, FakeBackend};

use crate::{Setup, World};

/// Names and widths of the pictures; it is the width by which they are known.
pub(crate) const PICTURES: [(&str, usize); 5] = [
    ("beach/receipt.png", 41),
    ("beach/sunset.png", 42),
    ("city/sign.png", 43),
    ("city/menu.png", 44),
    ("city/wall.png", 45),
];

/// No picture at all.
pub(crate) const BROKEN: &str = "city/broken.jpg";

fn line(text: &str) -> ocr::Line {
    let corners = [[4.1, 3.0], [20.5, 3.0], [20.5, 6.0], [4.1, 6.0]];
    ocr::Line { text: text.to_owned(), score: 0.9, region_score: 0.8, corners }
}

/// What a picture shows. Everybody on the beach is one person, and whoever is in the city another.
fn look(request: &PictureRequest) -> Result<Contents, TaskError> {
    let Some(width) = request.bytes.get(16..20) else {
        return Err(TaskError::new(ErrorCode::ImageUndecodable, "it is no picture"));
    };
    let width = u32::from_be_bytes(width.try_into().unwrap()) as usize;
    let (lines, vector, faces): (&[&str], _, _) = match width {
        41 => (&["😀 INVOICE paper 2024", "Café Müller"], vec![1.0, 0.0, 0.0], 1),
        42 => (&[], vec![0.9, 0.1, 0.0], 1),
        43 => (&["No parking", "paper"], vec![0.0, 1.0, 0.0], 1),
        44 => (&["paper soup"], vec![0.0, 0.8, 0.6], 0),
        _ => (&["wet paper"], vec![0.0, 0.0, 1.0], 0),
    };
    let face =
        Face { bounds: [4.1, 3.0, 20.5, 15.0], score: 0.75, landmarks: [[1.0, 2.0]; 5], embedding: vec![] };
    Ok(Contents {
        size: [width, 30],
        lines: lines.iter().map(|text| line(text)).collect(),
        faces: vec![face; faces],
        vector,
        ..Contents::default()
    })
}

/// One that knows the pictures.
pub(crate) fn backend() -> FakeBackend {
    FakeBackend::looking(look)
}

impl World {
    /// With all of that, not analysed before the backend answers.
    pub(crate) async fn of_pictures(backend: Arc<FakeBackend>) -> Self {
        let encoded: Vec<_> = PICTURES
            .map(|(name, width)| (name, encode::png(&RgbImage::filled(width, 30, [9, 99, 199]))))
            .into();
        let mut files: Vec<(&str, &[u8])> = encoded.iter().map(|(name, bytes)| (*name, &bytes[..])).collect();
        files.push((BROKEN, b"no picture"));
        Self::new(&files, Setup { backend, kinds: AnalysisKind::ALL.into(), ..Setup::default() }).await
    }

    /// With all of that, analysed.
    pub(crate) async fn analysed() -> Self {
        let world = Self::of_pictures(Arc::new(backend())).await;
        let ended = world.ended(1).await;
        assert_eq!(ended["state"], "done", "{ended}");
        world
    }

    /// A job when it has ended.
    pub(crate) async fn ended(&self, id: u64) -> Value {
        loop {
            let jobs = self.json("/api/v1/jobs").await;
            let job = jobs["jobs"].as_array().unwrap().iter().find(|job| job["id"] == id);
            match job {
                Some(job) if job["ended"].is_string() => return job.clone(),
                _ => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// The number of a picture.
    pub(crate) async fn id(&self, name: &str) -> i64 {
        let found = self.json(&format!("/api/v1/search?q=path:{name}")).await;
        let [hit] = &found["hits"].as_array().unwrap()[..] else { panic!("{name}: {found}") };
        hit["asset"]["id"].as_i64().unwrap()
    }
}

/// The names of a page's hits, in their order, without folders.
pub(crate) fn names(page: &Value) -> Vec<String> {
    let hits = page["hits"].as_array().unwrap_or_else(|| panic!("{page}"));
    hits.iter().map(|hit| hit["asset"]["name"].as_str().unwrap().to_owned()).collect()
}

/// The name without folders.
pub(crate) fn short(name: &str) -> String {
    Path::new(name).file_name().unwrap().to_str().unwrap().to_owned()
}
