//! Previews from the folder where Immich keeps them.
use std::path::{Component, Path, PathBuf};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;
use uuid::Uuid;
use viewfinder_catalog::postgres::{Result, Transaction};

use crate::database::{Database, NoPreview, Previews, schema::Schema};

/// Bytes of a preview. Immich makes them of 1440 pixels.
const LARGEST: u64 = 100 << 20;

/// Where Immich's files are seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFolder {
    /// What paths in the database begin with, such as `/data`; empty if they are the same here. None if the database tells.
    pub prefix_in_database: Option<String>,
    /// The folder that it stands for.
    pub folder: PathBuf,
}

impl MediaFolder {
    /// Where a file of the database is here; none if it does not lie below `prefix`.
    fn place(&self, prefix: &str, path: &str) -> Option<PathBuf> {
        let rest = Path::new(path).strip_prefix(prefix).ok()?;
        // No path of a database leads out of the folder.
        rest.components().all(|part| matches!(part, Component::Normal(_))).then(|| self.folder.join(rest))
    }

    /// Reads a file of the folder. Blocks.
    fn read(&self, place: &Path) -> Result<Bytes, NoPreview> {
        viewfinder_files::read(place, LARGEST).map(Bytes::from).map_err(|error| {
            self.trouble().map_or_else(
                || NoPreview::OfPicture(format!("{}: {error}", place.display())),
                NoPreview::OfAll,
            )
        })
    }

    /// Why nothing in the folder can be read. Where a disk is not mounted, the folder is empty.
    fn trouble(&self) -> Option<String> {
        let folder = self.folder.display();
        match std::fs::read_dir(&self.folder).map(|mut entries| entries.next()) {
            Ok(Some(Ok(_))) => None,
            Ok(None) => Some(format!("{folder} is empty; is its disk mounted?")),
            Ok(Some(Err(error))) | Err(error) => Some(format!("{folder}: {error}")),
        }
    }
}

impl Database {
    /// Reads the preview of a picture from a folder; the unedited one, as Immich reads text from it.
    ///
    /// # Errors
    /// [`NoPreview::OfAll`] if the folder is not what it should be, as one whose disk is not mounted.
    pub async fn preview_in(&self, media: &MediaFolder, id: Uuid) -> Result<Bytes, NoPreview> {
        let (path, prefix) = self.preview_path(media, id).await.map_err(|error| error.to_string())?;
        let path = path.ok_or_else(|| "Immich has made none yet".to_owned())?;
        let place = media.place(&prefix, &path).ok_or_else(|| {
            format!("{path} does not begin with {prefix}; companion.media_prefix or --media-prefix says what paths begin with")
        })?;
        let media = media.clone();
        // A disk may sleep.
        let read = spawn_blocking(move || media.read(&place)).await;
        read.unwrap_or_else(|error| Err(error.to_string().into()))
    }

    /// The path of a preview, and what paths begin with.
    async fn preview_path(&self, media: &MediaFolder, id: Uuid) -> Result<(Option<String>, String)> {
        let schema = self.schema();
        let tx = self.pool().read().await?;
        let row = tx.row(&statement(&schema), &[&id]).await?;
        let prefix = match &media.prefix_in_database {
            Some(prefix) => prefix.clone(),
            None => location(&tx, &schema).await?,
        };
        tx.commit().await?;
        Ok((row.map(|row| row.get(0)), prefix))
    }
}

/// The folder that Immich says its files are in, as it sees them; of an Immich that does not say, the usual one of a container.
async fn location(tx: &Transaction, schema: &Schema) -> Result<String> {
    let row = match &schema.settings {
        Some(table) => {
            tx.row(&format!("SELECT value ->> 'location' FROM {table} WHERE key = 'MediaLocation'"), &[])
                .await?
        }
        None => None,
    };
    Ok(row.and_then(|row| row.get(0)).unwrap_or_else(|| "upload".to_owned()))
}

fn statement(schema: &Schema) -> String {
    let edited = if schema.edited_files { " AND NOT \"isEdited\"" } else { "" };
    format!("SELECT path FROM {} WHERE \"assetId\" = $1 AND type = 'preview'{edited}", schema.file)
}

/// Previews of a database's pictures in a folder.
pub struct MediaPreviews<'a> {
    /// Tells their paths.
    pub database: &'a Database,
    /// Where they are.
    pub media: &'a MediaFolder,
}

#[async_trait]
impl Previews for MediaPreviews<'_> {
    async fn preview(&self, asset: Uuid) -> Result<Bytes, NoPreview> {
        self.database.preview_in(self.media, asset).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_not_mounted_is_known() {
        let folder = tempfile::tempdir().unwrap();
        let of = |folder: &Path| MediaFolder { prefix_in_database: None, folder: folder.into() }.trouble();
        assert!(of(folder.path()).unwrap().contains("mounted"));
        assert!(of(&folder.path().join("gone")).is_some());
        std::fs::create_dir(folder.path().join("thumbs")).unwrap();
        assert_eq!(of(folder.path()), None);
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(of(&folder.path().join("file")).is_some());
    }

    #[test]
    fn paths_stay_in_the_folder() {
        let media = MediaFolder { prefix_in_database: None, folder: "/mnt/photos".into() };
        let place = |path: &str| media.place("/data", path);
        assert_eq!(place("/data/thumbs/a.jpeg"), Some("/mnt/photos/thumbs/a.jpeg".into()));
        assert_eq!(place("/data/../etc/passwd"), None);
        assert_eq!(place("/database/a.jpeg"), None);
        assert_eq!(media.place("", "upload/thumbs/a.jpeg"), Some("/mnt/photos/upload/thumbs/a.jpeg".into()));
    }
}
