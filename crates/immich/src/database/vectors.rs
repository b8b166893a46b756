//! The vectors of what pictures show, and how they are searched.
use viewfinder_catalog::postgres::{Result as Sql, Transaction};

/// The vectors of what pictures show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Vectors {
    /// Numbers in each.
    pub(crate) width: usize,
    /// What has to be set for a search through the index.
    pub(crate) index: Index,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    /// pgvector's; can it go on when a filter leaves too few (0.8)?
    Hnsw { iterates: bool },
    /// `VectorChord`'s, with so many lists to look into.
    Vchord { probes: usize },
    /// None that is known: pictures are compared one by one.
    None,
}

/// Looks at `smart_search`; none if it is missing or of an extension that is not known.
pub(crate) async fn vectors(tx: &Transaction) -> Sql<Option<Vectors>> {
    let row = tx
        .row(
            "SELECT atttypmod FROM pg_attribute
         WHERE attrelid = to_regclass('public.smart_search') AND attname = 'embedding'
             AND atttypid = to_regtype('vector') AND NOT attisdropped",
            &[],
        )
        .await?;
    let width = row.and_then(|row| usize::try_from(row.get::<_, i32>(0)).ok());
    let Some(width) = width.filter(|width| *width > 0) else { return Ok(None) };
    let row = tx
        .row(
            "SELECT amname::text, coalesce(array_to_string(reloptions, ' '), ''), (
             SELECT extversion FROM pg_extension WHERE extname = 'vector'
         ) FROM pg_class AS index JOIN pg_am ON pg_am.oid = relam
         JOIN pg_index ON indexrelid = index.oid
         WHERE indrelid = to_regclass('public.smart_search') AND relname = 'clip_index'",
            &[],
        )
        .await?;
    let index = row.map_or(Index::None, |row| {
        let (method, options, version): (String, String, Option<String>) =
            (row.get(0), row.get(1), row.get(2));
        match method.as_str() {
            "hnsw" => Index::Hnsw { iterates: version.is_some_and(|version| at_least(&version, (0, 8))) },
            "vchordrq" => Index::Vchord { probes: lists(&options).div_ceil(8).max(1) },
            _ => Index::None,
        }
    });
    Ok(Some(Vectors { width, index }))
}

fn at_least(version: &str, least: (u32, u32)) -> bool {
    let mut parts = version.split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0)) >= least
}

/// How many lists an index of `VectorChord` has, from its options (`lists = [16]`). Immich looks into an eighth of them.
fn lists(options: &str) -> usize {
    let inside = options.split_once("lists").and_then(|(_, rest)| rest.split_once('['));
    let inside = inside.and_then(|(_, rest)| rest.split_once(']')).map_or("", |(inside, _)| inside);
    inside.split(',').filter_map(|number| number.trim().parse().ok()).next_back().unwrap_or(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_an_index_are_read() {
        assert_eq!(lists("options=residual_quantization = false\n[build.internal]\nlists = [1024]"), 1024);
        assert_eq!(lists("lists = [4, 64]"), 64);
        assert_eq!(lists(""), 1);
        assert!(at_least("0.8.1", (0, 8)) && at_least("0.10", (0, 8)) && !at_least("0.7.4", (0, 8)));
    }
}
