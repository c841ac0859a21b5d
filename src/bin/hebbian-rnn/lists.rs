//! `hebbian-rnn explain`, `hebbian-rnn cite`, `hebbian-rnn tasks`, `hebbian-rnn rules` and `hebbian-rnn devices`.

use crate::args::{CiteArgs, ExplainArgs, ListArgs, SchemaOf};
use crate::output::{print_json, print_table, usage, yes_no};
use anyhow::Result;
use candle_core::Device;
use hebbian_rnn::device::list_devices;
use hebbian_rnn::papers::Paper;
use hebbian_rnn::presets::{all_tasks, find_task};
use hebbian_rnn::report::{bibtex, papers_of, papers_of_life};
use hebbian_rnn::rules::find_rule;
use hebbian_rnn::runs::explain_as_json;
use hebbian_rnn::storage::holds_a_life;
use hebbian_rnn::{Checkpoint, LifeCheckpoint, RULES};
use serde_json::json;
use std::io::{stdout, Write};

pub fn cite(args: CiteArgs) -> Result<()> {
    let papers = if holds_a_life(&args.run) {
        papers_of_life(LifeCheckpoint::read(&args.run)?.setup.config())
    } else {
        papers_of(&Checkpoint::read(&args.run, &Device::Cpu)?.setup)
    };
    if args.json {
        let entry = |paper: &&Paper| {
            let authors: Vec<&str> = paper.authors.split(" and ").collect();
            json!({ "key": paper.key, "authors": authors, "year": paper.year, "title": paper.title, "url": paper.url(),
                "bibtex": paper.to_string() })
        };
        return print_json(&papers.iter().map(entry).collect::<Vec<_>>());
    }
    Ok(writeln!(stdout(), "{}", bibtex(&papers))?)
}

pub fn tasks(args: ListArgs) -> Result<()> {
    if let Some(name) = &args.name {
        let info = usage(find_task(name))?;
        let config = info.config()?;
        if args.json {
            return print_json(&config);
        }
        writeln!(stdout(), "# {}: {}\n# Its defaults:\n\n{}", info.name, info.summary, config.to_toml()?)?;
        return Ok(());
    }
    if args.json {
        let tasks = all_tasks().map(|t| json!({ "name": t.name, "summary": t.summary, "rule": t.rule }));
        return print_json(&tasks.collect::<Vec<_>>());
    }
    let rows = all_tasks().map(|t| [t.name, t.rule, t.summary].map(String::from));
    print_table(&["task", "rule", "description"], rows, 3)?;
    Ok(writeln!(stdout(), "\nhebbian-rnn tasks TASK shows a task's defaults.")?)
}

pub fn rules(args: ListArgs) -> Result<()> {
    let only = args.name.as_deref().map(|name| usage(find_rule(name))).transpose()?;
    let rules = RULES.iter().filter(|rule| only.is_none_or(|only| only.name == rule.name));
    if args.json {
        let rules = rules.map(|rule| json!({ "name": rule.name, "summary": rule.summary }));
        return print_json(&rules.collect::<Vec<_>>());
    }
    print_table(&["rule", "eligibility"], rules.map(|rule| [rule.name, rule.summary].map(String::from)), 2)
}

pub fn explain(args: ExplainArgs) -> Result<()> {
    let name = args.name.join(" ");
    if args.json {
        return print_json(&usage(explain_as_json(&name))?);
    }
    let text = match args.schema {
        _ if !name.is_empty() => usage(hebbian_rnn::explain(&name))? + "\n",
        Some(SchemaOf::Run) => hebbian_rnn::runs::config_schema()? + "\n",
        Some(SchemaOf::Life) => hebbian_rnn::runs::life_schema()? + "\n",
        None => hebbian_rnn::runs::reference()?,
    };
    Ok(write!(stdout(), "{text}")?)
}

pub fn devices(args: ListArgs) -> Result<()> {
    let mut found = list_devices();
    found.retain(|device| args.name.as_ref().is_none_or(|name| *name == device.name));
    if args.json {
        return print_json(&found);
    }
    print_table(&["device", "usable", "detail"], found.into_iter().map(|d| [d.name, yes_no(d.usable), d.detail]), 3)
}
