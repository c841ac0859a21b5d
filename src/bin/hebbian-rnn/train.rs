//! `hebbian-rnn train`.

use crate::args::{BatchSize, TrainArgs};
use crate::console::say;
use crate::output::{
    counted, device_name, frozen_line, open_devices, print_json, print_scores, rounded, usage, Spinner,
};
use crate::progress::Progress;
use crate::read::{self, Trials};
use crate::{plot, report, signals, sweep};
use anyhow::{anyhow, bail, ensure, Context, Result};
use candle_core::{DType, Device};
use hebbian_rnn::{
    automatic_batch, check_memory, evaluate, find_life, find_task, holds_a_checkpoint, name_trials,
    quantile_with_missing, reported, run_fresh, why_plain,
};
use hebbian_rnn::{
    Checkpoint, Config, InitialWeights, Kernels, Lock, NetworkReport, Observer, RunFolder, Score, Setting, Setup,
};
use hebbian_rnn::{ErrorMeasure, StopReason, Trainer, UpdateReport, CONFIG_FILE, REMEDY};
use serde_json::json;
use std::io::{stdout, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// Fresh trials per network for the final table.
pub const FINAL_TRIALS: u64 = 400;

pub fn run(mut args: TrainArgs) -> Result<ExitCode> {
    if !args.scan.is_empty() {
        return sweep::scan(&args);
    }
    let resumes = args.resume || args.resume_or_start && read::holds_a_run(&named_folder(&args)?);
    if resumes {
        // They were taken when the run started.
        args.init = None;
    }
    let (mut trainer, mut folder, out) = if resumes { resume(&args)? } else { start(&args)? };
    if let (Some(reason), true) = (trainer.finished(), folder.saved_at() == Some(trainer.updates())) {
        // A process that was killed after its last checkpoint has drawn nothing.
        if reported(&out) {
            ensure!(reason != StopReason::Frozen, "{}: {}", out.display(), all_frozen(&trainer));
            writeln!(stdout(), "{}", nothing_to_do(&trainer, reason, &out))?;
            return Ok(ExitCode::SUCCESS);
        }
    }
    let interrupted = signals::listen()?;
    let mut watch = Watch::new(&trainer, &out);
    let shown = watch.progress.clone();
    folder.on_warning(move |warning| shown.say(&format!("warning: {warning}")));
    let reason = trainer.train_with(&mut [&mut folder, &mut watch], &|| interrupted.load(Ordering::SeqCst))?;
    if reason == StopReason::Interrupted {
        say(format_args!(
            "interrupted after {}; everything is saved. To continue:\n  hebbian-rnn train --resume --out {}",
            counted(trainer.updates(), "update"),
            out.display()
        ));
        return Ok(ExitCode::from(130));
    }
    let (checkpoint, frozen) = (trainer.checkpoint()?, all_frozen(&trainer));
    // Frees device memory that only training needs, for the trials that follow.
    drop(trainer);
    let printed = summarise(&args, &checkpoint, &watch, &out);
    // Whether or not anybody reads the results.
    ensure!(reason != StopReason::Frozen, "{}: {frozen}", out.display());
    printed.map(|()| ExitCode::SUCCESS)
}

/// Says that a run is finished, and how to continue it anyway.
fn nothing_to_do(trainer: &Trainer, reason: StopReason, out: &Path) -> String {
    let more = match reason {
        StopReason::Criterion => "--set train.until_criterion=false --trials",
        _ => "--trials",
    };
    format!(
        "{0}: this run is finished ({1}, {2} of each network); to continue: hebbian-rnn train --resume --out {0} {more} {3}",
        out.display(),
        counted(trainer.updates(), "update"),
        counted(trainer.trials(), "trial"),
        2 * trainer.trials()
    )
}

/// The message when every network has diverged and training cannot continue.
fn all_frozen(trainer: &Trainer) -> String {
    format!(
        "every network has diverged, the last in update {}; their previous states are saved. {REMEDY}",
        trainer.frozen().iter().flatten().map(|frozen| frozen.update).max().unwrap_or(0)
    )
}

/// The setup from `saved` settings, the file of `--config` and the options; later ones take precedence.
fn resolve(args: &TrainArgs, mut saved: Vec<Setting>) -> Result<Setup> {
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        saved.extend(usage(Setting::from_toml(&text, &path.display().to_string()))?);
    }
    saved.extend(usage(args.settings())?);
    usage(Setup::resolve(args.task.as_deref(), &saved))
}

fn start(args: &TrainArgs) -> Result<(Trainer, RunFolder, PathBuf)> {
    if let Some(life) = args.task.as_deref().filter(|name| find_life(name).is_ok()) {
        return usage(Err(anyhow!("`{life}` is a life, not a task; to simulate it: hebbian-rnn live {life}")));
    }
    let mut setup = resolve(args, Vec::new())?;
    let devices = open_devices(&setup.config.train.device)?;
    if args.batch == Some(BatchSize::Auto) {
        setup.config.train.batch = automatic_batch(&setup, &devices)?;
    }
    check_memory(&setup, &devices)?;
    let brought = setup.config.brought_by_rule()?;
    if !brought.is_empty() {
        say(format_args!(
            "rule `{}` changes the task's usual settings: {}",
            setup.config.rule.name,
            brought.join(", ")
        ));
    }
    let asked_for = setup.config.train.kernels == Kernels::Reference;
    if let Some(why) = why_plain(&setup, &devices[0]).filter(|_| !asked_for) {
        say(format_args!("slower than it could be: {why}"));
    }
    setup.unread(&args.settings()?).iter().for_each(|warning| say(format_args!("warning: {warning}")));
    let out = args.out.clone().unwrap_or_else(|| default_folder(setup.task.name(), &setup.config.rule.name));
    let trainer = Trainer::new(setup, &devices)?;
    let folder = RunFolder::create(&out, trainer.config(), args.force)?;
    if let (Some(initial), Some(path)) = (trainer.initial_weights(), &trainer.config().train.init) {
        say(format_args!("initial weights from {path}: {}", initial_line(initial)));
    }
    Ok((trainer, folder, out))
}

/// The default folder of a run, named after the task and, if it is not the task's usual one, the rule.
pub fn default_folder(task: &str, rule: &str) -> PathBuf {
    let usual = rule.is_empty() || find_task(task).is_ok_and(|info| info.rule == rule);
    Path::new("runs").join(if usual { task.to_string() } else { format!("{task}-{rule}") })
}

/// The folder of a run to be continued.
fn named_folder(args: &TrainArgs) -> Result<PathBuf> {
    let usual = |task: &String| default_folder(task, args.rule.as_deref().unwrap_or_default());
    read::named_folder(&args.out, args.task.as_ref().map(usual))
}

/// Which weights were taken from a file, and which were not.
fn initial_line(initial: &InitialWeights) -> String {
    let mut parts = vec![initial.taken().join(", ")];
    let others = [("drawn, since the file lacks them", initial.drawn()), ("not used", initial.unused())];
    parts.extend(
        others.iter().filter(|(_, names)| !names.is_empty()).map(|(why, names)| format!("{} {why}", names.join(", "))),
    );
    parts.join("; ")
}

/// Continues a run from its checkpoint, or starts it again if it ended before its first checkpoint.
fn resume(args: &TrainArgs) -> Result<(Trainer, RunFolder, PathBuf)> {
    let out = named_folder(args)?;
    read::ensure_folder(&out)?;
    let lock = Lock::take(&out)?;
    let checkpoint = holds_a_checkpoint(&out).then(|| saved_checkpoint(args, &out)).transpose()?;
    let (saved, origin) = match &checkpoint {
        Some(checkpoint) => (checkpoint.setup.config.clone(), "the checkpoint"),
        None => (saved_config(&out)?, CONFIG_FILE),
    };
    let setup = resolve(args, Setting::from_toml(&saved.to_toml()?, origin)?)?;
    usage(saved.goes_on_as(&setup.config, &out.display().to_string()))?;
    let devices = open_devices(&setup.config.train.device)?;
    check_memory(&setup, &devices)?;
    let saved_at = checkpoint.as_ref().map(|checkpoint| checkpoint.updates);
    let trainer = match checkpoint {
        Some(checkpoint) => Trainer::resume(&Checkpoint { setup, ..checkpoint }, &devices)?,
        None => Trainer::new(setup, &devices)?,
    };
    let folder = RunFolder::reopen(lock, trainer.config(), saved_at)?;
    if saved_at.is_none() {
        say(format_args!("{} has no checkpoint yet: training starts from the beginning", out.display()));
    }
    Ok((trainer, folder, out))
}

fn saved_checkpoint(args: &TrainArgs, out: &Path) -> Result<Checkpoint> {
    let checkpoint = read::checkpoint(out, args.task_file.as_deref(), Trials::Same, &Device::Cpu)?;
    match read::change(out, &checkpoint) {
        Some(change) if !args.accept_edited => bail!("{change}; --accept-edited continues from it anyway"),
        _ => Ok(checkpoint),
    }
}

fn saved_config(out: &Path) -> Result<Config> {
    let path = out.join(CONFIG_FILE);
    ensure!(path.exists(), "{} does not hold a run: it has neither a checkpoint nor a {CONFIG_FILE}", out.display());
    let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    Config::from_toml(&text).with_context(|| path.display().to_string())
}

/// Evaluates the networks, draws the pictures, writes the page, and prints the results of training.
fn summarise(args: &TrainArgs, checkpoint: &Checkpoint, watch: &Watch, out: &Path) -> Result<()> {
    let Setup { config, task, .. } = &checkpoint.setup;
    let seconds = watch.progress.seconds();
    let networks = config.train.networks.count() as u64;
    let new_updates = checkpoint.updates - watch.first_update;
    let new_trials = new_updates * config.train.batch as u64 * networks;
    let speed = new_trials as f64 / seconds.max(1e-9);
    let spinner = Spinner::start("testing and drawing the networks");
    let scores = evaluate(checkpoint, FINAL_TRIALS, config.train.seed)?;
    let written = draw_and_report(checkpoint, &scores, out, args.log);
    drop(spinner);
    if args.json {
        return print_json(&json!({
            "task": task.name(),
            "out": out,
            "updates": checkpoint.updates,
            "trials": checkpoint.trials(),
            "seconds": seconds,
            "trials_per_second": speed,
            "world_steps": (watch.world_steps > 0).then_some(watch.world_steps),
            "evaluation_trials": FINAL_TRIALS,
            "networks": scores,
        }));
    }
    let mut console = stdout();
    if new_trials > 0 {
        writeln!(
            console,
            "{} ({}, {}) in {seconds:.1} s: {speed:.0} trials per second",
            counted(new_trials, "trial"),
            counted(networks, "network"),
            counted(new_updates, "update")
        )?;
    }
    if let Some((first, last)) = watch.measured {
        let what = task.measure().word();
        writeln!(
            console,
            "{what} while training: {first:.3} in the first update, {last:.3} in the last (mean over networks)"
        )?;
    }
    if watch.world_steps > 0 {
        let (steps, speed) = (watch.world_steps, watch.world_steps as f64 / seconds.max(1e-9));
        writeln!(console, "{steps} world steps: {speed:.0} per second")?;
    }
    if let Some((error, why)) = task.chance() {
        writeln!(console, "chance is an error of {}: {why}", rounded(error))?;
    }
    writeln!(console, "\nafter training, on {}, without perturbations:", name_trials(task, FINAL_TRIALS))?;
    print_scores(&scores)?;
    print_criterion(&scores)?;
    if task.trials().is_some_and(|task| task.printable()) && checkpoint.frozen[0].is_none() {
        print_sample(checkpoint)?;
    }
    if !written.is_empty() {
        writeln!(console, "\n{}", written.join("\n"))?;
    }
    Ok(())
}

/// The paths of the pictures and the page. Failing to write them gives a warning: the run itself is saved.
pub fn draw_and_report(checkpoint: &Checkpoint, scores: &[Score], out: &Path, log: bool) -> Vec<String> {
    let mut written = plot::draw(out, checkpoint, log).unwrap_or_else(|why| {
        say(format_args!("warning: no pictures: {why:#}; to draw them later: hebbian-rnn plot {}", out.display()));
        Vec::new()
    });
    match report::write(out, checkpoint, scores, log, None) {
        Ok(page) => written.push(page.display().to_string()),
        Err(why) => {
            say(format_args!("warning: no report: {why:#}; to write it later: hebbian-rnn report {}", out.display()))
        }
    }
    written
}

/// Prints how many networks reached the criterion, and when; for a single network, its row already says so.
fn print_criterion(scores: &[Score]) -> Result<()> {
    let trials: Vec<Option<f64>> = scores.iter().map(|s| s.criterion_trials.map(|t| t as f64)).collect();
    let reached = trials.iter().flatten().count();
    if trials.len() == 1 || reached == 0 {
        return Ok(());
    }
    let quantile = |q| quantile_with_missing(&trials, q);
    let when = match (quantile(0.25), quantile(0.5), quantile(0.75)) {
        (Some(first), Some(median), Some(third)) => format!("median {median:.0}, quartiles {first:.0} and {third:.0}"),
        (Some(first), Some(median), None) => {
            format!("median {median:.0}, first quartile {first:.0}, third not reached")
        }
        (first, ..) => {
            let (name, trials) = match first {
                Some(first) => ("first quartile", first),
                None => ("earliest", trials.iter().flatten().copied().fold(f64::INFINITY, f64::min)),
            };
            format!("{name} {trials:.0}, median not reached")
        }
    };
    writeln!(stdout(), "\ncriterion reached by {reached} of {} networks; trials to criterion: {when}", trials.len())?;
    Ok(())
}

/// Prints one fresh trial of the first network as three lines of numbers.
fn print_sample(checkpoint: &Checkpoint) -> Result<()> {
    let train = &checkpoint.setup.config.train;
    let (batch, episode) = run_fresh(checkpoint, 0, 1, train.seed)?;
    let trial = &batch.drawn[0].trial;
    let outputs: Vec<f32> = episode.outputs.get(0)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()?;
    let all = |values: &[f32]| values.iter().map(|v| format!("{v:6.2}")).collect::<String>();
    let scored = |values: &[f32]| {
        let values = values.iter().zip(&trial.scored);
        values.map(|(v, scored)| if *scored { format!("{v:6.2}") } else { "     ·".to_string() }).collect::<String>()
    };
    writeln!(stdout(), "\na fresh trial of network {}:", train.networks.start)?;
    writeln!(stdout(), "input       {}", all(&trial.inputs))?;
    writeln!(stdout(), "target      {}", scored(&trial.targets))?;
    writeln!(stdout(), "prediction  {}", scored(&outputs))?;
    Ok(())
}

/// Shows progress, and collects figures for the summary.
struct Watch {
    progress: Arc<Progress>,
    first_update: u64,
    /// Mean error, or return, over networks in the first update and in the newest.
    measured: Option<(f64, f64)>,
    /// Steps of the world so far, if the task is a world.
    world_steps: u64,
}

impl Watch {
    fn new(trainer: &Trainer, out: &Path) -> Self {
        let Config { train, rule, .. } = trainer.config();
        let limit = Some(train.max_updates()).filter(|limit| *limit < u64::MAX);
        let progress = Progress::new("updates", trainer.updates(), limit);
        progress.begin(|| {
            format!(
                "{}, {}: networks {:?} with {} at a time on {}, in {}",
                trainer.setup().task.name(),
                rule.name,
                train.networks.range(),
                counted(train.batch as u64, "trial"),
                trainer.devices().iter().map(device_name).collect::<Vec<_>>().join(","),
                out.display()
            )
        });
        Watch { progress: Arc::new(progress), first_update: trainer.updates(), measured: None, world_steps: 0 }
    }
}

impl Observer for Watch {
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> hebbian_rnn::Result<()> {
        let train = &trainer.config().train;
        for (network, frozen) in train.networks.range().zip(trainer.frozen()) {
            if let Some(frozen) = frozen.filter(|frozen| frozen.update == report.update) {
                self.progress.say(&frozen_line(network, frozen));
            }
        }
        self.world_steps += report.networks.iter().filter_map(|n| n.world_steps).sum::<u64>();
        let (Some(measured), Some(correct)) =
            (report.mean(NetworkReport::measured), report.mean(|network| network.recent_correct))
        else {
            return Ok(());
        };
        self.progress.set(report.update, || {
            let trials = (report.update - self.first_update) as f64 * train.batch as f64 * report.networks.len() as f64;
            let speed = trials / self.progress.seconds().max(1e-9);
            let shown = match trainer.setup().task.measure() {
                ErrorMeasure::Return => format!("return {measured:.1}"),
                _ => format!("error {measured:.3}"),
            };
            format!("{shown}  correct {correct:.2}  {speed:.0} trials/s")
        });
        self.measured = Some((self.measured.map_or(measured, |(first, _)| first), measured));
        Ok(())
    }

    fn finish(&mut self, _trainer: &Trainer) -> hebbian_rnn::Result<()> {
        self.progress.end();
        Ok(())
    }
}
