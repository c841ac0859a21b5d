//! Damaged checkpoints and rows of lives. Those accepted are used: lives go on, are judged and drawn.

use crate::{damage, held_to_account, peak_of, valid};
use candle_core::Device;
use hebbian_rnn::report::report_life;
use hebbian_rnn::storage::{read_life_rows, METRICS_FILE};
use hebbian_rnn::training::verdicts;
use hebbian_rnn::worlds::LifeRow;
use hebbian_rnn::{LifeCheckpoint, Lives};
use serde_json::json;

const MUTATIONS: u64 = 11_000;
const ROWS: u64 = 3_500;
/// How many of the accepted are drawn; a picture takes some tenths of a second.
const DRAWN: usize = 5;
/// The bytes that lives may hold when they go on, besides a multiple of the file's size: how much is left of a spike after each number of
/// steps, which depends on time constants alone, for each population and projection.
const TABLES: usize = 256 << 20;
/// Steps times neurons and synapses of a block beyond which it is not lived here.
const LONG: f64 = 1e6;
const KEY: &str = "hebbian_rnn_life";

/// The checkpoint, if it is accepted; it must be intact enough to be written and read again.
fn read(what: &str, bytes: &[u8]) -> Option<LifeCheckpoint> {
    let checkpoint = held_to_account(what, bytes.len(), || LifeCheckpoint::from_bytes(bytes))?;
    let again = checkpoint.to_bytes().and_then(|bytes| LifeCheckpoint::from_bytes(&bytes));
    assert!(again.is_ok(), "{what}: read once, but not again: {:#}", again.err().unwrap());
    let (seconds, peak) = peak_of(|| checkpoint.seconds());
    assert!(seconds >= 0.0 && peak < crate::BASE + bytes.len(), "{what}: {peak} bytes for its age");
    Some(checkpoint)
}

/// Lives on for a block, if that does not take long; the rows that it leaves.
fn live_on(what: &str, size: usize, checkpoint: &LifeCheckpoint) -> Vec<LifeRow> {
    let (lives, peak) = peak_of(|| Lives::resume(checkpoint, &Device::Cpu));
    assert!(peak < TABLES + crate::TIMES * size, "{what}: {peak} bytes to go on");
    // What they claim may not fit into this machine's memory.
    let Ok(mut lives) = lives else { return Vec::new() };
    let setup = &checkpoint.setup;
    let synapses: usize = checkpoint.states.iter().flat_map(|s| &s.synapses).map(|s| s.pre.len()).sum();
    let width = (setup.circuit().neurons() * checkpoint.states.len() + synapses) as f64;
    if lives.block_seconds() * 1000.0 / setup.config().life.dt_ms * width > LONG {
        return Vec::new();
    }
    let rows = lives.live(1).unwrap_or_else(|error| panic!("{what}: {error}"));
    // Numbers that are read may become infinite; the file is then refused.
    let bytes = lives.checkpoint().unwrap().to_bytes().unwrap();
    let _ = LifeCheckpoint::from_bytes(&bytes).map_err(|error| error.to_string());
    if !rows.is_empty() {
        verdicts(setup, &rows).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    rows
}

#[test]
fn damaged_lives_are_refused_or_lived() {
    let folder = tempfile::tempdir().unwrap();
    let whole: Vec<Vec<u8>> =
        valid::lives().iter().map(|lives| lives.checkpoint().unwrap().to_bytes().unwrap()).collect();
    for (k, bytes) in whole.iter().enumerate() {
        let checkpoint = read("the whole file", bytes).unwrap();
        assert!(!live_on("the whole file", bytes.len(), &checkpoint).is_empty(), "life {k} is not lived on");
    }
    let (mut accepted, mut drawn) = (0, 0);
    for index in 0..MUTATIONS {
        let mut rng = damage::generator(40, index);
        let file = &whole[index as usize % whole.len()];
        let damaged = match index as usize / whole.len() % 6 {
            0 => damage::bytes(&mut rng, file),
            1 => damage::header(&mut rng, file),
            2 | 3 => damage::metadata(&mut rng, file, KEY),
            _ => damage::values(&mut rng, file),
        };
        let what = format!("life mutation {index}");
        let Some(checkpoint) = read(&what, &damaged) else { continue };
        accepted += 1;
        let rows = live_on(&what, damaged.len(), &checkpoint);
        if !rows.is_empty() && drawn < DRAWN && index % 40 == 0 {
            drawn += 1;
            std::fs::write(folder.path().join("checkpoint.safetensors"), &damaged).unwrap();
            // There may be too much of it for this machine.
            let _ = report_life(folder.path(), &checkpoint, &rows, &[]).map_err(|error| error.to_string());
        }
    }
    assert!((MUTATIONS / 100..MUTATIONS / 2).contains(&accepted), "{accepted} of {MUTATIONS} were accepted");
}

/// The file with its metadata changed.
fn with_header(whole: &[u8], change: impl FnOnce(&mut serde_json::Value)) -> Vec<u8> {
    let length = u64::from_le_bytes(whole[..8].try_into().unwrap()) as usize;
    let mut header: serde_json::Value = serde_json::from_slice(&whole[8..8 + length]).unwrap();
    let entry = header["__metadata__"][KEY].as_str().unwrap();
    let mut own: serde_json::Value = serde_json::from_str(entry).unwrap();
    change(&mut own);
    header["__metadata__"][KEY] = own.to_string().into();
    damage::assembled(header.to_string().as_bytes(), &whole[8 + length..])
}

/// The file with a number of a tensor changed.
fn with_number(whole: &[u8], tensor: &str, number: &[u8]) -> Vec<u8> {
    let file = safetensors::SafeTensors::deserialize(whole).unwrap();
    let start = file.tensor(tensor).unwrap().data().as_ptr() as usize - whole.as_ptr() as usize;
    let mut bytes = whole.to_vec();
    bytes[start..start + number.len()].copy_from_slice(number);
    bytes
}

#[test]
fn what_no_life_reaches_is_refused_by_name() {
    let lives = valid::lives();
    let whole: Vec<Vec<u8>> = lives.iter().map(|lives| lives.checkpoint().unwrap().to_bytes().unwrap()).collect();
    let [rate, temporal, distal, pavlovian, hoerzer, track, _, pendulum] = &whole[..] else {
        panic!("{} lives", whole.len())
    };
    let float = |tensor: &str, value: f32| with_number(rate, tensor, &value.to_le_bytes());
    let world = |whole: &[u8], key: &str, value: serde_json::Value| {
        with_header(whole, |header| header["worlds"][1][key] = value)
    };
    let set = |whole: &[u8], pointer: &str, value: serde_json::Value| {
        with_header(whole, |header| *header.pointer_mut(pointer).unwrap() = value)
    };
    let huge = json!(u64::MAX);
    let cases = [
        // Spikes are counts: these took 1.2 GB or panicked when the life went on.
        (
            float("outputs.0", 7.6e37),
            "tensor `outputs.0` holds 7.6e37 for population `excitatory`; expected spikes, 0 or 1",
        ),
        (float("outputs.0", 3e8), "tensor `outputs.0` holds 300000000.0 for"),
        (float("outputs.0", 0.5), "tensor `outputs.0` holds 0.5 for population"),
        (with_number(temporal, "outputs.2", &33f64.to_le_bytes()), "expected whole numbers of spikes from 0 to 32"),
        (with_number(hoerzer, "outputs.0", &3e38f32.to_le_bytes()), "tensor `outputs.0` holds 3"),
        (float("population.hidden.u", -3e38), "tensor `population.hidden.u` holds -3"),
        (float("projection.excitatory-hidden.trace_pre", 1e33), "trace_pre` holds 1"),
        (float("projection.excitatory-hidden.weight", 5.5), "weight` holds 5.5; expected numbers from 0.0 to 5.0"),
        (with_number(distal, "projection.excitatory-excitatory.level", &1e300f64.to_le_bytes()), "level` holds 1e300"),
        (with_number(rate, "reward", &1e300f64.to_le_bytes()), "tensor `reward` holds 1e300"),
        // The sum over networks overflowed.
        (with_number(rate, "projection.hidden-output.synapses", &u64::MAX.to_le_bytes()), "expected integers from 0"),
        (with_header(rate, |header| header["block"] = huge.clone()), "the metadata's block is 18446744073709551615"),
        (with_header(rate, |header| header["worlds"] = json!([null])), "worlds has 1 entries for 2 networks"),
        (with_header(rate, |header| header["worlds"][0] = json!(1)), "network 0: the state of the world is not empty"),
        (world(distal, "now", huge.clone()), "network 1: the state of the world: now is 18446744073709551615"),
        (
            world(distal, "pre_at", json!(1u64 << 40)),
            "the state of the world: pre_at is 1099511627776; expected 0 to 2000",
        ),
        (world(distal, "coming", json!([7])), "the state of the world: coming is 7; expected 2000 to "),
        (world(pavlovian, "next_at", huge.clone()), "the state of the world: next_at is"),
        (world(pavlovian, "shown", json!([1, 1])), "does not hold 3 stimuli"),
        (world(pavlovian, "shown", json!([1, 1, u32::MAX])), "the state of the world: shown is 4294967295"),
        (world(pavlovian, "responses", json!([1, 1, u64::MAX])), "the state of the world: responses is"),
        (world(pavlovian, "last", json!([3, 0])), "does not hold 3 stimuli"),
        (with_header(pavlovian, |header| header["worlds"][0] = json!(null)), "network 0: the state of the world:"),
        (world(track, "trials", huge.clone()), "the state of the world: trials is"),
        (world(track, "steps", huge), "the state of the world: steps is"),
        (world(track, "body", json!([0.0, 1.0])), "body has 2 numbers; expected 1"),
        (world(pendulum, "body", json!([0.0])), "body does not begin with two counts"),
        (world(pendulum, "body", json!([1e300, 0.0])), "the episode's number is 1"),
        (world(pendulum, "body", json!([0.0, 25.0])), "25 steps have passed since the last action"),
        (world(pendulum, "body", json!([0.0, 0.0, 1e300])), "[1e300] is not an action of the environment"),
        (world(pendulum, "body", json!(vec![0.0; 1000])), "the episode is over after 200 actions"),
        (world(pendulum, "voting", json!({ "slow": [], "fast": [] })), "voting does not hold 3 numbers twice"),
        // Sizes that a file only claims.
        (set(pendulum, "/config/world/body/axes/0/cells", json!(1u64 << 60)), "cells is 1152921504606846976"),
        (set(temporal, "/config/projection/0/delay_ms", json!(90_000.0)), "tensor `outputs.3` is missing"),
        (set(rate, "/config/life/seconds", json!(1e25)), "life.seconds is 1"),
        (set(track, "/config/world/cells_hz", json!(1e30)), "world.cells_hz is 1"),
        (set(distal, "/config/world/jitter_ms", json!(1e30)), "world.jitter_ms is 1"),
        (set(pavlovian, "/config/world/stimuli", json!(1_000_000_000)), "does not hold 1000000000 stimuli"),
        (set(rate, "/config/population/0/size", json!(10_000_000)), "expected [2, 10000010]"),
    ];
    for (bytes, message) in cases {
        let (outcome, peak) = peak_of(|| LifeCheckpoint::from_bytes(&bytes));
        let error = outcome.err().unwrap_or_else(|| panic!("accepted; expected {message}")).to_string();
        assert!(error.contains(message) && error.lines().count() == 1, "{message}: {error}");
        assert!(peak < crate::BASE + crate::TIMES * bytes.len(), "{message}: {peak} bytes");
    }
    // A block may be long: nothing of its length is made before the life goes on, and then only if it fits.
    for (bytes, key) in [(temporal, "pattern_ms"), (hoerzer, "period_ms")] {
        let bytes = with_header(bytes, |header| {
            header["config"]["world"][key] = json!(9e8);
            header["config"]["life"]["seconds"] = json!(0.0);
            header["config"]["life"]["frozen_seconds"] = json!(0.0);
        });
        let (outcome, peak) = peak_of(|| LifeCheckpoint::from_bytes(&bytes).unwrap().seconds());
        assert!(outcome >= 9e5 && peak < crate::BASE + crate::TIMES * bytes.len(), "{key}: {peak} bytes");
    }
}

#[test]
fn damaged_rows_of_lives_are_refused_or_judged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(METRICS_FILE);
    let mut whole: Vec<(LifeCheckpoint, String, Vec<LifeRow>)> = Vec::new();
    for mut lives in valid::lives() {
        let rows = lives.live(3).unwrap();
        let figures: String = (0..rows[0].figures.len()).map(|k| format!(",figure_{k}")).collect();
        let line = |row: &LifeRow| {
            let figures: String = row.figures.iter().map(|v| format!(",{v}")).collect();
            format!("{},{},{}{figures}\n", row.network, row.seconds, u8::from(row.weights_fixed))
        };
        let lines: String = rows.iter().map(line).collect();
        let text = format!("network,seconds,weights_fixed{figures}\n{}", lines.replace("NaN", ""));
        whole.push((lives.checkpoint().unwrap(), text, rows));
    }
    let (mut judged, mut drawn) = (0, 0);
    for index in 0..ROWS {
        let mut rng = damage::generator(41, index);
        let (checkpoint, text, _) = &whole[index as usize % whole.len()];
        let damaged = damage::text(&mut rng, text);
        std::fs::write(&path, &damaged).unwrap();
        let what = format!("rows mutation {index}");
        let Some(rows) = held_to_account(&what, damaged.len(), || read_life_rows(&path)) else { continue };
        let verdict = held_to_account(&what, damaged.len(), || verdicts(&checkpoint.setup, &rows));
        judged += u64::from(verdict.is_some());
        if verdict.is_some() && drawn < DRAWN && index % 50 == 0 {
            drawn += 1;
            std::fs::write(folder.path().join("checkpoint.safetensors"), checkpoint.to_bytes().unwrap()).unwrap();
            report_life(folder.path(), checkpoint, &rows, &[]).unwrap_or_else(|error| panic!("{what}: {error}"));
        }
    }
    assert!((ROWS / 20..ROWS).contains(&judged), "{judged} of {ROWS} were judged");
    // Rows without the figures of their world used to panic.
    std::fs::write(&path, "network,seconds,frozen\n0,1,0\n1,1,0\n").unwrap();
    let rows = read_life_rows(&path).unwrap();
    for (checkpoint, ..) in &whole {
        let error = verdicts(&checkpoint.setup, &rows).unwrap_err().to_string();
        assert!(error.contains("network 0 has 0 figures at 1 s; expected"), "{error}");
    }
}
