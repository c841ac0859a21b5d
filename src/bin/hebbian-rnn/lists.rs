//! `hebbian-rnn tasks` and `hebbian-rnn rules`.

use crate::args::ListArgs;
use crate::output::{print, print_json, table, usage};
use crate::Outcome;
use anyhow::Result;
use hebbian_rnn::config::{Config, RuleName};
use hebbian_rnn::settings::parse_rule;
use hebbian_rnn::task::{all, find};

pub fn tasks(args: ListArgs) -> Result<Outcome> {
    if let Some(name) = &args.name {
        let info = usage(find(name))?;
        let config = Config::for_task(name)?;
        if args.json {
            print_json(&config)?;
        } else {
            print(&format!("# {}: {}\n# Its defaults:\n\n{}", info.name, info.summary, config.to_toml()?))?;
        }
    } else if args.json {
        let tasks = all().map(|t| serde_json::json!({ "name": t.name, "summary": t.summary, "rule": t.rule }));
        print_json(&tasks.collect::<Vec<_>>())?;
    } else {
        let rows = all().map(|t| vec![t.name.to_string(), t.rule.as_str().to_string(), t.summary.to_string()]);
        print(&table(&["task", "rule", "what"], rows.collect(), 3).to_string())?;
        print("\nhebbian-rnn tasks TASK shows a task's defaults.")?;
    }
    Ok(Outcome::Done)
}

pub fn rules(args: ListArgs) -> Result<Outcome> {
    let only = args.name.as_deref().map(|name| usage(parse_rule(name))).transpose()?;
    let rules = RuleName::ALL.into_iter().filter(|(rule, _)| only.is_none_or(|only| only == *rule));
    if args.json {
        print_json(
            &rules.map(|(rule, summary)| serde_json::json!({ "name": rule, "summary": summary })).collect::<Vec<_>>(),
        )?;
    } else {
        let rows = rules.map(|(rule, summary)| vec![rule.as_str().to_string(), summary.to_string()]).collect();
        print(&table(&["rule", "eligibility"], rows, 2).to_string())?;
    }
    Ok(Outcome::Done)
}
