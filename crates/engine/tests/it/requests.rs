use bytes::Bytes;
use viewfinder_core::{Answer, ErrorCode, PictureTask, SentenceRequest, ocr::Options};
use viewfinder_engine::{Engine, EngineConfig, OnRequest};
use viewfinder_models::Role;
use viewfinder_test_support as test_support;

use crate::support::{OCR, bytes, config, engine, request, text};

fn sentence(model: &str, text: &str) -> SentenceRequest {
    SentenceRequest { model: model.into(), text: text.into(), language: None }
}

fn embed(model: &str) -> PictureTask {
    PictureTask::Embed { model: model.into() }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_tasks_share_one_picture() {
    test_support::model("scrfd_2.5g", Role::Detection);
    let faces = PictureTask::Faces {
        detection: "scrfd_2.5g".into(),
        recognition: "buffalo_l".into(),
        min_score: 0.5,
    };
    let regions = PictureTask::TextRegions { detection: OCR.into(), options: Options::immich(0.5, 0.8, 736) };
    let tasks = vec![text(), faces, embed("tiny"), embed("ViT-B-32::openai"), regions];
    let answer = engine().picture(request(bytes("faces/t1.jpg"), tasks)).await.unwrap();

    assert_eq!((answer.width, answer.height), (1280, 886));
    let [
        Ok(Answer::Text(_)),
        Ok(Answer::Faces(faces)),
        Ok(Answer::Embedding(tiny)),
        Ok(Answer::Embedding(clip)),
        Ok(Answer::TextRegions(_)),
    ] = &answer.answers[..]
    else {
        panic!("answers in another order: {answer:?}");
    };
    assert_eq!(faces.len(), 6);
    assert!(faces.iter().all(|face| face.embedding.len() == 512));
    assert_eq!((tiny.len(), clip.len()), (32, 512));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_without_its_model_leaves_the_others_be() {
    let tasks = vec![embed("no-such-model"), embed("tiny"), embed("RN50__openai")];
    let answer = engine().picture(request(bytes("ocr/short.png"), tasks)).await.unwrap();
    let [Err(unknown), Ok(Answer::Embedding(vector)), Err(missing)] = &answer.answers[..] else {
        panic!("answers in another order: {answer:?}");
    };
    assert_eq!((unknown.code, missing.code), (ErrorCode::ModelUnknown, ErrorCode::ModelMissingOffline));
    assert_eq!(vector.len(), 32);
    let tasks = vec![embed("no-such-model"), embed("tiny")];
    let error = engine().picture(request(Bytes::from_static(b"no picture"), tasks)).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ImageUndecodable);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_and_sentences_are_read() {
    let engine = engine();
    let answer = engine.picture(request(bytes("ocr/ch_en_num.jpg"), vec![text()])).await.unwrap();
    let Ok(Answer::Text(lines)) = &answer.answers[0] else { panic!("no text") };
    assert_eq!(lines.len(), 18);
    assert_eq!(lines[0].text, "正品促销");

    let vector = engine.sentence(sentence("tiny", "皮卡丘")).await.unwrap();
    assert_eq!(vector.len(), 32);
    assert_eq!(engine.sentence(sentence("ViT-B-32__openai", "a dog")).await.unwrap().len(), 512);
}

#[test]
fn callers_without_async_get_the_same() {
    let engine = engine();
    let answer = engine.picture_blocking(request(bytes("ocr/short.png"), vec![embed("tiny")])).unwrap();
    assert!(matches!(&answer.answers[0], Ok(Answer::Embedding(vector)) if vector.len() == 32));
    assert_eq!(engine.sentence_blocking(sentence("tiny", "x")).unwrap().len(), 32);
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_pictures_and_names_have_their_own_codes() {
    let mut limited = config();
    limited.limits.max_bytes = 1_000_000;
    limited.limits.max_pixels = 1_000_000;
    let engine = Engine::new(limited).unwrap();
    let jpeg = bytes("ocr/ch_en_num.jpg");
    let cases: Vec<(Bytes, PictureTask, ErrorCode)> = vec![
        (Bytes::new(), embed("tiny"), ErrorCode::ImageEmpty),
        (Bytes::from_static(b"no picture at all"), embed("tiny"), ErrorCode::ImageUndecodable),
        (jpeg.slice(..100), embed("tiny"), ErrorCode::ImageUndecodable),
        (vec![0xff; 1_000_001].into(), embed("tiny"), ErrorCode::ImageTooManyBytes),
        (bytes("faces/t1.jpg"), embed("tiny"), ErrorCode::ImageTooLarge),
        (jpeg.clone(), embed("no-such-model"), ErrorCode::ModelUnknown),
        (jpeg.clone(), embed("PP-OCRv6_small"), ErrorCode::ModelUnsuited),
        (jpeg.clone(), embed("RN50__openai"), ErrorCode::ModelMissingOffline),
        (jpeg, PictureTask::FaceRegions { detection: OCR.into(), min_score: 0.7 }, ErrorCode::ModelUnsuited),
    ];
    for (picture, task, code) in cases {
        let error = engine.picture(request(picture, vec![task.clone()])).await.unwrap_err();
        assert_eq!(error.code, code, "{task:?}: {error}");
    }
    let error = engine.sentence(sentence("buffalo_l", "x")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ModelUnsuited);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_of_text_is_none_of_faces_even_if_it_is_in_memory() {
    test_support::model("scrfd_2.5g", Role::Detection);
    let engine = engine();
    let picture = bytes("ocr/short.png");
    engine.picture(request(picture.clone(), vec![text()])).await.unwrap();
    let faces =
        PictureTask::Faces { detection: "scrfd_2.5g".into(), recognition: OCR.into(), min_score: 0.5 };
    let regions = PictureTask::FaceRegions { detection: OCR.into(), min_score: 0.5 };
    for task in [faces, regions] {
        let error = engine.picture(request(picture.clone(), vec![task])).await.unwrap_err();
        assert_eq!(error.code, ErrorCode::ModelUnsuited, "{error}");
    }
}

/// A store that may fetch, from where nobody answers.
fn fetching(on_request: OnRequest) -> Engine {
    let nobody = Some("http://127.0.0.1:9".to_owned());
    let mut config = EngineConfig { on_request, ..config() };
    config.models.offline = false;
    config.models.hf_endpoint = nobody;
    config.models.retry.attempts = 1;
    Engine::new(config).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_have_only_known_models_fetched() {
    let engine = fetching(OnRequest::Known(vec!["RN50::openai".into()]));
    let code = async |model| engine.sentence(sentence(model, "x")).await.map_err(|error| error.code);
    // It is tried.
    assert_eq!(code("RN50__openai").await, Err(ErrorCode::ModelUnavailable));
    // It is here, whoever knows it.
    assert_eq!(code("tiny").await.map(|vector| vector.len()), Ok(32));
    assert_eq!(code("no-such-model").await, Err(ErrorCode::ModelUnknown));
    assert_eq!(engine.status().refused_models, Vec::<String>::new());

    let error = engine.sentence(sentence("RN101::openai", "x")).await.unwrap_err();
    assert_eq!((error.code, error.code.http_status()), (ErrorCode::ModelNotAllowed, 404));
    assert!(error.message.contains("engine.preload = [\"RN101__openai\"]"), "{error}");
    assert_eq!(engine.status().refused_models, ["RN101__openai"]);
    // Nor is a network of another precision made for a stranger.
    assert_eq!(code("cn-clip/ViT-H-14@int8").await, Err(ErrorCode::ModelNotAllowed));

    let engine = fetching(OnRequest::Any);
    let error = engine.sentence(sentence("RN101::openai", "x")).await.unwrap_err();
    assert_eq!(error.code, ErrorCode::ModelUnavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_unused_models_leave_memory_for_others() {
    let names = |engine: &Engine| -> Vec<String> {
        engine.status().models.into_iter().map(|model| format!("{} {}", model.name, model.role)).collect()
    };
    let picture = bytes("ocr/short.png");
    // Less than any model has: only what is in use stays.
    let engine = Engine::new(EngineConfig { model_bytes: Some(1), ..config() }).unwrap();
    let tasks = vec![text(), embed("tiny")];
    let answer = engine.picture(request(picture.clone(), tasks)).await.unwrap();
    assert!(answer.answers.iter().all(Result::is_ok), "{answer:?}");
    engine.sentence(sentence("tiny", "x")).await.unwrap();
    assert_eq!(names(&engine), ["tiny textual"]);

    let engine = Engine::new(EngineConfig { model_bytes: Some(1 << 30), ..config() }).unwrap();
    engine.picture(request(picture, vec![embed("tiny")])).await.unwrap();
    engine.sentence(sentence("tiny", "x")).await.unwrap();
    assert_eq!(names(&engine), ["tiny textual", "tiny visual"]);
}

#[test]
fn an_alias_answers_and_a_different_width_is_refused() {
    let aliased = |from: &str, to: &str| -> EngineConfig {
        let mut config = config();
        config.aliases.insert(from.into(), to.into());
        config
    };
    let engine = Engine::new(aliased("my-clip", "tiny")).unwrap();
    assert_eq!(engine.sentence_blocking(sentence("my-clip", "猫")).unwrap().len(), 32);

    let refused = |from, to| Engine::new(aliased(from, to)).err().map(|error| error.code);
    assert_eq!(refused("ViT-B-16__openai", "tiny"), Some(ErrorCode::ModelUnsuited));
    assert_eq!(refused("ViT-B-16__openai", "nobody"), Some(ErrorCode::ModelUnknown));
    assert_eq!(refused("ViT-B-16__openai", "cn-clip/ViT-B-16"), None);
}

#[test]
fn codes_are_unique_and_have_a_status() {
    let mut codes: Vec<_> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), ErrorCode::ALL.len());
    assert!(ErrorCode::ALL.iter().all(|code| (400..600).contains(&code.http_status())));
}
