//! The lives of an actor and a critic, one for each body.

use super::environment::{GridAxis, InEnvironment};
use super::{parameters, ActorCritic, LifeInfo};
use crate::bodies::{Acrobot, Cartpole, Maze, Track};
use crate::keys::Key;
use crate::papers::FREMAUX_2013;

pub(in crate::worlds) const MAZE: LifeInfo = LifeInfo {
    name: "maze",
    summary: "spiking actor and critic find a goal behind a U-shaped wall (Frémaux et al. 2013, figure 4)",
    papers: &[FREMAUX_2013],
    rules: &["td-ltp", "td-stdp", "r-max"],
    measure: ("last_s", false),
    preset: include_str!("maze.toml"),
    keys: ActorCritic::keys::<Maze>,
    build: |table, places| parameters::<ActorCritic>(table)?.build::<Maze>(places),
};

pub(in crate::worlds) const TRACK: LifeInfo = LifeInfo {
    name: "linear-track",
    summary: "values spread backward from a reward at the end of a track (Frémaux et al. 2013, figure 2)",
    papers: &[FREMAUX_2013],
    rules: &["td-ltp"],
    measure: ("successes", true),
    preset: include_str!("linear-track.toml"),
    keys: ActorCritic::keys::<Track>,
    build: |table, places| parameters::<ActorCritic>(table)?.build::<Track>(places),
};

pub(in crate::worlds) const ACROBOT: LifeInfo = LifeInfo {
    name: "acrobot-swing-up",
    summary: "spiking actor and critic swing a double pendulum up (Frémaux et al. 2013, figure 5)",
    papers: &[FREMAUX_2013],
    rules: &["td-ltp"],
    measure: ("last_s", false),
    preset: include_str!("acrobot-swing-up.toml"),
    keys: ActorCritic::keys::<Acrobot>,
    build: |table, places| parameters::<ActorCritic>(table)?.build::<Acrobot>(places),
};

pub(in crate::worlds) const CARTPOLE: LifeInfo = LifeInfo {
    name: "cartpole-swing-up",
    summary: "spiking actor and critic swing a pole up (Frémaux et al. 2013, figure 6); balancing is hardly learnt",
    papers: &[FREMAUX_2013],
    rules: &["td-ltp"],
    measure: ("last_s", true),
    preset: include_str!("cartpole-swing-up.toml"),
    keys: ActorCritic::keys::<Cartpole>,
    build: |table, places| parameters::<ActorCritic>(table)?.build::<Cartpole>(places),
};

pub(in crate::worlds) const ENVIRONMENT: LifeInfo = LifeInfo {
    name: "environment",
    summary: "spiking actor and critic in an environment of your choice, such as pendulum (Frémaux et al. 2013)",
    papers: &[FREMAUX_2013],
    rules: &["td-ltp"],
    measure: ("last_return", true),
    preset: include_str!("environment.toml"),
    keys: || {
        let axes = Key::of::<GridAxis>().into_iter().map(|key| key.inside("body.axes"));
        ActorCritic::keys::<InEnvironment>().into_iter().chain(axes).collect()
    },
    build: |table, places| parameters::<ActorCritic>(table)?.build_environment(places),
};
