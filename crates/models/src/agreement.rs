//! How closely a model in another precision follows the one it was made from.
use crate::{ModelError, Role, Store, error::io_at};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// The file beside a variant's network that holds the measurement.
const FILE: &str = "agreement.json";

/// Cosines between the vectors of a variant and those of its base, measured when it was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// The model it was made from.
    pub base: String,
    /// SHA-256 of that model's ONNX file, where known.
    pub base_sha256: Option<String>,
    /// The lowest cosine of all samples.
    pub least: f64,
    /// Their mean.
    pub mean: f64,
    /// How many pictures or sentences were compared.
    pub samples: usize,
}

impl Agreement {
    /// Leaves the measurement beside a network that is being made.
    pub fn write(&self, folder: &Path) -> Result<(), ModelError> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| io_at(&path)(error.into()))?;
        fs::write(&path, text).map_err(io_at(path))
    }
}

/// Why sentences of one model cannot search pictures of another.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Disagreement {
    /// They are no precisions of one model.
    #[error(
        "{pictures} and {sentences} are different models: their vectors have nothing to do with each other"
    )]
    Models {
        /// What embedded the pictures.
        pictures: String,
        /// What embeds the sentences.
        sentences: String,
    },
    /// Nobody measured how closely the variant follows its base.
    #[error("how closely {name} ({role}) follows {base} was never measured on this machine")]
    Unmeasured {
        /// The variant.
        name: String,
        /// Its network.
        role: Role,
        /// The base.
        base: String,
    },
    /// It does not follow closely enough.
    #[error("{name} ({role}) follows {base} with a cosine of {found:.6}, less than the {least} asked for")]
    Loose {
        /// The variant.
        name: String,
        /// Its network.
        role: Role,
        /// The base.
        base: String,
        /// The lowest cosine measured.
        found: f64,
        /// The limit.
        least: f64,
    },
}

impl Store {
    /// The measurement of a variant's network, if it is here.
    pub fn agreement(&self, name: &str, role: Role) -> Option<Agreement> {
        let files = self.local(name, role).ok()?;
        serde_json::from_slice(&fs::read(files.model.with_file_name(FILE)).ok()?).ok()
    }

    /// May vectors of sentences by one model search vectors of pictures by another?
    ///
    /// Always if they are the same model in the same precision. In different precisions, each that is not the published
    /// one must follow it with a cosine of at least `least`, as measured when it was made.
    pub fn may_search(&self, pictures: &str, sentences: &str, least: f64) -> Result<(), Disagreement> {
        let of = |name: &str| {
            let entry = self.catalogue().find(name);
            let name = entry.map_or(name, |entry| &entry.name).to_owned();
            let base = entry.and_then(|entry| Some(entry.variant.as_ref()?.base.clone()));
            (name, base)
        };
        let sides = [(of(pictures), Role::Visual), (of(sentences), Role::Textual)];
        let [((a, base_a), _), ((b, base_b), _)] = &sides;
        if a == b {
            return Ok(());
        }
        if base_a.as_ref().unwrap_or(a) != base_b.as_ref().unwrap_or(b) {
            return Err(Disagreement::Models { pictures: a.clone(), sentences: b.clone() });
        }
        for ((name, base), role) in sides {
            let Some(base) = base else { continue };
            match self.agreement(&name, role) {
                None => return Err(Disagreement::Unmeasured { name, role, base }),
                Some(Agreement { least: found, .. }) if found < least => {
                    return Err(Disagreement::Loose { name, role, base, found, least });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}
