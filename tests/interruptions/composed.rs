//! The commands of the catalogue that need files or other runs, or consist of several commands.

use crate::catalogue::{usual, words, work_of, Folder, Work};
use safetensors::tensor::{Dtype, TensorView};

/// Makes the command of a variant.
type Make = fn(u64) -> Work;

/// All of them.
pub const OTHERS: [(&str, Make); 9] = [
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

fn from_a_run(variant: u64) -> Work {
    let first = words("train echo --networks 2 --neurons 12 --updates 3 --seed 9 --out source");
    let args =
        words(&format!("train echo --networks 2 --neurons 12 --updates 14 --init source --out run {}", usual(variant)));
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
