//! Previews from the folder where Immich keeps them.
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;
use viewfinder_catalog::postgres::{Result, Work};

use crate::database::{Database, NoPreview, schema::Schema};

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
    pub fn preview_in(&self, media: &MediaFolder, id: Uuid) -> Result<Bytes, NoPreview> {
        let schema = self.schema();
        let read = self.pool().read(|work| {
            let row = work.row(&statement(&schema), &[&id])?;
            let prefix = match &media.prefix_in_database {
                Some(prefix) => prefix.clone(),
                None => location(work, &schema)?,
            };
            Ok((row.map(|row| row.get::<_, String>(0)), prefix))
        });
        let (path, prefix) = read.map_err(|error| error.to_string())?;
        let path = path.ok_or_else(|| "Immich has made none yet".to_owned())?;
        let place = media.place(&prefix, &path).ok_or_else(|| {
            format!("{path} does not begin with {prefix}; companion.media_prefix or --media-prefix says what paths begin with")
        })?;
        viewfinder_files::read(&place, LARGEST).map(Bytes::from).map_err(|error| {
            media.trouble().map_or_else(
                || NoPreview::OfPicture(format!("{}: {error}", place.display())),
                NoPreview::OfAll,
            )
        })
    }
}

/// The folder that Immich says its files are in, as it sees them; of an Immich that does not say, the usual one of a container.
fn location(work: &mut Work<'_>, schema: &Schema) -> Result<String> {
    let row = match &schema.settings {
        Some(table) => {
            work.row(&format!("SELECT value ->> 'location' FROM {table} WHERE key = 'MediaLocation'"), &[])?
        }
        None => None,
    };
    Ok(row.and_then(|row| row.get(0)).unwrap_or_else(|| "upload".to_owned()))
}

fn statement(schema: &Schema) -> String {
    let edited = if schema.edited_files { " AND NOT \"isEdited\"" } else { "" };
    format!("SELECT path FROM {} WHERE \"assetId\" = $1 AND type = 'preview'{edited}", schema.file)
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
