//! The arguments of `sweep` and `merge`.

use clap::{value_parser, Args, Subcommand};
use std::ops::RangeInclusive;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Where one run has been cut into ranges of networks (train --networks 0..10, train --networks 10..20, …), the result is what one run \
of all of them would have written, to the byte.")]
pub struct MergeArgs {
    /// Folders of runs of different networks that agree in everything else
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// The folder of the merged run
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Move an earlier run in that folder aside
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
    /// Check every setting of a description, and write what the jobs are to a folder
    #[command(after_help = PLAN_HELP)]
    Plan(PlanSweepArgs),
    /// Run jobs: one, or all on this machine; what is finished is passed over, what was begun goes on
    Run(RunSweepArgs),
    /// Say how far the jobs are
    Status(StatusArgs),
    /// Merge finished jobs into one run for each setting, and write the table, pictures and page of the sweep
    Collect(CollectArgs),
    /// Print what one submits to a batch system
    Script(ScriptArgs),
}

const PLAN_HELP: &str = "\
A description:

  task = \"dnms\"               # or life = \"maze\", with its rule as rule.name
  networks = 20                # of each setting: a count, or a range \"A..B\"
  networks_per_job = 5         # optional: what one job trains
  [set]                        # what all settings have in common
  train.trials = 3200
  [grid]                       # every combination of these values is a setting
  rule.eta = [0.03, 0.1]
  network.gain = [1.2, 1.5]
  [[list]]                     # with each of these, which may have several keys
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
run. The exit code is 130 if the program was told to stop (Ctrl-C, SIGTERM, SIGUSR1): everything is saved, and the same command goes on.")]
pub struct RunSweepArgs {
    /// The sweep's folder
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
    /// The jobs to run, numbers from 1 or ranges: 3 or 1-20,25
    #[arg(long, value_name = "JOBS", value_delimiter = ',', value_parser = jobs)]
    pub job: Vec<RangeInclusive<usize>>,
    /// How many jobs run at once and share the cores [default: as many as there are cores; one on a GPU]
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
    /// Leave out settings whose jobs are not finished, in place of refusing
    #[arg(long)]
    pub partial: bool,
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
    /// Processor cores of each job
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = value_parser!(u64).range(1..))]
    pub cores: u64,
    /// Time limit of each job, in minutes
    #[arg(long, value_name = "M", default_value_t = 60, value_parser = value_parser!(u64).range(5..))]
    pub minutes: u64,
}
