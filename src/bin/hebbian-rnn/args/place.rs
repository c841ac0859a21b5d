//! The arguments of `train` and `live` that say where a run is kept and how it begins.

use clap::Args;
use std::path::PathBuf;

#[derive(Args)]
pub struct PlaceArgs {
    /// The run's folder [default: runs/NAME, after the task or life; runs/TASK-RULE for another rule, or a task with a life's name]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Read settings from a TOML file, such as the config.toml of an earlier run
    #[arg(long, value_name = "FILE.toml")]
    pub config: Option<PathBuf>,
    /// Continue the run in the folder; only limits, the device and what is written can change
    #[arg(long, conflicts_with = "force")]
    pub resume: bool,
    /// Continue the run in the folder if there is one, else start it, so that a resubmitted job continues
    #[arg(long, conflicts_with_all = ["resume", "force"])]
    pub resume_or_start: bool,
    /// With --resume: accept a checkpoint that was modified after it was written, e.g. edited in Python
    #[arg(long, requires = "resume")]
    pub accept_edited: bool,
    /// If the folder already holds a run, move it aside (to DIR.1, DIR.2, …)
    #[arg(long)]
    pub force: bool,
}
