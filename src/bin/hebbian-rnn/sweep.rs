//! `hebbian-rnn sweep`.

use crate::args::{CollectArgs, PlanSweepArgs, RunSweepArgs, ScriptArgs, StatusArgs, SweepCommand};
use crate::console::{say, warn};
use crate::output::{counted, judged, print_json, print_table, usage, Spinner};
use crate::progress::Progress;
use crate::signals;
use anyhow::{bail, Context, Result};
use hebbian_rnn::inference::wilson;
use hebbian_rnn::sweep::{job_numbers, Collected, Comparison, Job, JobNews, JobState, SettingResult};
use hebbian_rnn::sweep::{LEFT_OUT_FILE, RESULTS_FILE};
use hebbian_rnn::{Sweep, SweepPlan};
use serde_json::json;
use std::io::{stdout, Write};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

/// The environment variables in which batch systems pass the index of an array job.
const INDICES: [&str; 4] = ["SLURM_ARRAY_TASK_ID", "LSB_JOBINDEX", "PBS_ARRAY_INDEX", "SGE_TASK_ID"];
/// The number of settings shown in a table.
const SHOWN: usize = 10;
/// The time over which `live --control` shuffles modulators, at most. It is long beside every eligibility of the lives, up to a second,
pub fn run(command: SweepCommand) -> Result<ExitCode> {
    let done = match command {
        SweepCommand::Plan(args) => plan(args),
        SweepCommand::Run(args) => return run_jobs(args),
        SweepCommand::Status(args) => status(args),
        SweepCommand::Collect(args) => collect(args),
        SweepCommand::Script(args) => script(args),
    };
    done.map(|()| ExitCode::SUCCESS)
}

fn plan(args: PlanSweepArgs) -> Result<()> {
    let plan = judged(SweepPlan::read(&args.file))?;
    let sweep = judged(plan.write(&args.out))?;
    let (jobs, settings) = (sweep.jobs().len() as u64, sweep.settings().count() as u64);
    writeln!(
        stdout(),
        "{}: {} of {} in {}; to run them here: hebbian-rnn sweep run {0}",
        args.out.display(),
        counted(settings, "setting"),
        counted(plan.networks.count() as u64, "network"),
        counted(jobs, "job"),
    )?;
    let left_out = args.out.join(LEFT_OUT_FILE);
    if left_out.exists() {
        writeln!(stdout(), "impossible settings are left out; {} says why", left_out.display())?;
    }
    Ok(())
}

fn run_jobs(args: RunSweepArgs) -> Result<ExitCode> {
    let sweep = judged(Sweep::open(&args.folder))?;
    let index =
        |name: &&str| std::env::var(name).ok().and_then(|text| text.parse::<usize>().ok()).filter(|number| *number > 0);
    let numbers: Vec<usize> = match (&args.job[..], INDICES.iter().find_map(index)) {
        ([], Some(number)) => vec![number],
        ([], None) => (1..=sweep.jobs().len()).collect(),
        (jobs, _) => jobs.iter().cloned().flatten().collect(),
    };
    let jobs = usage(numbers.iter().map(|number| sweep.job(*number)).collect::<Result<Vec<_>, _>>())?;
    let code = share(&sweep, &jobs, args.jobs_at_once)?;
    if code == ExitCode::SUCCESS && jobs.len() == sweep.jobs().len() {
        writeln!(
            stdout(),
            "all jobs are finished; to collect the results: hebbian-rnn sweep collect {}",
            args.folder.display()
        )?;
    }
    Ok(code)
}

/// Runs jobs, several at once, until all are finished or a signal asks to stop.
pub fn share(sweep: &Sweep, jobs: &[&Job], at_once: Option<u64>) -> Result<ExitCode> {
    let (todo, best) = judged(sweep.unfinished(jobs.iter().copied()))?;
    if todo.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    let at_once = at_once.map_or(best, |p| p as usize).min(todo.len());
    let interrupted = signals::listen()?;
    let stop = || interrupted.load(Ordering::SeqCst);
    let progress = Progress::new("jobs", 0, Some(todo.len() as u64));
    progress.begin(|| match &todo[..] {
        [job] => format!(
            "{}: job {}, setting {}, networks {:?}",
            sweep.folder().display(),
            job.number,
            job.setting,
            job.networks.range()
        ),
        jobs => format!("{}: {} jobs, {at_once} at once", sweep.folder().display(), jobs.len()),
    });
    let news = |job: &Job, news: JobNews| match news {
        JobNews::Finished => progress.step(|| format!("job {} is finished", job.number)),
        // A single job's error ends the program.
        JobNews::Failed(_) if todo.len() == 1 => {}
        JobNews::Failed(why) => progress.say(&format!("error: job {}: {why}", job.number)),
        JobNews::Warning(warning) => progress.say(&format!("warning: job {}: {warning}", job.number)),
        JobNews::Progress(line) => progress.show(|| format!("job {}: {}", job.number, line())),
        _ => {}
    };
    let mut failed = sweep.run_all(&todo, at_once, &news, &stop)?;
    progress.end();
    if stop() {
        say(format_args!(
            "interrupted; everything is saved. To continue:\n  hebbian-rnn sweep run {}",
            sweep.folder().display()
        ));
        return Ok(ExitCode::from(130));
    }
    match &failed[..] {
        [] => Ok(ExitCode::SUCCESS),
        [_] if todo.len() == 1 => judged(Err(failed.remove(0).1)),
        failed => {
            let numbers: Vec<usize> = failed.iter().map(|(number, _)| *number).collect();
            bail!("jobs {} failed; the others are finished", job_numbers(&numbers))
        }
    }
}

fn status(args: StatusArgs) -> Result<()> {
    let sweep = judged(Sweep::open(&args.folder))?;
    let states = sweep.jobs().iter().map(|job| Ok((job, sweep.state(job)?))).collect::<Result<Vec<_>>>()?;
    if args.json {
        let job = |(job, state): &(&Job, JobState)| json!({ "job": job.number, "setting": job.setting, "networks": job.networks, "state": state });
        return print_json(&states.iter().map(job).collect::<Vec<_>>());
    }
    let of = |wanted: fn(&JobState) -> bool| -> Vec<usize> {
        states.iter().filter(|(_, state)| wanted(state)).map(|(job, _)| job.number).collect()
    };
    let finished = of(|state| *state == JobState::Finished);
    let unconfirmed = of(|state| *state == JobState::Unconfirmed);
    let begun = of(|state| !matches!(state, JobState::Finished | JobState::Waiting));
    let waiting = of(|state| *state == JobState::Waiting);
    let mut console = stdout();
    let all = states.len();
    for (name, jobs) in [("finished", &finished), ("begun", &begun), ("waiting", &waiting)] {
        let numbers =
            if jobs.is_empty() || jobs.len() == all { String::new() } else { format!(": {}", job_numbers(jobs)) };
        writeln!(console, "{name:<9}{:>6} of {all}{numbers}", jobs.len())?;
    }
    let begun_jobs = states.iter().filter_map(|(job, state)| match *state {
        JobState::Begun { updates } => Some(format!("job {} has made {}", job.number, counted(updates, "update"))),
        JobState::Living { seconds } => Some(format!("job {} has lived {seconds} s", job.number)),
        _ => None,
    });
    begun_jobs.take(SHOWN).try_for_each(|line| writeln!(console, "{line}"))?;
    if !unconfirmed.is_empty() {
        let numbers = job_numbers(&unconfirmed);
        writeln!(
            console,
            "job {numbers}: trained, but its files are not confirmed; if run again, its networks are only retested"
        )?;
    }
    if finished.len() < all {
        let mut missing = [begun, waiting].concat();
        missing.sort_unstable();
        writeln!(console, "to run the unfinished jobs: --array={0}, or --job {0}", job_numbers(&missing))?;
    }
    Ok(())
}

pub fn collect(args: CollectArgs) -> Result<()> {
    let sweep = judged(Sweep::open(&args.folder))?;
    let spinner = Spinner::start("collecting");
    let found = judged(sweep.collect(args.partial))?;
    let compared = match args.against {
        Some(setting) => usage(sweep.compare(setting))?,
        None => Vec::new(),
    };
    spinner.say("drawing");
    let pictures = sweep.draw(&found)?;
    drop(spinner);
    if !found.unchecked.is_empty() {
        warn(format_args!(
            "warning: job {} finished under an earlier version of the program, so its files could not be checked for later changes; \
             hebbian-rnn sweep run {} retests the networks, without training, and confirms them",
            job_numbers(&found.unchecked),
            args.folder.display()
        ));
    }
    if args.json {
        let setting = |result: &SettingResult| {
            let mut object = serde_json::to_value(result).unwrap_or_default();
            object["values"] = sweep.keys().iter().cloned().zip(result.values.iter().cloned()).collect();
            object
        };
        return print_json(&json!({
            "measure": found.measure(),
            "settings": found.settings.iter().map(setting).collect::<Vec<_>>(),
            "apart": found.apart,
            "unchecked": found.unchecked,
            "compared": compared,
        }));
    }
    print_collected(&sweep, &found)?;
    if let Some(against) = args.against {
        print_comparisons(against, &compared, &found)?;
    }
    let mut console = stdout();
    writeln!(console, "\n{}", args.folder.join(RESULTS_FILE).display())?;
    pictures.iter().try_for_each(|path| writeln!(console, "{}", path.display()))?;
    Ok(())
}

/// Prints the best settings.
fn print_collected(sweep: &Sweep, found: &Collected) -> Result<()> {
    let values = |result: &SettingResult| {
        let given = sweep.keys().iter().zip(result.values_in_words()).filter(|(_, value)| !value.is_empty());
        given.map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    };
    let reached = |result: &SettingResult| {
        let [low, high] = wilson(result.reached, result.networks);
        format!("{} of {} ({low:.2} to {high:.2})", result.reached, result.networks)
    };
    let shown = || found.settings.iter().take(SHOWN);
    let measured = format!("{}: median (quartiles)", found.measure());
    if found.lives {
        let row = |result: &SettingResult| {
            [result.setting.to_string(), reached(result), result.measured_in_words(), values(result)]
        };
        print_table(&["setting", "learnt (95 %)", &measured, "values"], shown().map(row), 1)?;
    } else {
        let row = |result: &SettingResult| {
            let (criterion, measured) = (result.criterion_in_words(), result.measured_in_words());
            [result.setting.to_string(), reached(result), criterion, measured, values(result)]
        };
        let header = ["setting", "at criterion (95 %)", "trials to it: median (quartiles)", &measured, "values"];
        print_table(&header, shown().map(row), 1)?;
    }
    let mut console = stdout();
    if found.settings.len() > SHOWN {
        writeln!(console, "the best {SHOWN} of {} settings", found.settings.len())?;
    }
    for (setting, why) in &found.apart {
        writeln!(console, "setting {setting} has no merged run: {why}")?;
    }
    Ok(())
}

/// Prints comparisons with a setting.
fn print_comparisons(against: usize, compared: &[Comparison], found: &Collected) -> Result<()> {
    let settings = compared.len();
    writeln!(stdout(), "\nCompared with setting {against}, network by network (p corrected by Holm for {settings}):")?;
    let row = |c: &Comparison| {
        let difference = c.difference.map_or("-".to_string(), |value| format!("{value:+.3}"));
        let [here, there] = c.reached_only;
        [
            c.setting.to_string(),
            format!("{here} and {there} of {}", c.networks),
            probability(c.p_reached),
            difference,
            probability(c.p_measured),
        ]
    };
    let measured = format!("{}: median difference", found.measure());
    let did = if found.lives { "learnt only here and only there" } else { "at criterion only here and only there" };
    let header = ["setting", did, "p (McNemar)", &measured, "p (Wilcoxon)"];
    print_table(&header, compared.iter().map(row), 1)
}

/// A probability with two significant digits.
fn probability(p: f64) -> String {
    if p < 0.01 {
        format!("{p:.1e}")
    } else {
        format!("{p:.2}")
    }
}

fn script(args: ScriptArgs) -> Result<()> {
    let engine = judged(args.engine.parse())?;
    let sweep = judged(Sweep::open(&args.folder))?;
    let program = std::env::current_exe().context("the path of this program")?;
    // Slurm and other batch systems write logs only into an existing folder.
    let logs = args.folder.join("logs");
    std::fs::create_dir_all(&logs).with_context(|| format!("creating the folder {}", logs.display()))?;
    let text = sweep.script(engine, &program, args.cores as usize, args.minutes)?;
    Ok(write!(stdout(), "{text}")?)
}
