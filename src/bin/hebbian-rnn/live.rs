//! `hebbian-rnn live` and `hebbian-rnn lives`.

use crate::args::{ListArgs, LiveArgs, PlaceArgs};
use crate::console::warn;
use crate::output::{counted, open_device, print_json, print_table, usage};
use crate::progress::Progress;
use crate::run::{self, Kind};
use crate::scan;
use anyhow::Result;
use candle_core::Device;
use hebbian_rnn::presets::LIVES;
use hebbian_rnn::presets::{find_life, find_task};
use hebbian_rnn::quantile::quantile;
use hebbian_rnn::report::report_life;
use hebbian_rnn::storage::read_life_rows;
use hebbian_rnn::storage::{CIRCUIT_PICTURE, LIFE_PICTURE, METRICS_FILE, REPORT_FILE};
use hebbian_rnn::training::verdicts;
use hebbian_rnn::worlds::{LifeRow, Verdict};
use hebbian_rnn::{Error, LifeCheckpoint, LifeConfig, LifeSetup, Lives, Observer, Process, Saved, Setting, StopReason};
use serde_json::json;
use std::io::{stdout, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

pub fn run(args: &LiveArgs) -> Result<ExitCode> {
    if args.control {
        return scan::control_lives(args);
    }
    run::run::<Lives>(args)
}

impl Kind for Lives {
    type Args = LiveArgs;
    type Watch = Watch;
    const TURNS: &'static str = "blocks";
    const STARTS: &'static str = "lives start";

    fn place(args: &LiveArgs) -> &PlaceArgs {
        &args.place
    }

    fn settings(args: &LiveArgs, _resumes: bool) -> Result<Vec<Setting>> {
        args.settings()
    }

    fn named_folder(args: &LiveArgs) -> Option<PathBuf> {
        args.life.as_ref().map(|life| Path::new("runs").join(life))
    }

    fn new_folder(setup: &LifeSetup) -> Result<PathBuf> {
        Ok(Path::new("runs").join(setup.config().world_name()?))
    }

    fn resolve(args: &LiveArgs, saved: Option<&LifeConfig>, settings: &[Setting]) -> hebbian_rnn::Result<LifeSetup> {
        if let Some(task) = args.life.as_deref().filter(|name| find_life(name).is_err() && find_task(name).is_ok()) {
            let text = format!("`{task}` is a task, not a life; to train on it: hebbian-rnn train {task}");
            return Err(Error::Usage(text));
        }
        match saved {
            Some(saved) => LifeSetup::new(saved.with(settings)?),
            None => LifeSetup::resolve(args.life.as_deref(), args.rule.as_deref(), settings),
        }
    }

    fn open_devices(setup: &LifeSetup) -> Result<Vec<Device>> {
        Ok(vec![open_device(&setup.config().life.device)?])
    }

    fn prepare(_args: &LiveArgs, _setup: &mut LifeSetup, _devices: &[Device]) -> Result<()> {
        Ok(())
    }

    fn open(_args: &LiveArgs, out: &Path) -> Result<LifeCheckpoint> {
        Ok(LifeCheckpoint::read(out)?)
    }

    fn ensure_continues(saved: &mut Saved<Lives>, setup: &LifeSetup, out: &Path) -> Result<()> {
        let place = out.display().to_string();
        usage(match saved {
            Saved::Checkpoint(checkpoint) => checkpoint.ensure_continues(setup, &place),
            Saved::Config(config) => config.goes_on_as(setup.config(), &place),
        })
    }

    fn title(lives: &Lives, devices: &str, out: &Path) -> String {
        let config = &lives.setup().config();
        let (world, networks) = (config.world_name().unwrap_or_default(), config.life.networks.range());
        format!("{world}: networks {networks:?} on {devices}, in {}", out.display())
    }

    fn watch(lives: &Lives, progress: Arc<Progress>) -> Watch {
        Watch { progress, first_second: lives.seconds() }
    }

    fn to_continue(lives: &Lives, _reason: StopReason) -> String {
        format!("--seconds {}", 2.0 * lives.setup().config().life.seconds)
    }

    fn length(lives: &Lives) -> String {
        lives.moment()
    }

    fn failure(_lives: &Lives, _reason: StopReason) -> Option<String> {
        None
    }

    fn summarise(args: &LiveArgs, lives: Lives, watch: &Watch, seconds: f64, out: &Path) -> Result<()> {
        let lived = lives.seconds() - watch.first_second;
        summarise(args, &lives, out, lived, seconds)
    }
}

/// Shows progress.
pub struct Watch {
    progress: Arc<Progress>,
    /// The simulated time when this process began.
    first_second: f64,
}

impl Observer<Lives> for Watch {
    fn update(&mut self, lives: &Lives, report: &Vec<LifeRow>) -> hebbian_rnn::Result<()> {
        self.progress.set(lives.block(), || lives.in_short(report));
        Ok(())
    }

    fn warning(&mut self, message: &str) {
        self.progress.say(&format!("warning: {message}"));
    }
}

/// Prints the results of the lives.
fn summarise(args: &LiveArgs, lives: &Lives, folder: &Path, lived: f64, seconds: f64) -> Result<()> {
    let rows = read_life_rows(&folder.join(METRICS_FILE))?;
    if rows.is_empty() {
        return Ok(writeln!(stdout(), "networks before learning: {}", folder.display())?);
    }
    // This comes before anything is printed, since printing can fail.
    let verdicts = verdicts(lives.setup(), &rows)?;
    let drawn = draw(folder, &lives.checkpoint()?, &rows);
    if args.json {
        let each = verdicts.iter().map(|(network, verdict)| {
            let figures: serde_json::Map<_, _> =
                verdict.figures.iter().map(|(name, v)| (name.to_string(), json!(v))).collect();
            json!({ "network": network, "learnt": verdict.learnt, "figures": figures })
        });
        return print_json(&json!({
            "life": lives.setup().config().world_name()?,
            "out": folder,
            "simulated_seconds": lived,
            "seconds": seconds,
            "networks": each.collect::<Vec<_>>(),
        }));
    }
    if lived > 0.0 {
        let networks = counted(lives.setup().config().life.networks.count() as u64, "network");
        writeln!(stdout(), "{networks}, each for {lived} simulated seconds, in {seconds:.1} s")?;
    }
    print_life(folder, &verdicts, drawn)
}

/// Draws the pictures of lives; returns whether that worked.
pub fn draw(folder: &Path, checkpoint: &LifeCheckpoint, rows: &[LifeRow]) -> bool {
    let drawn = report_life(folder, checkpoint, rows, &[]);
    let later = format!("to draw them later: hebbian-rnn plot {}", folder.display());
    drawn.inspect_err(|why| warn(format_args!("warning: no pictures: {why}; {later}"))).is_ok()
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
    let Some((_, first)) = verdicts.first() else { return Ok(()) };
    let mut header = vec!["network", "learnt"];
    header.extend(first.figures.iter().map(|(name, _)| &name[..]));
    // Adding 0 makes −0 a 0.
    let number = |v: f64| match v + 0.0 {
        v if v.is_nan() => "-".into(),
        v if v != 0.0 && v.abs() < 0.1 => format!("{v:.4}"),
        v if v.fract() == 0.0 => format!("{v}"),
        v => format!("{v:.2}"),
    };
    let row = |name: String, learnt: &str, figures: &mut dyn Iterator<Item = f64>| -> Vec<String> {
        [name, learnt.to_string()].into_iter().chain(figures.map(number)).collect()
    };
    let of_network = |(network, verdict): &(u64, Verdict)| {
        let learnt = verdict.learnt.map_or("-", |learnt| if learnt { "yes" } else { "no" });
        row(network.to_string(), learnt, &mut verdict.figures.iter().map(|(_, v)| *v))
    };
    let mut rows: Vec<Vec<String>> = verdicts.iter().map(of_network).collect();
    // Missing figures, such as the time of an event that did not happen, are left out.
    let column =
        |k: usize| verdicts.iter().map(move |(_, v)| v.figures[k].1).filter(|v| !v.is_nan()).collect::<Vec<f64>>();
    let quantiles = |q: f64| (0..first.figures.len()).map(move |k| quantile(&column(k), q).unwrap_or(f64::NAN));
    if verdicts.len() > 2 {
        for (name, q) in [("lower quartile", 0.25), ("median", 0.5), ("upper quartile", 0.75)] {
            rows.push(row(name.into(), "", &mut quantiles(q)));
        }
    }
    print_table(&header, rows.into_iter(), 2)
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
    print_table(&["life", "rules", "description"], rows, 3)?;
    Ok(writeln!(stdout(), "\nhebbian-rnn lives LIFE shows a life's defaults.")?)
}
