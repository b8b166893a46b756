//! `models convert` and `models quantize`: CLIP models from published weights, and in other precisions.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use indicatif::HumanBytes;
use serde_json::json;
use viewfinder_convert::precision::Precision;
use viewfinder_engine::MadeVariant;
use viewfinder_models::{Family, Location, ModelEntry, ModelFiles, Role, Store};

use super::look::json_line;
use crate::config::Loaded;
use crate::failure::{Failure, Outcome};
use crate::progress::Report;
use crate::{output, wiring};

/// What the person asked for.
#[derive(Clone, Copy)]
pub(crate) struct ConvertRequest {
    pub(crate) precision: Precision,
    pub(crate) force: bool,
    pub(crate) json: bool,
}

/// Makes Chinese-CLIP's ONNX models from a checkpoint on this machine, or from that of a model of the catalogue.
pub(crate) fn convert(
    store: &Store,
    loaded: &Loaded,
    from: &str,
    out: Option<&Path>,
    text_heads: Option<usize>,
    wanted: ConvertRequest,
) -> Result<Outcome, Failure> {
    let report = Report::new();
    let path = Path::new(from);
    if store.catalogue().find(from).is_none() && !path.is_file() {
        return Err(Failure::Usage(anyhow!(
            "{from} is neither a file nor a model; `viewfinder models list` shows the known ones"
        )));
    }
    let Some(out) = out else {
        let name = if path.is_file() {
            let converted = store.convert(path, None, text_heads, &report)?;
            tell_files(converted.name.as_deref(), &converted.files, wanted.json)?;
            converted.name.unwrap_or_default()
        } else {
            store.try_sources_again();
            let files = store.pull(from, &report)?;
            let files: Vec<PathBuf> = files.into_iter().map(|files| files.model).collect();
            tell_files(Some(from), &files, wanted.json)?;
            from.to_owned()
        };
        if wanted.precision != Precision::Fp32 {
            make(loaded, &format!("{name}@{}", wanted.precision), wanted.force, wanted.json)?;
        }
        return Ok(Outcome::Done);
    };

    fs::create_dir_all(out).with_context(|| out.display().to_string()).map_err(Failure::Usage)?;
    // Goes away with whatever is in it, also when the next step fails.
    let work = tempfile::Builder::new().prefix(".convert-").tempdir_in(out).context("cannot write")?;
    let sources: Vec<ModelFiles> = if path.is_file() {
        let converted = store.convert(path, Some(work.path()), text_heads, &report)?;
        [Role::Visual, Role::Textual]
            .into_iter()
            .zip(converted.files)
            .map(|(role, model)| ModelFiles {
                name: converted.name.clone().unwrap_or_else(|| from.to_owned()),
                role,
                family: Family::ChineseClip,
                model,
                extra: BTreeMap::new(),
                width: Some(converted.width),
                input_size: None,
                sha256: None,
                location: Location::Own,
            })
            .collect()
    } else {
        store.pull(from, &report)?
    };
    let engine = (wanted.precision != Precision::Fp32).then(|| wiring::engine(loaded)).transpose()?;
    let mut files = Vec::new();
    for source in &sources {
        let made = work.path().join(format!("{}-made", source.role));
        fs::create_dir(&made).context("cannot write")?;
        let variant = if let Some(engine) = &engine {
            Some(engine.make_precision(source, wanted.precision, wanted.force, &made)?)
        } else {
            copy(source.model.parent().unwrap_or(Path::new(".")), &made)?;
            None
        };
        let folder = out.join(source.role.as_str());
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        fs::rename(&made, &folder)?;
        let model = folder.join("model.onnx");
        if let Some(mut variant) = variant {
            variant.files.model.clone_from(&model);
            tell_made(&format!("{}@{}", source.name, wanted.precision), &variant, wanted.json)?;
        }
        files.push(model);
    }
    tell_files(sources.first().map(|source| source.name.as_str()), &files, wanted.json)?;
    Ok(Outcome::Done)
}

/// Makes a model's variant and tells how closely it follows the original.
pub(crate) fn quantize(loaded: &Loaded, name: &str, wanted: ConvertRequest) -> Result<Outcome, Failure> {
    if wanted.precision == Precision::Fp32 {
        return Err(Failure::Usage(anyhow!("fp32 is what is published; choose int8 or fp16")));
    }
    make(loaded, &format!("{name}@{}", wanted.precision), wanted.force, wanted.json)?;
    Ok(Outcome::Done)
}

/// Makes the variant of this name, such as `cn-clip/ViT-B-16@int8`.
pub(crate) fn make(loaded: &Loaded, name: &str, force: bool, json: bool) -> Result<(), Failure> {
    for made in wiring::engine(loaded)?.make_variant(name, force)? {
        tell_made(name, &made, json)?;
    }
    Ok(())
}

/// Makes it unless all of it is here.
pub(crate) fn make_missing(loaded: &Loaded, store: &Store, name: &str, json: bool) -> Result<(), Failure> {
    let roles = store.catalogue().find(name).map(ModelEntry::roles).unwrap_or_default();
    if roles.iter().any(|role| store.local(name, *role).is_err()) {
        make(loaded, name, false, json)?;
    }
    Ok(())
}

fn tell_made(name: &str, made: &MadeVariant, json: bool) -> Result<(), Failure> {
    let MadeVariant { files, agreement, report } = made;
    if json {
        json_line(&json!({
            "name": name, "role": files.role, "file": files.model, "cosine_least": agreement.least,
            "cosine_mean": agreement.mean, "samples": agreement.samples, "bytes_before": report.bytes_before,
            "bytes": report.bytes_after, "products": report.converted, "products_kept": report.kept,
        }))?;
        return Ok(());
    }
    output::line(&format!(
        "{name} {}: cosine {:.4} at least, {:.4} on average of {}; {} instead of {}",
        files.role,
        agreement.least,
        agreement.mean,
        agreement.samples,
        HumanBytes(report.bytes_after),
        HumanBytes(report.bytes_before),
    ))?;
    Ok(())
}

fn tell_files(name: Option<&str>, files: &[PathBuf], json: bool) -> Result<(), Failure> {
    let name = name.unwrap_or("unpublished size");
    if json {
        json_line(&json!({ "name": name, "files": files }))?;
        return Ok(());
    }
    for file in files {
        output::line(&format!("{name}: {}", file.display()))?;
    }
    Ok(())
}

/// Copies the files of a network, but not the store's notes about them.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    for item in fs::read_dir(from)? {
        let item = item?;
        if item.path().is_file() && item.file_name() != "manifest.json" {
            fs::copy(item.path(), to.join(item.file_name()))?;
        }
    }
    Ok(())
}
