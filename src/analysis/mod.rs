//! What trained networks do and how they do it: the analyses of the literature, each one function from a checkpoint to
//! tables, pictures and a few figures in words (docs/analyses.md).
//!
//! Trials are fresh ones ([`crate::run_fresh`]): weights frozen, no perturbation. Networks are taken one at a time and rates
//! are thinned out as they come, so memory does not grow with their number.

mod decoding;
mod differences;
mod findings;
mod gradient;
mod learning;
mod linear;
mod logistic;
mod population;
mod psychometric;
mod subspace;
mod trajectories;
mod weights;

pub use findings::{Findings, Picture, Table};

use crate::error::{ensure, Error, Result};
use crate::tasks::Task;
use crate::training::{Checkpoint, NetworkReport};
use candle_core::Device;

/// What is analysed.
pub struct Subject<'a> {
    /// The networks.
    pub checkpoint: &'a Checkpoint,
    /// The rows of the run's `metrics.csv`, where it is there.
    pub metrics: Option<&'a [NetworkReport]>,
}

/// How.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Fresh trials of each network; `None`: as many as the analysis needs for a clear picture.
    pub trials: Option<u64>,
    /// The seed of the trials.
    pub seed: u64,
}

/// An analysis the command knows by name.
pub struct Analysis {
    /// The name, that of its files too.
    pub name: &'static str,
    /// A heading.
    pub title: &'static str,
    /// One line on what it shows, and its source.
    pub summary: &'static str,
    why_not: fn(&Subject) -> Option<String>,
    run: fn(&Subject, &Options) -> Result<Findings>,
}

/// Every analysis.
pub static ANALYSES: [Analysis; 7] = [
    Analysis {
        name: "learning",
        title: "Learning curves",
        summary: "error and fraction of networks at criterion against trials: median and quartiles over networks",
        why_not: learning::why_not,
        run: learning::run,
    },
    Analysis {
        name: "psychometric",
        title: "Psychometric curves",
        summary: "answers against the strength of the evidence, with logistic fits (Mante et al. 2013, fig. 1)",
        why_not: psychometric::why_not,
        run: psychometric::run,
    },
    Analysis {
        name: "decoding",
        title: "Cross-temporal decoding",
        summary: "what the rates at one time tell by the code of another (Meyers et al. 2008; Miconi 2017)",
        why_not: decoding::why_not,
        run: decoding::run,
    },
    Analysis {
        name: "trajectories",
        title: "Trajectories of the population",
        summary: "mean rates of each trial type along their principal components",
        why_not: |_| None,
        run: trajectories::run,
    },
    Analysis {
        name: "subspace",
        title: "Regression subspace",
        summary: "rates along the axes of choice, modalities and context (Mante et al. 2013, fig. 2 and 5)",
        why_not: subspace::why_not,
        run: subspace::run,
    },
    Analysis {
        name: "weights",
        title: "Recurrent weights before and after",
        summary: "eigenvalues of w_rec, and how far learning moved it (Rajan & Abbott 2006)",
        why_not: |_| None,
        run: weights::run,
    },
    Analysis {
        name: "gradient",
        title: "Updates and the true gradient",
        summary: "cosine between what rules propose and −∂error/∂w_rec (Fiete & Seung 2006; Miconi 2017)",
        why_not: gradient::why_not,
        run: gradient::run,
    },
];

/// The analysis of that name.
///
/// # Errors
/// Where there is none; names the nearest.
pub fn find_analysis(name: &str) -> Result<&'static Analysis> {
    let names = || ANALYSES.iter().map(|analysis| analysis.name);
    ANALYSES.iter().find(|analysis| analysis.name == name).ok_or_else(|| Error::unknown("analysis", name, names()))
}

impl Analysis {
    /// Whether it says anything about this subject.
    pub fn fits(&self, subject: &Subject) -> bool {
        self.why_not(subject).is_none()
    }

    /// What the subject lacks for it, as half a sentence; `None`: nothing.
    pub fn why_not(&self, subject: &Subject) -> Option<String> {
        (self.why_not)(subject)
    }

    /// Analyses.
    ///
    /// # Errors
    /// Where it does not fit, with the reason, or the networks cannot be run.
    pub fn run(&self, subject: &Subject, options: &Options) -> Result<Findings> {
        let reason = self.why_not(subject).unwrap_or_default();
        ensure!(reason.is_empty(), Usage, "analysis `{}` does not fit: {reason}", self.name);
        (self.run)(subject, options)
    }
}

impl Subject<'_> {
    /// The task that the networks were trained on.
    fn task(&self) -> &dyn Task {
        &*self.checkpoint.setup.task
    }

    /// The networks one at a time, each as a checkpoint of its own.
    fn networks(&self) -> impl Iterator<Item = Result<Checkpoint>> + '_ {
        let count = self.checkpoint.setup.config.train.networks.count();
        (0..count).map(|place| self.checkpoint.part(place..place + 1, &Device::Cpu))
    }

    /// The network that pictures of a single one show, by its place: the first that reached the criterion, else the first.
    fn shown(&self) -> usize {
        self.checkpoint.criterion.iter().position(|c| c.reached_at().is_some()).unwrap_or(0)
    }

    /// The time a step lasts, in [`Subject::time_unit`].
    fn step_ms(&self) -> f64 {
        self.checkpoint.setup.step_ms().unwrap_or(1.0)
    }

    /// The unit of time: "ms", or "steps" where dynamics are discrete.
    fn time_unit(&self) -> &'static str {
        match self.checkpoint.setup.step_ms() {
            Some(_) => "ms",
            None => "steps",
        }
    }

    /// The number of the network at a place.
    fn number(&self, place: usize) -> u64 {
        self.checkpoint.setup.config.train.networks.start + place as u64
    }
}
