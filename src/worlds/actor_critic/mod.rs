//! Worlds for an actor and a critic of spiking neurons (Frémaux, Sprekeler & Gerstner 2013): place cells signal where
//! a body is, actor neurons vote on what it does, the critic predicts reward, and its error is the reward that
//! networks in this world learn from.
//!
//! `critic.rs` and `actor.rs` read spikes, `place_cells.rs` makes them; `trials.rs` summarises a life. Each body has its own
//! file, with the life that it lives; `body.rs` is what they share.

pub(super) mod acrobot;
mod actor;
mod body;
pub(super) mod cartpole;
mod critic;
pub(super) mod maze;
mod place_cells;
pub(super) mod track;
mod trials;

use super::{parameters, restored, state, within, Block, Curve, LifeInfo, LifeRow, Places, Verdict, View, Wiring};
use super::{World, WorldState, MOST_STEPS};
use crate::error::{ensure, Error, Result};
use crate::random::{stream, Phase, Purpose, Stream};
use crate::ranges::{expect, not_negative, number, positive};
use crate::text::{fields, prefixed};
use actor::{Actor, Voting};
use body::Body;
use critic::{Critic, Prediction};
use documented::DocumentedFields;
use place_cells::{Axis, PlaceCells};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;

/// The largest mean number of spikes per step of a place cell at its centre, or of all together. A neuron then
/// practically never has more than the `most_spikes` of its model.
const MOST_A_STEP: f64 = 5.0;

/// Trials of an actor and a critic.
#[derive(Clone, Debug, PartialEq, DocumentedFields, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ActorCritic {
    /// The number of trials after which a life ends, unless `life.seconds` ends it first.
    pub trials: u64,
    /// The longest duration of a trial.
    pub trial_seconds: f64,
    /// The time after a trial in which place cells are silent. It is a block of the life.
    pub pause_seconds: f64,
    /// The initial part of a trial, in which the prediction error counts as 0.
    pub settling_ms: f64,
    /// How many of the last trials are judged.
    pub judged: usize,
    /// How many of those must have reached the goal.
    pub required: usize,
    /// The rate of a place cell at its centre in Hz or, with `cells_share`, of all cells together.
    pub cells_hz: f64,
    /// Whether the summed rate of all cells is constant.
    pub cells_share: bool,
    /// The rise time of the reward after an event.
    pub reward_rise_ms: f64,
    /// The decay time of the reward after an event.
    pub reward_decay_ms: f64,
    /// The reward of the goal.
    pub goal_reward: f64,
    /// How spikes of population `critic` become a prediction.
    pub critic: Critic,
    /// How spikes of population `actor` become an action.
    pub actor: Actor,
    /// The body's own parameters.
    pub body: toml::Table,
}

impl ActorCritic {
    /// The parameters of a world with this body, with the meaning of each.
    fn meanings<B: DocumentedFields>() -> Vec<(String, String)> {
        let body = fields::<B>();
        let (critic, actor) = (prefixed("critic.", fields::<Critic>()), prefixed("actor.", fields::<Actor>()));
        [prefixed("", fields::<ActorCritic>()), critic, actor, prefixed("body.", body)].concat()
    }
}

/// The state that outlives a step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Now {
    /// Trials that have ended.
    trials: u64,
    /// Steps since the trial began, or since it ended.
    steps: u64,
    pausing: bool,
    started: bool,
    body: Vec<f64>,
    prediction: Prediction,
    voting: Voting,
    /// Both exponentials of the reward.
    reward: [f64; 2],
}

/// The figures of a block.
#[derive(Default)]
struct Told {
    /// The trial that ended: its duration and whether it was a success.
    ended: Option<(f64, bool)>,
    /// Sums of values and steps, in each part.
    values: Vec<(f64, u32)>,
    whole: (f64, u32),
}

#[derive(Clone)]
struct Arena {
    own: ActorCritic,
    name: &'static str,
    body: Arc<dyn Body>,
    places: Range<usize>,
    actors: Range<usize>,
    critics: Range<usize>,
    dt_ms: f64,
    steps: usize,
    /// Spikes in a step of a place cell at its centre, or of all together.
    per_step: f64,
    /// The decays in a step of both exponentials of the reward, of the value and of the votes.
    decays: [[f64; 2]; 3],
}

struct Agent {
    world: Arena,
    cells: PlaceCells,
    votes: Vec<[f64; 2]>,
    frozen: bool,
    rng: Stream,
    now: Now,
    told: Told,
    trail: Vec<Vec<[f64; 3]>>,
}

impl ActorCritic {
    /// The world called `name`, with this body.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) or [`Error::Setting`](crate::Error::Setting) if a population is missing or has the wrong
    /// size, or a parameter is out of range; [`Error::Usage`](crate::Error::Usage) for parameters that are not the body's.
    fn build<B>(self, name: &'static str, places: &Places) -> Result<Arc<dyn World>>
    where
        B: Body + DeserializeOwned + 'static,
    {
        let body = self.body.clone().try_into();
        let body: B =
            body.map_err(|error: toml::de::Error| Error::Usage(format!("world.body: {}", error.message().trim())))?;
        body.check()?;
        expect(self.trials >= 1, "world.trials", self.trials, "at least 1")?;
        positive("world.trial_seconds", self.trial_seconds)?;
        not_negative("world.settling_ms", self.settling_ms)?;
        positive("world.cells_hz", self.cells_hz)?;
        number("world.goal_reward", self.goal_reward)?;
        let few = (1..=self.judged).contains(&self.required);
        expect(few, "world.required", self.required, format!("1 to world.judged ({})", self.judged))?;
        let steps = places.steps("pause_seconds", self.pause_seconds * 1000.0)?;
        let cells: usize = body.axes().iter().map(Axis::cells).product();
        let place = places.of("place", |n| n == cells, &cells.to_string())?;
        let critics = places.of("critic", |n| n > 0, "at least 1")?;
        let actors = match places.populations.iter().any(|(name, _)| name == "actor") {
            true => places.of("actor", |n| n > 1, "at least 2")?,
            false => 0..0,
        };
        self.critic.check()?;
        self.actor.check()?;
        let decays = |name: &str, decay_ms, rise_ms| decays(name, decay_ms, rise_ms, places.dt_ms);
        let decays = [
            decays("world.reward_", self.reward_decay_ms, self.reward_rise_ms)?,
            decays("world.critic.", self.critic.decay_ms, self.critic.rise_ms)?,
            decays("world.actor.", self.actor.decay_ms, self.actor.rise_ms)?,
        ];
        let per_step = self.cells_hz * places.dt_ms / 1000.0;
        let most = 1000.0 * MOST_A_STEP / places.dt_ms;
        expect(
            per_step <= MOST_A_STEP,
            "world.cells_hz",
            self.cells_hz,
            format!("at most {most}, {MOST_A_STEP} a step"),
        )?;
        Ok(Arc::new(Arena {
            name,
            body: Arc::new(body),
            places: place,
            actors,
            critics,
            dt_ms: places.dt_ms,
            steps,
            per_step,
            decays,
            own: self,
        }))
    }
}

impl Arena {
    /// The values that should be learnt in each part.
    fn values(&self) -> Vec<f64> {
        self.body.values(self.own.critic.horizon_s).iter().map(|v| v * self.own.goal_reward).collect()
    }
}

impl World for Arena {
    fn name(&self) -> &str {
        self.name
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn figures(&self) -> Vec<&str> {
        let mut figures = vec!["trials", "trial_s", "reached", "value", "critic_hz", "actor_hz"];
        if !self.body.values(1.0).is_empty() {
            figures.extend(["value_1", "value_2", "value_3", "value_4"]);
        }
        figures
    }

    fn memory(&self) -> f64 {
        16.0 * self.actors.len() as f64
    }

    fn start(&self, _: u64, _: u64) -> Box<dyn WorldState> {
        Box::new(Agent {
            cells: PlaceCells::new(self.body.axes(), self.per_step, self.own.cells_share),
            votes: Vec::new(),
            frozen: false,
            rng: stream(0, 0, 0, Phase::Train, Purpose::World),
            now: Now::default(),
            told: Told::default(),
            trail: Vec::new(),
            world: self.clone(),
        })
    }

    fn outline(&self) -> Vec<Vec<(f64, f64)>> {
        self.body.outline()
    }

    fn curves(&self, rows: &[LifeRow]) -> Vec<Curve> {
        trials::curves(rows, &self.values())
    }

    fn verdict(&self, rows: &[LifeRow]) -> Verdict {
        trials::verdict(&self.own, rows, &self.values())
    }
}

impl Agent {
    fn seconds(&self) -> f64 {
        self.now.steps as f64 * self.world.dt_ms / 1000.0
    }

    fn start(&mut self) {
        self.now.steps = 0;
        self.now.pausing = false;
        self.now.body = self.world.body.start(&mut self.rng);
    }

    /// Whether the pause after a trial is over; a life can end only then.
    fn paused(&self) -> bool {
        self.now.pausing && self.now.steps >= self.world.steps as u64
    }
}

impl WorldState for Agent {
    fn settle(&mut self, wiring: &mut [Wiring], newborn: bool) {
        let n = self.world.actors.len();
        self.votes = (0..n).map(|k| self.world.body.vote(k, n)).collect();
        let lateral = wiring.iter_mut().filter(|wiring| newborn && wiring.name == "actor-actor");
        for Wiring { pre, post, weight, .. } in lateral {
            let kinship = |apart: u32| self.world.body.kinship(apart as usize, n);
            let sum = |post: u32| (0..n as u32).filter(|k| *k != post).map(|k| kinship(k.abs_diff(post))).sum::<f64>();
            let sums: Vec<f64> = (0..n as u32).map(sum).collect();
            for ((pre, post), w) in pre.iter().zip(*post).zip(&mut **weight) {
                *w = self.world.own.actor.lateral(kinship(pre.abs_diff(*post)), sums[*post as usize], n);
            }
        }
    }

    fn begin(&mut self, block: &mut Block) {
        self.rng = block.rng.clone();
        self.told = Told { values: vec![(0.0, 0); self.world.body.values(1.0).len()], ..Told::default() };
        // Trials continue in the frozen time after a life.
        self.frozen = block.frozen;
        if !self.now.started || (self.frozen && self.paused()) {
            self.now.started = true;
            self.start();
        }
        if self.frozen && self.trail.is_empty() {
            self.trail.push(Vec::new());
        }
    }

    fn stimulate(&mut self, _: usize, input: &mut [f32]) {
        if !self.now.pausing && !self.is_over() {
            let coordinates = self.world.body.coordinates(&self.now.body);
            self.cells.spikes(&coordinates, &mut self.rng, |cell| input[self.world.places.start + cell] += 1.0);
        }
    }

    fn observe(&mut self, _: usize, r: &[f32]) -> f64 {
        if self.is_over() {
            return 0.0;
        }
        let spikes = |places: &Range<usize>| r[places.clone()].iter().filter(|r| **r > 0.0).count() as f64;
        let own = &self.world.own;
        self.now.prediction.step(self.world.decays[1], spikes(&self.world.critics));
        self.now.voting.step(self.world.decays[2], &r[self.world.actors.clone()], &self.votes);
        self.now.reward = [0, 1].map(|k| self.now.reward[k] * self.world.decays[0][k]);
        self.now.steps += 1;
        let seconds = self.seconds();
        let mut flow = 0.0;
        if !self.now.pausing {
            let action = self.now.voting.action(&own.actor, self.world.actors.len(), self.world.body.weighs());
            let mut happened = self.world.body.act(&mut self.now.body, action, self.world.dt_ms);
            let ended_by_time = happened.end.is_none() && seconds >= own.trial_seconds - 1e-9;
            if ended_by_time {
                happened.end = Some(self.world.body.endures(&self.now.body));
            }
            flow = happened.flow / 1000.0;
            let event = happened.event + if happened.goal { own.goal_reward } else { 0.0 };
            self.now.reward = self.now.reward.map(|trace| trace + event);
            if let Some(reached) = happened.end {
                self.told.ended = Some((seconds, reached));
                self.now.trials += 1;
                (self.now.pausing, self.now.steps) = (true, 0);
                self.now.prediction.end(&own.critic, self.world.critics.len(), ended_by_time);
            }
        }
        let [slow, fast] = self.now.reward;
        let reward = flow + (slow - fast) / (own.reward_decay_ms - own.reward_rise_ms);
        let (value, slope) = self.now.prediction.value(&own.critic, self.world.critics.len(), self.now.pausing);
        let settling = seconds * 1000.0 <= own.settling_ms;
        if self.frozen && !self.now.pausing {
            let every = (10.0 / self.world.dt_ms).round().max(1.0) as u64;
            let [x, y] = self.world.body.drawn(&self.now.body);
            let trial = self.trail.last_mut().filter(|_| self.now.steps.is_multiple_of(every));
            trial.into_iter().for_each(|trial| trial.push([x, y, value]));
        }
        if !self.now.pausing && !settling {
            let add = |(sum, steps): &mut (f64, u32)| (*sum, *steps) = (*sum + value, *steps + 1);
            add(&mut self.told.whole);
            self.world
                .body
                .part(&self.now.body)
                .and_then(|part| self.told.values.get_mut(part))
                .into_iter()
                .for_each(add);
        }
        let third = match (own.critic.predicts, settling && !self.now.pausing) {
            (false, _) => reward,
            (true, true) => 0.0,
            (true, false) => slope - value / (1000.0 * own.critic.horizon_s) + reward,
        };
        if self.paused() && !self.is_over() {
            self.start();
            if self.frozen {
                self.trail.push(Vec::new());
            }
        }
        third
    }

    fn end(&mut self, view: &View) -> Vec<f64> {
        let (seconds, reached) = self.told.ended.map_or((f64::NAN, f64::NAN), |(s, r)| (s, f64::from(u8::from(r))));
        let rate = |places: &Range<usize>| if places.is_empty() { f64::NAN } else { view.rate(places) };
        let mean = |(sum, steps): &(f64, u32)| sum / f64::from(*steps);
        let mut figures = vec![
            self.now.trials as f64,
            seconds,
            reached,
            mean(&self.told.whole),
            rate(&self.world.critics),
            rate(&self.world.actors),
        ];
        figures.extend(self.told.values.iter().map(mean));
        figures
    }

    fn is_over(&self) -> bool {
        !self.frozen && self.now.trials >= self.world.own.trials && self.paused()
    }

    fn trail(&self) -> Option<&[Vec<[f64; 3]>]> {
        Some(&self.trail)
    }

    fn state(&self) -> Value {
        state(&self.now)
    }

    fn restore(&mut self, saved: &Value) -> Result<()> {
        let now: Now = restored(saved)?;
        within("trials", now.trials, 0..=MOST_STEPS)?;
        within("steps", now.steps, 0..=MOST_STEPS)?;
        if now.started {
            let (found, expected) = (now.body.len(), self.world.body.numbers());
            ensure!(
                found == expected,
                Content,
                "the state of the world: body has {found} numbers; expected {expected}"
            );
        }
        self.now = now;
        Ok(())
    }
}

/// The decays in a step of both exponentials of a kernel, checked. `name` begins the names of its keys.
fn decays(name: &str, decay_ms: f64, rise_ms: f64, dt_ms: f64) -> Result<[f64; 2]> {
    positive(&format!("{name}rise_ms"), rise_ms)?;
    let above = format!("above {name}rise_ms ({rise_ms})");
    expect(decay_ms > rise_ms && decay_ms.is_finite(), &format!("{name}decay_ms"), decay_ms, above)?;
    Ok([decay_ms, rise_ms].map(|tau| libm::exp(-dt_ms / tau)))
}
