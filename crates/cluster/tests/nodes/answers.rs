//! What the backend answers comes through, within the number formats of the protocols.

use viewfinder_cluster::nodes::{NodeError, NodeKind};
use viewfinder_core::{Alpha, Answer, DecodeRules, ErrorCode, Face, PictureTask, ocr};

use crate::support::{embed, face, gateway, lines, node, png, request, sentence, vector, without_faces};

const IMMICH: [NodeKind; 2] = [NodeKind::Viewfinder, NodeKind::ImmichMl];

fn options() -> ocr::Options {
    ocr::Options { score_mode: ocr::ScoreMode::Slow, ..ocr::Options::immich(0.4, 0.6, 900) }
}

fn text() -> PictureTask {
    PictureTask::Text { detection: "d".into(), recognition: "r".into(), options: options() }
}

fn text_regions() -> PictureTask {
    // The least score of texts is not sent where none are read; this is what the peer takes in its place.
    let options = ocr::Options { recognition_min_score: 0.8, ..options() };
    PictureTask::TextRegions { detection: "d".into(), options }
}

fn faces(min_score: f32) -> PictureTask {
    PictureTask::Faces { detection: "f".into(), recognition: "g".into(), min_score }
}

fn face_regions() -> PictureTask {
    PictureTask::FaceRegions { detection: "f".into(), min_score: 0.3 }
}

#[track_caller]
fn near(found: impl IntoIterator<Item = f32>, expected: impl IntoIterator<Item = f32>, tolerance: f32) {
    let pairs: Vec<_> = found.into_iter().zip(expected).collect();
    assert!(!pairs.is_empty());
    for (found, expected) in pairs {
        assert!((found - expected).abs() <= tolerance, "{found} is not {expected} within {tolerance}");
    }
}

fn flat(corners: [[f32; 2]; 4]) -> impl Iterator<Item = f32> {
    corners.into_iter().flatten()
}

#[tokio::test]
async fn probes() {
    let (address, _) = gateway().await;
    for kind in NodeKind::ALL {
        let node = node(kind, address);
        assert_eq!(node.probe().await, Ok(()), "{kind}");
        assert_eq!((node.name(), node.kind(), node.url()), ("attic", kind, &*format!("http://{address}")));
    }
}

#[tokio::test]
async fn sentences() {
    let (address, fake) = gateway().await;
    for kind in NodeKind::ALL {
        assert_eq!(node(kind, address).sentence(&sentence()).await, Ok(vector()), "{kind}");
        let asked = fake.sentences.lock().unwrap().pop().unwrap();
        assert_eq!(asked.text, sentence().text);
        if kind != NodeKind::MtPhotos {
            assert_eq!(asked, sentence());
        }
    }
}

#[tokio::test]
async fn immich_carries_every_task_and_its_options() {
    let (address, fake) = gateway().await;
    for kind in IMMICH {
        let node = node(kind, address);
        for task in [text(), text_regions(), faces(0.3), face_regions(), embed()] {
            let answer = node.picture(&request(vec![task.clone()])).await.unwrap();
            let asked = fake.pictures.lock().unwrap().pop().unwrap();
            assert_eq!((asked.tasks, asked.bytes), (vec![task], png(640, 480)));
            assert_eq!((answer.width, answer.height, answer.answers.len()), (640, 480, 1));
            match answer.answers[0].clone().unwrap() {
                Answer::Text(found) => {
                    assert_eq!(found.len(), 2);
                    for (found, line) in found.into_iter().zip(lines()) {
                        near(flat(found.corners), flat(line.corners), 1e-4);
                        assert_eq!(ocr::Line { corners: line.corners, ..found }, line);
                    }
                }
                Answer::TextRegions(found) => {
                    let expected: Vec<_> =
                        lines().iter().map(|line| (line.region_score, line.corners)).collect();
                    assert_eq!(
                        found.iter().map(|region| (region.score, region.corners)).collect::<Vec<_>>(),
                        expected
                    );
                }
                Answer::Faces(found) => {
                    let bounds = [-4.0, 10.0, 61.0, 100.0];
                    let expected = if found[0].embedding.is_empty() {
                        [0.875, 0.7].map(|score| Face { bounds, ..face(score, vec![]) }).to_vec()
                    } else {
                        let unmarked =
                            |score| Face { bounds, landmarks: [[0.0; 2]; 5], ..face(score, vector()) };
                        vec![unmarked(0.875), unmarked(0.7)]
                    };
                    assert_eq!(found, expected);
                }
                Answer::Embedding(found) => assert_eq!(found, vector()),
            }
        }
    }
}

#[tokio::test]
async fn tasks_share_requests_where_the_protocol_allows() {
    let (address, fake) = gateway().await;
    let tasks = vec![embed(), text(), embed(), faces(0.3), face_regions()];
    let answer = node(NodeKind::Viewfinder, address).picture(&request(tasks)).await.unwrap();
    let kinds: Vec<_> = answer
        .answers
        .iter()
        .map(|answer| match answer.as_ref().unwrap() {
            Answer::Text(_) => "text",
            Answer::Faces(faces) if faces[0].embedding.is_empty() => "face regions",
            Answer::Faces(_) => "faces",
            Answer::Embedding(_) => "vector",
            Answer::TextRegions(_) => "regions",
        })
        .collect();
    assert_eq!(kinds, ["vector", "text", "vector", "faces", "face regions"]);
    let counts: Vec<_> = fake.pictures.lock().unwrap().iter().map(|asked| asked.tasks.len()).collect();
    assert_eq!(counts, [3, 2]);
    let nothing = node(NodeKind::Viewfinder, address).picture(&request(vec![])).await.unwrap();
    assert_eq!((nothing.width, nothing.height, nothing.answers.len()), (640, 480, 0));
}

#[tokio::test]
async fn mt_photos_carries_what_it_has_words_for() {
    let (address, fake) = gateway().await;
    let node = node(NodeKind::MtPhotos, address);
    let mut answer = node.picture(&request(vec![text(), faces(0.8), embed()])).await.unwrap();
    assert_eq!((answer.width, answer.height), (640, 480));
    assert_eq!(fake.pictures.lock().unwrap().iter().filter(|asked| asked.bytes == png(640, 480)).count(), 3);
    assert_eq!(answer.answers.pop(), Some(Ok(Answer::Embedding(vector()))));

    let Some(Ok(Answer::Faces(found))) = answer.answers.pop() else { panic!("no faces") };
    assert_eq!(found.len(), 1, "the other is below the least score");
    assert_eq!((found[0].score, found[0].bounds), (0.875, [-3.0, 10.0, 61.0, 99.0]));
    let length = vector().iter().map(|part| part * part).sum::<f32>().sqrt();
    near(found[0].embedding.clone(), vector().into_iter().map(|part| part / length), 1e-6);

    // Immich's rule drops a line of just the least score, 0.6.
    let Some(Ok(Answer::Text(found))) = answer.answers.pop() else { panic!("no text") };
    assert_eq!(found.len(), 1);
    assert_eq!((&*found[0].text, found[0].score, found[0].region_score), ("发票", 0.99, 0.99));
    near(flat(found[0].corners), [12.345, 10.0, 112.5, 10.0, 112.5, 48.25, 12.345, 48.25], 0.006);

    let equal = ocr::Options { recognition_min_score: 0.6, ..ocr::Options::rapidocr() };
    let task = PictureTask::Text { detection: "d".into(), recognition: "r".into(), options: equal };
    let answer = node.picture(&request(vec![task])).await.unwrap();
    assert!(matches!(&answer.answers[0], Ok(Answer::Text(lines)) if lines.len() == 2));
}

#[tokio::test]
async fn mt_photos_is_not_asked_what_it_has_no_words_for() {
    let (address, fake) = gateway().await;
    let node = node(NodeKind::MtPhotos, address);
    for task in [text_regions(), face_regions()] {
        let error = node.picture(&request(vec![task.clone()])).await.unwrap_err();
        assert!(matches!(error, NodeError::Unsuited(_)), "{error:?}");
        let answer = node.picture(&request(vec![task, embed()])).await.unwrap();
        assert_eq!(answer.answers[0].as_ref().unwrap_err().code, ErrorCode::NodeUnsuited);
        assert_eq!(answer.answers[1], Ok(Answer::Embedding(vector())));
    }
    let mut vast = request(vec![text()]);
    vast.bytes = png(10_001, 5);
    assert!(matches!(node.picture(&vast).await, Err(NodeError::Unsuited(_))));
    vast.tasks = vec![embed()];
    assert_eq!(node.picture(&vast).await.unwrap().width, 10_001);
    assert_eq!(fake.pictures.lock().unwrap().len(), 3);
}

#[tokio::test]
async fn a_task_that_fails_leaves_the_others_be() {
    let (address, fake) = gateway().await;
    for kind in NodeKind::ALL {
        let node = node(kind, address);
        for code in [ErrorCode::ModelMissingOffline, ErrorCode::ModelUnknown, ErrorCode::InferenceFailed] {
            without_faces(&fake, code);
            let answer = node.picture(&request(vec![faces(0.3), text(), embed()])).await.unwrap();
            let error = answer.answers[0].as_ref().unwrap_err();
            assert_eq!(error.code, code, "{kind}");
            assert!(error.message.contains("attic"), "{kind}: {error}");
            assert!(matches!(&answer.answers[1], Ok(Answer::Text(lines)) if !lines.is_empty()), "{kind}");
            assert_eq!(answer.answers[2], Ok(Answer::Embedding(vector())), "{kind}");
            assert_eq!((answer.width, answer.height), (640, 480));
            let alone = node.picture(&request(vec![faces(0.3)])).await.unwrap_err();
            assert_eq!(alone.code(), code, "{kind}");
        }
        // The picture's fault is everybody's: there is nothing to ask alone.
        without_faces(&fake, ErrorCode::ImageUndecodable);
        fake.pictures.lock().unwrap().clear();
        if kind != NodeKind::MtPhotos {
            let error = node.picture(&request(vec![faces(0.3), text()])).await.unwrap_err();
            assert!(error.is_the_pictures_fault(), "{kind}: {error:?}");
            assert_eq!(fake.pictures.lock().unwrap().len(), 1);
        }
    }
}

#[tokio::test]
async fn a_peer_that_is_busy_is_not_asked_task_by_task() {
    let (address, fake) = gateway().await;
    fake.fail(ErrorCode::Busy);
    for kind in NodeKind::ALL {
        let error = node(kind, address).picture(&request(vec![embed(), text()])).await.unwrap_err();
        assert!(matches!(error, NodeError::Busy { .. }), "{kind}: {error:?}");
        assert_eq!(fake.pictures.lock().unwrap().drain(..).count(), 1, "{kind}");
    }
}

#[tokio::test]
async fn pictures_that_a_peer_would_turn_otherwise_are_not_sent() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/image/orientation6.jpg");
    let bytes = bytes::Bytes::from(std::fs::read(path).unwrap());
    let (address, _) = gateway().await;
    for kind in NodeKind::ALL {
        for orient in [false, true] {
            let mut request = request(vec![embed()]);
            request.decode = DecodeRules { orient, alpha: Alpha::Drop, max_side: None };
            // Upright as stored: nobody cares.
            assert!(node(kind, address).picture(&request).await.is_ok());
            request.bytes = bytes.clone();
            let answer = node(kind, address).picture(&request).await;
            if orient == (kind == NodeKind::MtPhotos) {
                assert!(answer.is_ok(), "{kind} {orient}: {answer:?}");
            } else {
                assert!(matches!(answer, Err(NodeError::Unsuited(_))), "{kind} {orient}: {answer:?}");
            }
            if orient && kind == NodeKind::MtPhotos {
                let answer = answer.unwrap();
                assert_eq!((answer.width, answer.height), (14, 23));
            }
        }
    }
}

#[tokio::test]
async fn limits_of_the_request_hold_before_anything_is_sent() {
    let (address, fake) = gateway().await;
    for kind in NodeKind::ALL {
        let mut request = request(vec![embed()]);
        request.decode.max_side = Some(639);
        let error = node(kind, address).picture(&request).await.unwrap_err();
        assert!(error.is_the_pictures_fault() && !error.may_help_elsewhere(), "{error:?}");
        assert_eq!(error.code().as_str(), "image_too_large");
    }
    assert!(fake.pictures.lock().unwrap().is_empty());
}
