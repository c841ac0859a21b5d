//! A process: work that proceeds in turns and can be saved between them.

use crate::error::Result;
use candle_core::Device;
use std::time::Instant;

/// Work that proceeds in numbered turns: the updates of a [`Trainer`](crate::Trainer), the blocks of [`Lives`](crate::Lives).
///
/// A checkpoint is its complete state between two turns; from it, the process continues as if it had never stopped. A
/// [`Run`](crate::Run) keeps it in a folder.
pub trait Process: Send + Sized {
    /// Its configuration, with everything that it names resolved.
    type Setup: Clone;
    /// Its complete state between two turns.
    type Checkpoint;
    /// The results of one or more turns, for [`Observer`]s.
    type Report;

    /// Begins at turn 0.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) if it does not fit into the devices' memory; [`Error::Usage`](crate::Error::Usage) if it
    /// cannot be divided among them; [`Error::Tensors`](crate::Error::Tensors) if one fails.
    fn start(setup: Self::Setup, devices: &[Device]) -> Result<Self>;

    /// Continues from a checkpoint as if it had never stopped.
    ///
    /// # Errors
    /// As [`Process::start`].
    fn restore(checkpoint: &Self::Checkpoint, devices: &[Device]) -> Result<Self>;

    /// Its configuration.
    fn setup(&self) -> &Self::Setup;

    /// The number of turns so far.
    fn clock(&self) -> u64;

    /// The number of turns after which it stops, if it is known.
    fn limit(&self) -> Option<u64>;

    /// The present moment, in words such as `update 7`.
    fn moment(&self) -> String;

    /// A summary of a report, in a few words for a progress bar.
    fn in_short(&self, report: &Self::Report) -> String;

    /// The number of turns from one checkpoint to the next; `None`: there is one only at the end.
    fn checkpoint_every(&self) -> Option<u64>;

    /// Makes at least one turn and at most `most`.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) or [`Error::Tensors`](crate::Error::Tensors) if a device fails; the process is then
    /// still as it was before these turns.
    fn advance(&mut self, most: u64) -> Result<Self::Report>;

    /// Why it stops now; `None` if it continues.
    fn finished(&self) -> Option<StopReason>;

    /// Its complete state.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) if a device's memory cannot be read.
    fn checkpoint(&self) -> Result<Self::Checkpoint>;

    /// Proceeds until it has finished or `interrupted` returns true; that is called before each turn or, if turns are short, every few
    /// tenths of a second. Returns the reason for stopping. Observers are informed in the order given.
    ///
    /// # Errors
    /// As [`Process::advance`], after the observers have finished; also any error of an observer, which ends the process at once.
    fn run(&mut self, observers: &mut [&mut dyn Observer<Self>], interrupted: &dyn Fn() -> bool) -> Result<StopReason> {
        // Threads wait for each other after each stretch of turns, so a stretch is made to last some tenths of a second.
        let mut stretch: u64 = 1;
        let outcome = loop {
            if let Some(reason) = self.finished() {
                break Ok(reason);
            }
            if interrupted() {
                break Ok(StopReason::Interrupted);
            }
            let to_checkpoint = self.checkpoint_every().map_or(u64::MAX, |every| every - self.clock() % every);
            let begun = Instant::now();
            let report = match self.advance(stretch.min(to_checkpoint)) {
                Ok(report) => report,
                Err(error) => break Err(error),
            };
            stretch = match begun.elapsed().as_millis() {
                0..100 => stretch.saturating_mul(2),
                100..400 => stretch,
                _ => (stretch / 2).max(1),
            };
            observers.iter_mut().try_for_each(|observer| observer.update(self, &report))?;
        };
        let finished = observers.iter_mut().try_for_each(|observer| observer.finish(self));
        // An error of the process takes precedence.
        let reason = outcome?;
        finished.map(|()| reason)
    }
}

/// Follows a process: a [`Run`](crate::Run) keeps its files up to date, and a progress bar redraws itself. See [`Process::run`].
pub trait Observer<P: Process> {
    /// Called after one or more turns, with their results.
    ///
    /// # Errors
    /// Any error ends the process.
    fn update(&mut self, process: &P, report: &P::Report) -> Result<()>;

    /// Called with a message for the user, such as that a file cannot be written.
    fn warning(&mut self, _message: &str) {}

    /// Called once at the end, even after turns that failed.
    ///
    /// # Errors
    /// Any error becomes that of [`Process::run`].
    fn finish(&mut self, _process: &P) -> Result<()> {
        Ok(())
    }
}

/// Why a process stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StopReason {
    /// It reached the limit of its configuration: a number of updates or trials, or a simulated time.
    Limit,
    /// Every network that is not frozen reached the criterion.
    Criterion,
    /// Every network diverged.
    Frozen,
    /// It was interrupted from outside.
    Interrupted,
}
