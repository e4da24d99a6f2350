//! A folder of the process's own that is removed with what is in it.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The folder.
pub struct TempFolder(PathBuf);

impl TempFolder {
    /// Makes it; nobody else may look into it.
    ///
    /// # Errors
    /// It cannot be made, or there is one of that name already: that is somebody else's.
    pub fn new() -> io::Result<Self> {
        let path = std::env::temp_dir().join(format!("avwatch-load-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0) {
            tracing::error!("cannot remove the temporary folder {}: {error}", self.0.display());
        }
    }
}
