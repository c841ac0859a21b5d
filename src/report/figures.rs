//! The pictures of a run, from its files: learning curve and sample trials.

use crate::error::{bail, Result};
use crate::plot::{Canvas, LearningCurves, Run, SampleTrial, SampleTrials};
use crate::runs::run_fresh;
use crate::setup::Setup;
use crate::storage::{metrics_rows, LEARNING_CURVE, METRICS_FILE, SAMPLE_TRIALS};
use crate::tasks::{numbered, Episodes, Problem, Trajectory};
use crate::training::{Checkpoint, Criterion, Frozen, NetworkReport};
use candle_core::DType;
use std::path::Path;

/// The learning curve of a run, gathered from its metrics, two numbers per row.
pub struct LearningCurve {
    /// The name in the legend of a picture of several runs.
    pub name: String,
    setup: Setup,
    networks: Vec<Line>,
}

/// A network's line, which ends where the network diverged.
#[derive(Clone, Default)]
struct Line {
    /// Trials and error.
    points: Vec<(f64, f64)>,
    diverged: bool,
    criterion: Option<f64>,
    /// The newest trials in each stage of the curriculum, counted from 1.
    stages: Vec<Option<f64>>,
}

impl LearningCurve {
    /// A curve without points.
    pub fn new(name: String, setup: &Setup) -> Self {
        let networks = vec![Line::default(); setup.config.train.networks.count()];
        LearningCurve { name, setup: setup.clone(), networks }
    }

    /// The curve of the rows of a run's metrics.
    pub fn of<'a>(name: String, setup: &Setup, rows: impl IntoIterator<Item = &'a NetworkReport>) -> Self {
        let mut curve = Self::new(name, setup);
        rows.into_iter().for_each(|row| curve.push(row));
        curve
    }

    /// The curve of the run in `folder`, whose metrics are read row by row.
    ///
    /// # Errors
    /// As [`metrics_rows`].
    pub fn read(name: String, setup: &Setup, folder: &Path) -> Result<Self> {
        let mut curve = Self::new(name, setup);
        for row in metrics_rows(&folder.join(METRICS_FILE))? {
            curve.push(&row?);
        }
        Ok(curve)
    }

    /// Adds a row of the metrics; rows of networks that the run lacks are skipped.
    pub fn push(&mut self, row: &NetworkReport) {
        let place = row.network.checked_sub(self.setup.config.train.networks.start);
        let Some(line) = place.and_then(|place| self.networks.get_mut(place as usize)) else { return };
        let trials = row.trials as f64;
        line.diverged |= row.diverged_at.is_some();
        if !line.diverged {
            line.points.push((trials, row.measured()));
        }
        line.criterion = line.criterion.or(row.criterion_trials.map(|trials| trials as f64));
        let stages = self.setup.config.curriculum.len() + 1;
        if let Some(stage) = row.stage.filter(|stage| (1..=stages as u64).contains(stage)) {
            line.stages.resize(stages, None);
            line.stages[stage as usize - 1] = Some(trials);
        }
    }

    /// Draws `learning_curve.png` and `.svg` into `folder`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) if a file cannot be written.
    pub fn draw(&self, folder: &Path, log: bool) -> Result<()> {
        self.curves(log).draw().save(&folder.join(LEARNING_CURVE))
    }

    /// The picture as SVG.
    pub fn svg(&self, log: bool) -> String {
        self.curves(log).draw().svg()
    }

    pub(super) fn curves(&self, log: bool) -> LearningCurves {
        let Setup { config, task, .. } = &self.setup;
        let diverged = self.networks.iter().filter(|line| line.diverged).count();
        let note = match diverged {
            0 => String::new(),
            some => format!(", {some} of {} diverged", self.networks.len()),
        };
        LearningCurves {
            title: format!("{}, {}{note}", task.name(), config.rule.name),
            error_label: task.measure().label().to_string(),
            runs: vec![self.run()],
            reference: task.chance().map(|(error, _)| (error, "chance".to_string())),
            log,
        }
    }

    fn run(&self) -> Run {
        // A network has left a stage once there is a later one.
        let left = |line: &Line, stage: usize| {
            let arrived = line.stages.iter().skip(stage).any(Option::is_some);
            line.stages.iter().take(stage).copied().flatten().reduce(f64::max).filter(|_| arrived)
        };
        let stages = 1..=self.setup.config.curriculum.len();
        Run {
            name: self.name.clone(),
            networks: self.networks.iter().map(|line| line.points.clone()).collect(),
            criterion: self.networks.iter().map(|line| line.criterion).collect(),
            stages: stages.map(|stage| self.networks.iter().map(|line| left(line, stage)).collect()).collect(),
        }
    }
}

/// Draws the learning curves of several runs into one picture.
///
/// # Errors
/// [`Error::Usage`](crate::Error::Usage) if there is no run, or if the runs measure errors differently and so cannot
/// share an axis.
pub fn draw_learning_curves(runs: &[LearningCurve], log: bool) -> Result<Canvas> {
    Ok(learning_curves(runs, log)?.draw())
}

/// The picture of [`draw_learning_curves`].
pub(crate) fn learning_curves(runs: &[LearningCurve], log: bool) -> Result<LearningCurves> {
    let Some(first) = runs.first().map(|run| &run.setup.task) else { bail!(Usage, "there is no run to draw") };
    let measure = first.measure();
    if let Some(run) = runs.iter().find(|run| run.setup.task.measure() != measure) {
        bail!(
            Usage,
            "the errors of {} and {} have no common axis: one is the {}, the other the {}",
            runs[0].name,
            run.name,
            measure.label(),
            run.setup.task.measure().label()
        );
    }
    let same_task = runs.iter().all(|run| run.setup.task.name() == first.name());
    Ok(LearningCurves {
        title: if same_task {
            format!("{}: error while learning", first.name())
        } else {
            "Error while learning".into()
        },
        error_label: measure.label().to_string(),
        runs: runs.iter().map(LearningCurve::run).collect(),
        reference: first.chance().filter(|_| same_task).map(|(error, _)| (error, "chance".to_string())),
        log,
    })
}

/// Draws `sample_trials.png` and `.svg`: fresh trials of the first network that reached the criterion or, if none did, of
/// the first network; frozen networks come last.
///
/// # Errors
/// [`Error::Memory`](crate::Error::Memory) or [`Error::Tensors`](crate::Error::Tensors) if the trials cannot be run,
/// [`Error::Io`](crate::Error::Io) if a file cannot be written.
pub fn draw_sample_trials(folder: &Path, checkpoint: &Checkpoint) -> Result<()> {
    sample_trials_of(checkpoint)?.draw().save(&folder.join(SAMPLE_TRIALS))
}

/// The fresh trials of [`draw_sample_trials`].
pub(super) fn sample_trials_of(checkpoint: &Checkpoint) -> Result<SampleTrials> {
    let Setup { config, task, .. } = &checkpoint.setup;
    let place = shown_network(checkpoint);
    let types = task.trial_types();
    let shown = if types.len() > 1 { types.len().min(6) } else { 4 };
    let (batch, episode) = run_fresh(checkpoint, 0, shown, config.train.seed)?;
    let network = config.train.networks.start + place as u64;
    let (name, trained) = (task.name(), checkpoint.trials());
    let task = match task {
        Problem::Trials(task) => task,
        Problem::Episodes(episodes) => {
            let few = episodes.shape().n_in <= MOST_DRAWN;
            let trajectories = episode.trajectories.unwrap_or_default();
            let samples = trajectories.iter().skip(place * shown).take(shown);
            return Ok(SampleTrials {
                title: format!("{name}: fresh episodes of network {network} after {trained} training episodes"),
                time_label: format!("step of the environment, up to {MOST_STEPS}"),
                input_names: if few { numbered("action", episodes.dimensions()) } else { Vec::new() },
                output_label: if few { "observation / size" } else { "action" }.into(),
                in_plane: false,
                trials: samples.map(|trajectory| sample_episode(trajectory, episodes)).collect(),
            });
        }
    };
    let outputs: Vec<Vec<f64>> = episode.outputs.get(place)?.flatten_from(1)?.to_dtype(DType::F64)?.to_vec2()?;
    let step_ms = checkpoint.setup.step_ms();
    let (n_in, n_out) = (task.n_in(), task.n_out());
    let channels = |values: &[f32], width: usize| -> Vec<Vec<f32>> {
        (0..width).map(|k| values.iter().skip(k).step_by(width).copied().collect()).collect()
    };
    let until = |ends: usize, channels: Vec<Vec<f32>>| -> Vec<Vec<f32>> {
        channels.into_iter().map(|channel| channel.into_iter().take(ends).collect()).collect()
    };
    let sample = |(b, outputs): (usize, &Vec<f64>)| {
        let (trial, ends) = (&batch.drawn[place * shown + b].trial, batch.drawn[place * shown + b].ends);
        let outputs: Vec<f32> = task.judged(outputs).iter().map(|z| *z as f32).collect();
        let scored = |index: usize| trial.scored[index / n_out];
        let targets = trial.targets.iter().enumerate().map(|(index, y)| if scored(index) { *y } else { f32::NAN });
        SampleTrial {
            title: if types.len() > 1 { types[trial.trial_type].clone() } else { format!("trial {}", b + 1) },
            step_ms: step_ms.unwrap_or(1.0),
            inputs: until(ends, channels(&trial.inputs, n_in)),
            output_names: task.outputs(),
            outputs: until(ends, channels(&outputs, n_out)),
            targets: channels(&targets.collect::<Vec<_>>(), n_out),
        }
    };
    Ok(SampleTrials {
        title: match task.each_once() {
            Some(_) => format!("{name}: trials of network {network} after {trained} training trials"),
            None => format!("{name}: fresh trials of network {network} after {trained} training trials"),
        },
        time_label: if step_ms.is_some() { "time (ms)".into() } else { "step".into() },
        input_names: task.inputs(),
        output_label: "output".into(),
        in_plane: task.in_plane(),
        trials: outputs.iter().enumerate().map(sample).collect(),
    })
}

/// The observations and actions of an episode: a few observations are drawn large, in units of their usual sizes; if
/// there are many, the actions are drawn instead.
fn sample_episode(trajectory: &Trajectory, episodes: &Episodes) -> SampleTrial {
    let observations = episodes.environment.observations();
    let Trajectory { observations_and_actions: values, rewards, .. } = trajectory;
    let (n_in, width) = (observations.len(), values.len() / rewards.len().max(1));
    let channel = |k: usize| {
        let size = observations.get(k).map_or(1.0, |(_, size)| *size);
        values.iter().skip(k).step_by(width).take(MOST_STEPS).map(|value| (value / size) as f32).collect()
    };
    let (seen, done): (Vec<_>, Vec<_>) = ((0..n_in).map(channel).collect(), (n_in..width).map(channel).collect());
    let names = observations.into_iter().map(|(name, _)| name).collect();
    let (inputs, output_names, outputs) =
        if n_in <= MOST_DRAWN { (done, names, seen) } else { (Vec::new(), numbered("action", done.len()), done) };
    SampleTrial {
        title: format!("return {}", (trajectory.total_reward() * 10.0).round() / 10.0),
        step_ms: 1.0,
        inputs,
        output_names,
        outputs,
        targets: Vec::new(),
    }
}

/// At most this many observations and steps are drawn.
const MOST_DRAWN: usize = 6;
const MOST_STEPS: usize = 100;

/// The place of the first network that reached the criterion or, if none did, of the first network; frozen networks come last.
fn shown_network(checkpoint: &Checkpoint) -> usize {
    let reached = |(c, frozen): (&Criterion, &Option<Frozen>)| c.reached_at().is_some() && frozen.is_none();
    let place = checkpoint.criterion.iter().zip(&checkpoint.frozen).position(reached);
    place.or_else(|| checkpoint.frozen.iter().position(Option::is_none)).unwrap_or(0)
}
