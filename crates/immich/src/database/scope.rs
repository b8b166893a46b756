//! Whose pictures a caller may find.
use uuid::Uuid;
use viewfinder_catalog::postgres::{Result, Sql, Transaction};

use crate::{
    database::schema::{Rules, Schema},
    library::{Caller, filters::Visibility},
};

/// Who asks, and whose pictures are in their timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    pub(crate) caller: Caller,
    owners: Vec<Uuid>,
}

impl Scope {
    /// Asks the database for the partners whose pictures the caller wants in the timeline.
    pub(crate) async fn of(tx: &Transaction, schema: &Schema, caller: Caller) -> Result<Self> {
        let Schema { partner, user, .. } = schema;
        let rows = tx
            .rows(
                &format!(
                    "SELECT p.\"sharedById\" FROM {partner} AS p
                 JOIN {user} AS sharer ON sharer.id = p.\"sharedById\" AND sharer.\"deletedAt\" IS NULL
                 JOIN {user} AS viewer ON viewer.id = p.\"sharedWithId\" AND viewer.\"deletedAt\" IS NULL
                 WHERE p.\"sharedWithId\" = $1 AND p.\"inTimeline\""
                ),
                &[&caller.user],
            )
            .await?;
        let mut owners = vec![caller.user];
        owners.extend(rows.iter().map(|row| row.get::<_, Uuid>(0)));
        Ok(Self { caller, owners })
    }

    /// A condition on rows of `asset`: the picture is the caller's, or a partner's.
    pub(crate) fn owned(&self, sql: &mut Sql) -> String {
        format!("asset.\"ownerId\" = ANY({})", sql.param(self.owners.clone()))
    }

    /// Adds conditions on rows of `asset` for the first shape, with the visibility that was asked for.
    pub(crate) fn add(
        &self,
        visibility: Option<Visibility>,
        rules: Rules,
        sql: &mut Sql,
        to: &mut Vec<String>,
    ) {
        match visibility {
            // A partner's locked pictures are nobody's business, whatever an Immich does.
            Some(Visibility::Locked) => {
                to.push(format!("asset.\"ownerId\" = {}", sql.param(self.caller.user)));
            }
            _ => to.push(self.owned(sql)),
        }
        match (visibility, rules) {
            (None, Rules::V3) => self.add_locked(false, sql, to),
            (visibility, _) => {
                let name = visibility.unwrap_or(Visibility::Timeline).name();
                to.push(format!("asset.visibility = '{name}'"));
            }
        }
    }

    /// Adds a condition on rows of `asset`: locked pictures are found by their owner only, after the PIN, unless the request itself says
    /// what may be `seen`.
    pub(crate) fn add_locked(&self, seen: bool, sql: &mut Sql, to: &mut Vec<String>) {
        if self.caller.elevated || seen {
            let user = sql.param(self.caller.user);
            to.push(format!("(asset.visibility <> 'locked' OR asset.\"ownerId\" = {user})"));
        } else {
            to.push("asset.visibility <> 'locked'".into());
        }
    }
}
