//! The folder of lives: `config.toml`, `metrics.csv` with a row for each block and network, the checkpoints and the pictures.

use super::folder::{claim, Folder};
use super::life_checkpoint::KEY;
use super::life_rows::{header, read_life_rows, rows_until, to_csv};
use super::{Lock, Metrics, METRICS_FILE};
use crate::error::{At, Result};
use crate::files::write_atomically;
use crate::presets::{commented_life, LifeSetup};
use crate::reader::{read, TensorFile};
use crate::training::{Lives, CHECKPOINT_FILE};
use crate::worlds::LifeRow;
use std::path::Path;
use std::time::Instant;

/// The name of the picture in the folder of lives, without its extension.
pub const LIFE_PICTURE: &str = "life";

/// The name of the diagram of populations and projections.
pub const CIRCUIT_PICTURE: &str = "circuit";

/// What continues despite a failed write.
const GOING_ON: &str = "the simulation continues";

/// The folder of lives, kept up to date during the simulation.
pub struct LifeFolder {
    folder: Folder,
    keep: u64,
    /// The block of the newest checkpoint.
    saved_at: Option<u64>,
}

impl LifeFolder {
    /// Makes the folder of a new run and writes its configuration. With `force`, an existing run is moved aside.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if another process is using the folder or, without `force`, if it already holds a run;
    /// [`Error::Io`](crate::Error::Io) if it cannot be written.
    pub fn create(path: &Path, setup: &LifeSetup, force: bool) -> Result<Self> {
        Self::reopen(claim(path, force)?, setup, None)
    }

    /// Opens the folder of an earlier run and writes its configuration, whose limits may have changed. `saved_at` is the block of the
    /// newest checkpoint, from which the lives continue; `None` if there is no checkpoint and they start from the beginning.
    ///
    /// # Errors
    /// [`Error::Content`](crate::Error::Content) if the metrics lack rows that the checkpoint counts; [`Error::Io`](crate::Error::Io) if the folder cannot be written.
    pub fn reopen(lock: Lock, setup: &LifeSetup, saved_at: Option<u64>) -> Result<Self> {
        let metrics = |path: &Path| match saved_at {
            Some(block) => Metrics::shortened(path, rows_until(path, setup, block, |_| ())?),
            None => {
                write_atomically(path, &[])?;
                let mut metrics = Metrics::shortened(path, 0)?;
                metrics.append_text(header(&setup.world.figures()).as_bytes()).map(|()| metrics)
            }
        };
        let saved = saved_at.map(|block| moment(block, setup.block_seconds()));
        let folder = Folder::open(lock, commented_life(&setup.config)?, metrics, saved)?;
        Ok(LifeFolder { folder, keep: setup.config.life.keep, saved_at })
    }

    /// Lives on until the lives are over or `interrupted`, keeping the folder up to date, and saves them; returns whether they are
    /// over. `news` is called after each stretch, and with a message when writing begins to fail and when it works again: it is tried
    /// again at each stretch and each checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if the end cannot be saved; else as [`Lives::live`].
    pub fn live(
        &mut self,
        lives: &mut Lives,
        news: &mut dyn FnMut(&Lives, Option<&str>),
        interrupted: &dyn Fn() -> bool,
    ) -> Result<bool> {
        let every = lives.setup().config.life.checkpoint_every_seconds / lives.block_seconds();
        let every = if every > 0.0 { every.round().max(1.0) as u64 } else { u64::MAX };
        // Blocks between two checks of `interrupted`: enough to take some tenths of a second, since after each stride threads wait for
        // each other.
        let mut stride = 1;
        while !lives.is_over() {
            let to_save = every - lives.block() % every;
            let begun = Instant::now();
            let rows = lives.live(stride.min(to_save))?;
            stride = match begun.elapsed().as_millis() {
                0..100 => stride.saturating_mul(2),
                100..400 => stride,
                _ => (stride / 2).max(1),
            };
            let due = lives.block().is_multiple_of(every);
            let mut written = self.append(&rows);
            if due && written.is_ok() {
                written = self.save(lives);
            }
            self.folder.note(written, due, GOING_ON);
            news(lives, None);
            self.folder.messages().iter().for_each(|message| news(lives, Some(message)));
            if interrupted() {
                break;
            }
        }
        if self.saved_at != Some(lives.block()) {
            let lost = self.folder.lost(&moment(lives.block(), lives.block_seconds()));
            self.save(lives).at(lost)?;
            self.folder.note_saved();
            self.folder.messages().iter().for_each(|message| news(lives, Some(message)));
        }
        Ok(lives.is_over())
    }

    /// All rows that are saved.
    ///
    /// # Errors
    /// As [`read_life_rows`].
    pub fn rows(&self) -> Result<Vec<LifeRow>> {
        read_life_rows(&self.path().join(METRICS_FILE))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Appends rows.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if they could not be written. They are not lost: every later call tries again.
    pub fn append(&mut self, rows: &[LifeRow]) -> Result<()> {
        self.folder.metrics.append_text(&to_csv(rows)?)
    }

    /// Saves all rows, then the checkpoint that counts them, which is written whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if a file cannot be written.
    pub fn save(&mut self, lives: &Lives) -> Result<()> {
        let bytes = lives.checkpoint()?.to_bytes()?;
        self.folder.save(moment(lives.block(), lives.block_seconds()), &bytes, self.keep)?;
        self.saved_at = Some(lives.block());
        Ok(())
    }
}

/// The moment after `block` blocks, in words.
fn moment(block: u64, block_seconds: f64) -> String {
    format!("{} simulated seconds", block as f64 * block_seconds)
}

/// Whether a file, or the checkpoint in a folder, is that of lives.
pub fn holds_a_life(path: &Path) -> bool {
    let path = if path.is_dir() { &path.join(CHECKPOINT_FILE) } else { path };
    let Ok(bytes) = read(path) else { return false };
    TensorFile::parse(&bytes).is_ok_and(|file| file.metadata.metadata().as_ref().is_some_and(|m| m.contains_key(KEY)))
}
