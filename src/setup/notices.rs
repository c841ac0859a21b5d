//! Notices about settings: those that a rule changes, and those that have no effect.

use super::Setup;
use crate::config::{keys_of, Output, RuleConfig, Setting, Stage, TransferFunction, TABLES};
use crate::keys::ReadWith;
use crate::presets::find_task;
use crate::rules::{find_rule, Source};

impl Setup {
    /// Notices for the user before a run starts: the learning rate of `w_rec` was chosen for another rule or task, `w_rec` cannot
    /// change, or the strength of inhibition was derived.
    pub fn notices(&self) -> Vec<String> {
        [self.borrowed_rate(), self.void_eligibility(), self.derived_inhibition()].into_iter().flatten().collect()
    }

    /// A notice, if weights were balanced for a fraction of excitatory neurons that is not the usual one.
    fn derived_inhibition(&self) -> Option<String> {
        let (network, rule) = (&self.config.network, find_rule(&self.config.rule.name).ok()?);
        let usual = self.config.task_name().and_then(find_task).ok()?.defaults(rule).network;
        let inhibition = usual.balanced_inhibition(network.excitatory);
        let derived = [
            ("network.dale_inhibition", network.dale_inhibition, inhibition),
            (
                "network.dale_weight",
                network.dale_weight,
                usual.balanced_weight(network.excitatory, network.dale_inhibition),
            ),
        ];
        let derived: Vec<String> = derived
            .iter()
            .filter(|(_, used, balanced)| used == balanced)
            .map(|(key, used, _)| format!("{key} = {}", *used as f32))
            .collect();
        (network.dale && network.excitatory != usual.excitatory && !derived.is_empty()).then(|| {
            format!(
                "{}: so that {} excitatory neurons are balanced and vary as the usual {} do",
                derived.join(" and "),
                network.excitatory,
                usual.excitatory
            )
        })
    }

    /// A notice, if all presynaptic rates are 0 in the only step in which `w_rec` could learn.
    fn void_eligibility(&self) -> Option<String> {
        let (network, episodes) = (&self.config.network, self.task.episodes()?);
        let one_step = episodes.environment.limit() == 1 && episodes.settings.network_steps == 1;
        let silent = network.initial_activation == 0.0
            && network.clamped.is_empty()
            && network.response == TransferFunction::Tanh;
        (one_step && silent && self.config.rule.eta > 0.0 && self.reads(ReadWith::StepRule)).then(|| {
            format!(
                "rule `{}` cannot change w_rec here: an episode of `{}` is one step of the network, which starts with rates of 0; \
                 task.network_steps = 2 or more would let it",
                self.config.rule.name,
                episodes.environment.name()
            )
        })
    }

    /// A notice, if the learning rate of `w_rec` was chosen for another rule or task and the user has not changed it.
    fn borrowed_rate(&self) -> Option<String> {
        let RuleConfig { name, eta, .. } = &self.config.rule;
        let task = self.config.task_name().and_then(find_task).ok()?;
        let (rate, usual) = (task.rate(name), task.defaults(find_rule(name).ok()?).rule.eta);
        let (rule, from) = rate.borrowed?;
        // The rule can set its own rate.
        let used = *eta == rate.eta && *eta == usual && self.reads(ReadWith::Rule);
        let whose =
            if from == task.name { format!("that of `{rule}`") } else { format!("that of `{rule}` for `{from}`") };
        let task = task.name;
        used.then(|| format!("rule `{name}` has no measured learning rate for `{task}`; rule.eta = {eta} is {whose}"))
    }

    /// The `given` settings that have no effect, each with the setting that would use it.
    pub fn unread(&self, given: &[Setting]) -> Vec<String> {
        let rule = find_rule(&self.config.rule.name).ok();
        let keys = keys_of(&TABLES);
        let mut notices = Vec::new();
        for Setting { key, .. } in given {
            if let Some(rule) = rule.filter(|rule| key.strip_prefix("rule.").is_some_and(|key| rule.lacks(key))) {
                notices.push(format!("{key} has no effect here; it is not a parameter of rule `{}`", rule.name));
            } else if let Some(known) = keys.iter().find(|known| known.name == *key) {
                let settings = known.read_with().settings().filter(|_| !self.reads(known.read_with()));
                notices.extend(settings.map(|settings| format!("{key} has no effect here; {settings} would use it")));
            }
        }
        notices
    }

    /// Whether keys that are read only with some settings are read here.
    fn reads(&self, with: ReadWith) -> bool {
        let (network, source) = (&self.config.network, self.rule.source());
        match with {
            ReadWith::Anything => true,
            ReadWith::Rule => matches!(source, Source::Steps(_) | Source::FastWeights),
            ReadWith::StepRule => matches!(source, Source::Steps(_)),
            ReadWith::Rates => matches!(source, Source::Steps(_) | Source::FastWeights) || self.outputs_learn(),
            ReadWith::Bptt => self.follows_gradient(),
            ReadWith::FastWeights => self.config.fast_weights.stage != Stage::None,
            ReadWith::Readout => network.output == Output::Readout,
            ReadWith::LearningReadout => self.config.readout_learns(),
            ReadWith::Dale => network.dale,
            ReadWith::RectifiedLinear => network.response == TransferFunction::RectifiedLinear,
            ReadWith::Perturbations => self.config.perturbs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(task: &str, settings: &[&str]) -> (Setup, Vec<Setting>) {
        let settings: Vec<Setting> = settings.iter().map(|setting| Setting::parse(setting).unwrap()).collect();
        (Setup::resolve(Some(task), &settings).unwrap(), settings)
    }

    #[test]
    fn a_rate_that_was_chosen_for_another_rule_is_told() {
        let notice = |task: &str, settings: &[&str]| setup(task, settings).0.borrowed_rate();
        assert_eq!(notice("dnms", &["rule.name=eh"]), None);
        assert_eq!(
            notice("dnms-long-delay", &["rule.name=eh"]).unwrap(),
            "rule `eh` has no measured learning rate for `dnms-long-delay`; rule.eta = 0.01 is that of `eh` for `dnms`"
        );
        let other = notice("echo", &["rule.name=delta-x"]).unwrap();
        assert!(other.ends_with("rule.eta = 0.01 is that of `node-perturbation`"), "{other}");
        for settings in
            [&["rule.name=eh", "rule.eta=0.02"][..], &["rule.name=rflo"], &["rule.name=bptt"], &["rule.name=none"]]
        {
            assert_eq!(notice("dnms-long-delay", settings), None, "{settings:?}");
        }
    }

    #[test]
    fn inhibition_balances_any_fraction_of_excitatory_neurons() {
        let network = |settings: &[&str]| {
            let (setup, _) = setup("dnms-ei", settings);
            let network = &setup.config.network;
            let (e, w, i) = (network.excitatory, network.dale_weight, network.dale_inhibition);
            // The mean of a neuron's inputs relative to that of excitation, and the variance of its weights.
            ((e - (1.0 - e) * i) / e, w * w * (e + (1.0 - e) * i * i), setup.derived_inhibition())
        };
        let (usual_mean, usual_variance, notice) = network(&[]);
        assert_eq!(notice, None);
        let (mean, variance, notice) = network(&["network.excitatory=0.8"]);
        assert!((mean - usual_mean).abs() < 1e-9, "{mean}, {usual_mean}");
        assert!((variance - usual_variance).abs() < 1e-9, "{variance}, {usual_variance}");
        let notice = notice.unwrap();
        assert!(notice.starts_with("network.dale_inhibition = 4.8 and network.dale_weight = 0.071"), "{notice}");
        let given = ["network.excitatory=0.8", "network.dale_inhibition=1.2", "network.dale_weight=0.15"];
        assert!(network(&given).2.is_none());
    }

    #[test]
    fn settings_without_a_reader_are_told() {
        for (settings, expected) in [
            (
                &["rule.name=bptt", "rule.eta=0.5"][..],
                &["rule.eta has no effect here; a rule such as `delta-x` would use it"][..],
            ),
            (&["trace.eta=0.5"], &["trace.eta has no effect here; a trace.stage other than `none` would use it"]),
            (
                &["rule.name=rflo", "rule.x_mean_decay=0.5"],
                &["rule.x_mean_decay has no effect here; it is not a parameter of rule `rflo`"],
            ),
            (&["trace.eta=0.5", "trace.stage=oja"], &[]),
            (&["bptt.learning_rate=0.1"], &["bptt.learning_rate has no effect here; rule.name `bptt` would use it"]),
            (&["network.output=readout", "readout.rule=delta", "readout.eta=0.1"], &[]),
            (&["rule.eta=0.1", "perturbation.amplitude=1", "network.gain=1"], &[]),
        ] {
            let (setup, given) = setup("dnms", settings);
            assert_eq!(setup.unread(&given), expected, "{settings:?}");
        }
    }
}
