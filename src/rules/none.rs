//! `none`: `w_rec` keeps its initial values. A readout can still learn.

use super::*;

pub(super) const INFO: RuleInfo =
    RuleInfo::new("none", "w_rec stays as drawn (a readout can still learn)", "Δw = 0", |_, _| Ok(Arc::new(Nothing)));

struct Nothing;

impl LearningRule for Nothing {
    fn name(&self) -> &str {
        INFO.name
    }

    fn source(&self) -> Source {
        Source::Nothing
    }

    fn fused(&self) -> Option<FusedRule> {
        Some(FusedRule::Nothing)
    }
}
