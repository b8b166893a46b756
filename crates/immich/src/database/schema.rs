//! How this Immich calls its tables and columns, and what can be done with them; found out by looking.
//!
//! Names changed between versions, and columns came and went; what is there decides, not a version's number. What is missing takes
//! away what needs it, and nothing else.
use viewfinder_catalog::postgres::{Result as Sql, Transaction};

use crate::{
    database::{
        Error, item,
        needs::{self, FoundColumns, IMMICH, NEEDS, RequiredIn, Requirement, newest},
        people::People,
        vectors::{Vectors, vectors},
    },
    library::{Capabilities, Capability},
};

/// Names of tables, with their schema and ready for SQL, and what else differs between versions. Those that are missing have
/// the newest name; whoever asks for what he needs first never comes to use it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each tells of a column, and they come and go apart")]
pub(crate) struct Schema {
    pub(crate) asset: String,
    pub(crate) exif: String,
    pub(crate) face: String,
    pub(crate) person: String,
    pub(crate) file: String,
    pub(crate) partner: String,
    pub(crate) user: String,
    pub(crate) job_status: String,
    /// Table, and its columns of the album and of the asset.
    pub(crate) album_asset: [String; 3],
    /// Table, and its columns of the asset and of the tag.
    pub(crate) tag_asset: [String; 3],
    pub(crate) tag_closure: String,
    /// Where Immich's settings are, if it has any there.
    pub(crate) settings: Option<String>,
    /// Can pictures be told apart?
    pub(crate) ids: bool,
    /// Does a picture tell when it was changed?
    pub(crate) changes: bool,
    /// Is Immich's own text recognition there (v2.2)?
    pub(crate) ocr: bool,
    /// Can its readings be taken over?
    pub(crate) readings: bool,
    /// Can lines be hidden by an edit (v2.5)?
    pub(crate) ocr_visible: bool,
    /// Can faces be hidden (v2)?
    pub(crate) face_visible: bool,
    pub(crate) people: People,
    /// Is the converted video a row of `asset_file` (v2.6), not a column?
    pub(crate) encoded_in_file: bool,
    /// Can it be known which videos were converted?
    pub(crate) encoded_known: bool,
    /// Are width, height and `isEdited` there (v2.5)?
    pub(crate) sized: bool,
    /// Are there files that an edit made (v2.5)?
    pub(crate) edited_files: bool,
    pub(crate) rules: Rules,
    pub(crate) vectors: Option<Vectors>,
    /// What can be done, and why not the rest.
    pub(crate) capabilities: Capabilities,
}

/// What an Immich answers, where that is not a matter of columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rules {
    /// v1.134: items without `createdAt`.
    V1,
    /// v2.
    V2,
    /// v3: no devices, durations in milliseconds, everything but locked pictures found unless asked otherwise.
    V3,
}

impl Schema {
    /// Looks at a database; none if it has no pictures of an Immich.
    pub(crate) async fn probe(tx: &Transaction) -> Sql<Option<Self>> {
        let seen = FoundColumns::look(tx).await?;
        if seen.table(needs::ASSET).is_none() {
            return Ok(None);
        }
        let vectors = vectors(tx).await?;
        Ok(Some(Self::of(&seen, vectors)))
    }

    fn of(seen: &FoundColumns, vectors: Option<Vectors>) -> Self {
        let name = |names| seen.table(names).unwrap_or_else(|| newest(names));
        let table = |names| format!("{IMMICH}.\"{}\"", name(names));
        let has = |table, column| seen.has(table, column);
        let pair = |of, one, other| {
            let column = |names| format!("\"{}\"", seen.column(of, names).unwrap_or_else(|| newest(names)));
            [table(of), column(one), column(other)]
        };
        let rules = if !has(needs::ASSET, "deviceId") && seen.duration != "character varying" {
            Rules::V3
        } else if name(needs::ASSET) == "assets" {
            Rules::V1
        } else {
            Rules::V2
        };
        let groups = has(needs::FACE, "personGroupId") || has(needs::PERSON, "personGroupId");
        let people = if groups { People::Groups } else { People::Persons };
        let ocr = seen.table(needs::OCR).or(seen.table(needs::OCR_SEARCH)).is_some()
            || has(needs::JOB_STATUS, "ocrAt");
        let sized = item::SIZE.iter().any(|column| has(needs::ASSET, column));
        let applies = |need: &&Requirement| match need.when {
            RequiredIn::Always => true,
            RequiredIn::BeforeV3 => rules != Rules::V3,
            RequiredIn::Edits => sized,
            RequiredIn::Persons => people == People::Persons,
            RequiredIn::Groups => people == People::Groups,
            RequiredIn::Reads => ocr,
        };
        let mut capabilities = Capabilities::default();
        let mut readings = ocr;
        for need in NEEDS.iter().filter(applies) {
            let Some(reason) = seen.missing(need) else { continue };
            readings &= need.table == needs::ASSET || !need.lost.contains(&Capability::FollowChanges);
            for capability in need.lost {
                capabilities.lose(*capability, &reason);
            }
        }
        if vectors.is_none() {
            for capability in [Capability::MeaningSearch, Capability::HybridSearch, Capability::RedoVectors] {
                capabilities.lose(capability, "the vectors of this Immich are of no known kind");
            }
        }
        let encoded_in_file = !has(needs::ASSET, "encodedVideoPath");
        Self {
            asset: table(needs::ASSET),
            exif: table(needs::EXIF),
            face: table(needs::FACE),
            person: table(needs::PERSON),
            file: table(needs::FILE),
            partner: table(needs::PARTNER),
            user: table(needs::USER),
            job_status: table(needs::JOB_STATUS),
            album_asset: pair(needs::ALBUM_ASSET, needs::ALBUM_OF_ASSET, needs::ASSET_IN),
            tag_asset: pair(needs::TAG_ASSET, needs::ASSET_IN, needs::TAG_OF_ASSET),
            tag_closure: table(needs::TAG_CLOSURE),
            settings: (has(needs::SETTINGS, "key") && has(needs::SETTINGS, "value"))
                .then(|| table(needs::SETTINGS)),
            ids: has(needs::ASSET, "id"),
            changes: has(needs::ASSET, "updateId"),
            ocr,
            readings,
            ocr_visible: has(needs::OCR, "isVisible"),
            face_visible: has(needs::FACE, "isVisible"),
            people,
            encoded_in_file,
            encoded_known: !encoded_in_file || has(needs::FILE, "assetId") && has(needs::FILE, "type"),
            sized,
            edited_files: has(needs::FILE, "isEdited"),
            rules,
            vectors,
            capabilities,
        }
    }

    /// Refuses what is not possible with this Immich.
    pub(crate) fn require(&self, capability: Capability) -> Result<(), Error> {
        let told = self.capabilities.told(capability);
        told.map_or(Ok(()), |reason| Err(Error::Missing { capability, reason }))
    }
}
