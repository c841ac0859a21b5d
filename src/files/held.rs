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
    /// Those of the file system.
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
    let found = held.iter().rfind(|(folder, _)| folder == super::folder(path));
    match (found.and_then(|(_, file)| second_path(file)), path.file_name()) {
        (Some(folder), Some(name)) => folder.join(name),
        _ => path.to_path_buf(),
    }
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::files::{write_atomically, write_keeping};

    #[test]
    fn files_follow_a_folder_that_was_moved() {
        let dir = tempfile::TempDir::new().unwrap();
        let (run, moved) = (dir.path().join("run"), dir.path().join("moved"));
        std::fs::create_dir(&run).unwrap();
        let held = Held::open(&run).unwrap();
        std::fs::rename(&run, &moved).unwrap();
        std::fs::create_dir(&run).unwrap();
        write_atomically(&run.join("a"), b"1").unwrap();
        write_keeping(&run.join("a"), b"2", 1).unwrap();
        assert_eq!(std::fs::read(moved.join("a")).unwrap(), b"2");
        assert_eq!(std::fs::read(moved.join("a.1")).unwrap(), b"1");
        assert_eq!(std::fs::read_dir(&run).unwrap().count(), 0);
        // The one that was opened last counts.
        let again = Held::open(&run).unwrap();
        write_atomically(&run.join("b"), b"3").unwrap();
        assert!(run.join("b").exists() && !moved.join("b").exists());
        drop(again);
        write_atomically(&run.join("c"), b"4").unwrap();
        assert!(moved.join("c").exists());
        drop(held);
        write_atomically(&run.join("d"), b"5").unwrap();
        assert!(run.join("d").exists());
        // Messages name the path that a person knows.
        std::fs::remove_dir_all(&run).unwrap();
        let error = write_atomically(&run.join("d"), b"6").unwrap_err().to_string();
        assert!(error.ends_with("run/d: No such file or directory (os error 2)"), "{error}");
    }
}
