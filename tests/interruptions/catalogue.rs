//! The commands that are interrupted: of every kind, so small that each takes some tenths of a second.

use crate::composed::OTHERS;

/// Commands that together make one result, with what they need.
#[derive(Clone, Debug)]
pub struct Work {
    pub kind: &'static str,
    /// Files that are there before.
    pub given: Vec<(&'static str, Vec<u8>)>,
    /// Commands that run undisturbed before.
    pub first: Vec<Vec<String>>,
    /// Commands that are disturbed, one after the other.
    pub steps: Vec<Vec<String>>,
    /// The folder that they write.
    pub out: &'static str,
    /// The folder inside it, or it itself, that files are added to for as long as a command runs.
    pub changing: &'static str,
    pub folder: Folder,
    /// The command ends with exit code 1: all its networks diverge.
    pub fails: bool,
    /// Its files hold the path of the folder in which it ran.
    pub names_its_place: bool,
}

/// What kind of folder it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Folder {
    /// Of `train`.
    Run,
    /// Of `live`.
    Life,
    /// With a folder for each job.
    Sweep,
    /// Written at once.
    Fixed,
}

/// What `train` is given, besides the settings that all have in common.
const TRAIN: [(&str, &str); 35] = [
    ("dnms", "dnms DNMS"),
    ("dnms-long-delay", "dnms-long-delay DNMS"),
    ("dnms-variable-delay", "dnms-variable-delay DNMS --set task.delay_jitter=15"),
    ("dnms-ei", "dnms-ei DNMS"),
    (
        "selective-integration",
        "selective-integration --set task.steps=50 --set task.stimulus_steps=30 --set task.response_steps=10",
    ),
    (
        "evidence-accumulation",
        "evidence-accumulation --set task.cue_steps=4 --set task.cue_spacing=5 --set task.delay_steps=10",
    ),
    ("reach", "reach --set task.steps=40 --set task.move_steps=30"),
    ("pattern-generation", "pattern-generation --set task.steps=30 --set network.initial_activation=0.3"),
    ("recall", "recall --set task.bits=24"),
    ("yang19", "yang19 --set task.ring=6 --set task.step_ms=50 --set task.tasks=['fdgo','delaydm1']"),
    ("sequence", "sequence"),
    ("echo", "echo"),
    ("bandit", "bandit --set task.network_steps=3"),
    ("two-step", "two-step --set task.network_steps=2"),
    ("cartpole", "cartpole --set task.limit=20"),
    // More than a hundred episodes, which the criterion looks back on, before and after most interruptions.
    ("acrobot", "acrobot --set task.limit=120 --batch 16 --updates 18"),
    ("pendulum", "pendulum --set task.limit=100 --batch 16 --updates 18"),
    ("perceptual-decision", "perceptual-decision --set task.steps=6"),
    ("t-maze", "t-maze --set task.corridor=3 --set task.limit=20"),
    ("open-field", "open-field --set task.limit=20 --set network.input_weights=uniform"),
    ("maze", "maze --set task.limit=20"),
    ("acrobot-swing-up", "acrobot-swing-up --set task.limit=20"),
    ("cartpole-swing-up", "cartpole-swing-up --set task.limit=20"),
    ("rule bptt", "echo --rule bptt"),
    ("rule rflo", "pattern-generation --rule rflo --set task.steps=30"),
    ("rule eh", "dnms DNMS --rule eh --kernels reference"),
    ("bptt in a world", "bandit --rule bptt --set task.network_steps=3"),
    ("trace, retroactive", "echo --set trace.persistent=true --set trace.stage=retroactive --set trace.clip=1.0"),
    ("trace, oja", "echo --rule hebbian-trace --set trace.stage=oja --set trace.clip=0.5"),
    ("f64", "dnms DNMS --dtype f64"),
    ("until criterion", "echo --until-criterion --batch 16 --rule bptt --set bptt.parameters=all --updates 100"),
    ("one diverges", "echo --neurons 8 --batch 1 --networks 3 --updates 250 --checkpoint-every 40"),
    ("all diverge", "echo --neurons 8 --updates 150 --checkpoint-every 4 DIVERGE"),
    ("many updates", "sequence --neurons 4 --batch 1 --networks 1 --updates 600 --checkpoint-every 20"),
    ("only at the end", "echo --updates 200 --checkpoint-every 0"),
];

const DNMS: &str =
    "--set task.steps=60 --set task.second_stimulus=25 --set task.stimulus_steps=10 --set task.response_steps=10";

const DIVERGE: &str = "--set rule.eta=1e30 --set rule.max_dw=0.0 --set network.gain=1.2";

/// What `live` is given.
const LIVE: [(&str, &str); 11] = [
    ("life xor-rate", "xor-rate --seconds 12"),
    ("life xor-temporal", "xor-temporal --seconds 12"),
    ("life one-synapse", "one-synapse --checkpoint-every 0.01"),
    ("life distal-reward", "distal-reward --seconds 6 SMALL-CORTEX"),
    ("life pavlovian", "pavlovian --seconds 6 --set world.delay_ms=400 --set world.stimuli=2 SMALL-CORTEX"),
    ("life hoerzer", "hoerzer --seconds 8 --frozen-seconds 2 --set population.recurrent.size=60"),
    ("life maze", "maze --seconds 6 SHORT"),
    ("life linear-track", "linear-track --seconds 6 SHORT"),
    ("life acrobot", "acrobot-swing-up --seconds 2.4 SMALL-ACTOR SHORT"),
    ("life environment", "environment --seconds 6 --set world.pause_seconds=0.3 --set world.body.environment.limit=20"),
    ("life cartpole", "cartpole-swing-up --seconds 1.2 SMALL-ACTOR SHORT"),
];

const SMALL_CORTEX: &str = "--set population.excitatory.size=160 --set population.inhibitory.size=40 \
                            --set projection.excitatory-inhibitory.connect.out_degree=10 \
                            --set projection.inhibitory-excitatory.connect.in_degree=20";
const SMALL_ACTOR: &str = "--set population.critic.size=4 --set population.actor.size=6";
const SHORT: &str = "--set world.trial_seconds=0.5 --set world.pause_seconds=0.3 --set world.settling_ms=50";

/// The number of kinds of commands.
pub const KINDS: usize = TRAIN.len() + LIVE.len() + OTHERS.len();

/// Each kind has this many variants, which differ in their seeds, in how often they save, and in how many checkpoints they keep.
pub const VARIANTS: u64 = 4;

/// The command of a kind and variant.
pub fn work(kind: usize, variant: u64) -> Work {
    if let Some((name, text)) = TRAIN.get(kind) {
        return train(name, text, variant);
    }
    let kind = kind - TRAIN.len();
    if let Some((name, text)) = LIVE.get(kind) {
        return live(name, text, variant);
    }
    let (name, make) = OTHERS[kind - LIVE.len()];
    Work { kind: name, ..make(variant) }
}

/// A finished run of `train` or `live` that is not any of those above.
pub fn other(folder: Folder) -> Work {
    let text = if folder == Folder::Life {
        "live one-synapse --seed 77"
    } else {
        "train echo --neurons 5 --updates 2 --seed 77"
    };
    work_of(folder, "run", vec![words(&format!("{text} --out run"))])
}

/// The words of a command, short names of several settings replaced by these.
pub fn words(text: &str) -> Vec<String> {
    let shortened = [
        ("SMALL-CORTEX", SMALL_CORTEX),
        ("SMALL-ACTOR", SMALL_ACTOR),
        ("SHORT", SHORT),
        ("DNMS", DNMS),
        ("DIVERGE", DIVERGE),
    ];
    let text = shortened.iter().fold(text.to_string(), |text, (name, settings)| text.replace(name, settings));
    text.split_whitespace().map(str::to_string).collect()
}

/// Commands that write `out`.
pub fn work_of(folder: Folder, out: &'static str, steps: Vec<Vec<String>>) -> Work {
    Work {
        kind: "",
        given: vec![],
        first: vec![],
        steps,
        out,
        changing: out,
        folder,
        fails: false,
        names_its_place: false,
    }
}

/// Seed, updates between checkpoints, and checkpoints kept.
pub fn usual(variant: u64) -> String {
    let (every, keep, more) = [(1, 1, ""), (2, 2, ""), (3, 1, ""), (2, 0, "--json")][variant as usize];
    format!("--seed {} --checkpoint-every {every} --keep {keep} {more}", variant + 1)
}

fn train(kind: &'static str, text: &str, variant: u64) -> Work {
    let (task, more) = text.split_once(' ').unwrap_or((text, ""));
    // The last of equal options wins.
    let common = "--networks 2 --neurons 24 --batch 4 --updates 14";
    let args = words(&format!("train {task} --out run {common} {} {more}", usual(variant)));
    Work { kind, fails: kind == "all diverge", ..work_of(Folder::Run, "run", vec![args]) }
}

fn live(kind: &'static str, text: &str, variant: u64) -> Work {
    let (every, keep, more) = [("1", 1, ""), ("0.5", 2, ""), ("2", 1, ""), ("1", 0, "--json")][variant as usize];
    let common =
        format!("--networks 2 --seed {} --checkpoint-every {every} --set life.keep={keep} {more}", variant + 1);
    let (life, rest) = text.split_once(' ').unwrap();
    let args = words(&format!("live {life} --out run {common} {rest}"));
    Work { kind, ..work_of(Folder::Life, "run", vec![args]) }
}
