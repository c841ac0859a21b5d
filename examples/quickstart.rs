//! Question: can two small networks learn to repeat the last bit, without backpropagation, in a few seconds?
//! Answer: yes; both answer correctly at the end, and a checkpoint carries them on.
//!
//! `cargo run --release --example quickstart`

use hebbian_rnn::{Checkpoint, Config, Trainer, evaluate};
use anyhow::Result;
use candle_core::Device;

fn main() -> Result<()> {
    // The defaults of a task are complete; change what you like.
    let mut config = Config::for_task("echo")?;
    config.train.networks = "2".parse().map_err(anyhow::Error::msg)?;
    config.train.updates = Some(500);

    let mut trainer = Trainer::new(config, &Device::Cpu)?;
    trainer.train()?;

    // Everything the next update reads is in one file.
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("echo.safetensors");
    trainer.checkpoint().write(&path)?;

    // Fresh trials, frozen weights.
    let checkpoint = Checkpoint::read(&path, &Device::Cpu)?;
    for score in evaluate(&checkpoint, trainer.task().as_ref(), 200, 1)? {
        println!(
            "network {}: error {:.3}, correct {:.0} %",
            score.network,
            score.error,
            100.0 * score.fraction_correct
        );
        anyhow::ensure!(score.error < 0.05, "not learnt");
    }
    Ok(())
}
