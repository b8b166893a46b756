//! Answers read back: our own of every kind, within the precision of their format, and damaged ones.

use proptest::prelude::*;
use viewfinder_core::{
    Face,
    ocr::{Line, Region},
};
use viewfinder_wire::{
    immich::{Answer, FaceList, FoundFaces, FoundText, Reply, TextList, is_greeting},
    mt_photos::{self, FaceAnswer, Failed, ReplyError, TextAnswer, VectorAnswer},
};

fn bytes(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

#[track_caller]
fn near(found: f32, expected: f32, tolerance: f32) {
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected} within {tolerance}");
}

fn vector() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec(-30.0_f32..30.0, 1..40).prop_map(|mut vector| {
        vector[0] += 31.0;
        vector
    })
}

fn corners() -> impl Strategy<Value = [[f32; 2]; 4]> {
    prop::array::uniform4([0.0_f32..4000.0, 0.0_f32..3000.0])
}

fn line() -> impl Strategy<Value = Line> {
    ("[^\0]{0,12}", 0.0_f64..1.0, 0.0_f32..1.0, corners())
        .prop_map(|(text, score, region_score, corners)| Line { text, score, region_score, corners })
}

fn face() -> impl Strategy<Value = Face> {
    (
        prop::array::uniform4(-50.0_f32..4000.0),
        0.0_f32..1.0,
        prop::array::uniform5(prop::array::uniform2(0.0_f32..999.0)),
        vector(),
    )
        .prop_map(|([x, y, w, h], score, landmarks, embedding)| {
            let bounds = [x, y, x + w + 50.0, y + h + 50.0];
            Face { bounds, score, landmarks, embedding }
        })
}

proptest! {
    #[test]
    fn immich_vectors(vector in vector()) {
        let answer = Answer { clip: Some(Answer::vector(&vector).unwrap()), ..Answer::default() };
        let reply = Reply::parse(&bytes(&answer)).unwrap();
        prop_assert_eq!(reply, Reply { clip: Some(vector), ..Reply::default() });
    }

    #[test]
    fn immich_lines(lines in prop::collection::vec(line(), 0..5), width in 4000_usize..9000, height in 3000_usize..9000) {
        let answer = Answer {
            text: Some(TextList::read(&lines, width, height)),
            width: Some(width),
            height: Some(height),
            ..Answer::default()
        };
        let reply = Reply::parse(&bytes(&answer)).unwrap();
        prop_assert_eq!(reply.size, Some([width, height]));
        let Some(FoundText::Read(found)) = reply.text else { panic!("no lines") };
        let found = found.in_pixels([width, height]);
        prop_assert_eq!(found.len(), lines.len());
        for (found, line) in found.iter().zip(&lines) {
            prop_assert_eq!((&found.text, found.region_score), (&line.text, line.region_score));
            prop_assert!((found.score - line.score).abs() <= 0.000_005_1);
            for (found, expected) in found.corners.iter().flatten().zip(line.corners.iter().flatten()) {
                near(*found, *expected, 0.001);
            }
        }
    }

    #[test]
    fn immich_whole_pixels_are_exact(at in 0_u16..8000, beyond in 1_u16..8000) {
        let side = usize::from(at) + usize::from(beyond);
        let line = Line { text: "x".into(), score: 0.5, region_score: 0.5, corners: [[f32::from(at); 2]; 4] };
        let answer = Answer { text: Some(TextList::read(std::slice::from_ref(&line), side, side)), ..Answer::default() };
        let Some(FoundText::Read(found)) = Reply::parse(&bytes(&answer)).unwrap().text else { panic!("no lines") };
        prop_assert_eq!(found.in_pixels([side, side]), [line]);
    }

    #[test]
    fn immich_faces(faces in prop::collection::vec(face(), 0..4)) {
        let recognised = Answer { faces: Some(FaceList::recognised(&faces).unwrap()), ..Answer::default() };
        let Some(FoundFaces::Recognised(found)) = Reply::parse(&bytes(&recognised)).unwrap().faces else { panic!("no faces") };
        let detected = Answer { faces: Some(FaceList::detected(&faces)), ..Answer::default() };
        let Some(FoundFaces::Detected(places)) = Reply::parse(&bytes(&detected)).unwrap().faces else { panic!("no faces") };
        prop_assert_eq!((found.len(), places.len()), (faces.len(), faces.len()));
        for ((found, place), face) in found.iter().zip(&places).zip(&faces) {
            prop_assert_eq!((found.score, &found.embedding), (face.score, &face.embedding));
            prop_assert_eq!((place.score, place.landmarks), (face.score, face.landmarks));
            prop_assert_eq!(found.bounds, place.bounds);
            for (found, expected) in found.bounds.iter().zip(face.bounds) {
                near(*found, expected, 0.5);
            }
        }
    }

    #[test]
    fn immich_regions(regions in prop::collection::vec((0.0_f32..1.0, corners()), 0..4)) {
        let regions: Vec<_> = regions.into_iter().map(|(score, corners)| Region { score, corners }).collect();
        let answer = Answer { text: Some(TextList::detected(&regions)), ..Answer::default() };
        prop_assert_eq!(Reply::parse(&bytes(&answer)).unwrap().text, Some(FoundText::Detected(regions)));
    }

    #[test]
    fn mt_photos_vectors(vector in vector()) {
        let found = mt_photos::read_vector(&bytes(&VectorAnswer::new(&vector).unwrap())).unwrap();
        prop_assert_eq!(found.len(), vector.len());
        for (found, expected) in found.iter().zip(vector) {
            near(*found, expected, 1e-15_f32.max(expected.abs() * f32::EPSILON));
        }
    }

    #[test]
    fn mt_photos_lines(lines in prop::collection::vec(line(), 0..5)) {
        let found = mt_photos::read_text(&bytes(&TextAnswer::new(&lines))).unwrap();
        prop_assert_eq!(found.len(), lines.len());
        for (found, line) in found.iter().zip(&lines) {
            prop_assert_eq!(&found.text, &line.text);
            prop_assert!((found.score - line.score).abs() <= 0.005_001);
            let [xs, ys] = [0, 1].map(|axis| line.corners.map(|corner| corner[axis]));
            let least = |values: [f32; 4]| values.into_iter().fold(f32::MAX, f32::min);
            let most = |values: [f32; 4]| values.into_iter().fold(f32::MIN, f32::max);
            let [[left, top], _, [right, bottom], _] = found.corners;
            for (found, expected) in [(left, least(xs)), (top, least(ys)), (right, most(xs)), (bottom, most(ys))] {
                near(found, expected, 0.011);
            }
        }
    }

    #[test]
    fn mt_photos_faces(faces in prop::collection::vec(face(), 0..4)) {
        let found = mt_photos::read_faces(&bytes(&FaceAnswer::new("p", &faces).unwrap())).unwrap();
        prop_assert_eq!(found.len(), faces.len());
        for (found, face) in found.iter().zip(&faces) {
            prop_assert_eq!(found.score, face.score);
            let length = face.embedding.iter().map(|part| part * part).sum::<f32>().sqrt();
            for (found, expected) in found.embedding.iter().zip(&face.embedding) {
                near(*found, expected / length, 1e-5);
            }
            for (found, expected) in found.bounds.iter().zip(face.bounds) {
                near(*found, expected, 2.0);
            }
        }
    }

    #[test]
    fn no_answer_makes_a_reader_panic(text in ".*") {
        let _ = Reply::parse(text.as_bytes());
        let _ = mt_photos::read_text(text.as_bytes());
        let _ = mt_photos::read_vector(text.as_bytes());
        let _ = mt_photos::read_faces(text.as_bytes());
    }
}

#[test]
fn vectors_are_read_in_every_spelling() {
    for clip in [r#""[1,-0.5]""#, "[1,-0.5]", r#"["1.0","-0.5000000000000000"]"#] {
        let body = format!(r#"{{"clip":{clip}}}"#);
        assert_eq!(Reply::parse(body.as_bytes()).unwrap().clip, Some(vec![1.0, -0.5]), "{clip}");
    }
    assert_eq!(mt_photos::read_vector(br#"{"results":[0.25]}"#), Ok(vec![0.25]));
}

#[test]
fn answers_that_are_none_are_refused_without_a_quote() {
    for body in [
        "",
        "<html>secret</html>",
        r#"{"clip":"#,
        r#"{"clip":"[1,NaN]"}"#,
        r#"{"clip":"[1e39]"}"#,
        r#"{"clip":[]}"#,
        r#"{"clip":"[0.0,-0.0]"}"#,
        r#"{"clip":"secret"}"#,
        r#"{"clip":["secret"]}"#,
        r#"{"facial-recognition":[{"boundingBox":{"x1":1,"y1":1,"x2":1},"embedding":"[1]","score":1}]}"#,
        r#"{"facial-recognition":[{"boundingBox":{"x1":1,"y1":1,"x2":1e300,"y2":2},"embedding":"[1]","score":1}]}"#,
        r#"{"facial-recognition":{"boxes":[[1,2,3,4]],"scores":[],"landmarks":[]}}"#,
        r#"{"ocr":{"text":["a"],"box":[1,2,3],"boxScore":[1],"textScore":[1]}}"#,
        r#"{"ocr":{"text":["a"],"box":[],"boxScore":[1],"textScore":[1]}}"#,
        r#"{"ocr":{"boxes":[],"scores":[1]}}"#,
        r#"{"ocr":"secret"}"#,
    ] {
        let error = Reply::parse(body.as_bytes()).expect_err(body).to_string();
        assert!(!error.contains("secret") && error.len() < 100, "{error}");
    }
    for body in ["{}", r#"{"result":["secret"]}"#, r#"{"result":["nan"]}"#, r#"{"result":[]}"#] {
        assert!(matches!(mt_photos::read_vector(body.as_bytes()), Err(ReplyError::Bad(_))), "{body}");
    }
    for body in [r#"{"result":[]}"#, r#"{"result":{"texts":["a"],"scores":[],"boxes":[]}}"#] {
        assert!(matches!(mt_photos::read_text(body.as_bytes()), Err(ReplyError::Bad(_))), "{body}");
    }
}

#[test]
fn columns_of_different_lengths_are_refused_whichever_of_them_it_is() {
    // This column has an item, and the others have none.
    let lone = |names: &[&str], name: &str, item: &str| -> String {
        let column = |key: &&str| format!("{key:?}:[{}]", if *key == name { item } else { "" });
        names.iter().map(column).collect::<Vec<_>>().join(",")
    };
    let found = ["texts", "scores", "boxes"];
    for (name, item) in
        [("texts", r#""a""#), ("scores", "1"), ("boxes", r#"{"x":1,"y":1,"width":1,"height":1}"#)]
    {
        let body = format!(r#"{{"result":{{{}}}}}"#, lone(&found, name, item));
        let error = mt_photos::read_text(body.as_bytes()).expect_err(&body);
        assert!(
            matches!(&error, ReplyError::Bad(bad) if bad.to_string().starts_with("there are not as many")),
            "{body}"
        );
    }
    let refused = |body: &str| {
        let error = Reply::parse(body.as_bytes()).expect_err(body).to_string();
        assert!(error.starts_with("there are not as many"), "{body}: {error}");
    };
    let read = ["text", "box", "boxScore", "textScore"];
    for (name, item) in
        [("text", r#""a""#), ("box", "1,2,3,4,5,6,7,8"), ("box", "1"), ("boxScore", "1"), ("textScore", "1")]
    {
        refused(&format!(r#"{{"ocr":{{{}}}}}"#, lone(&read, name, item)));
    }
    let detected = ["boxes", "scores", "landmarks"];
    for (name, item) in
        [("boxes", "[1,2,3,4]"), ("scores", "1"), ("landmarks", "[[1,1],[2,2],[3,3],[4,4],[5,5]]")]
    {
        refused(&format!(r#"{{"facial-recognition":{{{}}}}}"#, lone(&detected, name, item)));
    }
    for (name, item) in [("boxes", "[[1,1],[2,1],[2,2],[1,2]]"), ("scores", "1")] {
        refused(&format!(r#"{{"ocr":{{{}}}}}"#, lone(&["boxes", "scores"], name, item)));
    }
}

#[test]
fn greetings_are_known() {
    assert!(
        is_greeting(br#"{"message":"Immich ML"}"#) && is_greeting(br#" {"message": "Immich ML", "a": 1}"#)
    );
    for body in [
        &b""[..],
        b"Immich ML",
        br#"{"message":"pong"}"#,
        br#"{"message":"immich ml"}"#,
        br#"["Immich ML","a"]"#,
    ] {
        assert!(!is_greeting(body), "{}", body.escape_ascii());
    }
}

#[test]
fn messages_are_failures_and_no_empty_results() {
    let failed = bytes(&Failed::new("no picture"));
    let expected = ReplyError::Failed("no picture".into());
    assert_eq!(mt_photos::read_text(&failed), Err(expected.clone()));
    assert_eq!(mt_photos::read_vector(&failed), Err(expected.clone()));
    assert_eq!(mt_photos::read_faces(&failed), Err(expected));
}

#[test]
fn small_differences_between_versions_are_read() {
    // Scores as numbers, and boxes whose width or height came out negative.
    let body = r#"{"result":{"texts":["x","y"],"scores":[0.987,1],"boxes":[
        {"x":"10.0","y":"20.0","width":5,"height":"-4.0"}, {"x":10,"y":20,"width":-5,"height":4}]}}"#;
    let lines = mt_photos::read_text(body.as_bytes()).unwrap();
    assert_eq!(lines[0].corners, [[10.0, 16.0], [15.0, 16.0], [15.0, 20.0], [10.0, 20.0]]);
    assert_eq!(lines[1].corners, [[5.0, 20.0], [10.0, 20.0], [10.0, 24.0], [5.0, 24.0]]);
    assert_eq!((lines[0].score, lines[0].region_score), (0.987, 0.987));
    let body = r#"{"result":[{"embedding":[1,2],"facial_area":{"x":1,"y":2,"w":3,"h":4,"left_eye":[1,2]},"face_confidence":0.5}]}"#;
    assert_eq!(mt_photos::read_faces(body.as_bytes()).unwrap()[0].bounds, [1.0, 2.0, 4.0, 6.0]);
    assert_eq!(mt_photos::read_faces(br#"{"result":[]}"#), Ok(vec![]));
    assert!(mt_photos::passes(&bytes(&mt_photos::CHECK)));
    assert!(!mt_photos::passes(b"pass") && !mt_photos::passes(br#"{"result":"fail"}"#));
}
