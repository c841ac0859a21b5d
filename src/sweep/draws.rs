//! The distributions from which values of keys are drawn, for random search.

use crate::error::{bail, Result};
use crate::random::{stream, Phase, Purpose};
use crate::reader::sha256;
use rand::RngExt;
use toml::Value;

/// The distribution from which a key's value is drawn.
pub(super) enum Distribution {
    Uniform(f64, f64),
    Integer(i64, i64),
    LogUniform(f64, f64),
    Choice(Vec<Value>),
}

impl Distribution {
    /// The distribution `kind` of a key, with its bounds or values.
    ///
    /// # Errors
    /// [`Error::Usage`](crate::Error::Usage) if it is unknown, or cannot have these bounds.
    pub fn new(key: &str, kind: &str, value: Value) -> Result<Self> {
        let expected =
            "expected a table such as { uniform = [0.1, 1.0] }, { log_uniform = [1e-4, 1e-1] } or { choice = [1, 2] }";
        let Value::Array(values) = value else { bail!(Usage, "draw.{key}.{kind} is {value}; {expected}") };
        let number = |value: &Value| value.as_float().or(value.as_integer().map(|number| number as f64));
        let bounds = match &values[..] {
            [from, to] => number(from).zip(number(to)).filter(|(from, to)| from < to && (to - from).is_finite()),
            _ => None,
        };
        match (kind, bounds, &values[..]) {
            ("uniform", Some(_), [Value::Integer(from), Value::Integer(to)]) => Ok(Distribution::Integer(*from, *to)),
            ("uniform", Some((from, to)), _) => Ok(Distribution::Uniform(from, to)),
            ("log_uniform", Some((from, to)), _) if from > 0.0 => Ok(Distribution::LogUniform(from, to)),
            ("choice", _, [_, ..]) => Ok(Distribution::Choice(values)),
            ("uniform" | "log_uniform", ..) => {
                bail!(Usage, "draw.{key}.{kind} is {}; expected two numbers, the smaller first", Value::Array(values))
            }
            _ => bail!(Usage, "draw.{key} has `{kind}`; {expected}"),
        }
    }

    /// Draw `k` of a key.
    pub fn draw(&self, seed: u64, key: &str, k: u64) -> Value {
        let digits = sha256(key.as_bytes());
        let name = u64::from_str_radix(&digits[..16], 16).unwrap_or_default();
        let mut rng = stream(seed, name, k, Phase::Train, Purpose::Setting);
        match self {
            Distribution::Uniform(from, to) => Value::Float(from + (to - from) * rng.random::<f64>()),
            Distribution::Integer(from, to) => Value::Integer(rng.random_range(*from..=*to)),
            Distribution::LogUniform(from, to) => {
                Value::Float(libm::exp(from.ln() + (to / from).ln() * rng.random::<f64>()))
            }
            Distribution::Choice(values) => values[rng.random_range(0..values.len())].clone(),
        }
    }
}
