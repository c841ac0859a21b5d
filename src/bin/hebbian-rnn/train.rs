//! `hebbian-rnn train`.

use crate::args::{BatchSize, PlaceArgs, TrainArgs};
use crate::console::{say, warn};
use crate::output::{counted, frozen_line, open_devices, print_json, print_scores, rounded, usage, Spinner};
use crate::progress::Progress;
use crate::read::{self, Trials};
use crate::run::{self, Kind};
use crate::{plot, report, sweep};
use anyhow::Result;
use candle_core::{DType, Device};
use hebbian_rnn::config::Kernels;
use hebbian_rnn::engine::{automatic_batch, check_memory, why_plain};
use hebbian_rnn::evaluate;
use hebbian_rnn::presets::{find_life, find_task};
use hebbian_rnn::quantile::quantile_with_missing;
use hebbian_rnn::runs::{name_trials, run_fresh};
use hebbian_rnn::training::InitialWeights;
use hebbian_rnn::training::REMEDY;
use hebbian_rnn::{Checkpoint, Config, Error, NetworkReport, Observer, Process, Saved, Score, Setting, Setup};
use hebbian_rnn::{StopReason, Trainer, UpdateReport};
use serde_json::json;
use std::io::{stdout, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

/// Fresh trials per network for the final table.
pub const FINAL_TRIALS: u64 = 400;

pub fn run(args: &TrainArgs) -> Result<ExitCode> {
    if !args.scan.is_empty() || args.control {
        return sweep::scan(args);
    }
    run::run::<Trainer>(args)
}

impl Kind for Trainer {
    type Args = TrainArgs;
    type Watch = Watch;
    const TURNS: &'static str = "updates";
    const STARTS: &'static str = "training starts";

    fn place(args: &TrainArgs) -> &PlaceArgs {
        &args.place
    }

    fn settings(args: &TrainArgs, resumes: bool) -> Result<Vec<Setting>> {
        let mut settings = args.settings()?;
        // Initial weights were taken when the run started.
        settings.retain(|setting| !resumes || setting.origin != "--init");
        Ok(settings)
    }

    fn named_folder(args: &TrainArgs) -> Option<PathBuf> {
        args.task.as_ref().map(|task| default_folder(task, args.rule.as_deref().unwrap_or_default()))
    }

    fn new_folder(setup: &Setup) -> Result<PathBuf> {
        Ok(default_folder(setup.task().name(), &setup.config().rule.name))
    }

    fn resolve(args: &TrainArgs, saved: Option<&Config>, settings: &[Setting]) -> hebbian_rnn::Result<Setup> {
        let task = args.task.as_deref();
        if let Some(life) = task.filter(|name| find_task(name).is_err() && find_life(name).is_ok()) {
            let text = format!("`{life}` is a life, not a task; to simulate it: hebbian-rnn live {life}");
            return Err(Error::Usage(text));
        }
        let mut all = saved.map_or(Ok(Vec::new()), |saved| Setting::from_toml(&saved.to_toml()?, "the saved run"))?;
        all.extend_from_slice(settings);
        Setup::resolve(task, &all)
    }

    fn open_devices(setup: &Setup) -> Result<Vec<Device>> {
        open_devices(&setup.config().train.device)
    }

    fn prepare(args: &TrainArgs, setup: &mut Setup, devices: &[Device]) -> Result<()> {
        if args.batch == Some(BatchSize::Auto) {
            let batch = automatic_batch(setup, devices)? as i64;
            *setup = setup.changed(&[Setting::flag("--batch auto", "train.batch", batch)])?;
        }
        check_memory(setup, devices)?;
        let brought = setup.config().brought_by_rule()?;
        if !brought.is_empty() {
            say(format_args!(
                "rule `{}` changes the task's usual settings: {}",
                setup.config().rule.name,
                brought.join(", ")
            ));
        }
        let asked_for = setup.config().train.kernels == Kernels::Reference;
        if let Some(why) = why_plain(setup, &devices[0]).filter(|_| !asked_for) {
            say(format_args!("slower than it could be: {why}"));
        }
        setup.notices().iter().for_each(say);
        setup.unread(&args.settings()?).iter().for_each(|warning| warn(format_args!("warning: {warning}")));
        Ok(())
    }

    fn announce(trainer: &Trainer) {
        if let (Some(initial), Some(path)) = (trainer.initial_weights(), &trainer.config().train.init) {
            say(format_args!("initial weights from {path}: {}", initial_line(initial)));
        }
    }

    fn open(args: &TrainArgs, out: &Path) -> Result<Checkpoint> {
        read::checkpoint(out, args.task_file.as_deref(), Trials::Same, &Device::Cpu)
    }

    fn ensure_continues(saved: &mut Saved<Trainer>, setup: &Setup, out: &Path) -> Result<()> {
        usage(saved.config().goes_on_as(setup.config(), &out.display().to_string()))
    }

    fn title(trainer: &Trainer, devices: &str, out: &Path) -> String {
        let Config { train, rule, .. } = trainer.config();
        format!(
            "{}, {}: networks {:?} with {} at a time on {devices}, in {}",
            trainer.setup().task().name(),
            rule.name,
            train.networks.range(),
            counted(train.batch as u64, "trial"),
            out.display()
        )
    }

    fn watch(trainer: &Trainer, progress: Arc<Progress>) -> Watch {
        Watch { progress, first_update: trainer.updates(), measured: None, world_steps: 0 }
    }

    fn to_continue(trainer: &Trainer, reason: StopReason) -> String {
        let limit = format!("--trials {}", 2 * trainer.trials());
        match reason {
            StopReason::Criterion => format!("--set train.until_criterion=false {limit}"),
            _ => limit,
        }
    }

    fn length(trainer: &Trainer) -> String {
        let (updates, trials) = (counted(trainer.updates(), "update"), counted(trainer.trials(), "trial"));
        format!("{updates}, {trials} of each network")
    }

    /// Every network has diverged, so training cannot continue.
    fn failure(trainer: &Trainer, reason: StopReason) -> Option<String> {
        let last = trainer.frozen().iter().flatten().map(|frozen| frozen.update).max().unwrap_or(0);
        (reason == StopReason::Frozen).then(|| {
            format!("every network has diverged, the last in update {last}; their previous states are saved. {REMEDY}")
        })
    }

    fn summarise(args: &TrainArgs, trainer: Trainer, watch: &Watch, seconds: f64, out: &Path) -> Result<()> {
        let checkpoint = trainer.checkpoint()?;
        // Frees device memory that only training needs, for the trials that follow.
        drop(trainer);
        summarise(args, &checkpoint, watch, seconds, out)
    }
}

/// The default folder of a run, named after the task and, if it is not the task's usual one, the rule.
pub fn default_folder(task: &str, rule: &str) -> PathBuf {
    let usual = rule.is_empty() || find_task(task).is_ok_and(|info| info.rule == rule);
    Path::new("runs").join(if usual { task.to_string() } else { format!("{task}-{rule}") })
}

/// A line that says which weights were taken from a file, and which were not.
fn initial_line(initial: &InitialWeights) -> String {
    let mut parts = vec![initial.taken().join(", ")];
    let others = [
        ("drawn, since the file lacks them", initial.drawn()),
        ("drawn, since this task has other numbers of inputs or outputs", initial.redrawn()),
        ("not used", initial.unused()),
    ];
    parts.extend(
        others.iter().filter(|(_, names)| !names.is_empty()).map(|(why, names)| format!("{} {why}", names.join(", "))),
    );
    parts.join("; ")
}

/// Evaluates the networks, draws the pictures, writes the page, and prints the results of training.
fn summarise(args: &TrainArgs, checkpoint: &Checkpoint, watch: &Watch, seconds: f64, out: &Path) -> Result<()> {
    let (config, task) = (checkpoint.setup.config(), checkpoint.setup.task());
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
        writeln!(console, "{steps} environment steps: {speed:.0} per second")?;
        let unchanged = watch.measured.filter(|(first, last)| first == last && new_updates > 1);
        if let (Some((always, _)), Some(solved)) = (unchanged, task.solved()) {
            if always < solved {
                writeln!(
                    console,
                    "hint: the return was {always} at first and is {always} now; if no episode earns more, there is nothing to learn \
                     from: explore more (readout.perturbation, perturbation.amplitude), or reward first steps towards the goal"
                )?;
            }
        }
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

/// Draws the pictures and writes the page; returns their paths. A failure to write them is only a warning: the run itself is saved.
pub fn draw_and_report(checkpoint: &Checkpoint, scores: &[Score], out: &Path, log: bool) -> Vec<String> {
    let mut written = plot::draw(out, checkpoint, log).unwrap_or_else(|why| {
        warn(format_args!("warning: no pictures: {why:#}; to draw them later: hebbian-rnn plot {}", out.display()));
        Vec::new()
    });
    match report::write(out, checkpoint, scores, log, None) {
        Ok(page) => written.push(page.display().to_string()),
        Err(why) => {
            warn(format_args!("warning: no report: {why:#}; to write it later: hebbian-rnn report {}", out.display()))
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
    let train = &checkpoint.setup.config().train;
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
pub struct Watch {
    progress: Arc<Progress>,
    first_update: u64,
    /// Mean error, or return, over networks in the first update and in the newest.
    measured: Option<(f64, f64)>,
    /// Environment steps so far, if the task is an environment.
    world_steps: u64,
}

impl Observer<Trainer> for Watch {
    fn update(&mut self, trainer: &Trainer, report: &UpdateReport) -> hebbian_rnn::Result<()> {
        let train = &trainer.config().train;
        for (network, frozen) in train.networks.range().zip(trainer.frozen()) {
            if let Some(frozen) = frozen.filter(|frozen| frozen.update == report.update) {
                self.progress.say(&frozen_line(network, frozen));
            }
        }
        self.world_steps += report.networks.iter().filter_map(|n| n.world_steps).sum::<u64>();
        let Some(measured) = report.mean(NetworkReport::measured) else { return Ok(()) };
        self.measured = Some((self.measured.map_or(measured, |(first, _)| first), measured));
        self.progress.set(report.update, || {
            let trials = (report.update - self.first_update) as f64 * train.batch as f64 * report.networks.len() as f64;
            let speed = trials / self.progress.seconds().max(1e-9);
            format!("{}  {speed:.0} trials/s", trainer.in_short(report))
        });
        Ok(())
    }

    fn warning(&mut self, message: &str) {
        self.progress.say(&format!("warning: {message}"));
    }
}
