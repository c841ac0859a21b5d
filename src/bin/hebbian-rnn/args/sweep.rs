//! The arguments of `sweep` and `merge`.

use clap::{value_parser, Args, Subcommand};
use std::ops::RangeInclusive;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
If a run was split into ranges of networks (train --networks 0..10, train --networks 10..20, …), the result is what a single run \
would have written, to the byte.")]
pub struct MergeArgs {
    /// Folders of runs that differ only in their networks
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// The folder of the merged run
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// If that folder already holds a run, move it aside
    #[arg(long)]
    pub force: bool,
    /// Draw the learning curve with a logarithmic error axis
    #[arg(long)]
    pub log: bool,
}

#[derive(Args)]
pub struct SweepArgs {
    #[command(subcommand)]
    pub command: SweepCommand,
}

#[derive(Subcommand)]
pub enum SweepCommand {
    /// Check every setting of a description, and write the list of jobs to a folder
    #[command(after_help = PLAN_HELP)]
    Plan(PlanSweepArgs),
    /// Run one job, or all of them on this machine; finished jobs are skipped, started ones continue
    Run(RunSweepArgs),
    /// Show the progress of the jobs
    Status(StatusArgs),
    /// Merge finished jobs into one run for each setting, and write the table, pictures and page of the sweep
    Collect(CollectArgs),
    /// Print a script to submit to a batch system
    Script(ScriptArgs),
}

const PLAN_HELP: &str = "\
A description:

  task = \"dnms\"               # or life = \"maze\", with its rule as rule.name
  networks = 20                # of each setting: a count, or a range \"A..B\"
  networks_per_job = 5         # optional: networks per job
  [set]                        # shared by all settings
  train.trials = 3200
  [grid]                       # every combination of these values is a setting
  rule.eta = [0.03, 0.1]
  network.gain = [1.2, 1.5]
  [[list]]                     # combined with each of these; an entry can have several keys
  rule.name = \"delta-x\"
  [[list]]
  rule.name = \"node-perturbation\"
  perturbation.probability = 0.01

and, for random search, `draws = 24`, optionally `seed = 1`, and

  [draw]
  rule.eta = { log_uniform = [1e-3, 1.0] }
  network.gain = { uniform = [1.0, 2.0] }
  train.batch = { choice = [16, 64] }";

#[derive(Args)]
pub struct PlanSweepArgs {
    /// The description
    #[arg(value_name = "FILE.toml")]
    pub file: PathBuf,
    /// The sweep's folder
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// A job, or a range of jobs.
fn jobs(text: &str) -> Result<RangeInclusive<usize>, String> {
    let number =
        |text: &str| text.trim().parse::<usize>().map_err(|_| "expected a number, or a range such as 1-20".to_string());
    match text.split_once('-') {
        Some((from, to)) => Ok(number(from)?..=number(to)?),
        None => number(text).map(|job| job..=job),
    }
}

#[derive(Args)]
#[command(after_help = "\
Without --job, the number is taken from SLURM_ARRAY_TASK_ID, LSB_JOBINDEX, PBS_ARRAY_INDEX or SGE_TASK_ID; where none is set, all jobs \
run. The exit code is 130 if it was told to stop (Ctrl-C, SIGTERM, SIGUSR1): everything is saved; the same command continues.")]
pub struct RunSweepArgs {
    /// The sweep's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The jobs to run, numbers from 1 or ranges: 3 or 1-20,25
    #[arg(long, value_name = "JOBS", value_delimiter = ',', value_parser = jobs)]
    pub job: Vec<RangeInclusive<usize>>,
    /// Number of jobs that run at once and share the cores [default: one per core; one on a GPU]
    #[arg(long, value_name = "P", value_parser = value_parser!(u64).range(1..))]
    pub jobs_at_once: Option<u64>,
}

#[derive(Args)]
pub struct StatusArgs {
    /// The sweep's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct CollectArgs {
    /// The sweep's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// Leave out settings with unfinished jobs instead of refusing
    #[arg(long)]
    pub partial: bool,
    /// Compare every other setting with this one, network by network (tests of McNemar and Wilcoxon, corrected by Holm)
    #[arg(long, value_name = "SETTING", conflicts_with = "partial")]
    pub against: Option<usize>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct ScriptArgs {
    /// The sweep's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The batch system: slurm, lsf, pbs, sge, parallel or snakemake
    #[arg(long, value_name = "NAME")]
    pub engine: String,
    /// Processor cores per job
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u64).range(1..))]
    pub cores: u64,
    /// Time limit per job, in minutes
    #[arg(long, value_name = "M", default_value_t = 60, value_parser = value_parser!(u64).range(5..))]
    pub minutes: u64,
}
