//! The code shared by `train` and `live`, from starting or continuing a run until it is interrupted or finished.

use crate::args::PlaceArgs;
use crate::console::say;
use crate::output::{device_name, usage};
use crate::progress::Progress;
use crate::{read, signals};
use anyhow::{bail, Context, Result};
use candle_core::Device;
use hebbian_rnn::report::reported;
use hebbian_rnn::storage::{holds_a_run, Persistent};
use hebbian_rnn::{Observer, Run, Saved, Setting, StopReason};
use std::io::{stdout, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::sync::Arc;

/// A kind of run: the differences between `train` and `live`.
pub trait Kind: Persistent {
    /// The arguments of its command.
    type Args;
    /// Follows it while it proceeds.
    type Watch: Observer<Self>;
    /// The name of its turns.
    const TURNS: &'static str;
    /// The start of a message, such as `training starts`, that a run without a checkpoint begins anew.
    const STARTS: &'static str;

    fn place(args: &Self::Args) -> &PlaceArgs;

    /// The options as settings.
    fn settings(args: &Self::Args, resumes: bool) -> Result<Vec<Setting>>;

    /// The folder in which the named task or life is kept by default.
    fn named_folder(args: &Self::Args) -> Option<PathBuf>;

    /// The folder in which a new run is kept by default.
    fn new_folder(setup: &Self::Setup) -> Result<PathBuf>;

    /// A saved configuration, or the defaults, overlaid with `settings`, of which later ones take precedence.
    fn resolve(
        args: &Self::Args,
        saved: Option<&Self::Config>,
        settings: &[Setting],
    ) -> hebbian_rnn::Result<Self::Setup>;

    /// The devices on which it runs.
    fn open_devices(setup: &Self::Setup) -> Result<Vec<Device>>;

    /// Adjusts the setup of a new run to its devices, and prints notices for the user before it starts.
    fn prepare(args: &Self::Args, setup: &mut Self::Setup, devices: &[Device]) -> Result<()>;

    /// Prints what a new run has done before its first turn.
    fn announce(_process: &Self) {}

    /// Reads the checkpoint in a folder to continue from.
    fn open(args: &Self::Args, out: &Path) -> Result<Self::Checkpoint>;

    /// Refuses a setup with which a saved run cannot continue.
    fn ensure_continues(saved: &mut Saved<Self>, setup: &Self::Setup, out: &Path) -> Result<()>;

    /// The first line of a log.
    fn title(process: &Self, devices: &str, out: &Path) -> String;

    fn watch(process: &Self, progress: Arc<Progress>) -> Self::Watch;

    /// The options that must be added to the command to continue a finished run.
    fn to_continue(process: &Self, reason: StopReason) -> String;

    /// How far a finished run has come, in words.
    fn length(process: &Self) -> String;

    /// Why the command fails, although the run has ended and is saved.
    fn failure(process: &Self, reason: StopReason) -> Option<String>;

    /// Draws and prints the results.
    fn summarise(args: &Self::Args, process: Self, watch: &Self::Watch, seconds: f64, out: &Path) -> Result<()>;
}

/// Starts or continues a run, and ends with its results.
pub fn run<K: Kind>(args: &K::Args) -> Result<ExitCode> {
    let place = K::place(args);
    let named = place.out.clone().or_else(|| K::named_folder(args));
    let resumes = place.resume || place.resume_or_start && holds_a_run(&to_resume(named.as_ref())?);
    let (mut run, out, devices) =
        if resumes { resume::<K>(args, to_resume(named.as_ref())?)? } else { start::<K>(args)? };
    // A process that was killed after its last checkpoint has not drawn its pictures.
    if let Some(reason) = run.process().finished().filter(|_| run.is_saved() && reported(&out)) {
        if let Some(why) = K::failure(run.process(), reason) {
            bail!("{}: {why}", out.display());
        }
        let (length, more) = (K::length(run.process()), K::to_continue(run.process(), reason));
        writeln!(
            stdout(),
            "{0}: this run is finished ({length}); to continue: hebbian-rnn {1} --resume --out {0} {more}",
            out.display(),
            K::COMMAND
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let interrupted = signals::listen()?;
    let progress = Arc::new(Progress::new(K::TURNS, run.process().clock(), run.process().limit()));
    let names = devices.iter().map(device_name).collect::<Vec<_>>().join(",");
    progress.begin(|| K::title(run.process(), &names, &out));
    let mut watch = K::watch(run.process(), progress.clone());
    let ended = run.proceed(&mut [&mut watch], &|| interrupted.load(Ordering::SeqCst));
    progress.end();
    let reason = ended?;
    if reason == StopReason::Interrupted {
        say(format_args!(
            "interrupted after {}; everything is saved. To continue:\n  hebbian-rnn {} --resume --out {}",
            run.process().moment(),
            K::COMMAND,
            out.display()
        ));
        return Ok(ExitCode::from(130));
    }
    let failure = K::failure(run.process(), reason);
    // The folder stays locked.
    let (process, _lock) = run.into_parts();
    let printed = K::summarise(args, process, &watch, progress.seconds(), &out);
    // The failure is reported even if the results could not be printed.
    if let Some(why) = failure {
        bail!("{}: {why}", out.display());
    }
    printed.map(|()| ExitCode::SUCCESS)
}

type Opened<K> = (Run<K>, PathBuf, Vec<Device>);

fn start<K: Kind>(args: &K::Args) -> Result<Opened<K>> {
    let place = K::place(args);
    let mut setup = resolve::<K>(args, None)?;
    let devices = K::open_devices(&setup)?;
    K::prepare(args, &mut setup, &devices)?;
    let out = place.out.clone().map_or_else(|| K::new_folder(&setup), Ok)?;
    let run = Run::create(&out, K::start(setup, &devices)?, place.force)?;
    K::announce(run.process());
    Ok((run, out, devices))
}

/// Continues a run from its checkpoint, or starts it again if it ended before its first checkpoint.
fn resume<K: Kind>(args: &K::Args, out: PathBuf) -> Result<Opened<K>> {
    read::ensure_folder(&out)?;
    let mut used = Vec::new();
    let run = Run::<K>::resume(
        &out,
        |folder| {
            let checkpoint = K::open(args, folder)?;
            match read::change::<K>(folder, &checkpoint) {
                Some(change) if !K::place(args).accept_edited => {
                    bail!("{change}; --accept-edited continues from it anyway")
                }
                _ => Ok(checkpoint),
            }
        },
        |saved| {
            let setup = resolve::<K>(args, Some(saved.config()))?;
            K::ensure_continues(saved, &setup, &out)?;
            used = K::open_devices(&setup)?;
            Ok::<_, anyhow::Error>((setup, used.clone()))
        },
    )?;
    if !run.has_checkpoint() {
        say(format_args!("{} has no checkpoint yet: {} from the beginning", out.display(), K::STARTS));
    }
    Ok((run, out, used))
}

/// The setup from a saved configuration or the defaults, the file of `--config` and the options; later ones take precedence.
fn resolve<K: Kind>(args: &K::Args, saved: Option<&K::Config>) -> Result<K::Setup> {
    let mut settings = Vec::new();
    if let Some(path) = &K::place(args).config {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        settings = usage(Setting::from_toml(&text, &path.display().to_string()))?;
    }
    settings.extend(usage(K::settings(args, saved.is_some()))?);
    usage(K::resolve(args, saved, &settings))
}

/// The folder of a run to be continued.
fn to_resume(named: Option<&PathBuf>) -> Result<PathBuf> {
    usage(named.cloned().context("--resume: name the run's folder (--out DIR)"))
}
