//! The command line's arguments. Only this folder uses clap.

mod live;
mod place;
mod simulate;
mod sweep;
mod train;

pub use live::LiveArgs;
pub use place::PlaceArgs;
pub use simulate::{Recordable, SimulateArgs};
pub use sweep::{CollectArgs, MergeArgs, PlanSweepArgs, RunSweepArgs, ScriptArgs, StatusArgs, SweepArgs, SweepCommand};
pub use train::{BatchSize, TrainArgs};

use crate::output::usage;
use anyhow::Result;
use clap::{value_parser, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use hebbian_rnn::analysis::ANALYSES;
use hebbian_rnn::{Setting, Setup};
use std::path::PathBuf;
use toml::Value;

/// Recurrent networks that learn by reward-modulated Hebbian plasticity: many networks and trials in parallel.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Threads on the CPU [default: one per core]
    #[arg(long, global = true, value_name = "N", value_parser = value_parser!(u64).range(1..=1024))]
    pub threads: Option<u64>,
    /// Print only results, warnings and errors
    #[arg(long, global = true)]
    pub quiet: bool,
}

#[derive(Subcommand)]
pub enum Command {
    /// Train networks on a task
    Train(Box<TrainArgs>),
    /// Let networks live in a world, with weights that change at every step
    Live(Box<LiveArgs>),
    /// Sweep over settings and networks: plan jobs, run them here or on a cluster, collect the results
    Sweep(SweepArgs),
    /// Merge runs of different networks into one
    Merge(MergeArgs),
    /// Test trained networks on fresh trials, with frozen weights and without perturbations
    Evaluate(EvaluateArgs),
    /// Run trained networks on your own inputs
    Simulate(SimulateArgs),
    /// Show the contents of a checkpoint, and whether it is intact
    Inspect(InspectArgs),
    /// Redraw a run's pictures from its files, or plot the learning curves of several runs together
    Plot(PlotArgs),
    /// Rewrite a run's report.html, with every analysis that applies
    Report(ReportArgs),
    /// Analyse trained networks: tables, pictures and summary figures
    #[command(alias = "analyze")]
    Analyse(AnalyseArgs),
    /// Measure trials per second, and the fraction of this machine's matrix speed that they reach
    Bench(BenchArgs),
    /// Compare one update by each implementation on a device with the plain operations on the CPU
    Compare(CompareArgs),
    /// Explain a configuration key, a task, a rule or a column of metrics.csv
    Explain(ExplainArgs),
    /// Print BibTeX entries for the literature behind a run
    Cite(CiteArgs),
    /// Print this command's completions for a shell
    Completions(CompletionsArgs),
    /// Write the manual's pages, hebbian-rnn.1 and one for each command
    Manual(ManualArgs),
    /// List the tasks
    Tasks(ListArgs),
    /// List the lives
    Lives(ListArgs),
    /// List the learning rules
    Rules(ListArgs),
    /// List the devices
    Devices(ListArgs),
}

/// A whole number; the configuration checks its range.
fn whole(text: &str) -> std::result::Result<i64, String> {
    text.parse().map_err(|_| "expected a whole number below 2^63".to_string())
}

/// The settings of `--set`, then those of other options (flag, key and value), which take precedence.
fn settings(
    options: impl IntoIterator<Item = (&'static str, &'static str, Option<Value>)>,
    set: &[String],
) -> Result<Vec<Setting>> {
    let options = options.into_iter().filter_map(|(flag, key, value)| Some(Ok(Setting::flag(flag, key, value?))));
    Ok(set.iter().map(|text| Setting::parse(text)).chain(options).collect::<Result<_, _>>()?)
}

#[derive(Args)]
pub struct ExplainArgs {
    /// A key such as network.gain or gain, a task, a rule, a life, a neuron model or a column; or words, to find what mentions them
    /// [default: everything, as docs/reference.md]
    pub name: Vec<String>,
    /// Print the JSON schema of a config.toml instead, with which editors complete and check it
    #[arg(long, value_name = "OF", conflicts_with = "name")]
    pub schema: Option<SchemaOf>,
    /// Print JSON
    #[arg(long, requires = "name")]
    pub json: bool,
}

/// The kinds of config.toml.
#[derive(Clone, Copy, ValueEnum)]
pub enum SchemaOf {
    Run,
    Life,
}

#[derive(Args)]
pub struct CompletionsArgs {
    /// The shell, which reads completions from a file: bash from ~/.local/share/bash-completion/completions/hebbian-rnn
    pub shell: Shell,
}

#[derive(Args)]
pub struct ManualArgs {
    /// The folder to write them to; created if missing
    pub folder: PathBuf,
}

#[derive(Args)]
pub struct CiteArgs {
    /// A run's folder or a checkpoint
    pub run: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct EvaluateArgs {
    /// A run's folder or a checkpoint
    pub run: PathBuf,
    /// For networks trained on a task file: take the trials from this file instead, e.g. trials not seen in training
    #[arg(long, value_name = "FILE.safetensors")]
    pub task_file: Option<PathBuf>,
    /// Fresh trials per network
    #[arg(long, value_name = "K", default_value_t = 400, value_parser = value_parser!(u64).range(1..))]
    pub trials: u64,
    /// With trials from a file: run each of them once instead of drawing at random
    #[arg(long, conflicts_with_all = ["trials", "seed"])]
    pub all: bool,
    /// Use the recurrent weights of another run of these networks, such as one that began with them (--init) and learnt another
    /// task: what is left of the first
    #[arg(long, value_name = "RUN")]
    pub recurrent_from: Option<PathBuf>,
    /// Silence neurons, like a lesion: 3,7 or 10..20, under Dale's law also `inhibitory`; their rates are not transmitted to other
    /// neurons or to the readout
    #[arg(long, value_name = "NEURONS", value_delimiter = ',')]
    pub silence: Vec<String>,
    /// Seed of the trials [default: the run's seed; training never uses these trials]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct InspectArgs {
    /// A checkpoint or a run's folder
    pub checkpoint: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct PlotArgs {
    /// A run's folder; with several, their learning curves are drawn in one picture, with the median and the interquartile
    /// range of each run's networks
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Write the learning curves to this file, FILE.pdf, FILE.png or FILE.svg, or to both FILE.png and FILE.svg [default:
    /// learning_curves]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Width of a PDF page in mm
    #[arg(long, value_name = "MM", default_value_t = 180.0)]
    pub width_mm: f64,
    /// Use a logarithmic error axis
    #[arg(long)]
    pub log: bool,
    #[command(flatten)]
    pub watch: Watch,
}

#[derive(Args)]
pub struct ReportArgs {
    /// A run's folder
    pub run: PathBuf,
    /// Use a logarithmic error axis
    #[arg(long)]
    pub log: bool,
    #[command(flatten)]
    pub watch: Watch,
}

#[derive(Args)]
pub struct Watch {
    /// For lives: the neurons whose membrane potentials are drawn, such as hidden.0,hidden.7 [default: the first of each
    /// population]
    #[arg(long = "watch", value_name = "POPULATION.NEURON", value_delimiter = ',')]
    pub neurons: Vec<String>,
}

#[derive(Args)]
#[command(after_help = analyses())]
pub struct AnalyseArgs {
    /// A run's folder or a checkpoint
    pub run: PathBuf,
    /// The analyses to run [default: all that apply to the task]
    #[arg(value_name = "ANALYSIS")]
    pub analyses: Vec<String>,
    /// Also compare with the networks of another run (`similarity`); can be repeated
    #[arg(long, value_name = "RUN")]
    pub with: Vec<PathBuf>,
    /// Where to write tables and pictures [default: `analysis` in the run's folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Fresh trials per network, for analyses that run trials [default: depends on the analysis]
    #[arg(long, value_name = "K", value_parser = value_parser!(u64).range(1..))]
    pub trials: Option<u64>,
    /// Seed of the trials [default: the run's seed; training never uses these trials]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The analyses, each with its summary.
fn analyses() -> String {
    let lines = ANALYSES.iter().map(|a| format!("  {:<14}{}\n", a.name, a.summary));
    format!("Analyses:\n{}\nEach writes its numbers as CSV and its pictures as PNG and SVG.", lines.collect::<String>())
}

// The options that `bench` and `compare` share. clap would use a doc comment as their description.
#[derive(Args)]
pub struct SetupArgs {
    /// The task
    #[arg(long, default_value = "dnms")]
    pub task: String,
    /// The learning rule [default: the task's]
    #[arg(long, value_name = "R")]
    pub rule: Option<String>,
    /// Set any other key of the configuration; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl SetupArgs {
    /// The setup with `settings` from other options; `--set` comes last and takes precedence.
    pub fn resolve(&self, mut settings: Vec<Setting>) -> Result<Setup> {
        settings.extend(self.rule.iter().map(|rule| Setting::flag("--rule", "rule.name", rule.clone())));
        for text in &self.set {
            settings.push(usage(Setting::parse(text))?);
        }
        usage(Setup::resolve(Some(&self.task), &settings))
    }
}

#[derive(Args)]
#[command(after_help = "\
Every combination of listed values is measured: --neurons 100,200,400 --batch 16,64. RAYON_NUM_THREADS sets the threads.")]
pub struct BenchArgs {
    #[command(flatten)]
    pub setup: SetupArgs,
    /// Neurons of each network
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "200")]
    pub neurons: Vec<i64>,
    /// Networks in parallel
    #[arg(long, value_name = "S", value_delimiter = ',', default_value = "2")]
    pub networks: Vec<i64>,
    /// Trials per network in parallel
    #[arg(long, value_name = "B", value_delimiter = ',', default_value = "64")]
    pub batch: Vec<i64>,
    /// Run trials without learning
    #[arg(long)]
    pub forward: bool,
    /// Updates per round
    #[arg(long, value_name = "U", default_value_t = 4, value_parser = value_parser!(u64).range(1..))]
    pub updates: u64,
    /// Rounds; the median is shown
    #[arg(long, default_value_t = 5, value_parser = value_parser!(u32).range(1..))]
    pub rounds: u32,
    /// The implementation of a step: fused, stepwise (CUDA only) or reference
    #[arg(long, default_value = "fused")]
    pub kernels: String,
}

#[derive(Args)]
#[command(after_help = "\
The exit code is 1 if an implementation differs by more than the tolerance, or does not repeat to the bit.")]
pub struct CompareArgs {
    #[command(flatten)]
    pub setup: SetupArgs,
    /// Networks in parallel
    #[arg(long, value_name = "S", default_value_t = 2)]
    pub networks: i64,
    /// Trials per network in parallel
    #[arg(long, value_name = "B", default_value_t = 16)]
    pub batch: i64,
    /// Largest difference allowed, as a fraction of the largest weight change
    #[arg(long, default_value_t = 1e-4)]
    pub tolerance: f64,
}

#[derive(Args)]
pub struct ListArgs {
    /// Show only this one; for a task, its defaults
    pub name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
