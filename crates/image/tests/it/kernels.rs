use serde_json::Value;
use viewfinder_image::{RgbImage, resize, warp};

use crate::support::{golden, noise, number, read, sha256, source};

/// Runs every case of a kind and compares digests, so that one run tells how many differ.
fn bit_exact(kind: &str, kernel: impl Fn(&RgbImage, &Value, usize, usize) -> RgbImage) {
    let cases = golden(kind);
    let mut wrong = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        let (width, height) = (number(case, "width"), number(case, "height"));
        let result = kernel(&source(case), case, width, height);
        assert_eq!((result.width(), result.height()), (width, height));
        if sha256(result.data()) != case["sha256"] {
            wrong.push((index, case.to_string()));
        }
    }
    assert!(wrong.is_empty(), "{} of {} {kind} cases differ: {wrong:#?}", wrong.len(), cases.len());
}

fn floats(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

#[test]
fn bilinear_is_opencv() {
    bit_exact("bilinear", |image, _, width, height| resize::bilinear(image, width, height));
}

#[test]
fn affine_is_opencv() {
    bit_exact("affine", |image, case, width, height| {
        warp::affine(image, floats(&case["map"]).try_into().unwrap(), width, height)
    });
}

#[test]
fn perspective_is_opencv() {
    bit_exact("perspective", |image, case, width, height| {
        let corners: Vec<[f32; 2]> = case["corners"]
            .as_array()
            .unwrap()
            .iter()
            .map(|corner| floats(corner).iter().map(|&v| v as f32).collect::<Vec<_>>().try_into().unwrap())
            .collect();
        warp::perspective(image, corners.try_into().unwrap(), width, height)
    });
}

#[test]
fn bicubic_and_lanczos_are_pillow() {
    for case in golden("pillow") {
        let (width, height) = (number(&case, "width"), number(&case, "height"));
        let result = match case["filter"].as_str().unwrap() {
            "bicubic" => resize::bicubic(&source(&case), width, height),
            "lanczos" => resize::lanczos(&source(&case), width, height),
            other => panic!("unknown filter {other}"),
        };
        let expected = read(case["file"].as_str().unwrap());
        assert_eq!(result.data().len(), expected.len());
        let differing = result.data().iter().zip(&expected).filter(|(a, b)| a != b).count();
        assert_eq!(differing, 0, "samples of {case}");
    }
}

#[test]
fn degenerate_corners_give_a_picture() {
    let image = noise(40, 30, 1);
    let nan = f32::NAN;
    for corners in [
        [[5.0, 5.0]; 4],
        [[0.0, 0.0], [10.0, 10.0], [20.0, 20.0], [30.0, 30.0]],
        [[nan, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, nan]],
        [[-1e30, 0.0], [1e30, 0.0], [1e30, 1e30], [0.0, 1e30]],
        [[f32::INFINITY, 0.0], [10.0, 0.0], [10.0, 10.0], [0.0, 10.0]],
        [[0.0, 0.0], [10.0, 10.0], [10.0, 0.0], [0.0, 10.0]],
    ] {
        let crop = warp::perspective(&image, corners, 12, 7);
        assert_eq!((crop.width(), crop.height()), (12, 7));
    }
    for map in [[0.0; 6], [f64::NAN; 6], [1e-300, 0.0, 1e300, 0.0, 1e-300, -1e300]] {
        assert_eq!(warp::affine(&image, map, 9, 5).data().len(), 9 * 5 * 3);
    }
}
