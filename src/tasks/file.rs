//! A task from data: inputs and targets of ready-made trials, read from a safetensors file.
//!
//! `inputs` `[K, T, n_in]` and `targets` `[K, T, n_out]`, K trials; optional `mask` `[K, T]` (where outputs are judged: not
//! 0; default everywhere), `type` `[K]` (integers from 0: which trials are of a kind; default: each of up to 16 trials is a
//! kind of its own) and `modulator` `[K, T]` (m(t) of the Hebbian trace). docs/tasks.md shows how to make one.

use super::{ErrorMeasure, Task, Trial};
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::random::Stream;
use crate::ranges::*;
use crate::reader::{read, sha256, TensorFile};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The task's name.
pub(crate) const NAME: &str = "file";

/// Without `type`, up to so many trials are a kind each.
const KINDS_WITHOUT_TYPE: usize = 16;

/// θ, unless another is given.
const CORRECT_BELOW: f64 = 0.5;

/// Its parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The file.
    path: String,
    /// What its contents hash to; empty: not known yet.
    sha256: String,
    /// How outputs are judged.
    measure: ErrorMeasure,
    /// A trial with an error below this is correct.
    correct_below: f64,
}

impl Default for Parameters {
    /// Without a file yet.
    fn default() -> Self {
        let measure = ErrorMeasure::Absolute;
        Parameters { path: String::new(), sha256: String::new(), measure, correct_below: CORRECT_BELOW }
    }
}

/// Trials that were read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileTask {
    steps: usize,
    n_in: usize,
    n_out: usize,
    measure: ErrorMeasure,
    correct_below: f64,
    trials: Vec<Trial>,
    /// The trials of each type.
    types: Vec<Vec<usize>>,
}

impl FileTask {
    /// Reads a file's trials, judged as they are by default.
    ///
    /// # Errors
    /// Names the file, the tensor, what was found and what was expected.
    pub fn read(path: &Path) -> Result<Self> {
        FileTask::from_bytes(&read(path)?, ErrorMeasure::Absolute, CORRECT_BELOW).at_path(path)
    }

    /// Reads the trials of `bytes`, the contents of a safetensors file.
    ///
    /// # Errors
    /// Names the tensor, what was found and what was expected.
    pub fn from_bytes(bytes: &[u8], measure: ErrorMeasure, correct_below: f64) -> Result<Self> {
        positive("task.correct_below", correct_below)?;
        let file = TensorFile::parse(bytes)?;
        file.only(&["inputs", "targets", "mask", "type", "modulator"])?;
        let (inputs, [k, t, n_in]) = file.numbers::<3>("inputs", "[K, T, n_in]")?;
        let (targets, [k_targets, t_targets, n_out]) = file.numbers::<3>("targets", "[K, T, n_out]")?;
        if (k_targets, t_targets) != (k, t) {
            let expected = format!("[{k}, {t}, n_out], as `inputs` has it");
            return Err(Error::tensor("targets", format!("[{k_targets}, {t_targets}, {n_out}]"), expected));
        }
        let by_step = |name: &str| file.optional_numbers(name, &[k, t]);
        let (mask, modulator) = (by_step("mask")?, by_step("modulator")?);
        let types = match file.optional_integers("type", &[k])? {
            Some(types) => types,
            None => {
                ensure!(k <= KINDS_WITHOUT_TYPE, Content, "tensor `type` is missing: with {k} trials, [{k}] integers from 0 are expected to say which are of a kind \
                     (all 0 where there is one kind)");
                (0..k).collect()
            }
        };
        let trials: Vec<Trial> = (0..k)
            .map(|i| Trial {
                trial_type: types[i],
                inputs: inputs[i * t * n_in..(i + 1) * t * n_in].to_vec(),
                targets: targets[i * t * n_out..(i + 1) * t * n_out].to_vec(),
                scored: (i * t..(i + 1) * t).map(|step| mask.as_ref().is_none_or(|mask| mask[step] != 0.0)).collect(),
                modulator: modulator.as_ref().map(|m| m[i * t..(i + 1) * t].to_vec()),
            })
            .collect();
        if let Some(i) = trials.iter().position(|trial| !trial.scored.contains(&true)) {
            bail!(Content, "tensor `mask` is 0 throughout trial {i}; expected at least one step that is judged");
        }
        let mut of_type = vec![Vec::new(); types.iter().max().map_or(0, |last| last + 1).min(k)];
        for (i, &kind) in types.iter().enumerate() {
            ensure!(kind < k, Content, "tensor `type` holds {kind}; expected below {k}, the number of trials");
            of_type[kind].push(i);
        }
        if let Some(empty) = of_type.iter().position(Vec::is_empty) {
            bail!(Content, "tensor `type` holds no {empty}; expected every integer from 0 to the largest");
        }
        Ok(FileTask { steps: t, n_in, n_out, measure, correct_below, trials, types: of_type })
    }
}

pub(crate) fn build(table: &toml::Table) -> Result<FileTask> {
    let p: Parameters = super::parameters(table)?;
    let path = Path::new(&p.path);
    let bytes = read(path)?;
    let found = sha256(&bytes);
    ensure!(p.sha256.is_empty() || p.sha256 == found, Content, "{}: its contents hash to {found}; expected {} (task.sha256): it is not the file these networks were trained on", p.path, p.sha256);
    FileTask::from_bytes(&bytes, p.measure, p.correct_below).at(p.path)
}

/// Notes the file's full path and the hash of its contents in the task's table, where they are missing.
pub(crate) fn complete(table: &mut toml::Table) -> Result<()> {
    let p: Parameters = super::parameters(table)?;
    expect(!p.path.is_empty(), "task.path", "empty", "a file (--task-file FILE.safetensors)")?;
    let path = std::path::absolute(&p.path).doing("finding", Path::new(&p.path))?;
    if p.sha256.is_empty() {
        table.insert("sha256".into(), sha256(&read(&path)?).into());
    }
    table.insert("path".into(), path.display().to_string().into());
    Ok(())
}

impl Task for FileTask {
    fn name(&self) -> &str {
        NAME
    }

    fn steps(&self) -> usize {
        self.steps
    }

    fn inputs(&self) -> Vec<String> {
        (0..self.n_in).map(|k| format!("input {k}")).collect()
    }

    fn n_in(&self) -> usize {
        self.n_in
    }

    fn n_out(&self) -> usize {
        self.n_out
    }

    fn trial_types(&self) -> Vec<String> {
        (0..self.types.len()).map(|k| format!("type {k}")).collect()
    }

    fn n_types(&self) -> usize {
        self.types.len()
    }

    /// Types follow one another in turn; of the trials of a type, one is drawn.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        let of_type = &self.types[(index % self.types.len() as u64) as usize];
        self.trials[of_type[rng.random_range(0..of_type.len())]].clone()
    }

    fn measure(&self) -> ErrorMeasure {
        self.measure
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{stream, Phase, Purpose};
    use safetensors::{tensor::TensorView, Dtype};

    type Entry<'a> = (&'a str, Vec<usize>, Vec<f32>);

    fn file(entries: &[Entry], types: Option<Vec<i64>>) -> Vec<u8> {
        let mut data: Vec<(&str, Dtype, Vec<usize>, Vec<u8>)> = entries
            .iter()
            .map(|(name, shape, values)| {
                (*name, Dtype::F32, shape.clone(), values.iter().flat_map(|v| v.to_le_bytes()).collect())
            })
            .collect();
        if let Some(types) = types {
            let bytes = types.iter().flat_map(|v| v.to_le_bytes()).collect();
            data.push(("type", Dtype::I64, vec![types.len()], bytes));
        }
        let views = data
            .iter()
            .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        safetensors::serialize(views, None).unwrap()
    }

    fn ramp(n: usize) -> Vec<f32> {
        (0..n).map(|k| k as f32).collect()
    }

    fn parse(entries: &[Entry], types: Option<Vec<i64>>) -> Result<FileTask, String> {
        FileTask::from_bytes(&file(entries, types), ErrorMeasure::Squared, 0.5).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn trials_of_each_type_take_turns() {
        let entries = [("inputs", vec![3, 2, 1], ramp(6)), ("targets", vec![3, 2, 2], ramp(12))];
        let task = parse(
            &[&entries[..], &[("mask", vec![3, 2], vec![1.0, 0.0, 0.0, 2.0, 1.0, 1.0])]].concat(),
            Some(vec![1, 0, 1]),
        )
        .unwrap();
        assert_eq!((task.steps(), task.inputs().len(), task.n_out(), task.trial_types().len()), (2, 1, 2, 2));
        let mut seen = [0; 3];
        for index in 0..100 {
            let trial = task.trial(index, &mut stream(0, 0, index, Phase::Train, Purpose::Task));
            assert_eq!(trial.trial_type, (index % 2) as usize);
            let row = (trial.inputs[0] / 2.0) as usize;
            assert_eq!(trial.targets, ramp(12)[row * 4..row * 4 + 4]);
            assert_eq!(trial.scored, [[true, false], [false, true], [true, true]][row]);
            seen[row] += 1;
        }
        assert!(seen[1] == 50 && seen[0] > 10 && seen[2] > 10, "{seen:?}");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        let inputs: Entry = ("inputs", vec![3, 2, 1], ramp(6));
        let targets: Entry = ("targets", vec![3, 2, 1], ramp(6));
        let both = [inputs.clone(), targets.clone()];
        let with = |entry: Entry| parse(&[&both[..], &[entry]].concat(), None).unwrap_err();
        assert!(parse(&both, None).is_ok());
        for (error, message) in [
            (
                parse(std::slice::from_ref(&inputs), None).unwrap_err(),
                "tensor `targets` is missing; expected [K, T, n_out]",
            ),
            (
                parse(&[inputs.clone(), ("targets", vec![2, 2, 1], ramp(4))], None).unwrap_err(),
                "tensor `targets` is [2, 2, 1]; expected [3, 2, n_out]",
            ),
            (
                parse(&[("inputs", vec![6], ramp(6)), targets.clone()], None).unwrap_err(),
                "tensor `inputs` is [6]; expected [K, T, n_in]",
            ),
            (with(("mask", vec![2, 2], ramp(4))), "tensor `mask` is [2, 2]; expected [3, 2]"),
            (with(("mask", vec![3, 2], vec![1.0, 1.0, 0.0, 0.0, 1.0, 1.0])), "tensor `mask` is 0 throughout trial 1"),
            (with(("weights", vec![1], ramp(1))), "tensor `weights` is not known"),
            (with(("type", vec![3], ramp(3))), "tensor `type` is F32; expected integers"),
            (parse(&both, Some(vec![0, 2, 2])).unwrap_err(), "tensor `type` holds no 1"),
            (parse(&both, Some(vec![0, -1, 2])).unwrap_err(), "tensor `type` holds -1; expected integers from 0"),
            (parse(&both, Some(vec![0, 1, 9])).unwrap_err(), "tensor `type` holds 9; expected below 3"),
            (
                parse(&[inputs, ("targets", vec![3, 2, 1], vec![f32::NAN; 6])], None).unwrap_err(),
                "tensor `targets` holds values that are not finite",
            ),
        ] {
            assert!(error.contains(message), "{error}");
        }
        let many = [("inputs", vec![17, 1, 1], ramp(17)), ("targets", vec![17, 1, 1], ramp(17))];
        assert!(parse(&many, None).unwrap_err().contains("tensor `type` is missing: with 17 trials"));
        assert!(FileTask::from_bytes(b"nothing", ErrorMeasure::Squared, 0.5).is_err());
    }
}
