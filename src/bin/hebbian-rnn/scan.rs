//! `train --scan`, `train --control` and `live --control`: sweeps that are planned, run and collected by one command.

use crate::args::{BatchSize, CollectArgs, LiveArgs, TrainArgs};
use crate::console::say;
use crate::output::{judged, usage};
use crate::sweep::{collect, share};
use crate::train::default_folder;
use anyhow::{anyhow, Result};
use hebbian_rnn::presets::{find_life, FILE_TASK};
use hebbian_rnn::storage::CONFIG_FILE;
use hebbian_rnn::sweep::LEFT_OUT_FILE;
use hebbian_rnn::{LifeSetup, Setting, SweepPlan};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// and short enough that a shuffled modulator is of the same stage of learning.
const SHUFFLE_SECONDS: f64 = 100.0;

/// Plans, runs and collects every combination of the values of `train --scan`, or the controls of `train --control`.
pub fn scan(args: &TrainArgs) -> Result<ExitCode> {
    let (option, suffix) = if args.control { ("--control", "control") } else { ("--scan", "scan") };
    if args.batch == Some(BatchSize::Auto) {
        return usage(Err(anyhow!(
            "--batch auto does not work with {option}: all settings need the same batch size; give a number"
        )));
    }
    let mut grid = toml::Table::new();
    for text in &args.scan {
        let Some((key, values)) = text.split_once('=') else {
            return usage(Err(anyhow!("--scan {text}: expected KEY=VALUE,VALUE")));
        };
        let value = |value: &str| Ok(Setting::parse(&format!("{key}={value}"))?.value);
        let values = values.split(',').map(value).collect::<Result<_>>()?;
        if grid.insert(key.trim().into(), toml::Value::Array(values)).is_some() {
            return usage(Err(anyhow!("--scan names {} twice; give all its values in one --scan", key.trim())));
        }
    }
    let task = args.task.clone().or_else(|| args.task_file.is_some().then(|| FILE_TASK.to_string()));
    let folder = match (&args.place.out, &task) {
        (Some(out), _) => out.clone(),
        (None, Some(task)) => default_folder(&format!("{task}-{suffix}"), args.rule.as_deref().unwrap_or_default()),
        (None, None) => return usage(Err(anyhow!("{option}: name a task"))),
    };
    let (plan, settings) = plan_of(usage(args.settings())?, "train.networks")?;
    let (list, settings) = if args.control { controls(args.rule.as_deref(), settings) } else { (Vec::new(), settings) };
    let set = settings.into_iter().map(|setting| (setting.key, setting.value)).collect();
    let plan = SweepPlan { task, set, grid, list, leave_out_impossible: args.control, ..plan };
    carry_out(&plan, folder, option, args.jobs_at_once, (args.control, args.json))
}

/// Plans, runs and collects the controls of `live --control`: the rule, the rule with shuffled modulators, and fixed weights.
pub fn control_lives(args: &LiveArgs) -> Result<ExitCode> {
    let Some(life) = args.life.clone() else { return usage(Err(anyhow!("--control: name a life"))) };
    let settings = usage(args.settings())?;
    let setup = usage(LifeSetup::resolve(Some(&life), args.rule.as_deref(), &settings))?;
    let rule = args.rule.clone().unwrap_or(usage(find_life(&life))?.rules[0].to_string());
    let default = (setup.config().life.seconds / 10.0).min(SHUFFLE_SECONDS);
    let shuffled = setup.config().life.shuffle_seconds.filter(|given| *given > 0.0).unwrap_or(default);
    let folder = args.place.out.clone().unwrap_or(Path::new("runs").join(format!("{life}-control")));
    let (plan, mut settings) = plan_of(settings, "life.networks")?;
    settings.retain(|setting| setting.key != "life.shuffle_seconds");
    // Fixed weights have no rule, and so no parameters of one.
    let is_of_rule = |setting: &Setting| setting.key.starts_with("projection.") && setting.key.contains(".rule.");
    let (of_rules, set): (Vec<Setting>, Vec<Setting>) = settings.into_iter().partition(is_of_rule);
    let with = |rule: &str, seconds: f64, others: toml::Table| {
        let controlled = [("rule.name", toml::Value::from(rule)), ("life.shuffle_seconds", toml::Value::from(seconds))];
        controlled.map(|(key, value)| (key.to_string(), value)).into_iter().chain(others).collect::<toml::Table>()
    };
    let of_rules = nested(of_rules);
    let list = vec![
        with(&rule, 0.0, of_rules.clone()),
        with(&rule, shuffled, of_rules),
        with("none", 0.0, toml::Table::new()),
    ];
    let plan = SweepPlan { life: Some(life), set: nested(set), list, ..plan };
    carry_out(&plan, folder, "--control", args.jobs_at_once, (true, args.json))
}

/// Settings as tables within tables, in which the name of a rule comes before its parameters.
fn nested(settings: Vec<Setting>) -> toml::Table {
    let mut tables = toml::Table::new();
    for Setting { key, value, .. } in settings {
        let mut parts: Vec<&str> = key.split('.').collect();
        let last = parts.pop().unwrap_or_default();
        let outer = parts.into_iter().try_fold(&mut tables, |table, part| {
            table.entry(part).or_insert_with(|| toml::Table::new().into()).as_table_mut()
        });
        if let Some(table) = outer {
            table.insert(last.into(), value);
        }
    }
    tables
}

/// A plan for the networks that `key` gives in `settings`, or for 4; and the other settings.
fn plan_of(mut settings: Vec<Setting>, key: &str) -> Result<(SweepPlan, Vec<Setting>)> {
    let networks = settings.iter().rfind(|setting| setting.key == key).map(|setting| setting.value.clone());
    let networks = networks.map_or("4".to_string(), |value| value.as_str().map_or(value.to_string(), String::from));
    settings.retain(|setting| setting.key != key);
    Ok((SweepPlan::of(usage(networks.parse())?), settings))
}

/// Writes the sweep of an `option` to a folder, runs and collects it, and with `compares` compares all settings with the first.
fn carry_out(
    plan: &SweepPlan,
    folder: PathBuf,
    option: &str,
    jobs_at_once: Option<u64>,
    (compares, json): (bool, bool),
) -> Result<ExitCode> {
    if folder.join(CONFIG_FILE).exists() {
        return usage(Err(anyhow!(
            "{} already holds a run; choose another folder for {option} (--out DIR)",
            folder.display()
        )));
    }
    let sweep = judged(plan.write(&folder))?;
    if let Ok(left_out) = std::fs::read_to_string(folder.join(LEFT_OUT_FILE)) {
        say(format_args!("left out: {}", left_out.trim_end()));
    }
    let code = share(&sweep, &sweep.jobs().iter().collect::<Vec<_>>(), jobs_at_once)?;
    if code == ExitCode::SUCCESS {
        collect(CollectArgs { folder, partial: false, against: compares.then_some(1), json })?;
    }
    Ok(code)
}

/// The settings of `train --control`, and the settings that all of them share: the rule, the rule with shuffled modulators, and the
/// rule at a rate of 0 or, if it is backpropagation, whose rate cannot be 0, untrained networks.
fn controls(rule: Option<&str>, settings: Vec<Setting>) -> (Vec<toml::Table>, Vec<Setting>) {
    let frozen: Vec<(&str, toml::Value)> = match rule {
        Some("bptt") => vec![("train.updates", 0.into())],
        _ => vec![("rule.eta", 0.0.into()), ("readout.eta", 0.0.into())],
    };
    let limits = ["train.updates", "train.trials"];
    let differs = |setting: &Setting| {
        let replaced = |key: &str| key == setting.key || limits.contains(&key) && limits.contains(&&setting.key[..]);
        frozen.iter().any(|(key, _)| replaced(key))
    };
    let (own, shared): (Vec<Setting>, Vec<Setting>) = settings.into_iter().partition(differs);
    let with = |shuffle: bool| {
        let shuffle = ("modulator.shuffle".to_string(), toml::Value::from(shuffle));
        std::iter::once(shuffle).chain(own.iter().map(|own| (own.key.clone(), own.value.clone()))).collect()
    };
    let frozen = frozen.into_iter().map(|(key, value)| (key.to_string(), value)).collect();
    (vec![with(false), with(true), frozen], shared)
}
