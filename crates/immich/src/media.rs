//! Previews from the folder where Immich keeps them.
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;

use crate::{Library, schema::Schema};

/// Where Immich's files are seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaFolder {
    /// What paths in the database begin with, such as `/data`; empty if they are the same here.
    pub prefix_in_database: String,
    /// The folder that it stands for.
    pub folder: PathBuf,
}

impl MediaFolder {
    /// Where a file of the database is here; none if it lies elsewhere.
    fn place(&self, path: &str) -> Option<PathBuf> {
        let rest = Path::new(path).strip_prefix(&self.prefix_in_database).ok()?;
        // No path of a database leads out of the folder.
        rest.components().all(|part| matches!(part, Component::Normal(_))).then(|| self.folder.join(rest))
    }
}

impl Library {
    /// Reads the preview of a picture from a folder; the unedited one, as Immich reads text from it.
    ///
    /// # Errors
    /// One line, for people.
    pub fn preview_in(&self, media: &MediaFolder, id: Uuid) -> Result<Bytes, String> {
        let schema = self.schema();
        let row = self
            .pool()
            .read(|work| work.row(&statement(&schema), &[&id]))
            .map_err(|error| error.to_string())?;
        let path: String = row.map(|row| row.get(0)).ok_or("Immich has made none yet")?;
        let place = media.place(&path).ok_or_else(|| format!("{path} is not below the media folder"))?;
        std::fs::read(&place).map(Bytes::from).map_err(|error| format!("{}: {error}", place.display()))
    }
}

fn statement(schema: &Schema) -> String {
    let edited = if schema.sized { " AND NOT \"isEdited\"" } else { "" };
    format!("SELECT path FROM {} WHERE \"assetId\" = $1 AND type = 'preview'{edited}", schema.file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_folder() {
        let media = MediaFolder { prefix_in_database: "/data".into(), folder: "/mnt/photos".into() };
        let place = |path: &str| media.place(path);
        assert_eq!(place("/data/thumbs/a.jpeg"), Some("/mnt/photos/thumbs/a.jpeg".into()));
        assert_eq!(place("/data/../etc/passwd"), None);
        assert_eq!(place("/database/a.jpeg"), None);
        let plain = MediaFolder { prefix_in_database: String::new(), folder: "/mnt".into() };
        assert_eq!(plain.place("upload/thumbs/a.jpeg"), Some("/mnt/upload/thumbs/a.jpeg".into()));
    }
}
