//! One draw: a command, what disturbs it, how it goes on, and whether the end is that of the undisturbed command.

use crate::catalogue::{self, Folder, Work};
use crate::interruption::{Interruption, NAMES};
use crate::judge::{self, Difference};
use crate::outcome::Outcome;
use crate::reference::{Reference, References};
use crate::scene::{Happened, Mounted, Scene};
use crate::tree;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::path::PathBuf;
use tempfile::TempDir;

/// Plays draw `number`. With `keep`, its files stay.
pub fn play(references: &References, seed: u64, number: u64, keep: bool) -> Outcome {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(number);
    let kinds = catalogue::KINDS as u64;
    let work = catalogue::work((number % kinds) as usize, random.random_range(0..catalogue::VARIANTS));
    // Each round through the kinds pairs them with other interruptions.
    let first = NAMES[((number + number / kinds) % NAMES.len() as u64) as usize];
    let dir = TempDir::new().unwrap();
    let at = dir.path().join("at");
    std::fs::create_dir(&at).unwrap();
    let other = references.with(&catalogue::other(work.folder), &at, |reference| {
        let files = reference
            .end
            .iter()
            .filter_map(|(name, bytes)| Some((name.strip_prefix("run/")?.to_string(), bytes.clone())));
        files.filter(|(name, _)| !name.is_empty()).collect()
    });
    references.with(&work, &at, |reference| {
        let mut play = Play::new(&work, reference, other, dir, number);
        play.draw_interruptions(first, &mut random);
        play.run(&mut random, keep);
        if keep {
            play.outcome.kept = Some(play.dir.keep());
        }
        play.outcome
    })
}

/// A draw in progress.
struct Play<'a> {
    work: &'a Work,
    reference: &'a Reference,
    other: tree::Tree,
    dir: TempDir,
    /// For each interruption, which of the commands it concerns.
    interruptions: Vec<(usize, Interruption)>,
    outcome: Outcome,
    processes: usize,
    saves_moved: bool,
    remedies: Vec<Vec<String>>,
    without_pictures: bool,
    /// The page was written by `report`.
    own_page: bool,
}

impl<'a> Play<'a> {
    fn new(work: &'a Work, reference: &'a Reference, other: tree::Tree, dir: TempDir, number: u64) -> Self {
        std::fs::create_dir(dir.path().join("logs")).unwrap();
        let outcome = Outcome {
            number,
            kind: work.kind,
            interruptions: vec![],
            skipped: None,
            story: vec![],
            differences: vec![],
            kept: None,
        };
        Play {
            work,
            reference,
            other,
            dir,
            interruptions: vec![],
            outcome,
            processes: 0,
            saves_moved: false,
            remedies: vec![],
            without_pictures: false,
            own_page: false,
        }
    }

    /// Draws one to three interruptions, the first of the kind `first` where that applies.
    fn draw_interruptions(&mut self, first: &'static str, random: &mut ChaCha8Rng) {
        let count = [1, 1, 2, 3][random.random_range(0..4)];
        for k in 0..count {
            // Of a sweep, the jobs take the longest.
            let steps = self.work.steps.len();
            let step = if steps > 1 && random.random_bool(0.6) { 1 } else { random.random_range(0..steps) };
            let any = NAMES[random.random_range(1..NAMES.len())];
            for name in [if k == 0 { first } else { any }, any, "killed"] {
                let drawn = Interruption::draw(name, self.work, step, &self.reference.steps[step], random);
                if let Some(drawn) = drawn {
                    self.interruptions.push((step, drawn));
                    self.outcome.interruptions.push(name);
                    break;
                }
            }
        }
    }

    fn at(&self) -> PathBuf {
        self.dir.path().join("at")
    }

    /// Plays all commands and compares what they leave.
    fn run(&mut self, random: &mut ChaCha8Rng, keep: bool) {
        let full = self.interruptions.iter().any(|(_, drawn)| matches!(drawn, Interruption::FullDisk { .. }));
        let disk = full.then(|| Mounted::new(&self.at())).flatten();
        if full && disk.is_none() {
            self.outcome.skipped = Some("this user may not mount a file system".into());
            self.interruptions.retain(|(_, drawn)| !matches!(drawn, Interruption::FullDisk { .. }));
        }
        tree::write(&self.reference.prepared, &self.at());
        let by_resume = matches!(self.work.folder, Folder::Run | Folder::Life) && random.random_bool(0.4);
        let steps = self.work.steps.len();
        // A step that fails has said so, and those after it would fail, too.
        if (0..steps).all(|step| self.step(step, by_resume)) {
            self.compare(by_resume);
            // Once it is finished, there is nothing left to do.
            let again = self.work.folder != Folder::Fixed && random.random_bool(0.3);
            if again && self.outcome.differences.is_empty() {
                self.process(steps - 1, &self.command(steps - 1, by_resume), &Interruption::Nothing);
                self.compare(by_resume);
            }
        }
        if keep && disk.is_some() {
            tree::write(&tree::read(&self.at()), &self.dir.path().join("disk"));
        }
    }

    /// Runs a command again and again until it has succeeded; returns whether it has.
    fn step(&mut self, step: usize, by_resume: bool) -> bool {
        let mut left: VecDeque<Interruption> =
            self.interruptions.iter().filter(|(of, _)| *of == step).map(|(_, drawn)| drawn.clone()).collect();
        let mut force = false;
        for attempt in 0.. {
            let mut args = self.command(step, by_resume);
            args.extend(force.then(|| "--force".to_string()));
            // What writes at once may refuse to begin where it was killed; before it is forced to, the same command is tried.
            let tries = self.work.folder == Folder::Fixed && attempt > 0 && !force;
            let interruption = if tries { None } else { left.pop_front() }.unwrap_or(Interruption::Nothing);
            let happened = self.process(step, &args, &interruption);
            if self.is_done(step, &happened, &interruption) {
                let expected = &self.reference.steps[step].ended;
                let lost = matches!(interruption, Interruption::Streams { .. });
                self.outcome.differences.extend(judge::output(&happened.ended, expected).filter(|_| !lost));
                return true;
            }
            if !matches!(interruption, Interruption::Nothing) {
                continue;
            }
            if !tries || !happened.ended.stderr.contains("(--force)") {
                self.outcome
                    .differences
                    .push(Difference("does not go on", format!("{args:?}: {}", happened.ended.stderr.trim_end())));
                return false;
            }
            force = true;
        }
        true
    }

    /// Whether a command has come to the end that it comes to undisturbed.
    fn is_done(&self, step: usize, happened: &Happened, interruption: &Interruption) -> bool {
        let (found, expected) = (&happened.ended, &self.reference.steps[step].ended);
        // A run that lost its folder after its last save is made again.
        let lost = matches!(interruption, Interruption::Folder { .. }) && !happened.too_late && happened.at_the_end;
        let same_word = found.code == Some(0) || found.stderr.lines().last() == expected.stderr.lines().last();
        found.code == expected.code && same_word && !lost && happened.damage.is_none()
    }

    /// The arguments of a command, as it is given now.
    fn command(&self, step: usize, by_resume: bool) -> Vec<String> {
        let args = self.work.steps[step].clone();
        if !matches!(self.work.folder, Folder::Run | Folder::Life) {
            return args;
        }
        let folder = self.at().join(self.work.out);
        let there = ["config.toml", "checkpoint.safetensors"].iter().any(|name| folder.join(name).exists());
        let word = |text: &str| text.to_string();
        match (by_resume, there) {
            (false, _) => [args, vec![word("--resume-or-start")]].concat(),
            (true, false) => args,
            (true, true) => {
                let json = args.contains(&word("--json")).then(|| word("--json"));
                let resume = [args[0].clone(), word("--resume"), word("--out"), word(self.work.out)];
                resume.into_iter().chain(json).collect()
            }
        }
    }

    /// Runs one process and judges it.
    fn process(&mut self, step: usize, args: &[String], interruption: &Interruption) -> Happened {
        self.processes += 1;
        let scene = Scene {
            work: self.work,
            step: &self.reference.steps[step],
            at: &self.at(),
            log: self.dir.path().join("logs").join(self.processes.to_string()),
            other: &self.other,
        };
        let happened = scene.play(args, interruption);
        self.outcome.tell(args, interruption, &happened);
        let stderr = &happened.ended.stderr;
        self.saves_moved |= interruption.moves_saves();
        self.remedies.extend(judge::remedies(stderr));
        self.without_pictures |= stderr.lines().any(judge::about_pictures);
        let judged =
            judge::end(&happened, interruption, self.work.fails).into_iter().chain(judge::words(stderr, interruption));
        let undisturbed = matches!(interruption, Interruption::Nothing);
        let judged = judged.filter(|Difference(class, _)| !undisturbed || *class != "exit code");
        self.outcome.differences.extend(judged);
        self.outcome.differences.extend(happened.damage.clone().map(|damage| Difference("another run", damage)));
        happened
    }

    /// Compares what is there with what the undisturbed commands left.
    fn compare(&mut self, by_resume: bool) {
        let mut found = self.differences();
        // If pictures could not be drawn, they are drawn by the same command, or by the one that the warning names.
        let mut remedies = std::mem::take(&mut self.remedies);
        let last = self.work.steps.len() - 1;
        if self.without_pictures {
            remedies.insert(0, self.command(last, by_resume));
        }
        for args in remedies {
            if found.is_empty() {
                break;
            }
            self.process(last, &args, &Interruption::Nothing);
            self.own_page |= args[0] == "report";
            found = self.differences();
        }
        self.outcome.differences.extend(found);
    }

    fn differences(&self) -> Vec<Difference> {
        let mut found = judge::files(&tree::read(&self.at()), &self.reference.end, self.saves_moved, &self.at());
        if self.own_page {
            // The page of `report` has every analysis, that of `train` only the quick ones.
            found.retain(|Difference(class, what)| *class == "missing" || !what.contains("report.html"));
        }
        found
    }
}
