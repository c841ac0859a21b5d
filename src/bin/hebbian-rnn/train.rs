//! `hebbian-rnn train`.

use crate::args::{BatchSize, TrainArgs};
use crate::output::{open_devices, print, print_json, print_scores, usage};
use crate::read::{self, Trials};
use crate::{plot, signals, Outcome};
use anyhow::{bail, ensure, Context, Result};
use candle_core::Device;
use hebbian_rnn::{automatic_batch, check_memory, evaluate, holds_a_checkpoint, quantile_with_missing, run_fresh};
use hebbian_rnn::{write_report, Checkpoint, Config, Lock, NetworkReport, Observer, RunFolder, RunReport, Score};
use hebbian_rnn::{Setting, Setup, StopReason, Trainer, UpdateReport, CONFIG_FILE, REMEDY};
use indicatif::{ProgressBar, ProgressStyle};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Fresh trials of each network for the final table.
pub const FINAL_TRIALS: u64 = 400;

pub fn run(args: TrainArgs) -> Result<Outcome> {
    let (mut trainer, mut folder, out) = if args.resume { resume(&args)? } else { start(&args)? };
    if let (Some(reason), true) = (trainer.finished(), folder.saved_at() == Some(trainer.updates())) {
        if reason == StopReason::Frozen {
            bail!("{}: {}", out.display(), all_frozen(&trainer));
        }
        print(&format!("{}: this run is finished ({} updates); nothing to do", out.display(), trainer.updates()))?;
        return Ok(Outcome::Done);
    }
    let interrupted = signals::listen()?;
    let mut bar = Bar::new(&trainer);
    let shown = bar.bar.clone();
    folder.on_warning(move |warning| shown.suspend(|| eprintln!("warning: {warning}")));
    let reason = trainer.train_with(&mut [&mut folder, &mut bar], &|| interrupted.load(Ordering::SeqCst))?;
    if reason == StopReason::Interrupted {
        eprintln!(
            "interrupted after {} updates; everything is saved. To go on:\n  hebbian-rnn train --resume --out {}",
            trainer.updates(),
            out.display()
        );
        return Ok(Outcome::Interrupted);
    }
    let (checkpoint, frozen) = (trainer.checkpoint()?, all_frozen(&trainer));
    // What training alone needs of the device's memory is free for the trials that follow.
    drop(trainer);
    summarise(&args, &checkpoint, &bar, &out)?;
    if reason == StopReason::Frozen {
        bail!("{}: {frozen}", out.display());
    }
    Ok(Outcome::Done)
}

/// Says why training cannot go on.
fn all_frozen(trainer: &Trainer) -> String {
    format!(
        "every network has diverged, the last in update {}; what they were before is saved. {REMEDY}",
        trainer.frozen().iter().flatten().map(|frozen| frozen.update).max().unwrap_or(0)
    )
}

fn start(args: &TrainArgs) -> Result<(Trainer, RunFolder, PathBuf)> {
    let mut all = file_settings(args)?;
    all.extend(usage(args.settings())?);
    let mut setup = usage(Setup::resolve(args.task.as_deref(), &all))?;
    let devices = open_devices(&setup.config.train.device)?;
    if args.batch == Some(BatchSize::Auto) {
        setup.config.train.batch = automatic_batch(&setup, &devices)?;
    }
    check_memory(&setup, &devices)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => Path::new("runs").join(setup.task.name()),
    };
    let trainer = Trainer::new(setup, &devices)?;
    let folder = RunFolder::create(&out, trainer.config(), args.force)?;
    Ok((trainer, folder, out))
}

fn resume(args: &TrainArgs) -> Result<(Trainer, RunFolder, PathBuf)> {
    let out = match (&args.out, &args.task) {
        (Some(out), _) => out.clone(),
        (None, Some(task)) => Path::new("runs").join(task),
        (None, None) => return usage(Err(anyhow::anyhow!("--resume: name the run's folder (--out DIR)"))),
    };
    ensure!(out.is_dir(), "{} is no run's folder", out.display());
    let lock = Lock::take(&out)?;
    if !holds_a_checkpoint(&out) {
        return restart(args, lock, out);
    }
    let mut checkpoint = read::checkpoint(&out, args.task_file.as_deref(), Trials::Same, &Device::Cpu)?;
    if let (Some(change), false) = (read::change(&out, &checkpoint), args.accept_edited) {
        bail!("{change}; --accept-edited goes on from it all the same");
    }
    checkpoint.setup = resumed(args, &checkpoint.setup.config, "the checkpoint", &out)?;
    let devices = open_devices(&checkpoint.setup.config.train.device)?;
    check_memory(&checkpoint.setup, &devices)?;
    let trainer = Trainer::resume(&checkpoint, &devices)?;
    let folder = RunFolder::reopen(lock, trainer.config(), Some(checkpoint.updates))?;
    Ok((trainer, folder, out))
}

/// Starts a run again that was ended before its first checkpoint, from the configuration in its folder.
fn restart(args: &TrainArgs, lock: Lock, out: PathBuf) -> Result<(Trainer, RunFolder, PathBuf)> {
    let path = out.join(CONFIG_FILE);
    ensure!(path.exists(), "{} holds no run: it has neither a checkpoint nor a {CONFIG_FILE}", out.display());
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let saved = Config::from_toml(&text).with_context(|| path.display().to_string())?;
    let setup = resumed(args, &saved, CONFIG_FILE, &out)?;
    let devices = open_devices(&setup.config.train.device)?;
    check_memory(&setup, &devices)?;
    let trainer = Trainer::new(setup, &devices)?;
    let folder = RunFolder::reopen(lock, trainer.config(), None)?;
    eprintln!("{} has no checkpoint yet: training starts from the beginning", out.display());
    Ok((trainer, folder, out))
}

/// What a run goes on with: `saved`, but for what the arguments may change.
fn resumed(args: &TrainArgs, saved: &Config, origin: &str, out: &Path) -> Result<Setup> {
    let mut all = Setting::from_toml(&saved.to_toml()?, origin)?;
    all.extend(file_settings(args)?);
    all.extend(usage(args.settings())?);
    let setup = usage(Setup::resolve(args.task.as_deref(), &all))?;
    usage(same_run(saved, &setup.config, out))?;
    Ok(setup)
}

fn file_settings(args: &TrainArgs) -> Result<Vec<Setting>> {
    let Some(path) = &args.config else { return Ok(Vec::new()) };
    let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    usage(Setting::from_toml(&text, &path.display().to_string()))
}

/// Refuses a resume that would change the run.
fn same_run(saved: &Config, now: &Config, out: &Path) -> Result<()> {
    const MAY_CHANGE: [&str; 8] = [
        "train.trials",
        "train.updates",
        "train.until_criterion",
        "train.device",
        "train.checkpoint_every",
        "train.strict_numbers",
        "train.keep",
        "task.path",
    ];
    let flat = |config: &Config| Setting::from_toml(&config.to_toml()?, CONFIG_FILE);
    let saved = flat(saved)?;
    for Setting { key, value, .. } in flat(now)? {
        let before = saved.iter().find(|s| s.key == key).map(|s| &s.value);
        if before != Some(&value) && !MAY_CHANGE.contains(&key.as_str()) {
            let before = before.map_or("not set".to_string(), ToString::to_string);
            bail!(
                "{key} is {before} in {} and {value} now; --resume may change only {}",
                out.display(),
                MAY_CHANGE.join(", ")
            );
        }
    }
    Ok(())
}

fn summarise(args: &TrainArgs, checkpoint: &Checkpoint, bar: &Bar, out: &Path) -> Result<()> {
    let Setup { config, task, .. } = &checkpoint.setup;
    let seconds = bar.started.elapsed().as_secs_f64();
    let networks = config.train.networks.count() as u64;
    let new_trials = (checkpoint.updates - bar.first_update) * config.train.batch as u64 * networks;
    let scores = evaluate(checkpoint, FINAL_TRIALS, config.train.seed)?;
    // A run is not lost for want of a picture or a page.
    let mut written = plot::draw(out, checkpoint, args.log).unwrap_or_else(|why| {
        eprintln!("warning: no pictures: {why:#}; to draw them later: hebbian-rnn plot {}", out.display());
        Vec::new()
    });
    match report(out, checkpoint, &scores, args.log) {
        Ok(page) => written.push(page.display().to_string()),
        Err(why) => eprintln!("warning: no report: {why:#}; to write it later: hebbian-rnn report {}", out.display()),
    }
    if args.json {
        return print_json(&serde_json::json!({
            "task": task.name(), "out": out, "updates": checkpoint.updates, "trials": checkpoint.trials(), "seconds": seconds,
            "trials_per_second": new_trials as f64 / seconds.max(1e-9), "evaluation_trials": FINAL_TRIALS, "networks": scores,
        }));
    }
    if new_trials > 0 {
        print(&format!(
            "{new_trials} trials ({networks} networks, {} updates) in {seconds:.1} s: {:.0} trials per second",
            checkpoint.updates - bar.first_update,
            new_trials as f64 / seconds.max(1e-9)
        ))?;
    }
    if let Some((first, last)) = &bar.errors {
        print(&format!(
            "error while training: {first:.3} in the first update, {last:.3} in the last (mean over networks)"
        ))?;
    }
    if let Some((error, why)) = task.chance() {
        print(&format!("chance is an error of {error}: {why}"))?;
    }
    print(&format!("\nafter training, on {FINAL_TRIALS} fresh trials without perturbation:"))?;
    print_scores(&scores)?;
    if let Some(line) = criterion_line(&scores) {
        print(&line)?;
    }
    if task.printable() && checkpoint.frozen[0].is_none() {
        print_sample(checkpoint)?;
    }
    if !written.is_empty() {
        print(&format!("\n{}", written.join("\n")))?;
    }
    Ok(())
}

/// Writes the run's page with what costs no time; `hebbian-rnn report` adds the rest.
fn report(out: &Path, checkpoint: &Checkpoint, scores: &[Score], log: bool) -> Result<PathBuf> {
    let mut page = RunReport { log, ..RunReport::of(out, checkpoint, scores, FINAL_TRIALS)? };
    page.analyse(false, &|_| ());
    Ok(write_report(out, &page)?)
}

/// How many networks reached the criterion, and when; `None` for one network, whose row says it all.
fn criterion_line(scores: &[Score]) -> Option<String> {
    let trials: Vec<Option<f64>> = scores.iter().map(|s| s.criterion_trials.map(|t| t as f64)).collect();
    let reached = trials.iter().flatten().count();
    let quartile = |q| quantile_with_missing(&trials, q).map_or("not reached".to_string(), |t| format!("{t:.0}"));
    let line = format!(
        "\ncriterion reached by {reached} of {} networks; trials to criterion: median {}, quartiles {} and {}",
        trials.len(),
        quartile(0.5),
        quartile(0.25),
        quartile(0.75)
    );
    (trials.len() > 1 && reached > 0).then_some(line)
}

/// One fresh trial of the first network, as three lines of numbers.
fn print_sample(checkpoint: &Checkpoint) -> Result<()> {
    let train = &checkpoint.setup.config.train;
    let (batch, episode) = run_fresh(checkpoint, 0, 1, train.seed)?;
    let trial = &batch.drawn[0].trial;
    let outputs: Vec<f32> = episode.outputs.get(0)?.to_dtype(candle_core::DType::F32)?.flatten_all()?.to_vec1()?;
    let line = |values: &[f32], scored_only: bool| -> String {
        let cell = |(v, scored): (&f32, &bool)| {
            if *scored || !scored_only {
                format!("{v:6.2}")
            } else {
                "     ·".to_string()
            }
        };
        values.iter().zip(&trial.scored).map(cell).collect()
    };
    print(&format!("\na fresh trial of network {}:", train.networks.start))?;
    print(&format!("input       {}", line(&trial.inputs, false)))?;
    print(&format!("target      {}", line(&trial.targets, true)))?;
    print(&format!("prediction  {}", line(&outputs, true)))
}

/// The progress bar, and what the summary needs to know of the training.
struct Bar {
    bar: ProgressBar,
    started: Instant,
    first_update: u64,
    errors: Option<(f64, f64)>,
}

impl Bar {
    fn new(trainer: &Trainer) -> Self {
        let limit = trainer.config().train.max_updates();
        let bar = if limit == u64::MAX { ProgressBar::no_length() } else { ProgressBar::new(limit) };
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} updates  {msg}  {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
        bar.set_style(style);
        bar.set_position(trainer.updates());
        bar.reset_eta();
        Bar { bar, started: Instant::now(), first_update: trainer.updates(), errors: None }
    }
}

impl Observer for Bar {
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> hebbian_rnn::Result<()> {
        let s = report.networks.len() as f64;
        let places = trainer.config().train.networks.range().zip(trainer.frozen());
        for (network, frozen) in places.filter_map(|(network, frozen)| Some((network, frozen?))) {
            if frozen.update == report.update {
                self.bar.suspend(|| eprintln!("network {network} {frozen}. It is frozen as it was before"));
            }
        }
        let learning: Vec<&NetworkReport> = report.networks.iter().filter(|n| n.frozen.is_none()).collect();
        let mean = |value: &dyn Fn(&NetworkReport) -> f64| {
            learning.iter().map(|n| value(n)).sum::<f64>() / learning.len() as f64
        };
        if learning.is_empty() {
            return Ok(());
        }
        let error = mean(&|n| n.error);
        let trials = (report.update - self.first_update) as f64 * trainer.config().train.batch as f64 * s;
        let speed = trials / self.started.elapsed().as_secs_f64().max(1e-9);
        self.bar
            .set_message(format!("error {error:.3}  correct {:.2}  {speed:.0} trials/s", mean(&|n| n.recent_correct)));
        self.bar.set_position(report.update);
        self.errors = Some((self.errors.map_or(error, |(first, _)| first), error));
        Ok(())
    }

    fn finish(&mut self, _trainer: &Trainer) -> hebbian_rnn::Result<()> {
        self.bar.finish_and_clear();
        Ok(())
    }
}
