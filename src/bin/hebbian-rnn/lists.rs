//! `hebbian-rnn tasks` and `hebbian-rnn rules`.

use crate::args::ListArgs;
use crate::output::{print, print_json, table, usage};
use crate::Outcome;
use anyhow::Result;
use hebbian_rnn::{all_tasks, find_rule, find_task, RULES};

pub fn tasks(args: ListArgs) -> Result<Outcome> {
    if let Some(name) = &args.name {
        let info = usage(find_task(name))?;
        let config = info.config()?;
        if args.json {
            print_json(&config)?;
        } else {
            print(&format!("# {}: {}\n# Its defaults:\n\n{}", info.name, info.summary, config.to_toml()?))?;
        }
    } else if args.json {
        let tasks = all_tasks().map(|t| serde_json::json!({ "name": t.name, "summary": t.summary, "rule": t.rule }));
        print_json(&tasks.collect::<Vec<_>>())?;
    } else {
        let rows = all_tasks().map(|t| vec![t.name.to_string(), t.rule.to_string(), t.summary.to_string()]);
        print(&table(&["task", "rule", "what"], rows.collect(), 3).to_string())?;
        print("\nhebbian-rnn tasks TASK shows a task's defaults.")?;
    }
    Ok(Outcome::Done)
}

pub fn rules(args: ListArgs) -> Result<Outcome> {
    let only = args.name.as_deref().map(|name| usage(find_rule(name))).transpose()?;
    let rules = RULES.iter().filter(|rule| only.is_none_or(|only| only.name == rule.name));
    if args.json {
        let rules = rules.map(|rule| serde_json::json!({ "name": rule.name, "summary": rule.summary }));
        print_json(&rules.collect::<Vec<_>>())?;
    } else {
        let rows = rules.map(|rule| vec![rule.name.to_string(), rule.summary.to_string()]).collect();
        print(&table(&["rule", "eligibility"], rows, 2).to_string())?;
    }
    Ok(Outcome::Done)
}
