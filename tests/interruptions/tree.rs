//! All files below a folder, in memory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The contents of files by their path within a folder; folders end in `/`.
pub type Tree = BTreeMap<String, Vec<u8>>;

/// Reads everything below `folder`. The text in locks is left out: it names the process.
pub fn read(folder: &Path) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_string();
            if path.is_dir() {
                tree.insert(format!("{name}/"), Vec::new());
                folders.push(path);
            } else {
                let bytes = if name.ends_with(".lock") { Vec::new() } else { std::fs::read(&path).unwrap() };
                tree.insert(name, bytes);
            }
        }
    }
    tree
}

/// The names of the files in a folder.
pub fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// Writes a tree into `folder`.
pub fn write(tree: &Tree, folder: &Path) {
    for (name, bytes) in tree {
        let path = folder.join(name);
        if name.ends_with('/') {
            std::fs::create_dir_all(path).unwrap();
        } else {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// The lines in all `metrics.csv` below `folder`: how far a command is. A running command may replace or remove them meanwhile.
pub fn rows(folder: &Path) -> usize {
    let mut lines = 0;
    let mut folders: Vec<PathBuf> = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&next) else { continue };
        for path in entries.flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.ends_with("metrics.csv") {
                lines += std::fs::read(&path).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count();
            }
        }
    }
    lines
}
