//! The list of models.
use crate::{ModelError, Source, clean_name, names};
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fmt, str::FromStr};
use viewfinder_convert::precision::Precision;

/// What a network does for its model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Finds text or faces.
    Detection,
    /// Says whether a line of text stands on its head.
    Classification,
    /// Reads a line of text, or embeds a face.
    Recognition,
    /// Embeds a picture.
    Visual,
    /// Embeds a sentence.
    Textual,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 5] =
        [Self::Detection, Self::Classification, Self::Recognition, Self::Visual, Self::Textual];

    /// The lower-case name, which is also the folder name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Detection => "detection",
            Self::Classification => "classification",
            Self::Recognition => "recognition",
            Self::Visual => "visual",
            Self::Textual => "textual",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("no role is named {text:?}"))
    }
}

/// Models that are used the same way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Family {
    /// PP-OCR: text detection, orientation, recognition.
    PaddleOcr,
    /// SCRFD detection and `ArcFace` recognition.
    InsightFace,
    /// Chinese-CLIP, with its own vocabulary built in.
    ChineseClip,
    /// `OpenCLIP`, `SigLIP` and their kin: one text input, `tokenizer.json`.
    OpenClip,
    /// Multilingual CLIP: two text inputs.
    MClip,
    /// `OpenCLIP` with an NLLB text tower, which wants the language in front of the sentence.
    Nllb,
    /// The ONNX Runtime library itself.
    Runtime,
}

impl Family {
    /// The name used in the catalogue.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PaddleOcr => "paddle-ocr",
            Self::InsightFace => "insight-face",
            Self::ChineseClip => "chinese-clip",
            Self::OpenClip => "open-clip",
            Self::MClip => "m-clip",
            Self::Nllb => "nllb",
            Self::Runtime => "runtime",
        }
    }

    /// Immich's folder for the task this family serves.
    pub fn immich_task(self) -> Option<&'static str> {
        match self {
            Self::PaddleOcr => Some("ocr"),
            Self::InsightFace => Some("facial-recognition"),
            Self::ChineseClip | Self::OpenClip | Self::MClip | Self::Nllb => Some("clip"),
            Self::Runtime => None,
        }
    }

    /// Roles a model of this family has in Immich's layout.
    pub(crate) fn roles(self) -> &'static [Role] {
        match self {
            Self::PaddleOcr | Self::InsightFace => &[Role::Detection, Role::Recognition],
            Self::ChineseClip | Self::OpenClip | Self::MClip | Self::Nllb => &[Role::Visual, Role::Textual],
            Self::Runtime => &[],
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// A model in another precision than it was published in, made on this machine from the published one.
///
/// The precision is part of the name, `cn-clip/ViT-B-16@int8`, because it is part of what stored vectors are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variant {
    /// The published model's name.
    pub base: String,
    /// The precision.
    pub precision: Precision,
}

/// One network of a model.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// This network is the one that the named entry has for the same role.
    pub same_as: Option<String>,
    /// Size of the ONNX file, as far as known.
    pub bytes: Option<u64>,
    /// SHA-256 of the ONNX file in lower-case hex.
    pub sha256: Option<String>,
    /// Height and width of the picture it takes, where fixed.
    pub input: Option<(usize, usize)>,
    /// Where the ONNX file comes from, tried in order.
    #[serde(default)]
    pub sources: Vec<Source>,
}

/// One model, as in `catalogue.toml` or under `[[models]]` in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelEntry {
    /// What it is asked for by; also its folder in the store.
    pub name: String,
    /// Further names.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// How it is used.
    pub family: Family,
    /// Length of its vectors.
    pub width: Option<usize>,
    /// Licence of the weights.
    pub licence: Option<String>,
    /// Something a user should know before using it.
    pub note: Option<String>,
    /// Places holding all its files in Immich's layout, tried after those of the part.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// Where the weights it was made from are published, from which its ONNX files are made here.
    #[serde(default)]
    pub checkpoints: Vec<Source>,
    /// Attention heads of the text network, for checkpoints of sizes that were never published.
    pub text_heads: Option<usize>,
    /// Finds text or faces.
    pub detection: Option<Part>,
    /// Tells upright lines from others.
    pub classification: Option<Part>,
    /// Reads a line, or embeds a face.
    pub recognition: Option<Part>,
    /// Embeds pictures.
    pub visual: Option<Part>,
    /// Embeds sentences.
    pub textual: Option<Part>,
    /// What it is made from, if it is not published itself.
    #[serde(skip)]
    pub variant: Option<Variant>,
}

impl ModelEntry {
    /// What the entry itself says about a role.
    pub fn part(&self, role: Role) -> Option<&Part> {
        match role {
            Role::Detection => self.detection.as_ref(),
            Role::Classification => self.classification.as_ref(),
            Role::Recognition => self.recognition.as_ref(),
            Role::Visual => self.visual.as_ref(),
            Role::Textual => self.textual.as_ref(),
        }
    }

    /// This model in another precision.
    fn variant(&self, precision: Precision) -> Self {
        let named = |name: &String| format!("{name}@{precision}");
        let part = |role| self.roles().contains(&role).then(Part::default);
        Self {
            name: named(&self.name),
            aliases: self.aliases.iter().map(named).collect(),
            sources: Vec::new(),
            checkpoints: Vec::new(),
            detection: None,
            classification: None,
            recognition: None,
            visual: part(Role::Visual),
            textual: part(Role::Textual),
            variant: Some(Variant { base: self.name.clone(), precision }),
            ..self.clone()
        }
    }

    /// The roles it can fill.
    pub fn roles(&self) -> Vec<Role> {
        let whole: &[Role] = if self.sources.is_empty() { &[] } else { self.family.roles() };
        Role::ALL.into_iter().filter(|role| self.part(*role).is_some() || whole.contains(role)).collect()
    }
}

/// Every model known by name.
#[derive(Clone, Debug)]
pub struct Catalogue {
    /// Published models, then variants of them.
    entries: Vec<ModelEntry>,
    published: usize,
    by_name: HashMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    models: Vec<ModelEntry>,
}

impl Catalogue {
    /// The built-in list with the user's own entries; one of the same name replaces the built-in one, and inherits its
    /// vector width if it states none.
    pub fn new(own: Vec<ModelEntry>) -> Result<Self, ModelError> {
        let mut entries = Self::parse(include_str!("../catalogue.toml"))?;
        for mut entry in own {
            match entries.iter_mut().find(|known| known.name == entry.name) {
                Some(known) => {
                    entry.width = entry.width.or(known.width);
                    *known = entry;
                }
                None => entries.push(entry),
            }
        }
        Self::index(entries)
    }

    /// Reads `[[models]]` tables.
    pub fn parse(text: &str) -> Result<Vec<ModelEntry>, ModelError> {
        let document: Document =
            toml::from_str(text).map_err(|error| ModelError::Catalogue(error.to_string()))?;
        Ok(document.models)
    }

    /// All published models: the built-in ones in the order of the file, then the user's.
    pub fn entries(&self) -> &[ModelEntry] {
        &self.entries[..self.published]
    }

    /// The CLIP models in every other precision.
    pub fn variants(&self) -> &[ModelEntry] {
        &self.entries[self.published..]
    }

    /// The entry for a name: exactly that name or alias, else the one that Immich's cleaning of the name gives.
    pub fn find(&self, name: &str) -> Option<&ModelEntry> {
        let index = self.by_name.get(name).or_else(|| self.by_name.get(&clean_name(name)))?;
        Some(&self.entries[*index])
    }

    /// The entry that really holds a model's network for a role, following `same_as`.
    pub(crate) fn holder<'a>(&'a self, entry: &'a ModelEntry, role: Role) -> Option<&'a ModelEntry> {
        let mut entry = entry;
        // `index` has checked that every chain ends.
        while let Some(next) = entry.part(role).and_then(|part| part.same_as.as_deref()) {
            entry = self.find(next)?;
        }
        entry.roles().contains(&role).then_some(entry)
    }

    fn index(mut entries: Vec<ModelEntry>) -> Result<Self, ModelError> {
        let published = entries.len();
        let clip = |entry: &&ModelEntry| entry.family.immich_task() == Some("clip");
        let variants: Vec<_> = entries
            .iter()
            .filter(clip)
            .flat_map(|entry| [Precision::Int8, Precision::Fp16].map(|precision| entry.variant(precision)))
            .collect();
        entries.extend(variants);
        let mut by_name = HashMap::new();
        for (index, entry) in entries.iter().enumerate() {
            for name in std::iter::once(&entry.name).chain(&entry.aliases) {
                if !names::is_safe(name) {
                    return Err(ModelError::Catalogue(format!("{name:?} cannot be a model name")));
                }
                if by_name.insert(name.clone(), index).is_some() {
                    return Err(ModelError::Catalogue(format!("two models are named {name:?}")));
                }
            }
        }
        let catalogue = Self { entries, published, by_name };
        for entry in catalogue.entries() {
            catalogue
                .check(entry)
                .map_err(|reason| ModelError::Catalogue(format!("{}: {reason}", entry.name)))?;
        }
        Ok(catalogue)
    }

    fn check(&self, entry: &ModelEntry) -> Result<(), String> {
        for source in &entry.sources {
            let whole = match source {
                Source::File { .. } | Source::HuggingFace { path: None, .. } => {
                    entry.family != Family::Runtime
                }
                Source::Pip { member: None, .. } | Source::GitHub { member: None, .. } => {
                    entry.family == Family::Runtime
                }
                _ => false,
            };
            // What is opened as a library is known by its sum before it is opened.
            if let (true, Source::GitHub { sha256, .. }) = (whole, source)
                && !sha256.as_deref().is_some_and(is_sum)
            {
                return Err(format!("{source} needs `sha256`, 64 lower-case hex digits"));
            }
            if !whole {
                return Err(format!("{source} names one file; put it under the role it is for"));
            }
        }
        for role in Role::ALL {
            let Some(part) = entry.part(role) else { continue };
            if entry.family == Family::Runtime {
                return Err("a runtime has no roles".into());
            }
            if part.sha256.as_deref().is_some_and(|sum| !is_sum(sum)) {
                return Err(format!("the SHA-256 of {role} is not 64 lower-case hex digits"));
            }
            for source in &part.sources {
                if matches!(source, Source::HuggingFace { path: None, .. } | Source::Pip { member: None, .. })
                {
                    return Err(format!("{source} for {role} does not say which file"));
                }
                if let Source::GitHub { sha256, platform, .. } = source
                    && (sha256.is_some() || platform.is_some())
                {
                    return Err(format!(
                        "{source}: `sha256` and `platform` are for a runtime; {role} has its own sum"
                    ));
                }
            }
            if part.same_as.is_some() {
                let mut seen = vec![entry.name.as_str()];
                let mut next = part.same_as.as_deref();
                while let Some(name) = next {
                    let other =
                        self.find(name).ok_or_else(|| format!("{role} is the same as unknown {name:?}"))?;
                    if seen.contains(&other.name.as_str()) {
                        return Err(format!("{role} is the same as itself"));
                    }
                    seen.push(&other.name);
                    if !other.roles().contains(&role) {
                        return Err(format!("{role} is the same as that of {name:?}, which has none"));
                    }
                    next = other.part(role).and_then(|part| part.same_as.as_deref());
                }
            }
        }
        if entry.roles().is_empty() && entry.family != Family::Runtime {
            return Err("it has neither sources nor roles".into());
        }
        Ok(())
    }
}

/// Is it a SHA-256 as this file writes them?
fn is_sum(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(text: &str) -> Result<Catalogue, ModelError> {
        Catalogue::new(Catalogue::parse(text)?)
    }

    #[test]
    fn built_in_list_is_sound() {
        let catalogue = Catalogue::new(Vec::new()).unwrap();
        let small = catalogue.find("PP-OCRv6_small").unwrap();
        assert_eq!(small.roles(), [Role::Detection, Role::Classification, Role::Recognition]);
        let cls = catalogue.holder(small, Role::Classification).unwrap();
        assert_eq!(cls.part(Role::Classification).unwrap().input, Some((48, 192)));
    }

    #[test]
    fn names_are_found_as_immich_writes_them() {
        let catalogue = Catalogue::new(Vec::new()).unwrap();
        for name in ["ViT-B-32__openai", "ViT-B-32::openai", "immich-app/ViT-B-32::openai"] {
            assert_eq!(catalogue.find(name).unwrap().name, "ViT-B-32__openai", "{name}");
        }
        assert_eq!(catalogue.find("cn-clip/ViT-B-16").unwrap().family, Family::ChineseClip);
        assert_eq!(catalogue.find("CH__PP-OCRv5_mobile").unwrap().name, "PP-OCRv5_mobile");
        assert!(catalogue.find("ViT-B-16").is_none());
    }

    #[test]
    fn own_entries_replace_and_inherit() {
        let catalogue = own(
            "[[models]]\nname = \"cn-clip/ViT-B-16\"\nfamily = \"chinese-clip\"\nsources = [{ file = \"/m/vit-b-16\" }]\n",
        )
        .unwrap();
        let entry = catalogue.find("cn-clip/ViT-B-16").unwrap();
        assert_eq!(entry.width, Some(512));
        assert_eq!(entry.sources.len(), 1);
        assert_eq!(entry.roles(), [Role::Visual, Role::Textual]);
    }

    #[test]
    fn nonsense_is_refused_with_a_reason() {
        let refused = |text: &str, reason: &str| {
            let error = own(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        };
        let head = "[[models]]\nname = \"x\"\nfamily = \"paddle-ocr\"\n";
        refused(head, "neither sources nor roles");
        refused("[[models]]\nname = \"../x\"\nfamily = \"paddle-ocr\"\n", "cannot be a model name");
        refused(&format!("{head}colour = 1\n"), "colour");
        refused(&format!("{head}[models.detection]\nsame_as = \"x\"\n"), "same as itself");
        refused(&format!("{head}[models.detection]\nsame_as = \"y\"\n"), "unknown \"y\"");
        refused(&format!("{head}[models.detection]\nsha256 = \"AB\"\n"), "64 lower-case hex");
        refused(&format!("{head}sources = [{{ pip = \"p\" }}]\n"), "needs `version`");
        refused(&format!("{head}sources = [{{ file = \"a\", tag = \"b\" }}]\n"), "`tag` has no meaning");
        refused(&format!("{head}sources = [{{ tag = \"b\" }}]\n"), "exactly one of");
        let library = "[[models]]\nname = \"x\"\nfamily = \"runtime\"\n";
        let release = "github = \"o/n\", tag = \"v1\", asset = \"a.tgz\"";
        refused(&format!("{library}sources = [{{ {release} }}]\n"), "needs `sha256`");
        refused(
            &format!("{head}[models.detection]\nsources = [{{ {release}, platform = \"linux-x86_64\" }}]\n"),
            "are for a runtime",
        );
        refused(&format!("{head}aliases = [\"buffalo_l\"]\nsources = [{{ file = \"a\" }}]\n"), "two models");
    }
}
