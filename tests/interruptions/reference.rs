//! What a command writes if nothing disturbs it, run once for each command.

use crate::catalogue::Work;
use crate::process::{Ended, Process, Sink};
use crate::tree::{self, Tree};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;
use tempfile::TempDir;

/// Calls into the system by which files change.
pub const CALLS: &str =
    "openat,write,fsync,rename,renameat,renameat2,link,linkat,unlink,mkdir,ftruncate,fchmod,copy_file_range";

/// One of the commands of a [`Work`], undisturbed.
pub struct Step {
    pub ended: Ended,
    pub seconds: f64,
    /// Rows of metrics that are there at its end.
    pub rows: usize,
    /// Those in [`Work::changing`].
    pub changing_rows: usize,
    /// For each of [`CALLS`], which of a thread's calls concern the command's folder, counted from 1; empty without strace.
    pub calls: BTreeMap<String, Vec<u32>>,
}

pub struct Reference {
    /// What is there before the first step.
    pub prepared: Tree,
    pub steps: Vec<Step>,
    /// What is there after the last.
    pub end: Tree,
}

/// References by their commands.
#[derive(Default)]
pub struct References(Mutex<HashMap<String, Arc<OnceLock<Reference>>>>);

impl References {
    /// Calls `use_it` with that of `work`, which is run if this is the first time, or if it has to be in the empty folder `at`.
    pub fn with<T>(&self, work: &Work, at: &Path, use_it: impl FnOnce(&Reference) -> T) -> T {
        if work.names_its_place {
            let reference = undisturbed(work, at);
            std::fs::remove_dir_all(at).and_then(|()| std::fs::create_dir(at)).unwrap();
            return use_it(&reference);
        }
        let cell = self.0.lock().unwrap().entry(format!("{work:?}")).or_default().clone();
        use_it(cell.get_or_init(|| undisturbed(work, TempDir::new().unwrap().path())))
    }
}

/// Whether strace is installed and may be used.
pub fn has_strace() -> bool {
    static FOUND: OnceLock<bool> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let tried = Command::new("strace").args(["-f", "-o", "/dev/null", "true"]).output();
        tried.is_ok_and(|output| output.status.success())
    })
}

fn undisturbed(work: &Work, folder: &Path) -> Reference {
    let logs = TempDir::new().unwrap();
    let log = logs.path().join("log");
    for (name, bytes) in &work.given {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    for args in &work.first {
        let ended = Process::start(&[], args, folder, &log, [Sink::File; 2]).end();
        assert_eq!(ended.code, Some(0), "{args:?}: {}", ended.stderr);
    }
    let prepared = tree::read(folder);
    let trace = logs.path().join("trace");
    let step = |args: &Vec<String>| {
        let wrapper = if has_strace() { tracing(&trace) } else { Vec::new() };
        let begun = Instant::now();
        let ended = Process::start(&wrapper, args, folder, &log, [Sink::File; 2]).end();
        let seconds = begun.elapsed().as_secs_f64();
        let expected = if work.fails { 1 } else { 0 };
        assert_eq!(ended.code, Some(expected), "undisturbed: {args:?}: {}", ended.stderr);
        let calls = std::fs::read_to_string(&trace).map_or_else(|_| BTreeMap::new(), |text| calls(&text, work.out));
        let [rows, changing_rows] = [work.out, work.changing].map(|name| tree::rows(&folder.join(name)));
        Step { ended, seconds, rows, changing_rows, calls }
    };
    let steps = work.steps.iter().map(step).collect();
    Reference { prepared, steps, end: tree::read(folder) }
}

fn tracing(trace: &Path) -> Vec<String> {
    let trace = trace.display().to_string();
    let words = ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-e", "signal=none", "-o", &trace, "-e"];
    words.iter().map(|word| word.to_string()).chain([format!("trace={CALLS}")]).collect()
}

/// Which calls of a trace concern the folder `out`.
fn calls(trace: &str, out: &str) -> BTreeMap<String, Vec<u32>> {
    let inside = [format!("/{out}/"), format!("\"{out}"), format!("/{out}>")];
    let mut counts: HashMap<(&str, &str), u32> = HashMap::new();
    let mut found: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    for line in trace.lines() {
        let Some((thread, call)) = line.split_once(' ') else { continue };
        let Some((name, rest)) = call.trim_start().split_once('(') else { continue };
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            continue; // The end of a call, or of a process.
        }
        let count = counts.entry((thread, name)).or_default();
        *count += 1;
        if inside.iter().any(|part| rest.contains(part)) {
            found.entry(name.to_string()).or_default().push(*count);
        }
    }
    found
}
