//! The choices of networks while they learnt, and how often they repeated them: after reward or none and, where a
//! choice leads to a place, after common and rare transitions (Daw et al. 2011, fig. 2). An agent that only repeats
//! rewarded choices stays equally often after both; one that knows where choices lead does not.
//!
//! A run's files hold no choices. Its training is repeated, to the bit, and the episodes are recorded.

use super::*;
use crate::engine::{Draw, Record, TrialBatch};
use crate::environments::Actions;
use crate::random::Phase;
use crate::runs::FrozenNetworks;
use crate::tasks::Trajectory;
use crate::training::Trainer;
use candle_core::{Device, Tensor};
use std::collections::BTreeMap;

/// The trials whose choices are drawn.
const DRAWN: usize = 400;

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    let fits = subject.task().episodes().is_some_and(|episodes| {
        let environment = &episodes.environment;
        matches!(environment.actions(), Actions::Discrete(_)) && (1..=2).contains(&environment.limit())
    });
    subject.task_unless(fits, "is not an environment with one or two choices, like `bandit` and `two-step`")
}

/// A trial.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Choice {
    first: usize,
    /// The place to which it led and what was chosen there, if there was a second choice.
    second: Option<(usize, usize)>,
    reward: f64,
}

/// A trial after which the first choice is made again or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct After {
    rewarded: bool,
    /// Whether the choice led to the place to which it mostly leads.
    common: Option<bool>,
}

impl After {
    fn name(self) -> String {
        let reward = if self.rewarded { "reward" } else { "none" };
        match self.common {
            None => reward.into(),
            Some(common) => format!("{reward}, {}", if common { "common" } else { "rare" }),
        }
    }
}

pub(super) fn run(subject: &Subject, _: &Options) -> Result<Findings> {
    let first_network = subject.checkpoint.setup.config.train.networks.start;
    let networks = repeated(subject)?;
    let mut choices = Table::new("choices", "network trial choice place second_choice reward");
    let mut stays = Table::new("stays", "network after trials stays");
    let mut fractions: BTreeMap<After, Vec<f64>> = BTreeMap::new();
    for (network, trials) in (first_network..).zip(&networks) {
        for (trial, choice) in trials.iter().enumerate() {
            let [place, second] = match choice.second {
                Some((place, second)) => [place.to_string(), second.to_string()],
                None => Default::default(),
            };
            choices.push(&[&network, &(trial + 1), &choice.first, &place, &second, &choice.reward]);
        }
        for (after, (count, stayed)) in counted(trials) {
            stays.push(&[&network, &after.name(), &count, &stayed]);
            fractions.entry(after).or_default().push(stayed as f64 / count as f64);
        }
    }
    let mut findings = Findings::default();
    for (after, fractions) in fractions.iter().rev() {
        findings.say_mean(format!("stays after {}", after.name()), Mean::of(fractions));
    }
    let of = |rewarded, common| fractions.get(&After { rewarded, common: Some(common) });
    if let (Some(rc), Some(rr), Some(nc), Some(nr)) =
        (of(true, true), of(true, false), of(false, true), of(false, false))
    {
        let each = |combine: fn([f64; 4]) -> f64| -> Mean {
            let networks = rc.iter().zip(rr).zip(nc).zip(nr);
            Mean::of(&networks.map(|(((rc, rr), nc), nr)| combine([*rc, *rr, *nc, *nr])).collect::<Vec<_>>())
        };
        let reward = each(|[rc, rr, nc, nr]| (rc + rr - nc - nr) / 2.0);
        let interaction = each(|[rc, rr, nc, nr]| (rc - rr - nc + nr) / 2.0);
        findings.say_mean("effect of reward", reward);
        findings.say_mean("reward × transition, above 0 for networks that know where choices lead", interaction);
    }
    findings.tables = vec![choices, stays];
    let shown = subject.shown();
    let panels = vec![made(&networks[(shown - first_network) as usize], shown), stayed(&fractions)];
    findings.draw(
        "choices",
        format!("{}: choices while learning", subject.task().name()),
        "Left: the first choices of a network, trial by trial. Right: how often the first choice of the trial before was \
         repeated; bars: mean over networks, dots: single networks.",
        vec![panels],
    );
    Ok(findings)
}

/// Repeats the training; the trials of each network in order.
fn repeated(subject: &Subject) -> Result<Vec<Vec<Choice>>> {
    let checkpoint = subject.checkpoint;
    let (setup, config) = (&checkpoint.setup, &checkpoint.setup.config);
    let (seed, trials_each, n_in) = (config.train.seed, config.train.batch, subject.task().n_in());
    let mut networks = vec![Vec::new(); config.train.networks.count()];
    let mut trainer = Trainer::new(setup.clone(), &[Device::Cpu])?;
    while trainer.updates() < checkpoint.updates {
        let before = trainer.checkpoint()?;
        let (phase, first_trial) = (Phase::Train, before.trials());
        let batch = TrialBatch::draw(setup, Draw { seed, phase, first_trial, trials_each, age: 0, explore: true })?;
        let record = Record { episodes: true, ..Record::default() };
        let trajectories = FrozenNetworks::new(&before)?.run(&batch, record)?.trajectories.unwrap_or_default();
        for (network, trajectories) in networks.iter_mut().zip(trajectories.chunks(trials_each)) {
            network.extend(trajectories.iter().map(|trajectory| chosen(trajectory, n_in)));
        }
        trainer.update()?;
    }
    let weights = trainer.weights()?;
    let bits = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(candle_core::DType::F64)?.to_vec1::<f64>();
    for (name, after) in weights.each() {
        let same = checkpoint.plastic.get(name).map(|then| Ok::<_, candle_core::Error>(bits(then)? == bits(after)?));
        ensure!(
            same.transpose()? == Some(true),
            Usage,
            "the training cannot be repeated: its final `{name}` differs from the run's; use the version of the program \
             that made the run"
        );
    }
    Ok(networks)
}

/// The choices of an episode with `n_in` observations.
fn chosen(trajectory: &Trajectory, n_in: usize) -> Choice {
    let mut steps = trajectory.observations_and_actions.chunks_exact(n_in + 1).map(|step| {
        let (seen, done) = step.split_at(n_in);
        let place = (0..n_in).fold(0, |most, k| if seen[k] > seen[most] { k } else { most });
        (place, done[0] as usize)
    });
    Choice {
        first: steps.next().map_or(0, |(_, first)| first),
        second: steps.next(),
        reward: trajectory.total_reward(),
    }
}

/// After each kind of trial: how many there were, and in how many the next first choice was the same.
fn counted(trials: &[Choice]) -> BTreeMap<After, (u64, u64)> {
    let mut led = BTreeMap::new();
    for choice in trials {
        if let Some((place, _)) = choice.second {
            *led.entry((choice.first, place)).or_insert(0u64) += 1;
        }
    }
    let common = |choice: &Choice| {
        let (place, _) = choice.second?;
        let often = |place| led.get(&(choice.first, place)).copied().unwrap_or(0);
        Some(led.keys().all(|(_, other)| often(*other) <= often(place)))
    };
    let mut counts = BTreeMap::new();
    for pair in trials.windows(2) {
        let after = After { rewarded: pair[0].reward > 0.0, common: common(&pair[0]) };
        let (count, stayed) = counts.entry(after).or_insert((0, 0));
        *count += 1;
        *stayed += u64::from(pair[1].first == pair[0].first);
    }
    counts
}

/// The first choices of a network, in evenly spaced trials.
fn made(trials: &[Choice], network: u64) -> Panel {
    let every = trials.len().div_ceil(DRAWN).max(1);
    let mark = |rewarded: bool, colour, name: &str| {
        let dots = trials.iter().enumerate().step_by(every).filter(|(_, choice)| (choice.reward > 0.0) == rewarded);
        let dots = dots.map(|(trial, choice)| (trial as f64 + 1.0, choice.first as f64)).collect();
        Mark::new(Shape::Dots(dots, 4.0), colour).named(name)
    };
    let marks = vec![mark(false, Colour::Orange, "no reward"), mark(true, Colour::Blue, "reward")];
    let most = trials.iter().map(|choice| choice.first).max().unwrap_or(0) as f64;
    Panel { y: Some((-0.5, most + 0.5)), ..panel(format!("network {network}"), ["trial", "choice"], marks) }
}

/// How often networks stay after each kind of trial.
fn stayed(fractions: &BTreeMap<After, Vec<f64>>) -> Panel {
    let (mut marks, mut ticks) = (Vec::new(), Vec::new());
    for (place, (after, of)) in fractions.iter().rev().enumerate() {
        let (at, mean) = (place as f64, of.iter().sum::<f64>() / of.len() as f64);
        let colour = if after.rewarded { Colour::Blue } else { Colour::Orange };
        marks.push(Mark::new(Shape::Band(vec![(at - 0.35, 0.0, mean), (at + 0.35, 0.0, mean)]), colour));
        marks.push(Mark::new(Shape::Line(vec![(at - 0.35, mean), (at + 0.35, mean)], 4.0), colour));
        marks.push(Mark::new(Shape::Dots(of.iter().map(|p| (at, *p)).collect(), 4.0), colour));
        // The colour tells the reward.
        let label = match after.common {
            Some(common) => if common { "common" } else { "rare" }.to_string(),
            None => after.name(),
        };
        ticks.push((at, label));
    }
    let x = Some((-0.6, fractions.len() as f64 - 0.4));
    let titled = panel("repeated choices", ["after", "fraction of trials"], marks);
    Panel { x, y: Some((0.0, 1.0)), x_ticks: ticks, ..titled }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_are_counted_after_each_kind_of_trial() {
        let trial = |first, place, reward| Choice { first, second: Some((place, 0)), reward };
        // Choice 0 mostly leads to place 1, choice 1 always to place 2.
        let trials = [trial(0, 1, 1.0), trial(0, 1, 0.0), trial(1, 2, 0.0), trial(0, 2, 1.0), trial(0, 1, 1.0)];
        let after = |rewarded, common| After { rewarded, common: Some(common) };
        let expected = [(after(false, true), (2, 0)), (after(true, false), (1, 1)), (after(true, true), (1, 1))];
        assert_eq!(counted(&trials), BTreeMap::from(expected));
        let alone = [0, 0, 1, 1].map(|first| Choice { first, second: None, reward: 0.0 });
        assert_eq!(counted(&alone), BTreeMap::from([(After { rewarded: false, common: None }, (3, 2))]));
    }

    #[test]
    fn choices_and_places_are_read_from_what_was_observations_and_actions() {
        let observations_and_actions = vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0];
        let trajectory = Trajectory { observations_and_actions, rewards: vec![0.0, 1.0], ..Trajectory::default() };
        assert_eq!(chosen(&trajectory, 3), Choice { first: 1, second: Some((2, 0)), reward: 1.0 });
    }
}
