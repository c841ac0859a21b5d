//! A task from data: inputs and targets of ready-made trials, read from a safetensors file.
//!
//! K trials of T steps are tensors `inputs` `[K, T, n_in]` and `targets` `[K, T, n_out]`. Optional: `mask` `[K, T]`, not 0
//! where outputs are scored (default: everywhere); `type` `[K]`, integers from 0 that group the trials into types (default:
//! each of up to 16 trials is a type of its own); `modulator` `[K, T]`, m(t) of the fast weights. docs/tasks.md shows how to
//! make such a file.

use super::{ErrorMeasure, Task, Trial};
use crate::error::{bail, ensure, At, Doing, Error, Result};
use crate::random::Stream;
use crate::ranges::*;
use crate::reader::{read, sha256, TensorFile};
use rand::RngExt;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Arc;

/// The most trials of a file without `type`.
const MOST_WITHOUT_TYPE: usize = 16;

/// The parameters.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The file.
    path: String,
    /// The SHA-256 of its contents; empty: not known yet.
    sha256: String,
    /// How outputs are compared with targets.
    measure: ErrorMeasure,
    /// A trial with an error below this is correct.
    correct_below: f64,
}

impl Default for Parameters {
    /// Without a file.
    fn default() -> Self {
        let (path, sha256) = (String::new(), String::new());
        Parameters { path, sha256, measure: ErrorMeasure::Absolute, correct_below: 0.5 }
    }
}

/// Trials read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileTask {
    steps: usize,
    n_in: usize,
    n_out: usize,
    measure: ErrorMeasure,
    correct_below: f64,
    /// The trials of each type.
    types: Vec<Vec<Trial>>,
}

impl FileTask {
    /// Reads the trials of a file, with the default error measure and criterion.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, else as [`FileTask::from_bytes`]; the error names the file.
    pub fn read(path: &Path) -> Result<Self> {
        let Parameters { measure, correct_below, .. } = Parameters::default();
        FileTask::from_bytes(&read(path)?, measure, correct_below).at_path(path)
    }

    /// Reads the trials in the contents of a safetensors file.
    ///
    /// # Errors
    /// [`Error::Setting`] if `correct_below` is not positive; [`Error::Tensor`] or [`Error::Content`] if the file is damaged
    /// or a tensor is missing, unknown, or not as it should be.
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
        let mask = file.optional_numbers("mask", &[k, t])?.unwrap_or_else(|| vec![1.0; k * t]);
        let modulator = file.optional_numbers("modulator", &[k, t])?;
        let trial_types = match file.optional_integers("type", &[k])? {
            Some(types) => types,
            None if k <= MOST_WITHOUT_TYPE => (0..k).collect(),
            None => bail!(
                Content,
                "tensor `type` is missing: with {k} trials, [{k}] integers from 0 are expected to say which are of a kind \
                 (all 0 where there is one kind)"
            ),
        };
        let silent = mask.chunks_exact(t).position(|mask| mask.iter().all(|m| *m == 0.0));
        if let Some(i) = silent {
            bail!(Content, "tensor `mask` is 0 throughout trial {i}; expected at least one step that is judged");
        }
        let mut types = vec![Vec::new(); trial_types.iter().max().map_or(0, |last| last + 1).min(k)];
        for (i, &trial_type) in trial_types.iter().enumerate() {
            ensure!(
                trial_type < k,
                Content,
                "tensor `type` holds {trial_type}; expected below {k}, the number of trials"
            );
            let steps = i * t..(i + 1) * t;
            types[trial_type].push(Trial {
                trial_type,
                inputs: inputs[steps.start * n_in..steps.end * n_in].to_vec(),
                targets: targets[steps.start * n_out..steps.end * n_out].to_vec(),
                scored: mask[steps.clone()].iter().map(|m| *m != 0.0).collect(),
                modulator: modulator.as_ref().map(|m| m[steps].to_vec()),
            });
        }
        if let Some(empty) = types.iter().position(Vec::is_empty) {
            bail!(Content, "tensor `type` holds no {empty}; expected every integer from 0 to the largest");
        }
        Ok(FileTask { steps: t, n_in, n_out, measure, correct_below, types })
    }
}

/// The task of a table, in which the file's full path and the hash of its contents are then noted.
pub(crate) fn build(table: &mut toml::Table) -> Result<Arc<dyn Task>> {
    let p: Parameters = super::parameters(table)?;
    expect(!p.path.is_empty(), "task.path", "empty", "a file (--task-file FILE.safetensors)")?;
    let path = std::path::absolute(&p.path).doing("finding", Path::new(&p.path))?;
    let bytes = read(&path)?;
    let found = sha256(&bytes);
    ensure!(
        p.sha256.is_empty() || p.sha256 == found,
        Content,
        "{}: its contents hash to {found}; expected {} (task.sha256): it is not the file these networks were trained on",
        path.display(),
        p.sha256
    );
    table.insert("path".into(), path.display().to_string().into());
    table.insert("sha256".into(), found.into());
    Ok(Arc::new(FileTask::from_bytes(&bytes, p.measure, p.correct_below).at_path(&path)?))
}

impl Task for FileTask {
    fn name(&self) -> &str {
        "file"
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

    /// The types take turns; of the trials of a type, one is drawn.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        let trials = &self.types[(index % self.types.len() as u64) as usize];
        trials[rng.random_range(0..trials.len())].clone()
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
    use super::super::draw;
    use super::*;
    use safetensors::{tensor::TensorView, Dtype};

    type Entry = (&'static str, Vec<usize>, Vec<f32>);

    fn parse(entries: &[Entry], types: Option<&[i64]>) -> Result<FileTask, String> {
        let numbers = entries.iter().map(|(name, shape, values)| {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (*name, Dtype::F32, shape.clone(), bytes)
        });
        let types = types.map(|types| {
            let bytes = types.iter().flat_map(|v| v.to_le_bytes()).collect();
            ("type", Dtype::I64, vec![types.len()], bytes)
        });
        let tensors: Vec<_> = numbers.chain(types).collect();
        let views = tensors
            .iter()
            .map(|(name, dtype, shape, bytes)| (*name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
        let bytes = safetensors::serialize(views, None).unwrap();
        FileTask::from_bytes(&bytes, ErrorMeasure::Squared, 0.5).map_err(|error| error.to_string())
    }

    /// A tensor that holds 0, 1, 2, ….
    fn ramp(name: &'static str, shape: &[usize]) -> Entry {
        (name, shape.to_vec(), (0..shape.iter().product()).map(|k: usize| k as f32).collect())
    }

    #[test]
    fn trials_of_each_type_take_turns() {
        let (inputs, targets) = (ramp("inputs", &[3, 2, 1]), ramp("targets", &[3, 2, 2]));
        let mask = ("mask", vec![3, 2], vec![1.0, 0.0, 0.0, 2.0, 1.0, 1.0]);
        let task = parse(&[inputs, targets.clone(), mask], Some(&[1, 0, 1])).unwrap();
        assert_eq!((task.steps(), task.inputs().len(), task.n_out(), task.trial_types().len()), (2, 1, 2, 2));
        let mut seen = [0; 3];
        for index in 0..100 {
            let trial = draw(&task, index);
            assert_eq!(trial.trial_type, (index % 2) as usize);
            let row = (trial.inputs[0] / 2.0) as usize;
            assert_eq!(trial.targets, targets.2[row * 4..row * 4 + 4]);
            assert_eq!(trial.scored, [[true, false], [false, true], [true, true]][row]);
            seen[row] += 1;
        }
        assert!(seen[1] == 50 && seen[0] > 10 && seen[2] > 10, "{seen:?}");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        let (inputs, targets) = (ramp("inputs", &[3, 2, 1]), ramp("targets", &[3, 2, 1]));
        let both = [inputs.clone(), targets.clone()];
        assert!(parse(&both, None).is_ok());
        for (tensors, message) in [
            (vec![inputs.clone()], "tensor `targets` is missing; expected [K, T, n_out]"),
            (
                vec![inputs.clone(), ramp("targets", &[2, 2, 1])],
                "tensor `targets` is [2, 2, 1]; expected [3, 2, n_out]",
            ),
            (vec![ramp("inputs", &[6]), targets], "tensor `inputs` is [6]; expected [K, T, n_in]"),
            (
                vec![inputs, ("targets", vec![3, 2, 1], vec![f32::NAN; 6])],
                "tensor `targets` holds values that are not finite",
            ),
            (
                vec![ramp("inputs", &[17, 1, 1]), ramp("targets", &[17, 1, 1])],
                "tensor `type` is missing: with 17 trials",
            ),
        ] {
            let error = parse(&tensors, None).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        for (more, message) in [
            (ramp("mask", &[2, 2]), "tensor `mask` is [2, 2]; expected [3, 2]"),
            (("mask", vec![3, 2], vec![1.0, 1.0, 0.0, 0.0, 1.0, 1.0]), "tensor `mask` is 0 throughout trial 1"),
            (ramp("weights", &[1]), "tensor `weights` is not known"),
            (ramp("type", &[3]), "tensor `type` is F32; expected integers"),
        ] {
            let error = parse(&[&both[..], &[more]].concat(), None).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        for (types, message) in [
            ([0, 2, 2], "tensor `type` holds no 1"),
            ([0, -1, 2], "tensor `type` holds -1; expected integers from 0"),
            ([0, 1, 9], "tensor `type` holds 9; expected below 3"),
        ] {
            let error = parse(&both, Some(&types)).unwrap_err();
            assert!(error.contains(message), "{error}");
        }
        assert!(FileTask::from_bytes(b"nothing", ErrorMeasure::Squared, 0.5).is_err());
    }
}
