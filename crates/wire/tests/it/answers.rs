//! The bytes each protocol answers with.

use viewfinder_core::{
    Face,
    ocr::{Line, Region},
};
use viewfinder_wire::{BadVector, immich, legacy_gateway, mt_photos};

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn line(text: &str, corners: [[f32; 2]; 4]) -> Line {
    Line { text: text.into(), score: 0.993_124_9, region_score: 0.91, corners }
}

fn face(bounds: [f32; 4], embedding: Vec<f32>) -> Face {
    let landmarks = [[1.5, 2.25], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]];
    Face { bounds, score: 0.035_756_17, landmarks, embedding }
}

/// Turned by a few degrees, so that corner differences and the upright rectangle disagree.
const TILTED: [[f32; 2]; 4] = [[12.345, 20.0], [110.0, 10.0], [112.5, 38.0], [14.0, 48.25]];

#[test]
fn vectors_are_json_inside_a_string() {
    let vector = immich::Answer::vector(&[-0.013_126_737, 4.877_679e-5, 1.0, -0.0, 0.1]).unwrap();
    assert_eq!(vector, "[-0.013126737,0.00004877679,1.0,-0.0,0.1]");
    let answer =
        immich::Answer { clip: Some(vector), height: Some(1440), width: Some(1920), ..Default::default() };
    assert_eq!(
        json(&answer),
        r#"{"clip":"[-0.013126737,0.00004877679,1.0,-0.0,0.1]","imageHeight":1440,"imageWidth":1920}"#
    );
    let sentence = immich::Answer { clip: Some("[0.5]".into()), ..Default::default() };
    assert_eq!(json(&sentence), r#"{"clip":"[0.5]"}"#);
}

#[test]
fn vectors_that_a_database_refuses_are_refused() {
    for bad in [&[f32::NAN, 0.0][..], &[f32::INFINITY], &[]] {
        assert_eq!(immich::Answer::vector(bad), Err(BadVector));
        assert_eq!(mt_photos::VectorAnswer::new(bad), Err(BadVector));
        assert_eq!(immich::FaceList::recognised(&[face([0.0; 4], bad.to_vec())]), Err(BadVector));
        assert_eq!(mt_photos::FaceAnswer::new("p", &[face([0.0; 4], bad.to_vec())]), Err(BadVector));
    }
    assert_eq!(mt_photos::FaceAnswer::new("p", &[face([0.0; 4], vec![0.0; 4])]), Err(BadVector));
}

#[test]
fn immich_faces_have_integral_boxes_rounded_half_to_even() {
    let faces = [face([690.5, -89.5, 832.6, 95.5], vec![0.25, -3.5])];
    assert_eq!(
        json(&immich::FaceList::recognised(&faces).unwrap()),
        r#"[{"boundingBox":{"x1":690.0,"y1":-90.0,"x2":833.0,"y2":96.0},"embedding":"[0.25,-3.5]","score":0.03575617}]"#
    );
    assert_eq!(json(&immich::FaceList::recognised(&[]).unwrap()), "[]");
    assert_eq!(
        json(&immich::FaceList::detected(&[face([-0.4, 1.5, 2.5, 3.0], vec![])])),
        r#"{"boxes":[[0.0,2.0,2.0,3.0]],"scores":[0.03575617],"landmarks":[[[1.5,2.25],[3.0,4.0],[5.0,6.0],[7.0,8.0],[9.0,10.0]]]}"#
    );
    assert_eq!(json(&immich::FaceList::detected(&[])), r#"{"boxes":[],"scores":[],"landmarks":[]}"#);
}

#[test]
fn immich_text_is_four_parallel_arrays() {
    let upright = [[192.0, 288.0], [864.0, 288.0], [864.0, 374.0], [192.0, 374.0]];
    let lines = [
        line("INVOICE", upright),
        line("发\0票", [[0.0, 0.0], [1920.0, 0.0], [1920.0, 1440.0], [0.0, 1440.0]]),
    ];
    assert_eq!(
        json(&immich::TextList::read(&lines, 1920, 1440)),
        concat!(
            r#"{"text":["INVOICE","发票"],"box":[0.1,0.2,0.45,0.2,0.45,0.25972223,0.1,0.25972223,"#,
            r#"0.0,0.0,1.0,0.0,1.0,1.0,0.0,1.0],"boxScore":[0.91,0.91],"textScore":[0.99312,0.99312]}"#
        )
    );
    assert_eq!(
        json(&immich::TextList::read(&[], 10, 10)),
        r#"{"text":[],"box":[],"boxScore":[],"textScore":[]}"#
    );
    assert_eq!(
        json(&immich::TextList::detected(&[Region { score: 0.5, corners: TILTED }])),
        r#"{"boxes":[[[12.345,20.0],[110.0,10.0],[112.5,38.0],[14.0,48.25]]],"scores":[0.5]}"#
    );
}

#[test]
fn several_tasks_share_one_answer() {
    let answer = immich::Answer {
        clip: Some("[1.0]".into()),
        faces: Some(immich::FaceList::recognised(&[]).unwrap()),
        text: Some(immich::TextList::read(&[], 1, 1)),
        height: Some(2),
        width: Some(3),
        ..Default::default()
    };
    assert_eq!(
        json(&answer),
        concat!(
            r#"{"clip":"[1.0]","facial-recognition":[],"#,
            r#""ocr":{"text":[],"box":[],"boxScore":[],"textScore":[]},"imageHeight":2,"imageWidth":3}"#
        )
    );
}

#[test]
fn the_forks_boxes_are_corners_and_not_sizes() {
    let lines = legacy_gateway::Lines::new(&[
        line("合计", TILTED),
        line("9.90", [[1.0, 2.0], [3.0, 2.0], [3.0, 4.0], [1.0, 4.0]]),
    ]);
    assert_eq!(
        json(&immich::Answer {
            text: Some(immich::TextList::Joined(lines.joined())),
            result: Some(lines),
            height: Some(480),
            width: Some(640),
            ..Default::default()
        }),
        concat!(
            r#"{"ocr":"合计 9.90","result":{"texts":["合计","9.90"],"scores":["0.99","0.99"],"#,
            r#""boxes":[{"x1":12.35,"y1":10.0,"x2":112.5,"y2":48.25},{"x1":1.0,"y1":2.0,"x2":3.0,"y2":4.0}]},"#,
            r#""imageHeight":480,"imageWidth":640}"#
        )
    );
}

#[test]
fn mt_photos_numbers_are_strings() {
    let lines = [
        line("合计", TILTED),
        Line { score: 1.0, ..line("x", [[4.0, 2.0], [287.0, 2.0], [287.0, 4.0], [4.0, 4.0]]) },
    ];
    assert_eq!(
        json(&mt_photos::TextAnswer::new(&lines)),
        concat!(
            r#"{"result":{"texts":["合计","x"],"scores":["0.99","1.00"],"boxes":["#,
            r#"{"x":"12.35","y":"10.0","width":"100.15","height":"38.25"},"#,
            r#"{"x":"4.0","y":"2.0","width":"283.0","height":"2.0"}]}}"#
        )
    );
    assert_eq!(json(&mt_photos::TextAnswer::new(&[])), r#"{"result":{"texts":[],"scores":[],"boxes":[]}}"#);
}

#[test]
fn mt_photos_vectors_have_sixteen_decimals() {
    let answer = mt_photos::VectorAnswer::new(&[0.330_591_92, -1.5, 1e-9]).unwrap();
    assert_eq!(
        json(&answer),
        r#"{"result":["0.3305919170379639","-1.5000000000000000","0.0000000010000000"]}"#
    );
}

#[test]
fn mt_photos_faces_are_truncated_and_of_unit_length() {
    let answer = mt_photos::FaceAnswer::new("buffalo_l", &[face([-3.7, 10.9, 20.2, 40.0], vec![3.0, 4.0])]);
    assert_eq!(
        json(&answer.unwrap()),
        concat!(
            r#"{"detector_backend":"insightface","recognition_model":"buffalo_l","result":[{"embedding":"#,
            r#"[0.6000000238418579,0.800000011920929],"facial_area":{"x":-3,"y":10,"w":23,"h":29},"#,
            r#""face_confidence":0.03575617074966431}]}"#
        )
    );
    assert_eq!(
        json(&mt_photos::FaceAnswer::new("buffalo_s", &[]).unwrap()),
        r#"{"detector_backend":"insightface","recognition_model":"buffalo_s","result":[]}"#
    );
}

#[test]
fn mt_photos_fixed_bodies() {
    assert_eq!(
        json(&mt_photos::CHECK),
        r#"{"result":"pass","title":"mt-photos-ai服务","help":"https://mtmt.tech/docs/advanced/ocr_api","env_use_dml":false}"#
    );
    assert_eq!(json(&mt_photos::RESTARTED), r#"{"result":"pass"}"#);
    assert_eq!(json(&mt_photos::Failed::new("no")), r#"{"result":[],"msg":"no"}"#);
    assert_eq!(
        json(&mt_photos::FaceCheck::new("buffalo_m")),
        r#"{"title":"Viewfinder","link":"https://github.com/viewfinder-photos/viewfinder","detector_backend":"insightface","recognition_model":"buffalo_m"}"#
    );
}
