//! Damaged folders of sweeps: plans, settings and the tables of finished jobs.

use crate::{damage, held_to_account, peak_of};
use hebbian_rnn::sweep::{Job, PLAN_FILE};
use hebbian_rnn::{Sweep, SweepPlan};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

const PLANS: u64 = 3_000;
const SETTINGS: u64 = 2_000;
const SCORES: u64 = 1_000;
const DESCRIPTIONS: u64 = 2_000;
/// What a sweep may hold to read all of its files: threads, one configuration.
const BASE: usize = 1 << 20;

const OF_TASKS: &str = "\
task = 'echo'
networks = 3
networks_per_job = 2
[set]
train = { batch = 2, updates = 2 }
network.neurons = 4
[grid]
rule.eta = [0.01, 0.1]
";
const OF_LIVES: &str = "\
life = 'xor-temporal'
networks = 2
networks_per_job = 1
[set]
life.seconds = 0.2
world = { pattern_ms = 50.0, spikes = 5 }
population.hidden.size = 3
[list]
";

fn finished(description: &str, folder: &Path) -> Sweep {
    let sweep = SweepPlan::parse(&description.replace("[list]\n", ""), "sweep.toml").unwrap().write(folder).unwrap();
    for job in sweep.jobs() {
        assert!(sweep.run(job, &|_, _| (), &|| false).unwrap());
    }
    sweep.collect(false).unwrap();
    sweep
}

/// Looks at everything that a plan says of its jobs.
fn look_at(what: &str, size: usize, folder: &Path) -> Option<Sweep> {
    let sweep = held_to_account(what, size, || Sweep::open(folder))?;
    for jobs in sweep.settings() {
        for job in jobs {
            assert_eq!(sweep.job(job.number).unwrap(), job, "{what}");
            let _ = sweep.state(job);
        }
    }
    let shown = sweep.keys().iter().chain(sweep.jobs().iter().flat_map(|job| &job.values));
    assert!(shown.into_iter().all(|text| !text.contains(['\u{1b}', '\u{202e}', '\n'])), "{what}");
    Some(sweep)
}

#[test]
fn damaged_sweeps_are_refused_or_put_together() {
    let folder = tempfile::tempdir().unwrap();
    let sweeps =
        [("tasks", OF_TASKS), ("lives", OF_LIVES)].map(|(name, text)| finished(text, &folder.path().join(name)));
    for sweep in &sweeps {
        let path = sweep.folder().join(PLAN_FILE);
        let whole = std::fs::read_to_string(&path).unwrap();
        let mut opened = 0;
        for index in 0..PLANS / 2 {
            let mut rng = damage::generator(50, index);
            let damaged = damage::text(&mut rng, &whole);
            std::fs::write(&path, &damaged).unwrap();
            opened += u64::from(look_at(&format!("plan mutation {index}"), damaged.len(), sweep.folder()).is_some());
        }
        std::fs::write(&path, &whole).unwrap();
        // Few are: nearly every change contradicts something.
        assert!((1..PLANS / 2).contains(&opened), "{opened} plans were opened");
        damage_settings(sweep, &whole);
        std::fs::write(&path, &whole).unwrap();
        damage_scores(sweep);
    }
}

/// What vouches for the files of the jobs, forged by one who means harm.
struct Seals(Vec<(PathBuf, String)>);

impl Seals {
    fn of(sweep: &Sweep) -> Self {
        let seal = |job: &Job| {
            let path = sweep.job_folder(job).join("finished.toml");
            let text = std::fs::read_to_string(&path).unwrap();
            (path, text)
        };
        Seals(sweep.jobs().iter().map(seal).collect())
    }

    /// Replaces digests in all of them.
    fn forge(&self, digests: &[(String, String)]) {
        for (path, text) in &self.0 {
            let forged = digests.iter().fold(text.clone(), |text, (old, new)| text.replace(old, new));
            std::fs::write(path, forged).unwrap();
        }
    }
}

fn digest(bytes: impl AsRef<[u8]>) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Damages the configuration of the first setting, and gives the plan and the jobs its digest.
fn damage_settings(sweep: &Sweep, plan: &str) {
    let (path, seals) = (sweep.folder().join("settings/1.toml"), Seals::of(sweep));
    let whole = std::fs::read_to_string(&path).unwrap();
    for index in 0..SETTINGS / 2 {
        let mut rng = damage::generator(51, index);
        let damaged = damage::text(&mut rng, &whole);
        std::fs::write(&path, &damaged).unwrap();
        let (before, after) = (sweep.jobs()[0].sha256.clone(), digest(&damaged));
        let forged = plan.replace(&before, &after);
        seals.forge(&[(before, after), (digest(plan), digest(&forged))]);
        std::fs::write(sweep.folder().join(PLAN_FILE), forged).unwrap();
        let what = format!("settings mutation {index}");
        let Some(sweep) = look_at(&what, plan.len(), sweep.folder()) else { continue };
        // Where some job is missing, its devices are looked up in its settings; none is.
        held_to_account(&what, damaged.len() + plan.len(), || sweep.unfinished(sweep.jobs()));
        if index % 4 == 0 {
            collect(&what, damaged.len() + plan.len(), &sweep);
        }
    }
    std::fs::write(&path, &whole).unwrap();
    seals.forge(&[]);
}

fn damage_scores(sweep: &Sweep) {
    let (path, seals) = (sweep.job_folder(&sweep.jobs()[0]).join("scores.csv"), Seals::of(sweep));
    let whole = std::fs::read_to_string(&path).unwrap();
    for index in 0..SCORES / 2 {
        let mut rng = damage::generator(52, index);
        let damaged = damage::text(&mut rng, &whole);
        std::fs::write(&path, &damaged).unwrap();
        seals.forge(&[(digest(&whole), digest(&damaged))]);
        collect(&format!("scores mutation {index}"), damaged.len() + whole.len(), sweep);
    }
    std::fs::write(&path, &whole).unwrap();
}

/// Puts the sweep together, if what its files hold lets it, and says what came of it.
fn collect(what: &str, size: usize, sweep: &Sweep) {
    let (outcome, peak) = peak_of(|| sweep.collect(true));
    assert!(peak < BASE + 2 * crate::TIMES * size, "{what}: {peak} bytes");
    match outcome {
        Ok(found) => found.settings.iter().for_each(|setting| {
            let _ = (setting.values_in_words(), setting.criterion_in_words(), setting.measured_in_words());
        }),
        Err(error) => assert_eq!(error.to_string().lines().count(), 1, "{what}: {error}"),
    }
}

#[test]
fn damaged_descriptions_are_read_or_refused() {
    let whole = [
        OF_TASKS,
        OF_LIVES,
        "task = 'dnms'\nnetworks = '1..3'\ndraws = 2\n[draw]\nrule.eta = { uniform = [0.1, 1.0] }\n",
    ];
    for index in 0..DESCRIPTIONS {
        let mut rng = damage::generator(53, index);
        let damaged = damage::text(&mut rng, whole[index as usize % whole.len()]);
        let Ok(text) = String::from_utf8(damaged) else { continue };
        held_to_account(&format!("description mutation {index}"), text.len(), || SweepPlan::parse(&text, "sweep.toml"));
    }
}
