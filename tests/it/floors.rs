//! The floors of the code: each folder of `src` uses only the folders below it.

use std::path::{Path, PathBuf};

/// The floors from the bottom up. Folders on one line don't use each other.
const FLOORS: [&[&str]; 19] = [
    &["held", "inference", "papers", "quantile", "random", "text"],
    &["error"],
    &["files", "ranges", "reader"],
    &["keys"],
    &["bodies"],
    &["environments"],
    &["config", "device", "plot", "tasks", "worlds"],
    &["model"],
    &["rules"],
    &["presets"],
    &["setup"],
    &["engine"],
    &["training"],
    &["storage"],
    &["runs"],
    &["analysis"],
    &["report"],
    &["sweep"],
    &["lib"],
];

/// Folders inside a folder are implementations: only the `mod.rs` around them uses them. Exceptions: (user, used). Gradients run
/// the plain operations under candle's autograd, and on the CPU the adjoint of the fused ones.
const INSIDE: [(&str, &str); 2] = [("engine/gradient", "engine/reference"), ("engine/gradient", "engine/cpu")];

/// Files of a folder that use each other, in a circle. Fewer is better.
const CIRCLES: [&[&str]; 6] = [
    &["engine/product", "engine/tiles"],
    &["model/cell", "model/neurons"],
    &["report/life_page", "report/lives"],
    &["sweep/job", "sweep/seal"],
    &[
        "training/adamw",
        "training/change",
        "training/checkpoint",
        "training/divergence",
        "training/plastic",
        "training/progress",
        "training/share",
        "training/update",
    ],
    &["training/builder", "training/trainer"],
];

fn floor(folder: &str) -> usize {
    let found = FLOORS.iter().position(|folders| folders.contains(&folder));
    found.unwrap_or_else(|| panic!("src/{folder} stands on no floor: give it one in tests/it/floors.rs"))
}

/// Why `line` is not allowed in the file at `path`, relative to `src`; `None` if it is.
///
/// Checks paths everywhere, not only in `use`. Links in documentation may point anywhere.
fn broken_rule(path: &Path, line: &str) -> Option<String> {
    let code = line.split("//").next().unwrap_or_default();
    let own = path.components().next()?.as_os_str().to_str()?.trim_end_matches(".rs");
    if own == "bin" {
        return None; // A crate of its own, which sees only the library's public items.
    }
    // How far `super` may climb before it leaves the folder: tests are modules inside their file.
    let inside_a_file = usize::from(line.starts_with("    "));
    let depth = path.components().count() - usize::from(path.file_stem()? == "mod") + inside_a_file;
    if code.matches("super::").count() >= depth.max(1) && path.components().count() > 1 {
        return Some(format!("`super` leaves src/{own}: write `crate::…`"));
    }
    if let Some(rule) = reaches_inside(path, own, code) {
        return Some(rule);
    }
    code.split("crate::").skip(1).find_map(|rest| {
        let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
        if name.is_empty() || name.starts_with(char::is_uppercase) {
            return Some("an import names the folder it comes from: `use crate::folder::Name`".into());
        }
        let up = name != own && floor(name) >= floor(own);
        up.then(|| format!("src/{own} (floor {}) may not use src/{name} (floor {})", floor(own), floor(name)))
    })
}

/// Why `code` may not use a folder inside the folder `own`; `None` if it may, or does not. Tests may compare
/// implementations.
fn reaches_inside(path: &Path, own: &str, code: &str) -> Option<String> {
    let around = path.parent()?;
    let deep = around.components().count().checked_sub(1)?;
    if code.starts_with("    ") || path.ends_with("tests.rs") || (deep == 0 && path.ends_with("mod.rs")) {
        return None;
    }
    let climb = "super::".repeat(deep + usize::from(!path.ends_with("mod.rs")));
    let used = [format!("crate::{own}::"), climb].iter().find_map(|prefix| {
        let rest = code.split(prefix.as_str()).nth(1).filter(|_| !prefix.is_empty())?;
        rest.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().filter(|name| !name.is_empty())
    })?;
    // A private import of the `mod.rs` leads further.
    let private = private_imports(own);
    let used = private.iter().find(|(name, _)| name == used).map_or(used, |(_, folder)| folder);
    let folder = Path::new(own).join(used);
    let inside = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&folder).is_dir();
    let user = around.components().take(2).collect::<PathBuf>();
    let allowed = INSIDE.iter().any(|(a, b)| user == Path::new(a) && folder == Path::new(b));
    (inside && user != folder && !allowed).then(|| format!("only src/{own}/mod.rs may use src/{}", folder.display()))
}

/// The names that `src/OWN/mod.rs` imports privately from the folders and files beside it, with where from.
fn private_imports(own: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(own).join("mod.rs");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let imports = text.lines().filter_map(|line| line.strip_prefix("use ")?.strip_suffix(';')?.split_once("::"));
    let outside = ["crate", "std", "super", "candle_core"];
    let inside = imports.filter(|(folder, _)| !outside.contains(folder));
    let named = inside.flat_map(|(folder, names)| {
        let names = names.trim_matches(['{', '}']).split(',').map(|name| name.trim().to_string());
        names.map(|name| (name, folder.to_string())).collect::<Vec<_>>()
    });
    named.collect()
}

/// The files beside a file that it uses by `super`, directly or through the re-exports of their `mod.rs`; paths relative to `src`.
fn neighbours(src: &Path, file: &Path) -> Vec<PathBuf> {
    let code = |path: &Path| {
        let text = std::fs::read_to_string(src.join(path)).unwrap_or_default();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_string();
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join(" ")
    };
    let folder = file.parent().unwrap();
    let around = code(&folder.join("mod.rs"));
    // The names that `mod.rs` takes from each of the files beside it.
    let exports: Vec<(String, String)> = around
        .split(';')
        .filter_map(|statement| statement.split_once("use ")?.1.split_once("::"))
        .flat_map(|(from, names)| {
            let names = names.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|name| !name.is_empty());
            names.map(|name| (name.to_string(), from.trim().to_string())).collect::<Vec<_>>()
        })
        .collect();
    let text = code(file);
    let mut used: Vec<PathBuf> = Vec::new();
    for rest in text.split("super::").skip(1) {
        let end = if rest.starts_with('{') {
            rest.find(';')
        } else {
            rest.find(|c: char| !(c.is_alphanumeric() || c == '_'))
        };
        let names = rest[..end.unwrap_or(rest.len())].split(|c: char| !(c.is_alphanumeric() || c == '_'));
        for name in names.filter(|name| !name.is_empty()) {
            let from = exports.iter().find(|(exported, _)| exported == name).map_or(name, |(_, from)| from);
            let path = folder.join(format!("{from}.rs"));
            if src.join(&path).exists() && path != file && !used.contains(&path) {
                used.push(path);
            }
        }
    }
    used
}

#[test]
fn circles_inside_a_folder_are_known() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let all: Vec<PathBuf> = all.iter().map(|path| path.strip_prefix(&src).unwrap().to_path_buf()).collect();
    let inside = all.iter().filter(|path| !path.starts_with("bin") && path.file_name().unwrap() != "mod.rs");
    let uses: Vec<(PathBuf, Vec<PathBuf>)> = inside.map(|path| (path.clone(), neighbours(&src, path))).collect();
    // What each file reaches.
    let reaches = |from: &PathBuf| {
        let mut reached: Vec<PathBuf> = Vec::new();
        let mut waiting = vec![from.clone()];
        while let Some(next) = waiting.pop() {
            for used in uses.iter().filter(|(user, _)| *user == next).flat_map(|(_, used)| used) {
                if !reached.contains(used) {
                    reached.push(used.clone());
                    waiting.push(used.clone());
                }
            }
        }
        reached
    };
    let reached: Vec<(PathBuf, Vec<PathBuf>)> = uses.iter().map(|(file, _)| (file.clone(), reaches(file))).collect();
    let both = |a: &PathBuf, b: &PathBuf| {
        let from = |a: &PathBuf| reached.iter().find(|(file, _)| file == a).map(|(_, reached)| reached);
        from(a).is_some_and(|all| all.contains(b)) && from(b).is_some_and(|all| all.contains(a))
    };
    let mut circles: Vec<Vec<String>> = Vec::new();
    for (file, _) in reached.iter().filter(|(file, reached)| reached.contains(file)) {
        let members = reached.iter().filter(|(other, _)| both(file, other));
        let mut names: Vec<String> = members.map(|(other, _)| other.with_extension("").display().to_string()).collect();
        names.sort();
        if !circles.contains(&names) {
            circles.push(names);
        }
    }
    circles.sort();
    let known: Vec<Vec<String>> =
        CIRCLES.iter().map(|circle| circle.iter().map(ToString::to_string).collect()).collect();
    assert_eq!(circles, known, "files that use each other in a circle");
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            files(&entry, found);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
}

#[test]
fn no_import_points_up() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    assert!(all.len() > 100, "{} files", all.len());
    let mut broken = Vec::new();
    for path in all {
        let inside = path.strip_prefix(&src).unwrap();
        for (line, number) in std::fs::read_to_string(&path).unwrap().lines().zip(1..) {
            let rule = broken_rule(inside, line);
            broken.extend(rule.map(|rule| format!("src/{}:{number}: {}\n    {rule}", inside.display(), line.trim())));
        }
    }
    assert!(broken.is_empty(), "imports that point up:\n{}", broken.join("\n"));
}

#[test]
fn an_import_that_points_up_is_found() {
    let broken = |file: &str, line: &str| broken_rule(Path::new(file), line).is_some();
    // Imports that once made a cycle of 33 files, by the folders that these files are in now.
    for (file, line) in [
        ("config/learning.rs", "use crate::tasks::Task;"),
        ("config/mod.rs", "use crate::engine::gradient::gradient;"),
        ("tasks/dnms.rs", "use crate::config::Config;"),
        ("model/cell.rs", "use crate::engine::product;"),
        ("rules/mod.rs", "    fn increment(&self, eligibility: &crate::engine::Eligibility);"),
        ("device/mod.rs", "use crate::engine::memory::Sizes;"),
        ("engine/gradient/mod.rs", "use crate::training::Trainer;"),
        ("engine/episode.rs", "use crate::runs::Inputs;"),
        ("config/mod.rs", "use crate::Result;"),
        ("config/mod.rs", "use crate::{model::State, Result};"),
        ("tasks/bits.rs", "use crate::rules::find_rule;"),
        ("engine/mod.rs", "use super::training::Trainer;"),
        ("engine/cpu/mod.rs", "use super::super::training::Trainer;"),
        ("engine/episode.rs", "use super::cpu::Cpu;"),
        ("engine/eligibility.rs", "use crate::engine::cuda::Cuda;"),
        ("engine/reference/steps.rs", "use super::super::gradient::Gradient;"),
        ("engine/cpu/mod.rs", "use super::reference::Reference;"),
        // `engine/mod.rs` imports it from `cpu`.
        ("engine/reference/steps.rs", "use super::super::adjoint;"),
    ] {
        assert!(broken(file, line), "{file}: {line}");
    }
    for (file, line) in [
        ("config/mod.rs", "//! Checked where they meet ([`crate::Setup`])."),
        ("engine/cpu/mod.rs", "use super::memory::Sizes;"),
        ("engine/cpu/mod.rs", "    use super::*;"),
        ("engine/mod.rs", "use cpu::Cpu;"),
        ("engine/gradient/backward.rs", "use crate::engine::reference::Steps;"),
        ("engine/cpu/shard.rs", "use super::fast_weights::FastWeightsPlan;"),
        ("engine/cuda/tests.rs", "use crate::engine::reference::Reference;"),
        ("training/trainer.rs", "use crate::engine::Engine;"),
        ("training/trainer.rs", "use crate::training::share;"),
    ] {
        assert!(!broken(file, line), "{file}: {line}");
    }
}

#[test]
fn every_file_that_the_architecture_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let links: Vec<&str> = page.split("](").skip(1).filter_map(|rest| rest.split(')').next()).collect();
    assert!(links.len() > 15, "{} links", links.len());
    for link in links {
        assert!(root.join("docs").join(link).exists(), "docs/architecture.md links to {link}");
    }
}
