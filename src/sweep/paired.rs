//! Settings compared network by network.

use super::scores::Outcome;
use super::{Job, Sweep};
use crate::error::{ensure, Error, Result};
use crate::inference::{holm, mcnemar, wilcoxon};
use serde::Serialize;

/// A setting compared with another one in the networks that both have. All p values are two-sided, and corrected by Holm's method for
/// the number of settings compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The setting.
    pub setting: usize,
    /// The number of networks.
    pub networks: usize,
    /// The number of networks that reached the criterion, or learnt, only under this setting and only under the other one.
    pub reached_only: [u64; 2],
    /// p of these two numbers, by McNemar's test.
    pub p_reached: f64,
    /// The median over networks of the measured quantity under this setting minus that under the other one; `None` if too many
    /// networks diverged.
    pub difference: Option<f64>,
    /// p of these differences, by Wilcoxon's signed-rank test; a network that diverged is worse than any that did not.
    pub p_measured: f64,
}

impl Sweep {
    /// Compares every other setting with setting `against`.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such setting, or if settings measure different quantities; [`Error::Io`] or [`Error::Content`]
    /// if the table of a job cannot be read, since it is not finished.
    pub fn compare(&self, against: usize) -> Result<Vec<Comparison>> {
        let Some(other) = self.settings().find(|jobs| jobs[0].setting == against) else {
            let settings = self.settings().count();
            return Err(Error::Usage(format!("there is no setting {against}; expected 1 to {settings}")));
        };
        let (other, measure, sign) = self.networks_of(other)?;
        let mut found = Vec::new();
        for jobs in self.settings().filter(|jobs| jobs[0].setting != against) {
            let (setting, (networks, measured, _)) = (jobs[0].setting, self.networks_of(jobs)?);
            ensure!(
                measured == measure,
                Usage,
                "setting {setting} measures `{measured}` and setting {against} `{measure}`, which cannot be compared"
            );
            found.push(compared(setting, &networks, &other, sign));
        }
        let corrected = |p: fn(&Comparison) -> f64| holm(&found.iter().map(p).collect::<Vec<_>>());
        let (reached, measured) = (corrected(|c| c.p_reached), corrected(|c| c.p_measured));
        for ((comparison, reached), measured) in found.iter_mut().zip(reached).zip(measured) {
            (comparison.p_reached, comparison.p_measured) = (reached, measured);
        }
        Ok(found)
    }

    /// The outcomes of a setting's networks in order, the measured quantity, and −1 if larger values are better, else 1.
    fn networks_of(&self, jobs: &[Job]) -> Result<(Vec<Outcome>, &'static str, f64)> {
        let subject = self.subject(&jobs[0])?;
        let parts = jobs.iter().map(|job| self.scores(job, &subject)).collect::<Result<Vec<_>>>()?;
        let (measure, more_is_better) = parts.first().map_or(("", false), |part| (part.measure, part.more_is_better));
        let sign = if more_is_better { -1.0 } else { 1.0 };
        Ok((parts.into_iter().flat_map(|part| part.outcomes).collect(), measure, sign))
    }
}

fn compared(setting: usize, here: &[Outcome], there: &[Outcome], sign: f64) -> Comparison {
    let pairs = || here.iter().zip(there);
    let only = |of: fn(&Outcome, &Outcome) -> bool| pairs().filter(|(a, b)| of(a, b)).count() as u64;
    let reached_only = [only(|a, b| a.reached && !b.reached), only(|a, b| !a.reached && b.reached)];
    let cost = |outcome: &Outcome| outcome.measured.map_or(f64::INFINITY, |value| sign * value);
    let difference = |(a, b): (&Outcome, &Outcome)| if cost(a) == cost(b) { 0.0 } else { cost(a) - cost(b) };
    let differences: Vec<f64> = pairs().map(difference).collect();
    Comparison {
        setting,
        networks: differences.len(),
        reached_only,
        p_reached: mcnemar(reached_only[0], reached_only[1]),
        difference: median(&differences).map(|median| sign * median),
        p_measured: wilcoxon(&differences),
    }
}

/// The median; `None` if it is infinite, since a network diverged under one of the settings.
fn median(differences: &[f64]) -> Option<f64> {
    let mut sorted = differences.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (below, above) = (sorted.get(sorted.len().checked_sub(1)? / 2)?, sorted.get(sorted.len() / 2)?);
    Some((below + above) / 2.0).filter(|median| median.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_that_diverged_count_in_the_median() {
        let infinity = f64::INFINITY;
        assert_eq!(median(&[3.0, infinity, 1.0]), Some(3.0));
        assert_eq!(median(&[3.0, -infinity, 1.0, infinity]), Some(2.0));
        assert_eq!(median(&[3.0, infinity, infinity]), None);
        assert_eq!(median(&[infinity, -infinity]), None);
        assert_eq!(median(&[]), None);
    }
}
