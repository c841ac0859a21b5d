//! The command line's arguments. Only this folder uses clap.

mod live;

pub use live::LiveArgs;

use crate::output::usage;
use anyhow::{Context, Result};
use clap::{value_parser, Args, Parser, Subcommand, ValueEnum};
use hebbian_rnn::{Setting, Setup, ANALYSES, FILE_TASK};
use std::path::PathBuf;
use toml::Value;

/// Recurrent networks that learn by reward-modulated Hebbian plasticity: many networks and trials in parallel.
#[derive(Parser)]
#[command(version, max_term_width = 110)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Train networks on a task
    Train(Box<TrainArgs>),
    /// Let networks live in a world, their weights moving at every step
    Live(Box<LiveArgs>),
    /// Test trained networks on fresh trials, with frozen weights and without perturbations
    Evaluate(EvaluateArgs),
    /// Run trained networks on your own inputs
    Simulate(SimulateArgs),
    /// Show what is in a checkpoint, and whether it is intact
    Inspect(InspectArgs),
    /// Redraw a run's pictures from its files, or draw the learning curves of several runs in one picture
    Plot(PlotArgs),
    /// Write a run's report.html again, with every analysis that fits
    Report(ReportArgs),
    /// Analyse trained networks: tables, pictures and summary figures
    Analyse(AnalyseArgs),
    /// Measure trials per second, and the share of this machine's matrix speed that is reached
    Bench(BenchArgs),
    /// Compare one update by each implementation on a device with the plain operations on the CPU
    Compare(CompareArgs),
    /// List the tasks
    Tasks(ListArgs),
    /// List the lives
    Lives(ListArgs),
    /// List the learning rules
    Rules(ListArgs),
    /// List the devices
    Devices(ListArgs),
}

/// The number of trials that each network runs in parallel.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    /// As many as fit into the device's memory.
    Auto,
    Number(i64),
}

fn batch_size(text: &str) -> Result<BatchSize, &'static str> {
    match text {
        "auto" => Ok(BatchSize::Auto),
        number => number.parse().map(BatchSize::Number).map_err(|_| "expected a number or `auto`"),
    }
}

#[derive(Args)]
#[command(after_help = "\
Every key of the configuration can be set with --set, e.g. --set trace.eta=0.05 --set task.response_steps=100. A run writes
all keys with their values to config.toml; --config reads such a file, complete or in part. Options and --set override it.

`hebbian-rnn tasks TASK` shows the defaults of a task.")]
pub struct TrainArgs {
    /// The task: see `hebbian-rnn tasks`. Not needed if --config or --resume names it
    pub task: Option<String>,
    /// Train on your own trials: `inputs` [K, T, n_in], `targets` [K, T, n_out]; optionally `mask`, `type`, `modulator`
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "task")]
    pub task_file: Option<PathBuf>,
    /// The run's folder [default: runs/TASK]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Independent networks: a count, or a range A..B of network indices (B excluded) [default: 4]
    #[arg(long, value_name = "S|A..B")]
    pub networks: Option<String>,
    /// Trials that each network runs in parallel, with one update per batch; auto: the largest power of two, up to 256,
    /// that fits into the device's memory [default: the task's, 64 for dnms]
    #[arg(long, value_name = "B|auto", value_parser = batch_size)]
    pub batch: Option<BatchSize>,
    /// Stop after this many trials of each network, rounded up to whole updates
    #[arg(long, value_name = "K", conflicts_with = "updates")]
    pub trials: Option<i64>,
    /// Stop after this many updates; 0 writes the untrained networks
    #[arg(long, value_name = "U")]
    pub updates: Option<i64>,
    /// Stop as soon as every network has more than 95 of its last 100 trials correct
    #[arg(long)]
    pub until_criterion: bool,
    /// Seed of all random numbers [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<i64>,
    /// The learning rule: see `hebbian-rnn rules`
    #[arg(long, value_name = "R")]
    pub rule: Option<String>,
    /// Take the initial weights from another run, checkpoint or safetensors file, tensor by tensor where it has them
    #[arg(long, value_name = "RUN|FILE", conflicts_with = "resume")]
    pub init: Option<PathBuf>,
    /// Neurons of each network [default: the task's, 200 for dnms]
    #[arg(long, value_name = "N")]
    pub neurons: Option<i64>,
    /// Set any key of the configuration; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Read settings from a TOML file, such as the config.toml of an earlier run
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// auto, cpu, cuda, cuda:N or metal; the networks are split among several, as in cuda:0,cuda:1 [default: auto]
    #[arg(long)]
    pub device: Option<String>,
    /// f32 or f64 [default: f32]
    #[arg(long)]
    pub dtype: Option<String>,
    /// The implementation of a step: fused, stepwise (CUDA only) or reference [default: fused]
    #[arg(long)]
    pub kernels: Option<String>,
    /// Write a checkpoint every U updates and at the end; 0: only at the end
    #[arg(long, value_name = "U")]
    pub checkpoint_every: Option<i64>,
    /// Keep the last K checkpoints before the newest: checkpoint.1.safetensors, checkpoint.2.safetensors, … [default: 1]
    #[arg(long, value_name = "K")]
    pub keep: Option<i64>,
    /// When a network diverges, stop with the state before that update instead of freezing the network
    #[arg(long)]
    pub strict_numbers: bool,
    /// Continue the run in the folder; only stopping limits, device, --checkpoint-every, --keep and --strict-numbers may change
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// With --resume: accept a checkpoint that was changed after it was written, e.g. edited in Python
    #[arg(long, requires = "resume")]
    pub accept_edited: bool,
    /// If there is a run in the folder already, move it aside (to DIR.1, DIR.2, …)
    #[arg(long)]
    pub force: bool,
    /// Draw the learning curve with a logarithmic error axis
    #[arg(long)]
    pub log: bool,
    /// Print the final table as JSON
    #[arg(long)]
    pub json: bool,
}

impl TrainArgs {
    /// The options as settings; `--set` comes last and wins.
    pub fn settings(&self) -> Result<Vec<Setting>> {
        let name = |flag: &str, path: &Option<PathBuf>| -> Result<Option<String>> {
            let Some(path) = path else { return Ok(None) };
            let name = path.to_str().with_context(|| format!("{flag} {}: not a name in UTF-8", path.display()))?;
            Ok(Some(name.to_string()))
        };
        let (file, init) = (name("--task-file", &self.task_file)?, name("--init", &self.init)?);
        let batch = match self.batch {
            Some(BatchSize::Number(number)) => Some(number),
            Some(BatchSize::Auto) | None => None,
        };
        let text = |value: &Option<String>| value.clone().map(Value::from);
        let number = |value: Option<i64>| value.map(Value::from);
        let switch = |on: bool| on.then_some(Value::from(true));
        let options = [
            // These files are hashed anew, so the hashes of those named before do not matter.
            ("--task-file", "task.name", file.as_ref().map(|_| FILE_TASK.into())),
            ("--task-file", "task.sha256", file.as_ref().map(|_| "".into())),
            ("--task-file", "task.path", text(&file)),
            ("--init", "train.init_sha256", init.as_ref().map(|_| "".into())),
            ("--init", "train.init", text(&init)),
            ("--batch", "train.batch", number(batch)),
            ("--trials", "train.trials", number(self.trials)),
            ("--updates", "train.updates", number(self.updates)),
            ("--seed", "train.seed", number(self.seed)),
            ("--neurons", "network.neurons", number(self.neurons)),
            ("--checkpoint-every", "train.checkpoint_every", number(self.checkpoint_every)),
            ("--keep", "train.keep", number(self.keep)),
            ("--networks", "train.networks", text(&self.networks)),
            ("--rule", "rule.name", text(&self.rule)),
            ("--device", "train.device", text(&self.device)),
            ("--dtype", "train.dtype", text(&self.dtype)),
            ("--kernels", "train.kernels", text(&self.kernels)),
            ("--until-criterion", "train.until_criterion", switch(self.until_criterion)),
            ("--strict-numbers", "train.strict_numbers", switch(self.strict_numbers)),
        ];
        let options = options.into_iter().filter_map(|(flag, key, value)| Some(Ok(Setting::flag(flag, key, value?))));
        Ok(options.chain(self.set.iter().map(|text| Setting::parse(text))).collect::<Result<_, _>>()?)
    }
}

#[derive(Args)]
pub struct EvaluateArgs {
    /// A run's folder or a checkpoint
    pub run: PathBuf,
    /// For networks trained on a task file: take the trials from this file, e.g. trials not seen in training
    #[arg(long, value_name = "FILE.safetensors")]
    pub task_file: Option<PathBuf>,
    /// Fresh trials of each network
    #[arg(long, value_name = "K", default_value_t = 400, value_parser = value_parser!(u64).range(1..))]
    pub trials: u64,
    /// Seed of the trials [default: the run's own; training never sees these trials]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// What `simulate` can record beside the outputs.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Recordable {
    Rates,
    Activations,
    Trace,
}

#[derive(Args)]
#[command(after_help = "\
The input file holds `inputs` [T, B, n_in] (the same for every network) or [T, S, B, n_in]; optionally `modulator` [T, B],
the neuromodulator m(t) that drives the Hebbian trace; `x` [B, N] or [S, B, N], the initial activations; and
`hebbian_trace` [S, B, N, N], the initial trace. The output file holds `outputs` [T, S, B, n_out] and, if recorded,
`rates` and `activations` [T, S, B, N], and `hebbian_trace` [S, B, N, N] after the last step.")]
pub struct SimulateArgs {
    /// A checkpoint or a run's folder
    pub checkpoint: PathBuf,
    /// The input file
    #[arg(long, value_name = "FILE.safetensors")]
    pub inputs: PathBuf,
    /// The output file
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// What to record beside the outputs, separated by commas
    #[arg(long, value_delimiter = ',')]
    pub record: Vec<Recordable>,
    /// Seed of the initial activations, if the input file has none [default: the run's own]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    pub device: String,
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
    /// A run's folder; the learning curves of several runs are drawn in one picture, with the median and the interquartile
    /// range of each run's networks
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Write the picture of several runs to FILE.png and FILE.svg [default: learning_curves]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
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
    /// The analyses to run [default: all that fit the task]
    #[arg(value_name = "ANALYSIS")]
    pub analyses: Vec<String>,
    /// Where to write tables and pictures [default: `analysis` in the run's folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Fresh trials of each network, for analyses that run trials [default: depends on the analysis]
    #[arg(long, value_name = "K", value_parser = value_parser!(u64).range(1..))]
    pub trials: Option<u64>,
    /// Seed of the trials [default: the run's own; training never sees these trials]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The analyses, each with what it shows.
fn analyses() -> String {
    let lines = ANALYSES.iter().map(|a| format!("  {:<14}{}\n", a.name, a.summary));
    format!("Analyses:\n{}\nEach writes its numbers as CSV and its pictures as PNG and SVG.", lines.collect::<String>())
}

// The options that `bench` and `compare` share. clap would take a doc comment for their description.
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
    /// The setup with `settings` from other options; `--set` comes last and wins.
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
    /// Trials that each network runs in parallel
    #[arg(long, value_name = "B", value_delimiter = ',', default_value = "64")]
    pub batch: Vec<i64>,
    /// Run trials without learning
    #[arg(long)]
    pub forward: bool,
    /// Updates in each round
    #[arg(long, value_name = "U", default_value_t = 4, value_parser = value_parser!(u64).range(1..))]
    pub updates: u64,
    /// Rounds, of which the median is shown
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
    /// Trials that each network runs in parallel
    #[arg(long, value_name = "B", default_value_t = 16)]
    pub batch: i64,
    /// Largest difference allowed, as a fraction of the largest weight change
    #[arg(long, default_value_t = 1e-4)]
    pub tolerance: f64,
}

#[derive(Args)]
pub struct ListArgs {
    /// Show only this one; for a task: its defaults
    pub name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
