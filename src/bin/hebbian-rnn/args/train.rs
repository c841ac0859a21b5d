//! The arguments of `train`.

use super::{settings, whole, PlaceArgs};
use anyhow::{Context, Result};
use clap::{value_parser, Args};
use hebbian_rnn::presets::FILE_TASK;
use hebbian_rnn::Setting;
use std::path::PathBuf;
use toml::Value;

/// The number of trials per network in parallel.
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
#[command(
    args_override_self = true,
    allow_negative_numbers = true,
    after_help = "\
Every key of the configuration can be set with --set, e.g. --set trace.eta=0.05 --set task.response_steps=100. A run writes \
all keys with their values to config.toml; --config reads such a file, complete or in part. --set overrides it, and options \
override both.

`hebbian-rnn tasks TASK` shows the defaults of a task."
)]
pub struct TrainArgs {
    /// The task: see `hebbian-rnn tasks`. Not needed if --config or --resume names it
    pub task: Option<String>,
    /// Train on your own trials: `inputs` [K, T, n_in], `targets` [K, T, n_out]; optionally `mask`, `type`, `modulator`
    #[arg(long, value_name = "FILE.safetensors", conflicts_with = "task")]
    pub task_file: Option<PathBuf>,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Independent networks: a count, or a range A..B of network indices (B excluded) [default: 4]
    #[arg(long, value_name = "S|A..B")]
    pub networks: Option<String>,
    /// Trials that each network runs in parallel, with one update per batch; auto: the largest power of two, up to 256,
    /// that fits into the device's memory [default: the task's, 64 for dnms]
    #[arg(long, value_name = "B|auto", value_parser = batch_size)]
    pub batch: Option<BatchSize>,
    /// Stop after this many trials per network, rounded up to whole updates
    #[arg(long, value_name = "K", value_parser = whole, conflicts_with = "updates")]
    pub trials: Option<i64>,
    /// Stop after this many updates; 0 writes the untrained networks
    #[arg(long, value_name = "U", value_parser = whole)]
    pub updates: Option<i64>,
    /// Stop as soon as every network has more than 95 of its last 100 trials correct
    #[arg(long)]
    pub until_criterion: bool,
    /// Seed of all random numbers [default: 1]
    #[arg(long, value_name = "N", value_parser = whole)]
    pub seed: Option<i64>,
    /// The learning rule: see `hebbian-rnn rules`
    #[arg(long, value_name = "R")]
    pub rule: Option<String>,
    /// Take initial weights from another run, checkpoint or safetensors file, for each tensor that it contains
    #[arg(long, value_name = "RUN|FILE", conflicts_with = "resume")]
    pub init: Option<PathBuf>,
    /// Neurons of each network [default: the task's, 200 for dnms]
    #[arg(long, value_name = "N", value_parser = whole)]
    pub neurons: Option<i64>,
    /// Set any key of the configuration that no other option sets; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
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
    #[arg(long, value_name = "U", value_parser = whole)]
    pub checkpoint_every: Option<i64>,
    /// Keep the K checkpoints before the newest: checkpoint.1.safetensors, checkpoint.2.safetensors, … [default: 1]
    #[arg(long, value_name = "K", value_parser = whole)]
    pub keep: Option<i64>,
    /// If a network diverges, stop with the state before that update instead of freezing the network
    #[arg(long)]
    pub strict_numbers: bool,
    /// Train with each of these values of a key, in separate folders; with several --scan, with every combination [default
    /// folder: runs/TASK-scan]
    #[arg(long, value_name = "KEY=VALUE,VALUE", conflicts_with_all = ["resume", "resume_or_start", "force", "config", "log"])]
    pub scan: Vec<String>,
    /// Train the same networks also with modulators shuffled among the trials of a batch and without learning, and compare them
    /// network by network [default folder: runs/TASK-control]
    #[arg(long, conflicts_with_all = ["scan", "resume", "resume_or_start", "force", "config", "log"])]
    pub control: bool,
    /// With --scan or --control: number of settings trained at once, which share the cores [default: one per core; one on a GPU]
    #[arg(long, value_name = "P", value_parser = value_parser!(u64).range(1..))]
    pub jobs_at_once: Option<u64>,
    /// Draw the learning curve with a logarithmic error axis
    #[arg(long)]
    pub log: bool,
    /// Print the final table as JSON
    #[arg(long)]
    pub json: bool,
}

impl TrainArgs {
    /// The options as settings; an option overrides `--set`.
    pub fn settings(&self) -> Result<Vec<Setting>> {
        let name = |flag: &str, path: &Option<PathBuf>| -> Result<Option<String>> {
            let Some(path) = path else { return Ok(None) };
            let name = path
                .to_str()
                .with_context(|| format!("{flag} {}: the path is not valid UTF-8; rename it", path.display()))?;
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
            // These files are hashed anew, so the hashes of the previous ones do not matter.
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
        settings(options, &self.set)
    }
}
