//! `hebbian-rnn train`.

use crate::args::{BatchSize, PlaceArgs, TrainArgs};
use crate::console::{say, warn};
use crate::output::{counted, frozen_line, open_devices, usage};
use crate::progress::Progress;
use crate::read::{self, Trials};
use crate::run::{self, Kind};
use crate::{results, scan};
use anyhow::Result;
use candle_core::Device;
use hebbian_rnn::config::Kernels;
use hebbian_rnn::engine::{automatic_batch, check_memory, why_plain};
use hebbian_rnn::presets::{find_life, find_task};
use hebbian_rnn::training::InitialWeights;
use hebbian_rnn::training::REMEDY;
use hebbian_rnn::{Checkpoint, Config, Error, NetworkReport, Observer, Process, Saved, Setting, Setup};
use hebbian_rnn::{StopReason, Trainer, UpdateReport};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

pub fn run(args: &TrainArgs) -> Result<ExitCode> {
    if !args.scan.is_empty() || args.control {
        return scan::scan(args);
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
        results::summarise(args, &checkpoint, watch, seconds, out)
    }
}

/// The default folder of a run, named after the task and, if it is not the task's usual one, the rule. Where a life has the task's
/// name, its folder has this name alone.
pub fn default_folder(task: &str, rule: &str) -> PathBuf {
    let usual = find_task(task).map_or("", |info| info.rule);
    let rule = if rule.is_empty() { usual } else { rule };
    let alone = rule == usual && find_life(task).is_err();
    Path::new("runs").join(if alone { task.to_string() } else { format!("{task}-{rule}") })
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

/// Shows progress, and collects figures for the summary.
pub struct Watch {
    progress: Arc<Progress>,
    pub first_update: u64,
    /// Mean error, or return, over networks in the first update and in the newest.
    pub measured: Option<(f64, f64)>,
    /// Environment steps so far, if the task is an environment.
    pub world_steps: u64,
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
