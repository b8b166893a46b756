//! Immich's pictures as something that can be searched, for one caller and one request.
use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use async_trait::async_trait;
use pgvector::Vector;
use tokio_postgres::Row;
use uuid::Uuid;
use viewfinder_catalog::{
    AssetId, Filter, Scored, StoreError, TextExpr, TextLine,
    postgres::{Pool, Result, Sql, TextSearch, Tokenizer, Transaction, at_most, use_index},
    search::{Source, excluded},
};

use crate::{
    database::{
        filters::add_of_query,
        schema::Schema,
        scope::Scope,
        single::rows,
        vectors::{Index, Vectors},
    },
    library::request::{Alternative, AssetFilter},
};

/// Up to this many allowed pictures are compared one by one; more are looked for through the index.
const FEW: usize = 2500;
/// Candidates that pgvector keeps at most while it walks its graph: its own limit.
const BROADEST: usize = 1000;

/// The pictures that one of a request's alternatives may find.
pub(crate) struct AlternativeSource<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) schema: &'a Schema,
    pub(crate) tokenizer: &'a Tokenizer,
    pub(crate) scope: &'a Scope,
    pub(crate) alternative: &'a Alternative,
    names: Mutex<Names>,
}

/// The ranking knows pictures by number. Numbers are given in the order in which pictures are met, for this search only.
#[derive(Default)]
struct Names {
    numbers: HashMap<Uuid, AssetId>,
    known: Vec<Known>,
}

/// A picture, and when it was taken: of two that fit alike, the newer comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Known {
    /// Microseconds since 1970.
    pub(crate) taken: i64,
    pub(crate) id: Uuid,
}

impl Names {
    fn number(&mut self, known: Known) -> AssetId {
        *self.numbers.entry(known.id).or_insert_with(|| {
            self.known.push(known);
            AssetId(self.known.len() as i64 - 1)
        })
    }

    fn known(&self, asset: AssetId) -> Option<Known> {
        self.known.get(usize::try_from(asset.0).ok()?).copied()
    }
}

impl<'a> AlternativeSource<'a> {
    pub(crate) fn new(
        pool: &'a Pool,
        schema: &'a Schema,
        tokenizer: &'a Tokenizer,
        scope: &'a Scope,
        alternative: &'a Alternative,
    ) -> Self {
        Self { pool, schema, tokenizer, scope, alternative, names: Mutex::default() }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The picture of a number.
    pub(crate) fn known(&self, asset: AssetId) -> Option<Known> {
        self.names().known(asset)
    }

    /// Conditions on rows of `asset`, joined by `AND`.
    pub(crate) fn conditions(&self, sql: &mut Sql) -> String {
        let mut conditions = Vec::new();
        match &self.alternative.allows {
            AssetFilter::Flat(filters) => {
                self.scope.add(filters.visibility, self.schema.rules, sql, &mut conditions);
                filters.add(self.schema, sql, &mut conditions);
            }
            AssetFilter::Structured(filter) => filter.add(self.schema, self.scope, sql, &mut conditions),
        }
        let user = Some(self.scope.caller.user);
        add_of_query(&self.alternative.query, self.schema, sql, &mut conditions, user);
        conditions.join(" AND ")
    }

    /// What the words exclude; their other filters are among the conditions.
    pub(crate) fn without(&self) -> Filter {
        Filter { without: excluded(&self.alternative.query), ..Filter::default() }
    }

    /// The same, with those of the ranking.
    pub(crate) fn conditions_with(&self, filter: &Filter, sql: &mut Sql) -> String {
        let mut conditions = self.conditions(sql);
        if let Some(without) = filter.without.as_ref().and_then(|expr| sql.text(self.tokenizer, expr, "n")) {
            conditions.push_str(&format!(
                " AND NOT EXISTS (SELECT FROM viewfinder.immich_text AS n WHERE n.asset = asset.id AND {without})"
            ));
        }
        if let Some(among) = &filter.among {
            let among = sql.param(self.ids(among));
            conditions.push_str(&format!(" AND asset.id = ANY({among})"));
        }
        conditions
    }

    fn ids(&self, assets: &[AssetId]) -> Vec<Uuid> {
        let names = self.names();
        assets.iter().filter_map(|asset| Some(names.known(*asset)?.id)).collect()
    }

    /// A row of id, score and time.
    fn scored(&self, row: &Row) -> Scored {
        let taken: SystemTime = row.get(2);
        let micros = |time: std::time::Duration| i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
        let taken = taken.duration_since(UNIX_EPOCH).map_or_else(|before| -micros(before.duration()), micros);
        let asset = self.names().number(Known { taken, id: row.get(0) });
        Scored { asset, score: row.get::<_, f64>(1) as f32 }
    }

    async fn nearest_rows(
        &self,
        tx: &Transaction,
        vectors: &Vectors,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Row>> {
        let asset = &self.schema.asset;
        let allowed = {
            let mut sql = Sql::default();
            let conditions = self.conditions_with(filter, &mut sql);
            let statement = format!(
                "SELECT asset.id FROM {asset} AS asset WHERE {conditions} LIMIT {}",
                at_most(FEW + 1)
            );
            tx.rows(&statement, &sql.refs()).await?
        };
        let limit = at_most(limit);
        let mut sql = Sql::default();
        let vector = sql.param(Vector::from(vector.to_vec()));
        let near = format!(
            "SELECT asset.id, (1 - (s.embedding <=> {vector}::vector))::float8 AS score, asset.\"fileCreatedAt\" AS taken
             FROM {asset} AS asset JOIN public.smart_search AS s ON s.\"assetId\" = asset.id"
        );
        let statement = if allowed.len() <= FEW {
            let ids = sql.param(allowed.iter().map(|row| row.get(0)).collect::<Vec<Uuid>>());
            // Materialized, so that the index is not asked, which would walk past most rows.
            format!(
                "WITH allowed AS MATERIALIZED ({near} WHERE asset.id = ANY({ids}))
                 SELECT * FROM allowed ORDER BY score DESC, taken DESC, id LIMIT {limit}"
            )
        } else {
            let settings = match vectors.index {
                Index::Hnsw { iterates } => {
                    let breadth = usize::try_from(limit).unwrap_or(BROADEST).clamp(100, BROADEST);
                    let go_on = if iterates { "; SET LOCAL hnsw.iterative_scan = relaxed_order" } else { "" };
                    format!("SET LOCAL hnsw.ef_search = {breadth}{go_on}")
                }
                Index::Vchord { probes } => format!("SET LOCAL vchordrq.probes = '{probes}'"),
                Index::None => String::new(),
            };
            tx.batch(&settings).await?;
            let conditions = self.conditions_with(filter, &mut sql);
            format!(
                "SELECT * FROM ({near} WHERE {conditions} ORDER BY s.embedding <=> {vector}::vector LIMIT {limit}) AS near
                 ORDER BY score DESC, taken DESC, id"
            )
        };
        tx.rows(&statement, &sql.refs()).await
    }
}

#[async_trait]
impl Source for AlternativeSource<'_> {
    async fn find_text(
        &self,
        expr: &TextExpr,
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        let mut sql = Sql::default();
        let Some(search) = TextSearch::new(&mut sql, self.tokenizer, expr, "t") else {
            return Ok(Vec::new());
        };
        let conditions = self.conditions_with(filter, &mut sql);
        let candidates = format!(
            "SELECT t.asset, t.size, a.taken FROM viewfinder.immich_text AS t, LATERAL (
                 SELECT \"fileCreatedAt\" AS taken FROM {} AS asset WHERE asset.id = t.asset AND {conditions} OFFSET 0
             ) AS a WHERE {}",
            self.schema.asset, search.condition
        );
        let statement = search.statement("viewfinder.immich_text", &candidates, Some("taken"), limit);
        let tx = self.pool.read().await?;
        use_index(&tx).await?;
        let rows = tx.rows(&statement, &sql.refs()).await?;
        tx.commit().await?;
        Ok(rows.iter().map(|row| self.scored(row)).collect())
    }

    fn finds_other_forms(&self) -> bool {
        self.tokenizer.config.is_some()
    }

    async fn lines(&self, ids: &[AssetId]) -> Result<Vec<Vec<TextLine>>, StoreError> {
        let uuids = self.ids(ids);
        let rows = rows(
            self.pool,
            "SELECT asset, texts, scores, corners FROM viewfinder.immich_text WHERE asset = ANY($1)",
            &[&uuids],
        )
        .await?;
        let mut of: HashMap<Uuid, Vec<TextLine>> = rows
            .iter()
            .map(|row| (row.get(0), lines(row.get(1), &row.get::<_, Vec<f32>>(2), row.get(3))))
            .collect();
        Ok(uuids.iter().map(|id| of.remove(id).unwrap_or_default()).collect())
    }

    async fn nearest(
        &self,
        _model: &str,
        vector: &[f32],
        filter: &Filter,
        limit: usize,
    ) -> Result<Vec<Scored>, StoreError> {
        let Some(vectors) = &self.schema.vectors else { return Ok(Vec::new()) };
        let tx = self.pool.read().await?;
        let rows = self.nearest_rows(&tx, vectors, vector, filter, limit).await?;
        tx.commit().await?;
        Ok(rows.iter().map(|row| self.scored(row)).collect())
    }

    /// From even distances in the order of ids, which are random.
    async fn background(&self, _model: &str, vector: &[f32], count: usize) -> Result<Vec<f32>, StoreError> {
        let rows = rows(
                self.pool,
                "SELECT DISTINCT ON (near.id) (1 - (near.embedding <=> $1::vector))::float8 FROM
                     generate_series(0, $2::bigint - 1) AS step,
                     LATERAL (
                         SELECT \"assetId\" AS id, embedding FROM public.smart_search
                         WHERE \"assetId\" >= (lpad(to_hex((step << 32) / $2), 8, '0') || repeat('0', 24))::uuid
                         ORDER BY \"assetId\" LIMIT 1
                     ) AS near",
                &[&Vector::from(vector.to_vec()), &at_most(count)],
            )
        .await?;
        Ok(rows.iter().map(|row| row.get::<_, f64>(0) as f32).collect())
    }
}

/// Lines from their columns.
pub(crate) fn lines(texts: Vec<String>, scores: &[f32], corners: Vec<f32>) -> Vec<TextLine> {
    let mut corners = corners.into_iter();
    let mut corner = || corners.next().unwrap_or_default();
    texts
        .into_iter()
        .zip(scores)
        .map(|(text, score)| TextLine {
            text,
            score: *score,
            corners: [(); 4].map(|()| [corner(), corner()]),
            corrected: false,
        })
        .collect()
}
