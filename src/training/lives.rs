//! Lives: networks whose weights change while they live in a world.

use super::{Integrity, Process, StopReason};
use crate::engine::life::{check_memory, newborn, start_lives};
use crate::engine::{LifeEngine, LifeRecord, LifeState};
use crate::error::{bail, ensure, Result};
use crate::setup::LifeSetup;
use crate::worlds::{LifeRow, Verdict};
use candle_core::Device;

/// Networks that live side by side. They do not interact, and each draws its own random numbers, so the life of
/// one does not depend on the others.
///
/// ```
/// use hebbian_rnn::{candle_core::Device, LifeSetup, Lives, Setting};
///
/// let settings = ["life.networks=2", "life.seconds=2"].map(|text| Setting::parse(text).unwrap());
/// let mut lives = Lives::new(LifeSetup::resolve(Some("xor-rate"), None, &settings)?, &Device::Cpu)?;
/// let rows = lives.live(4)?; // Four blocks: each shows a pattern for half a second.
/// assert_eq!(rows.len(), 8);
/// assert!(lives.is_over());
/// # Ok::<(), hebbian_rnn::Error>(())
/// ```
pub struct Lives {
    setup: LifeSetup,
    engine: Box<dyn LifeEngine>,
    block: u64,
    /// Whether a block failed, so that networks are no longer as they were before it.
    failed: bool,
}

/// Everything about lives between two blocks.
#[derive(Clone)]
#[non_exhaustive]
pub struct LifeCheckpoint {
    /// The configuration, with its names resolved.
    pub setup: LifeSetup,
    /// The version of the program that wrote it.
    pub program: String,
    /// The number of blocks lived.
    pub block: u64,
    /// The state of each network.
    pub states: Vec<LifeState>,
    /// Whether it has changed since it was written.
    pub integrity: Integrity,
}

impl LifeCheckpoint {
    /// The age of the networks in seconds.
    pub fn seconds(&self) -> f64 {
        // As in the rows of the metrics.
        self.block as f64 * self.setup.block_seconds()
    }

    /// Refuses to continue these lives, stored in `place`, with another setup, unless the two differ only in when to stop, the device,
    /// and what is written.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage), which names the first key that differs.
    pub fn ensure_continues(&self, setup: &LifeSetup, place: &str) -> Result<()> {
        self.setup.config.goes_on_as(&setup.config, place)?;
        // Otherwise a block that was simulated with plastic weights would now count as one with frozen weights, or the reverse.
        let (before, seconds, lived) = (self.setup.config.life.seconds, setup.config.life.seconds, self.seconds());
        ensure!(
            seconds == before || (lived <= before && lived <= seconds),
            Usage,
            "{place}: life.seconds is {before} and {lived} s have been simulated; it cannot become {seconds}"
        );
        Ok(())
    }
}

impl Lives {
    /// Networks at birth.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) if they do not fit, [`Error::Usage`](crate::Error::Usage) if they have too
    /// many synapses, [`Error::Tensors`](crate::Error::Tensors) if the device fails.
    pub fn new(setup: LifeSetup, device: &Device) -> Result<Self> {
        let record = LifeRecord::default();
        check_memory(&setup, &record, device)?;
        let states = setup.config.life.networks.range().map(|network| newborn(&setup, network));
        let states = states.collect::<Result<_>>()?;
        Self::at(setup, 0, states, &record, device)
    }

    /// Networks as they were when a checkpoint was taken.
    ///
    /// # Errors
    /// [`Error::Content`](crate::Error::Content) if the state belongs to another world; otherwise as [`Lives::new`].
    pub fn resume(checkpoint: &LifeCheckpoint, device: &Device) -> Result<Self> {
        Self::resume_recording(checkpoint, &LifeRecord::default(), device)
    }

    /// As [`Lives::resume`]; the states of [`Lives::checkpoint`] then also contain what is recorded.
    ///
    /// # Errors
    /// As [`Lives::resume`].
    pub fn resume_recording(checkpoint: &LifeCheckpoint, record: &LifeRecord, device: &Device) -> Result<Self> {
        check_memory(&checkpoint.setup, record, device)?;
        Self::at(checkpoint.setup.clone(), checkpoint.block, checkpoint.states.clone(), record, device)
    }

    fn at(setup: LifeSetup, block: u64, states: Vec<LifeState>, record: &LifeRecord, device: &Device) -> Result<Self> {
        let engine = start_lives(&setup, states, record, device)?;
        Ok(Lives { setup, engine, block, failed: false })
    }

    /// The configuration, with its names resolved.
    pub fn setup(&self) -> &LifeSetup {
        &self.setup
    }

    /// The number of blocks lived.
    pub fn block(&self) -> u64 {
        self.block
    }

    /// The number of blocks of a whole life.
    pub fn blocks(&self) -> u64 {
        let (living, frozen) = self.setup.blocks();
        living + frozen
    }

    /// The duration of a block in seconds.
    pub fn block_seconds(&self) -> f64 {
        self.setup.block_seconds()
    }

    /// The simulated time so far in seconds.
    pub fn seconds(&self) -> f64 {
        self.block as f64 * self.block_seconds()
    }

    /// Whether the whole time has been simulated, or the world is over for all networks.
    pub fn is_over(&self) -> bool {
        self.block >= self.blocks() || self.ends_here()
    }

    /// Whether all worlds are over, and no frozen time follows.
    fn ends_here(&self) -> bool {
        self.setup.config.life.frozen_seconds == 0.0 && self.engine.is_over()
    }

    /// Simulates the next `blocks` blocks, or fewer if all worlds end before. Rows are ordered by block, then by network.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) if the device fails.
    pub fn live(&mut self, blocks: u64) -> Result<Vec<LifeRow>> {
        let blocks = blocks.min(self.blocks().saturating_sub(self.block));
        self.failed = true;
        let rows = self.engine.run(self.block, blocks)?;
        let expected = self.setup.world.figures().len();
        let wrong = rows.iter().flatten().find(|row| row.figures.len() != expected);
        ensure!(
            wrong.is_none(),
            Usage,
            "a block of the world has {} figures; expected {expected}",
            wrong.map_or(0, |row| row.figures.len())
        );
        // Once all worlds are over, nothing changes any more: the life ends with the last block in which anything happened.
        let last = rows.iter().filter_map(|own| own.iter().rposition(|row| row.lived)).max();
        let blocks = if self.ends_here() { last.map_or(0, |last| last as u64 + 1) } else { blocks };
        self.failed = false;
        self.block += blocks;
        Ok(by_block(rows, blocks))
    }

    /// The rows of finished lives for `blocks` more blocks, in which nothing happens while they wait for the lives of another run.
    pub(crate) fn wait(&mut self, blocks: u64) -> Result<Vec<LifeRow>> {
        let rows = self.engine.run(self.block, blocks)?;
        self.block += blocks;
        Ok(by_block(rows, blocks))
    }

    /// Everything that the future of these lives depends on.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) after a block that failed; [`Error::Tensors`](crate::Error::Tensors) if a device's memory
    /// cannot be read.
    pub fn checkpoint(&self) -> Result<LifeCheckpoint> {
        ensure!(!self.failed, Usage, "a block failed in the middle; continue from the last checkpoint");
        Ok(LifeCheckpoint {
            setup: self.setup.clone(),
            program: env!("CARGO_PKG_VERSION").into(),
            block: self.block,
            states: self.engine.states()?,
            integrity: Integrity::Whole,
        })
    }
}

/// A turn is a block.
impl Process for Lives {
    type Setup = LifeSetup;
    type Checkpoint = LifeCheckpoint;
    type Report = Vec<LifeRow>;

    fn start(setup: LifeSetup, devices: &[Device]) -> Result<Self> {
        Lives::new(setup, alone(devices)?)
    }

    fn restore(checkpoint: &LifeCheckpoint, devices: &[Device]) -> Result<Self> {
        Lives::resume(checkpoint, alone(devices)?)
    }

    fn setup(&self) -> &LifeSetup {
        &self.setup
    }

    fn clock(&self) -> u64 {
        self.block
    }

    fn limit(&self) -> Option<u64> {
        Some(self.blocks())
    }

    fn moment(&self) -> String {
        format!("{} simulated seconds", self.seconds())
    }

    fn in_short(&self, _report: &Vec<LifeRow>) -> String {
        format!("{:.0} of {:.0} simulated seconds", self.seconds(), self.blocks() as f64 * self.block_seconds())
    }

    fn checkpoint_every(&self) -> Option<u64> {
        let blocks = self.setup.config.life.checkpoint_every_seconds / self.block_seconds();
        (blocks > 0.0).then(|| blocks.round().max(1.0) as u64)
    }

    fn advance(&mut self, most: u64) -> Result<Vec<LifeRow>> {
        self.live(most)
    }

    fn finished(&self) -> Option<StopReason> {
        self.is_over().then_some(StopReason::Limit)
    }

    fn checkpoint(&self) -> Result<LifeCheckpoint> {
        Lives::checkpoint(self)
    }
}

/// The only device.
fn alone(devices: &[Device]) -> Result<&Device> {
    let [device] = devices else { bail!(Usage, "life.device names {} devices; expected one", devices.len()) };
    Ok(device)
}

/// The rows of each network as one list, by block.
fn by_block(rows: Vec<Vec<LifeRow>>, blocks: u64) -> Vec<LifeRow> {
    let mut each: Vec<_> = rows.into_iter().map(Vec::into_iter).collect();
    (0..blocks).flat_map(|_| each.iter_mut().filter_map(Iterator::next).collect::<Vec<_>>()).collect()
}

/// Refuses rows that do not have the world's figures, such as rows from another version of the program.
///
/// # Errors
/// [`Error::Content`](crate::Error::Content), with the names of the figures.
pub(crate) fn check_rows(setup: &LifeSetup, rows: &[LifeRow]) -> Result<()> {
    let names = setup.world.figures();
    let Some(row) = rows.iter().find(|row| row.figures.len() != names.len()) else { return Ok(()) };
    let (found, expected) = (row.figures.len(), names.len());
    bail!(
        Content,
        "metrics.csv: network {} has {found} figures at {} s; expected {expected}: {}",
        row.network,
        row.seconds,
        names.join(", ")
    )
}

/// The verdict on each network, from the rows of `metrics.csv`.
///
/// # Errors
/// [`Error::Usage`](crate::Error::Usage) if a network has no rows; [`Error::Content`](crate::Error::Content) if rows do not have the
/// figures of this world.
pub fn verdicts(setup: &LifeSetup, rows: &[LifeRow]) -> Result<Vec<(u64, Verdict)>> {
    check_rows(setup, rows)?;
    let of = |network: u64| {
        let own: Vec<LifeRow> = rows.iter().filter(|row| row.network == network).cloned().collect();
        ensure!(!own.is_empty(), Usage, "network {network} has not lived yet");
        Ok((network, setup.world.verdict(&own)))
    };
    setup.config.life.networks.range().map(of).collect()
}
