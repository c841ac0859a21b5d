//! Many tasks in one network; an input tells it which one to perform (Yang et al. 2019, doi
//! 10.1038/s41593-018-0310-2; times and strengths are those of the authors' program).
//!
//! A network fixates, sees bumps of activity on one or both of two rings of directions (modalities), and answers with a bump on a
//! ring of outputs once it may leave fixation. Each trial is as long as its own periods add up to.

use super::*;
use std::f64::consts::PI;

mod plan;
use plan::{Kind, Times, ALL};

/// The parameters.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Yang19 {
    /// The tasks, by their names in the authors' program; each has its own input, and they take turns. All: fdgo, reactgo, delaygo,
    /// fdanti, reactanti, delayanti, dm1, dm2, contextdm1, contextdm2, multidm, delaydm1, delaydm2, contextdelaydm1, contextdelaydm2,
    /// multidelaydm, dmsgo, dmsnogo, dmcgo, dmcnogo.
    pub tasks: Vec<String>,
    /// The number of inputs of each modality, and of outputs, around a ring.
    #[schemars(range(min = 4, max = 4096))]
    pub ring: usize,
    /// The length of a step in ms, which should equal `network.dt_ms`.
    #[schemars(range(min = 1, max = 50))]
    pub step_ms: f64,
    /// The standard deviation of the noise on each input at each step.
    #[schemars(range(min = 0))]
    pub noise: f64,
    /// Whether decisions are made easier: differences in strength are ten times (without delay) or twice (with delay)
    /// as large.
    pub easy: bool,
    /// A trial with an error below this is correct. A wrong answer counts as an error of 1.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub correct_below: f64,
}

impl Default for Yang19 {
    /// Noise: 0.01 · √(2 τ / dt) with τ = 100 ms and dt = 20 ms.
    fn default() -> Self {
        let tasks = ALL.iter().map(|(name, _)| name.to_string()).collect();
        Yang19 { tasks, ring: 32, step_ms: 20.0, noise: 0.0316, easy: false, correct_below: 1.0 }
    }
}

/// The distance between two directions.
fn distance(a: f64, b: f64) -> f64 {
    let apart = (a - b).rem_euclid(2.0 * PI);
    apart.min(2.0 * PI - apart)
}

impl Yang19 {
    fn kind(&self, task: usize) -> Kind {
        // Names were checked.
        ALL.iter().find(|(name, _)| *name == self.tasks[task]).map_or(ALL[0].1, |(_, kind)| *kind)
    }

    fn times(&self) -> Times {
        Times { step_ms: self.step_ms, easy: self.easy }
    }

    /// The preferred direction of the `k`-th unit of a ring.
    fn preferred(&self, k: usize) -> f64 {
        2.0 * PI * k as f64 / self.ring as f64
    }

    /// The activity of the `k`-th unit of a ring around a direction.
    fn bump(&self, k: usize, direction: f64) -> f64 {
        let far = distance(direction, self.preferred(k)) / (PI / 8.0);
        0.8 * libm::exp(-far * far / 2.0)
    }

    /// The direction that outputs point to, `[ring]`.
    fn pointed(&self, outputs: &[f64]) -> f64 {
        let sum =
            |of: fn(f64) -> f64| -> f64 { outputs.iter().enumerate().map(|(k, z)| z * of(self.preferred(k))).sum() };
        libm::atan2(sum(libm::sin), sum(libm::cos)).rem_euclid(2.0 * PI)
    }

    /// Whether a trial ends with the right answer: at its last step the fixation output is above 0.5 if it should fixate, else below,
    /// and the outputs of the ring point to within a tenth of the circle of the target.
    fn is_right(&self, trial: &Trial, outputs: &[f64]) -> bool {
        let Some(last) = trial.scored.iter().rposition(|scored| *scored) else { return false };
        let at = last * (1 + self.ring)..(last + 1) * (1 + self.ring);
        let (outputs, targets) = (&outputs[at.clone()], &trial.targets[at]);
        let (fixates, should) = (outputs[0] > 0.5, targets[0] > 0.5);
        let targets: Vec<f64> = targets[1..].iter().map(|target| f64::from(*target)).collect();
        fixates == should && (should || distance(self.pointed(&outputs[1..]), self.pointed(&targets)) < 0.2 * PI)
    }
}

impl Task for Yang19 {
    fn name(&self) -> &str {
        "yang19"
    }

    /// Refuses unknown tasks and steps that are too long for the shortest periods.
    fn check(&self) -> Result<()> {
        let known = || ALL.iter().map(|(name, _)| *name);
        expect(
            !self.tasks.is_empty(),
            "task.tasks",
            "[]",
            format!("some of: {}", known().collect::<Vec<_>>().join(", ")),
        )?;
        if let Some(name) = self.tasks.iter().find(|name| known().all(|known| known != *name)) {
            return Err(Error::unknown("task.tasks", name, known()));
        }
        check_ranges("task", self)
    }

    fn steps(&self) -> usize {
        let longest = (0..self.tasks.len()).map(|task| self.kind(task).longest_ms()).fold(0.0, f64::max);
        self.times().after(longest)
    }

    fn lengths_vary(&self) -> bool {
        true
    }

    fn inputs(&self) -> Vec<String> {
        let ring = |name: &'static str| (0..self.ring).map(move |k| format!("{name} {k}"));
        let rings = ring("modality 1,").chain(ring("modality 2,"));
        ["fixate".to_string()].into_iter().chain(rings).chain(self.tasks.iter().cloned()).collect()
    }

    fn n_in(&self) -> usize {
        1 + 2 * self.ring + self.tasks.len()
    }

    fn n_out(&self) -> usize {
        1 + self.ring
    }

    fn outputs(&self) -> Vec<String> {
        ["fixate".to_string()].into_iter().chain((0..self.ring).map(|k| format!("direction {k}"))).collect()
    }

    fn trial_types(&self) -> Vec<String> {
        self.tasks.clone()
    }

    /// The tasks take turns.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        let task = (index % self.tasks.len() as u64) as usize;
        let plan = self.kind(task).draw(&self.times(), rng);
        let (n_in, n_out) = (self.n_in(), self.n_out());
        let mut inputs = gaussian(rng, plan.steps * n_in, self.noise);
        let mut targets = vec![0.05f32; plan.steps * n_out];
        let (hundred, mut scored) = (self.times().after(100.0), vec![false; plan.steps]);
        for (step, scored) in scored.iter_mut().enumerate() {
            let (input, target) = (&mut inputs[step * n_in..][..n_in], &mut targets[step * n_out..][..n_out]);
            input[1 + 2 * self.ring + task] += 1.0;
            input[0] += if step < plan.point_off { 1.0 } else { 0.0 };
            for stimulus in plan.stimuli.iter().filter(|s| (s.from..s.to).contains(&step)) {
                let ring = &mut input[1 + stimulus.modality * self.ring..][..self.ring];
                for (k, unit) in ring.iter_mut().enumerate() {
                    *unit += (stimulus.strength * self.bump(k, stimulus.direction)) as f32;
                }
            }
            match plan.direction.filter(|_| step >= plan.answer) {
                Some(direction) => {
                    target[1..].iter_mut().enumerate().for_each(|(k, unit)| *unit += self.bump(k, direction) as f32);
                }
                None => target[0] = 0.8,
            }
            *scored = (hundred..plan.answer).contains(&step) || step >= plan.answer + hundred;
        }
        Trial { trial_type: task, inputs, targets, scored, ..Trial::default() }
    }

    fn measure(&self) -> ErrorMeasure {
        ErrorMeasure::Squared
    }

    /// The mean squared difference, and 1 more if the answer at the end is wrong.
    fn error(&self, trial: &Trial, outputs: &[f64]) -> f64 {
        let missed = mean_over_scored(self, trial, outputs, |difference, _| difference * difference);
        missed + if self.is_right(trial, outputs) { 0.0 } else { 1.0 }
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }
}

#[cfg(test)]
mod tests {
    use super::plan::Attend;
    use super::*;

    #[test]
    fn the_targets_themselves_are_right_and_their_opposites_wrong() {
        let task = Yang19::default();
        task.check().unwrap();
        assert_eq!((task.n_in(), task.n_out(), task.steps()), (85, 33, 210));
        let mut fixating = 0;
        for index in 0..400 {
            let trial = draw(&task, index);
            let steps = trial.scored.len();
            assert!(steps <= task.steps() && trial.targets.len() == steps * 33, "{}", task.tasks[trial.trial_type]);
            let outputs: Vec<f64> = trial.targets.iter().map(|target| f64::from(*target)).collect();
            assert!(task.error(&trial, &outputs) < 1e-12);
            // Turned by half a circle.
            let mut turned = outputs.clone();
            for (turned, outputs) in turned.chunks_exact_mut(33).zip(outputs.chunks_exact(33)) {
                (0..32).for_each(|k| turned[1 + k] = outputs[1 + (k + 16) % 32]);
            }
            let should_fixate = trial.targets[(steps - 1) * 33] > 0.5;
            assert_eq!(task.error(&trial, &turned) < 1.0, should_fixate);
            // Never leaving fixation.
            let still: Vec<f64> = [vec![0.8], vec![0.05; 32]].concat().repeat(steps);
            assert_eq!(task.error(&trial, &still) < 1.0, should_fixate);
            fixating += usize::from(should_fixate);
        }
        // A fifth of the tasks ends in fixation half of the time.
        assert!((20..60).contains(&fixating), "{fixating}");
    }

    #[test]
    fn each_kind_of_task_asks_for_what_its_inputs_say() {
        let task = Yang19 { noise: 0.0, easy: true, ..Yang19::default() };
        let ring = |trial: &Trial, step: usize, modality: usize| -> Vec<f64> {
            trial.inputs[step * 85 + 1 + modality * 32..][..32].iter().map(|u| f64::from(*u)).collect()
        };
        let sum = |ring: &[f64]| ring.iter().sum::<f64>();
        for index in 0..200 {
            let trial = draw(&task, index);
            let (name, steps) = (&task.tasks[trial.trial_type][..], trial.scored.len());
            let end = (steps - 1) * 33;
            let outputs: Vec<f64> = trial.targets[end + 1..].iter().map(|target| f64::from(*target)).collect();
            let answered = task.pointed(&outputs);
            assert_eq!(trial.inputs[65 + trial.trial_type], 1.0);
            let seen = |modality: usize| {
                (0..steps).map(|step| ring(&trial, step, modality)).max_by(|a, b| sum(a).total_cmp(&sum(b))).unwrap()
            };
            match task.kind(trial.trial_type) {
                Kind::Go { anti, .. } => {
                    let both = [seen(0), seen(1)];
                    let shown = both.iter().max_by(|a, b| sum(a).total_cmp(&sum(b))).unwrap();
                    let turned = if anti { PI } else { 0.0 };
                    assert!(distance(task.pointed(shown) + turned, answered) < 1e-3, "{name}");
                }
                Kind::Decide { attend: Attend::Only(modality), delayed: false } => {
                    // Two bumps: the answer is at the higher one.
                    let shown = seen(modality);
                    let highest = (0..32).max_by(|a, b| shown[*a].total_cmp(&shown[*b])).unwrap();
                    assert!(distance(task.preferred(highest), answered) < PI / 16.0, "{name}");
                }
                Kind::Decide { .. } => assert!(trial.targets[end] < 0.1, "{name}"),
                Kind::Match { .. } => {}
            }
        }
    }

    #[test]
    fn other_settings_are_refused() {
        for (task, message) in [
            (Yang19 { tasks: vec![], ..Yang19::default() }, "task.tasks is []"),
            (Yang19 { tasks: vec!["fdgi".into()], ..Yang19::default() }, "did you mean `fdgo`?"),
            (Yang19 { step_ms: 0.5, ..Yang19::default() }, "task.step_ms is 0.5; expected a number from 1 to 50"),
            (Yang19 { ring: 2, ..Yang19::default() }, "task.ring is 2"),
        ] {
            let error = task.check().unwrap_err().to_string();
            assert!(error.contains(message), "{error}");
        }
    }
}
