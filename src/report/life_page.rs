//! The page of lives, filled in from `life.html`.

use super::lives::title;
use super::page::{picture, render};
use crate::error::{Doing, Result};
use crate::plot::Canvas;
use crate::presets::find_life;
use crate::reader::sha256;
use crate::training::{verdicts, LifeCheckpoint, CHECKPOINT_FILE};
use crate::worlds::LifeRow;
use minijinja::context;
use minijinja::value::{Serde, Value};
use std::path::Path;

/// The page of the lives in `folder`, with their pictures.
pub(super) fn life_page(
    folder: &Path,
    checkpoint: &LifeCheckpoint,
    rows: &[LifeRow],
    (life_picture, circuit_picture): (&Canvas, &Canvas),
) -> Result<String> {
    let setup = &checkpoint.setup;
    let life = &setup.config.life;
    let verdicts = verdicts(setup, rows)?;
    let judged: Vec<bool> = verdicts.iter().filter_map(|(_, verdict)| verdict.learnt).collect();
    let learnt = judged.iter().filter(|learnt| **learnt).count();
    let names =
        verdicts.first().map_or(Vec::new(), |(_, first)| first.figures.iter().map(|(name, _)| &name[..]).collect());
    let number = |v: f64| {
        if v.is_nan() {
            "–".to_string()
        } else {
            format!("{:.4}", v).trim_end_matches('0').trim_end_matches('.').into()
        }
    };
    let networks = verdicts.iter().map(|(network, verdict)| {
        context! {
            number => network,
            learnt => verdict.learnt.map_or("–", |learnt| if learnt { "yes" } else { "no" }),
            figures => Serde(verdict.figures.iter().map(|(_, v)| number(*v)).collect::<Vec<String>>()),
        }
    });
    let file = folder.join(CHECKPOINT_FILE);
    let world = setup.config.world_name()?;
    render(
        include_str!("life.html"),
        context! {
            style => include_str!("style.css"),
            program => &checkpoint.program,
            title => title(setup)?,
            summary => find_life(world).map(|info| info.summary).ok(),
            neurons => setup.circuit.neurons(),
            lived => checkpoint.seconds(),
            seconds => life.seconds + life.frozen_seconds,
            seed => life.seed,
            learnt => (!judged.is_empty()).then(|| format!("Learnt: {learnt} of {}.", judged.len())),
            life => picture(
                life_picture,
                format!("Figures over the life of {}, weights, and the activity of the neurons after training.", title(setup)?),
                "Lines: medians over networks, with quartiles. Below: initial and current weights, and the first network after \
                 training, with frozen weights.",
            ),
            circuit => picture(
                circuit_picture,
                format!("{} populations and {} projections.", setup.config.populations.len(), setup.config.projections.len()),
                "Populations and projections.",
            ),
            names => Serde(names),
            networks => networks.collect::<Value>(),
            configuration => setup.config.to_toml()?,
            checkpoint => CHECKPOINT_FILE,
            sha256 => sha256(&std::fs::read(&file).doing("reading", &file)?),
        },
    )
}
