//! The course of a trial in each task: which stimuli are shown when, and the correct answer. `mod.rs` turns it into
//! inputs and targets.

use super::*;

/// The settings that all trials share.
pub(super) struct Times {
    /// The length of a step in ms.
    pub step_ms: f64,
    /// Whether decisions are easy.
    pub easy: bool,
}

impl Times {
    /// A duration in ms, in steps.
    pub fn after(&self, ms: f64) -> usize {
        (ms / self.step_ms) as usize
    }
}

/// When to leave fixation.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Timing {
    /// When the fixation point goes off, while the stimulus is there.
    Fixed,
    /// As soon as the stimulus appears.
    React,
    /// When the fixation point goes off, some time after the stimulus.
    Delay,
}

/// Which modality decides.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Attend {
    /// The only one shown.
    Only(usize),
    /// One of two.
    Context(usize),
    /// The sum of both.
    Both,
}

/// A kind of task.
#[derive(Clone, Copy)]
pub(super) enum Kind {
    /// Answer in the direction of the stimulus, or in the opposite one.
    Go { anti: bool, timing: Timing },
    /// Answer in the direction of the stronger of two stimuli, shown together or one after the other.
    Decide { attend: Attend, delayed: bool },
    /// Answer in the direction of the second stimulus if it matches the first, or if it does not; otherwise keep
    /// fixating.
    Match { category: bool, nogo: bool },
}

/// Every task, in the authors' order.
#[rustfmt::skip]
pub(super) const ALL: [(&str, Kind); 20] = [
    ("fdgo", Kind::Go { anti: false, timing: Timing::Fixed }),
    ("reactgo", Kind::Go { anti: false, timing: Timing::React }),
    ("delaygo", Kind::Go { anti: false, timing: Timing::Delay }),
    ("fdanti", Kind::Go { anti: true, timing: Timing::Fixed }),
    ("reactanti", Kind::Go { anti: true, timing: Timing::React }),
    ("delayanti", Kind::Go { anti: true, timing: Timing::Delay }),
    ("dm1", Kind::Decide { attend: Attend::Only(0), delayed: false }),
    ("dm2", Kind::Decide { attend: Attend::Only(1), delayed: false }),
    ("contextdm1", Kind::Decide { attend: Attend::Context(0), delayed: false }),
    ("contextdm2", Kind::Decide { attend: Attend::Context(1), delayed: false }),
    ("multidm", Kind::Decide { attend: Attend::Both, delayed: false }),
    ("delaydm1", Kind::Decide { attend: Attend::Only(0), delayed: true }),
    ("delaydm2", Kind::Decide { attend: Attend::Only(1), delayed: true }),
    ("contextdelaydm1", Kind::Decide { attend: Attend::Context(0), delayed: true }),
    ("contextdelaydm2", Kind::Decide { attend: Attend::Context(1), delayed: true }),
    ("multidelaydm", Kind::Decide { attend: Attend::Both, delayed: true }),
    ("dmsgo", Kind::Match { category: false, nogo: false }),
    ("dmsnogo", Kind::Match { category: false, nogo: true }),
    ("dmcgo", Kind::Match { category: true, nogo: false }),
    ("dmcnogo", Kind::Match { category: true, nogo: true }),
];

impl Kind {
    /// Draws a trial.
    pub fn draw(self, times: &Times, rng: &mut Stream) -> Plan {
        match self {
            Kind::Go { anti, timing } => go(times, anti, timing, rng),
            Kind::Decide { attend, delayed } => decide(times, attend, delayed, rng),
            Kind::Match { category, nogo } => compare(times, category, nogo, rng),
        }
    }

    /// The duration of the longest trial in ms.
    pub fn longest_ms(self) -> f64 {
        match self {
            Kind::Go { timing: Timing::Fixed, .. } => 2700.0,
            Kind::Go { timing: Timing::React, .. } => 3000.0,
            Kind::Go { timing: Timing::Delay, .. } => 3400.0,
            Kind::Decide { delayed: false, .. } => 2500.0,
            Kind::Decide { delayed: true, .. } => 4200.0,
            Kind::Match { category: false, .. } => 3300.0,
            Kind::Match { category: true, .. } => 3400.0,
        }
    }
}

/// A stimulus on a ring of inputs.
pub(super) struct Stimulus {
    pub modality: usize,
    pub direction: f64,
    pub strength: f64,
    pub from: usize,
    pub to: usize,
}

/// The course of a trial; times in steps.
pub(super) struct Plan {
    pub stimuli: Vec<Stimulus>,
    /// When the fixation point goes off, if it does.
    pub point_off: usize,
    /// When the answer is due.
    pub answer: usize,
    /// Its direction; `None`: keep fixating.
    pub direction: Option<f64>,
    pub steps: usize,
}

/// One of these values at random.
fn choice<T: Copy>(rng: &mut Stream, of: &[T]) -> T {
    of[rng.random_range(0..of.len())]
}

/// A number from `low` to `high`.
fn between(rng: &mut Stream, low: f64, high: f64) -> f64 {
    low + (high - low) * rng.random::<f64>()
}

/// Another direction than `first`, at least a quarter of the ring away.
fn apart(rng: &mut Stream, first: f64, (low, high): (f64, f64)) -> f64 {
    (first + between(rng, low, high) * choice(rng, &[-1.0, 1.0])).rem_euclid(2.0 * PI)
}

fn go(times: &Times, anti: bool, timing: Timing, rng: &mut Stream) -> Plan {
    let (direction, modality) = (between(rng, 0.0, 2.0 * PI), choice(rng, &[0, 1]));
    let half = times.after(500.0);
    let (from, shown, answer) = match timing {
        Timing::Fixed => {
            let from = times.after(between(rng, 300.0, 700.0));
            (from, usize::MAX, from + times.after(between(rng, 500.0, 1500.0)))
        }
        Timing::React => {
            let from = times.after(between(rng, 500.0, 2500.0));
            (from, usize::MAX, from)
        }
        Timing::Delay => {
            let from = times.after(choice(rng, &[300.0, 500.0, 700.0]));
            let to = from + times.after(choice(rng, &[200.0, 400.0, 600.0]));
            (from, to, to + times.after(choice(rng, &[200.0, 400.0, 800.0, 1600.0])))
        }
    };
    let steps = answer + half;
    let stimulus = Stimulus { modality, direction, strength: 1.0, from, to: shown.min(steps) };
    let answered = if anti { (direction + PI).rem_euclid(2.0 * PI) } else { direction };
    let point_off = if timing == Timing::React { steps } else { answer };
    Plan { stimuli: vec![stimulus], point_off, answer, direction: Some(answered), steps }
}

/// The strengths of two stimuli.
fn strengths(differences: &[f64], rng: &mut Stream) -> [f64; 2] {
    let mean = between(rng, 0.8, 1.2);
    let difference = choice(rng, differences) * choice(rng, &[1.0, -1.0]);
    [mean + difference, mean - difference]
}

fn decide(times: &Times, attend: Attend, delayed: bool, rng: &mut Stream) -> Plan {
    let first = between(rng, 0.0, 2.0 * PI);
    let directions = [first, apart(rng, first, (0.5 * PI, 1.5 * PI))];
    let (small, ease) = if delayed { (&[0.08, 0.16, 0.32][..], 2.0) } else { (&[0.01, 0.02, 0.04, 0.08][..], 10.0) };
    let ease = if times.easy { ease } else { 1.0 };
    let differences: Vec<f64> = small.iter().map(|difference| difference * ease).collect();
    // The strengths of both stimuli in each modality, and those that decide.
    let (shown, deciding) = match attend {
        Attend::Only(modality) => {
            let strengths = strengths(&differences, rng);
            let mut shown = [[0.0; 2]; 2];
            shown[modality] = strengths;
            (shown, strengths)
        }
        Attend::Context(modality) => {
            let shown = [strengths(&differences, rng), strengths(&differences, rng)];
            (shown, shown[modality])
        }
        Attend::Both => {
            let strengths = strengths(&differences, rng);
            let split = strengths.map(|s| s * between(rng, 0.2, 0.8) * choice(rng, &[1.0, -1.0]) / 2.0);
            let shown = [1.0, -1.0].map(|sign| [0, 1].map(|k| strengths[k] + sign * split[k]));
            (shown, strengths)
        }
    };
    let (shown_at, answer) = if delayed {
        let on = times.after(choice(rng, &[200.0, 400.0, 600.0]));
        let off = on + times.after(choice(rng, &[200.0, 400.0, 600.0]));
        let on_again = off + times.after(choice(rng, &[200.0, 400.0, 800.0, 1600.0]));
        let off_again = on_again + times.after(choice(rng, &[200.0, 400.0, 600.0]));
        ([(on, off), (on_again, off_again)], off_again + times.after(between(rng, 100.0, 300.0)))
    } else {
        let on = times.after(between(rng, 100.0, 400.0));
        let off = on + times.after(choice(rng, &[400.0, 800.0, 1600.0]));
        ([(on, off); 2], off)
    };
    let pairs = [0, 1].into_iter().flat_map(|modality| [0, 1].map(|k| (modality, k)));
    let stimulus = |(modality, k): (usize, usize)| Stimulus {
        modality,
        direction: directions[k],
        strength: shown[modality][k],
        from: shown_at[k].0,
        to: shown_at[k].1,
    };
    let stronger = directions[usize::from(deciding[1] >= deciding[0])];
    let steps = answer + times.after(500.0);
    Plan { stimuli: pairs.map(stimulus).collect(), point_off: answer, answer, direction: Some(stronger), steps }
}

fn compare(times: &Times, category: bool, nogo: bool, rng: &mut Stream) -> Plan {
    let modalities = [choice(rng, &[0, 1]), choice(rng, &[0, 1])];
    let (directions, alike) = if category {
        let mut direction = || (2.0 * rng.random_range(0..10) as f64 + 1.0) * 0.1 * PI;
        let directions = [direction(), direction()];
        (directions, (directions[0] < PI) == (directions[1] < PI))
    } else {
        let (alike, first) = (rng.random::<bool>(), between(rng, 0.0, 2.0 * PI));
        let other = apart(rng, first, (PI / 9.0, PI * 17.0 / 9.0));
        ([first, if alike { first } else { other }], alike)
    };
    let on = times.after(choice(rng, &[200.0, 400.0, 600.0]));
    let off = on + times.after(choice(rng, &[200.0, 400.0, 600.0]));
    let answer = off + times.after(choice(rng, &[200.0, 400.0, 800.0, 1600.0]));
    let steps = answer + times.after(if category { choice(rng, &[200.0, 400.0, 600.0]) } else { 500.0 });
    let shown_at = [(on, off), (answer, steps)];
    let stimulus = |k: usize| Stimulus {
        modality: modalities[k],
        direction: directions[k],
        strength: 1.0,
        from: shown_at[k].0,
        to: shown_at[k].1,
    };
    let direction = (alike != nogo).then_some(directions[1]);
    Plan { stimuli: [0, 1].map(stimulus).into(), point_off: steps, answer, direction, steps }
}
