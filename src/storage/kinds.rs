//! How training and lives are written to files and read from them.

use super::envelope::whole_previous;
use super::life_rows::{header, life_csv, rows_until};
use super::{to_csv, Metrics, Persistent};
use crate::config::{Config, LifeConfig, NetworkRange};
use crate::error::Result;
use crate::files::write_atomically;
use crate::presets::{commented, commented_life};
use crate::setup::{LifeSetup, Setup};
use crate::training::{Checkpoint, Integrity, LifeCheckpoint, Lives, NetworkReport, Trainer, UpdateReport};
use crate::worlds::LifeRow;
use candle_core::Device;
use std::path::{Path, PathBuf};

impl Persistent for Trainer {
    type Config = Config;
    type Row = NetworkReport;
    const COMMAND: &'static str = "train";
    const CONTINUES: &'static str = "training continues";
    const CLOCK: usize = 0;

    fn config(setup: &Setup) -> &Config {
        &setup.config
    }

    fn write_config(config: &Config) -> Result<String> {
        commented(config)
    }

    fn read_config(text: &str) -> Result<Config> {
        Config::from_toml(text)
    }

    fn keep(setup: &Setup) -> u64 {
        setup.config.train.keep
    }

    fn rows(report: &UpdateReport) -> &[NetworkReport] {
        &report.networks
    }

    fn write_rows(rows: &[NetworkReport], first: bool) -> Result<Vec<u8>> {
        to_csv(rows, first)
    }

    fn open_metrics(path: &Path, _setup: &Setup, turns: Option<u64>) -> Result<Metrics> {
        Metrics::reopen(path, turns.unwrap_or(0))
    }

    fn setup_of(checkpoint: &mut Checkpoint) -> &mut Setup {
        &mut checkpoint.setup
    }

    fn write_checkpoint(checkpoint: &Checkpoint) -> Result<Vec<u8>> {
        checkpoint.to_bytes()
    }

    fn read(run: &Path) -> Result<Checkpoint> {
        Checkpoint::read(run, &Device::Cpu)
    }

    fn whole_previous(checkpoint: &Checkpoint, path: &Path) -> Option<(PathBuf, String)> {
        let own = checkpoint.setup.own();
        whole_previous::<Trainer>(path, |bytes| Checkpoint::from_bytes_with(bytes, own.clone(), &Device::Cpu))
    }

    fn integrity(checkpoint: &Checkpoint) -> Integrity {
        checkpoint.integrity
    }

    fn program(checkpoint: &Checkpoint) -> &str {
        &checkpoint.program
    }

    fn networks(checkpoint: &Checkpoint) -> NetworkRange {
        checkpoint.setup.config.train.networks
    }

    fn turns(checkpoint: &Checkpoint) -> (u64, f64) {
        (checkpoint.updates, checkpoint.updates as f64)
    }

    fn moment_of(checkpoint: &Checkpoint) -> String {
        format!("update {}", checkpoint.updates)
    }

    fn difference_of_parts(one: &Checkpoint, other: &Checkpoint) -> Result<Option<(String, String, String)>> {
        one.setup.config.difference_of_parts(&other.setup.config)
    }

    fn join(parts: Vec<Checkpoint>, networks: NetworkRange) -> Result<Checkpoint> {
        let mut setup = parts[0].setup.clone();
        setup.config.train.networks = networks;
        Checkpoint::join(&setup, parts)
    }
}

impl Persistent for Lives {
    type Config = LifeConfig;
    type Row = LifeRow;
    const COMMAND: &'static str = "live";
    const CONTINUES: &'static str = "the simulation continues";
    const CLOCK: usize = 1;

    fn config(setup: &LifeSetup) -> &LifeConfig {
        &setup.config
    }

    fn write_config(config: &LifeConfig) -> Result<String> {
        commented_life(config)
    }

    fn read_config(text: &str) -> Result<LifeConfig> {
        LifeConfig::from_toml(text)
    }

    fn keep(setup: &LifeSetup) -> u64 {
        setup.config.life.keep
    }

    fn rows(report: &Vec<LifeRow>) -> &[LifeRow] {
        report
    }

    fn write_rows(rows: &[LifeRow], _first: bool) -> Result<Vec<u8>> {
        life_csv(rows)
    }

    fn open_metrics(path: &Path, setup: &LifeSetup, turns: Option<u64>) -> Result<Metrics> {
        if let Some(turns) = turns {
            return Metrics::shortened(path, rows_until(path, setup, turns, |_| ())?);
        }
        // The metrics of lives have a header even before the first row.
        let header = header(&setup.world.figures());
        write_atomically(path, header.as_bytes())?;
        Metrics::shortened(path, header.len() as u64)
    }

    fn setup_of(checkpoint: &mut LifeCheckpoint) -> &mut LifeSetup {
        &mut checkpoint.setup
    }

    fn write_checkpoint(checkpoint: &LifeCheckpoint) -> Result<Vec<u8>> {
        checkpoint.to_bytes()
    }

    fn read(run: &Path) -> Result<LifeCheckpoint> {
        LifeCheckpoint::read(run)
    }

    fn whole_previous(checkpoint: &LifeCheckpoint, path: &Path) -> Option<(PathBuf, String)> {
        let own = &checkpoint.setup.own;
        whole_previous::<Lives>(path, |bytes| LifeCheckpoint::from_bytes_with(bytes, own.clone()))
    }

    fn integrity(checkpoint: &LifeCheckpoint) -> Integrity {
        checkpoint.integrity
    }

    fn program(checkpoint: &LifeCheckpoint) -> &str {
        &checkpoint.program
    }

    fn networks(checkpoint: &LifeCheckpoint) -> NetworkRange {
        checkpoint.setup.config.life.networks
    }

    fn turns(checkpoint: &LifeCheckpoint) -> (u64, f64) {
        (checkpoint.block, checkpoint.seconds())
    }

    fn moment_of(checkpoint: &LifeCheckpoint) -> String {
        format!("{} s", checkpoint.seconds())
    }

    fn difference_of_parts(one: &LifeCheckpoint, other: &LifeCheckpoint) -> Result<Option<(String, String, String)>> {
        one.setup.config.difference_of_parts(&other.setup.config)
    }

    /// Only a part whose worlds are all over can wait: nothing more happens in it.
    fn wait(checkpoint: &mut LifeCheckpoint, turns: u64) -> Result<Vec<LifeRow>> {
        let mut lives = Lives::resume(checkpoint, &Device::Cpu)?;
        if !lives.is_over() {
            return Ok(Vec::new());
        }
        let rows = lives.wait(turns - checkpoint.block)?;
        *checkpoint = lives.checkpoint()?;
        Ok(rows)
    }

    fn join(parts: Vec<LifeCheckpoint>, networks: NetworkRange) -> Result<LifeCheckpoint> {
        let mut setup = parts[0].setup.clone();
        setup.config.life.networks = networks;
        let (program, block) = (parts[0].program.clone(), parts[0].block);
        let states = parts.into_iter().flat_map(|part| part.states).collect();
        Ok(LifeCheckpoint { setup, program, block, states, integrity: Integrity::Whole })
    }
}
