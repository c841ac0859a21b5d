//! Worlds for an actor and a critic of spiking neurons (Frémaux, Sprekeler & Gerstner 2013). Place cells encode the position of a
//! body, actor neurons vote for its action, and critic neurons predict reward. The error of this prediction is the reward from which
//! networks in these worlds learn.
//!
//! `agent.rs` is the state of one network's world; `critic.rs` and `actor.rs` read spikes; `trials.rs` summarises a life; `lives.rs`
//! lists the lives. Bodies and place cells are below, in `src/bodies`; `environment.rs` makes a body of any environment.

mod actor;
mod agent;
mod critic;
mod decoder;
mod environment;
pub(super) mod lives;
mod surroundings;
mod trials;

use super::{parameters, Curve, LifeInfo, LifeRow, Places, Verdict, World, WorldState};
use crate::bodies::{Axis, Body};
use crate::environments::{self, Environment};
use crate::error::Result;
use crate::keys::{self, check_ranges, Key, OtherKeys};
use crate::ranges::expect;
use actor::Actor;
use agent::Agent;
use critic::Critic;
use documented::DocumentedFields;
use environment::InEnvironment;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::sync::Arc;
use surroundings::Surroundings;

/// The largest mean number of spikes per step, of a place cell at its centre or of all cells together. A neuron then
/// practically never has more spikes than the `most_spikes` of its model.
const MOST_A_STEP: f64 = 5.0;

/// The time constant of the mean reward that learning rates can follow (eq. 37).
const MEAN_MS: f64 = 50_000.0;

/// Trials of an actor and a critic.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ActorCritic {
    /// The number of trials after which a life ends, unless `life.seconds` ends it first.
    #[schemars(range(min = 1))]
    pub trials: u64,
    /// The longest duration of a trial.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub trial_seconds: f64,
    /// The time after a trial in which place cells are silent. It is a block of the life.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub pause_seconds: f64,
    /// The initial part of a trial, in which the prediction error counts as 0.
    #[schemars(range(min = 0))]
    pub settling_ms: f64,
    /// How many of the last trials are judged.
    pub judged: usize,
    /// How many of those must have reached the goal.
    #[schemars(range(min = 1))]
    pub required: usize,
    /// The rate of a place cell at its centre in Hz or, with `cells_share`, of all cells together.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub cells_hz: f64,
    /// Whether the summed rate of all cells is constant.
    pub cells_share: bool,
    /// The rise time of the reward after an event.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub reward_rise_ms: f64,
    /// The decay time of the reward after an event.
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub reward_decay_ms: f64,
    /// The reward of the goal.
    pub goal_reward: f64,
    /// Whether the learning rates of critic and actor fall as reward rises: the prediction error is multiplied by
    /// max(8/(1 + 1.5 e^(r̄/7)), 1), with r̄ the running mean of the reward per second over 50 s. That is eq. 37 of
    /// Frémaux et al. (2013) relative to its smallest value, so that `rule.eta` is the smallest rate.
    #[serde(default)]
    pub rates_follow_reward: bool,
    /// How spikes of population `critic` become a prediction.
    pub critic: Critic,
    /// How spikes of population `actor` become an action.
    pub actor: Actor,
    /// The body's own parameters.
    #[schemars(with = "OtherKeys")]
    pub body: toml::Table,
}

impl ActorCritic {
    /// The parameters of a world with this body.
    fn keys<B: DocumentedFields + JsonSchema + 'static>() -> Vec<Key> {
        let inside = |table: &'static str, keys: Vec<Key>| keys.into_iter().map(move |key| key.inside(table));
        let critic = inside("critic", Key::of::<Critic>());
        let actor = inside("actor", Key::of::<Actor>());
        Key::of::<ActorCritic>().into_iter().chain(critic).chain(actor).chain(inside("body", Key::of::<B>())).collect()
    }
}

/// The world: a body, the populations that move it, and the parameters in steps.
#[derive(Clone)]
struct Arena {
    own: ActorCritic,
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
    /// The decay in a step of the mean reward.
    mean_decay: f64,
}

impl ActorCritic {
    /// The world with the body `B`.
    fn build<B: Body + DeserializeOwned + JsonSchema + Serialize + 'static>(
        self,
        places: &Places,
    ) -> Result<Arc<dyn World>> {
        let body: B = self.of_body()?;
        self.with(Arc::new(body), places)
    }

    /// The world that is the environment named in the table `body`.
    pub(super) fn build_environment(self, places: &Places) -> Result<Arc<dyn World>> {
        let body: InEnvironment = self.of_body()?;
        let environment = environments::from_table(&body.environment)
            .map_err(|error| error.in_table("task", "world.body.environment"))?;
        self.in_environment(environment, places)
    }

    /// The world that is an environment of your own, with the parameters of the life `environment`; its table `body.environment` is not
    /// read. For the field `world` of [`OwnLife`](crate::OwnLife).
    ///
    /// A resumed life repeats the actions of the trial in which it was saved, so the environment must depend only on its
    /// [`Start`](crate::environments::Start) and on actions.
    ///
    /// # Errors
    /// [`Error::Unknown`](crate::Error::Unknown) or [`Error::Setting`](crate::Error::Setting) if a population or an observation is
    /// missing, a population has the wrong size, or a parameter is out of range; [`Error::Usage`](crate::Error::Usage) for parameters that
    /// do not exist, and for an environment whose actions have no bounds or whose copies only step together.
    pub fn in_environment(self, environment: Arc<dyn Environment>, places: &Places) -> Result<Arc<dyn World>> {
        let body: InEnvironment = self.of_body()?;
        let body = Surroundings::new(body, environment, places)?;
        self.with(Arc::new(body), places)
    }

    /// The table `world.body`.
    fn of_body<P: DeserializeOwned + JsonSchema + Serialize + 'static>(&self) -> Result<P> {
        keys::parameters("world.body", self.body.clone())
    }

    /// The world with this body.
    fn with(self, body: Arc<dyn Body>, places: &Places) -> Result<Arc<dyn World>> {
        check_ranges("world", &self)?;
        let few = self.required <= self.judged;
        expect(few, "world.required", self.required, format!("1 to world.judged ({})", self.judged))?;
        let steps = places.steps("pause_seconds", self.pause_seconds * 1000.0)?;
        let cells: usize = body.axes().iter().map(Axis::cells).product();
        let place = places.of("place", |n| n == cells, &cells.to_string())?;
        let critics = places.of("critic", |n| n > 0, "at least 1")?;
        let groups = body.groups();
        let expected = if groups > 1 {
            format!("a multiple of {groups}, a group for each action or component")
        } else {
            "at least 2".into()
        };
        let actors = match places.populations.iter().any(|(name, _)| name == "actor") {
            true => places.of("actor", |n| n > 1 && n % groups == 0, &expected)?,
            false => 0..0,
        };
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
            body,
            places: place,
            actors,
            critics,
            dt_ms: places.dt_ms,
            steps,
            per_step,
            decays,
            mean_decay: libm::exp(-places.dt_ms / MEAN_MS),
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
        self.body.name()
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn figures(&self) -> Vec<&str> {
        let mut figures = vec!["trials", "trial_s", "reached", "value", "critic_hz", "actor_hz"];
        if !self.body.values(1.0).is_empty() {
            figures.extend(["value_1", "value_2", "value_3", "value_4"]);
        }
        figures.extend(self.body.returned().map(|_| "return"));
        figures
    }

    fn signals(&self) -> Vec<&str> {
        vec!["trial", "pausing", "x", "y", "reward", "value", "td_error"]
    }

    fn memory(&self) -> f64 {
        let steps = 1000.0 * self.own.trial_seconds / self.dt_ms;
        16.0 * self.actors.len() as f64 + self.body.memory(steps)
    }

    fn start(&self, seed: u64, network: u64) -> Box<dyn WorldState> {
        let body = self.body.of_network(seed, network).unwrap_or_else(|| self.body.clone());
        Box::new(Agent::new(Arena { body, ..self.clone() }))
    }

    fn outline(&self) -> Vec<Vec<(f64, f64)>> {
        self.body.outline()
    }

    fn curves(&self, rows: &[LifeRow]) -> Vec<Curve> {
        trials::curves(rows, &self.values(), self.body.returned().is_some())
    }

    fn verdict(&self, rows: &[LifeRow]) -> Verdict {
        trials::verdict(&self.own, rows, &self.values(), self.body.returned().is_some())
    }
}

/// The decays in a step of both exponentials of a kernel, checked. `name` begins the names of its keys.
fn decays(name: &str, decay_ms: f64, rise_ms: f64, dt_ms: f64) -> Result<[f64; 2]> {
    let above = format!("above {name}rise_ms ({rise_ms})");
    expect(decay_ms > rise_ms, &format!("{name}decay_ms"), decay_ms, above)?;
    Ok([decay_ms, rise_ms].map(|tau| libm::exp(-dt_ms / tau)))
}
