//! Tasks with parameters of any size are built or refused, and report their sizes without allocating them.

use crate::{damage, held_to_account, peak_of};
use hebbian_rnn::config::Output;
use hebbian_rnn::presets::{find_task, TaskInfo};
use hebbian_rnn::tasks::Problem;
use hebbian_rnn::{Result, Setup, TASKS};
use toml::{Table, Value};

const PER_TASK: u64 = 1_000;
/// The kernels count with 32-bit integers.
const LARGEST: usize = u32::MAX as usize;

/// The task described by a table, for networks with room for any number of inputs and outputs.
fn task(table: &Table) -> Result<Problem> {
    let mut config = find_task("dnms")?.config()?;
    config.network.output = Output::Readout;
    config.task = table.clone();
    Ok(Setup::new(config)?.task().clone())
}

/// A task's defaults as a table.
fn defaults(info: &TaskInfo) -> Table {
    info.config().unwrap().task
}

fn build(what: &str, table: &Table) -> bool {
    let Some(task) = held_to_account(what, 1000, || task(table)) else { return false };
    let (sizes, peak) = peak_of(|| [task.steps(), task.n_in(), task.n_out(), task.n_types()]);
    assert!(peak < 10_000, "{what}: {peak} bytes to report its sizes");
    assert!(sizes.iter().all(|size| (1..=LARGEST).contains(size)), "{what}: {sizes:?}");
    let (_, peak) = peak_of(|| task.chance());
    assert!(peak < 20_000_000, "{what}: {peak} bytes to compute chance level");
    if sizes.iter().all(|size| *size < 10_000) {
        let n_in = task.trials().map_or(task.n_in(), |task| task.inputs().len());
        assert_eq!(sizes, [task.steps(), n_in, task.n_out(), task.trial_types().len()], "{what}");
    }
    true
}

#[test]
fn tasks_of_any_parameters_are_built_or_refused() {
    let mut built = 0;
    for (place, info) in TASKS.iter().enumerate() {
        let whole = defaults(info);
        let keys: Vec<String> = whole.keys().filter(|key| *key != "name").cloned().collect();
        for index in 0..PER_TASK {
            let mut rng = damage::generator(7 + place as u64, index);
            let mut table = whole.clone();
            for _ in 0..1 + index % 3 {
                let number = *damage::one_of(&mut rng, &damage::NUMBERS);
                let value = format!("v = {number}").parse::<Table>().ok().and_then(|mut v| v.remove("v"));
                table.insert(damage::one_of(&mut rng, &keys).clone(), value.unwrap_or(Value::Boolean(true)));
            }
            built += u64::from(build(&format!("{} {table:?}", info.name), &table));
        }
    }
    let all = PER_TASK * TASKS.len() as u64;
    assert!((all / 20..all * 3 / 4).contains(&built), "{built} of {all}");
}

#[test]
fn trials_of_a_million_million_steps_are_refused() {
    let refused = |name: &str, keys: &[(&str, i64)]| {
        let mut table = defaults(find_task(name).unwrap());
        keys.iter().for_each(|(key, value)| drop(table.insert(key.to_string(), (*value).into())));
        let (outcome, peak) = peak_of(|| task(&table).map(drop));
        assert!(peak < 100_000, "{name}: {peak} bytes");
        format!("{:#}", outcome.expect_err(name))
    };
    for info in TASKS.iter().filter(|info| defaults(info).contains_key("steps")) {
        assert!(refused(info.name, &[("steps", 1_000_000_000_000)]).contains("has 1000000000000 steps"));
    }
    assert!(
        refused("evidence-accumulation", &[("cues", i64::MAX), ("cue_spacing", i64::MAX)]).contains("steps or more")
    );
    assert!(refused("recall", &[("rounds", i64::MAX), ("patterns", i64::MAX)]).contains("steps or more"));
    assert!(refused("recall", &[("bits", 1 << 40)]).contains("inputs"));
    assert!(refused("reach", &[("targets", i64::MAX)]).contains("inputs"));
}
