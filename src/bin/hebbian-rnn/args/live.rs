//! The arguments of `live`.

use super::{settings, PlaceArgs};
use anyhow::Result;
use clap::{value_parser, Args};
use hebbian_rnn::Setting;
use toml::Value;

#[derive(Args)]
#[command(
    args_override_self = true,
    after_help = "\
Every key can be set with --set; populations and projections are addressed by name, e.g. --set population.hidden.size=40 \
--set projection.hidden-output.rule.gamma=0.5. A run writes all keys with their values to config.toml; --config reads such a \
file, complete or in part. `hebbian-rnn lives LIFE` shows the defaults of a life."
)]
pub struct LiveArgs {
    /// The life: see `hebbian-rnn lives`. Not needed if --config or --resume names it
    pub life: Option<String>,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Independent networks: a count, or a range A..B of network indices (B excluded) [default: 4]
    #[arg(long, value_name = "S|A..B")]
    pub networks: Option<String>,
    /// Simulated seconds of learning
    #[arg(long, value_name = "SECONDS")]
    pub seconds: Option<f64>,
    /// Simulated seconds of testing afterwards, with frozen weights
    #[arg(long, value_name = "SECONDS")]
    pub frozen_seconds: Option<f64>,
    /// Seed of all random numbers [default: 1]
    #[arg(long, value_name = "N")]
    pub seed: Option<i64>,
    /// The learning rule of the plastic projections; none: their weights are fixed
    #[arg(long, value_name = "R", conflicts_with = "resume")]
    pub rule: Option<String>,
    /// Set any key of the configuration that no other option sets; can be repeated
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// auto, cpu, cuda, cuda:N or metal [default: auto]
    #[arg(long)]
    pub device: Option<String>,
    /// f32 or f64; f64 uses plain operations [default: f32]
    #[arg(long)]
    pub dtype: Option<String>,
    /// fused or reference (plain operations) [default: fused]
    #[arg(long)]
    pub kernels: Option<String>,
    /// Simulated seconds between checkpoints; 0: only at the end
    #[arg(long, value_name = "SECONDS")]
    pub checkpoint_every: Option<f64>,
    /// Simulate the same networks also with modulators shuffled in time (over life.shuffle_seconds; by default 100 s, or a tenth of the
    /// life if that is shorter) and with fixed weights, and compare them network by network [default folder: runs/LIFE-control]
    #[arg(long, conflicts_with_all = ["resume", "resume_or_start", "force", "config"])]
    pub control: bool,
    /// With --control: number of settings simulated at once, which share the cores [default: one per core]
    #[arg(long, value_name = "P", value_parser = value_parser!(u64).range(1..))]
    pub jobs_at_once: Option<u64>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

impl LiveArgs {
    /// The options as settings; an option overrides `--set`.
    pub fn settings(&self) -> Result<Vec<Setting>> {
        let text = |value: &Option<String>| value.clone().map(Value::from);
        let number = |value: Option<f64>| value.map(Value::from);
        let options = [
            (
                "--networks",
                "life.networks",
                self.networks.clone().map(|n| n.parse().map_or(Value::from(n), Value::Integer)),
            ),
            ("--seconds", "life.seconds", number(self.seconds)),
            ("--frozen-seconds", "life.frozen_seconds", number(self.frozen_seconds)),
            ("--seed", "life.seed", self.seed.map(Value::from)),
            ("--device", "life.device", text(&self.device)),
            ("--dtype", "life.dtype", text(&self.dtype)),
            ("--kernels", "life.kernels", text(&self.kernels)),
            ("--checkpoint-every", "life.checkpoint_every_seconds", number(self.checkpoint_every)),
        ];
        settings(options, &self.set)
    }
}
