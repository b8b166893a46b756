//! Real pictures through the real engine into the catalogue.
use std::{collections::HashSet, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use viewfinder_catalog::{AnalysisKind, AnalysisState, Counts, Filter};
use viewfinder_core::{ErrorCode, PictureTask, TaskError};
use viewfinder_index::{Analysis, Event, Models, Scope, Summary, take_up_undecoded};
use viewfinder_test_support::{Contents, FakeBackend};

use crate::support::{CLIP, Library, Told, engine, wait};

const ALL: [AnalysisKind; 3] = AnalysisKind::ALL;

fn small() -> Library {
    let library = Library::new();
    library.put("receipt.jpg", "library/0002.jpg");
    library.put("people.jpg", "faces/t1.jpg");
    library.put("bird.jpg", "faces/prairie_falcon.jpg");
    library
}

fn texts(library: &Library, name: &str) -> Vec<String> {
    let lines = wait(library.store.lines(&[library.asset(name).id])).unwrap().remove(0);
    for line in &lines {
        assert!(line.corners.iter().flatten().all(|part| (0.0..=1.0).contains(part)), "{line:?}");
    }
    lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn a_folder_is_read_seen_and_its_people_found_and_a_second_run_does_nothing() {
    let library = small();
    let engine = engine();
    let Summary { scanned, analysed, grouped } = library.index(library.analysis(&ALL), Arc::clone(&engine));
    assert_eq!((scanned.new, analysed.done, analysed.failed), (3, 3, 0));
    assert!(analysed.problems.is_empty() && analysed.left_out.is_empty(), "{analysed:?}");
    // The true text, from labels.json.
    let read = texts(&library, "receipt.jpg").join(" ");
    for word in ["Corner Bakery", "0824628", "2019-10-10", "TOTAL"] {
        assert!(read.contains(word), "{word} is not in {read}");
    }
    // As InsightFace's code finds them: faces/golden.json.
    let faces = wait(library.store.faces(library.asset("people.jpg").id)).unwrap();
    assert_eq!(faces.len(), 6);
    for face in &faces {
        let length = face.embedding.iter().map(|value| value * value).sum::<f32>();
        assert!((length - 1.0).abs() < 1e-4, "{length}");
        assert!(face.person.is_some());
    }
    assert_eq!(grouped.joined + grouped.new, 6);
    assert!(grouped.new >= 1);
    assert_eq!(wait(library.store.faces(library.asset("bird.jpg").id)).unwrap(), []);
    let (model, vector) = wait(library.store.embedding(library.asset("bird.jpg").id)).unwrap().unwrap();
    assert_eq!((model.as_str(), vector.len()), (CLIP, 512));
    let nearest = wait(library.store.nearest(CLIP, &vector, &Filter::default(), 1)).unwrap();
    assert_eq!(nearest[0].asset, library.asset("bird.jpg").id);

    let again = library.index(library.analysis(&ALL), engine);
    assert_eq!((again.scanned.unchanged, again.scanned.new, again.analysed.done), (3, 0, 0));
    assert_eq!(again.grouped, viewfinder_index::Grouped::default());
}

#[test]
fn bad_files_fail_for_good_each_with_its_code_and_the_others_are_done() {
    let library = Library::new();
    library.put("good.jpg", "library/0002.jpg");
    library.write("empty.jpg", b"");
    library.write("words.png", b"no picture at all");
    let jpeg = std::fs::read(library.root().join("good.jpg")).unwrap();
    library.write(
        "cut.png",
        &std::fs::read(viewfinder_test_support::fixtures().join("image/rgb.png")).unwrap()[..60],
    );
    library.write("garbage.jpg", &[&jpeg[..3], &[7_u8; 400][..]].concat());
    // A BMP that says it has 60,000 times 60,000 pixels.
    let mut huge = std::fs::read(viewfinder_test_support::fixtures().join("image/rgb.bmp")).unwrap();
    huge[18..22].copy_from_slice(&60_000_u32.to_le_bytes());
    huge[22..26].copy_from_slice(&60_000_u32.to_le_bytes());
    library.write("huge.bmp", &huge);
    let engine = engine();
    let kinds = [AnalysisKind::Clip];
    let summary = library.index(library.analysis(&kinds), Arc::clone(&engine));
    assert_eq!((summary.analysed.done, summary.analysed.failed), (6, 5));
    let code = |name: &str| match &library.asset(name).states[AnalysisKind::Clip as usize] {
        AnalysisState::Failed { code, .. } => code.clone(),
        other => format!("{other:?}"),
    };
    assert_eq!(code("empty.jpg"), "image_empty");
    assert_eq!(code("words.png"), "image_undecodable");
    assert_eq!(code("cut.png"), "image_undecodable");
    assert_eq!(code("garbage.jpg"), "image_undecodable");
    assert_eq!(code("huge.bmp"), "image_too_large");
    assert!(matches!(library.asset("good.jpg").states[1], AnalysisState::Done { .. }));
    let groups: Vec<_> =
        summary.analysed.problems.iter().map(|(kind, problem)| (kind, problem.count)).collect();
    assert_eq!(groups, [("image_empty", 1), ("image_too_large", 1), ("image_undecodable", 3)]);
    // Nothing that failed for good is tried again by itself.
    assert_eq!(library.index(library.analysis(&kinds), engine).analysed.done, 0);
}

#[test]
fn a_kind_without_its_model_is_left_out_and_waits() {
    let library = small();
    let mut analysis = library.analysis(&[AnalysisKind::Clip, AnalysisKind::Faces]);
    analysis.models.faces = "buffalo_l".to_owned();
    let engine = engine();
    let summary = library.index(analysis, Arc::clone(&engine));
    assert_eq!(summary.analysed.done, 3);
    assert_eq!(summary.analysed.left_out.keys().collect::<Vec<_>>(), [&AnalysisKind::Faces]);
    let Counts { states, .. } = wait(library.store.counts()).unwrap();
    assert_eq!(states[AnalysisKind::Clip as usize], [0, 3, 0]);
    assert_eq!(states[AnalysisKind::Faces as usize], [3, 0, 0]);
    let summary = library.index(library.analysis(&[AnalysisKind::Faces]), engine);
    assert_eq!(summary.analysed.done, 3);
}

/// One that lacks CLIP and faces. CLIP comes once a permit is given; faces never do.
fn fetching(delivery: &Arc<Semaphore>) -> FakeBackend {
    let delivery = Arc::clone(delivery);
    let vector = vec![1.0; 4];
    FakeBackend::seeing(Contents { vector, ..Contents::default() }).lacking(
        |task| !matches!(task, PictureTask::Text { .. }),
        move |task| {
            let delivery = Arc::clone(&delivery);
            Box::pin(async move {
                if matches!(task, PictureTask::Faces { .. }) {
                    return Err(TaskError::new(ErrorCode::ModelUnavailable, "no source delivered it"));
                }
                delivery.acquire().await.unwrap().forget();
                Ok(())
            })
        },
    )
}

#[test]
fn text_is_read_while_other_networks_are_fetched_which_are_taken_up_when_they_come() {
    let library = small();
    let delivery = Arc::new(Semaphore::new(0));
    let backend = Arc::new(fetching(&delivery));
    // The network comes only after every text is in the catalogue: to wait for it would be to wait for ever.
    let texts_first = {
        let (store, delivery) = (Arc::clone(&library.store), Arc::clone(&delivery));
        std::thread::spawn(move || {
            while wait(store.counts()).unwrap().states[AnalysisKind::Ocr as usize] != [0, 3, 0] {
                std::thread::sleep(Duration::from_millis(20));
            }
            let others = wait(store.counts()).unwrap().states;
            delivery.add_permits(1);
            others
        })
    };
    let told = Arc::new(Told::default());
    let summary =
        library.index_telling(library.analysis(&ALL), Arc::clone(&backend) as _, Arc::clone(&told) as _);
    assert_eq!(texts_first.join().unwrap(), [[0, 3, 0], [3, 0, 0], [3, 0, 0]]);
    assert_eq!(wait(library.store.counts()).unwrap().states, [[0, 3, 0], [0, 3, 0], [3, 0, 0]]);
    // Each file is counted once, though it was asked about twice.
    assert_eq!((summary.analysed.done, summary.analysed.failed), (3, 0));
    assert_eq!(backend.pictures.lock().unwrap().len(), 6);
    assert_eq!(summary.analysed.left_out.keys().collect::<Vec<_>>(), [&AnalysisKind::Faces]);
    let told = told.0.lock().unwrap();
    let waiting: u64 =
        told.iter().map(|event| if let Event::Waiting { files } = event { *files } else { 0 }).sum();
    let analysed = told.iter().filter(|event| matches!(event, Event::Analysed { .. })).count();
    assert_eq!((waiting, analysed), (6, 6));
    let again = told.iter().filter(|event| matches!(event, Event::Analysed { again: true })).count();
    assert_eq!(again, 3);
    // What waits is taken up by the next run that can.
    let summary = library.index(library.analysis(&ALL), Arc::new(FakeBackend::default()));
    assert_eq!((summary.analysed.done, summary.analysed.left_out.len()), (3, 0));
    assert_eq!(wait(library.store.counts()).unwrap().states, [[0, 3, 0]; 3]);
}

#[test]
fn without_any_network_a_run_ends_when_none_comes() {
    let library = small();
    let nothing = FakeBackend::default().lacking(
        |_| true,
        |_| Box::pin(async { Err(TaskError::new(ErrorCode::ModelUnavailable, "no source delivered it")) }),
    );
    let nothing = Arc::new(nothing);
    let summary = library.index(library.analysis(&ALL), Arc::clone(&nothing) as _);
    assert_eq!((summary.scanned.new, summary.analysed.done, summary.analysed.left_out.len()), (3, 0, 3));
    assert!(nothing.pictures.lock().unwrap().is_empty());
}

#[test]
fn another_model_embeds_anew_and_old_vectors_do_not_mix() {
    let library = small();
    let engine = engine();
    let kinds = [AnalysisKind::Clip];
    library.index(library.analysis(&kinds), Arc::clone(&engine));
    let bird = library.asset("bird.jpg").id;
    let (_, vector) = wait(library.store.embedding(bird)).unwrap().unwrap();
    // The same network under another name: the alias stands for a model of another kind.
    let mut analysis = library.analysis(&kinds);
    analysis.models.clip = "RN50__openai".to_owned();
    let summary = library.index(analysis, Arc::clone(&engine));
    // It cannot be had here, so the old ones stay and are found under their own name only.
    assert!(summary.analysed.left_out.contains_key(&AnalysisKind::Clip));
    assert_eq!(wait(library.store.counts()).unwrap().states[1], [3, 0, 0]);
    assert_eq!(wait(library.store.nearest(CLIP, &vector, &Filter::default(), 9)).unwrap().len(), 3);
    assert_eq!(wait(library.store.nearest("RN50__openai", &vector, &Filter::default(), 9)).unwrap(), []);
    assert_eq!(library.index(library.analysis(&kinds), engine).analysed.done, 3);
}

#[test]
fn one_asset_again_and_nothing_else() {
    let library = small();
    let engine = engine();
    let kinds = [AnalysisKind::Ocr];
    library.index(library.analysis(&kinds), Arc::clone(&engine));
    let id = library.asset("receipt.jpg").id;
    assert!(wait(library.store.correct(id, 0, "Eckbäckerei")).unwrap());
    let rerun = |replace: bool| {
        wait(library.store.forget(AnalysisKind::Ocr, &[id], replace)).unwrap();
        let scope = Scope::Assets(HashSet::from([id]));
        let analysis = Analysis { scope, ..library.analysis(&kinds) };
        library.analyse(analysis, Arc::clone(&engine), &CancellationToken::new()).done
    };
    assert_eq!(rerun(false), 1);
    assert!(texts(&library, "receipt.jpg").contains(&"Eckbäckerei".to_owned()));
    assert_eq!(rerun(true), 1);
    assert!(!texts(&library, "receipt.jpg").contains(&"Eckbäckerei".to_owned()));
}

#[test]
fn what_passes_is_waited_for_and_never_a_failure() {
    let library = small();
    let kinds = [AnalysisKind::Clip];
    // The real engine, which says so often that it is busy before it answers.
    let busy = |times, code| {
        let fake = FakeBackend::before(engine());
        fake.fail_times(times, code);
        Arc::new(fake)
    };
    let summary = library.index(library.analysis(&kinds), busy(3, ErrorCode::NodeUnavailable));
    assert_eq!((summary.analysed.done, summary.analysed.failed), (3, 0));
    // What is wrong with a node's set-up is told and not held against the picture.
    wait(library.store.forget(AnalysisKind::Clip, &[library.asset("bird.jpg").id], false)).unwrap();
    let summary = library.index(library.analysis(&kinds), busy(1, ErrorCode::NodeRefused));
    assert_eq!(summary.analysed.done, 0);
    assert_eq!(summary.analysed.problems.iter().next().unwrap().0, "node_refused");
    assert_eq!(library.asset("bird.jpg").states[1], AnalysisState::Never);
}

#[test]
fn stopped_it_keeps_what_is_complete_and_goes_on_later() {
    let library = small();
    library.scan();
    let stop = CancellationToken::new();
    stop.cancel();
    let engine = engine();
    let analysed = library.analyse(library.analysis(&ALL), Arc::clone(&engine), &stop);
    let done = wait(library.store.counts()).unwrap().states[0][1];
    assert_eq!(done, analysed.done);
    let summary = library.index(library.analysis(&ALL), engine);
    assert_eq!(summary.analysed.done, 3 - done);
    assert_eq!(wait(library.store.counts()).unwrap().states, [[0, 3, 0]; 3]);
}

#[test]
fn what_has_no_decoder_says_so_once_and_is_taken_up_again() {
    let library = Library::new();
    library.put("a.heic", "index/receipt.heic");
    library.put("b.dng", "index/receipt.dng");
    library.put("c.mp4", "index/late.mp4");
    let kinds = [AnalysisKind::Ocr, AnalysisKind::Clip];
    let summary = library.index(library.analysis(&kinds), engine());
    let groups: Vec<_> =
        summary.analysed.problems.iter().map(|(kind, problem)| (kind, problem.count)).collect();
    assert_eq!(groups, [("decoder_missing", 3)]);
    assert_eq!(wait(library.store.counts()).unwrap().states, [[0, 0, 3], [0, 0, 3], [3, 0, 0]]);
    // A failure of another kind is none of that.
    library.write("d.jpg", b"no picture");
    library.index(library.analysis(&kinds), engine());
    let stop = CancellationToken::new();
    wait(take_up_undecoded(&kinds, &*library.store, &stop, &Told::default())).unwrap();
    assert_eq!(wait(library.store.counts()).unwrap().states[..2], [[3, 0, 1]; 2]);
}

#[test]
fn models_are_named_by_kind() {
    let models =
        Models { ocr: "a".to_owned(), clip: "b".to_owned(), faces: "c".to_owned(), face_min_score: 0.5 };
    assert_eq!(ALL.map(|kind| models.of(kind)), ["a", "b", "c"]);
}
