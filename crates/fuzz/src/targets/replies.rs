//! Answers of other engines: whatever is taken is a number that a database takes.
use viewfinder_core::{Face, ocr::Line};
use viewfinder_wire::{
    immich::{FoundFaces, FoundText, Reply, is_greeting},
    mt_photos::{passes, read_faces, read_text, read_vector},
};

pub(super) fn run(input: &[u8]) {
    let _ = (passes(input), is_greeting(input));
    if let Ok(reply) = Reply::parse(input) {
        let size = reply.size.unwrap_or([1, 1]);
        reply.clip.iter().for_each(|vector| check_vector(vector));
        match reply.faces {
            Some(FoundFaces::Recognised(faces)) => faces.iter().for_each(|face| check_face(face, true)),
            Some(FoundFaces::Detected(faces)) => faces.iter().for_each(|face| check_face(face, false)),
            None => {}
        }
        match reply.text {
            Some(FoundText::Read(lines)) => assert!(lines.in_pixels(size).len() <= input.len()),
            Some(FoundText::Detected(regions)) => {
                assert!(regions.iter().all(|region| finite(region.corners.as_flattened())));
            }
            None => {}
        }
    }
    if let Ok(vector) = read_vector(input) {
        check_vector(&vector);
    }
    read_faces(input).iter().flatten().for_each(|face| check_face(face, true));
    read_text(input).iter().flatten().for_each(check_line);
}

fn finite(numbers: &[f32]) -> bool {
    numbers.iter().all(|number| number.is_finite())
}

fn check_vector(vector: &[f32]) {
    assert!(finite(vector) && vector.iter().any(|number| *number != 0.0));
}

fn check_face(face: &Face, recognised: bool) {
    assert!(finite(&face.bounds) && face.score.is_finite() && finite(face.landmarks.as_flattened()));
    if recognised {
        check_vector(&face.embedding);
    }
}

fn check_line(line: &Line) {
    assert!(finite(line.corners.as_flattened()) && line.score.is_finite() && line.region_score.is_finite());
}
