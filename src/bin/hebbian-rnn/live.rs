//! `hebbian-rnn live` and `hebbian-rnn lives`.

use crate::args::{ListArgs, LiveArgs};
use crate::console::say;
use crate::output::{device_name, open_device, print_json, print_table, usage};
use crate::progress::Progress;
use crate::{read, signals};
use anyhow::{anyhow, bail, ensure, Context, Result};
use candle_core::Device;
use hebbian_rnn::{find_life, find_task, holds_a_checkpoint, quantile, report_life, verdicts};
use hebbian_rnn::{
    Integrity, LifeCheckpoint, LifeConfig, LifeFolder, LifeRow, LifeSetup, Lives, Lock, Setting, Verdict,
};
use hebbian_rnn::{CIRCUIT_PICTURE, CONFIG_FILE, LIFE_PICTURE, LIVES, REPORT_FILE};
use serde_json::json;
use std::io::{stdout, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::Ordering;

pub fn run(args: LiveArgs) -> Result<ExitCode> {
    let resumes = args.resume || args.resume_or_start && read::holds_a_run(&named_folder(&args)?);
    let (mut lives, mut folder, device) = if resumes { resume(&args)? } else { start(&args)? };
    let out = folder.path().to_path_buf();
    let interrupted = signals::listen()?;
    let (first, seconds) = (lives.block(), lives.block_seconds());
    let progress = Progress::new("blocks", first, Some(lives.blocks()));
    let life = &lives.setup().config;
    let (world, networks) = (life.world_name()?, life.life.networks.range());
    progress.begin(|| format!("{world}: networks {networks:?} on {}, in {}", device_name(&device), out.display()));
    let age = |lives: &Lives| lives.block() as f64 * seconds;
    let mut news = |lives: &Lives, warning: Option<&str>| match warning {
        None => progress.set(lives.block(), || format!("{:.0} simulated seconds", age(lives))),
        Some(warning) => progress.say(&format!("warning: {warning}")),
    };
    if !folder.live(&mut lives, &mut news, &|| interrupted.load(Ordering::SeqCst))? {
        progress.end();
        say(format_args!(
            "interrupted after {} simulated seconds; everything is saved. To continue:\n  hebbian-rnn live --resume --out {}",
            age(&lives),
            out.display()
        ));
        return Ok(ExitCode::from(130));
    }
    progress.end();
    let lived = (lives.block() - first) as f64 * seconds;
    summarise(&args, &lives, &folder, lived, progress.seconds())?;
    Ok(ExitCode::SUCCESS)
}

fn start(args: &LiveArgs) -> Result<(Lives, LifeFolder, Device)> {
    if let Some(task) = args.life.as_deref().filter(|name| find_task(name).is_ok()) {
        return usage(Err(anyhow!("`{task}` is a task, not a life; to train on it: hebbian-rnn train {task}")));
    }
    let setup = resolve(args, Vec::new())?;
    let device = open_device(&setup.config.life.device)?;
    let out = match &args.out {
        Some(out) => out.clone(),
        None => Path::new("runs").join(setup.config.world_name()?),
    };
    let lives = Lives::new(setup, &device)?;
    let folder = LifeFolder::create(&out, lives.setup(), args.force)?;
    Ok((lives, folder, device))
}

/// The setup from `saved` settings, the file of `--config` and the options; later ones take precedence.
fn resolve(args: &LiveArgs, mut saved: Vec<Setting>) -> Result<LifeSetup> {
    if let Some(path) = &args.config {
        let text = std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        saved.extend(usage(Setting::from_toml(&text, &path.display().to_string()))?);
    }
    saved.extend(usage(args.settings())?);
    usage(LifeSetup::resolve(args.life.as_deref(), args.rule.as_deref(), &saved))
}

/// The folder of lives to be continued.
fn named_folder(args: &LiveArgs) -> Result<PathBuf> {
    read::named_folder(&args.out, args.life.as_ref().map(|life| Path::new("runs").join(life)))
}

fn resume(args: &LiveArgs) -> Result<(Lives, LifeFolder, Device)> {
    let out = named_folder(args)?;
    read::ensure_folder(&out)?;
    let lock = Lock::take(&out)?;
    let checkpoint = holds_a_checkpoint(&out).then(|| LifeCheckpoint::read(&out)).transpose()?;
    let saved = match &checkpoint {
        Some(checkpoint) => checkpoint.setup.config.clone(),
        None => {
            let path = out.join(CONFIG_FILE);
            ensure!(
                path.exists(),
                "{} does not hold a run: it has neither a checkpoint nor a {CONFIG_FILE}",
                out.display()
            );
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            LifeConfig::from_toml(&text).with_context(|| path.display().to_string())?
        }
    };
    let config = usage(saved.with(&usage(args.settings())?))?;
    const MAY_CHANGE: [&str; 5] =
        ["life.seconds", "life.frozen_seconds", "life.device", "life.checkpoint_every_seconds", "life.keep"];
    if let Some((key, ..)) = saved.difference(&config, &MAY_CHANGE)? {
        bail!("{key} differs from that of {}; --resume can change only {}", out.display(), MAY_CHANGE.join(", "));
    }
    let setup = usage(LifeSetup::new(config))?;
    if let Some(checkpoint) = &checkpoint {
        let extends = same_past(checkpoint, setup.config.life.seconds);
        usage(extends.map_err(|why| anyhow!("{}: {why}", out.display())))?;
    }
    let device = open_device(&setup.config.life.device)?;
    let saved_at = checkpoint.as_ref().map(|checkpoint| checkpoint.block);
    let lives = match checkpoint {
        Some(mut checkpoint) => {
            ensure!(
                checkpoint.integrity != Integrity::Changed || args.accept_edited,
                "{}: the checksum of its checkpoint does not match: it was damaged, or edited by hand; --accept-edited continues \
                 from it anyway",
                out.display()
            );
            checkpoint.setup = setup;
            Lives::resume(&checkpoint, &device)?
        }
        None => {
            say(format_args!("{} has no checkpoint yet: lives start from the beginning", out.display()));
            Lives::new(setup, &device)?
        }
    };
    let folder = LifeFolder::reopen(lock, lives.setup(), saved_at)?;
    if lives.is_over() {
        say(format_args!("{}: the simulation has already finished; nothing to do", out.display()));
    }
    Ok((lives, folder, device))
}

/// Refuses a new `life.seconds` that would change whether blocks already lived were frozen.
fn same_past(checkpoint: &LifeCheckpoint, seconds: f64) -> Result<(), String> {
    let before = checkpoint.setup.config.life.seconds;
    let lived = checkpoint.seconds();
    if seconds == before || (lived <= before && lived <= seconds) {
        return Ok(());
    }
    Err(format!("life.seconds is {before} and {lived} s have been simulated; it cannot become {seconds}"))
}

/// Prints the results of the lives.
fn summarise(args: &LiveArgs, lives: &Lives, folder: &LifeFolder, lived: f64, seconds: f64) -> Result<()> {
    let rows = folder.rows()?;
    if rows.is_empty() {
        return Ok(writeln!(stdout(), "networks before learning: {}", folder.path().display())?);
    }
    // Before anything is printed, which may fail.
    let verdicts = verdicts(lives.setup(), &rows)?;
    let drawn = draw(folder.path(), &lives.checkpoint()?, &rows);
    if args.json {
        let each = verdicts.iter().map(|(network, verdict)| {
            let figures: serde_json::Map<_, _> =
                verdict.figures.iter().map(|(name, v)| (name.to_string(), json!(v))).collect();
            json!({ "network": network, "learnt": verdict.learnt, "figures": figures })
        });
        return print_json(&json!({
            "life": lives.setup().config.world_name()?,
            "out": folder.path(),
            "simulated_seconds": lived,
            "seconds": seconds,
            "networks": each.collect::<Vec<_>>(),
        }));
    }
    if lived > 0.0 {
        let networks = lives.setup().config.life.networks.count();
        writeln!(stdout(), "{networks} lives of {lived} simulated seconds in {seconds:.1} s")?;
    }
    print_life(folder.path(), &verdicts, drawn)
}

/// Draws the pictures of lives; returns whether that worked.
pub fn draw(folder: &Path, checkpoint: &LifeCheckpoint, rows: &[LifeRow]) -> bool {
    let drawn = report_life(folder, checkpoint, rows, &[]);
    let later = format!("to draw them later: hebbian-rnn plot {}", folder.display());
    drawn.inspect_err(|why| say(format_args!("warning: no pictures: {why}; {later}"))).is_ok()
}

/// Prints the verdict on each network and, if they are `drawn`, where the pictures are.
pub fn print_life(folder: &Path, verdicts: &[(u64, Verdict)], drawn: bool) -> Result<()> {
    let networks = verdicts.len();
    let mut console = stdout();
    print_verdicts(verdicts)?;
    let judged: Vec<bool> = verdicts.iter().filter_map(|(_, verdict)| verdict.learnt).collect();
    if !judged.is_empty() {
        writeln!(console, "\nlearnt: {} of {networks}", judged.iter().filter(|learnt| **learnt).count())?;
    }
    if drawn {
        let file = |name: &str| folder.join(name).display().to_string();
        let (life, circuit) = (file(LIFE_PICTURE), file(CIRCUIT_PICTURE));
        writeln!(console, "\n{life}.png\n{life}.svg\n{circuit}.png\n{circuit}.svg\n{}", file(REPORT_FILE))?;
    }
    Ok(())
}

fn print_verdicts(verdicts: &[(u64, Verdict)]) -> Result<()> {
    const COLUMNS: usize = 11;
    let Some((_, first)) = verdicts.first() else { return Ok(()) };
    let mut header = vec!["network", "learnt"];
    header.extend(first.figures.iter().map(|(name, _)| *name));
    header.resize(COLUMNS, "");
    let header: [&str; COLUMNS] = std::array::from_fn(|k| header[k]);
    let number = |v: f64| match v {
        v if v.is_nan() => "-".into(),
        v if v != 0.0 && v.abs() < 0.1 => format!("{v:.4}"),
        v if v.fract() == 0.0 => format!("{v}"),
        v => format!("{v:.2}"),
    };
    let row = |name: String, learnt: &str, figures: &mut dyn Iterator<Item = f64>| {
        let mut cells = vec![name, learnt.to_string()];
        cells.extend(figures.map(number));
        cells.resize(COLUMNS, String::new());
        std::array::from_fn(|k| cells[k].clone())
    };
    let of_network = |(network, verdict): &(u64, Verdict)| {
        let learnt = verdict.learnt.map_or("-", |learnt| if learnt { "yes" } else { "no" });
        row(network.to_string(), learnt, &mut verdict.figures.iter().map(|(_, v)| *v))
    };
    let mut rows: Vec<[String; COLUMNS]> = verdicts.iter().map(of_network).collect();
    // Missing figures, such as the time of an event that did not happen, are left out.
    let column =
        |k: usize| verdicts.iter().map(move |(_, v)| v.figures[k].1).filter(|v| !v.is_nan()).collect::<Vec<f64>>();
    let quantiles = |q: f64| (0..first.figures.len()).map(move |k| quantile(&column(k), q).unwrap_or(f64::NAN));
    if verdicts.len() > 2 {
        for (name, q) in [("lower quartile", 0.25), ("median", 0.5), ("upper quartile", 0.75)] {
            rows.push(row(name.into(), "", &mut quantiles(q)));
        }
    }
    print_table(header, rows.into_iter(), 2)
}

pub fn list(args: ListArgs) -> Result<()> {
    if let Some(name) = &args.name {
        let info = usage(find_life(name))?;
        let config = info.config(None)?;
        if args.json {
            return print_json(&config);
        }
        writeln!(stdout(), "# {}: {}\n# Its defaults:\n\n{}", info.name, info.summary, config.to_toml()?)?;
        return Ok(());
    }
    if args.json {
        let lives = LIVES.iter().map(|l| json!({ "name": l.name, "summary": l.summary, "rules": l.rules }));
        return print_json(&lives.collect::<Vec<_>>());
    }
    let rows = LIVES.iter().map(|l| [l.name.to_string(), l.rules.join(", "), l.summary.to_string()]);
    print_table(["life", "rules", "description"], rows, 3)?;
    Ok(writeln!(stdout(), "\nhebbian-rnn lives LIFE shows a life's defaults.")?)
}
