//! What can be said on the command line. clap appears in this folder only.

use anyhow::Context;
use clap::{Args, Parser, Subcommand, ValueEnum};
use hebbian_rnn::{Setting, ANALYSES, FILE_TASK};
use std::path::PathBuf;

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
    /// Test trained networks: frozen weights, no perturbation, fresh trials
    Evaluate(EvaluateArgs),
    /// Run trained networks on inputs of your own
    Simulate(SimulateArgs),
    /// Show what is in a checkpoint, and whether it is whole
    Inspect(InspectArgs),
    /// Draw a run's pictures again from what was saved, or the learning curves of several runs in one picture
    Plot(PlotArgs),
    /// Write a run's page again: report.html, all of it in one file
    Report(ReportArgs),
    /// Analyse trained networks: tables, pictures and a few figures
    Analyse(AnalyseArgs),
    /// Measure trials per second, and the share of this machine's matrix speed
    Bench(BenchArgs),
    /// Hold one update on a device, by every implementation, against the plain operations on the CPU
    Compare(CompareArgs),
    /// List the tasks
    Tasks(ListArgs),
    /// List the learning rules
    Rules(ListArgs),
    /// List the devices
    Devices(ListArgs),
}

/// A number of trials, or as many as fit.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum BatchSize {
    Auto,
    Of(i64),
}

impl BatchSize {
    fn number(self) -> Option<i64> {
        match self {
            BatchSize::Auto => None,
            BatchSize::Of(number) => Some(number),
        }
    }
}

impl std::str::FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(BatchSize::Auto),
            number => number.parse().map(BatchSize::Of).map_err(|_| "expected a number or `auto`".to_string()),
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Every key of the configuration can be set with --set, e.g. --set trace.eta=0.05 --set task.response_steps=100. A run writes
all of them, with their values, to config.toml; `--config` reads such a file, whole or in part. Flags and --set win over it.

Defaults that depend on the task are shown by `hebbian-rnn tasks TASK`.")]
pub struct TrainArgs {
    /// The task: see `hebbian-rnn tasks`. May be left out where --config or --resume names it
    pub task: Option<String>,
    /// Train on trials of your own: `inputs` [K, T, n_in], `targets` [K, T, n_out]; optional `mask`, `type`, `modulator`
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "task")]
    pub task_file: Option<PathBuf>,
    /// The run's folder [default: runs/TASK]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Independent networks: a count, or a range A..B of network indices (B not included) [default: 4]
    #[arg(long, value_name = "S|A..B")]
    pub networks: Option<String>,
    /// Trials of each network in parallel, one update for each batch; or auto: the largest power of two, up to 256, that
    /// fits into the device's memory [default: the task's, 64 for dnms]
    #[arg(long, value_name = "B|auto")]
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
    /// Seed of everything random [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<i64>,
    /// The learning rule: see `hebbian-rnn rules`
    #[arg(long, value_name = "R")]
    pub rule: Option<String>,
    /// Neurons of each network [default: the task's, 200 for dnms]
    #[arg(long, value_name = "N")]
    pub neurons: Option<i64>,
    /// Set any key of the configuration; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Read settings from a TOML file, such as the config.toml of an earlier run
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// auto, cpu, cuda, cuda:N or metal; several, as in cuda:0,cuda:1, split the networks [default: auto]
    #[arg(long)]
    pub device: Option<String>,
    /// f32 or f64 [default: f32]
    #[arg(long)]
    pub dtype: Option<String>,
    /// fused, stepwise (CUDA only) or reference: which implementation of a step runs [default: fused]
    #[arg(long)]
    pub kernels: Option<String>,
    /// Write the checkpoint every U updates, and at the end; 0: only at the end
    #[arg(long, value_name = "U")]
    pub checkpoint_every: Option<i64>,
    /// Keep the last K checkpoints from before the newest: checkpoint.1.safetensors, checkpoint.2.safetensors, … [default: 1]
    #[arg(long, value_name = "K")]
    pub keep: Option<i64>,
    /// Stop with the state of the update before as soon as a network diverges, instead of freezing that network
    #[arg(long)]
    pub strict_numbers: bool,
    /// Go on with the run in the folder; only stop limits, device, cadence, --keep and --strict-numbers may change
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// With --resume: go on from a checkpoint that was changed since it was written, such as one edited in Python
    #[arg(long, requires = "resume")]
    pub accept_edited: bool,
    /// Move a run that is already in the folder aside (to DIR.1, DIR.2, …)
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
    /// The flags as settings; `--set` comes last and wins.
    pub fn settings(&self) -> anyhow::Result<Vec<Setting>> {
        let mut settings = Vec::new();
        if let Some(path) = &self.task_file {
            let path = path.to_str().with_context(|| format!("--task-file {}: not a name in UTF-8", path.display()))?;
            settings.push(Setting::flag("--task-file", "task.name", FILE_TASK));
            settings.push(Setting::flag("--task-file", "task.path", path));
            // A file that is named anew is hashed anew: what it hashed to before does not matter.
            settings.push(Setting::flag("--task-file", "task.sha256", ""));
        }
        let numbers = [
            ("--batch", "train.batch", self.batch.and_then(BatchSize::number)),
            ("--trials", "train.trials", self.trials),
            ("--updates", "train.updates", self.updates),
            ("--seed", "train.seed", self.seed),
            ("--neurons", "network.neurons", self.neurons),
            ("--checkpoint-every", "train.checkpoint_every", self.checkpoint_every),
            ("--keep", "train.keep", self.keep),
        ];
        settings.extend(numbers.into_iter().filter_map(|(flag, key, value)| Some(Setting::flag(flag, key, value?))));
        let names = [
            ("--networks", "train.networks", &self.networks),
            ("--rule", "rule.name", &self.rule),
            ("--device", "train.device", &self.device),
            ("--dtype", "train.dtype", &self.dtype),
            ("--kernels", "train.kernels", &self.kernels),
        ];
        settings
            .extend(names.into_iter().filter_map(|(flag, key, value)| Some(Setting::flag(flag, key, value.clone()?))));
        if self.until_criterion {
            settings.push(Setting::flag("--until-criterion", "train.until_criterion", true));
        }
        if self.strict_numbers {
            settings.push(Setting::flag("--strict-numbers", "train.strict_numbers", true));
        }
        for text in &self.set {
            settings.push(Setting::parse(text)?);
        }
        Ok(settings)
    }
}

#[derive(Args)]
pub struct EvaluateArgs {
    /// A run's folder or a checkpoint
    pub run: PathBuf,
    /// Networks of a task file: take the trials from this file, such as trials that training has not seen
    #[arg(long, value_name = "FILE.safetensors")]
    pub task_file: Option<PathBuf>,
    /// Fresh trials of each network
    #[arg(long, value_name = "K", default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..))]
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

/// What `simulate` can record.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Recordable {
    Rates,
    Activations,
    Trace,
}

#[derive(Args)]
#[command(after_help = "\
The inputs file holds `inputs` [T, B, n_in] (the same for every network) or [T, S, B, n_in]; optionally `modulator` [T, B],
the neuromodulator m(t) that drives the Hebbian trace, `x` [B, N] or [S, B, N], the activations at the start, and
`hebbian_trace` [S, B, N, N], the trace at the start. The output file holds `outputs` [T, S, B, n_out], and, where recorded,
`rates` and `activations` [T, S, B, N] and `hebbian_trace` [S, B, N, N] after the last step.")]
pub struct SimulateArgs {
    /// A checkpoint or a run's folder
    pub checkpoint: PathBuf,
    /// The inputs
    #[arg(long, value_name = "FILE.safetensors")]
    pub inputs: PathBuf,
    /// Where to write the results
    #[arg(long, value_name = "FILE.safetensors")]
    pub out: PathBuf,
    /// What to write beside the outputs, comma-separated
    #[arg(long, value_delimiter = ',')]
    pub record: Vec<Recordable>,
    /// Seed of the activations at the start, where the inputs give none [default: the run's own]
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
    /// A run's folder; with several, their learning curves go into one picture: for each run the median of its networks
    /// and their middle half
    #[arg(required = true, value_name = "RUN")]
    pub runs: Vec<PathBuf>,
    /// Where the picture of several runs goes, as FILE.png and FILE.svg [default: learning_curves]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Logarithmic error axis
    #[arg(long)]
    pub log: bool,
}

#[derive(Args)]
pub struct ReportArgs {
    /// A run's folder
    pub run: PathBuf,
    /// Logarithmic error axis
    #[arg(long)]
    pub log: bool,
}

#[derive(Args)]
#[command(after_help = analyses())]
pub struct AnalyseArgs {
    /// A run's folder or a checkpoint
    pub run: PathBuf,
    /// Which analyses [default: all that fit the task]
    #[arg(value_name = "ANALYSIS")]
    pub analyses: Vec<String>,
    /// Where to write tables and pictures [default: `analysis` in the run's folder]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Fresh trials of each network, for each analysis that runs any [default: depends on the analysis]
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u64).range(1..))]
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

#[derive(Args)]
#[command(after_help = "\
Lists of values are measured one after the other: --neurons 100,200,400 --batch 16,64. Threads: RAYON_NUM_THREADS=1.")]
pub struct BenchArgs {
    /// The task
    #[arg(long, default_value = "dnms")]
    pub task: String,
    /// Neurons of each network
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "200")]
    pub neurons: Vec<i64>,
    /// Networks in parallel
    #[arg(long, value_name = "S", value_delimiter = ',', default_value = "2")]
    pub networks: Vec<i64>,
    /// Trials of each network in parallel
    #[arg(long, value_name = "B", value_delimiter = ',', default_value = "64")]
    pub batch: Vec<i64>,
    /// The learning rule [default: the task's]
    #[arg(long, value_name = "R")]
    pub rule: Option<String>,
    /// Set any other key of the configuration; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Run trials without learning
    #[arg(long)]
    pub forward: bool,
    /// Updates in each round
    #[arg(long, value_name = "U", default_value_t = 4, value_parser = clap::value_parser!(u64).range(1..))]
    pub updates: u64,
    /// Rounds, of which the median is shown
    #[arg(long, default_value_t = 5, value_parser = rounds)]
    pub rounds: usize,
    /// fused, stepwise (CUDA only) or reference
    #[arg(long, default_value = "fused")]
    pub kernels: String,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(after_help = "\
Exit code 1 where an implementation differs by more than the tolerance, or does not repeat to the bit.")]
pub struct CompareArgs {
    /// The task
    #[arg(long, default_value = "dnms")]
    pub task: String,
    /// Networks in parallel
    #[arg(long, value_name = "S", default_value_t = 2)]
    pub networks: i64,
    /// Trials of each network in parallel
    #[arg(long, value_name = "B", default_value_t = 16)]
    pub batch: i64,
    /// The learning rule [default: the task's]
    #[arg(long, value_name = "R")]
    pub rule: Option<String>,
    /// Set any other key of the configuration; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Largest difference, as a fraction of the largest change of a weight
    #[arg(long, default_value_t = 1e-4)]
    pub tolerance: f64,
    /// auto, cpu, cuda, cuda:N or metal
    #[arg(long, default_value = "auto")]
    pub device: String,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn rounds(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "expected a number of at least 1".to_string())
}

#[derive(Args)]
pub struct ListArgs {
    /// Show one of them in full
    pub name: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
