//! Damaged checkpoints.

use crate::{damage, held_to_account, valid};
use candle_core::Device;
use hebbian_rnn::engine::check_memory;
use hebbian_rnn::training::METADATA_KEY;
use hebbian_rnn::{Checkpoint, Trainer};

const MUTATIONS: u64 = 40_000;

/// An accepted checkpoint must be intact enough to be written and read again.
fn read(what: &str, bytes: &[u8]) -> bool {
    let read = held_to_account(what, bytes.len(), || Checkpoint::from_bytes(bytes, &Device::Cpu));
    let Some(checkpoint) = read else { return false };
    let _ = checkpoint.trials();
    let again = checkpoint.to_bytes().and_then(|bytes| Checkpoint::from_bytes(&bytes, &Device::Cpu));
    assert!(again.is_ok(), "{what}: read once, but not again: {:#}", again.unwrap_err());
    go_on(what, &checkpoint);
    true
}

/// Makes an update of the networks, if it does not take long.
fn go_on(what: &str, checkpoint: &Checkpoint) {
    let setup = &checkpoint.setup;
    let (train, neurons) = (&setup.config().train, setup.config().network.neurons);
    let long =
        train.batch.saturating_mul(setup.task().steps()).saturating_mul(neurons * train.networks.count()) > 20_000;
    if long || check_memory(setup, &[Device::Cpu]).is_err() {
        return;
    }
    // Numbers that are read may become infinite: a network then diverges, which can be an error.
    let Ok(mut trainer) = Trainer::resume(checkpoint, &[Device::Cpu]) else { return };
    let _ = trainer.update().map_err(|error| error.to_string());
    assert!(trainer.checkpoint().is_ok(), "{what}: no checkpoint after an update");
}

#[test]
fn damaged_checkpoints_are_read_or_refused() {
    let whole: Vec<Vec<u8>> = valid::checkpoints().iter().map(|c| c.to_bytes().unwrap()).collect();
    assert!(whole.iter().all(|bytes| read("the whole file", bytes)));
    let mut accepted = 0;
    for index in 0..MUTATIONS {
        let mut rng = damage::generator(1, index);
        let file = &whole[(index % 4) as usize];
        let damaged = match index / 4 % 4 {
            0 => damage::bytes(&mut rng, file),
            1 => damage::header(&mut rng, file),
            2 => damage::values(&mut rng, file),
            _ => damage::metadata(&mut rng, file, METADATA_KEY),
        };
        accepted += u64::from(read(&format!("checkpoint mutation {index}"), &damaged));
    }
    // Changed weights, counters and rates are legitimate; most other damage is not.
    assert!((MUTATIONS / 100..MUTATIONS / 2).contains(&accepted), "{accepted} of {MUTATIONS} were accepted");
}

#[test]
fn gigantic_networks_are_refused_by_their_shapes() {
    let whole = valid::checkpoints().remove(0).to_bytes().unwrap();
    let claims = [
        ("\\\"neurons\\\":3", "\\\"neurons\\\":1000000000", "network.neurons is 1000000000; expected at most"),
        ("\\\"neurons\\\":3", "\\\"neurons\\\":1000000", "expected f32 [2, 1000000"),
        ("\\\"networks\\\":2", "\\\"networks\\\":9223372036854775808", "train.networks is 9223372036854775808"),
        ("\\\"networks\\\":2", "\\\"networks\\\":4294967295", "expected f32 [4294967295"),
        ("\\\"networks\\\":2", "\\\"networks\\\":\\\"0..18446744073709551615\\\"", "train.networks is"),
        ("\\\"batch\\\":2", "\\\"batch\\\":1152921504606846976", "train.batch is 1152921504606846976"),
        ("\\\"batch\\\":2", "\\\"batch\\\":4294967295", "4294967295"),
        ("\\\"steps\\\":10", "\\\"steps\\\":1000000000000", "has 1000000000000 steps"),
        ("\\\"updates\\\":1,", "\\\"updates\\\":18446744073709551615,", "updates is 18446744073709551615"),
    ];
    let text = String::from_utf8_lossy(&whole[8..]).into_owned();
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    for (from, to, message) in claims {
        let header = text[..length].replacen(from, to, 1);
        assert_ne!(header, text[..length], "{from} is not in the header");
        let bytes = damage::assembled(header.as_bytes(), &whole[8 + length..]);
        let (outcome, peak) = crate::peak_of(|| Checkpoint::from_bytes(&bytes, &Device::Cpu));
        let error = format!("{:#}", outcome.expect_err(to));
        assert!(error.contains(message), "{to}: {error}");
        assert!(peak < crate::BASE, "{to}: {peak} bytes");
    }
}
