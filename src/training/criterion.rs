//! The learning criterion: more than 95 of the last 100 trials correct (Miconi 2017); in environments, a mean
//! return over the last 100 episodes that counts as solved (Gymnasium).

use crate::config::Until;
use std::collections::VecDeque;

/// The number of most recent trials considered.
pub const WINDOW: usize = 100;
/// The criterion is met if more than this many of them are correct.
pub const MORE_THAN: usize = 95;

/// The most recent outcomes of one network, and when it reached the criterion: more than 95 of the last 100 trials
/// correct.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Criterion {
    /// Whether each trial was correct, and its error.
    recent: VecDeque<(bool, f64)>,
    reached_at: Option<u64>,
}

impl Criterion {
    /// Restores saved values: up to 100 outcomes with their errors, oldest first, and when the criterion was reached.
    pub fn restore(recent: impl IntoIterator<Item = (bool, f64)>, reached_at: Option<u64>) -> Self {
        Criterion { recent: recent.into_iter().collect(), reached_at }
    }

    /// Records the outcomes of one batch and their errors, in order. Returns whether the criterion was met
    /// at any point in the batch: most trials correct or, with `solved`, a mean error of at most that. `trials_after` is the number of trials up to the end of this batch: since weights
    /// change only between batches, this is the number of trials that reaching the criterion took. It is `None` in the
    /// earlier stages of a curriculum, where reaching the criterion does not count.
    pub fn observe(
        &mut self,
        outcomes: impl IntoIterator<Item = (bool, f64)>,
        solved: Option<f64>,
        trials_after: Option<u64>,
    ) -> bool {
        let mut met = false;
        for outcome in outcomes {
            if self.recent.len() == WINDOW {
                self.recent.pop_front();
            }
            self.recent.push_back(outcome);
            let reached = || solved.map_or(self.correct() > MORE_THAN, |most| self.mean_error() <= most);
            if self.recent.len() == WINDOW && reached() {
                met = true;
                self.reached_at = self.reached_at.or(trials_after);
            }
        }
        met
    }

    /// The outcomes of the most recent trials and their errors, at most 100, oldest first.
    pub fn recent(&self) -> impl ExactSizeIterator<Item = (bool, f64)> + '_ {
        self.recent.iter().copied()
    }

    /// The fraction correct among the most recent trials; 0 before the first.
    pub fn recent_fraction(&self) -> f64 {
        self.correct() as f64 / self.recent.len().max(1) as f64
    }

    fn correct(&self) -> usize {
        self.recent.iter().filter(|(correct, _)| *correct).count()
    }

    /// The mean error of the most recent trials.
    fn mean_error(&self) -> f64 {
        self.recent.iter().map(|(_, error)| error).sum::<f64>() / self.recent.len() as f64
    }

    /// Whether a stage of a curriculum is over after `trials` trials, all of whose outcomes were recorded here. `met` is
    /// what the last batch returned.
    pub(super) fn ends(&self, until: Until, trials: u64, met: bool) -> bool {
        match until {
            Until::Criterion => met,
            Until::Trials(least) => trials >= least,
            Until::Error(level) => self.recent.len() == WINDOW && self.mean_error() < level,
        }
    }

    /// The number of trials it took to reach the criterion; `None` if it has not been reached.
    pub fn reached_at(&self) -> Option<u64> {
        self.reached_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RIGHT: (bool, f64) = (true, 0.0);

    #[test]
    fn more_than_95_of_the_last_100_and_never_less_than_100() {
        let mut c = Criterion::default();
        assert!(!c.observe([RIGHT; 99], None, Some(99)));
        assert_eq!((c.reached_at(), c.recent_fraction()), (None, 1.0));
        let mut c = Criterion::default();
        assert!(!c.observe((0..100).map(|i| (i >= 5, 0.0)), None, Some(100)));
        assert_eq!((c.reached_at(), c.recent_fraction()), (None, 0.95));
        assert!(c.observe([RIGHT], None, Some(101)));
        assert_eq!((c.reached_at(), c.recent_fraction()), (Some(101), 0.96));
        // Once reached, it stays reached.
        c.observe([(false, 1.0); 100], None, Some(201));
        assert_eq!((c.reached_at(), c.recent_fraction()), (Some(101), 0.0));
    }

    #[test]
    fn an_environment_is_solved_by_its_mean_return() {
        let mut c = Criterion::default();
        assert!(!c.observe([(true, -475.0); 99], Some(-475.0), Some(99)));
        assert!(!c.observe([(false, -474.0)], Some(-475.0), Some(100)));
        assert!(c.observe([(true, -476.0)], Some(-475.0), Some(101)));
        assert_eq!(c.reached_at(), Some(101));
    }

    #[test]
    fn a_restored_criterion_continues_as_if_never_interrupted() {
        let mut whole = Criterion::default();
        whole.observe((0..130).map(|i| (i % 7 != 0, f64::from(i))), None, Some(130));
        let mut again = Criterion::restore(whole.recent().collect::<Vec<_>>(), whole.reached_at());
        for c in [&mut whole, &mut again] {
            c.observe([RIGHT; 90], None, Some(220));
        }
        assert_eq!(whole, again);
    }

    #[test]
    fn stages_end_by_the_criterion_a_number_of_trials_or_an_error() {
        let (mut c, mut trials) = (Criterion::default(), 0);
        let mut ends = |outcomes: &[(bool, f64)]| {
            trials += outcomes.len() as u64;
            let met = c.observe(outcomes.iter().copied(), None, None);
            assert_eq!(c.reached_at(), None);
            [Until::Criterion, Until::Trials(100), Until::Error(0.5)].map(|until| c.ends(until, trials, met))
        };
        assert_eq!(ends(&[(false, 0.49); 99]), [false, false, false]);
        assert_eq!(ends(&[(false, 0.49)]), [false, true, true]);
        assert_eq!(ends(&[(true, 0.51); 96]), [true, true, false]);
    }
}
