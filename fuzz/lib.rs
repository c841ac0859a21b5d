//! What the fuzz targets share: small networks, and the check that an error has a message.

use hebbian_rnn::candle_core::Device;
use hebbian_rnn::{Checkpoint, LifeCheckpoint, LifeSetup, Lives, Result, Setting, Setup, Sweep, SweepPlan, Trainer};
use sha2::{Digest, Sha256};

/// The metadata key of a life's checkpoint.
pub const LIFE_KEY: &str = "hebbian_rnn_life";

/// A checkpoint of two small networks after one update.
pub fn checkpoint(task: &str, more: &[&str]) -> Checkpoint {
    let small = ["network.neurons=3", "train.batch=2", "train.networks=2"];
    let settings: Vec<Setting> = small.iter().chain(more).map(|s| Setting::parse(s).unwrap()).collect();
    let mut trainer = Trainer::new(Setup::resolve(Some(task), &settings).unwrap(), &[Device::Cpu]).unwrap();
    trainer.update().unwrap();
    trainer.checkpoint().unwrap()
}

/// A checkpoint of two small networks that have lived for two blocks.
pub fn life_checkpoint(life: &str) -> LifeCheckpoint {
    let own: &[&str] = match life {
        "distal-reward" => &[
            "population.excitatory.size=4",
            "population.inhibitory.size=2",
            "projection.excitatory-excitatory.connect.out_degree=2",
            "projection.excitatory-inhibitory.connect.out_degree=1",
            "projection.inhibitory-excitatory.connect.out_degree=2",
        ],
        "xor-temporal" => &["population.hidden.size=3", "world.pattern_ms=50", "world.spikes=5"],
        _ => &["population.critic.size=2", "world.pause_seconds=0.1"],
    };
    let settings: Vec<Setting> =
        own.iter().chain(&["life.networks=2"]).map(|text| Setting::parse(text).unwrap()).collect();
    let setup = LifeSetup::resolve(Some(life), None, &settings).unwrap();
    let mut lives = Lives::new(setup, &Device::Cpu).unwrap();
    lives.live(2).unwrap();
    lives.checkpoint().unwrap()
}

/// A planned sweep of two jobs in a temporary folder that stays.
pub fn sweep() -> Sweep {
    const TEXT: &str = "task = 'echo'\nnetworks = 2\n[set]\ntrain = { batch = 2, updates = 1 }\nnetwork.neurons = 3\n\
                        [grid]\nrule.eta = [0.01, 0.1]\n";
    SweepPlan::parse(TEXT, "sweep.toml").unwrap().write(&tempfile::tempdir().unwrap().keep()).unwrap()
}

/// The SHA-256 of a file's contents, in hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The value read, if any; an error must have a message.
pub fn value<T>(outcome: Result<T>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            let message = format!("{error}");
            assert!(!message.is_empty());
            None
        }
    }
}

/// `bytes` with the metadata entry `key` replaced by `metadata`.
pub fn with_metadata(bytes: &[u8], key: &str, metadata: &str) -> Vec<u8> {
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&bytes[8..8 + length]).unwrap();
    header["__metadata__"][key] = metadata.into();
    let header = header.to_string();
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &bytes[8 + length..]].concat()
}
