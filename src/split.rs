//! One run on several devices: each trains its share of the networks, in a thread of its own.
//!
//! What a network learns does not depend on its company, so results are those of one device. There is one checkpoint and one
//! report an update, for all networks in order.

use crate::attempt::Attempt;
use crate::checkpoint::Checkpoint;
use crate::config::{Config, Networks};
use crate::divergence::Frozen;
use crate::network::State;
use crate::task::Task;
use crate::trace::TraceState;
use crate::trainer::{Trainer, Training, UpdateReport};
use anyhow::{ensure, Context, Result};
use candle_core::{Device, Tensor};
use std::ops::Range;
use std::sync::Arc;

/// A run's networks, split among devices.
pub struct Split {
    config: Config,
    parts: Vec<Trainer>,
}

/// Which of `networks` networks, counted from 0, part `i` of `parts` has: as even as can be, in order.
pub(crate) fn share(networks: usize, parts: usize, i: usize) -> Range<usize> {
    let end = |parts_before: usize| (networks as u128 * parts_before as u128 / parts as u128) as usize;
    end(i)..end(i + 1)
}

impl Split {
    /// Draws new networks.
    ///
    /// # Errors
    /// Where there are fewer networks than devices, or the run does not fit into their memory.
    pub fn new(mut config: Config, task: Arc<dyn Task>, devices: &[Device]) -> Result<Self> {
        config.network.fill_output_neurons(&*task);
        let parts = Self::shares(&config, devices)?
            .map(|(networks, device)| {
                let mut config = config.clone();
                config.train.networks = networks.1;
                Trainer::with_task(config, task.clone(), device)
            })
            .collect::<Result<_>>()?;
        Ok(Split { config, parts })
    }

    /// Goes on from a checkpoint on any device.
    ///
    /// # Errors
    /// As [`Split::new`].
    pub fn resume(checkpoint: &Checkpoint, task: Arc<dyn Task>, devices: &[Device]) -> Result<Self> {
        let parts = Self::shares(&checkpoint.config, devices)?
            .map(|((places, networks), device)| {
                Trainer::resume_with_task(cut(checkpoint, places, networks, device)?, task.clone(), device)
            })
            .collect::<Result<_>>()?;
        Ok(Split { config: checkpoint.config.clone(), parts })
    }

    /// The task.
    pub fn task(&self) -> &Arc<dyn Task> {
        self.parts[0].task()
    }

    /// For each device its networks: their places in the run, and their numbers.
    #[allow(clippy::type_complexity)]
    fn shares<'a>(
        config: &Config,
        devices: &'a [Device],
    ) -> Result<impl Iterator<Item = ((Range<usize>, Networks), &'a Device)>> {
        let (all, parts) = (config.train.networks, devices.len());
        ensure!(
            (1..=all.count()).contains(&parts),
            "train.device names {parts} devices, but train.networks is {all}: each device needs at least one network"
        );
        Ok(devices.iter().enumerate().map(move |(i, device)| {
            let places = share(all.count(), parts, i);
            let networks = Networks { start: all.start + places.start as u64, end: all.start + places.end as u64 };
            ((places, networks), device)
        }))
    }
}

impl Training for Split {
    fn config(&self) -> &Config {
        &self.config
    }

    fn updates(&self) -> u64 {
        self.parts[0].updates()
    }

    fn criterion_trials(&self) -> Vec<Option<u64>> {
        self.parts.iter().flat_map(Trainer::criterion_trials).collect()
    }

    fn frozen(&self) -> Vec<Option<Frozen>> {
        self.parts.iter().flat_map(|part| part.frozen()).copied().collect()
    }

    fn update(&mut self) -> Result<UpdateReport> {
        if let [alone] = &mut self.parts[..] {
            return alone.update();
        }
        let attempts: Vec<Attempt> = std::thread::scope(|scope| {
            let running: Vec<_> = self.parts.iter_mut().map(|part| scope.spawn(|| part.attempt())).collect();
            let joined = running.into_iter().map(|thread| match thread.join() {
                Ok(attempt) => attempt,
                Err(panic) => std::panic::resume_unwind(panic),
            });
            joined.collect::<Result<_>>()
        })?;
        // Not before all have succeeded: the parts stay at the same update.
        let reports: Vec<UpdateReport> =
            self.parts.iter_mut().zip(attempts).map(|(part, attempt)| part.commit(attempt)).collect();
        let (update, trials) = (reports[0].update, reports[0].trials);
        Ok(UpdateReport { update, trials, networks: reports.into_iter().flat_map(|report| report.networks).collect() })
    }

    fn checkpoint(&self) -> Result<Checkpoint> {
        let parts: Vec<Checkpoint> = self.parts.iter().map(Trainer::checkpoint).collect();
        match <[Checkpoint; 1]>::try_from(parts) {
            Ok([alone]) => Ok(alone),
            Err(parts) => join(&self.config, &parts).context("joining what several devices hold"),
        }
    }
}

/// One checkpoint of all networks, on the first part's device.
fn join(config: &Config, parts: &[Checkpoint]) -> Result<Checkpoint> {
    let first = &parts[0];
    let cat = |name: &str, of: &dyn Fn(&Checkpoint) -> Option<&Tensor>| -> candle_core::Result<Tensor> {
        let of_parts: Option<Vec<&Tensor>> = parts.iter().map(of).collect();
        let Some(of_parts) = of_parts else { candle_core::bail!("tensor `{name}` is not on every device") };
        let host = of_parts.iter().map(|part| part.to_device(&Device::Cpu)).collect::<candle_core::Result<Vec<_>>>()?;
        Tensor::cat(&host, 0)?.to_device(first.weights.w_rec.device())
    };
    let trace = |trace: &TraceState| -> candle_core::Result<TraceState> {
        let eligibility = |_: &Tensor| cat("eligibility", &|part| part.trace.as_ref()?.eligibility.as_ref());
        Ok(TraceState {
            h: cat("hebbian_trace", &|part| Some(&part.trace.as_ref()?.h))?,
            eligibility: trace.eligibility.as_ref().map(eligibility).transpose()?,
        })
    };
    let moment = |name: &&'static str| Ok((*name, cat(name, &|part| part.moments.get(name))?));
    Ok(Checkpoint {
        program: first.program.clone(),
        format: first.format,
        integrity: first.integrity,
        config: config.clone(),
        weights: first.weights.map(|name, _| cat(name, &|part| part.weights.get(name)))?,
        state: State { x: cat("x", &|part| Some(&part.state.x))?, r: cat("r", &|part| Some(&part.state.r))? },
        trace: first.trace.as_ref().map(trace).transpose()?,
        moments: first.moments.keys().map(moment).collect::<Result<_>>()?,
        expected_error: parts.iter().flat_map(|part| part.expected_error.clone()).collect(),
        criterion: parts.iter().flat_map(|part| part.criterion.clone()).collect(),
        frozen: parts.iter().flat_map(|part| part.frozen.clone()).collect(),
        updates: first.updates,
    })
}

/// The networks at `places` of a checkpoint, which are number `networks` of the run, on `device`.
pub(crate) fn cut(whole: &Checkpoint, places: Range<usize>, networks: Networks, device: &Device) -> Result<Checkpoint> {
    let part = |tensor: &Tensor| tensor.narrow(0, places.start, places.len())?.contiguous()?.to_device(device);
    let types = whole.expected_error.len() / whole.config.train.networks.count();
    let mut config = whole.config.clone();
    config.train.networks = networks;
    Ok(Checkpoint {
        program: whole.program.clone(),
        format: whole.format,
        integrity: whole.integrity,
        config,
        weights: whole.weights.map(|_, tensor| part(tensor))?,
        state: State { x: part(&whole.state.x)?, r: part(&whole.state.r)? },
        trace: whole.trace.as_ref().map(|trace| trace.map(part)).transpose()?,
        moments: whole.moments.iter().map(|(name, moment)| Ok((*name, part(moment)?))).collect::<Result<_>>()?,
        expected_error: whole.expected_error[places.start * types..places.end * types].to_vec(),
        criterion: whole.criterion[places.clone()].to_vec(),
        frozen: whole.frozen[places].to_vec(),
        updates: whole.updates,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{resolve, Setting};
    use crate::task;
    use crate::trainer::StopReason;

    /// A run that needs everything a checkpoint can hold.
    fn config(updates: u64) -> Config {
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
        resolve(Some("echo"), &settings).unwrap()
    }

    fn task_of(config: &Config) -> Arc<dyn Task> {
        Arc::from(task::build(&config.task).unwrap())
    }

    fn trained(updates: u64, devices: usize) -> Vec<u8> {
        let config = config(updates);
        let task = task_of(&config);
        let mut split = Split::new(config, task, &vec![Device::Cpu; devices]).unwrap();
        assert_eq!(split.run(&mut [], &|| false).unwrap(), StopReason::Limit);
        split.checkpoint().unwrap().to_bytes().unwrap()
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
        let half = Checkpoint::from_bytes(&trained(2, 2), None, &Device::Cpu).unwrap();
        let whole = Checkpoint::from_bytes(&trained(4, 1), None, &Device::Cpu).unwrap();
        for devices in [1, 4] {
            let mut half = half.clone();
            half.config.train.updates = Some(4);
            let mut split = Split::resume(&half, task_of(&half.config), &vec![Device::Cpu; devices]).unwrap();
            split.run(&mut [], &|| false).unwrap();
            assert!(split.checkpoint().unwrap().to_bytes().unwrap() == whole.to_bytes().unwrap(), "{devices} devices");
        }
    }

    #[test]
    fn reports_cover_all_networks_in_order() {
        let config = config(1);
        let task = task_of(&config);
        let mut split = Split::new(config, task, &vec![Device::Cpu; 2]).unwrap();
        let report = split.update().unwrap();
        assert_eq!(report.networks.iter().map(|n| n.network).collect::<Vec<_>>(), [3, 4, 5, 6, 7]);
        assert_eq!((split.updates(), split.criterion_trials().len()), (1, 5));
    }

    #[test]
    fn a_device_without_networks_is_refused() {
        let config = config(1);
        let task = task_of(&config);
        let error = Split::new(config, task, &vec![Device::Cpu; 6]).err().unwrap().to_string();
        assert!(error.contains("6 devices, but train.networks is 3..8"), "{error}");
    }
}
