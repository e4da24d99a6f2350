//! The folder for data: made for its owner alone, removed at the end if it was a temporary one.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use super::ServiceError;
use crate::config::DataDir;

/// A folder for data; a temporary one goes with it.
pub(super) struct DataFolder {
    /// Where it is.
    pub(super) path: PathBuf,
    temporary: bool,
}

impl DataFolder {
    /// Makes the folder, if it is not there.
    ///
    /// # Errors
    /// It cannot be made.
    pub(super) fn make(plan: &DataDir) -> Result<Self, ServiceError> {
        let (path, temporary) = match plan {
            DataDir::Fixed(path) => (path.clone(), false),
            DataDir::Temporary => (std::env::temp_dir().join(format!("avwatch-demo-{}", std::process::id())), true),
        };
        // Nobody else may read it; and a temporary one that is there already is somebody else's.
        let made = DirBuilder::new().recursive(!temporary).mode(0o700).create(&path);
        made.map_err(|error| ServiceError::DataDir {
            path: path.clone(),
            why: format!("{error}; set data_dir to a folder that can be written"),
        })?;
        Ok(Self { path, temporary })
    }
}

impl Drop for DataFolder {
    fn drop(&mut self) {
        if self.temporary
            && let Err(error) = std::fs::remove_dir_all(&self.path)
        {
            tracing::warn!("cannot remove the temporary folder {}: {error}", self.path.display());
        }
    }
}
