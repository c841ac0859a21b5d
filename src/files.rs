//! Files that are written whole or not at all, the versions kept of them, and what a crash leaves behind.

use crate::error::{Doing, Result};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::{Builder, NamedTempFile};

/// How the names of files begin that are not yet whole; the name of what they become follows.
const UNFINISHED: &str = ".writing-";

/// The new content of a file: safe on the disk, but under a temporary name.
pub(crate) struct Prepared {
    temporary: NamedTempFile,
    path: PathBuf,
}

impl Prepared {
    /// Writes `bytes` beside `path`, and not before they are safe on the disk does it return.
    pub(crate) fn write(path: &Path, bytes: &[u8]) -> io::Result<Self> {
        let mut temporary = Builder::new().prefix(&unfinished(path)).tempfile_in(folder(path))?;
        temporary.write_all(bytes)?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Temporary files are private; what is kept is as readable as any other new file.
            temporary.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        temporary.as_file().sync_all()?;
        Ok(Prepared { temporary, path: path.to_path_buf() })
    }

    /// Renames it over the old content.
    pub(crate) fn put_in_place(self) -> io::Result<()> {
        self.temporary.persist(&self.path)?;
        #[cfg(unix)]
        File::open(folder(&self.path))?.sync_all()?;
        Ok(())
    }
}

/// Writes `bytes` to `path` whole or not at all: temporary file beside it, sync, rename, sync of the folder.
///
/// # Errors
/// Names the file; what was there before is then as it was.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    Prepared::write(path, bytes).and_then(Prepared::put_in_place).doing("writing", path)
}

/// The same, leaving the file alone where it holds these bytes already.
pub(crate) fn write_if_changed(path: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    write_atomically(path, bytes)
}

/// The same, keeping what was there before: `NAME.EXT` as `NAME.1.EXT`, that one as `NAME.2.EXT`, up to `NAME.<keep>.EXT`.
///
/// `path` never goes missing meanwhile: the old content gets its second name as a link (as a copy where the file system has
/// no links), and only then is the new content, which is safe on the disk by then, renamed over the first.
pub(crate) fn write_keeping(path: &Path, bytes: &[u8], keep: u64) -> Result<()> {
    let write = || -> io::Result<()> {
        let prepared = Prepared::write(path, bytes)?;
        keep_previous(path, keep)?;
        prepared.put_in_place()
    };
    write().doing("writing", path)
}

fn keep_previous(path: &Path, keep: u64) -> io::Result<()> {
    if keep == 0 || !path.exists() {
        return Ok(());
    }
    // Nothing moves beyond the first number that is free.
    let last = (1..keep).find(|k| !previous(path, *k).exists()).unwrap_or(keep);
    for k in (1..last).rev() {
        fs::rename(previous(path, k), previous(path, k + 1))?;
    }
    let link = |temporary: &Path| match fs::hard_link(path, temporary) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            fs::copy(path, temporary)?;
            File::open(temporary)?.sync_all()
        }
        result => result,
    };
    let second = Builder::new().prefix(&unfinished(path)).make_in(folder(path), link)?.into_temp_path();
    // Where a crash came between this and the last rename, both names are of one file already: then nothing is renamed, and
    // dropping `second` removes it.
    fs::rename(&second, previous(path, 1))
}

/// The name of the version of `path` that was the newest `k` writes ago: `checkpoint.1.safetensors`.
pub(crate) fn previous(path: &Path, k: u64) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    match path.extension() {
        Some(extension) => path.with_file_name(format!("{stem}.{k}.{}", extension.to_string_lossy())),
        None => path.with_file_name(format!("{stem}.{k}")),
    }
}

/// Removes what processes that were killed left unfinished of the files called `names`, or whose names begin so.
pub(crate) fn remove_unfinished(folder: &Path, names: &[&str]) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let ours = name.strip_prefix(UNFINISHED).is_some_and(|rest| names.iter().any(|n| rest.starts_with(n)));
        if ours {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Whether `path` is still the name of the open `file`.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let same = |a: &fs::Metadata, b: &fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if same(&a, &b))
}

/// Whether `path` is still the name of the open `file`; elsewhere than on Unix, an open file keeps its name.
#[cfg(not(unix))]
pub(crate) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

fn unfinished(path: &Path) -> String {
    format!("{UNFINISHED}{}-", path.file_name().unwrap_or_default().to_string_lossy())
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(folder: &Path) -> Vec<(String, String)> {
        let read = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
        };
        let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(read).collect();
        found.sort();
        found
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
    }

    #[test]
    fn previous_versions_are_kept_up_to_a_number() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("a.txt");
        let write = |text: &str, keep| write_keeping(&path, text.as_bytes(), keep).unwrap();
        write("1", 0);
        write("2", 0);
        assert_eq!(contents(dir.path()), pairs(&[("a.txt", "2")]));
        for text in ["3", "4", "5", "6"] {
            write(text, 3);
        }
        let all = [("a.1.txt", "5"), ("a.2.txt", "4"), ("a.3.txt", "3"), ("a.txt", "6")];
        assert_eq!(contents(dir.path()), pairs(&all));
        // Where one is missing, nothing beyond it moves.
        fs::remove_file(dir.path().join("a.2.txt")).unwrap();
        write("7", 3);
        let all = [("a.1.txt", "6"), ("a.2.txt", "5"), ("a.3.txt", "3"), ("a.txt", "7")];
        assert_eq!(contents(dir.path()), pairs(&all));
    }

    #[test]
    fn a_crash_between_link_and_rename_leaves_nothing_behind() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("a.txt");
        write_keeping(&path, b"1", 1).unwrap();
        keep_previous(&path, 1).unwrap();
        assert_eq!(contents(dir.path()), pairs(&[("a.1.txt", "1"), ("a.txt", "1")]), "as the crash leaves it");
        write_keeping(&path, b"2", 1).unwrap();
        assert_eq!(contents(dir.path()), pairs(&[("a.1.txt", "1"), ("a.txt", "2")]));
    }

    #[test]
    fn only_unfinished_files_of_the_names_are_removed() {
        let dir = tempfile::TempDir::new().unwrap();
        for name in [".writing-a.txt-Xy", ".writing-b.txt-Xy", "a.txt", ".lock"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        remove_unfinished(dir.path(), &["a."]).unwrap();
        assert_eq!(contents(dir.path()), pairs(&[(".lock", ""), (".writing-b.txt-Xy", ""), ("a.txt", "")]));
    }

    #[test]
    fn names_with_and_without_an_extension() {
        assert_eq!(previous(Path::new("a/b.c.txt"), 2), Path::new("a/b.c.2.txt"));
        assert_eq!(previous(Path::new("b"), 1), Path::new("b.1"));
    }

    #[cfg(unix)]
    #[test]
    fn a_removed_or_replaced_file_is_noticed() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("a.txt");
        let file = File::create(&path).unwrap();
        assert!(is_at(&file, &path));
        fs::remove_file(&path).unwrap();
        assert!(!is_at(&file, &path));
        fs::write(&path, "").unwrap();
        assert!(!is_at(&file, &path));
    }
}
