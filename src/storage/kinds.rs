//! How training and lives are written to files and read from them.

use super::life_rows::{header, life_csv, rows_until};
use super::{to_csv, Metrics, Persistent};
use crate::config::{Config, LifeConfig};
use crate::error::Result;
use crate::files::write_atomically;
use crate::presets::{commented, commented_life};
use crate::setup::{LifeSetup, Setup};
use crate::training::{Checkpoint, LifeCheckpoint, Lives, NetworkReport, Trainer, UpdateReport};
use crate::worlds::LifeRow;
use std::path::Path;

impl Persistent for Trainer {
    type Config = Config;
    type Row = NetworkReport;
    const CONTINUES: &'static str = "training continues";

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
}

impl Persistent for Lives {
    type Config = LifeConfig;
    type Row = LifeRow;
    const CONTINUES: &'static str = "the simulation continues";

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
}
