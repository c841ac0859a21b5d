//! A task from data: inputs and targets of ready-made trials, read from a safetensors file or from NumPy's `.npz`.
//!
//! K trials of T steps are tensors `inputs` `[K, T, n_in]` and `targets` `[K, T, n_out]`. Optional: `mask` `[K, T]`,
//! not 0 where outputs are scored (default: everywhere); `type` `[K]`, integers from 0 that group the trials into types
//! (default: each of up to 16 trials is a type of its own); `modulator` `[K, T]`, m(t) of the fast weights; `steps` `[K]`, the
//! number of steps of each trial, where some are shorter than T; `label.NAME` `[K]`,
//! a known property of each trial, for analyses: integers are classes, floating-point numbers are graded. The metadata can
//! hold names, separated by commas, of the `inputs`, the `outputs` and the `types`.
//! docs/tasks.md shows how to make such a file.

use super::*;
use crate::error::{bail, ensure, At, Doing};
use crate::quantile::quantile;
use crate::reader::{as_safetensors, read, sha256, TensorFile};
use crate::text::shown;
use std::path::Path;

/// The most trials of a file without `type`.
const MOST_WITHOUT_TYPE: usize = 16;

/// The parameters.
#[derive(Clone, Debug, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    /// The file.
    path: String,
    /// The SHA-256 of its contents; empty if not yet known.
    sha256: String,
    /// How outputs are compared with targets: `absolute` or `squared`.
    measure: ErrorMeasure,
    /// A trial with an error below this is correct.
    correct_below: f64,
    /// How many trials of one type run in a row before the next type's turn.
    block: usize,
}

impl Default for Parameters {
    /// No file yet.
    fn default() -> Self {
        let (path, sha256) = (String::new(), String::new());
        Parameters { path, sha256, measure: ErrorMeasure::Absolute, correct_below: 0.5, block: 1 }
    }
}

/// The names that a file gives.
#[derive(Clone, Debug, Default, PartialEq)]
struct Names {
    inputs: Option<Vec<String>>,
    outputs: Option<Vec<String>>,
    types: Option<Vec<String>>,
}

impl Names {
    /// The names in a file's metadata for these numbers of inputs, outputs and types.
    fn read(file: &TensorFile, n_in: usize, n_out: usize, n_types: usize) -> Result<Self> {
        let names = |key: &str, count: usize| -> Result<Option<Vec<String>>> {
            let Some(text) = file.metadata_text(key) else { return Ok(None) };
            let names: Vec<String> = text.split(',').map(|name| shown(name.trim())).collect();
            let found = names.len();
            ensure!(
                found == count,
                Content,
                "the metadata's `{key}` holds {found} names; expected {count}, separated by commas"
            );
            Ok(Some(names))
        };
        Ok(Names { inputs: names("inputs", n_in)?, outputs: names("outputs", n_out)?, types: names("types", n_types)? })
    }
}

/// The labels in a file, each with its values for K trials.
fn labels(file: &TensorFile, k: usize) -> Result<Vec<(Label, Vec<f32>)>> {
    let of = |name: &str| {
        let label = name.strip_prefix("label.")?;
        let read = |(graded, values)| (Label { name: shown(label), graded }, values);
        Some(file.numbers_of(name, &[k]).map(read))
    };
    file.names().into_iter().filter_map(of).collect()
}

/// Trials read from a file.
#[derive(Clone, Debug, PartialEq)]
pub struct FileTask {
    shape: TrialShape,
    correct_below: f64,
    /// The trials of each type.
    types: Arc<Vec<Vec<Trial>>>,
    labels: Vec<Label>,
    lengths_vary: bool,
    /// How many trials of one type run in a row.
    block: usize,
    /// The names of inputs, outputs and types, where the file has them.
    names: Names,
    /// Whether trials are given one after another, type by type, instead of being drawn at random.
    in_turn: bool,
}

impl FileTask {
    /// Reads the trials of a file, with the default error measure and criterion.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read, else as [`FileTask::from_bytes`]; the error names the file.
    pub fn read(path: &Path) -> Result<Self> {
        let Parameters { measure, correct_below, .. } = Parameters::default();
        FileTask::from_bytes(&as_safetensors(path, read(path)?)?, measure, correct_below).at_path(path)
    }

    /// Reads the trials in the contents of a safetensors file.
    ///
    /// # Errors
    /// [`Error::Setting`] if `correct_below` is not positive; [`Error::Tensor`] or [`Error::Content`] if the file is
    /// damaged or a tensor is missing, unknown or malformed.
    pub fn from_bytes(bytes: &[u8], measure: ErrorMeasure, correct_below: f64) -> Result<Self> {
        positive("task.correct_below", correct_below)?;
        let file = TensorFile::parse(bytes)?;
        file.only(&["inputs", "targets", "mask", "type", "modulator", "steps", "label.…"])?;
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
                "tensor `type` is missing: a file of {k} trials needs [{k}] integers from 0 that give the type of each trial \
                 (all 0 if there is only one)"
            ),
        };
        let (labels, values): (Vec<_>, Vec<_>) = labels(&file, k)?.into_iter().unzip();
        let lengths = file.optional_integers("steps", &[k])?.unwrap_or_else(|| vec![t; k]);
        if let Some(i) = lengths.iter().position(|steps| !(1..=t).contains(steps)) {
            bail!(Content, "tensor `steps` is {} for trial {i}; expected 1 to {t}, the steps of `inputs`", lengths[i]);
        }
        let within = |i: usize| &mask[i * t..i * t + lengths[i]];
        let silent = (0..k).find(|i| within(*i).iter().all(|m| *m == 0.0));
        if let Some(i) = silent {
            bail!(Content, "tensor `mask` is 0 throughout trial {i}; expected at least one scored step");
        }
        let mut types = vec![Vec::new(); trial_types.iter().max().map_or(0, |last| last + 1).min(k)];
        for (i, &trial_type) in trial_types.iter().enumerate() {
            ensure!(
                trial_type < k,
                Content,
                "tensor `type` holds {trial_type}; expected below {k}, the number of trials"
            );
            let steps = i * t..i * t + lengths[i];
            types[trial_type].push(Trial {
                trial_type,
                inputs: inputs[steps.start * n_in..steps.end * n_in].to_vec(),
                targets: targets[steps.start * n_out..steps.end * n_out].to_vec(),
                scored: mask[steps.clone()].iter().map(|m| *m != 0.0).collect(),
                modulator: modulator.as_ref().map(|m| m[steps].to_vec()),
                labels: values.iter().map(|values| values[i]).collect(),
            });
        }
        if let Some(empty) = types.iter().position(Vec::is_empty) {
            bail!(Content, "tensor `type` holds no {empty}; expected every integer from 0 to the largest");
        }
        Ok(FileTask {
            shape: TrialShape { steps: t, n_in, n_out, measure },
            correct_below,
            names: Names::read(&file, n_in, n_out, types.len())?,
            types: Arc::new(types),
            lengths_vary: lengths.iter().any(|steps| *steps < t),
            labels,
            block: 1,
            in_turn: false,
        })
    }

    /// The same trials in blocks, with this many of one type in a row before the next type's turn. Blocks continue
    /// from batch to batch.
    ///
    /// # Errors
    /// [`Error::Setting`] if `trials` is 0.
    pub fn in_blocks(self, trials: usize) -> Result<Self> {
        expect(trials > 0, "task.block", trials, "at least 1 trial")?;
        Ok(FileTask { block: trials, ..self })
    }
}

/// The task that a table describes; adds the file's full path and the hash of its contents to the table.
pub(crate) fn build(table: &mut toml::Table) -> Result<Problem> {
    let p: Parameters = super::parameters(table)?;
    expect(!p.path.is_empty(), "task.path", "empty", "a file (--task-file FILE.safetensors)")?;
    let path = std::path::absolute(&p.path).doing("finding", Path::new(&p.path))?;
    let bytes = match read(&path) {
        Err(error) if !path.exists() => {
            Err(error).at("the task file is missing; if it was moved, give its new path with --task-file")
        }
        bytes => bytes,
    }?;
    let found = sha256(&bytes);
    ensure!(
        p.sha256.is_empty() || p.sha256 == found,
        Content,
        "{}: SHA-256 {found}; expected {} (task.sha256): give the file these networks were trained on (--task-file)",
        path.display(),
        p.sha256
    );
    table.insert("path".into(), path.display().to_string().into());
    table.insert("sha256".into(), found.into());
    let bytes = as_safetensors(&path, bytes)?;
    Ok(FileTask::from_bytes(&bytes, p.measure, p.correct_below).at_path(&path)?.in_blocks(p.block)?.into())
}

impl Task for FileTask {
    fn name(&self) -> &str {
        "file"
    }

    fn steps(&self) -> usize {
        self.shape.steps
    }

    fn lengths_vary(&self) -> bool {
        self.lengths_vary
    }

    fn inputs(&self) -> Vec<String> {
        self.names.inputs.clone().unwrap_or_else(|| (0..self.shape.n_in).map(|k| format!("input {k}")).collect())
    }

    fn n_in(&self) -> usize {
        self.shape.n_in
    }

    fn n_out(&self) -> usize {
        self.shape.n_out
    }

    fn outputs(&self) -> Vec<String> {
        self.names.outputs.clone().unwrap_or_else(|| numbered("output", self.shape.n_out))
    }

    fn labels(&self) -> Vec<Label> {
        self.labels.clone()
    }

    fn trial_types(&self) -> Vec<String> {
        self.names.types.clone().unwrap_or_else(|| (0..self.types.len()).map(|k| format!("type {k}")).collect())
    }

    fn n_types(&self) -> usize {
        self.types.len()
    }

    /// The types take turns, block by block; one of the type's trials is drawn at random.
    fn trial(&self, index: u64, rng: &mut Stream) -> Trial {
        if self.in_turn {
            let count: usize = self.types.iter().map(Vec::len).sum();
            let mut all = self.types.iter().flatten();
            return all.nth(index as usize % count).unwrap_or(&self.types[0][0]).clone();
        }
        let trials = &self.types[(index / self.block as u64 % self.types.len() as u64) as usize];
        trials[rng.random_range(0..trials.len())].clone()
    }

    fn each_once(&self) -> Option<(usize, Arc<dyn Task>)> {
        let count = self.types.iter().map(Vec::len).sum();
        Some((count, Arc::new(FileTask { in_turn: true, ..self.clone() })))
    }

    fn measure(&self) -> ErrorMeasure {
        self.shape.measure
    }

    fn correct_below(&self) -> f64 {
        self.correct_below
    }

    /// The error of the best constant answer: for each output, the median or the mean of all scored targets.
    fn chance(&self) -> Option<(f64, String)> {
        let n_out = self.shape.n_out;
        let all = || self.types.iter().flatten();
        let targets = |k: usize| -> Vec<f64> {
            let scored = |trial: &Trial| (0..trial.scored.len()).filter(|step| trial.scored[*step]).collect::<Vec<_>>();
            let of = |trial: &Trial| {
                scored(trial).into_iter().map(|step| f64::from(trial.targets[step * n_out + k])).collect()
            };
            all().flat_map(|trial| -> Vec<f64> { of(trial) }).collect()
        };
        let answer = |k: usize| match self.shape.measure {
            ErrorMeasure::Absolute => quantile(&targets(k), 0.5),
            _ => Some(targets(k).iter().sum::<f64>() / targets(k).len() as f64),
        };
        let answer: Vec<f64> = (0..n_out).map(answer).collect::<Option<Vec<_>>>()?.repeat(self.shape.steps);
        // Types take turns, so that each of them counts the same.
        let mean = |trials: &Vec<Trial>| {
            trials.iter().map(|trial| self.error(trial, &answer)).sum::<f64>() / trials.len() as f64
        };
        let error = self.types.iter().map(mean).sum::<f64>() / self.types.len() as f64;
        Some((error, "the best constant answer".into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{Device, Tensor};

    type Entry = (&'static str, Tensor);

    fn parse(entries: &[Entry]) -> Result<FileTask, String> {
        let bytes = safetensors::serialize(entries.to_vec(), None).unwrap();
        FileTask::from_bytes(&bytes, ErrorMeasure::Squared, 0.5).map_err(|error| error.to_string())
    }

    fn tensor<T: candle_core::WithDType>(name: &'static str, shape: &[usize], values: &[T]) -> Entry {
        (name, Tensor::from_slice(values, shape, &Device::Cpu).unwrap())
    }

    /// A tensor that holds 0, 1, 2, ….
    fn ramp(name: &'static str, shape: &[usize]) -> Entry {
        let values: Vec<f32> = (0..shape.iter().product()).map(|k: usize| k as f32).collect();
        tensor(name, shape, &values)
    }

    #[test]
    fn trials_of_each_type_take_turns() {
        let task = parse(&[
            ramp("inputs", &[3, 2, 1]),
            ramp("targets", &[3, 2, 2]),
            tensor("mask", &[3, 2], &[1f32, 0.0, 0.0, 2.0, 1.0, 1.0]),
            tensor("type", &[3], &[1i64, 0, 1]),
        ])
        .unwrap();
        assert_eq!((task.steps(), task.inputs().len(), task.n_out(), task.trial_types().len()), (2, 1, 2, 2));
        let in_blocks = task.clone().in_blocks(10).unwrap();
        let mut seen = [0; 3];
        for index in 0..100 {
            let trial = draw(&task, index);
            assert_eq!(trial.trial_type, (index % 2) as usize);
            assert_eq!(draw(&in_blocks, index).trial_type, (index / 10 % 2) as usize);
            let row = (trial.inputs[0] / 2.0) as usize;
            assert_eq!(trial.targets, [0, 1, 2, 3].map(|k| (row * 4 + k) as f32));
            assert_eq!(trial.scored, [[true, false], [false, true], [true, true]][row]);
            seen[row] += 1;
        }
        assert!(seen[1] == 50 && seen[0] > 10 && seen[2] > 10, "{seen:?}");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_named() {
        let (inputs, targets) = (ramp("inputs", &[3, 2, 1]), ramp("targets", &[3, 2, 1]));
        let with = |entry| vec![inputs.clone(), targets.clone(), entry];
        let refused = |entries: Vec<Entry>, message: &str| {
            let error = parse(&entries).unwrap_err();
            assert!(error.contains(message), "{error}");
        };
        assert!(parse(&[inputs.clone(), targets.clone()]).is_ok());
        refused(vec![inputs.clone()], "tensor `targets` is missing; expected [K, T, n_out]");
        refused(
            vec![inputs.clone(), ramp("targets", &[2, 2, 1])],
            "tensor `targets` is [2, 2, 1]; expected [3, 2, n_out]",
        );
        refused(vec![ramp("inputs", &[6]), targets.clone()], "tensor `inputs` is [6]; expected [K, T, n_in]");
        refused(
            vec![inputs.clone(), tensor("targets", &[3, 2, 1], &[f32::NAN; 6])],
            "tensor `targets` holds values that are not finite",
        );
        refused(with(ramp("mask", &[2, 2])), "tensor `mask` is [2, 2]; expected [3, 2]");
        let unscored = tensor("mask", &[3, 2], &[1f32, 1.0, 0.0, 0.0, 1.0, 1.0]);
        refused(with(unscored), "tensor `mask` is 0 throughout trial 1");
        refused(with(ramp("weights", &[1])), "tensor `weights` is not known");
        refused(with(ramp("type", &[3])), "tensor `type` is F32; expected integers");
        for (types, message) in [
            ([0i64, 2, 2], "tensor `type` holds no 1"),
            ([0, -1, 2], "tensor `type` holds -1; expected integers from 0"),
            ([0, 1, 9], "tensor `type` holds 9; expected below 3"),
        ] {
            refused(with(tensor("type", &[3], &types)), message);
        }
        refused(
            vec![ramp("inputs", &[17, 1, 1]), ramp("targets", &[17, 1, 1])],
            "tensor `type` is missing: a file of 17 trials needs [17] integers",
        );
        assert!(FileTask::from_bytes(b"nothing", ErrorMeasure::Squared, 0.5).is_err());
    }
}
