//! Models in another precision: made from the published ones, compared with them, and refused if they went astray.

use std::{fs, path::Path};

use crate::runtime::{Runtime, trim};
use viewfinder_convert::{
    onnx::ModelFile,
    precision::{self, Precision, PrecisionError},
};
use viewfinder_core::{Alpha, ErrorCode, TaskError};
use viewfinder_image::{Limits, RgbImage, decode};
use viewfinder_models::{Agreement, ModelError, ModelFiles, Progress, Role, Step, Store, Variant};
use viewfinder_vision::clip;

use crate::load::{Preprocessing, load};

/// A variant whose vectors deviate more from those of its base, on any sample, is not used unless forced.
pub const LEAST_COSINE: f64 = 0.98;

/// A network that was made.
#[derive(Clone, Debug)]
pub struct MadeVariant {
    /// Where it is now.
    pub files: ModelFiles,
    /// How closely it follows its base.
    pub agreement: Agreement,
    /// What was changed.
    pub report: precision::Report,
}

/// Makes one network of a variant. `force` keeps it however far it strays.
pub(crate) fn make(
    store: &Store,
    runtime: &Runtime,
    name: &str,
    role: Role,
    force: bool,
    progress: &dyn Progress,
) -> Result<MadeVariant, TaskError> {
    let entry = store.catalogue().find(name).ok_or_else(|| ModelError::Unknown { name: name.to_owned() })?;
    let Some(Variant { base, precision }) = &entry.variant else {
        let message = format!("{name} is published as it is; ask for {name}@int8 or {name}@fp16");
        return Err(TaskError::new(ErrorCode::ModelUnsuited, message));
    };
    let source = store.files(base, role, progress)?;
    progress.begin(Step::Convert, &format!("{} {role}", entry.name), None);
    let mut made = None;
    let result = store.install(name, role, |folder| -> Result<(), TaskError> {
        made = Some(write(runtime, &source, *precision, force, folder)?);
        Ok(())
    });
    match &result {
        Ok(_) => progress.end(Ok(())),
        Err(error) => progress.end(Err(&error.message)),
    }
    let files = result?;
    let MadeVariant { agreement, report, .. } =
        made.ok_or_else(|| TaskError::new(ErrorCode::Internal, "a network was installed but not made"))?;
    tracing::info!(
        model = name,
        %role,
        cosine = agreement.least,
        bytes_before = report.bytes_before,
        bytes = report.bytes_after,
        "model made in another precision"
    );
    Ok(MadeVariant { files, agreement, report })
}

/// Writes the network with all that belongs to it into `folder`, compares it with its source, and refuses it if it strays
/// too far, unless `force` keeps it.
pub(crate) fn write(
    runtime: &Runtime,
    source: &ModelFiles,
    precision: Precision,
    force: bool,
    folder: &Path,
) -> Result<MadeVariant, TaskError> {
    let model = folder.join("model.onnx");
    let input = ModelFile::open(&source.model).map_err(PrecisionError::from)?;
    let report = match precision {
        Precision::Int8 => precision::int8(&input, &model)?,
        Precision::Fp16 => precision::fp16(&input, &model)?,
        Precision::Fp32 => {
            return Err(TaskError::new(ErrorCode::ModelUnsuited, "fp32 is what is published"));
        }
    };
    drop(input);
    for (name, path) in &source.extra {
        fs::copy(path, folder.join(name))
            .map_err(|error| TaskError::new(ErrorCode::Internal, format!("{}: {error}", path.display())))?;
    }
    let extra = source.extra.keys().map(|name| (name.clone(), folder.join(name))).collect();
    let made = ModelFiles { model, extra, ..source.clone() };
    // One after the other: the largest models would not fit twice.
    let (expected, found) = (vectors(runtime, source)?, vectors(runtime, &made)?);
    let cosines: Vec<f64> =
        expected.iter().zip(&found).map(|(a, b)| viewfinder_core::cosine(a, b).min(1.0)).collect();
    let agreement = Agreement {
        base: source.name.clone(),
        base_sha256: source.sha256.clone(),
        least: cosines.iter().copied().fold(1.0, f64::min),
        mean: cosines.iter().sum::<f64>() / cosines.len() as f64,
        samples: cosines.len(),
    };
    if agreement.least < LEAST_COSINE && !force {
        let message = format!(
            "in {precision}, {} ({}) follows itself only with a cosine of {:.4}, less than {LEAST_COSINE}: it would find \
             other pictures; `viewfinder models quantize {} --precision {precision} --force` keeps it",
            source.name, source.role, agreement.least, source.name
        );
        return Err(TaskError::new(ErrorCode::ModelImprecise, message));
    }
    agreement.write(folder)?;
    Ok(MadeVariant { files: made, agreement, report })
}

/// The vectors that a network gives the samples.
fn vectors(runtime: &Runtime, files: &ModelFiles) -> Result<Vec<Vec<f32>>, TaskError> {
    let loaded = load(runtime, files)?;
    let vectors: Result<Vec<_>, _> = match &loaded.preprocessing {
        Preprocessing::Preprocess(preprocess) => pictures()?
            .iter()
            .map(|picture| clip::embed_image(picture, &loaded.session, preprocess))
            .collect(),
        Preprocessing::Tokenizer(tokenizer) => {
            SENTENCES.iter().map(|text| clip::embed_text(text, None, &loaded.session, tokenizer)).collect()
        }
        _ => {
            return Err(TaskError::new(ErrorCode::ModelUnsuited, "only CLIP models have other precisions"));
        }
    };
    drop(loaded);
    trim();
    Ok(vectors?)
}

/// Three encoded pictures that come with the program, to time work on: a portrait, a page with letters, flowers.
pub fn sample_pictures() -> [&'static [u8]; 3] {
    [
        include_bytes!("samples/portrait.jpg"),
        include_bytes!("samples/letters.jpg"),
        include_bytes!("samples/flowers.jpg"),
    ]
}

/// Photos, prints and screens, as `samples/README.md` lists them.
fn pictures() -> Result<Vec<RgbImage>, TaskError> {
    const FILES: [&[u8]; 8] = [
        include_bytes!("samples/falcon.jpg"),
        include_bytes!("samples/portrait.jpg"),
        include_bytes!("samples/flowers.jpg"),
        include_bytes!("samples/beer.jpg"),
        include_bytes!("samples/letters.jpg"),
        include_bytes!("samples/drawn_1.jpg"),
        include_bytes!("samples/drawn_2.jpg"),
        include_bytes!("samples/drawn_3.jpg"),
    ];
    let open = |bytes: &&[u8]| Ok(decode(bytes, &Limits::default())?.into_rgb(false, Alpha::Drop));
    FILES.iter().map(open).collect()
}

/// What people type into a search box.
const SENTENCES: [&str; 16] = [
    "a dog on the beach",
    "猫",
    "海边的日落",
    "grandma's birthday cake with candles",
    "孩子们在雪地里玩耍",
    "a red car parked in front of a house",
    "发票",
    "handwritten notes on paper",
    "夜晚的城市灯光",
    "two people hiking in the mountains",
    "穿着白色婚纱的新娘",
    "screenshot of a chat",
    "gente bailando en una fiesta",
    "桜の木の下でピクニック",
    "一只鸟在悬崖上飞过灌木丛，背景是浅色的岩石",
    "a bartender behind a wooden counter with four small glasses of beer in front of a blackboard menu",
];
