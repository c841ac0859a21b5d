//! Folders that are held open: their files go into the folder itself, whatever its path has come to name meanwhile.
//!
//! A run's folder can be moved, and another run's put in its place, between any two steps of a write. On Linux an open folder has a
//! second path, which follows it; elsewhere its own path has to do.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The folders that this process holds open, by the paths under which they were opened.
static HELD: Mutex<Vec<(PathBuf, Arc<File>)>> = Mutex::new(Vec::new());

/// A folder that is held open until this is dropped.
pub(crate) struct Held(Arc<File>);

impl Held {
    /// Opens a folder. From now on [`real`] finds its files in it.
    ///
    /// # Errors
    /// Any error of the file system.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let file = Arc::new(File::open(folder)?);
        HELD.lock().unwrap_or_else(PoisonError::into_inner).push((folder.to_path_buf(), file.clone()));
        Ok(Held(file))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|(_, file)| !Arc::ptr_eq(file, &self.0));
    }
}

/// The path of a file by the folder that is held open under the path of its folder; `path` itself if none is.
pub(crate) fn real(path: &Path) -> PathBuf {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    let found = held.iter().rfind(|(folder, _)| folder == folder_of(path));
    match (found.and_then(|(_, file)| second_path(file)), path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
}

/// The folder that a path names a file of.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The path of an open folder that follows it, if there is one.
#[cfg(target_os = "linux")]
fn second_path(file: &File) -> Option<PathBuf> {
    use std::os::fd::AsRawFd;
    let path = PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()));
    // Not where /proc is missing.
    path.exists().then_some(path)
}

#[cfg(not(target_os = "linux"))]
fn second_path(_: &File) -> Option<PathBuf> {
    None
}
