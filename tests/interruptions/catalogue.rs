//! The commands that are interrupted: of every kind, so small that each takes some tenths of a second.

use safetensors::tensor::{Dtype, TensorView};

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
const TRAIN: [(&str, &str); 31] = [
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
    ("open-field", "open-field --set task.limit=20 --set network.input_weights=uniform"),
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

const DNMS: &str = "--set task.steps=60 --set task.second_stimulus=25 --set task.stimulus_steps=10 --set task.response_steps=10";

const DIVERGE: &str = "--set rule.eta=1e30 --set rule.max_dw=0.0 --set network.gain=1.2";

/// What `live` is given.
const LIVE: [(&str, &str); 10] = [
    ("life xor-rate", "xor-rate --seconds 12"),
    ("life xor-temporal", "xor-temporal --seconds 12"),
    ("life one-synapse", "one-synapse --checkpoint-every 0.01"),
    ("life distal-reward", "distal-reward --seconds 6 SMALL-CORTEX"),
    ("life pavlovian", "pavlovian --seconds 6 --set world.delay_ms=400 --set world.stimuli=2 SMALL-CORTEX"),
    ("life hoerzer", "hoerzer --seconds 8 --frozen-seconds 2 --set population.recurrent.size=60"),
    ("life maze", "maze --seconds 6 SHORT"),
    ("life linear-track", "linear-track --seconds 6 SHORT"),
    ("life acrobot", "acrobot-swing-up --seconds 2.4 SMALL-ACTOR SHORT"),
    ("life cartpole", "cartpole-swing-up --seconds 1.2 SMALL-ACTOR SHORT"),
];

const SMALL_CORTEX: &str = "--set population.excitatory.size=160 --set population.inhibitory.size=40 \
                            --set projection.excitatory-inhibitory.connect.out_degree=10 \
                            --set projection.inhibitory-excitatory.connect.in_degree=20";
const SMALL_ACTOR: &str = "--set population.critic.size=4 --set population.actor.size=6";
const SHORT: &str = "--set world.trial_seconds=0.5 --set world.pause_seconds=0.3 --set world.settling_ms=50";

/// What is not a single command on one folder.
const OTHERS: [(&str, fn(u64) -> Work); 9] = [
    ("init", from_a_run),
    ("curriculum", curriculum),
    ("task file", task_file),
    ("scan", scan),
    ("sweep", sweep_of_tasks),
    ("sweep of worlds", sweep_of_worlds),
    ("sweep of lives", sweep_of_lives),
    ("merge", merge_runs),
    ("merge of lives", merge_lives),
];

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
    let text = if folder == Folder::Life { "live one-synapse --seed 77" } else { "train echo --neurons 5 --updates 2 --seed 77" };
    work_of(folder, "run", vec![words(&format!("{text} --out run"))])
}

fn words(text: &str) -> Vec<String> {
    let shortened = [("SMALL-CORTEX", SMALL_CORTEX), ("SMALL-ACTOR", SMALL_ACTOR), ("SHORT", SHORT), ("DNMS", DNMS), ("DIVERGE", DIVERGE)];
    let text = shortened.iter().fold(text.to_string(), |text, (name, settings)| text.replace(name, settings));
    text.split_whitespace().map(str::to_string).collect()
}

fn work_of(folder: Folder, out: &'static str, steps: Vec<Vec<String>>) -> Work {
    Work { kind: "", given: vec![], first: vec![], steps, out, changing: out, folder, fails: false, names_its_place: false }
}

/// Seed, updates between checkpoints, and checkpoints kept.
fn usual(variant: u64) -> String {
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
    let common = format!("--networks 2 --seed {} --checkpoint-every {every} --set life.keep={keep} {more}", variant + 1);
    let (life, rest) = text.split_once(' ').unwrap();
    let args = words(&format!("live {life} --out run {common} {rest}"));
    Work { kind, ..work_of(Folder::Life, "run", vec![args]) }
}

fn from_a_run(variant: u64) -> Work {
    let first = words("train echo --networks 2 --neurons 12 --updates 3 --seed 9 --out source");
    let args = words(&format!("train echo --networks 2 --neurons 12 --updates 14 --init source --out run {}", usual(variant)));
    Work { first: vec![first], names_its_place: true, ..work_of(Folder::Run, "run", vec![args]) }
}

fn curriculum(variant: u64) -> Work {
    let text = "[[curriculum]]\nuntil = { trials = 24 }\nset = { task = { steps = 50 }, rule = { eta = 0.5 } }\n\
                [[curriculum]]\nuntil = { error = 0.95 }\nset = { task = { steps = 55 } }\n";
    let text = format!("[task]\nname = \"dnms\"\n{text}");
    let args = "train --config stages.toml --networks 2 --neurons 24 --batch 8 --updates 20 --out run DNMS";
    let args = words(&format!("{args} {}", usual(variant)));
    Work { given: vec![("stages.toml", text.into_bytes())], ..work_of(Folder::Run, "run", vec![args]) }
}

/// Two trials of 12 steps with one input and one output.
fn task_file(variant: u64) -> Work {
    let bytes = |value: fn(usize) -> f32| (0..24).flat_map(|k| value(k).to_le_bytes()).collect::<Vec<u8>>();
    let inputs = bytes(|k| f32::from(k % 12 < 4) - 2.0 * f32::from(k < 4));
    let targets = bytes(|k| if k < 12 { 0.5 } else { -0.5 });
    let view = |bytes| TensorView::new(Dtype::F32, vec![2, 12, 1], bytes).unwrap();
    let file = safetensors::serialize([("inputs", view(&inputs)), ("targets", view(&targets))], None).unwrap();
    let args = "train --task-file mine.safetensors --networks 2 --neurons 20 --batch 4 --updates 14 --out run";
    let args = words(&format!("{args} {}", usual(variant)));
    Work { given: vec![("mine.safetensors", file)], names_its_place: true, ..work_of(Folder::Run, "run", vec![args]) }
}

fn scan(variant: u64) -> Work {
    let args = "train echo --networks 2 --neurons 8 --batch 4 --updates 10 --scan rule.eta=0.01,0.1 --out sweep";
    let args = words(&format!("{args} {}", usual(variant)));
    Work { changing: "sweep/jobs/1", ..work_of(Folder::Sweep, "sweep", vec![args]) }
}

fn sweep(text: &str) -> Work {
    let steps = ["plan plan.toml --out sweep", "run sweep", "collect sweep"];
    let steps = steps.map(|step| words(&format!("sweep {step}"))).to_vec();
    let given = vec![("plan.toml", text.as_bytes().to_vec())];
    Work { given, changing: "sweep/jobs/1", ..work_of(Folder::Sweep, "sweep", steps) }
}

fn sweep_of_tasks(variant: u64) -> Work {
    sweep(&format!(
        "task = 'echo'\nnetworks = '1..4'\nnetworks_per_job = 2\n\
         [set]\ntrain = {{ batch = 4, updates = 14, checkpoint_every = {0}, seed = {0} }}\nnetwork.neurons = 6\n\
         [grid]\nrule.eta = [0.01, 0.1]\n",
        variant + 1
    ))
}

fn sweep_of_worlds(variant: u64) -> Work {
    sweep(&format!(
        "task = 'pendulum'\nnetworks = 2\nnetworks_per_job = 1\n\
         [set]\ntrain = {{ batch = 16, updates = 14, checkpoint_every = {0}, seed = {0} }}\nnetwork.neurons = 12\n\
         task.limit = 100\n[grid]\nrule.eta = [0.01, 0.1]\n",
        variant + 1
    ))
}

fn sweep_of_lives(variant: u64) -> Work {
    sweep(&format!(
        "life = 'xor-rate'\nnetworks = 2\nnetworks_per_job = 1\n\
         [set]\nlife = {{ seconds = 8.0, checkpoint_every_seconds = 1.0, seed = {} }}\n\
         [grid]\nprojection.hidden-output.rule.gamma = [0.1, 0.2]\n",
        variant + 1
    ))
}

fn merge_runs(variant: u64) -> Work {
    let part = |networks: &str, out: &str| {
        let common = "--neurons 8 --batch 4 --updates 8";
        words(&format!("train echo --networks {networks} {common} --seed {} --out {out}", variant + 1))
    };
    let first = vec![part("0..2", "a"), part("2..3", "b"), part("3..5", "c")];
    Work { first, ..work_of(Folder::Fixed, "merged", vec![words("merge c a b --out merged")]) }
}

fn merge_lives(variant: u64) -> Work {
    let part = |networks: &str, out: &str| {
        words(&format!("live xor-rate --networks {networks} --seconds 4 --seed {} --out {out}", variant + 1))
    };
    let first = vec![part("0..1", "a"), part("1..3", "b")];
    Work { first, ..work_of(Folder::Fixed, "merged", vec![words("merge b a --out merged")]) }
}
