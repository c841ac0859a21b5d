//! Analyses of trained networks from the literature: each turns a checkpoint into tables, pictures and a few summary
//! figures (docs/analyses.md).
//!
//! The analyses run fresh trials ([`crate::runs::run_fresh`]) with frozen weights, one network at a time, and keep the firing
//! rates at only some of the steps, so that memory does not grow with the number of networks.

mod choices;
mod decoding;
mod differences;
mod episodes;
mod findings;
mod fixed_points;
mod gradient;
mod learning;
mod logistic;
mod population;
mod psychometric;
mod similarity;
mod statistics;
mod subspace;
mod trajectories;
mod weights;

pub use findings::{Figure, Findings, Picture, Table};
pub use logistic::{Logistic, Point};

// The file of every analysis begins with `use super::*`, which brings these in.
use crate::error::{bail, ensure, Error, Result};
use crate::plot::{Colour, HeatMap, Mark, Panel, Shape};
use crate::tasks::Problem;
use crate::training::{Checkpoint, NetworkReport};
use candle_core::Device;
use findings::panel;
use statistics::Mean;

/// The networks to analyse.
pub struct Subject<'a> {
    /// The networks.
    pub checkpoint: &'a Checkpoint,
    /// The rows of the run's `metrics.csv`, if there is one.
    pub metrics: Option<&'a [NetworkReport]>,
    /// Other runs whose networks to compare them with, each with its name.
    pub others: &'a [(String, Checkpoint)],
}

/// Options that all analyses share.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The number of fresh trials of each network; `None`: as many as the analysis needs for a clear picture.
    pub trials: Option<u64>,
    /// The seed of the trials.
    pub seed: u64,
}

/// An analysis, by the name that the command `analyse` uses.
#[non_exhaustive]
pub struct Analysis {
    /// The name, which is also used for the files.
    pub name: &'static str,
    /// A heading for the results.
    pub title: &'static str,
    /// One line that says what the analysis shows, with its source.
    pub summary: &'static str,
    why_not: fn(&Subject) -> Option<String>,
    run: fn(&Subject, &Options) -> Result<Findings>,
}

/// Every analysis.
pub static ANALYSES: [Analysis; 11] = [
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
        name: "episodes",
        title: "Episodes",
        summary: "behaviour in an environment: snapshots, trajectories, value maps and an animation",
        why_not: episodes::why_not,
        run: episodes::run,
    },
    Analysis {
        name: "choices",
        title: "Choices while learning",
        summary: "choices during training, and how often they were repeated (Daw et al. 2011, fig. 2)",
        why_not: choices::why_not,
        run: choices::run,
    },
    Analysis {
        name: "decoding",
        title: "Cross-temporal decoding",
        summary: "how well a classifier trained at one time decodes at another (Meyers et al. 2008; Miconi 2017)",
        why_not: decoding::why_not,
        run: decoding::run,
    },
    Analysis {
        name: "trajectories",
        title: "Trajectories of the population",
        summary: "mean rates of each trial type along their principal components",
        why_not: |subject| {
            subject.refuse_episodes()
        },
        run: trajectories::run,
    },
    Analysis {
        name: "subspace",
        title: "Regression subspace",
        summary: "rates along the axes of choice, modalities and context (Mante et al. 2013, fig. 2 and 5)",
        why_not: |subject| {
            subject.task_unless(subject.task().name() == "selective-integration", "is not `selective-integration`")
        },
        run: subspace::run,
    },
    Analysis {
        name: "fixed-points",
        title: "Fixed points",
        summary: "where the dynamics rest, and how deviations grow or decay there (Sussillo & Barak 2013)",
        why_not: fixed_points::why_not,
        run: fixed_points::run,
    },
    Analysis {
        name: "similarity",
        title: "Similarity of networks",
        summary: "similarity of mean rates between networks, before and after learning (Kornblith et al. 2019; Williams et al. 2021)",
        why_not: similarity::why_not,
        run: similarity::run,
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
        summary: "cosine between the rules' updates and −∂error/∂w_rec (Fiete & Seung 2006; Miconi 2017)",
        why_not: gradient::why_not,
        run: gradient::run,
    },
];

/// The analysis called `name`.
///
/// # Errors
/// [`Error::Unknown`] if there is none; it suggests the most similar name.
pub fn find_analysis(name: &str) -> Result<&'static Analysis> {
    let names = || ANALYSES.iter().map(|analysis| analysis.name);
    ANALYSES.iter().find(|analysis| analysis.name == name).ok_or_else(|| Error::unknown("analysis", name, names()))
}

impl Analysis {
    /// Whether the analysis can be run on this subject.
    pub fn fits(&self, subject: &Subject) -> bool {
        self.why_not(subject).is_none()
    }

    /// Why the analysis cannot be run on this subject, as a clause to follow a colon; `None` if it can.
    pub fn why_not(&self, subject: &Subject) -> Option<String> {
        (self.why_not)(subject)
    }

    /// Runs the analysis.
    ///
    /// # Errors
    /// [`Error::Usage`], with the reason, if the analysis does not fit or there are too few trials; otherwise as its trials.
    pub fn run(&self, subject: &Subject, options: &Options) -> Result<Findings> {
        let reason = self.why_not(subject).unwrap_or_default();
        ensure!(reason.is_empty(), Usage, "analysis `{}` does not fit: {reason}", self.name);
        (self.run)(subject, options)
    }
}

impl Subject<'_> {
    /// The task or environment that the networks were trained in.
    fn task(&self) -> &Problem {
        &self.checkpoint.setup.task
    }

    /// The reason not to run an analysis, the task's name followed by `why`; `None` if the task `fits`.
    fn task_unless(&self, fits: bool, why: &str) -> Option<String> {
        (!fits).then(|| format!("task `{}` {why}", self.task().name()))
    }

    /// The reason not to run an analysis that needs trials of equal length; `None` if the task has such trials.
    fn refuse_episodes(&self) -> Option<String> {
        self.task_unless(self.task().trials().is_some(), "is an environment, whose episodes differ in length")
    }

    /// The networks, one at a time: the number of each, and a checkpoint on the CPU that contains only that network.
    fn networks(&self) -> impl Iterator<Item = Result<(u64, Checkpoint)>> + '_ {
        let networks = self.checkpoint.setup.config.train.networks;
        networks.range().enumerate().map(|(place, number)| {
            let network = self.checkpoint.part(place..place + 1, &Device::Cpu)?;
            Ok((number, network))
        })
    }

    /// The number of the network shown in pictures of a single network: the first that reached the criterion or, if none
    /// did, the first.
    fn shown(&self) -> u64 {
        let place = self.checkpoint.criterion.iter().position(|c| c.reached_at().is_some()).unwrap_or(0);
        self.checkpoint.setup.config.train.networks.start + place as u64
    }

    /// The length of a trial, in [`Subject::time_unit`].
    fn duration(&self) -> f64 {
        self.task().steps() as f64 * self.checkpoint.setup.step_ms().unwrap_or(1.0)
    }

    /// The unit of time: "ms", or "steps" where the dynamics are discrete.
    fn time_unit(&self) -> &'static str {
        self.checkpoint.setup.step_ms().map_or("steps", |_| "ms")
    }
}
