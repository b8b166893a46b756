//! What a store can do. Two implementations pass the same tests: SQLite (one file, the default) and PostgreSQL.
//!
//! Each call is one transaction, and belongs into a Tokio runtime.
use async_trait::async_trait;

use crate::{
    AnalysisKind, Asset, AssetId, FaceRecord, FileRecord, Outcome, PersonFace, PersonId, Properties,
    UnassignedFace,
    search::Source,
    text::{is_word, normalized},
};

/// Why a store could not do something.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file or database was written by a newer version of the program.
    #[error("the catalogue has format {found}, but this version knows only up to {known}; update Viewfinder")]
    TooNew {
        /// Format found.
        found: i64,
        /// Newest format known.
        known: i64,
    },
    /// No room, no rights, a file of another program: someone has to do something.
    #[error("{0}")]
    Unusable(String),
    /// What is kept makes no sense: a disk or a program wrote into it.
    #[error("{0} ({DAMAGED})")]
    Damaged(String),
    /// Cannot be reached now; trying again may help.
    #[error("{0}")]
    Away(String),
    /// A mistake of ours.
    #[error("catalogue: {0}")]
    Internal(String),
}

impl StoreError {
    /// Stable and machine-readable.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooNew { .. } | Self::Unusable(_) => "catalogue_unusable",
            Self::Damaged(_) => DAMAGED,
            Self::Away(_) => "catalogue_away",
            Self::Internal(_) => "internal",
        }
    }
}

/// The code of what is damaged, for whoever reads only the text.
const DAMAGED: &str = "catalogue_damaged";

/// What a match of a gram counts beside one of a word, 1: grams are for what no dictionary knows, and match by chance more often.
pub(crate) const GRAMS_WEIGHT: f32 = 0.4;

/// What to find in text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TextExpr {
    /// This word, from border to border, as the segmenter cuts words.
    Word(String),
    /// These letters and digits one after the other in one line, wherever words begin and end and whatever signs stand between them.
    Letters(String),
    /// Every one of these.
    All(Vec<TextExpr>),
    /// Any of these.
    Any(Vec<TextExpr>),
}

impl TextExpr {
    /// The same with nothing in it but normalised letters and digits, at least one in each part; none if it can match nothing.
    pub(crate) fn cleaned(&self) -> Option<Self> {
        let some = |parts: Vec<Self>| (!parts.is_empty()).then_some(parts);
        Some(match self {
            Self::Word(word) => Self::Word(Some(normalized(word)).filter(|word| is_word(word))?),
            Self::Letters(text) => Self::Letters(Some(normalized(text)).filter(|text| !text.is_empty())?),
            Self::All(parts) => Self::All(some(parts.iter().map(Self::cleaned).collect::<Option<_>>()?)?),
            Self::Any(parts) => Self::Any(some(parts.iter().filter_map(Self::cleaned).collect())?),
        })
    }
}

/// Which assets may be found at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Parts that the path contains, whatever their case; all of them.
    pub path: Vec<String>,
    /// Taken at or after this, in milliseconds since 1970.
    pub from_ms: Option<i64>,
    /// Taken before this.
    pub until_ms: Option<i64>,
    /// Persons who are in it: one of each group, since several may have one name.
    pub people: Vec<Vec<PersonId>>,
    /// Text that it must not have.
    pub without: Option<TextExpr>,
    /// Only these, if given, in ascending order.
    pub among: Option<Vec<AssetId>>,
}

/// An asset found, and how well it fits: larger is better.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scored {
    /// The asset.
    pub asset: AssetId,
    /// Text: BM25 (SQLite) or `ts_rank_cd` (PostgreSQL), above zero. Vectors: cosine, -1 to 1.
    pub score: f32,
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Person {
    /// Number.
    pub id: PersonId,
    /// Name; empty until somebody gives one.
    pub name: String,
    /// Faces of this person.
    pub faces: u64,
    /// Pictures with such a face.
    pub pictures: u64,
}

/// Counts, for progress and status pages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Assets.
    pub assets: u64,
    /// By kind, text, vectors and faces: never, done, failed.
    pub states: [[u64; 3]; 3],
}

/// Where assets and findings are kept.
#[async_trait]
pub trait Store: Source {
    // Files

    /// Adds files, or updates those of the same path. Changed content makes all analyses [`Never`] and forgets what
    /// they found, corrections included; unchanged content keeps them.
    ///
    /// [`Never`]: crate::AnalysisState::Never
    async fn put_files(&self, files: &[(FileRecord, Properties)]) -> Result<Vec<AssetId>, StoreError>;

    /// Gives an asset another path and file times, and keeps its findings; its content must be the same. An asset that was known at that
    /// path is forgotten.
    async fn move_file(&self, id: AssetId, file: &FileRecord) -> Result<(), StoreError>;

    /// Forgets assets and all that is known about them.
    async fn remove(&self, ids: &[AssetId]) -> Result<(), StoreError>;

    /// Assets whose path begins with `folder` (a path with a slash at its end, or empty for all), ordered by path,
    /// after the path `after`, at most `limit`.
    async fn list(&self, folder: &str, after: Option<&str>, limit: usize) -> Result<Vec<Asset>, StoreError>;

    /// Assets in the order of `ids`; those that are gone are left out.
    async fn assets(&self, ids: &[AssetId]) -> Result<Vec<Asset>, StoreError>;

    /// The asset of a path.
    async fn by_path(&self, path: &str) -> Result<Option<Asset>, StoreError>;

    /// Assets of a content.
    async fn by_hash(&self, hash: &crate::ContentHash) -> Result<Vec<Asset>, StoreError>;

    // Findings

    /// Records outcomes, all or none. Corrected lines survive a new text; see [`corrected`](crate::TextLine::corrected).
    /// Known faces stay known where a new face without a person lies over one. After a failure, what was found before
    /// stays.
    async fn record(&self, outcomes: &[Outcome]) -> Result<(), StoreError>;

    /// Marks analyses as never done, so that they are done again. What was found stays searchable until then, but for vectors
    /// of another model, which [`Source::nearest`] leaves out. With `discard_corrections`, corrected lines are put back to
    /// what was read, and the next text replaces them.
    async fn forget(
        &self,
        kind: AnalysisKind,
        ids: &[AssetId],
        discard_corrections: bool,
    ) -> Result<(), StoreError>;

    /// Marks everything done by another model as never done; returns how many.
    async fn forget_other_models(&self, kind: AnalysisKind, model: &str) -> Result<u64, StoreError>;

    /// Marks everything that failed, or failed with this code, as never done; returns how many.
    async fn forget_failures(&self, kind: AnalysisKind, code: Option<&str>) -> Result<u64, StoreError>;

    /// Assets for which one of `kinds` was never done, after `after` in the order of numbers, at most `limit`.
    async fn pending(
        &self,
        kinds: &[AnalysisKind],
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<Asset>, StoreError>;

    /// Assets with a failed analysis, newest first, at most `limit`.
    async fn failures(&self, limit: usize) -> Result<Vec<Asset>, StoreError>;

    /// Replaces a line's text by hand and marks it corrected; false if the asset has no such line.
    async fn correct(&self, id: AssetId, line: usize, text: &str) -> Result<bool, StoreError>;

    /// The vector of an asset, and its model.
    async fn embedding(&self, id: AssetId) -> Result<Option<(String, Vec<f32>)>, StoreError>;

    /// Faces of an asset, with their places for [`Store::assign`].
    async fn faces(&self, id: AssetId) -> Result<Vec<FaceRecord>, StoreError>;

    // Search

    /// Assets that pass the filter, newest first by the time taken, then by number, after `after`, at most `limit`: what a
    /// page shows before anything was searched. Nothing comes after an asset that is gone.
    async fn browse(
        &self,
        filter: &Filter,
        after: Option<AssetId>,
        limit: usize,
    ) -> Result<Vec<AssetId>, StoreError>;

    /// How many assets pass the filter.
    async fn count(&self, filter: &Filter) -> Result<usize, StoreError>;

    // People

    /// Everybody who has a face or a name, largest group first.
    async fn people(&self) -> Result<Vec<Person>, StoreError>;

    /// Those of `people` that there are, largest group first.
    async fn people_of(&self, people: &[PersonId]) -> Result<Vec<Person>, StoreError>;

    /// For each of `people` the faces that show them best, large and sure ones, at most `each`. Of many faces, those of the pictures that
    /// came last are looked at.
    async fn portraits(&self, people: &[PersonId], each: usize) -> Result<Vec<Vec<PersonFace>>, StoreError>;

    /// A person's faces, those of the newest pictures first, after `after`, at most `limit`. Nothing comes after an asset that is gone.
    async fn faces_of(
        &self,
        person: PersonId,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<PersonFace>, StoreError>;

    /// Faces of `model` that belong to nobody yet, in the order of their assets and places, after `after`, at most `limit`.
    async fn unassigned_faces(
        &self,
        model: &str,
        after: Option<(AssetId, usize)>,
        limit: usize,
    ) -> Result<Vec<UnassignedFace>, StoreError>;

    /// The faces of `model` most like `embedding` that belong to somebody, but for those of `without`, best first, at most `limit`: person
    /// and cosine.
    async fn similar_people(
        &self,
        model: &str,
        embedding: &[f32],
        without: &[PersonId],
        limit: usize,
    ) -> Result<Vec<(PersonId, f32)>, StoreError>;

    /// Says whose a face probably is; `None` makes a new person. Returns the person, or none if there is no such face or person, or if
    /// somebody [said otherwise](Self::reject).
    async fn assign(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError>;

    /// Does what [`Self::assign`] does, as a person's word: what was said otherwise before does not hold any more.
    async fn assign_by_hand(
        &self,
        id: AssetId,
        face: usize,
        person: Option<PersonId>,
    ) -> Result<Option<PersonId>, StoreError>;

    /// Takes a face from a person, for good: whatever finds it anew, it does not become that person's again but
    /// [by hand](Self::assign_by_hand). False if there is no such face of this person.
    async fn reject(&self, id: AssetId, face: usize, person: PersonId) -> Result<bool, StoreError>;

    /// Makes `others` the same person as `keep`, who keeps number and name, or takes the first name of `others` for want of one. A face
    /// that was [taken](Self::reject) from one of them belongs to none of them. None if one of them is nobody.
    async fn merge_people(&self, keep: PersonId, others: &[PersonId]) -> Result<Option<Person>, StoreError>;

    /// Gives people a name, all or none; false if one of them is nobody.
    async fn name_people(&self, people: &[PersonId], name: &str) -> Result<bool, StoreError>;

    /// Persons called so, whatever the case.
    async fn people_called(&self, name: &str) -> Result<Vec<PersonId>, StoreError>;

    // Upkeep

    /// Counts.
    async fn counts(&self) -> Result<Counts, StoreError>;

    /// Counts changes of what a search could find: a page cut from results of another count may be stale.
    async fn revision(&self) -> Result<i64, StoreError>;

    /// Cuts the texts of some more assets, `limit` at most, into the tokens of the store's segmenter, if they were cut by one of another
    /// version; returns how many assets are left. Call it until none are, beside other work: until then, texts
    /// are found by their old tokens.
    async fn refresh_text(&self, limit: usize) -> Result<u64, StoreError>;
}
