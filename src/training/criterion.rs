//! The criterion of learning (Miconi 2017): more than 95 of the last 100 trials correct.

/// The number of most recent trials considered.
pub const WINDOW: usize = 100;
/// The criterion is met if more than this many of them are correct.
pub const MORE_THAN: usize = 95;

/// The most recent outcomes of one network, and when it reached the criterion: more than 95 of the last 100 trials
/// correct.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Criterion {
    recent: std::collections::VecDeque<bool>,
    reached_at: Option<u64>,
}

impl Criterion {
    /// Restores saved values: up to 100 outcomes, oldest first, and when the criterion was reached.
    pub fn restore(recent: impl IntoIterator<Item = bool>, reached_at: Option<u64>) -> Self {
        Criterion { recent: recent.into_iter().collect(), reached_at }
    }

    /// Records the outcomes of one batch, in order. `trials_after` is the number of trials up to the end of this batch.
    /// Since weights change only between batches, this is the number of trials that reaching the criterion took.
    pub fn observe(&mut self, correct: impl IntoIterator<Item = bool>, trials_after: u64) {
        for outcome in correct {
            if self.recent.len() == WINDOW {
                self.recent.pop_front();
            }
            self.recent.push_back(outcome);
            let reached = self.recent.len() == WINDOW && self.recent.iter().filter(|c| **c).count() > MORE_THAN;
            if reached && self.reached_at.is_none() {
                self.reached_at = Some(trials_after);
            }
        }
    }

    /// The outcomes of the most recent trials, at most 100, oldest first.
    pub fn recent(&self) -> impl Iterator<Item = bool> + '_ {
        self.recent.iter().copied()
    }

    /// The fraction correct among the most recent trials; 0 before the first.
    pub fn recent_fraction(&self) -> f64 {
        self.recent.iter().filter(|c| **c).count() as f64 / self.recent.len().max(1) as f64
    }

    /// The number of trials it took to reach the criterion; `None` if it has not been reached.
    pub fn reached_at(&self) -> Option<u64> {
        self.reached_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_95_of_the_last_100_and_never_less_than_100() {
        let mut c = Criterion::default();
        c.observe([true; 99], 99);
        assert_eq!((c.reached_at(), c.recent_fraction()), (None, 1.0));
        let mut c = Criterion::default();
        c.observe((0..100).map(|i| i >= 5), 100);
        assert_eq!((c.reached_at(), c.recent_fraction()), (None, 0.95));
        c.observe([true], 101);
        assert_eq!((c.reached_at(), c.recent_fraction()), (Some(101), 0.96));
        // Once reached, it stays reached.
        c.observe([false; 100], 201);
        assert_eq!((c.reached_at(), c.recent_fraction()), (Some(101), 0.0));
    }

    #[test]
    fn a_restored_criterion_continues_as_if_never_interrupted() {
        let mut whole = Criterion::default();
        whole.observe((0..130).map(|i| i % 7 != 0), 130);
        let mut again = Criterion::restore(whole.recent().collect::<Vec<_>>(), whole.reached_at());
        for c in [&mut whole, &mut again] {
            c.observe([true; 90], 220);
        }
        assert_eq!(whole, again);
    }
}
