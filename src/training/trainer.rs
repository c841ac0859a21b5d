//! The library's interface for training: networks on one device or split over several, updated until a limit is
//! reached.

use super::progress::finished;
use super::share::Share;
use super::update::{join, Proposal};
use super::{Checkpoint, Frozen, InitialWeights, NetworkReport, Process, StopReason, TrainerBuilder, UpdateReport};
use crate::config::Config;
use crate::engine::check_memory;
use crate::error::{ensure, Result};
use crate::model::Weights;
use crate::setup::Setup;
use candle_core::Device;
use std::ops::Range;

/// Trains S networks.
///
/// The networks are independent and each draws its own random numbers, so what one of them learns depends neither on
/// the others nor on the devices. Several devices share the networks between them, and give the same checkpoint and
/// reports as a single device.
///
/// For most uses, make a trainer with [`Trainer::builder`]. Then either let [`train`](Trainer::train) run to the limit,
/// or make the updates one by one:
///
/// ```
/// use hebbian_rnn::{StopReason, Trainer};
///
/// let mut trainer = Trainer::builder("echo").networks(2).batch(8).updates(3).build()?;
///
/// let report = trainer.update()?;
/// assert_eq!((report.update, report.trials), (1, 8));
/// assert_eq!(report.networks.len(), 2);
///
/// assert_eq!(trainer.train()?, StopReason::Limit);
/// assert_eq!(trainer.updates(), 3);
///
/// // The recurrent weights of all networks, [S, post, pre].
/// let (s, post, pre) = trainer.weights()?.w_rec.dims3()?;
/// assert_eq!((s, post), (2, pre));
/// # Ok::<(), hebbian_rnn::Error>(())
/// ```
pub struct Trainer {
    setup: Setup,
    devices: Vec<Device>,
    shares: Vec<Share>,
    initial: Option<InitialWeights>,
}

impl Trainer {
    /// A builder of trainers on the task called `task` (one of [`TASKS`](crate::TASKS)), with that task's default settings. See
    /// [`TrainerBuilder`].
    pub fn builder(task: &str) -> TrainerBuilder {
        TrainerBuilder::new(task)
    }

    /// Draws untrained networks, or takes weights from the file that `train.init` names, and splits them over `devices`.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if there are fewer networks than devices,
    /// [`Error::Device`](crate::Error::Device) or [`Error::Tensors`](crate::Error::Tensors) if a device fails. With
    /// `train.init` also [`Error::Io`](crate::Error::Io), [`Error::Tensor`](crate::Error::Tensor) and
    /// [`Error::Content`](crate::Error::Content) if the file does not hold weights for these networks.
    pub fn new(mut setup: Setup, devices: &[Device]) -> Result<Self> {
        let initial = InitialWeights::read(&mut setup)?;
        let trainer = Self::split(setup, devices, |setup, places, device| {
            let mut setup = setup.clone();
            setup.config.train.networks = setup.config.train.networks.at(places.clone());
            let mut checkpoint = Checkpoint::start(setup, device)?;
            if let Some(initial) = &initial {
                checkpoint.plastic.weights = initial.replace(&checkpoint.plastic.weights, places)?;
            }
            Ok(checkpoint)
        })?;
        Ok(Trainer { initial, ..trainer })
    }

    /// The weights that a new run took from the file of `train.init`; `None` without one, and after a resume.
    pub fn initial_weights(&self) -> Option<&InitialWeights> {
        self.initial.as_ref()
    }

    /// Continues from a checkpoint as if training had never stopped, on any number and kind of devices.
    ///
    /// ```
    /// # use hebbian_rnn::{candle_core::Device, Checkpoint, Setting, Trainer};
    /// let mut trainer = Trainer::builder("echo").updates(2).build()?;
    /// trainer.train()?;
    /// let bytes = trainer.checkpoint()?.to_bytes()?;
    ///
    /// let mut checkpoint = Checkpoint::from_bytes(&bytes, &Device::Cpu)?;
    /// checkpoint.setup = checkpoint.setup.changed(&[Setting::parse("train.updates=5")?])?;
    /// let mut resumed = Trainer::resume(&checkpoint, &[Device::Cpu])?;
    /// resumed.train()?;
    /// assert_eq!(resumed.updates(), 5);
    /// # Ok::<(), hebbian_rnn::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Trainer::new`].
    pub fn resume(checkpoint: &Checkpoint, devices: &[Device]) -> Result<Self> {
        Self::split(checkpoint.setup.clone(), devices, |_, places, device| checkpoint.part(places, device))
    }

    /// Divides the networks among the devices; `part` makes a share from the places of its networks in the run. Networks in different
    /// stages of a curriculum are in different shares.
    fn split(
        setup: Setup,
        devices: &[Device],
        part: impl Fn(&Setup, Range<usize>, &Device) -> Result<Checkpoint>,
    ) -> Result<Self> {
        let (all, parts) = (setup.config.train.networks, devices.len());
        ensure!(
            (1..=all.count()).contains(&parts),
            Usage,
            "train.device names {parts} devices, but train.networks is {all}: each device needs at least one network"
        );
        let together = setup.task.episodes().is_some_and(|episodes| episodes.environment.together().is_some());
        ensure!(
            parts == 1 || !together,
            Usage,
            "train.device names {parts} devices, but all copies of `{}` take their steps together; expected one device",
            setup.task.name()
        );
        let mut shares = Vec::new();
        for (i, device) in devices.iter().enumerate() {
            let here = part(&setup, all.share(i, parts), device)?;
            for places in here.stage_groups() {
                shares.push(Share::resume(here.part(places, device)?)?);
            }
        }
        Ok(Trainer { setup, devices: devices.to_vec(), shares, initial: None })
    }

    /// The configuration, together with the task, rule and neuron model that it names.
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The complete configuration.
    pub fn config(&self) -> &Config {
        &self.setup.config
    }

    /// The devices that share the networks.
    pub fn devices(&self) -> &[Device] {
        &self.devices
    }

    /// The current weights of all networks, in order.
    ///
    /// # Errors
    /// As [`Trainer::checkpoint`].
    pub fn weights(&self) -> Result<Weights> {
        Ok(self.checkpoint()?.plastic.weights)
    }

    /// The number of updates made so far.
    pub fn updates(&self) -> u64 {
        self.shares[0].current.updates
    }

    /// The number of trials of each network so far.
    pub fn trials(&self) -> u64 {
        self.shares[0].current.trials()
    }

    /// For each network, the number of trials it took to reach the criterion ([`Criterion`](crate::training::Criterion)); `None`
    /// if it has not reached it.
    pub fn criterion_trials(&self) -> Vec<Option<u64>> {
        self.shares.iter().flat_map(|share| share.current.criterion.iter().map(|c| c.reached_at())).collect()
    }

    /// For each network, when and why it was frozen; `None` if it still learns.
    pub fn frozen(&self) -> Vec<Option<Frozen>> {
        self.shares.iter().flat_map(|share| share.current.frozen.iter().copied()).collect()
    }

    /// The complete state, on which the next update depends. [`Checkpoint::write`] saves it.
    ///
    /// # Errors
    /// [`Error::Tensors`](crate::Error::Tensors) if the tensors of several devices cannot be copied to the first one.
    pub fn checkpoint(&self) -> Result<Checkpoint> {
        Checkpoint::join(&self.setup, self.shares.iter().map(Share::checkpoint).collect())
    }

    /// Runs one batch of trials for each network, then changes the weights once.
    ///
    /// Each device computes the update of its own networks: it draws the trials, runs them, judges the outputs and
    /// forms the new weights. A network that diverges is frozen in its state before the update. Once all devices have
    /// succeeded, the updates are applied and each network's result is reported.
    ///
    /// # Errors
    /// [`Error::Device`](crate::Error::Device) or [`Error::Tensors`](crate::Error::Tensors) if a device fails,
    /// [`Error::Content`](crate::Error::Content) if a user-defined task draws a malformed trial,
    /// [`Error::Diverged`](crate::Error::Diverged) if a network diverges and `train.strict_numbers` is set. All
    /// networks then stay as they were before the update.
    pub fn update(&mut self) -> Result<UpdateReport> {
        if self.shares.iter().any(Share::has_moved) {
            self.shares = Self::resume(&self.checkpoint()?, &self.devices)?.shares;
        }
        let proposals: Vec<Proposal> = match &mut self.shares[..] {
            [alone] => vec![alone.propose()?],
            several => std::thread::scope(|scope| {
                let running: Vec<_> = several.iter_mut().map(|share| scope.spawn(|| share.propose())).collect();
                running.into_iter().map(join).collect::<Result<_>>()
            })?,
        };
        let shares = self.shares.iter_mut().zip(proposals);
        let networks = shares.flat_map(|(share, proposal)| share.apply(proposal)).collect();
        Ok(UpdateReport { update: self.updates(), trials: self.trials(), networks })
    }

    /// Why training stops now; `None` if it continues.
    pub fn finished(&self) -> Option<StopReason> {
        finished(&self.setup.config.train, self.updates(), &self.criterion_trials(), &self.frozen())
    }

    /// Makes updates until the configuration's limit (`train.updates` or `train.trials`), until every network is frozen or, if
    /// `train.until_criterion` is set, until every network has reached the criterion. Returns the reason for stopping.
    ///
    /// If no limit is set, training ends only when all networks have diverged; use [`Process::run`] to be able to interrupt it.
    ///
    /// # Errors
    /// As [`Trainer::update`].
    pub fn train(&mut self) -> Result<StopReason> {
        self.run(&mut [], &|| false)
    }
}

/// A turn is an update. To watch updates or to interrupt them, use [`Process::run`]:
///
/// ```
/// use hebbian_rnn::{Observer, Process, Result, StopReason, Trainer, UpdateReport};
///
/// /// Keeps the mean error of the first network.
/// struct Errors(Vec<f64>);
///
/// impl Observer<Trainer> for Errors {
///     fn update(&mut self, _trainer: &Trainer, report: &UpdateReport) -> Result<()> {
///         self.0.push(report.networks[0].error);
///         Ok(())
///     }
/// }
///
/// let mut trainer = Trainer::builder("echo").updates(4).build()?;
/// let mut errors = Errors(Vec::new());
/// let reason = trainer.run(&mut [&mut errors], &|| false)?;
/// assert_eq!(reason, StopReason::Limit);
/// assert_eq!(errors.0.len(), 4);
/// # Ok::<(), hebbian_rnn::Error>(())
/// ```
impl Process for Trainer {
    type Setup = Setup;
    type Checkpoint = Checkpoint;
    type Report = UpdateReport;

    fn start(setup: Setup, devices: &[Device]) -> Result<Self> {
        check_memory(&setup, devices)?;
        Trainer::new(setup, devices)
    }

    fn restore(checkpoint: &Checkpoint, devices: &[Device]) -> Result<Self> {
        check_memory(&checkpoint.setup, devices)?;
        Trainer::resume(checkpoint, devices)
    }

    fn setup(&self) -> &Setup {
        &self.setup
    }

    fn clock(&self) -> u64 {
        self.updates()
    }

    fn limit(&self) -> Option<u64> {
        Some(self.setup.config.train.max_updates()).filter(|limit| *limit < u64::MAX)
    }

    fn moment(&self) -> String {
        format!("update {}", self.updates())
    }

    fn in_short(&self, report: &UpdateReport) -> String {
        let (Some(measured), Some(correct)) =
            (report.mean(NetworkReport::measured), report.mean(|network| network.recent_correct))
        else {
            return "all networks have diverged".into();
        };
        let measured = match self.setup.task.episodes() {
            Some(_) => format!("return {measured:.1}"),
            None => format!("error {measured:.3}"),
        };
        format!("{measured}  correct {correct:.2}")
    }

    fn checkpoint_every(&self) -> Option<u64> {
        Some(self.setup.config.train.checkpoint_every).filter(|every| *every > 0)
    }

    fn advance(&mut self, _most: u64) -> Result<UpdateReport> {
        self.update()
    }

    fn finished(&self) -> Option<StopReason> {
        Trainer::finished(self)
    }

    fn checkpoint(&self) -> Result<Checkpoint> {
        Trainer::checkpoint(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Setting;

    /// A run that uses everything a checkpoint can hold.
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
        let updates = format!("train.updates={updates}");
        let all = settings.into_iter().chain([updates.as_str()]);
        let settings: Vec<Setting> = all.map(|setting| Setting::parse(setting).unwrap()).collect();
        Setup::resolve(Some("echo"), &settings).unwrap()
    }

    fn on_devices(updates: u64, devices: usize) -> Trainer {
        Trainer::new(setup(updates), &vec![Device::Cpu; devices]).unwrap()
    }

    /// The bytes of the checkpoint after training to the limit.
    fn trained(mut trainer: Trainer) -> Vec<u8> {
        assert_eq!(trainer.train().unwrap(), StopReason::Limit);
        trainer.checkpoint().unwrap().to_bytes().unwrap()
    }

    #[test]
    fn any_number_of_devices_writes_the_same_bytes_also_after_a_resume() {
        let one = trained(on_devices(4, 1));
        for devices in [2, 3, 5] {
            assert!(trained(on_devices(4, devices)) == one, "{devices} devices");
        }
        let mut half = Checkpoint::from_bytes(&trained(on_devices(2, 2)), &Device::Cpu).unwrap();
        half.setup.config.train.updates = Some(4);
        for devices in [1, 4] {
            let resumed = Trainer::resume(&half, &vec![Device::Cpu; devices]).unwrap();
            assert!(trained(resumed) == one, "resumed on {devices} devices");
        }
    }

    #[test]
    fn reports_cover_all_networks_in_order() {
        let mut trainer = on_devices(1, 2);
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
