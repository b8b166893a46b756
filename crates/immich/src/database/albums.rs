//! Whether a caller may look into albums.
use uuid::Uuid;
use viewfinder_catalog::postgres::{Result, Transaction};

/// Are all of these albums the user's own, or shared with them? No, if the database does not tell in a way that is known.
///
/// Immich was asked before; this is asked again because such albums show pictures of anybody.
pub(crate) async fn all_readable(tx: &Transaction, user: Uuid, albums: &[Uuid]) -> Result<bool> {
    let rows = tx
        .rows(
            "SELECT table_name || '.' || column_name FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name IN ('album', 'album_user')",
            &[],
        )
        .await?;
    let known: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let has = |columns: &[&str]| columns.iter().all(|column| known.iter().any(|known| known == column));
    let mut ways = Vec::new();
    if has(&["album.ownerId"]) {
        ways.push("a.\"ownerId\" = $1");
    }
    if has(&["album_user.albumId", "album_user.userId"]) {
        ways.push(
            "EXISTS (SELECT FROM public.album_user AS u WHERE u.\"albumId\" = a.id AND u.\"userId\" = $1)",
        );
    }
    if ways.is_empty() || !has(&["album.id"]) {
        return Ok(false);
    }
    let kept = if has(&["album.deletedAt"]) { "a.\"deletedAt\" IS NULL AND " } else { "" };
    let mut different = albums.to_vec();
    different.sort_unstable();
    different.dedup();
    let statement = format!(
        "SELECT count(*) FROM public.album AS a WHERE a.id = ANY($2) AND {kept}({})",
        ways.join(" OR ")
    );
    let readable: i64 = tx.one(&statement, &[&user, &different]).await?;
    Ok(readable == different.len() as i64)
}
