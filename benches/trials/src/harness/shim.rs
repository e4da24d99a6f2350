//! Faults of the system under the service, by a library that is put in front of the C library (`shim.c`).
//!
//! The service is the shipped binary, and knows nothing of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::service::Home;

const SOURCE: &str = include_str!("../shim.c");

/// The faults of one service.
pub struct Shim(PathBuf);

impl Shim {
    /// Builds the library and has the service of that home start with it.
    ///
    /// # Errors
    /// There is no C compiler.
    pub fn put_under(home: &mut Home) -> Result<Self> {
        let faults = home.path().join("faults");
        std::fs::create_dir(&faults)?;
        let (source, library) = (home.path().join("shim.c"), home.path().join("shim.so"));
        std::fs::write(&source, SOURCE)?;
        let built = Command::new("cc")
            .args(["-O2", "-Wall", "-Werror", "-shared", "-fPIC", "-o"])
            .arg(&library)
            .arg(&source)
            .output();
        let built = built.context("a C compiler is needed")?;
        ensure!(built.status.success(), "the shim does not compile: {}", String::from_utf8_lossy(&built.stderr));
        home.set("LD_PRELOAD", library.display().to_string());
        home.set("TRIAL_FAULTS", faults.display().to_string());
        Ok(Self(faults))
    }

    /// Arms a fault. The file comes to be as a whole.
    pub fn arm(&self, fault: &str, text: &str) -> Result<()> {
        let beside = self.0.join(format!(".{fault}"));
        std::fs::write(&beside, text)?;
        Ok(std::fs::rename(beside, self.path(fault))?)
    }

    /// Ends a fault, if it is not over.
    pub fn disarm(&self, fault: &str) {
        // One that strikes once may have removed it.
        let _ = std::fs::remove_file(self.path(fault));
    }

    /// Whether a fault is armed.
    pub fn is_armed(&self, fault: &str) -> bool {
        Path::new(&self.path(fault)).exists()
    }

    fn path(&self, fault: &str) -> PathBuf {
        self.0.join(fault)
    }
}
