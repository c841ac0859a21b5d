//! A training: networks on one device, or split among several, updated until it is time to stop.
//!
//! What a network learns does not depend on its company, so results are those of one device. There is one checkpoint and one
//! report an update, for all networks in order.

use super::progress::finished;
use super::proposal::Proposal;
use super::share::Share;
use super::{Checkpoint, Frozen, Observer, StopReason, TrainerBuilder, UpdateReport};
use crate::config::Config;
use crate::error::{ensure, Result};
use crate::model::Weights;
use crate::presets::Setup;
use candle_core::Device;

/// Networks in training.
pub struct Trainer {
    setup: Setup,
    shares: Vec<Share>,
}

impl Trainer {
    /// Begins the description of a training on the task called `task`: see [`TrainerBuilder`].
    pub fn builder(task: &str) -> TrainerBuilder {
        TrainerBuilder::new(task)
    }

    /// Draws new networks, split among `devices`.
    ///
    /// # Errors
    /// Where there are fewer networks than devices, or a device fails.
    pub fn new(setup: Setup, devices: &[Device]) -> Result<Self> {
        let networks = setup.config.train.networks;
        let shares = places(&setup, devices)?.map(|(places, device)| {
            let mut setup = setup.clone();
            setup.config.train.networks = networks.at(places);
            Share::new(setup, device)
        });
        Ok(Trainer { shares: shares.collect::<Result<_>>()?, setup })
    }

    /// Goes on from a checkpoint, on whatever devices, as if training had never stopped.
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn resume(checkpoint: &Checkpoint, devices: &[Device]) -> Result<Self> {
        let setup = checkpoint.setup.clone();
        let shares =
            places(&setup, devices)?.map(|(places, device)| Share::resume(checkpoint.part(places, device)?, device));
        Ok(Trainer { shares: shares.collect::<Result<_>>()?, setup })
    }

    /// What is trained.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Its configuration.
    pub fn config(&self) -> &Config {
        &self.setup.config
    }

    /// The weights as they are now.
    ///
    /// # Errors
    /// As [`Trainer::checkpoint`].
    pub fn weights(&self) -> Result<Weights> {
        Ok(self.checkpoint()?.plastic.weights)
    }

    /// Updates made so far.
    pub fn updates(&self) -> u64 {
        self.shares[0].updates
    }

    /// Trials of each network so far.
    pub fn trials(&self) -> u64 {
        self.shares[0].trials()
    }

    /// Each network's trials to criterion.
    pub fn criterion_trials(&self) -> Vec<Option<u64>> {
        self.shares.iter().flat_map(|share| share.criterion.iter().map(|c| c.reached_at())).collect()
    }

    /// Which networks are frozen, since when and why.
    pub fn frozen(&self) -> Vec<Option<Frozen>> {
        self.shares.iter().flat_map(|share| share.frozen.iter().copied()).collect()
    }

    /// Everything the next update reads.
    ///
    /// # Errors
    /// Where what several devices hold cannot be joined.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        Checkpoint::join(&self.setup, self.shares.iter().map(Share::checkpoint).collect())
    }

    /// Runs one batch of trials and changes the weights once. A network that diverges is frozen.
    ///
    /// # Errors
    /// Where a device fails or, with `train.strict_numbers`, a network diverges; everything then stays as it was.
    pub fn update(&mut self) -> Result<UpdateReport> {
        let proposals: Vec<Proposal> = match &mut self.shares[..] {
            [alone] => vec![alone.propose()?],
            several => std::thread::scope(|scope| {
                let running: Vec<_> = several.iter_mut().map(|share| scope.spawn(|| share.propose())).collect();
                let joined = running.into_iter().map(|thread| match thread.join() {
                    Ok(proposal) => proposal,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
                joined.collect::<Result<_>>()
            })?,
        };
        // Not before all have succeeded: the shares stay at the same update.
        let networks =
            self.shares.iter_mut().zip(proposals).flat_map(|(share, proposal)| share.make(proposal)).collect();
        Ok(UpdateReport { update: self.updates(), trials: self.trials(), networks })
    }

    /// Why training would stop now; `None`: it would go on.
    pub fn finished(&self) -> Option<StopReason> {
        finished(&self.setup.config.train, self.updates(), &self.criterion_trials(), &self.frozen())
    }

    /// Updates until a limit or the criterion.
    ///
    /// # Errors
    /// As [`Trainer::update`].
    pub fn train(&mut self) -> Result<StopReason> {
        self.train_with(&mut [], &|| false)
    }

    /// Updates until a limit, the criterion, or until `interrupted` says so between two updates, and tells the observers.
    ///
    /// # Errors
    /// Where an update or an observer fails; where it is an update, observers have finished first.
    pub fn train_with(
        &mut self,
        observers: &mut [&mut dyn Observer],
        interrupted: &dyn Fn() -> bool,
    ) -> Result<StopReason> {
        let reason = loop {
            if let Some(reason) = self.finished() {
                break reason;
            }
            if interrupted() {
                break StopReason::Interrupted;
            }
            let report = match self.update() {
                Ok(report) => report,
                // Nothing of it was applied: what is saved is the state after the update before.
                Err(error) => {
                    observers.iter_mut().try_for_each(|observer| observer.finish(self))?;
                    return Err(error);
                }
            };
            observers.iter_mut().try_for_each(|observer| observer.update(self, &report))?;
        };
        observers.iter_mut().try_for_each(|observer| observer.finish(self))?;
        Ok(reason)
    }
}

/// For each device the places of its networks in the run.
fn places<'d>(
    setup: &Setup,
    devices: &'d [Device],
) -> Result<impl Iterator<Item = (std::ops::Range<usize>, &'d Device)>> {
    let (all, parts) = (setup.config.train.networks, devices.len());
    ensure!(
        (1..=all.count()).contains(&parts),
        Usage,
        "train.device names {parts} devices, but train.networks is {all}: each device needs at least one network"
    );
    Ok(devices.iter().enumerate().map(move |(i, device)| (all.share(i, parts), device)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    /// A run that needs everything a checkpoint can hold.
    fn setup(updates: u64) -> Setup {
        let settings = [
            "train.networks=3..8",
            "train.batch=6",
            "network.connectivity=0.8",
            "trace.stage=retroactive",
            "trace.persistent=true",
            "trace.clip=1",
            "modulator.warmup_trials=0",
            "network.neurons=12",
        ];
        let mut settings: Vec<Setting> = settings.iter().map(|s| Setting::parse(s).unwrap()).collect();
        settings.push(Setting::flag("--updates", "train.updates", updates as i64));
        Setup::resolve(Some("echo"), &settings).unwrap()
    }

    fn trained(updates: u64, devices: usize) -> Vec<u8> {
        let mut trainer = Trainer::new(setup(updates), &vec![Device::Cpu; devices]).unwrap();
        assert_eq!(trainer.train().unwrap(), StopReason::Limit);
        trainer.checkpoint().unwrap().to_bytes().unwrap()
    }

    #[test]
    fn several_devices_write_the_same_bytes_as_one() {
        let one = trained(4, 1);
        for devices in [2, 3, 5] {
            assert!(trained(4, devices) == one, "{devices} devices");
        }
    }

    #[test]
    fn a_run_goes_on_on_other_devices() {
        let half = Checkpoint::from_bytes(&trained(2, 2), &Device::Cpu).unwrap();
        let whole = Checkpoint::from_bytes(&trained(4, 1), &Device::Cpu).unwrap();
        for devices in [1, 4] {
            let mut half = half.clone();
            half.setup.config.train.updates = Some(4);
            let mut trainer = Trainer::resume(&half, &vec![Device::Cpu; devices]).unwrap();
            trainer.train().unwrap();
            let bytes = trainer.checkpoint().unwrap().to_bytes().unwrap();
            assert!(bytes == whole.to_bytes().unwrap(), "{devices} devices");
        }
    }

    #[test]
    fn reports_cover_all_networks_in_order() {
        let mut trainer = Trainer::new(setup(1), &vec![Device::Cpu; 2]).unwrap();
        let report = trainer.update().unwrap();
        assert_eq!(report.networks.iter().map(|n| n.network).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
        assert_eq!((trainer.updates(), trainer.criterion_trials().len()), (1, 5));
    }

    #[test]
    fn a_device_without_networks_is_refused() {
        let error = Trainer::new(setup(1), &vec![Device::Cpu; 6]).err().unwrap().to_string();
        assert!(error.contains("6 devices, but train.networks is 3..8"), "{error}");
    }

    #[test]
    fn trainers_can_be_sent_and_shared() {
        fn anywhere<T: Send + Sync>() {}
        anywhere::<Trainer>();
    }
}
