//! One network in its trials: its actions, their results, and the reward from which it learns.

use super::actor::Voting;
use super::critic::{rate_at, Prediction};
use super::Arena;
use crate::bodies::PlaceCells;
use crate::error::Result;
use crate::random::{stream, Phase, Purpose, Stream};
use crate::worlds::{restored, state, within, Block, View, Wiring, WorldState, MOST_STEPS};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ops::Range;

/// The state that outlives a step.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct AgentState {
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
    /// The mean reward per second; kept only if learning rates follow it.
    #[serde(default, skip_serializing_if = "is_zero")]
    mean_reward: f64,
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// The figures of a block.
#[derive(Default)]
struct BlockFigures {
    /// The trial that ended: its duration and whether it was a success.
    ended: Option<(f64, bool)>,
    /// Its return.
    returned: Option<f64>,
    /// Sums of values and steps, in each part.
    values: Vec<(f64, u32)>,
    whole: (f64, u32),
}

/// The world of one network.
pub(super) struct Agent {
    world: Arena,
    cells: PlaceCells,
    votes: Vec<[f64; 2]>,
    frozen: bool,
    rng: Stream,
    now: AgentState,
    told: BlockFigures,
    /// The reward per ms, the value and the prediction error of the last step.
    critic: [f64; 3],
    trail: Vec<Vec<[f64; 3]>>,
}

impl Agent {
    pub fn new(world: Arena) -> Self {
        Agent {
            cells: PlaceCells::new(world.body.axes(), world.per_step, world.own.cells_share),
            votes: Vec::new(),
            frozen: false,
            rng: stream(0, 0, 0, Phase::Train, Purpose::World),
            now: AgentState { voting: Voting::new(world.body.groups()), ..AgentState::default() },
            told: BlockFigures::default(),
            critic: [0.0; 3],
            trail: Vec::new(),
            world,
        }
    }

    fn seconds(&self) -> f64 {
        self.now.steps as f64 * self.world.dt_ms / 1000.0
    }

    fn start(&mut self) {
        self.now.steps = 0;
        self.now.pausing = false;
        self.now.body = self.world.body.start(&mut self.rng, self.now.trials);
    }

    /// Whether the pause after a trial is over; a life can end only then.
    fn paused(&self) -> bool {
        self.now.pausing && self.now.steps >= self.world.steps as u64
    }
}

impl WorldState for Agent {
    fn settle(&mut self, wiring: &mut [Wiring], newborn: bool) {
        let n = self.world.actors.len();
        let group = n / self.world.body.groups();
        self.votes = (0..group).map(|k| self.world.body.vote(k, group)).collect();
        let lateral = wiring.iter_mut().filter(|wiring| newborn && wiring.name == "actor-actor");
        for Wiring { pre, post, weight, .. } in lateral {
            let lateral = |pre: u32, post: u32| match pre as usize / group == post as usize / group {
                true => self.world.body.lateral(pre.abs_diff(post) as usize, group),
                false => 0.0,
            };
            let sum = |post: u32| (0..n as u32).filter(|k| *k != post).map(|k| lateral(k, post)).sum::<f64>();
            let sums: Vec<f64> = (0..n as u32).map(sum).collect();
            for ((pre, post), w) in pre.iter().zip(*post).zip(&mut **weight) {
                *w = self.world.own.actor.lateral(lateral(*pre, *post), sums[*post as usize], n);
            }
        }
    }

    fn begin(&mut self, block: &mut Block) {
        self.rng = block.rng.clone();
        self.told =
            BlockFigures { values: vec![(0.0, 0); self.world.body.values(1.0).len()], ..BlockFigures::default() };
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
            let action = self.now.voting.action(&own.actor, self.votes.len(), self.world.body.weighs());
            let mut happened = self.world.body.act(&mut self.now.body, &action, self.world.dt_ms);
            let time_is_up = happened.truncated || seconds >= own.trial_seconds - 1e-9;
            let ended_by_time = happened.end.is_none() && time_is_up;
            if ended_by_time {
                happened.end = Some(self.world.body.endures(&self.now.body));
            }
            flow = happened.flow / 1000.0;
            let event = happened.event + if happened.goal { own.goal_reward } else { 0.0 };
            self.now.reward = self.now.reward.map(|trace| trace + event);
            if let Some(reached) = happened.end {
                self.told.ended = Some((seconds, reached));
                self.told.returned = self.world.body.returned();
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
        let mut third = match (own.critic.predicts, settling && !self.now.pausing) {
            (false, _) => reward,
            (true, true) => 0.0,
            (true, false) => slope - value / (1000.0 * own.critic.horizon_s) + reward,
        };
        if own.rates_follow_reward {
            let decay = self.world.mean_decay;
            self.now.mean_reward = decay * self.now.mean_reward + (1.0 - decay) * 1000.0 * reward;
            third *= rate_at(self.now.mean_reward);
        }
        self.critic = [reward, value, third];
        if self.paused() && !self.is_over() {
            self.start();
            if self.frozen {
                self.trail.push(Vec::new());
            }
        }
        third
    }

    fn end(&mut self, view: &View) -> Result<Vec<f64>> {
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
        if self.world.body.returned().is_some() {
            figures.push(self.told.returned.unwrap_or(f64::NAN));
        }
        Ok(figures)
    }

    fn is_over(&self) -> bool {
        !self.frozen && self.now.trials >= self.world.own.trials && self.paused()
    }

    fn trail(&self) -> Option<&[Vec<[f64; 3]>]> {
        Some(&self.trail)
    }

    fn signals(&self) -> Vec<f64> {
        let [x, y] = if self.now.started { self.world.body.drawn(&self.now.body) } else { [0.0, 0.0] };
        let [reward, value, error] = self.critic;
        vec![self.now.trials as f64, f64::from(u8::from(self.now.pausing)), x, y, reward, value, error]
    }

    fn state(&self) -> Value {
        state(&self.now)
    }

    fn restore(&mut self, saved: &Value) -> Result<()> {
        let now: AgentState = restored(saved)?;
        within("trials", now.trials, 0..=MOST_STEPS)?;
        within("steps", now.steps, 0..=MOST_STEPS)?;
        now.voting.check(self.world.body.groups())?;
        if now.started {
            self.world.body.restore(&now.body, now.pausing)?;
        }
        self.now = now;
        Ok(())
    }
}
