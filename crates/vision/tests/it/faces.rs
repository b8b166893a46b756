//! Faces against InsightFace's own code and Immich's machine-learning server.

use serde_json::Value;
use viewfinder_core::Face;
use viewfinder_engine::runtime::Session;
use viewfinder_image::RgbImage;
use viewfinder_models::Role;
use viewfinder_test_support as support;
use viewfinder_vision::{
    Network, NetworkError, Tensor, View,
    face::{detect, embed},
};

use crate::support::{cosine, immich_picture, json, numbers, open, open_file, picture};

/// SCRFD 2.5G, whose outputs have a leading axis of 1.
fn detector() -> Session {
    open_file(&support::model("scrfd_2.5g", Role::Detection).model)
}

fn points(value: &Value) -> Vec<[f32; 2]> {
    value.as_array().unwrap().iter().map(|point| numbers(point).try_into().unwrap()).collect()
}

fn overlap(a: &[f32; 4], b: &[f32; 4]) -> f32 {
    let area = |[x1, y1, x2, y2]: &[f32; 4]| (x2 - x1) * (y2 - y1);
    let shared = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    let shared = (shared[2] - shared[0]).max(0.0) * (shared[3] - shared[1]).max(0.0);
    shared / (area(a) + area(b) - shared)
}

fn faces(picture: &RgbImage, detector: &dyn Network, recognizer: &dyn Network, min_score: f32) -> Vec<Face> {
    let mut faces = detect(picture, detector, min_score, None).unwrap();
    embed(picture, &mut faces, recognizer, None, None).unwrap();
    faces
}

#[test]
fn faces_are_those_of_insightface() {
    let (detector, recognizer) = (detector(), open("models/arcface_probe.onnx"));
    let golden = json("faces/golden.json");
    let mut compared = 0;
    for (name, expected) in golden.as_object().unwrap() {
        let picture = picture(&format!("faces/{name}"), true);
        assert_eq!(picture.width() as u64, expected["width"].as_u64().unwrap(), "{name}");
        let found = faces(&picture, &detector, &recognizer, 0.5);
        let expected = expected["faces"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        for (face, expected) in found.iter().zip(expected) {
            let bounds = overlap(&face.bounds, &numbers(&expected["box"]).try_into().unwrap());
            let distance = face
                .landmarks
                .iter()
                .zip(points(&expected["kps"]))
                .map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1]))
                .fold(0.0, f32::max);
            let score = (f64::from(face.score) - expected["score"].as_f64().unwrap()).abs();
            let cosine = cosine(&face.embedding, &numbers(&expected["embedding"]));
            assert!(
                bounds >= 0.98 && distance <= 1.0 && score <= 1e-3 && cosine >= 0.999,
                "{name}: IoU {bounds}, points {distance} px, score {score}, cosine {cosine}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 8);
}

/// A network without the leading axis of its outputs, as Immich's model repositories have the detectors.
struct Unbatched(Session);

impl Network for Unbatched {
    fn run(&self, inputs: Vec<Tensor>, read: &mut dyn FnMut(&[View<'_>])) -> Result<(), NetworkError> {
        self.0.run(inputs, &mut |outputs| {
            let views: Vec<_> = outputs
                .iter()
                .map(|view| View { shape: view.shape[1..].to_vec(), data: view.data })
                .collect();
            assert!(views.iter().all(|view| view.shape.len() == 2));
            read(&views);
        })
    }

    fn metadata(&self, key: &str) -> Option<String> {
        self.0.metadata(key)
    }

    fn inputs(&self) -> &[(String, Vec<Option<usize>>)] {
        self.0.inputs()
    }

    fn outputs(&self) -> &[(String, Vec<Option<usize>>)] {
        self.0.outputs()
    }
}

#[test]
fn faces_are_those_of_immich() {
    let detector = Unbatched(detector());
    let recognizer = open("immich-cache/facial-recognition/buffalo_l/recognition/model.onnx");
    let golden = json("immich-ml/faces_clip.json");
    let mut compared = 0;
    for (name, answers) in golden["images"].as_object().unwrap() {
        let answer = &answers["face"];
        let picture = immich_picture(name);
        assert_eq!(picture.height() as u64, answer["imageHeight"].as_u64().unwrap());
        let found = faces(&picture, &detector, &recognizer, 0.7);
        let expected = answer["facial-recognition"].as_array().unwrap();
        assert_eq!(found.len(), expected.len(), "{name}");
        for (face, expected) in found.iter().zip(expected) {
            let corners =
                ["x1", "y1", "x2", "y2"].map(|key| expected["boundingBox"][key].as_f64().unwrap() as f32);
            let distance =
                face.bounds.iter().zip(corners).map(|(a, b)| (a.round() - b).abs()).fold(0.0, f32::max);
            let score = (f64::from(face.score) - expected["score"].as_f64().unwrap()).abs();
            let vector: Vec<f32> = serde_json::from_str(expected["embedding"].as_str().unwrap()).unwrap();
            let cosine = cosine(&face.embedding, &vector);
            assert!(
                distance <= 1.0 && score <= 1e-3 && cosine >= 0.999,
                "{name}: corners {distance} px, score {score}, cosine {cosine}"
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 7);
}
