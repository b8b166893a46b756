//! Pictures by their conditions and an order, not by relevance: whole lists, parts of them, or how many there are.
use std::ops::Range;

use uuid::Uuid;
use viewfinder_catalog::{
    StoreError,
    postgres::{Pool, Sql, at_most},
};

use crate::{
    database::{
        schema::Schema,
        single::{one, rows},
        source::AlternativeSource,
    },
    library::order::{By, Order},
};

/// What may be in a list.
pub(crate) enum List<'a> {
    /// What any of these allow; at least one.
    AlternativeSource(&'a [&'a AlternativeSource<'a>]),
    /// These, all of which are allowed.
    Hits(&'a [Uuid]),
}

impl List<'_> {
    fn condition(&self, sql: &mut Sql) -> String {
        let all: Vec<String> = match self {
            Self::AlternativeSource(all) => {
                all.iter().map(|allowed| allowed.conditions_with(&allowed.without(), sql)).collect()
            }
            Self::Hits(ids) => vec![format!("asset.id = ANY({})", sql.param(ids.to_vec()))],
        };
        format!("(({}))", all.join(") OR ("))
    }

    /// Those at these places of the order.
    pub(crate) async fn part(
        &self,
        pool: &Pool,
        schema: &Schema,
        order: Order,
        places: &Range<usize>,
    ) -> Result<Vec<Uuid>, StoreError> {
        let (offset, limit) = (at_most(places.start), at_most(places.len()));
        let exif = if order.needs_exif() {
            format!("LEFT JOIN {} AS ordering ON ordering.\"assetId\" = asset.id", schema.exif)
        } else {
            String::new()
        };
        let end = format!("ORDER BY {} LIMIT {limit} OFFSET {offset}", order_by(order));
        self.ids(pool, schema, &exif, &end).await
    }

    /// At most so many, by chance.
    pub(crate) async fn drawn(
        &self,
        pool: &Pool,
        schema: &Schema,
        count: usize,
    ) -> Result<Vec<Uuid>, StoreError> {
        self.ids(pool, schema, "", &format!("ORDER BY random() LIMIT {}", at_most(count))).await
    }

    async fn ids(
        &self,
        pool: &Pool,
        schema: &Schema,
        join: &str,
        end: &str,
    ) -> Result<Vec<Uuid>, StoreError> {
        let mut sql = Sql::default();
        let condition = self.condition(&mut sql);
        let statement =
            format!("SELECT asset.id FROM {} AS asset {join} WHERE {condition} {end}", schema.asset);
        let rows = rows(pool, &statement, &sql.refs()).await?;
        Ok(rows.iter().map(|row| row.get(0)).collect())
    }

    /// How many there are.
    pub(crate) async fn count(&self, pool: &Pool, schema: &Schema) -> Result<usize, StoreError> {
        let mut sql = Sql::default();
        let condition = self.condition(&mut sql);
        let statement = format!("SELECT count(*) FROM {} AS asset WHERE {condition}", schema.asset);
        let count: i64 = one(pool, &statement, &sql.refs()).await?;
        Ok(usize::try_from(count).unwrap_or(0))
    }
}

/// What follows `ORDER BY` for rows of `asset`, with those of `ordering` from the table of EXIF beside them if it needs EXIF.
fn order_by(order: Order) -> String {
    let direction = if order.ascending { "ASC" } else { "DESC" };
    let first = match order.by {
        By::Taken => format!("asset.\"fileCreatedAt\" {direction}"),
        By::LocalTime => format!("asset.\"localDateTime\" {direction}"),
        By::Size => format!("ordering.\"fileSizeInByte\" {direction} NULLS LAST"),
        By::Rating => format!("ordering.rating {direction} NULLS LAST"),
    };
    format!("{first}, asset.id {direction}")
}
