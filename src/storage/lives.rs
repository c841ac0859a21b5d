//! The folder of lives: a checkpoint, `metrics.csv` with a row for each block and network, and `config.toml`.

use super::life_checkpoint::KEY;
use super::run_folder::{claim, CONFIG_FILE};
use super::{Lock, METRICS_FILE};
use crate::error::{ensure, Doing, Error, Result};
use crate::files::{remove_unfinished, write_atomically, write_keeping};
use crate::presets::{commented_life, LifeSetup};
use crate::reader::{read, TensorFile};
use crate::training::{LifeCheckpoint, Lives, CHECKPOINT_FILE};
use crate::worlds::LifeRow;
use std::io::Read;
use std::path::Path;
use std::time::Instant;

/// The name of the picture in the folder of lives, without its extension.
pub const LIFE_PICTURE: &str = "life";

/// The name of the drawing of who projects to whom.
pub const CIRCUIT_PICTURE: &str = "circuit";

/// The folder of lives, which is kept up to date while they are lived.
pub struct LifeFolder {
    lock: Lock,
    rows: Vec<LifeRow>,
    figures: &'static [&'static str],
}

impl LifeFolder {
    /// Makes the folder of a new run and writes its configuration. With `force`, an existing run is moved aside.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process is using the folder or, without `force`, if it already holds a run;
    /// [`Error::Io`] if it cannot be written.
    pub fn create(path: &Path, setup: &LifeSetup, force: bool) -> Result<Self> {
        let lock = claim(path, force)?;
        let folder = LifeFolder { lock, rows: Vec::new(), figures: figures(setup)? };
        folder.write_config(setup)?;
        Ok(folder)
    }

    /// Opens the folder of an earlier run at its newest checkpoint, if it has one.
    ///
    /// # Errors
    /// [`Error::Usage`] if another process is using the folder, [`Error::Content`] if the metrics lack rows that the
    /// checkpoint counts; else as [`LifeCheckpoint::read`].
    pub fn reopen(path: &Path) -> Result<(Self, Option<LifeCheckpoint>)> {
        ensure!(path.is_dir(), Usage, "{} is not a run's folder", path.display());
        let lock = Lock::take(path)?;
        remove_unfinished(path, &[CONFIG_FILE, METRICS_FILE, "checkpoint."]).doing("clearing", path)?;
        if !super::holds_a_checkpoint(path) {
            return Ok((LifeFolder { lock, rows: Vec::new(), figures: &[] }, None));
        }
        let checkpoint = LifeCheckpoint::read(path)?;
        let setup = &checkpoint.setup;
        let metrics = path.join(METRICS_FILE);
        let mut rows = read_life_rows(&metrics)?;
        let expected = (checkpoint.block as usize).saturating_mul(setup.config.life.networks.count());
        ensure!(
            rows.len() >= expected,
            Content,
            "{} has {} rows; the checkpoint counts {expected}",
            metrics.display(),
            rows.len()
        );
        rows.truncate(expected);
        Ok((LifeFolder { lock, rows, figures: figures(setup)? }, Some(checkpoint)))
    }

    /// Writes the configuration, whose limits may have changed.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn write_config(&self, setup: &LifeSetup) -> Result<()> {
        write_atomically(&self.lock.folder().join(CONFIG_FILE), commented_life(&setup.config)?.as_bytes())
    }

    /// Adds rows. They are on disk after the next [`LifeFolder::save`].
    pub fn append(&mut self, rows: Vec<LifeRow>) {
        self.rows.extend(rows);
    }

    /// Lives on until the lives are over or `interrupted`, keeping the folder up to date, and saves them; returns whether they are
    /// over. `news` hears of each stretch and, if writing has failed, why: it is tried again at the next checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`] if the end cannot be saved; else as [`Lives::live`].
    pub fn live(
        &mut self,
        lives: &mut Lives,
        news: &mut dyn FnMut(&Lives, Option<&Error>),
        interrupted: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let every = lives.setup().config.life.checkpoint_every_seconds / lives.block_seconds();
        let every = if every > 0.0 { every.round().max(1.0) as u64 } else { u64::MAX };
        // Blocks between two looks at `interrupted`: as many as take some tenths of a second, for after each stride threads wait for
        // each other.
        let mut stride = 1;
        let mut saved = None;
        while !lives.is_over() {
            let to_save = every - lives.block() % every;
            let begun = Instant::now();
            self.append(lives.live(stride.min(to_save))?);
            stride = match begun.elapsed().as_millis() {
                0..100 => stride.saturating_mul(2),
                100..400 => stride,
                _ => (stride / 2).max(1),
            };
            news(lives, None);
            let last = lives.is_over() || interrupted();
            if last || lives.block().is_multiple_of(every) {
                match self.save(lives) {
                    Ok(()) => saved = Some(lives.block()),
                    Err(why) if !last => news(lives, Some(&why)),
                    Err(why) => return Err(why),
                }
            }
            if last {
                break;
            }
        }
        if saved != Some(lives.block()) {
            self.save(lives)?;
        }
        Ok(lives.is_over())
    }

    /// All rows so far.
    pub fn rows(&self) -> &[LifeRow] {
        &self.rows
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.lock.folder()
    }

    /// Writes rows, then the checkpoint that counts them, each whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] if a file cannot be written; it then keeps its previous contents.
    pub fn save(&mut self, lives: &Lives) -> Result<()> {
        let folder = self.lock.folder();
        self.figures = figures(lives.setup())?;
        write_atomically(&folder.join(METRICS_FILE), &to_csv(self.figures, &self.rows)?)?;
        let bytes = lives.checkpoint()?.to_bytes()?;
        write_keeping(&folder.join(CHECKPOINT_FILE), &bytes, lives.setup().config.life.keep)
    }
}

/// The first column of the metrics of lives, whose rows are not counted by updates.
const FIRST_COLUMN: &str = "network";

/// Whether a metrics file, by its header, is that of lives.
///
/// # Errors
/// [`Error::Io`] if it cannot be read.
pub(crate) fn holds_life_rows(path: &Path) -> Result<bool> {
    let mut begins = [0; FIRST_COLUMN.len()];
    let read = std::fs::File::open(path).and_then(|mut file| file.read(&mut begins));
    Ok(read.doing("reading", path)? == begins.len() && begins == *FIRST_COLUMN.as_bytes())
}

fn figures(setup: &LifeSetup) -> Result<&'static [&'static str]> {
    Ok(setup.world(setup.config.life.networks.start)?.figures())
}

fn to_csv(figures: &[&str], rows: &[LifeRow]) -> Result<Vec<u8>> {
    let bug = |error: String| Error::Bug(format!("writing metrics: {error}"));
    let mut csv = csv::Writer::from_writer(Vec::new());
    let names = [FIRST_COLUMN, "seconds", "frozen"].iter().chain(figures);
    csv.write_record(names).map_err(|error| bug(error.to_string()))?;
    for row in rows {
        let fixed = [row.network.to_string(), row.seconds.to_string(), u8::from(row.frozen).to_string()];
        let own = row.figures.iter().map(|v| if v.is_nan() { String::new() } else { v.to_string() });
        csv.write_record(fixed.into_iter().chain(own)).map_err(|error| bug(error.to_string()))?;
    }
    csv.into_inner().map_err(|error| bug(error.to_string()))
}

/// Whether a file, or the checkpoint in a folder, is that of lives.
pub fn holds_a_life(path: &Path) -> bool {
    let path = if path.is_dir() { &path.join(CHECKPOINT_FILE) } else { path };
    let Ok(bytes) = read(path) else { return false };
    TensorFile::parse(&bytes).is_ok_and(|file| file.metadata.metadata().as_ref().is_some_and(|m| m.contains_key(KEY)))
}

/// All rows of the `metrics.csv` of lives.
///
/// # Errors
/// [`Error::Content`] if a row is malformed.
pub fn read_life_rows(path: &Path) -> Result<Vec<LifeRow>> {
    let text = read(path)?;
    let mut rows = Vec::new();
    for (record, line) in csv::Reader::from_reader(&text[..]).records().zip(2..) {
        let broken = |what: &str| Error::Content(format!("{}: line {line}: {what}", path.display()));
        let record = record.map_err(|error| broken(&error.to_string()))?;
        let number = |text: &str| if text.is_empty() { Ok(f64::NAN) } else { text.parse::<f64>() };
        let values: Vec<f64> =
            record.iter().map(number).collect::<Result<_, _>>().map_err(|_| broken("expected numbers"))?;
        let [network, seconds, frozen, figures @ ..] = &values[..] else { return Err(broken("too few columns")) };
        rows.push(LifeRow::new(*network as u64, *seconds, *frozen == 1.0, figures.to_vec()));
    }
    Ok(rows)
}
