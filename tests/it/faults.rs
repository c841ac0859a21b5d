//! Faults: full and read-only disks, logs that cannot be written, folders that are removed, moved or full of links, and concurrent
//! users.
#![cfg(unix)]

use crate::command::{bytes, fine, hebbian, one_line_error};
use crate::kinds::{by_shell, goes_on_as_if_nothing_had_happened, saved, strs, train_forever, KINDS};
use crate::process::{computed, last_update, start, start_command, TINY};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

#[test]
fn a_second_process_is_refused_and_a_dead_one_s_lock_is_not_believed() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("run");
    let mut process = train_forever(dir.path());
    process.wait_for_updates(&run.join("metrics.csv"), 2);
    let fresh = [&TINY[..], &["--updates", "2", "--out", "run"]].concat();
    let in_use = format!("run is in use by process {}", process.child.id());
    for args in [&fresh[..], &[&fresh[..], &["--force"]].concat(), &["train", "--resume", "--out", "run"]] {
        one_line_error(hebbian(args, dir.path()), 1, &in_use);
    }
    // Reading is always allowed.
    for args in [&["evaluate", "run"][..], &["inspect", "run"], &["plot", "run"]] {
        fine(hebbian(args, dir.path()));
    }
    process.child.kill().unwrap();
    process.child.wait().unwrap();
    let left = String::from_utf8(bytes(run.join(".lock"))).unwrap();
    assert!(left.starts_with(&format!("process {}", process.child.id())), "{left}");
    goes_on_as_if_nothing_had_happened(&run);
}

/// A file system of limited size in memory, unmounted on drop.
struct Mounted(PathBuf);

impl Mounted {
    /// `None`, with a message on stderr, if this user may not mount file systems.
    fn new(at: &Path, size: &str) -> Option<Self> {
        std::fs::create_dir_all(at).unwrap();
        let options = format!("size={size}");
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(at).output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Some(Mounted(at.to_path_buf()));
        }
        eprintln!("skipped: this user may not mount a file system");
        None
    }

    fn make_read_only(&self) {
        assert!(Command::new("mount").args(["-o", "remount,ro"]).arg(&self.0).status().unwrap().success());
    }

    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        let mut file = std::fs::File::create(&filler).unwrap();
        while std::io::Write::write_all(&mut file, &[0; 4096]).is_ok() {}
        filler
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_run_outlives_a_full_disk() {
    for kind in KINDS {
        let dir = TempDir::new().unwrap();
        let Some(disk) = Mounted::new(&dir.path().join("disk"), "16m") else { return };
        let run = disk.0.join("run");
        let mut process = kind.forever(dir.path(), "disk/run");
        process.wait_for_updates(&run.join("metrics.csv"), 5);
        // The disk is full, then free again: each is reported once, and nothing is lost.
        let filler = disk.fill();
        process.wait_until("a warning", |stderr| stderr.contains(kind.going_on));
        assert!(process.stderr().starts_with("warning: writing disk/run/"), "{}", process.stderr());
        assert!(process.stderr().contains("No space left on device"), "{}", process.stderr());
        // It tries again and again.
        let pid = process.child.id();
        let since = computed(pid);
        process.wait_until("more of the run", |_| computed(pid) > since + 50);
        std::fs::remove_file(filler).unwrap();
        process.wait_until("the all-clear", |stderr| stderr.contains("works again: everything is saved"));
        assert_eq!(process.stderr().lines().count(), 2, "{}", process.stderr());
        // The disk stays full to the end: the last good state is kept.
        let filler = disk.fill();
        process.wait_until("the next warning", |stderr| stderr.matches(kind.going_on).count() == 2);
        process.signal("TERM");
        let (code, stderr) = process.end();
        assert_eq!(code, Some(1), "{stderr}");
        let last = stderr.lines().last().unwrap();
        let kept = (kind.saved)(&run);
        assert!(last.starts_with("error: the state after "), "{last}");
        let moment =
            if kind.end.1 == 1.0 { format!("update {kept}") } else { format!("{} simulated", kept as f64 / 2.0) };
        assert!(last.contains(&format!("is not saved; that after {moment}")), "{last}");
        assert!(last.contains(" is, and --resume continues from there"), "{last}");
        assert!(last.contains("No space left on device (os error 28)"), "{last}");
        // While it is full, nothing can start; afterwards everything continues.
        let resumed = hebbian(&strs(&kind.resume(10_000_000, "disk/run")), dir.path());
        assert_eq!(resumed.code, 1, "{}", resumed.stderr);
        assert_eq!((kind.saved)(&run), kept);
        std::fs::remove_file(filler).unwrap();
        kind.goes_on_as_if_nothing_had_happened(&run);
    }
}

/// Runs with a limit on file size, in `blocks` of 512 bytes: a full disk for users who may not mount one.
fn with_short_files(folder: &Path, blocks: u32, args: &[&str]) -> (Option<i32>, String) {
    start_command(folder, by_shell(&format!("trap '' XFSZ; ulimit -f {blocks}"), args)).end()
}

#[test]
fn training_goes_on_where_rows_cannot_be_written() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("run");
    let args = [&TINY[..], &["--updates", "200", "--out", "run"]].concat();
    let (code, stderr) = with_short_files(dir.path(), 32, &args);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!((code, lines.len()), (Some(1), 2), "{stderr}");
    assert!(lines[0].starts_with("warning: writing run/metrics.csv: File too large"), "{stderr}");
    let kept = saved(&run);
    assert!((10..200).contains(&kept) && last_update(&run) >= kept, "{kept}");
    let error = format!(
        "error: the state after update 200 is not saved; that after update {kept} is, and --resume continues from there"
    );
    assert!(lines[1].starts_with(&error), "{stderr}");
    goes_on_as_if_nothing_had_happened(&run);
}

#[test]
fn a_run_is_not_lost_for_want_of_a_picture() {
    let dir = TempDir::new().unwrap();
    let run = dir.path().join("run");
    let (code, stderr) = with_short_files(dir.path(), 16, &[&TINY[..], &["--updates", "2", "--out", "run"]].concat());
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.starts_with("warning: no pictures: writing run/learning_curve."), "{stderr}");
    assert!(stderr.contains("to draw them later: hebbian-rnn plot run\n"), "{stderr}");
    fine(hebbian(&["plot", "run"], dir.path()));
    goes_on_as_if_nothing_had_happened(&run);
}

#[test]
fn a_read_only_folder_is_refused_at_once_and_can_be_read() {
    let dir = TempDir::new().unwrap();
    let Some(disk) = Mounted::new(&dir.path().join("disk"), "2m") else { return };
    fine(hebbian(&[&TINY[..], &["--updates", "2", "--out", "disk/run"]].concat(), dir.path()));
    disk.make_read_only();
    let fresh = |out| [&TINY[..], &["--updates", "2", "--out", out]].concat();
    one_line_error(hebbian(&fresh("disk/new"), dir.path()), 1, "disk/new: Read-only file system");
    one_line_error(hebbian(&fresh("disk/run"), dir.path()), 1, "disk/run/.lock: Read-only file system");
    let resume = ["train", "--resume", "--updates", "3", "--out", "disk/run"];
    one_line_error(hebbian(&resume, dir.path()), 1, "disk/run/.lock: Read-only file system");
    one_line_error(hebbian(&["plot", "disk/run"], dir.path()), 1, "Read-only file system");
    fine(hebbian(&["evaluate", "disk/run"], dir.path()));
    fine(hebbian(&["inspect", "disk/run"], dir.path()));
}

#[test]
fn a_removed_folder_comes_back() {
    for kind in KINDS {
        let dir = TempDir::new().unwrap();
        let run = dir.path().join("run");
        let mut process = kind.forever(dir.path(), "run");
        process.wait_for_updates(&run.join("metrics.csv"), 5);
        process.signal("STOP");
        // Try again if it wrote another file before the signal arrived.
        while run.exists() {
            let _ = std::fs::remove_dir_all(&run);
        }
        process.signal("CONT");
        process.wait_until("a word", |stderr| stderr.contains("files of run were removed; they have been restored"));
        process.signal("TERM");
        let (code, stderr) = process.end();
        assert_eq!(code, Some(130), "{stderr}");
        assert!((kind.saved)(&run) > 5);
        kind.goes_on_as_if_nothing_had_happened(&run);
    }
}

#[test]
fn a_folder_that_was_moved_is_not_mistaken_for_the_run_in_its_place() {
    for kind in KINDS {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name);
        fine(hebbian(&strs(&kind.until(2, "other")), dir.path()));
        let other = bytes(at("other/checkpoint.safetensors"));
        // Stopped between two checkpoints, not while it writes one.
        let sparse = (2000.0 * kind.end.1).to_string();
        let begin = [kind.until(10_000_000, "run"), vec!["--checkpoint-every".into(), sparse]].concat();
        let mut process = start(dir.path(), &strs(&begin));
        process.wait_for_updates(&at("run/metrics.csv"), 2020);
        process.signal("STOP");
        std::fs::rename(at("run"), at("moved")).unwrap();
        std::fs::rename(at("other"), at("run")).unwrap();
        process.signal("CONT");
        process.wait_until("a warning", |stderr| stderr.contains("run was removed and now holds another run"));
        process.signal("TERM");
        let (code, stderr) = process.end();
        assert_eq!(code, Some(1), "{stderr}");
        assert!(stderr.lines().last().unwrap().starts_with("error: the state after "), "{stderr}");
        assert!(bytes(at("run/checkpoint.safetensors")) == other, "another process's run was overwritten");
        assert_eq!((kind.saved)(&at("run")), 2);
        kind.goes_on_as_if_nothing_had_happened(&at("moved"));
    }
}

/// A log on a full disk, and one whose reader is gone: nothing that is printed may end a run.
#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    for kind in KINDS {
        for (n, redirection) in
            ["exec 2>/dev/full", "exec 2>&-", "trap '' PIPE; exec 2> >(true); sleep 0.2"].iter().enumerate()
        {
            let dir = TempDir::new().unwrap();
            let mut command = Command::new("bash");
            command.args(["-c", &format!("{redirection}; exec \"$0\" \"$@\"")]);
            command.arg(assert_cmd::cargo::cargo_bin("hebbian-rnn")).args(kind.until(3, "run"));
            let (code, _) = start_command(dir.path(), command).end();
            assert_eq!(code, Some(0), "{n}");
            kind.goes_on_as_if_nothing_had_happened(&dir.path().join("run"));
        }
        // Results that cannot be printed are an error, but what was trained is saved.
        let dir = TempDir::new().unwrap();
        let command = by_shell("exec >/dev/full", &strs(&kind.until(3, "run")));
        let output = { command }.current_dir(dir.path()).output().unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        let error = "error: the results cannot be printed: No space left on device (os error 28)";
        assert_eq!(stderr.lines().last(), Some(error), "{stderr}");
        assert!(dir.path().join("run/report.html").exists());
        kind.goes_on_as_if_nothing_had_happened(&dir.path().join("run"));
    }
}

/// A link in a run's folder may lead anywhere: nothing is written through it.
#[test]
fn nothing_is_written_through_a_link() {
    for kind in KINDS {
        let dir = TempDir::new().unwrap();
        let run = dir.path().join("run");
        fine(hebbian(&strs(&kind.until(2, "run")), dir.path()));
        let names: Vec<String> =
            std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert!(names.len() > 8, "{names:?}");
        for name in names {
            let (file, victim) = (run.join(&name), dir.path().join("victim"));
            let whole = bytes(&file);
            // The same contents, so that only writing can be the reason for a change.
            std::fs::write(&victim, &whole).unwrap();
            std::fs::remove_file(&file).unwrap();
            std::os::unix::fs::symlink(&victim, &file).unwrap();
            let ran = hebbian(&strs(&kind.resume(4, "run")), dir.path());
            assert!(bytes(&victim) == whole, "{name} was written through");
            if [".lock", "metrics.csv"].contains(&&*name) {
                one_line_error(ran, 1, &format!("run/{name} is a symbolic link; expected a regular file"));
                std::fs::remove_file(&file).unwrap();
                std::fs::write(&file, whole).unwrap();
            } else {
                fine(ran);
                assert!(!file.is_symlink() || name.starts_with("checkpoint.1"), "{name}");
                fine(hebbian(&strs(&[kind.until(2, "run"), vec!["--force".into()]].concat()), dir.path()));
            }
        }
        // One that leads nowhere is not followed either.
        std::fs::create_dir(dir.path().join("new")).unwrap();
        std::os::unix::fs::symlink(dir.path().join("nowhere"), dir.path().join("new/.lock")).unwrap();
        one_line_error(hebbian(&strs(&kind.until(2, "new")), dir.path()), 1, "new/.lock is a symbolic link");
        assert!(!dir.path().join("nowhere").exists());
    }
}
