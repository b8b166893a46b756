//! Whose pictures a caller may find.
use uuid::Uuid;
use viewfinder_catalog::postgres::{Result, Sql, Work};

use crate::{
    Caller, Error,
    filters::Visibility,
    schema::{Rules, Schema},
};

/// What a caller may find with the visibility that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scope {
    caller: Caller,
    owners: Vec<Uuid>,
    visibility: Option<Visibility>,
    rules: Rules,
}

impl Scope {
    /// Asks the database for the partners whose pictures the caller wants in the timeline.
    pub(crate) fn of(
        work: &mut Work<'_>,
        schema: &Schema,
        caller: Caller,
        visibility: Option<Visibility>,
    ) -> Result<Result<Self, Error>> {
        if visibility == Some(Visibility::Locked) && !caller.elevated {
            return Ok(Err(Error::NotElevated));
        }
        let Schema { partner, user, .. } = schema;
        let rows = work.rows(
            &format!(
                "SELECT p.\"sharedById\" FROM {partner} AS p
                 JOIN {user} AS sharer ON sharer.id = p.\"sharedById\" AND sharer.\"deletedAt\" IS NULL
                 JOIN {user} AS viewer ON viewer.id = p.\"sharedWithId\" AND viewer.\"deletedAt\" IS NULL
                 WHERE p.\"sharedWithId\" = $1 AND p.\"inTimeline\""
            ),
            &[&caller.user],
        )?;
        let mut owners = vec![caller.user];
        owners.extend(rows.iter().map(|row| row.get::<_, Uuid>(0)));
        Ok(Ok(Self { caller, owners, visibility, rules: schema.rules }))
    }

    /// Adds conditions on rows of `asset`.
    pub(crate) fn add(&self, sql: &mut Sql, to: &mut Vec<String>) {
        match self.visibility {
            // A partner's locked pictures are nobody's business, whatever an Immich does.
            Some(Visibility::Locked) => {
                to.push(format!("asset.\"ownerId\" = {}", sql.param(self.caller.user)));
            }
            _ => to.push(format!("asset.\"ownerId\" = ANY({})", sql.param(self.owners.clone()))),
        }
        match (self.visibility, self.rules) {
            (None, Rules::V3) if self.caller.elevated => {
                let user = sql.param(self.caller.user);
                to.push(format!("(asset.visibility <> 'locked' OR asset.\"ownerId\" = {user})"));
            }
            (None, Rules::V3) => to.push("asset.visibility <> 'locked'".into()),
            (visibility, _) => {
                let name = visibility.unwrap_or(Visibility::Timeline).name();
                to.push(format!("asset.visibility = '{name}'"));
            }
        }
    }
}
