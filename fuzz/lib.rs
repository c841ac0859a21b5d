//! What the fuzz targets share: small networks, and the check that an error has a message.

use hebbian_rnn::candle_core::Device;
use hebbian_rnn::{Checkpoint, Result, Setting, Setup, Trainer};

/// A checkpoint of two small networks after one update.
pub fn checkpoint(task: &str, more: &[&str]) -> Checkpoint {
    let small = ["network.neurons=3", "train.batch=2", "train.networks=2"];
    let settings: Vec<Setting> = small.iter().chain(more).map(|s| Setting::parse(s).unwrap()).collect();
    let mut trainer = Trainer::new(Setup::resolve(Some(task), &settings).unwrap(), &[Device::Cpu]).unwrap();
    trainer.update().unwrap();
    trainer.checkpoint().unwrap()
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
