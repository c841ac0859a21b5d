//! The behaviour of networks in an environment: snapshots of an episode side by side, trajectories, and the rewards still to
//! be earned from each place; one episode also as an animation.

use super::*;
use crate::environments::{Sketch, Start};
use crate::plot::{animation, extent};
use crate::quantile::quantile;
use crate::random::{stream, Phase, Purpose};
use crate::runs::run_fresh;
use crate::tasks::Trajectory;

/// Default number of episodes of each network.
const EPISODES: u64 = 40;
/// Snapshots of an episode in a strip, and trajectories in a picture.
const MOMENTS: usize = 6;
const TRAJECTORIES: usize = 20;
/// Places along each side of a map.
const PLACES: usize = 20;

pub(super) fn why_not(subject: &Subject) -> Option<String> {
    let Some(episodes) = subject.task().episodes() else {
        return subject.task_unless(false, "is not an environment");
    };
    let rng = || stream(0, 0, 0, Phase::Evaluate, Purpose::Task);
    let start = Start { index: 0, rng: rng(), shared: rng() };
    let sketch = episodes.environment.start(vec![start]).sketch(0);
    subject.task_unless(!sketch.is_empty(), "cannot be drawn (Copy::sketch)")
}

pub(super) fn run(subject: &Subject, options: &Options) -> Result<Findings> {
    let (trials, shown, name) = (options.trials.unwrap_or(EPISODES) as usize, subject.shown(), subject.task().name());
    let first = subject.checkpoint.setup.config.train.networks.start;
    let (_, episode) = run_fresh(subject.checkpoint, 0, trials, options.seed)?;
    let trajectories = episode.trajectories.unwrap_or_default();
    let networks: Vec<&[Trajectory]> = trajectories.chunks(trials).collect();
    let mut table = Table::new("episodes", "network episode steps terminated return");
    let mut means = Vec::new();
    for (network, trajectories) in (first..).zip(&networks) {
        for (episode, trajectory) in trajectories.iter().enumerate() {
            let (steps, total_reward) = (trajectory.rewards.len(), trajectory.total_reward());
            table.push(&[&network, &episode, &steps, &trajectory.terminated, &total_reward]);
        }
        means.push(trajectories.iter().map(Trajectory::total_reward).sum::<f64>() / trials as f64);
    }
    let mut findings = Findings { tables: vec![table], ..Findings::default() };
    findings.say_mean("mean return of fresh episodes", Mean::of(&means));
    let examples = networks[(shown - first) as usize];
    let sketches = &typical(examples).sketches;
    let (title, mut rows) = (format!("{name}: fresh episodes of network {shown}"), vec![vec![strip(sketches)]]);
    let mut caption = "An episode of median length, from its first step to its last.".to_string();
    // Movement along a line gets no map.
    let [width, height] = [|p: &(f64, f64)| p.0, |p: &(f64, f64)| p.1].map(|along| {
        let (low, high) = range(trajectories.iter().flat_map(path).map(|place| along(&place)));
        high - low
    });
    if width.min(height) > 0.1 * width.max(height) {
        rows.push(vec![paths(examples), mean_returns(&trajectories)]);
        caption += " Below: trajectories, and the mean of the rewards still to come from each place, over all networks; grey: \
                    places never visited.";
    }
    findings.draw("episodes", title, caption, rows);
    findings.animations.push(("episode".into(), animation(&format!("{name}, network {shown}"), sketches)));
    Ok(findings)
}

/// The episode of median length.
fn typical(trajectories: &[Trajectory]) -> &Trajectory {
    let mut by_length: Vec<&Trajectory> = trajectories.iter().collect();
    by_length.sort_by_key(|trajectory| trajectory.rewards.len());
    by_length[trajectories.len() / 2]
}

/// The moving point, at each step.
fn path(trajectory: &Trajectory) -> Vec<(f64, f64)> {
    trajectory.sketches.iter().filter_map(|sketch| sketch.last()?.last().copied()).collect()
}

/// Snapshots side by side, evenly spaced from the first to the last.
fn strip(sketches: &[Sketch]) -> Panel {
    let (low, high) = range(sketches.iter().flatten().flatten().map(|point| point.0));
    let apart = 1.1 * (high - low);
    let (mut marks, mut ticks) = (Vec::new(), Vec::new());
    let moments = MOMENTS.min(sketches.len());
    for moment in 0..moments {
        let step = moment * (sketches.len() - 1) / (moments - 1).max(1);
        let shift = moment as f64 * apart;
        ticks.push((shift + (low + high) / 2.0, (step + 1).to_string()));
        for (k, line) in sketches[step].iter().enumerate() {
            let line: Vec<(f64, f64)> = line.iter().map(|(x, y)| (x + shift, *y)).collect();
            let last = k + 1 == sketches[step].len();
            let (width, colour) = if last { (5.0, Colour::Blue) } else { (3.0, Colour::Grey) };
            let shape = if line.len() == 1 { Shape::Dots(line, 6.0) } else { Shape::Line(line, width) };
            marks.push(Mark::new(shape, colour));
        }
    }
    let x = Some((low, high + (moments.max(1) - 1) as f64 * apart));
    Panel { equal: true, x, x_ticks: ticks, ..panel("", ["step", ""], marks) }
}

/// The trajectories of some episodes.
fn paths(trajectories: &[Trajectory]) -> Panel {
    let line = |(k, trajectory): (usize, &Trajectory)| Mark::new(Shape::Line(path(trajectory), 2.0), Colour::Nth(k));
    let mut marks: Vec<Mark> = trajectories.iter().take(TRAJECTORIES).enumerate().map(line).collect();
    let starts =
        trajectories.iter().take(TRAJECTORIES).filter_map(|trajectory| path(trajectory).first().copied()).collect();
    marks.push(Mark::new(Shape::Dots(starts, 5.0), Colour::Ink).named("start"));
    Panel { equal: true, ..panel("trajectories", ["", ""], marks) }
}

/// The mean reward to come from each visited place.
fn mean_returns(trajectories: &[Trajectory]) -> Panel {
    let visits: Vec<((f64, f64), f64)> = trajectories.iter().flat_map(visits).collect();
    let (x, y) = (range(visits.iter().map(|visit| visit.0 .0)), range(visits.iter().map(|visit| visit.0 .1)));
    let cell =
        |at: f64, (low, high): (f64, f64)| (((at - low) / (high - low) * PLACES as f64) as usize).min(PLACES - 1);
    let mut sums = vec![vec![(0.0, 0usize); PLACES]; PLACES];
    for (place, reward) in visits {
        let (sum, count) = &mut sums[cell(place.1, y)][cell(place.0, x)];
        (*sum, *count) = (*sum + reward, *count + 1);
    }
    let mean = |(sum, count): &(f64, usize)| if *count > 0 { sum / *count as f64 } else { f64::NAN };
    let values: Vec<Vec<f64>> = sums.iter().map(|row| row.iter().map(mean).collect()).collect();
    let known: Vec<f64> = values.iter().flatten().copied().filter(|value| value.is_finite()).collect();
    let [low, high] = [0.02, 0.98].map(|q| quantile(&known, q).unwrap_or(0.0));
    let heat = HeatMap { values, x, y, range: (low, high.max(low + 1e-9)), label: "reward to come".into() };
    Panel { equal: true, ..panel("value", ["", ""], vec![Mark::new(Shape::Heat(heat), Colour::Blue)]) }
}

/// The smallest and the largest of some values, never the same.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = extent(values).unwrap_or_default();
    (low, high.max(low + 1e-9))
}

/// Each place on the trajectory of an episode, with the reward from then on.
fn visits(trajectory: &Trajectory) -> Vec<((f64, f64), f64)> {
    let mut left = trajectory.total_reward();
    let with = |(place, reward): ((f64, f64), &f64)| {
        let now = left;
        left -= reward;
        (place, now)
    };
    path(trajectory).into_iter().zip(&trajectory.rewards).map(with).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_to_come_are_those_from_a_place_on() {
        let sketches = vec![vec![vec![(0.0, 0.0)], vec![(5.0, 5.0), (1.0, 2.0)]], vec![vec![(3.0, 4.0)]]];
        let trajectory = Trajectory { rewards: vec![-1.0, 3.0], sketches, ..Trajectory::default() };
        assert_eq!(visits(&trajectory), [((1.0, 2.0), 2.0), ((3.0, 4.0), 3.0)]);
    }

    #[test]
    fn a_strip_goes_from_the_first_moment_to_the_last() {
        let sketches: Vec<Sketch> = (0..31).map(|k| vec![vec![(f64::from(k), 1.0)]]).collect();
        let ticks: Vec<String> = strip(&sketches).x_ticks.into_iter().map(|(_, label)| label).collect();
        assert_eq!(ticks, ["1", "7", "13", "19", "25", "31"]);
        assert_eq!(strip(&sketches[..1]).x_ticks.len(), 1);
    }
}
