//! Reading a file and writing it again gives the same bytes, whatever the configuration.

use crate::valid;
use candle_core::Device;
use hebbian_rnn::{Checkpoint, Setting, Setup, Trainer, RULES};
use proptest::prelude::*;

fn any_settings() -> impl Strategy<Value = (&'static str, Vec<String>)> {
    let task = prop::sample::select(vec!["echo", "sequence", "dnms", "pattern-generation", "selective-integration"]);
    let rule = prop::sample::select(RULES.iter().map(|rule| rule.name).collect::<Vec<_>>());
    let stage = prop::sample::select(vec!["none", "hebb", "accumulate", "modulated", "oja", "retroactive"]);
    let dtype = prop::sample::select(vec!["f32", "f64"]);
    let network = (12usize..16, 0.0f64..3.0, prop::sample::select(vec![0.3, 1.0]), any::<bool>(), 0.0f64..2.0);
    let train = (1usize..4, any::<u32>(), 0u64..5, 1u64..4, dtype);
    (task, rule, stage, any::<bool>(), network, train).prop_map(|(task, rule, stage, persistent, network, train)| {
        let (neurons, gain, connectivity, dale, bias) = network;
        let (batch, seed, first, count, dtype) = train;
        let settings = vec![
            format!("rule.name={rule}"),
            format!("trace.stage={stage}"),
            format!("trace.persistent={persistent}"),
            "perturbation.probability=0.05".into(),
            "perturbation.amplitude=0.5".into(),
            format!("network.neurons={neurons}"),
            format!("network.gain={gain:?}"),
            format!("network.connectivity={connectivity:?}"),
            format!("network.dale={dale}"),
            format!("network.bias_scale={bias:?}"),
            format!("train.batch={batch}"),
            format!("train.seed={seed}"),
            format!("train.networks={first}..{}", first + count),
            format!("train.dtype={dtype}"),
        ];
        (task, settings)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn checkpoints_and_configurations_survive_a_round_trip((task, settings) in any_settings()) {
        let settings: Vec<&str> = settings.iter().map(String::as_str).collect();
        // The rule `hebbian-trace` needs a trace, so some combinations are refused; nothing else may go wrong with
        // them.
        let Ok(setup) = valid::setup(task, &settings) else { return Ok(()) };
        let config = setup.config().clone();
        let text = config.to_toml().unwrap();
        let again = Setup::resolve(None, &Setting::from_toml(&text, "config.toml").unwrap()).unwrap().config().clone();
        prop_assert_eq!(again.to_toml().unwrap(), text);
        prop_assert_eq!(&again, &config);
        let trainer = Trainer::new(setup, &[Device::Cpu]).unwrap();
        let bytes = trainer.checkpoint().unwrap().to_bytes().unwrap();
        let read = Checkpoint::from_bytes(&bytes, &Device::Cpu).unwrap();
        prop_assert_eq!(read.setup.config(), &again);
        prop_assert!(read.to_bytes().unwrap() == bytes, "the file differs when written again");
    }
}
