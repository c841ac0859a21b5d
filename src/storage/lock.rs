//! The lock of a run's folder: only one process at a time can write to it.

use crate::error::{bail, Doing, Result};
use crate::files;
use crate::held::Held;
use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

/// The name of the lock file in a run's folder.
const FILE_NAME: &str = ".lock";

/// The exclusive right to write to a run's folder, until this value is dropped or the process ends for any reason.
///
/// The operating system holds the lock, so a file left behind by a killed process locks nothing. The text in the file
/// names the process and its machine, for the error message of other processes.
pub struct Lock {
    folder: PathBuf,
    file: File,
    /// After locking, files are written into this very folder.
    _held: Held,
}

impl Lock {
    /// Locks a folder.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if another process has locked it, [`Error::Io`](crate::Error::Io) if the
    /// lock file cannot be opened or locked.
    pub fn take(folder: &Path) -> Result<Self> {
        let path = folder.join(FILE_NAME);
        // The folder that has this path now, not an earlier one that is already locked.
        let held = Held::open(folder).doing("opening", folder)?;
        let mut file = files::open_own(&path, File::options().read(true).write(true).create(true).truncate(false))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // On some systems other processes cannot read a locked file.
                let _ = file.read_to_string(&mut holder);
                let holder = if holder.is_empty() { "another process" } else { holder.trim() };
                bail!(
                    Usage,
                    "{} is in use by {holder}: only one process can write to a run's folder",
                    folder.display()
                );
            }
            // On a file system without locks, training unguarded is better than not training at all.
            Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => {}
            Err(TryLockError::Error(error)) => Err(error).doing("locking", &path)?,
        }
        let machine = sysinfo::System::host_name().map_or(String::new(), |name| format!(" on {name}"));
        // On a full disk, the lock holds even without this text.
        let _ = file.set_len(0).and_then(|()| writeln!(file, "process {}{machine}", std::process::id()));
        Ok(Lock { folder: folder.to_path_buf(), file, _held: held })
    }

    /// The locked folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the folder is still in its place, rather than removed, moved or replaced.
    pub(crate) fn is_in_place(&self) -> bool {
        files::is_at(&self.file, &self.folder.join(FILE_NAME))
    }
}

impl Drop for Lock {
    /// Closing the file would leave the lock to a process that is just being started, whose copy of the file is open until it runs its
    /// own program.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_user_at_a_time() {
        let dir = tempfile::TempDir::new().unwrap();
        // A file left behind by a killed process does not lock the folder, however long its text.
        std::fs::write(dir.path().join(FILE_NAME), "process 1 on a machine with a long, long name\n").unwrap();
        let lock = Lock::take(dir.path()).unwrap();
        let refused = Lock::take(dir.path()).err().unwrap().to_string();
        assert!(refused.contains(&format!("in use by process {}", std::process::id())), "{refused}");
        assert!(!refused.contains("a long, long name"), "{refused}");
        // A process that is being started has a copy of every open file.
        let copy = lock.file.try_clone().unwrap();
        drop(lock);
        let again = Lock::take(dir.path()).unwrap();
        drop(copy);
        assert!(Lock::take(dir.path()).is_err());
        drop(again);
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_was_removed_or_moved_is_noticed() {
        let dir = tempfile::TempDir::new().unwrap();
        let folder = dir.path().join("run");
        std::fs::create_dir(&folder).unwrap();
        let lock = Lock::take(&folder).unwrap();
        assert!(lock.is_in_place());
        std::fs::rename(&folder, dir.path().join("moved")).unwrap();
        assert!(!lock.is_in_place());
        std::fs::create_dir(&folder).unwrap();
        let other = Lock::take(&folder).unwrap();
        assert!(other.is_in_place() && !lock.is_in_place());
    }
}
