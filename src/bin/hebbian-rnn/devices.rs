//! `hebbian-rnn devices`.

use crate::args::ListArgs;
use crate::output::{print, print_json, table};
use crate::Outcome;
use anyhow::Result;
use hebbian_rnn::{list_devices, FoundDevice};

pub fn run(args: ListArgs) -> Result<Outcome> {
    let found: Vec<_> =
        list_devices().into_iter().filter(|d| args.name.as_ref().is_none_or(|name| *name == d.name)).collect();
    if args.json {
        print_json(&found)?;
    } else {
        let row = |d: &FoundDevice| vec![d.name.clone(), if d.usable { "yes" } else { "no" }.into(), d.detail.clone()];
        print(&table(&["device", "usable", "detail"], found.iter().map(row).collect(), 3).to_string())?;
    }
    Ok(Outcome::Done)
}
