//! The list of tasks.

use super::{episodes, settings, TaskInfo};
use crate::environments::*;
use crate::error::Result;
use crate::keys::Key;
use crate::papers::*;
use crate::tasks::{bits::Echo, bits::Sequence, parameters, Bits, Dnms, EvidenceAccumulation, PatternGeneration};
use crate::tasks::{EpisodeSettings, Episodes, Problem, Reach, Recall, SelectiveIntegration, Task, Yang19};
use documented::DocumentedFields;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::Serialize;
use toml::Table;

/// Every task that has a name in configurations and needs no file.
pub static TASKS: &[TaskInfo] = &[
    TaskInfo {
        name: "dnms",
        summary: "delayed non-match to sample: were the two stimuli different? (Miconi 2017)",
        papers: &[MICONI_2017],
        rule: "delta-x",
        rates: &[("delta-x", 0.1), ("node-perturbation", 0.001), ("eh", 0.01)],
        preset: settings::dnms,
        ..task(|table| Ok(Dnms { name: "dnms", ..parameters(table)? }.into()), Key::of::<Dnms>)
    },
    TaskInfo {
        name: "dnms-long-delay",
        summary: "the same with a delay of a second (Miconi 2017)",
        papers: &[MICONI_2017],
        rule: "delta-x",
        rates: &[("delta-x", 0.03)],
        rates_like: Some("dnms"),
        preset: settings::dnms_long_delay,
        ..task(|table| Ok(Dnms { name: "dnms-long-delay", ..parameters(table)? }.into()), Key::of::<Dnms>)
    },
    TaskInfo {
        name: "dnms-variable-delay",
        summary: "the same with a delay of 300 to 800 ms, drawn for each trial; learnt with a curriculum (Miconi 2017)",
        papers: &[MICONI_2017],
        rule: "node-perturbation",
        rates: &[("delta-x", 0.003), ("node-perturbation", 1e-5)],
        rates_like: Some("dnms"),
        preset: settings::dnms_variable_delay,
        ..task(|table| Ok(Dnms { name: "dnms-variable-delay", ..parameters(table)? }.into()), Key::of::<Dnms>)
    },
    TaskInfo {
        name: "dnms-ei",
        summary: "the same with excitatory and inhibitory neurons: Dale's law, rectified-linear rates (Mastrogiuseppe & Ostojic 2017)",
        papers: &[MASTROGIUSEPPE_2017],
        rule: "delta-x",
        // Ten times the published rate for one trial at a time, with which few networks learn (docs/results.md).
        rates: &[("delta-x", 3e-4)],
        rates_like: Some("dnms"),
        preset: settings::dnms_ei,
        ..task(|table| Ok(Dnms { name: "dnms-ei", ..parameters(table)? }.into()), Key::of::<Dnms>)
    },
    TaskInfo {
        name: "selective-integration",
        summary: "report the sign of whichever of two noisy inputs is cued (Mante et al. 2013; Miconi 2017)",
        papers: &[MANTE_2013, MICONI_2017],
        rule: "delta-x",
        rates: &[("delta-x", 0.01)],
        rates_like: Some("dnms"),
        preset: settings::selective_integration,
        ..task(build::<SelectiveIntegration>, Key::of::<SelectiveIntegration>)
    },
    TaskInfo {
        name: "evidence-accumulation",
        summary: "were there more cues on the left or on the right? (Morcos & Harvey 2016; Bellec et al. 2020)",
        papers: &[MORCOS_2016, BELLEC_2020],
        rule: "node-perturbation",
        rates: &[("delta-x", 0.03), ("node-perturbation", 5e-4)],
        rates_like: Some("dnms"),
        preset: settings::evidence_accumulation,
        ..task(build::<EvidenceAccumulation>, Key::of::<EvidenceAccumulation>)
    },
    TaskInfo {
        name: "reach",
        summary: "turn the joints of an arm to bring its hand to one of the targets around it (hebbRNN: Michaels & Scherberger 2016)",
        papers: &[MICHAELS_2016],
        rule: "delta-x",
        rates: &[("delta-x", 0.5)],
        rates_like: Some("dnms"),
        preset: settings::reach,
        ..task(build::<Reach>, Key::of::<Reach>)
    },
    TaskInfo {
        name: "pattern-generation",
        summary: "produce a sum of sines (Murray 2019)",
        papers: &[MURRAY_2019],
        rule: "rflo",
        rates: &[("rflo", 1e-3), ("node-perturbation", 1e-3)],
        preset: settings::pattern_generation,
        ..task(build::<PatternGeneration>, Key::of::<PatternGeneration>)
    },
    TaskInfo {
        name: "yang19",
        summary: "twenty tasks in one network, selected by an input: go, anti, decisions, matching (Yang et al. 2019)",
        papers: &[YANG_2019],
        rule: "rflo",
        rates: &[("node-perturbation", 1e-3), ("rflo", 1e-5)],
        preset: settings::yang19,
        ..task(build::<Yang19>, Key::of::<Yang19>)
    },
    TaskInfo {
        name: "recall",
        summary: "complete a half-erased pattern from fast weights alone: no weight is trained (Miconi et al. 2018)",
        papers: &[MICONI_2018],
        rule: "none",
        preset: settings::recall,
        ..task(build::<Recall>, Key::of::<Recall>)
    },
    TaskInfo {
        name: "sequence",
        summary: "predict the next random bit: nothing can be learnt beyond chance, so it checks that training does no harm",
        rule: "hebbian-trace",
        rates: &[("hebbian-trace", 0.01)],
        preset: settings::sequence,
        ..task(|table| Ok(Bits::from(parameters::<Sequence>(table)?).into()), Key::of::<Sequence>)
    },
    TaskInfo {
        name: "echo",
        summary: "repeat the bit from k steps ago: the learnable counterpart of `sequence`",
        rule: "node-perturbation",
        rates: &[("node-perturbation", 0.01)],
        preset: settings::echo,
        ..task(|table| Ok(Bits::from(parameters::<Echo>(table)?).into()), Key::of::<Echo>)
    },
    TaskInfo {
        name: "bandit",
        summary: "an environment: pull the arm that pays most often (Robbins 1952)",
        papers: &[ROBBINS_1952],
        rule: "none",
        preset: episodes::bandit,
        ..environment::<Bandit>()
    },
    TaskInfo {
        name: "two-step",
        summary: "an environment: a choice leads to a place and to a second choice (Daw et al. 2011)",
        papers: &[DAW_2011],
        rule: "none",
        preset: episodes::two_step,
        ..environment::<TwoStep>()
    },
    TaskInfo {
        name: "perceptual-decision",
        summary: "an environment: is a noisy input positive on average? Reward is the only feedback (Britten et al. 1992)",
        papers: &[BRITTEN_1992],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 1.5625)],
        preset: episodes::perceptual_decision,
        ..environment::<PerceptualDecision>()
    },
    TaskInfo {
        name: "t-maze",
        summary: "an environment: remember a cue along a corridor, and turn to its side at the end (Bakker 2002)",
        papers: &[BAKKER_2002],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 1.5625)],
        rates_like: Some("cartpole"),
        preset: episodes::t_maze,
        build: Episodes::build::<TMaze>,
        keys: in_an_environment::<TMaze>,
    },
    TaskInfo {
        name: "open-field",
        summary: "an environment: find a goal with place cells, and find it again after it has moved (Brzosko et al. 2017)",
        papers: &[BRZOSKO_2017],
        rule: "none",
        preset: episodes::open_field,
        ..environment::<OpenField>()
    },
    TaskInfo {
        name: "cartpole",
        summary: "an environment: balance a pole on a cart (Barto et al. 1983; Gymnasium's CartPole-v1: Towers et al. 2024)",
        papers: &[BARTO_1983, TOWERS_2024],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 1.5625), ("delta-x", 40.0), ("eh", 1.5625)],
        rates_like: None,
        preset: episodes::cartpole,
        ..environment::<CartPole>()
    },
    TaskInfo {
        name: "acrobot",
        summary: "an environment: swing a double pendulum up (Sutton 1996; Gymnasium's Acrobot-v1: Towers et al. 2024)",
        papers: &[SUTTON_1996, TOWERS_2024],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 1.5625), ("delta-x", 40.0), ("eh", 1.5625)],
        rates_like: None,
        preset: episodes::acrobot,
        ..environment::<Acrobot>()
    },
    TaskInfo {
        name: "pendulum",
        summary: "an environment: swing a pendulum up and hold it (Gymnasium's Pendulum-v1: Towers et al. 2024)",
        papers: &[TOWERS_2024],
        rule: "node-perturbation",
        rates: &[("node-perturbation", 0.002)],
        rates_like: None,
        preset: episodes::pendulum,
        ..environment::<Pendulum>()
    },
    TaskInfo {
        name: "maze",
        summary: "an environment: find a goal behind a U-shaped wall, the life `maze` by trials (Frémaux et al. 2013)",
        papers: &[FREMAUX_2013],
        rule: "node-perturbation",
        preset: episodes::maze,
        ..environment::<Maze>()
    },
    TaskInfo {
        name: "acrobot-swing-up",
        summary: "an environment: lift a double pendulum, the life of this name by trials (Frémaux et al. 2013)",
        papers: &[FREMAUX_2013],
        rule: "node-perturbation",
        preset: episodes::acrobot_swing_up,
        ..environment::<AcrobotSwingUp>()
    },
    TaskInfo {
        name: "cartpole-swing-up",
        summary: "an environment: swing a pole up, the life of this name by trials (Frémaux et al. 2013)",
        papers: &[FREMAUX_2013],
        rule: "node-perturbation",
        rates_like: Some("pendulum"),
        preset: episodes::cartpole_swing_up,
        ..environment::<CartPoleSwingUp>()
    },
];

/// A task that is built so and has these parameters; all else is empty.
const fn task(build: fn(&mut Table) -> Result<Problem>, keys: fn() -> Vec<Key>) -> TaskInfo {
    TaskInfo { name: "", summary: "", papers: &[], rule: "", rates: &[], rates_like: None, preset: |_| (), build, keys }
}

/// Episodes in an environment with these parameters. If no rates were chosen for it, those of `cartpole` apply.
const fn environment<E>() -> TaskInfo
where
    E: Environment + Default + Serialize + DeserializeOwned + DocumentedFields + JsonSchema + 'static,
{
    TaskInfo { rates_like: Some("cartpole"), ..task(Episodes::build::<E>, in_an_environment::<E>) }
}

/// The parameters of an environment and those of episodes in it.
fn in_an_environment<E: DocumentedFields + JsonSchema + 'static>() -> Vec<Key> {
    Key::of::<E>().into_iter().chain(Key::of::<EpisodeSettings>()).collect()
}

/// The task `T` with the parameters in a `task` table.
fn build<T: Task + DeserializeOwned + 'static>(table: &mut Table) -> Result<Problem> {
    Ok(parameters::<T>(table)?.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environments::from_table;

    #[test]
    fn every_environment_can_be_lived_in_and_trained() {
        for task in TASKS {
            let Some(episodes) = (task.build)(&mut task.config().unwrap().task).unwrap().episodes().cloned() else {
                continue;
            };
            let named = from_table(&Table::from_iter([("name".to_string(), task.name.into())])).unwrap();
            assert_eq!(named.name(), episodes.environment.name());
        }
    }
}
