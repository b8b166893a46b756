//! Whatever a file holds, reading it ends with tensors or with one error that names the culprit: no panic, no endless
//! work, no memory beyond what the file justifies.
use crate::support::{archive, floats, one_tensor, open, safetensors, torch};
use proptest::prelude::*;
use viewfinder_convert::checkpoint::CheckpointError;
use viewfinder_test_support::{largest_allocation, pickle::Pickle};
use zip::CompressionMethod::{Deflated, Stored};

/// The error of opening a file and reading all its tensors.
fn refusal(bytes: impl AsRef<[u8]>) -> CheckpointError {
    let read_all = |file: viewfinder_convert::checkpoint::Checkpoint| {
        file.names().try_for_each(|name| file.read(name).map(drop))
    };
    let error = open(bytes.as_ref()).and_then(read_all).unwrap_err();
    let text = error.to_string();
    assert!(!text.contains('\n') && text.len() < 600, "{text}");
    error
}

macro_rules! assert_refused {
    ($bytes:expr, $variant:pat, $text:expr) => {
        let error = refusal(&$bytes);
        assert!(matches!(error, $variant) && error.to_string().contains($text), "{error:?}: {error}");
    };
}

fn pickled(pickle: &[u8]) -> Vec<u8> {
    torch(pickle, &[], Stored)
}

const SIX: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];

#[test]
fn nothing_is_called() {
    let system = |pickle: Pickle| pickle.raw(b"(").text("id").raw(b"tR").finish();
    for (bytes, global) in [
        (system(Pickle::new().global("posix", "system")), "posix.system"),
        (system(Pickle::new().global("builtins", "eval")), "builtins.eval"),
        (system(Pickle::new().global("torch", "load")), "torch.load"),
        (system(Pickle::new().global("torch", "FloatStorage")), "torch.FloatStorage"),
        (b"cos\nsystem\n(S'id'\ntR.".to_vec(), "os.system"),
        (b"(S'id'\nios\nsystem\n.".to_vec(), "os.system"),
        (b"(cos\nsystem\nX\x02\0\0\0ido.".to_vec(), "os.system"),
        (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x93\x94\x8c\x02id\x85R.".to_vec(), "os.system"),
        (Pickle::new().global("subprocess", "Popen").raw(b")\x81").finish(), "subprocess.Popen"),
        (Pickle::new().global("subprocess", "Popen").raw(b")}\x92").finish(), "subprocess.Popen"),
        // Also where no tensor would need the result.
        (system(Pickle::new().raw(b"}").text("optimizer").global("posix", "system")), "posix.system"),
    ] {
        assert_refused!(pickled(&bytes), CheckpointError::Forbidden { .. }, global);
    }
    let long = Pickle::new().text(&"x".repeat(9000)).text("y\n").raw(b"\x93)R").finish();
    assert_refused!(pickled(&long), CheckpointError::Forbidden { .. }, "xxx");
}

#[test]
fn pickles_stay_within_bounds() {
    let many = |part: &[u8], times: usize, end: &[u8]| [part.repeat(times).as_slice(), end].concat();
    for (bytes, text) in [
        (many(b"(", 1 << 17, b"."), "values on its stack"),
        (many(b"N", 1 << 17, b"."), "values on its stack"),
        (many(b"N0", 1 << 20, b"."), "instructions"),
        (many(b"]q\x000", 1 << 19, b"."), "instructions"),
    ] {
        assert_refused!(pickled(&bytes), CheckpointError::TooLarge { .. }, text);
        assert_refused!(pickled(&bytes), CheckpointError::TooLarge { .. }, "m/data.pkl");
    }
    for bytes in [
        b"X\xff\xff\xff\xffab.".as_slice(),
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\xffab.",
        b"B\xff\xff\xff\x7f.",
        b"\x8a\xff.",
        b"cposix",
        b"c",
        b"",
        b"h\x00.",
        b"j\xff\xff\xff\xff.",
        b"R.",
        b"}}R.",
        b"NNR.",
        b"Q.",
        b")Q.",
        b"(u.",
        b"}(Nu.",
        b"\x80\x06.",
        b"\x84.",
    ] {
        assert_refused!(pickled(bytes), CheckpointError::Malformed { .. }, "m/data.pkl");
    }
    let nested = [b"]".repeat(60_000), b"a".repeat(59_999), b".".to_vec()].concat();
    let looped = Pickle::new().raw(b"}q\x00").text("state_dict").raw(b"h\x00s").finish();
    let listed = Pickle::new().raw(b"]q\x00h\x00a").finish();
    for bytes in [nested, looped, listed, b"N.".to_vec()] {
        assert_refused!(pickled(&bytes), CheckpointError::Unsupported { .. }, "no state dictionary");
    }
    let endless = vec![b'x'; 1 << 20];
    let bytes = [b"c".as_slice(), &endless].concat();
    assert_refused!(pickled(&bytes), CheckpointError::Malformed { .. }, "line does not end");
}

#[test]
fn tensors_stay_within_their_storage() {
    let bytes = floats(&SIX);
    let file = |offset, shape: &[usize], strides: &[usize]| {
        torch(&one_tensor(6, offset, shape, strides), &[&bytes], Stored)
    };
    for (offset, shape, strides) in [
        (1, vec![2, 3], vec![3, 1]),
        (0, vec![2, 3], vec![4, 1]),
        (0, vec![7], vec![1]),
        (6, vec![1], vec![1]),
        (usize::MAX >> 1, vec![1], vec![1]),
        (0, vec![1 << 40, 1 << 40], vec![1 << 40, 1]),
        (0, vec![2], vec![usize::MAX >> 1]),
    ] {
        assert_refused!(
            file(offset, &shape, &strides),
            CheckpointError::OutOfStorage { .. },
            "tensor \"w\" reaches"
        );
    }
    assert_refused!(file(0, &[1 << 40], &[0]), CheckpointError::Unsupported { .. }, "\"w\"");
    assert_refused!(file(0, &[2, 3], &[3]), CheckpointError::Malformed { .. }, "wrong arguments");
    assert_refused!(file(0, &[1; 9], &[1; 9]), CheckpointError::Malformed { .. }, "wrong arguments");
    assert_refused!(file(0, &[usize::MAX], &[1]), CheckpointError::Malformed { .. }, "wrong arguments");

    for (elements, found) in [(5, 24), (7, 24), (usize::MAX >> 1, 24)] {
        let file = torch(&one_tensor(elements, 0, &[1], &[1]), &[&bytes], Stored);
        assert_refused!(file, CheckpointError::StorageSize { .. }, "\"m/data/0\" should hold");
        assert_refused!(file, CheckpointError::StorageSize { .. }, &format!("holds {found}"));
    }
    let missing = torch(&one_tensor(6, 0, &[6], &[1]), &[], Stored);
    assert_refused!(
        missing,
        CheckpointError::Malformed { .. },
        "\"w\" is damaged: the archive lacks its storage"
    );
    let climbing = Pickle::new().raw(b"}").text("w");
    let climbing = climbing.tensor("FloatStorage", "../../etc/passwd", 1, 0, &[1], &[1]).raw(b"s").finish();
    assert_refused!(pickled(&climbing), CheckpointError::Malformed { .. }, "lacks its storage");
    let unknown = Pickle::new().raw(b"}").text("w");
    let unknown = unknown.tensor("QInt8Storage", "0", 1, 0, &[1], &[1]).raw(b"s").finish();
    assert_refused!(pickled(&unknown), CheckpointError::Unsupported { .. }, "torch.QInt8Storage");
}

#[test]
fn values_must_be_finite() {
    for (bad, text) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let bytes = floats(&[1.0, 2.0, bad]);
        let message = format!("tensor \"w\" is not finite: element 2 is {text}");
        let file = torch(&one_tensor(3, 0, &[3], &[1]), &[&bytes], Deflated);
        assert_refused!(file, CheckpointError::NotFinite { .. }, &message);
        let header = r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,12]}}"#;
        assert_refused!(safetensors(header, &bytes), CheckpointError::NotFinite { .. }, &message);
    }
}

#[test]
fn names_are_used_once() {
    let bytes = floats(&SIX);
    let entry = |pickle: Pickle, name: &str| pickle.text(name).tensor("FloatStorage", "0", 6, 0, &[6], &[1]);
    for names in [["w", "w"], ["module.w", "w"]] {
        let pickle = names.into_iter().fold(Pickle::new().raw(b"}("), entry).raw(b"u").finish();
        let file = torch(&pickle, &[&bytes], Stored);
        assert_refused!(file, CheckpointError::Duplicate { .. }, "\"w\" is there twice");
    }
    let long = entry(Pickle::new().raw(b"}"), &"w".repeat(600)).raw(b"s").finish();
    assert_refused!(torch(&long, &[&bytes], Stored), CheckpointError::TooLarge { .. }, "wwww");

    let mut twice = torch(&one_tensor(6, 0, &[6], &[1]), &[&bytes, &bytes], Stored);
    replace(&mut twice, b"m/data/1", b"m/data/0");
    assert_refused!(twice, CheckpointError::Duplicate { .. }, "\"m/data/0\" is there twice");

    let pickle = one_tensor(6, 0, &[6], &[1]);
    let two = archive(&[("a/data.pkl", &pickle, Stored), ("b/data.pkl", &pickle, Stored)]);
    assert_refused!(two, CheckpointError::Malformed { .. }, "second checkpoint");
}

#[test]
fn members_expand_to_what_they_should() {
    let zeros = vec![0; 1 << 20];
    let pickle = one_tensor(6, 0, &[6], &[1]);
    let honest = torch(&pickle, &[&zeros], Deflated);
    assert_refused!(honest, CheckpointError::StorageSize { .. }, "\"m/data/0\" should hold 24 bytes");
    let mut lying = honest.clone();
    set_size(&mut lying, "m/data/0", 24);
    assert_refused!(lying, CheckpointError::TooLarge { .. }, "\"m/data/0\" goes over the limit of 24 bytes");
    let mut hollow = torch(&one_tensor(1 << 17, 0, &[1 << 17], &[1]), &[&zeros[..1 << 18]], Deflated);
    set_size(&mut hollow, "m/data/0", 1 << 19);
    // Either more than its bytes can hold, or more than they do hold.
    let error = refusal(&hollow).to_string();
    assert!(error.contains("m/data/0"), "{error}");
    let mut huge = honest;
    set_size(&mut huge, "m/data/0", u32::MAX - 1);
    assert_refused!(huge, CheckpointError::Malformed { .. }, "\"m/data/0\" is damaged: it cannot expand");

    let bomb = vec![b'N'; (64 << 20) + 1];
    let file = archive(&[("m/data.pkl", &bomb, Deflated)]);
    assert_refused!(
        file,
        CheckpointError::TooLarge { .. },
        "\"m/data.pkl\" goes over the limit of 67108864 bytes"
    );

    let noise: Vec<u8> = (0..4000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut broken = torch(&one_tensor(1000, 0, &[1000], &[1]), &[&noise], Deflated);
    let at = find(&broken, b"m/data/0") + 8;
    broken[at..at + 40].fill(0xff);
    assert_refused!(
        broken,
        CheckpointError::Malformed { .. },
        "\"m/data/0\" is damaged: its compressed data"
    );
}

#[test]
fn other_files_are_told_apart() {
    for bytes in [b"".as_slice(), b"P", b"PK", b"\0\0\0\0\0\0\0\0", b"GIF89a and so on and on", &[0xff; 64]] {
        assert_refused!(bytes, CheckpointError::NotACheckpoint { .. }, "neither a PyTorch checkpoint");
    }
    let zip = archive(&[("readme.txt", b"hello", Stored)]);
    assert_refused!(zip, CheckpointError::NotACheckpoint { .. }, "neither a PyTorch checkpoint");
    let legacy = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";
    assert_refused!(legacy, CheckpointError::Legacy { .. }, "save it again");
    let pickle = one_tensor(6, 0, &[6], &[1]);
    let program = archive(&[("m/data.pkl", &pickle, Stored), ("m/constants.pkl", b"", Stored)]);
    assert_refused!(program, CheckpointError::Unsupported { .. }, "TorchScript");
    let big = archive(&[("m/data.pkl", &pickle, Stored), ("m/byteorder", b"big", Stored)]);
    assert_refused!(big, CheckpointError::Unsupported { .. }, "\"m/byteorder\"");
    let error = viewfinder_convert::checkpoint::Checkpoint::open(&std::env::temp_dir()).unwrap_err();
    assert!(matches!(error, CheckpointError::NotACheckpoint { .. }), "{error}");
    let error = viewfinder_convert::checkpoint::Checkpoint::open("/no/such.pt".as_ref()).unwrap_err();
    assert!(
        matches!(error, CheckpointError::Io { .. }) && error.to_string().contains("/no/such.pt"),
        "{error}"
    );
}

#[test]
fn safetensors_headers_are_checked() {
    let data = floats(&SIX);
    for (header, text) in [
        (
            r#"{"a":{"dtype":"F32","shape":[6],"data_offsets":[0,24]},"b":{"dtype":"F32","shape":[1],"data_offsets":[20,24]}}"#,
            "`b`",
        ),
        (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[16,24]}}"#, "`a`"),
        (r#"{"a":{"dtype":"F32","shape":[7],"data_offsets":[0,24]}}"#, "invalid shape"),
        (r#"{"a":{"dtype":"F32","shape":[6],"data_offsets":[24,0]}}"#, "`a`"),
        (r#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,24]}}"#, "overflow"),
        (r#"{"a":{"dtype":"X9","shape":[6],"data_offsets":[0,24]}}"#, "X9"),
        (r#"{"a":1}"#, "header"),
        (r#"{"a":"#, "header"),
        (r#"{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}}"#, "4 bytes follow"),
    ] {
        assert_refused!(safetensors(header, &data), CheckpointError::Malformed { .. }, text);
    }
    let nested = format!("{{\"a\":{}", "[".repeat(100_000));
    assert_refused!(safetensors(&nested, &data), CheckpointError::Malformed { .. }, "recursion");
    let short = r#"{"a":{"dtype":"F32","shape":[7],"data_offsets":[0,28]}}"#;
    let text = "data\" is cut short: 28 bytes expected, 24 found";
    assert_refused!(safetensors(short, &data), CheckpointError::Truncated { .. }, text);
    let exotic = r#"{"a":{"dtype":"F8_E4M3","shape":[24],"data_offsets":[0,24]}}"#;
    assert_refused!(safetensors(exotic, &data), CheckpointError::Unsupported { .. }, "\"a\"");
    let whole = r#"{"a":{"dtype":"I32","shape":[6],"data_offsets":[0,24]}}"#;
    assert_refused!(safetensors(whole, &data), CheckpointError::Unsupported { .. }, "\"a\"");

    let mut far = safetensors(whole, &data);
    far[..8].copy_from_slice(&(1u64 << 20).to_le_bytes());
    assert_refused!(far, CheckpointError::Truncated { .. }, "the safetensors header");
    far[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert_refused!(far, CheckpointError::TooLarge { .. }, "the safetensors header");
}

fn find(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

fn replace(bytes: &mut [u8], from: &[u8], to: &[u8]) {
    while let Some(at) = bytes.windows(from.len()).position(|window| window == from) {
        bytes[at..at + to.len()].copy_from_slice(to);
    }
}

/// Changes the size that the zip's directory declares for a member.
fn set_size(zip: &mut [u8], name: &str, size: u32) {
    let at = (0..zip.len() - 46)
        .find(|&at| zip[at..].starts_with(b"PK\x01\x02") && zip[at + 46..].starts_with(name.as_bytes()))
        .unwrap();
    zip[at + 24..at + 28].copy_from_slice(&size.to_le_bytes());
}

/// A few tensors of every kind, in both formats, stored and compressed.
fn samples() -> Vec<Vec<u8>> {
    let values: Vec<f32> = (0..40).map(|at| at as f32).collect();
    let pickle = Pickle::new()
        .raw(b"}(")
        .text("epoch")
        .int(3)
        .text("state_dict")
        .ordered_dict()
        .raw(b"q\x01(")
        .text("module.a")
        .tensor("FloatStorage", "0", 40, 0, &[5, 8], &[8, 1])
        .text("module.b")
        .tensor("FloatStorage", "0", 40, 3, &[8, 4], &[1, 8])
        .text("module.c")
        .tensor("LongStorage", "1", 1, 0, &[], &[])
        .text("module.d")
        .tensor("HalfStorage", "2", 8, 0, &[2, 4], &[4, 1])
        .raw(b"u}bN\x89u")
        .finish();
    let storages = [floats(&values), vec![0; 8], vec![0x3c; 16]];
    let storages: Vec<&[u8]> = storages.iter().map(Vec::as_slice).collect();
    let header = r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[5,6],"data_offsets":[0,120]},"b":{"dtype":"F16","shape":[20],"data_offsets":[120,160]}}"#;
    vec![
        torch(&pickle, &storages, Stored),
        torch(&pickle, &storages, Deflated),
        safetensors(header, &floats(&values)),
    ]
}

/// Reads everything; only how it ends does not matter.
fn survives(bytes: &[u8]) {
    if let Ok(file) = open(bytes) {
        for tensor in file.tensors() {
            if let Ok(values) = file.read(tensor.name) {
                assert_eq!(values.len(), tensor.shape.iter().product::<usize>());
            }
        }
    }
    assert!(largest_allocation() < 160 << 20);
}

#[test]
fn samples_are_sound() {
    let [stored, deflated, safetensors] = samples().try_into().unwrap();
    for bytes in [&stored, &deflated] {
        let file = open(bytes).unwrap();
        assert_eq!(file.names().collect::<Vec<_>>(), ["a", "b", "c", "d"]);
        assert_eq!(file.read("b").unwrap()[..5], [3.0, 11.0, 19.0, 27.0, 4.0]);
    }
    assert_eq!(open(&safetensors).unwrap().read("a").unwrap()[29], 29.0);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_files(
        sample in 0..3usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = samples().swap_remove(sample);
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        survives(&bytes);
    }

    #[test]
    fn random_bytes(start in 0..4usize, bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let start = [b"".as_slice(), b"PK\x03\x04", b"\x80\x02\x8a\x0a", b"\x20\0\0\0\0\0\0\0{\""][start];
        survives(&[start, &bytes].concat());
        survives(&pickled(&bytes));
    }

    #[test]
    fn random_instructions(steps in prop::collection::vec(0..INSTRUCTIONS.len(), 0..80)) {
        let steps = steps.into_iter().map(|step| INSTRUCTIONS[step]);
        let pickle = Pickle::new().raw(&steps.collect::<Vec<_>>().concat()).finish();
        survives(&torch(&pickle, &[&floats(&SIX)], Stored));
    }
}

/// Whole instructions, so that random pickles get far.
const INSTRUCTIONS: [&[u8]; 27] = [
    b"(",
    b"0",
    b"1",
    b"2",
    b"N",
    b"K\x01",
    b"K\x06",
    b"M\x00\x01",
    b"\x8a\x01\xff",
    b"\x8c\x07storage",
    b"\x8c\x010",
    b"\x8c\x03cpu",
    b")",
    b"t",
    b"\x85",
    b"\x86",
    b"]",
    b"}",
    b"s",
    b"u",
    b"a",
    b"q\x00",
    b"h\x00",
    b"Q",
    b"R",
    b"ctorch\nFloatStorage\n",
    b"ctorch._utils\n_rebuild_tensor_v2\n",
];
