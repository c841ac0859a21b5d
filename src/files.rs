//! Writing files whole or not at all, keeping earlier versions, and removing what a crash leaves behind.

use crate::error::{ensure, Doing, Result};
use crate::held::{folder_of, real};
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tempfile::Builder;

/// The prefix of an unfinished file's name; its final name follows.
const UNFINISHED: &str = ".writing-";

/// Writes `bytes` to `path` whole or not at all: a temporary file beside it is written, synced and renamed, and the
/// folder is synced.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) if it cannot be written; `path` then keeps its previous contents.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    write_keeping(path, bytes, 0)
}

/// As [`write_atomically`], but keeps earlier versions: `NAME.EXT` becomes `NAME.1.EXT`, which becomes `NAME.2.EXT`, up
/// to `NAME.<keep>.EXT`.
///
/// `path` never goes missing in the meantime: the old content first gets a second name by a link (or a copy, if the
/// file system has no links), and only then is the new content, already safe on disk, renamed over the first name.
pub(crate) fn write_keeping(path: &Path, bytes: &[u8], keep: u64) -> Result<()> {
    replace(path, keep, |file| file.write_all(bytes).doing("writing", path))
}

/// As [`write_atomically`], with contents that `write` produces.
pub(crate) fn write_through(path: &Path, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    replace(path, 0, write)
}

fn replace(path: &Path, keep: u64, write: impl FnOnce(&mut File) -> Result<()>) -> Result<()> {
    let real = &real(path);
    let temporary = Builder::new().prefix(&unfinished(path)).tempfile_in(folder_of(real)).map_err(without_path);
    let mut temporary = temporary.doing("writing", path)?;
    write(temporary.as_file_mut())?;
    let put = || -> io::Result<()> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            // Temporary files are private; this one must be as readable as any other new file.
            temporary.as_file().set_permissions(fs::Permissions::from_mode(0o644))?;
        }
        temporary.as_file().sync_all()?;
        keep_previous(real, keep).map_err(without_path)?;
        temporary.persist(real)?;
        #[cfg(unix)]
        File::open(folder_of(real))?.sync_all()?;
        Ok(())
    };
    put().doing("writing", path)
}

/// The error without the name of the temporary file, which means nothing to a user.
fn without_path(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((why, _)) => io::Error::new(error.kind(), why),
        None => error,
    }
}

fn keep_previous(path: &Path, keep: u64) -> io::Result<()> {
    if keep == 0 || !path.exists() {
        return Ok(());
    }
    // After a crash between the last two renames, both names already refer to one file: the earlier versions have moved on.
    let moved_on = same_file(path, &previous(path, 1));
    if moved_on {
        return Ok(());
    }
    // Files beyond the first gap in the numbers stay where they are.
    let last = (1..keep).find(|k| !previous(path, *k).exists()).unwrap_or(keep);
    for k in (1..last).rev() {
        fs::rename(previous(path, k), previous(path, k + 1))?;
    }
    let link = |temporary: &Path| second_name(path, temporary);
    let second = Builder::new().prefix(&unfinished(path)).make_in(folder_of(path), link)?.into_temp_path();
    fs::rename(&second, previous(path, 1))
}

/// Gives a file that is only ever replaced as a whole a second name, or copies it if the file system has no links.
pub(crate) fn second_name(path: &Path, second: &Path) -> io::Result<()> {
    match fs::hard_link(path, second) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => copy(path, second),
        result => result,
    }
}

/// Copies a file; returns once the copy is safe on disk.
pub(crate) fn copy(path: &Path, second: &Path) -> io::Result<()> {
    fs::copy(path, second)?;
    File::open(second)?.sync_all()
}

/// The name of the version of `path` from `k` writes ago, such as `checkpoint.1.safetensors`.
pub(crate) fn previous(path: &Path, k: u64) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    match path.extension() {
        Some(extension) => path.with_file_name(format!("{stem}.{k}.{}", extension.to_string_lossy())),
        None => path.with_file_name(format!("{stem}.{k}")),
    }
}

/// Removes unfinished files left by killed processes if their final names begin with one of `names`.
pub(crate) fn remove_unfinished(folder: &Path, names: &[&str]) -> io::Result<()> {
    // Any name will do to find the folder itself.
    for entry in fs::read_dir(folder_of(&real(&folder.join(UNFINISHED))))? {
        let entry = entry?;
        let name = entry.file_name();
        let target = name.to_str().and_then(|name| name.strip_prefix(UNFINISHED));
        if target.is_some_and(|target| names.iter().any(|name| target.starts_with(name))) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Opens one of a run's own files, which is written in place. A symbolic link is refused: its target may not belong to the run.
///
/// # Errors
/// [`Error::Content`](crate::Error::Content) if `path` is a symbolic link or not a regular file, [`Error::Io`](crate::Error::Io) if it
/// cannot be opened.
pub(crate) fn open_own(path: &Path, options: &mut OpenOptions) -> Result<File> {
    let real = &real(path);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Opening a pipe would otherwise block.
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    // Checked only once opening has failed, so that nothing can be swapped in between; outside Unix, checked before.
    let link = || fs::symlink_metadata(real).is_ok_and(|found| found.is_symlink());
    let opened = if cfg!(not(unix)) && link() { Err(ErrorKind::AlreadyExists.into()) } else { options.open(real) };
    ensure!(
        opened.is_ok() || !link(),
        Content,
        "{} is a symbolic link; expected a regular file: remove the link, or choose another folder",
        path.display()
    );
    let file = opened.doing("opening", path)?;
    let regular = file.metadata().doing("reading", path)?.is_file();
    ensure!(regular, Content, "{} is not a regular file; remove it, or choose another folder", path.display());
    Ok(file)
}

/// Whether two paths are names of one file.
#[cfg(unix)]
fn same_file(a: &Path, b: &Path) -> bool {
    matches!((fs::metadata(a), fs::metadata(b)), (Ok(a), Ok(b)) if same(&a, &b))
}

/// Whether two paths are names of one file. Outside Unix, a file is taken to have one name.
#[cfg(not(unix))]
fn same_file(_: &Path, _: &Path) -> bool {
    false
}

/// Whether these are the metadata of one file.
#[cfg(unix)]
fn same(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (a.dev(), a.ino()) == (b.dev(), b.ino())
}

/// Whether `path` is still the name of the open `file`.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    matches!((file.metadata(), fs::metadata(path)), (Ok(a), Ok(b)) if same(&a, &b))
}

/// Whether `path` is still the name of the open `file`. Outside Unix, an open file keeps its name, and has no other.
#[cfg(not(unix))]
pub(crate) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

fn unfinished(path: &Path) -> String {
    format!("{UNFINISHED}{}-", path.file_name().unwrap_or_default().to_string_lossy())
}

/// Refuses a symbolic link, so that nothing is written to where it points.
pub(crate) fn refuse_link(path: &Path) -> Result<()> {
    ensure!(
        !path.is_symlink(),
        Content,
        "{} is a symbolic link, and nothing is written through links: replace it with its target, or remove it",
        path.display()
    );
    Ok(())
}

/// Refuses a folder that is a symbolic link, or that holds anything but files and folders. One that does not exist passes.
pub(crate) fn refuse_links_in(folder: &Path) -> Result<()> {
    refuse_link(folder)?;
    if !folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(folder).doing("reading", folder)? {
        let entry = entry.doing("reading", folder)?;
        refuse_link(&entry.path())?;
        let kind = entry.file_type().doing("reading", folder)?;
        ensure!(kind.is_file() || kind.is_dir(), Content, "{}: not a regular file; remove it", entry.path().display());
    }
    Ok(())
}

/// Returns once the names in the folder of `path` are safe on disk.
pub(crate) fn sync_folder_of(path: &Path) -> Result<()> {
    #[cfg(unix)]
    File::open(folder_of(path)).and_then(|folder| folder.sync_all()).doing("writing", path)?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::held::Held;

    /// Asserts which files are in a folder, in the order of their names, and what they contain.
    fn assert_holds(folder: &Path, expected: &[(&str, &str)]) {
        let read = |entry: io::Result<fs::DirEntry>| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
        };
        let mut found: Vec<_> = fs::read_dir(folder).unwrap().map(read).collect();
        found.sort();
        assert!(found.iter().map(|(name, text)| (&**name, &**text)).eq(expected.iter().copied()), "{found:?}");
    }

    #[test]
    fn previous_versions_are_kept_up_to_a_number() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("a.txt");
        let write = |text: &str, keep| write_keeping(&path, text.as_bytes(), keep).unwrap();
        write("1", 0);
        write("2", 0);
        assert_holds(dir.path(), &[("a.txt", "2")]);
        for text in ["3", "4", "5", "6"] {
            write(text, 3);
        }
        assert_holds(dir.path(), &[("a.1.txt", "5"), ("a.2.txt", "4"), ("a.3.txt", "3"), ("a.txt", "6")]);
        // If one number is missing, nothing beyond it moves.
        fs::remove_file(dir.path().join("a.2.txt")).unwrap();
        write("7", 3);
        assert_holds(dir.path(), &[("a.1.txt", "6"), ("a.2.txt", "5"), ("a.3.txt", "3"), ("a.txt", "7")]);
    }

    #[test]
    fn a_crash_between_link_and_rename_leaves_nothing_behind() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = dir.path().join("a.txt");
        for text in ["1", "2", "3"] {
            write_keeping(&path, text.as_bytes(), 2).unwrap();
        }
        // The state that a crash leaves.
        keep_previous(&path, 2).unwrap();
        assert_holds(dir.path(), &[("a.1.txt", "3"), ("a.2.txt", "2"), ("a.txt", "3")]);
        write_keeping(&path, b"4", 2).unwrap();
        assert_holds(dir.path(), &[("a.1.txt", "3"), ("a.2.txt", "2"), ("a.txt", "4")]);
    }

    #[test]
    fn only_unfinished_files_of_the_names_are_removed() {
        let dir = tempfile::TempDir::new().unwrap();
        for name in [".writing-a.txt-Xy", ".writing-b.txt-Xy", "a.txt", ".lock"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        remove_unfinished(dir.path(), &["a."]).unwrap();
        assert_holds(dir.path(), &[(".lock", ""), (".writing-b.txt-Xy", ""), ("a.txt", "")]);
    }

    #[test]
    fn names_with_and_without_an_extension() {
        assert_eq!(previous(Path::new("a/b.c.txt"), 2), Path::new("a/b.c.2.txt"));
        assert_eq!(previous(Path::new("b"), 1), Path::new("b.1"));
    }

    #[cfg(target_os = "linux")]
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
        // The last one opened counts.
        let again = Held::open(&run).unwrap();
        write_atomically(&run.join("b"), b"3").unwrap();
        assert!(run.join("b").exists() && !moved.join("b").exists());
        drop(again);
        write_atomically(&run.join("c"), b"4").unwrap();
        assert!(moved.join("c").exists());
        drop(held);
        write_atomically(&run.join("d"), b"5").unwrap();
        assert!(run.join("d").exists());
        // Messages name the path that the user gave.
        std::fs::remove_dir_all(&run).unwrap();
        let error = write_atomically(&run.join("d"), b"6").unwrap_err().to_string();
        assert!(error.ends_with("run/d: No such file or directory (os error 2)"), "{error}");
    }
}
