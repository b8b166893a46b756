//! Half precision and int8: every pattern that exporters write, and the models of the fixtures.
use std::{fs, path::Path};

use proptest::prelude::*;
use viewfinder_convert::{
    onnx::{
        Attr, ModelFile, node,
        proto::{Attribute, AttributeKind, ElementType, Graph, Pair, Tensor, ValueInfo},
    },
    precision::{PRECISION_KEY, Precision, PrecisionError, Report, fp16, int8},
};
use viewfinder_test_support::fixtures;
use viewfinder_vision::Tensor as Input;

use crate::net::{Net, cosine, half, integers, noise, path, run, tensor};

/// Both conversions of a model, run beside it.
struct Both {
    original: Vec<Vec<f32>>,
    fp16: (Vec<Vec<f32>>, Report),
    int8: (Vec<Vec<f32>>, Report),
    folder: tempfile::TempDir,
}

impl Both {
    fn of(file: &Path, inputs: &[Input]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (half, eight) = (path(folder.path(), "fp16"), path(folder.path(), "int8"));
        let model = ModelFile::open(file).unwrap();
        let reports = (fp16(&model, &half).unwrap(), int8(&model, &eight).unwrap());
        for (file, precision) in [(&half, Precision::Fp16), (&eight, Precision::Int8)] {
            let written = ModelFile::open(file).unwrap();
            assert_eq!(written.metadata(PRECISION_KEY), Some(precision.as_str()));
        }
        Self {
            original: run(file, inputs),
            fp16: (run(&half, inputs), reports.0),
            int8: (run(&eight, inputs), reports.1),
            folder,
        }
    }

    /// Checks the first output, and how many products became integers and how many did not.
    fn expect(self, converted: usize, kept: usize) -> Self {
        let (half, eight) =
            (cosine(&self.original[0], &self.fp16.0[0]), cosine(&self.original[0], &self.int8.0[0]));
        assert!(half >= 0.9999, "fp16: {half}");
        assert!(eight >= 0.999, "int8: {eight}");
        assert_eq!((self.int8.1.converted, self.int8.1.kept), (converted, kept));
        self
    }

    fn int8_graph(&self) -> Graph {
        ModelFile::open(&self.folder.path().join("int8/model.onnx")).unwrap().graph().clone()
    }
}

fn both(net: Net, opset: i64, inputs: &[Input]) -> Both {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "fp32");
    net.save(&file, opset);
    Both::of(&file, inputs)
}

const K: usize = 64;
const N: usize = 48;

fn weights() -> Vec<f32> {
    noise(3, K * N)
}

/// The weights with their axes exchanged.
fn turned() -> Vec<f32> {
    let weights = weights();
    (0..N * K).map(|at| weights[at % K * N + at / K]).collect()
}

fn rows() -> Input {
    Input::f32([1, 5, K], noise(4, 5 * K))
}

fn flat_rows() -> Input {
    Input::f32([5, K], noise(4, 5 * K))
}

fn product() -> Net {
    Net::new().weight("w", &[64, 48], &weights()).op("MatMul", &["x", "w"], "y").output("y")
}

#[test]
fn models_of_the_fixtures_keep_their_answers() {
    let ids: Vec<i64> = (0..52).map(|i| if i < 20 { 100 + i * 37 } else { 0 }).collect();
    let short: Vec<i32> = (0..77).map(|i| 7 + i * 13).collect();
    let clip = "immich-cache/clip/ViT-B-32__openai";
    let models = [
        ("models/tiny.img.onnx".to_owned(), Input::f32([1, 3, 64, 64], noise(1, 3 * 64 * 64)), 9),
        ("models/tiny.txt.onnx".to_owned(), Input::i64([1, 52], ids), 13),
        (format!("{clip}/visual/model.onnx"), Input::f32([1, 3, 224, 224], noise(2, 3 * 224 * 224)), 1),
        // Eight channels are too few.
        (format!("{clip}/textual/model.onnx"), Input::i32([1, 77], short), 0),
    ];
    for (file, input, products) in models {
        let both = Both::of(&fixtures().join(&file), &[input]);
        let (half, eight) =
            (cosine(&both.original[0], &both.fp16.0[0]), cosine(&both.original[0], &both.int8.0[0]));
        assert!(half >= 0.9999, "{file}: {half}");
        assert!(eight >= 0.995, "{file}: {eight}");
        assert_eq!(both.int8.1.converted, products, "{file}");
        let bytes = both.fp16.1;
        assert!(bytes.bytes_after * 2 <= bytes.bytes_before + bytes.bytes_before / 10, "{file}: {bytes:?}");
    }
}

#[test]
fn a_product_becomes_integers_in_every_operator_set() {
    for opset in [11, 13, 17, 18, 20] {
        let both = both(product(), opset, &[rows()]).expect(1, 0);
        assert!(both.int8.1.bytes_after * 3 < both.int8.1.bytes_before);
        assert_eq!(both.fp16.1.bytes_after * 2, both.fp16.1.bytes_before);
    }
}

#[test]
fn gemm_with_all_its_options() {
    let with = [("transB", Attr::Int(1)), ("alpha", Attr::Float(0.5)), ("beta", Attr::Float(3.0))];
    let net = Net::new()
        .weight("w", &[48, 64], &turned())
        .weight("b", &[48], &noise(5, N))
        .with("Gemm", &["x", "w", "b"], "y", &with)
        .output("y");
    both(net, 17, &[flat_rows()]).expect(1, 0);
    let plain = Net::new()
        .weight("w", &[64, 48], &weights())
        .weight("b", &[48], &noise(5, N))
        .op("Gemm", &["x", "w", "b"], "y")
        .output("y");
    both(plain, 13, &[flat_rows()]).expect(1, 0);
    let turned_input = Net::new()
        .weight("w", &[5, 48], &noise(6, 5 * N))
        .with("Gemm", &["x", "w"], "y", &[("transA", Attr::Int(1))])
        .output("y");
    both(turned_input, 17, &[flat_rows()]).expect(0, 1);
}

#[test]
fn a_row_that_is_added_becomes_part_of_the_product() {
    let net = || {
        Net::new()
            .weight("w", &[64, 48], &weights())
            .weight("b", &[48], &noise(5, N))
            .op("MatMul", &["x", "w"], "p")
            .op("Add", &["b", "p"], "y")
            .output("y")
    };
    // What a node of this kind in the integer model adds to a product, by the names of its inputs.
    let added = |both: &Both| -> Vec<Vec<String>> {
        let graph = both.int8_graph();
        graph.node.iter().filter(|node| node.op_type == "Add").map(|node| node.input.clone()).collect()
    };
    let alone = both(net(), 17, &[rows()]).expect(1, 0);
    assert_eq!(added(&alone), [["p/int8/most", "b"]]);
    // Somebody else wants the product without the row.
    let shown = both(net().output("p"), 17, &[rows()]).expect(1, 0);
    assert_eq!(added(&shown), [["b", "p"]]);
    assert!(cosine(&shown.original[1], &shown.int8.0[1]) > 0.999);
    let twice = both(net().op("Relu", &["p"], "z").output("z"), 17, &[rows()]).expect(1, 0);
    assert_eq!(added(&twice), [["b", "p"]]);
    // A matrix is no row.
    let matrix = Net::new()
        .weight("w", &[64, 48], &weights())
        .weight("b", &[5, 48], &noise(5, 5 * N))
        .op("MatMul", &["x", "w"], "p")
        .op("Add", &["p", "b"], "y")
        .output("y");
    assert_eq!(added(&both(matrix, 17, &[rows()]).expect(1, 0)), [["p", "b"]]);
}

#[test]
fn weights_behind_other_nodes() {
    let mut net = Net::new();
    net.graph.initializer.push(half("h", &[48, 64], &turned()));
    let net = net
        .with("Cast", &["h"], "f", &[("to", Attr::Int(1))])
        .with("Transpose", &["f"], "t", &[("perm", Attr::Ints(vec![1, 0]))])
        .op("Identity", &["t"], "w")
        .op("MatMul", &["x", "w"], "y")
        .output("y");
    let both = both(net, 17, &[rows()]).expect(1, 0);
    let graph = both.int8_graph();
    assert!(!graph.node.iter().any(|node| ["Transpose", "Identity"].contains(&node.op_type.as_str())));
    assert!(!graph.initializer.iter().any(|tensor| tensor.name == "h"));
}

#[test]
fn weights_in_constant_nodes() {
    let net = Net::new()
        .literal(tensor("w", &[64, 48], &weights()))
        .literal(tensor("b", &[48], &noise(5, N)))
        .op("MatMul", &["x", "w"], "p")
        .op("Add", &["p", "b"], "y")
        .output("y");
    let both = both(net, 17, &[rows()]).expect(1, 0);
    assert!(!both.int8_graph().node.iter().any(|node| node.op_type == "Constant"));
}

#[test]
fn a_network_in_half_precision_already() {
    let mut net = Net::new();
    net.graph.initializer.push(half("w", &[64, 48], &weights()));
    let net = net
        .with("Cast", &["x"], "h", &[("to", Attr::Int(10))])
        .op("MatMul", &["h", "w"], "p")
        .with("Cast", &["p"], "y", &[("to", Attr::Int(1))])
        .output("y");
    both(net, 17, &[rows()]).expect(1, 0);
}

#[test]
fn weights_and_activations_that_are_shared_are_quantised_once() {
    let net = Net::new()
        .weight("w", &[64, 64], &noise(3, K * K))
        .op("MatMul", &["x", "w"], "a")
        .op("MatMul", &["x", "w"], "b")
        .op("Add", &["a", "b"], "c")
        .op("MatMul", &["c", "w"], "y")
        .output("y");
    let both = both(net, 17, &[rows()]).expect(3, 0);
    let graph = both.int8_graph();
    assert_eq!(graph.node.iter().filter(|node| node.op_type == "DynamicQuantizeLinear").count(), 2);
    assert_eq!(graph.initializer.iter().filter(|tensor| tensor.data_type() == ElementType::I8).count(), 1);
}

#[test]
fn a_weight_that_others_use_stays_for_them() {
    // The table of words is also the last product, as tied embeddings are.
    let tied = Net::new()
        .input("ids", ElementType::I64)
        .weight("table", &[48, 64], &turned())
        .op("Transpose", &["table"], "w")
        .op("MatMul", &["x", "w"], "y")
        .op("Gather", &["table", "ids"], "words")
        .op("Identity", &["table"], "copy")
        .output("y")
        .output("words")
        .output("copy");
    let tied = both(tied, 17, &[rows(), Input::i64([2], vec![3, 40])]).expect(1, 0);
    assert_eq!(tied.original[1..], tied.int8.0[1..]);
    let shown = both(product().output("w"), 17, &[rows()]).expect(1, 0);
    assert_eq!(shown.original[1], shown.int8.0[1]);
    assert!(cosine(&shown.original[1], &shown.fp16.0[1]) > 0.999_999);
}

#[test]
fn what_does_not_fit_is_kept() {
    let stacked = Net::new().weight("w", &[1, 64, 48], &weights()).op("MatMul", &["x", "w"], "y").output("y");
    both(stacked, 17, &[rows()]).expect(0, 1);
    let narrow =
        Net::new().weight("w", &[8, 48], &noise(7, 8 * N)).op("MatMul", &["x", "w"], "y").output("y");
    both(narrow, 17, &[Input::f32([2, 8], noise(8, 16))]).expect(0, 1);
    let scores = Net::new()
        .with("Transpose", &["x"], "t", &[("perm", Attr::Ints(vec![0, 2, 1]))])
        .op("MatMul", &["x", "t"], "y")
        .output("y");
    both(scores, 17, &[rows()]).expect(0, 0);
}

#[test]
fn channels_without_weights_are_zero() {
    let mut values = weights();
    values.iter_mut().skip(7).step_by(N).for_each(|value| *value = 0.0);
    let net = Net::new().weight("w", &[64, 48], &values).op("MatMul", &["x", "w"], "y").output("y");
    let both = both(net, 17, &[rows()]).expect(1, 0);
    assert!(both.int8.0[0].iter().skip(7).step_by(N).all(|&value| value == 0.0));
}

#[test]
fn activations_with_outliers_keep_their_digits() {
    let mut values = noise(4, 5 * K);
    for row in values.chunks_exact_mut(K) {
        row[3] *= 60.0;
        row[40] -= 80.0;
    }
    let mut weights = weights();
    weights[3 * N..4 * N].iter_mut().for_each(|weight| *weight *= 0.02);
    weights[40 * N..41 * N].iter_mut().for_each(|weight| *weight *= 0.02);
    let net = Net::new().weight("w", &[64, 48], &weights).op("MatMul", &["x", "w"], "y").output("y");
    both(net.clone(), 17, &[Input::f32([1, 5, K], values)]).expect(1, 0);
    // One value alone, in one of many rows.
    let mut values = noise(4, 200 * K);
    values[77 * K + 40] = 80.0;
    both(net, 17, &[Input::f32([1, 200, K], values)]).expect(1, 0);
}

#[test]
fn a_weight_that_is_no_number_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "fp32");
    let mut values = weights();
    values[100] = f32::NAN;
    Net::new()
        .weight("layer.weight", &[64, 48], &values)
        .op("MatMul", &["x", "layer.weight"], "y")
        .output("y")
        .save(&file, 17);
    let out = path(folder.path(), "int8");
    let error = int8(&ModelFile::open(&file).unwrap(), &out).unwrap_err();
    assert_eq!(error.to_string(), "weight layer.weight: it holds values that are not finite");
    assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 0);
}

#[test]
fn an_old_operator_set_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "fp32");
    product().save(&file, 9);
    let error = int8(&ModelFile::open(&file).unwrap(), &path(folder.path(), "int8")).unwrap_err();
    assert!(matches!(error, PrecisionError::OldOperators { found: 9, needed: 11 }), "{error}");
}

/// A tensor whose values are in a file.
fn external(tensor: &Tensor, location: &str, offset: usize) -> Tensor {
    let pair = |key: &str, value: String| Pair { key: key.into(), value };
    let length = tensor.float_data.len() * 4;
    Tensor {
        float_data: Vec::new(),
        data_location: 1,
        external_data: vec![
            pair("location", location.into()),
            pair("offset", offset.to_string()),
            pair("length", length.to_string()),
        ],
        ..tensor.clone()
    }
}

fn little_endian(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn weights_in_several_files() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "fp32");
    let (first, second) = (weights(), noise(9, N * 32));
    let beside = |name: &str| file.with_file_name(name);
    fs::write(beside("first"), [vec![0; 64], little_endian(&first)].concat()).unwrap();
    fs::create_dir(beside("more")).unwrap();
    fs::write(beside("more/second"), little_endian(&second)).unwrap();
    let mut net = Net::new();
    net.graph.initializer.push(external(&tensor("a", &[64, 48], &first), "first", 64));
    net.graph.initializer.push(external(&tensor("b", &[48, 32], &second), "more/second", 0));
    net.op("MatMul", &["x", "a"], "p").op("MatMul", &["p", "b"], "y").output("y").save(&file, 17);
    let both = Both::of(&file, &[rows()]).expect(2, 0);
    for made in ["fp16", "int8"] {
        let mut files: Vec<_> = fs::read_dir(both.folder.path().join(made))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        assert_eq!(files, ["model.onnx", "model.onnx.data"]);
    }
}

#[test]
fn weights_outside_the_folder_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "fp32");
    fs::write(folder.path().join("secret"), little_endian(&weights())).unwrap();
    let mut net = Net::new();
    net.graph.initializer.push(external(&tensor("w", &[64, 48], &weights()), "../secret", 0));
    net.op("MatMul", &["x", "w"], "y").output("y").save(&file, 17);
    let model = ModelFile::open(&file).unwrap();
    for (name, pass) in [("fp16", fp16 as fn(&ModelFile, &Path) -> _), ("int8", int8)] {
        let out = path(folder.path(), name);
        let error: PrecisionError = pass(&model, &out).unwrap_err();
        assert!(error.to_string().contains("outside the model's folder"), "{error}");
        assert_eq!(fs::read_dir(out.parent().unwrap()).unwrap().count(), 0);
    }
}

/// A body whose only output is made by one node.
fn body(inputs: &[&str], operator: &str) -> Graph {
    Graph {
        name: "body".into(),
        node: vec![node(operator, "", inputs, "inner", &[])],
        output: vec![ValueInfo { name: "inner".into(), ..ValueInfo::default() }],
        ..Graph::default()
    }
}

#[test]
fn bodies_see_what_they_saw() {
    let mut choice = node("If", "", &["which"], "z", &[]);
    for (name, graph) in
        [("then_branch", body(&["y", "w"], "Add")), ("else_branch", body(&["y", "c"], "Mul"))]
    {
        let mut branch = Attribute { name: name.into(), g: Some(graph), ..Attribute::default() };
        branch.set_kind(AttributeKind::Graph);
        choice.attribute.push(branch);
    }
    let square = noise(3, K * K);
    for flag in [2.0, -2.0] {
        let net = Net::new()
            .weight("w", &[64, 64], &square)
            .weight("c", &[64], &noise(5, K))
            .weight("flag", &[], &[flag])
            .weight("zero", &[], &[0.0])
            .op("MatMul", &["x", "w"], "y")
            .op("Greater", &["flag", "zero"], "which")
            .node(choice.clone())
            .op("Relu", &["z"], "r")
            .output("r");
        both(net, 17, &[Input::f32([64, 64], noise(4, K * K))]).expect(1, 0);
    }
}

#[test]
fn a_normalisation_in_single_steps_does_not_overflow_in_half_precision() {
    let last = [("axes", Attr::Ints(vec![-1]))];
    let net = Net::new()
        .weight("two", &[], &[2.0])
        .weight("epsilon", &[], &[1e-12])
        .weight("gamma", &[64], &noise(5, K))
        .weight("w", &[64, 48], &weights())
        .with("ReduceMean", &["x"], "mean", &last)
        .op("Sub", &["x", "mean"], "centred")
        .op("Pow", &["centred", "two"], "squares")
        .with("ReduceMean", &["squares"], "variance", &last)
        .op("Add", &["variance", "epsilon"], "safe")
        .op("Sqrt", &["safe"], "deviation")
        .op("Div", &["centred", "deviation"], "normal")
        .op("Mul", &["normal", "gamma"], "scaled")
        .op("MatMul", &["scaled", "w"], "y")
        .output("y");
    for size in [1e-6, 1.0, 1e4] {
        let values = noise(4, 5 * K).iter().map(|value| value * size).collect();
        // What goes in is rounded itself, so the smallest numbers lose digits.
        if size < 1e-3 {
            let both = both(net.clone(), 13, &[Input::f32([1, 5, K], values)]);
            assert!(both.fp16.0[0].iter().all(|value| value.is_finite()));
        } else {
            both(net.clone(), 13, &[Input::f32([1, 5, K], values)]).expect(1, 0);
        }
    }
}

#[test]
fn masks_stay_masks_in_half_precision() {
    let mut mask = vec![0.0; 5 * K];
    mask[K - 10..K].fill(f32::MIN);
    mask[2 * K..3 * K].fill(f32::MIN);
    let net = Net::new()
        .weight("mask", &[1, 5, 64], &mask)
        .weight("limit", &[], &[f32::NEG_INFINITY])
        .op("Add", &["x", "mask"], "masked")
        .op("Max", &["masked", "limit"], "bounded")
        .with("Softmax", &["bounded"], "y", &[("axis", Attr::Int(-1))])
        .output("y");
    let both = both(net, 13, &[rows()]);
    let (original, half) = (&both.original[0], &both.fp16.0[0]);
    assert_eq!(both.fp16.1.clamped, 74);
    assert!(half[K - 10..K].iter().all(|&value| value == 0.0));
    assert!(cosine(&original[..2 * K], &half[..2 * K]) > 0.9999);
    // What remains of a row that is masked as a whole means nothing, but must be numbers.
    assert!(half.iter().all(|value| value.is_finite()));
}

#[test]
fn attention_of_old_exports_runs_on_processors_in_half_precision() {
    let batch = |perm: &[i64]| [("perm", Attr::Ints(perm.into()))];
    for before in [true, false] {
        let net = Net::new()
            .weight("factor", &[], &[0.125])
            .op("Mul", &["x", "factor"], "half")
            .with("Transpose", &["half"], "keys", &batch(&[1, 2, 0]))
            .with("Transpose", &["half"], "queries", &batch(&[1, 0, 2]));
        let net = if before {
            net.op("Mul", &["queries", "factor"], "scaled").op("MatMul", &["scaled", "keys"], "y")
        } else {
            net.op("MatMul", &["queries", "keys"], "scores").op("Mul", &["scores", "factor"], "y")
        };
        both(net.output("y"), 17, &[rows()]).expect(0, 0);
    }
}

#[test]
fn integers_that_pass_through_floats_stay_exact_in_half_precision() {
    let net = Net::default()
        .input("ids", ElementType::I64)
        .weight("table", &[4100, 2], &noise(5, 8200))
        .literal(tensor("one", &[], &[1.0]))
        .literal(integers("first", &[1], &[0]))
        .with("Cast", &["ids"], "floats", &[("to", Attr::Int(1))])
        .op("Floor", &["floats"], "whole")
        .with("Cast", &["whole"], "again", &[("to", Attr::Int(7))])
        .op("Gather", &["table", "again"], "y")
        .output("y");
    let both = both(net, 17, &[Input::i64([3], vec![2049, 4097, 3001])]);
    assert!(cosine(&both.original[0], &both.fp16.0[0]) > 0.999_99);
}

#[test]
fn properties_of_the_file_are_kept() {
    let folder = tempfile::tempdir().unwrap();
    let file = path(folder.path(), "fp32");
    product().save(&file, 17);
    let mut model = ModelFile::open(&file).unwrap();
    for (key, value) in [("tokens", "abc"), (PRECISION_KEY, "fp32")] {
        model.model.metadata_props.push(Pair { key: key.into(), value: value.into() });
    }
    let out = path(folder.path(), "int8");
    int8(&model, &out).unwrap();
    let written = ModelFile::open(&out).unwrap();
    assert_eq!(written.metadata("tokens"), Some("abc"));
    assert_eq!(written.metadata(PRECISION_KEY), Some("int8"));
    assert_eq!(written.model.metadata_props.len(), 2);
}

#[test]
fn precisions_have_names() {
    for &precision in Precision::ALL {
        assert_eq!(precision.to_string().parse(), Ok(precision));
    }
    assert_eq!(" INT8 ".parse(), Ok(Precision::Int8));
    assert!("int4".parse::<Precision>().is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// No result is further off than the steps of activations and weights allow.
    #[test]
    fn a_product_errs_by_no_more_than_its_steps(
        seed in 1_u64..1_000_000,
        m in 1_usize..6,
        k in 32_usize..90,
        n in 1_usize..40,
        spread in 0.01_f32..100.0,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let (file, out) = (path(folder.path(), "fp32"), path(folder.path(), "int8"));
        let weights = noise(seed, k * n);
        let x: Vec<f32> = noise(seed + 1, m * k).iter().map(|value| value * spread).collect();
        Net::new().weight("w", &[k as i64, n as i64], &weights).op("MatMul", &["x", "w"], "y").output("y").save(&file, 17);
        int8(&ModelFile::open(&file).unwrap(), &out).unwrap();
        let found = run(&out, &[Input::f32([m, k], x.clone())]);
        // What activations are multiplied with and weights divided by.
        let energies: Vec<f32> = weights.chunks_exact(n).map(|row| row.iter().map(|w| w * w).sum()).collect();
        let mean = energies.iter().sum::<f32>() / k as f32;
        let balance: Vec<f32> = energies.iter().map(|energy| (energy / mean).clamp(1e-6, 1e6).powf(0.25)).collect();
        let balanced = x.iter().zip(balance.iter().cycle()).map(|(value, balance)| value * balance);
        let (low, high) = balanced.fold((0.0_f32, 0.0_f32), |(low, high), value| (low.min(value), high.max(value)));
        // One step: half for the value, half for the place of zero.
        let step = (high - low) / 255.0;
        for row in 0..m {
            for column in 0..n {
                let column_of = |input: usize| weights[input * n + column] / balance[input];
                // Two neighbours of one sign share 127 steps.
                let worth = (0..k).step_by(2).fold(0.0_f32, |worst, first| {
                    let (a, b) = (column_of(first), if first + 1 < k { column_of(first + 1) } else { 0.0 });
                    worst.max(a.max(0.0) + b.max(0.0)).max(-(a.min(0.0) + b.min(0.0)))
                }) / 127.0;
                let (mut exact, mut bound) = (0.0_f64, 1e-4_f64);
                for input in 0..k {
                    let (value, weight) = (x[row * k + input] * balance[input], column_of(input));
                    exact += f64::from(value) * f64::from(weight);
                    bound += f64::from(step * (weight.abs() + worth / 2.0) + value.abs() * worth / 2.0) * 1.0001;
                }
                let error = (f64::from(found[0][row * n + column]) - exact).abs();
                prop_assert!(error <= bound, "{error} > {bound}");
            }
        }
    }
}
