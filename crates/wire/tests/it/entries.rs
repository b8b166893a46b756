//! The `entries` grammar of `POST /predict`.

use proptest::prelude::*;
use serde_json::{Value, json};
use viewfinder_wire::immich::{Entries, EntriesError, Task, TextDetection, TextRecognition};

fn parse(value: &Value) -> Result<Vec<Task>, EntriesError> {
    Entries::parse(&value.to_string()).map(|entries| entries.tasks)
}

#[test]
fn what_immich_sends_is_understood() {
    assert_eq!(
        parse(&json!({"clip": {"visual": {"modelName": "ViT-B-32__openai"}}})),
        Ok(vec![Task::ClipVisual { model: "ViT-B-32__openai".into() }])
    );
    assert_eq!(
        parse(&json!({"clip": {"textual": {"modelName": "m", "options": {"language": "zh-CN"}}}})),
        Ok(vec![Task::ClipTextual { model: "m".into(), language: Some("zh-CN".into()) }])
    );
    assert_eq!(
        parse(&json!({"clip": {"textual": {"modelName": "m", "options": {}}}})),
        Ok(vec![Task::ClipTextual { model: "m".into(), language: None }])
    );
    assert_eq!(
        parse(&json!({"facial-recognition": {
            "detection": {"modelName": "buffalo_l", "options": {"minScore": 0.6}},
            "recognition": {"modelName": "buffalo_s"}}})),
        Ok(vec![Task::Faces {
            detection: "buffalo_l".into(),
            min_score: 0.6,
            recognition: Some("buffalo_s".into())
        }])
    );
    assert_eq!(
        parse(&json!({"ocr": {
            "detection": {"modelName": "d", "options": {"minScore": 0.4, "maxResolution": 1000}},
            "recognition": {"modelName": "r", "options": {"minScore": 0.8}}}})),
        Ok(vec![Task::Text {
            detection: TextDetection {
                model: "d".into(),
                min_score: 0.4,
                max_resolution: 1000,
                exact_scores: false
            },
            recognition: Some(TextRecognition { model: "r".into(), min_score: 0.8 })
        }])
    );
}

#[test]
fn requests_are_written_as_immich_writes_them() {
    for entries in [
        r#"{"clip":{"visual":{"modelName":"ViT-B-32__openai"}}}"#,
        r#"{"clip":{"textual":{"modelName":"m","options":{"language":"zh-CN"}}}}"#,
        r#"{"clip":{"textual":{"modelName":"m","options":{}}}}"#,
        r#"{"facial-recognition":{"detection":{"modelName":"b","options":{"minScore":0.7}},"recognition":{"modelName":"b"}}}"#,
        r#"{"ocr":{"detection":{"modelName":"p","options":{"maxResolution":736,"minScore":0.5}},"recognition":{"modelName":"p","options":{"minScore":0.8}}}}"#,
        r#"{"ocr":{"recognition":{"modelName":"ocr"}}}"#,
    ] {
        assert_eq!(Entries::parse(entries).unwrap().to_json(), entries);
    }
}

#[test]
fn missing_options_have_immichs_defaults_and_unknown_ones_are_ignored() {
    assert_eq!(
        parse(&json!({
            "ocr": {"detection": {"modelName": "d", "options": {"colour": [1], "scoreMode": "slow"}},
                    "recognition": {"modelName": "r", "later": true}},
            "facial-recognition": {"detection": {"modelName": "f", "options": {"max": null}}}
        })),
        Ok(vec![
            Task::Faces { detection: "f".into(), min_score: 0.7, recognition: None },
            Task::Text {
                detection: TextDetection {
                    model: "d".into(),
                    min_score: 0.5,
                    max_resolution: 736,
                    exact_scores: true
                },
                recognition: Some(TextRecognition { model: "r".into(), min_score: 0.9 })
            }
        ])
    );
}

#[test]
fn the_forked_immichs_request_is_told_apart() {
    assert_eq!(parse(&json!({"ocr": {"recognition": {"modelName": "ocr"}}})), Ok(vec![Task::LegacyText]));
    assert!(matches!(
        parse(&json!({"ocr": {"detection": {"modelName": "ocr"}, "recognition": {"modelName": "ocr"}}}))
            .as_deref(),
        Ok([Task::Text { .. }])
    ));
}

#[test]
fn recognition_alone_is_refused() {
    for task in ["ocr", "facial-recognition"] {
        let error = parse(&json!({task: {"recognition": {"modelName": "PP-OCRv5_mobile"}}})).unwrap_err();
        assert_eq!(error.http_status(), 400);
        assert!(
            error.to_string().starts_with(&format!("Task {task} of type recognition depends on output of"))
        );
    }
}

#[test]
fn tasks_that_do_not_exist_are_refused() {
    for entries in [
        json!({"clip": {"detection": {"modelName": "m"}}}),
        json!({"ocr": {"visual": {"modelName": "m"}}}),
        json!({"facial-recognition": {"textual": {"modelName": "m"}}}),
        json!({"smell": {"visual": {"modelName": "m"}}}),
        json!({"smell": {"x": {"modelName": "m"}}}),
    ] {
        let error = parse(&entries).unwrap_err();
        assert!(matches!(error, EntriesError::Unsupported { .. }), "{entries}: {error:?}");
        assert_eq!(error.http_status(), 400);
    }
    // Names that nobody has are told, and not at any length.
    let long = "é".repeat(1000);
    for (entries, told) in [
        (
            json!({"smell": {"visual": {"modelName": "m"}}}),
            "Task smell of type visual is not supported".into(),
        ),
        (
            json!({"clip": {&long: {"modelName": "m"}}}),
            format!("Task clip of type {} is not supported", &long[..128]),
        ),
    ] {
        assert_eq!(parse(&entries).unwrap_err().to_string(), told);
    }
}

#[test]
fn malformed_entries_are_refused() {
    for entries in [
        "",
        "null",
        "[]",
        "7",
        "{",
        "\"clip\"",
        r#"{"clip":null}"#,
        r#"{"clip":[]}"#,
        r#"{"clip":{"visual":null}}"#,
        r#"{"clip":{"visual":"m"}}"#,
        r#"{"clip":{"visual":{}}}"#,
        r#"{"clip":{"visual":{"modelName":1}}}"#,
        r#"{"clip":{"visual":{"modelName":"m","options":null}}}"#,
        r#"{"clip":{"visual":{"modelName":"m","options":[]}}}"#,
        r#"{"clip":{"textual":{"modelName":"m","options":{"language":5}}}}"#,
        r#"{"facial-recognition":{"detection":{"modelName":"m","options":{"minScore":"0.7"}}}}"#,
        r#"{"facial-recognition":{"detection":{"modelName":"m","options":{"minScore":null}}}}"#,
        r#"{"facial-recognition":{"detection":{"modelName":"m","options":{"minScore":1e300}}}}"#,
        r#"{"facial-recognition":{"detection":{"modelName":"m","options":{"minScore":1e999}}}}"#,
        r#"{"ocr":{"detection":{"modelName":"m","options":{"maxResolution":0}}}}"#,
        r#"{"ocr":{"detection":{"modelName":"m","options":{"maxResolution":true}}}}"#,
        r#"{"ocr":{"detection":{"modelName":"m","options":{"scoreMode":"medium"}}}}"#,
        r#"{"smell":{"visual":7}}"#,
    ] {
        let error = Entries::parse(entries).unwrap_err();
        assert!(matches!(error, EntriesError::Malformed(_)), "{entries}: {error:?}");
        assert_eq!((error.http_status(), error.to_string().as_str()), (422, "Invalid request format."));
    }
}

#[test]
fn asking_for_nothing_is_well_formed() {
    assert_eq!(parse(&json!({})), Ok(vec![]));
    assert_eq!(parse(&json!({"ocr": {}, "clip": {}, "facial-recognition": {}, "smell": {}})), Ok(vec![]));
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert!(Entries::parse(&deep).is_err());
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    let key = prop_oneof![
        Just("clip".to_owned()),
        Just("ocr".to_owned()),
        Just("facial-recognition".to_owned()),
        Just("visual".to_owned()),
        Just("textual".to_owned()),
        Just("detection".to_owned()),
        Just("recognition".to_owned()),
        Just("modelName".to_owned()),
        Just("options".to_owned()),
        Just("minScore".to_owned()),
        ".{0,4}".prop_map(String::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".*") {
        let _ = Entries::parse(&text);
    }

    #[test]
    fn no_json_makes_the_parser_panic(value in json_value()) {
        let _ = Entries::parse(&value.to_string());
    }

    #[test]
    fn every_wellformed_request_reads_back(
        visual in prop::option::of(".{0,12}"),
        textual in prop::option::of((".{0,12}", prop::option::of("[a-z]{2}(-[A-Z]{2})?"))),
        faces in prop::option::of((".{0,12}", 0.0_f32..1.0, prop::option::of(".{0,12}"))),
        text in prop::option::of((
            ".{0,12}", 0.0_f32..1.0, 1_usize..5000, any::<bool>(), prop::option::of((".{0,12}", 0.0_f32..1.0))
        )),
    ) {
        let mut tasks = json!({});
        let mut expected = Vec::new();
        if let Some((model, language)) = textual {
            tasks["clip"]["textual"] = match &language {
                Some(language) => json!({"modelName": model, "options": {"language": language}}),
                None => json!({"modelName": model}),
            };
            expected.push(Task::ClipTextual { model, language });
        }
        if let Some(model) = visual {
            tasks["clip"]["visual"] = json!({"modelName": model});
            expected.push(Task::ClipVisual { model });
        }
        if let Some((detection, min_score, recognition)) = faces {
            tasks["facial-recognition"]["detection"] =
                json!({"modelName": detection, "options": {"minScore": min_score}});
            if let Some(model) = &recognition {
                tasks["facial-recognition"]["recognition"] = json!({"modelName": model});
            }
            expected.push(Task::Faces { detection, min_score, recognition });
        }
        if let Some((model, min_score, max_resolution, exact_scores, recognition)) = text {
            tasks["ocr"]["detection"] = json!({"modelName": model, "options": {
                "minScore": min_score,
                "maxResolution": max_resolution,
                "scoreMode": if exact_scores { "slow" } else { "fast" },
            }});
            if let Some((model, min_score)) = &recognition {
                tasks["ocr"]["recognition"] = json!({"modelName": model, "options": {"minScore": min_score}});
            }
            let recognition = recognition.map(|(model, min_score)| TextRecognition { model, min_score });
            expected.push(Task::Text {
                detection: TextDetection { model, min_score, max_resolution, exact_scores },
                recognition,
            });
        }
        let entries = Entries::parse(&tasks.to_string()).unwrap();
        prop_assert_eq!(&Entries::parse(&entries.to_json()), &Ok(entries.clone()));
        prop_assert_eq!(entries.tasks.len(), expected.len());
        for task in expected {
            prop_assert!(entries.tasks.contains(&task), "{:?} lacks {:?}", entries.tasks, task);
        }
    }
}
