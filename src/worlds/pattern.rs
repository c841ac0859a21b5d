//! Producing a periodic pattern with feedback of the output (Hoerzer et al. 2014).

use super::*;
use crate::papers::HOERZER_2014;
use std::f64::consts::TAU;

pub(super) const LIFE: LifeInfo = LifeInfo {
    name: "hoerzer",
    summary: "a chaotic rate network learns to produce a pattern while it lives (Hoerzer et al. 2014)",
    papers: &[HOERZER_2014],
    rules: &["eh-binary"],
    measure: ("frozen_shape_error", false),
    preset: include_str!("hoerzer.toml"),
    keys: Key::of::<Pattern>,
    build: |table, places| parameters::<Pattern>(table)?.build(places),
};

/// The world's parameters: population `readout` is to produce f(t) = Σ_k a_k sin(2π k t/period), divided by `scale`; the
/// reward of a step is −Σ (z − f)².
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Pattern {
    /// The period.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub period_ms: f64,
    /// a_k for the harmonics 1, 2, 3, …
    pub amplitudes: Vec<f64>,
    /// The divisor of the sum.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub scale: f64,
    /// The mean squared error, after the best shift within each period, below which the shape counts as learnt.
    pub learnt_below: f64,
}

impl Default for Pattern {
    fn default() -> Self {
        Pattern { period_ms: 1000.0, amplitudes: vec![1.0, 0.5, 0.0, 0.25], scale: 1.5, learnt_below: 0.02 }
    }
}

impl Pattern {
    /// The world.
    fn build(self, places: &Places) -> Result<Arc<dyn World>> {
        let steps = places.steps("period_ms", self.period_ms)?;
        let readout = places.of("readout", |n| n == 1, "1")?.start;
        Ok(Arc::new(PatternWorld { own: self, steps, readout }))
    }
}

#[derive(Clone)]
struct PatternWorld {
    own: Pattern,
    /// Steps in a period.
    steps: usize,
    readout: usize,
}

struct PatternState {
    world: PatternWorld,
    /// f and the output in each step of a period.
    target: Vec<f64>,
    outputs: Vec<f64>,
}

impl World for PatternWorld {
    fn name(&self) -> &str {
        "hoerzer"
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn figures(&self) -> Vec<&str> {
        vec!["error", "shape_error", "lag_ms"]
    }

    fn memory(&self) -> f64 {
        16.0 * self.steps as f64
    }

    fn start(&self, _: u64, _: u64) -> Box<dyn WorldState> {
        Box::new(PatternState { world: self.clone(), target: Vec::new(), outputs: Vec::new() })
    }

    fn curves(&self, rows: &[LifeRow]) -> Vec<Curve> {
        vec![
            Curve::of("squared error in a period", "unshifted", rows, 0),
            Curve::of("squared error in a period", "after the best shift", rows, 1),
        ]
    }

    fn verdict(&self, rows: &[LifeRow]) -> Verdict {
        let frozen: Vec<&LifeRow> = rows.iter().filter(|row| row.weights_fixed).collect();
        let of = |k: usize| mean(frozen.iter().map(|row| row.figures[k]));
        let living = rows.iter().rfind(|row| !row.weights_fixed).map_or(f64::NAN, |row| row.figures[0]);
        // The drift of the lag from second to second, taken as the shorter way round.
        let period = self.own.period_ms;
        let way = |a: f64, b: f64| (b - a + 1.5 * period).rem_euclid(period) - 0.5 * period;
        let drift = mean(frozen.windows(2).map(|pair| way(pair[0].figures[2], pair[1].figures[2])));
        let learnt = (!frozen.is_empty()).then(|| of(1) < self.own.learnt_below);
        let figures = vec![
            ("error_while_learning", living),
            ("frozen_shape_error", of(1)),
            ("frozen_error", of(0)),
            ("drift_ms_per_period", drift),
        ];
        Verdict::new(learnt, figures)
    }
}

impl WorldState for PatternState {
    fn settle(&mut self, _: &mut [Wiring], _newborn: bool) {
        let (own, steps) = (&self.world.own, self.world.steps as f64);
        let value = |step: usize| {
            let waves = own.amplitudes.iter().zip(1..);
            waves.map(|(a, k)| a * libm::sin(TAU * f64::from(k) * step as f64 / steps)).sum::<f64>() / own.scale
        };
        self.target = (0..self.world.steps).map(value).collect();
        self.outputs = vec![0.0; self.world.steps];
    }

    fn begin(&mut self, _: &mut Block) {}

    fn stimulate(&mut self, _: usize, _: &mut [f32]) {}

    fn observe(&mut self, step: usize, r: &[f32]) -> f64 {
        self.outputs[step] = f64::from(r[self.world.readout]);
        -(self.outputs[step] - self.target[step]).powi(2)
    }

    fn end(&mut self, view: &View) -> Result<Vec<f64>> {
        let n = self.target.len();
        let error = |shift: usize| {
            let shifted = self.target[n - shift..].iter().chain(&self.target[..n - shift]);
            mean(self.outputs.iter().zip(shifted).map(|(z, f)| (z - f).powi(2)))
        };
        let plain = error(0);
        let best = (0..n).map(|shift| (error(shift), shift)).min_by(|a, b| a.0.total_cmp(&b.0)).unwrap_or((plain, 0));
        Ok(vec![plain, best.0, best.1 as f64 * 1000.0 * view.seconds / n as f64])
    }
}
