//! Uses of networks besides training: evaluation, simulation, comparing the engines, and measuring their speed.

mod evaluate;
mod explain;
mod parity;
mod record;
mod record_life;
mod schema;
mod simulate;
mod simulate_life;
mod tensor_file;
mod throughput;

pub use evaluate::{by_type, draw_fresh, evaluate, name_trials, run_fresh, FrozenNetworks, Returns, Score, TypeScore};
pub use explain::{explain, explain_as_json, reference};
pub use parity::{compare_engines, Comparison};
pub use record::{record_trials, RecordOptions, Recording};
pub use record_life::{record_life, LifeRecordOptions};
pub use schema::{config_schema, life_schema};
pub use simulate::{parse_inputs, read_inputs, simulate, Inputs};
pub use simulate_life::{simulate_life, watched_neurons, LifeActivity};
pub use tensor_file::write_tensors;
pub use throughput::{measure_throughput, Throughput};
