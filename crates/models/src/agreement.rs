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

/// Why a query embedded by one model cannot search pictures embedded by another.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Disagreement {
    /// They are no precisions of one model.
    #[error("{stored} and {query} are different models: their vectors have nothing to do with each other")]
    Models {
        /// What embedded the stored pictures.
        stored: String,
        /// What embeds the query.
        query: String,
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

    /// May a query embedded by one model search stored vectors of pictures embedded by another? The error says why not, in a
    /// sentence for people.
    ///
    /// `stored` and `query` are names of models, or aliases of the catalogue; names that are not in it are compared as they
    /// are. `by` says what the query is: [`Role::Textual`] for a sentence, [`Role::Visual`] for a picture that others are to
    /// resemble. `least` is the setting `clip.least_cosine`.
    ///
    /// Always if they are the same model in the same precision. In different precisions, each that is not the published
    /// one must follow it with a cosine of at least `least`, as measured when it was made. Different models never may.
    ///
    /// It reads a few small files: cheap enough to be asked with every search.
    ///
    /// ```no_run
    /// # use viewfinder_models::{Role, Store, StoreConfig};
    /// # let store = Store::open(StoreConfig::new("models"))?;
    /// // A library was indexed in fp32, and a small machine searches it.
    /// if let Err(reason) = store.may_search("cn-clip/ViT-B-16", "cn-clip/ViT-B-16@int8", Role::Textual, 0.99) {
    ///     eprintln!("the library cannot be searched: {reason}");
    /// }
    /// # Ok::<(), viewfinder_models::ModelError>(())
    /// ```
    pub fn may_search(&self, stored: &str, query: &str, by: Role, least: f64) -> Result<(), Disagreement> {
        let of = |name: &str| {
            let entry = self.catalogue().find(name);
            let name = entry.map_or(name, |entry| &entry.name).to_owned();
            let base = entry.and_then(|entry| Some(entry.variant.as_ref()?.base.clone()));
            (name, base)
        };
        let sides = [(of(stored), Role::Visual), (of(query), by)];
        let [((a, base_a), _), ((b, base_b), _)] = &sides;
        if a == b {
            return Ok(());
        }
        if base_a.as_ref().unwrap_or(a) != base_b.as_ref().unwrap_or(b) {
            return Err(Disagreement::Models { stored: a.clone(), query: b.clone() });
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
