//! Chinese-CLIP checkpoints of every size, with made-up weights, in the formats that they are published in.
//!
//! A weight depends only on its tensor's name in the `cn_clip` package and its index, so `tests/fixtures/models/tiny.pt`,
//! which `PyTorch` wrote, holds the same. Files are written number by number: large ones need disk, not memory.
use crate::pickle::Pickle;
use half::f16;
use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// What `cn_clip`'s configuration files say of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Architecture {
    /// `cn_clip`'s name of it.
    pub name: &'static str,
    /// Width of the answer.
    pub embed: usize,
    /// Side of the picture.
    pub resolution: usize,
    /// The picture's network.
    pub vision: Vision,
    /// The text's network.
    pub text: Text,
}

/// A network for pictures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Vision {
    /// Attention over patches.
    Transformer {
        /// Blocks.
        layers: usize,
        /// Width of a block.
        width: usize,
        /// Side of a patch.
        patch: usize,
    },
    /// Convolutions, then attention.
    ResNet {
        /// Blocks of each stage.
        stages: [usize; 4],
        /// Channels of the first stage.
        width: usize,
    },
}

/// A BERT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// Blocks.
    pub layers: usize,
    /// Width of a block.
    pub hidden: usize,
    /// Width within a block's second half.
    pub intermediate: usize,
}

const VOCABULARY: usize = 21128;
const POSITIONS: usize = 512;

const BERT_BASE: Text = Text { layers: 12, hidden: 768, intermediate: 3072 };

/// A model for tests: two layers each.
pub const TINY: Architecture = Architecture {
    name: "tiny",
    embed: 32,
    resolution: 64,
    vision: Vision::Transformer { layers: 2, width: 128, patch: 16 },
    text: Text { layers: 2, hidden: 64, intermediate: 128 },
};

/// The published `RN50`.
pub const RN50: Architecture = Architecture {
    name: "RN50",
    embed: 1024,
    resolution: 224,
    vision: Vision::ResNet { stages: [3, 4, 6, 3], width: 64 },
    text: Text { layers: 3, ..BERT_BASE },
};

/// The published `ViT-B-16`.
pub const VIT_B_16: Architecture = Architecture {
    name: "ViT-B-16",
    embed: 512,
    resolution: 224,
    vision: Vision::Transformer { layers: 12, width: 768, patch: 16 },
    text: BERT_BASE,
};

/// The published `ViT-L-14`.
pub const VIT_L_14: Architecture = Architecture {
    name: "ViT-L-14",
    embed: 768,
    resolution: 224,
    vision: Vision::Transformer { layers: 24, width: 1024, patch: 14 },
    text: BERT_BASE,
};

/// The published `ViT-L-14-336`.
pub const VIT_L_14_336: Architecture = Architecture { name: "ViT-L-14-336", resolution: 336, ..VIT_L_14 };

/// The published `ViT-H-14`.
pub const VIT_H_14: Architecture = Architecture {
    name: "ViT-H-14",
    embed: 1024,
    resolution: 224,
    vision: Vision::Transformer { layers: 32, width: 1280, patch: 14 },
    text: Text { layers: 24, hidden: 1024, intermediate: 4096 },
};

/// A tensor of `cn_clip`'s state dictionary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// Its sizes.
    pub shape: Vec<usize>,
}

impl Tensor {
    /// Elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Has it no elements?
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Is it a counter (`i64`) and no weight?
    pub fn is_counter(&self) -> bool {
        self.name.ends_with("num_batches_tracked")
    }

    /// One made-up weight, by its row-major index.
    pub fn weight(&self, index: usize) -> f32 {
        if self.name == "logit_scale" {
            return (1.0 / 0.07f64).ln() as f32;
        }
        let hash = self.name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        self.scaled(hash, index)
    }

    /// All made-up weights.
    pub fn weights(&self) -> Vec<f32> {
        (0..self.len()).map(|index| self.weight(index)).collect()
    }

    fn scaled(&self, hash: u64, index: usize) -> f32 {
        let mut x = hash.wrapping_add((index as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        let u = (x >> 40) as f32 / (1 << 23) as f32 - 1.0;
        let line = self.shape.len() == 1;
        if (line && self.name.ends_with("weight")) || self.name.ends_with("running_var") {
            1.0 + 0.1 * u
        } else if line {
            0.02 * u
        } else {
            0.04 * u
        }
    }
}

impl Architecture {
    /// All tensors of `cn_clip`'s state dictionary, in its order.
    pub fn tensors(&self) -> Vec<Tensor> {
        let mut list = List(Vec::new());
        list.add("text_projection", &[self.text.hidden, self.embed]);
        list.add("logit_scale", &[]);
        match self.vision {
            Vision::Transformer { layers, width, patch } => {
                self.transformer(&mut list, layers, width, patch);
            }
            Vision::ResNet { stages, width } => self.res_net(&mut list, stages, width),
        }
        self.bert(&mut list);
        list.0
    }

    fn transformer(&self, list: &mut List, layers: usize, width: usize, patch: usize) {
        list.add("visual.class_embedding", &[width]);
        list.add("visual.positional_embedding", &[(self.resolution / patch).pow(2) + 1, width]);
        list.add("visual.proj", &[width, self.embed]);
        list.add("visual.conv1.weight", &[width, 3, patch, patch]);
        list.pair("visual.ln_pre", &[width]);
        for layer in 0..layers {
            let block = format!("visual.transformer.resblocks.{layer}");
            list.add(&format!("{block}.attn.in_proj_weight"), &[3 * width, width]);
            list.add(&format!("{block}.attn.in_proj_bias"), &[3 * width]);
            list.pair(&format!("{block}.attn.out_proj"), &[width, width]);
            list.pair(&format!("{block}.ln_1"), &[width]);
            list.pair(&format!("{block}.mlp.c_fc"), &[4 * width, width]);
            list.pair(&format!("{block}.mlp.c_proj"), &[width, 4 * width]);
            list.pair(&format!("{block}.ln_2"), &[width]);
        }
        list.pair("visual.ln_post", &[width]);
    }

    fn res_net(&self, list: &mut List, stages: [usize; 4], width: usize) {
        for (at, (input, output)) in
            [(3, width / 2), (width / 2, width / 2), (width / 2, width)].iter().enumerate()
        {
            list.add(&format!("visual.conv{}.weight", at + 1), &[*output, *input, 3, 3]);
            list.batch_norm(&format!("visual.bn{}", at + 1), *output);
        }
        let mut input = width;
        for (stage, blocks) in stages.into_iter().enumerate() {
            let planes = width << stage;
            for at in 0..blocks {
                let block = format!("visual.layer{}.{at}", stage + 1);
                for (conv, shape) in
                    [[planes, input, 1, 1], [planes, planes, 3, 3], [4 * planes, planes, 1, 1]]
                        .iter()
                        .enumerate()
                {
                    list.add(&format!("{block}.conv{}.weight", conv + 1), shape);
                    list.batch_norm(&format!("{block}.bn{}", conv + 1), shape[0]);
                }
                if at == 0 {
                    list.add(&format!("{block}.downsample.0.weight"), &[4 * planes, input, 1, 1]);
                    list.batch_norm(&format!("{block}.downsample.1"), 4 * planes);
                }
                input = 4 * planes;
            }
        }
        list.add("visual.attnpool.positional_embedding", &[(self.resolution / 32).pow(2) + 1, input]);
        for part in ["k", "q", "v"] {
            list.pair(&format!("visual.attnpool.{part}_proj"), &[input, input]);
        }
        list.pair("visual.attnpool.c_proj", &[self.embed, input]);
    }

    fn bert(&self, list: &mut List) {
        let Text { layers, hidden, intermediate } = self.text;
        for (name, rows) in [
            ("word_embeddings", VOCABULARY),
            ("position_embeddings", POSITIONS),
            ("token_type_embeddings", 2),
        ] {
            list.add(&format!("bert.embeddings.{name}.weight"), &[rows, hidden]);
        }
        list.pair("bert.embeddings.LayerNorm", &[hidden]);
        for layer in 0..layers {
            let block = format!("bert.encoder.layer.{layer}");
            for part in ["query", "key", "value"] {
                list.pair(&format!("{block}.attention.self.{part}"), &[hidden, hidden]);
            }
            list.pair(&format!("{block}.attention.output.dense"), &[hidden, hidden]);
            list.pair(&format!("{block}.attention.output.LayerNorm"), &[hidden]);
            list.pair(&format!("{block}.intermediate.dense"), &[intermediate, hidden]);
            list.pair(&format!("{block}.output.dense"), &[hidden, intermediate]);
            list.pair(&format!("{block}.output.LayerNorm"), &[hidden]);
        }
    }
}

struct List(Vec<Tensor>);

impl List {
    fn add(&mut self, name: &str, shape: &[usize]) {
        self.0.push(Tensor { name: name.to_owned(), shape: shape.to_vec() });
    }

    /// A weight and its bias, which is as long as the weight's first dimension.
    fn pair(&mut self, name: &str, shape: &[usize]) {
        self.add(&format!("{name}.weight"), shape);
        self.add(&format!("{name}.bias"), &shape[..1]);
    }

    fn batch_norm(&mut self, name: &str, channels: usize) {
        self.pair(name, &[channels]);
        self.add(&format!("{name}.running_mean"), &[channels]);
        self.add(&format!("{name}.running_var"), &[channels]);
        self.add(&format!("{name}.num_batches_tracked"), &[]);
    }
}

/// How a checkpoint is published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `cn_clip`'s `.pt`.
    CnClip,
    /// The same with the names that weights have while they are trained with flash attention.
    FlashAttention,
    /// Hugging Face's `pytorch_model.bin`. Query, key and value are views of one storage and projections are transposed
    /// views, as its own conversion saves them.
    HuggingFace,
    /// Hugging Face's `model.safetensors`.
    Safetensors,
}

/// The type that weights are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// 32 bits.
    Single,
    /// 16 bits.
    Half,
}

/// Writes a model's checkpoint. Hugging Face's formats know no `RN50`.
pub fn write(path: &Path, model: &Architecture, format: Format, precision: Precision) -> io::Result<()> {
    let entries = match format {
        Format::CnClip => model.tensors().into_iter().map(cn_clip).collect(),
        Format::FlashAttention => flash_attention(model),
        Format::HuggingFace | Format::Safetensors => hugging_face(model, format == Format::HuggingFace),
    };
    let file = BufWriter::new(File::create(path)?);
    match format {
        Format::CnClip | Format::FlashAttention => {
            write_torch(file, model.name, &entries, precision, |pickle, state| {
                // What `cn_clip`'s training saves beside the state.
                state(
                    pickle
                        .raw(b"}(")
                        .text("epoch")
                        .int(0)
                        .text("name")
                        .text(model.name)
                        .text("state_dict")
                        .raw(b"}("),
                )
                .raw(b"uu")
            })
        }
        Format::HuggingFace => {
            write_torch(file, "archive", &entries, precision, |pickle, state| {
                // The attribute `_metadata` that state dictionaries carry.
                let attributes = |pickle: Pickle| {
                    pickle
                        .raw(b"}")
                        .text("_metadata")
                        .ordered_dict()
                        .text("")
                        .raw(b"}")
                        .text("version")
                        .int(1)
                        .raw(b"sss")
                };
                attributes(state(pickle.ordered_dict().raw(b"(")).raw(b"u")).raw(b"b")
            })
        }
        Format::Safetensors => write_safetensors(file, &entries, precision),
    }
}

/// A storage and the tensors that lie in it.
struct Entry {
    tensor: Tensor,
    numbers: Numbers,
    views: Vec<View>,
}

/// What a storage holds of its tensor.
#[derive(Clone, Copy)]
enum Numbers {
    /// Weights from an index on; all of them, or a part of the rows.
    Weights { first: usize, len: usize },
    /// The weights of a matrix, column by column.
    Columns,
    /// The weights of a text's query, key and value, one below the other. The tensor is the query.
    QueryKeyValue,
    /// Whole numbers from 0.
    Count,
}

struct View {
    name: String,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

impl View {
    fn all(name: String, shape: &[usize]) -> View {
        let mut strides = vec![1; shape.len()];
        for at in (1..shape.len()).rev() {
            strides[at - 1] = strides[at] * shape[at];
        }
        View { name, offset: 0, shape: shape.to_vec(), strides }
    }
}

impl Entry {
    fn whole(tensor: Tensor, name: String) -> Entry {
        let numbers = if tensor.is_counter() {
            Numbers::Count
        } else {
            Numbers::Weights { first: 0, len: tensor.len() }
        };
        let view = View::all(name, &tensor.shape);
        Entry { tensor, numbers, views: vec![view] }
    }

    /// The positions that older versions keep as a buffer.
    fn positions(name: &str, count: usize) -> Entry {
        let tensor = Tensor { name: name.to_owned(), shape: vec![1, count] };
        let view = View::all(name.to_owned(), &tensor.shape);
        Entry { tensor, numbers: Numbers::Count, views: vec![view] }
    }

    fn elements(&self) -> usize {
        match self.numbers {
            Numbers::Weights { len, .. } => len,
            Numbers::QueryKeyValue => 3 * self.tensor.len(),
            Numbers::Columns | Numbers::Count => self.tensor.len(),
        }
    }

    /// The class of its storage, safetensors' name of the type, and the bytes of an element.
    fn class(&self, precision: Precision) -> (&'static str, &'static str, usize) {
        match (self.numbers, precision) {
            (Numbers::Count, _) => ("LongStorage", "I64", 8),
            (_, Precision::Single) => ("FloatStorage", "F32", 4),
            (_, Precision::Half) => ("HalfStorage", "F16", 2),
        }
    }

    fn write(&self, out: &mut impl Write, precision: Precision) -> io::Result<()> {
        let mut out = BufWriter::with_capacity(1 << 16, out);
        let parts = ["query", "key", "value"]
            .map(|part| Tensor { name: self.tensor.name.replace("query", part), ..self.tensor.clone() });
        let weight = |index: usize| -> f32 {
            match (self.numbers, self.tensor.shape.as_slice()) {
                (Numbers::Weights { first, .. }, _) => self.tensor.weight(first + index),
                (Numbers::Columns, &[rows, columns]) => {
                    self.tensor.weight((index % rows) * columns + index / rows)
                }
                (Numbers::QueryKeyValue, _) => {
                    parts[index / self.tensor.len()].weight(index % self.tensor.len())
                }
                _ => self.tensor.weight(index),
            }
        };
        for index in 0..self.elements() {
            match (self.numbers, precision) {
                (Numbers::Count, _) => out.write_all(&(index as i64).to_le_bytes())?,
                (_, Precision::Single) => out.write_all(&weight(index).to_le_bytes())?,
                (_, Precision::Half) => {
                    out.write_all(&f16::from_f32(weight(index)).to_le_bytes())?;
                }
            }
        }
        out.flush()
    }
}

fn cn_clip(tensor: Tensor) -> Entry {
    let name = format!("module.{}", tensor.name);
    Entry::whole(tensor, name)
}

/// What `convert_state_dict` of the package's `model.py` makes of the tensors.
fn flash_attention(model: &Architecture) -> Vec<Entry> {
    let mut entries = Vec::new();
    for tensor in model.tensors() {
        let text = tensor.name.starts_with("bert.");
        let is = |part: &str| text && tensor.name.contains(part);
        if is(".self.key.") || is(".self.value.") {
            continue;
        }
        if is(".self.query.") {
            let mut shape = tensor.shape.clone();
            shape[0] *= 3;
            let view = View::all(format!("module.{}", tensor.name.replace(".query.", ".Wqkv.")), &shape);
            entries.push(Entry { tensor, numbers: Numbers::QueryKeyValue, views: vec![view] });
            continue;
        }
        let name = if text {
            tensor.name.replace(".attention.output.dense.", ".attention.self.out_proj.")
        } else {
            tensor.name.replace(".attn.in_proj_", ".attn.Wqkv.")
        };
        entries.push(Entry::whole(tensor, format!("module.{name}")));
    }
    entries
}

fn hugging_face(model: &Architecture, views: bool) -> Vec<Entry> {
    let Vision::Transformer { patch, .. } = model.vision else { panic!("ChineseCLIPModel knows no ResNet") };
    let mut entries = vec![
        Entry::positions("text_model.embeddings.position_ids", POSITIONS),
        Entry::positions("vision_model.embeddings.position_ids", (model.resolution / patch).pow(2) + 1),
    ];
    for tensor in model.tensors() {
        let name = tensor.name.clone();
        if let Some(projection) = match name.as_str() {
            "visual.proj" => Some("visual_projection.weight"),
            "text_projection" => Some("text_projection.weight"),
            _ => None,
        } {
            let turned = [tensor.shape[1], tensor.shape[0]];
            let mut view = View::all(projection.to_owned(), &turned);
            let numbers = if views {
                view.strides = vec![1, tensor.shape[1]];
                Numbers::Weights { first: 0, len: tensor.len() }
            } else {
                Numbers::Columns
            };
            entries.push(Entry { tensor, numbers, views: vec![view] });
        } else if let Some((block, kind)) = name.split_once(".attn.in_proj_") {
            let block = block.replace("visual.transformer.resblocks", "vision_model.encoder.layers");
            let mut shape = tensor.shape.clone();
            shape[0] /= 3;
            let len = tensor.len() / 3;
            let thirds = ["q", "k", "v"].into_iter().enumerate().map(|(at, part)| {
                let view = View::all(format!("{block}.self_attn.{part}_proj.{kind}"), &shape);
                (at * len, view)
            });
            if views {
                let views = thirds.map(|(offset, view)| View { offset, ..view }).collect();
                let numbers = Numbers::Weights { first: 0, len: tensor.len() };
                entries.push(Entry { tensor, numbers, views });
            } else {
                entries.extend(thirds.map(|(first, view)| Entry {
                    tensor: tensor.clone(),
                    numbers: Numbers::Weights { first, len },
                    views: vec![view],
                }));
            }
        } else {
            let name = hugging_face_name(&name);
            entries.push(Entry::whole(tensor, name));
        }
    }
    entries
}

/// The name of a tensor that is one in both.
fn hugging_face_name(name: &str) -> String {
    match name {
        "visual.class_embedding" => return "vision_model.embeddings.class_embedding".to_owned(),
        "visual.positional_embedding" => {
            return "vision_model.embeddings.position_embedding.weight".to_owned();
        }
        "visual.conv1.weight" => return "vision_model.embeddings.patch_embedding.weight".to_owned(),
        _ => {}
    }
    let pairs = if name.starts_with("bert.") {
        [("bert.", "text_model.")].as_slice()
    } else {
        &[
            ("visual.transformer.resblocks.", "vision_model.encoder.layers."),
            ("visual.ln_pre.", "vision_model.pre_layrnorm."),
            ("visual.ln_post.", "vision_model.post_layernorm."),
            (".attn.out_proj.", ".self_attn.out_proj."),
            (".ln_1.", ".layer_norm1."),
            (".ln_2.", ".layer_norm2."),
            (".mlp.c_fc.", ".mlp.fc1."),
            (".mlp.c_proj.", ".mlp.fc2."),
        ]
    };
    pairs.iter().fold(name.to_owned(), |name, (from, to)| name.replace(from, to))
}

/// Writes `PyTorch`'s format; `around` puts the state's entries, which it is handed, into the pickle.
fn write_torch(
    file: BufWriter<File>,
    root: &str,
    entries: &[Entry],
    precision: Precision,
    around: impl FnOnce(Pickle, &dyn Fn(Pickle) -> Pickle) -> Pickle,
) -> io::Result<()> {
    let state = |mut pickle: Pickle| {
        for (key, entry) in entries.iter().enumerate() {
            let class = entry.class(precision).0;
            for view in &entry.views {
                let View { name, offset, shape, strides } = view;
                pickle = pickle.text(name).tensor(
                    class,
                    &key.to_string(),
                    entry.elements(),
                    *offset,
                    shape,
                    strides,
                );
            }
        }
        pickle
    };
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    let mut zip = ZipWriter::new(file);
    zip.start_file(format!("{root}/data.pkl"), options)?;
    zip.write_all(&around(Pickle::new(), &state).finish())?;
    zip.start_file(format!("{root}/byteorder"), options)?;
    zip.write_all(b"little")?;
    for (key, entry) in entries.iter().enumerate() {
        zip.start_file(format!("{root}/data/{key}"), options)?;
        entry.write(&mut zip, precision)?;
    }
    zip.start_file(format!("{root}/version"), options)?;
    zip.write_all(b"3\n")?;
    zip.finish()?.flush()
}

fn write_safetensors(mut file: BufWriter<File>, entries: &[Entry], precision: Precision) -> io::Result<()> {
    let mut header = String::from("{\"__metadata__\":{\"format\":\"pt\"}");
    let mut at = 0;
    for entry in entries {
        let (_, dtype, size) = entry.class(precision);
        let end = at + entry.elements() * size;
        for View { name, shape, .. } in &entry.views {
            header += &format!(
                ",\"{name}\":{{\"dtype\":\"{dtype}\",\"shape\":{shape:?},\"data_offsets\":[{at},{end}]}}"
            );
        }
        at = end;
    }
    header.push('}');
    // The tensors begin at a multiple of eight.
    header += &" ".repeat(header.len().next_multiple_of(8) - header.len());
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(header.as_bytes())?;
    for entry in entries {
        entry.write(&mut file, precision)?;
    }
    file.flush()
}
