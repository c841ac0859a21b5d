//! The pictures of lives: figures over time, weights before and after, membrane potentials and spikes after training,
//! and the circuit.

use super::life_page::life_page;
use crate::config::{Connect, Sign};
use crate::engine::life::{check_memory, newborn};
use crate::engine::{LifeRecord, LifeState};
use crate::error::Result;
use crate::files::write_atomically;
use crate::plot::{Canvas, CircuitDrawing, Colour, Edge, HeatMap, Mark, Node, Panel, Panels, Shape};
use crate::quantile::quantile;
use crate::runs::{simulate_life, watched_neurons};
use crate::setup::LifeSetup;
use crate::storage::{CIRCUIT_PICTURE, LIFE_PICTURE, REPORT_FILE};
use crate::training::{check_rows, LifeCheckpoint};
use crate::worlds::LifeRow;
use candle_core::Device;
use std::collections::BTreeMap;
use std::path::Path;

/// The length of the stretch of activity that is shown, in ms, and the most neurons shown per population.
const SHOWN_MS: f64 = 2000.0;
const SHOWN_NEURONS: usize = 30;
/// The stretch in which membrane potentials are shown.
const MEMBRANE_MS: f64 = 300.0;
/// The stretch in which the trajectory of a body is shown, and the most trials shown.
const WAY_MS: f64 = 60_000.0;
const WAYS: usize = 8;
/// A curve with more points than this is averaged over stretches of time.
const POINTS: usize = 240;
/// Bins of a histogram of weights.
const BINS: usize = 40;

/// Draws into the folder of lives: `circuit.png` and `.svg`, populations and projections; `life.png` and `.svg`, the
/// world's figures over time (median and quartiles of the networks), the weights of plastic projections before and
/// after, and the activity of the first network in the two seconds after training, with frozen weights: spikes or
/// rates, and the membrane potentials of `watch`ed neurons, given as POPULATION.NEURON; if none is given, of the
/// first of each population that has a membrane. Then writes the page with both, `report.html`.
///
/// # Errors
/// [`Error::Setting`](crate::Error::Setting) if there is no such neuron, [`Error::Tensors`](crate::Error::Tensors) if the device
/// fails, [`Error::Io`](crate::Error::Io) if a file cannot
/// be read or written.
pub fn report_life(folder: &Path, checkpoint: &LifeCheckpoint, rows: &[LifeRow], watch: &[String]) -> Result<()> {
    let (life, circuit) = (life_picture(checkpoint, rows, watch)?, circuit_picture(&checkpoint.setup)?);
    life.save(&folder.join(LIFE_PICTURE))?;
    circuit.save(&folder.join(CIRCUIT_PICTURE))?;
    let page = life_page(folder, checkpoint, rows, (&life, &circuit))?;
    write_atomically(&folder.join(REPORT_FILE), page.as_bytes())
}

/// The pictures of [`report_life`] as SVG: that of the life, and the circuit.
///
/// # Errors
/// As [`report_life`].
pub fn draw_life(checkpoint: &LifeCheckpoint, rows: &[LifeRow], watch: &[String]) -> Result<(String, String)> {
    let (life, circuit) = (life_picture(checkpoint, rows, watch)?, circuit_picture(&checkpoint.setup)?);
    Ok((life.svg(), circuit.svg()))
}

pub(super) fn title(setup: &LifeSetup) -> Result<String> {
    let networks = setup.config.life.networks.count();
    let rule = setup.config.projections.iter().find_map(|projection| projection.rule_name()).unwrap_or("no rule");
    let plural = if networks == 1 { "" } else { "s" };
    Ok(format!("{}, {rule}: {networks} network{plural}", setup.config.world_name()?))
}

fn life_picture(checkpoint: &LifeCheckpoint, rows: &[LifeRow], watch: &[String]) -> Result<Canvas> {
    let setup = &checkpoint.setup;
    check_rows(setup, rows)?;
    check_memory(setup, &LifeRecord::default(), &Device::Cpu)?;
    let mut over_time = over_time(setup, rows);
    over_time.extend(way(checkpoint)?);
    let watched = watched_neurons(setup, watch)?;
    let after = simulate_life(checkpoint, 0, SHOWN_MS, true, &watched)?;
    let mut below = vec![weights(checkpoint)?, activity(setup, &after.outputs)];
    below.extend(membranes(setup, &watched, &after.membranes));
    Ok(Panels { title: title(setup)?, rows: vec![over_time, below] }.draw())
}

/// Populations and projections.
fn circuit_picture(setup: &LifeSetup) -> Result<Canvas> {
    let config = &setup.config;
    let nodes = config.populations.iter().zip(&setup.models);
    let nodes = nodes.map(|(population, model)| Node {
        name: population.name.clone(),
        detail: format!("{} {}", population.size, model.name()),
    });
    let edges = config.projections.iter().zip(&setup.circuit.projections).map(|(projection, (_, from, to))| {
        let synapses = match projection.connect {
            Connect::Density(p) if p >= 1.0 => "all to all".into(),
            Connect::Density(p) => format!("density {p}"),
            Connect::InDegree(n) => format!("{n} onto each"),
            Connect::OutDegree(n) => format!("{n} from each"),
        };
        let never_excites = projection.w_min < 0.0 && projection.w_max <= 0.0;
        let inhibits = config.populations[*from].sign == Sign::Inhibitory || never_excites;
        let rule = projection.rule_name();
        let label = rule.map_or_else(|| synapses.clone(), |rule| format!("{synapses}, {rule}"));
        Edge { from: *from, to: *to, label, inhibits, learns: rule.is_some() }
    });
    Ok(CircuitDrawing {
        title: format!("{}: populations and projections", config.world_name()?),
        nodes: nodes.collect(),
        edges: edges.collect(),
    }
    .draw())
}

/// The values of a figure in all networks, by the bits of the horizontal coordinate, such as the age in seconds.
type Values = BTreeMap<u64, Vec<f64>>;

/// The figures of the world over time.
fn over_time(setup: &LifeSetup, rows: &[LifeRow]) -> Vec<Panel> {
    // By panel and name, in the order in which the world gives them: the values of all networks at each time.
    let mut curves: Vec<(String, String, String, Values)> = Vec::new();
    for network in setup.config.life.networks.range() {
        let own: Vec<LifeRow> = rows.iter().filter(|row| row.network == network).cloned().collect();
        for curve in setup.world.curves(&own) {
            let place = curves.iter().position(|(panel, _, name, _)| (panel, name) == (&curve.panel, &curve.name));
            let place = place.unwrap_or_else(|| {
                curves.push((curve.panel.clone(), curve.x_label.clone(), curve.name.clone(), Values::new()));
                curves.len() - 1
            });
            for some in curve.points.chunks(curve.points.len().div_ceil(POINTS).max(1)) {
                let value = some.iter().map(|(_, value)| value).sum::<f64>() / some.len() as f64;
                // The bits of positive numbers have the same order as the numbers.
                curves[place].3.entry(some[some.len() - 1].0.to_bits()).or_default().push(value);
            }
        }
    }
    let mut panels: Vec<Panel> = Vec::new();
    for (title, x_label, name, values) in curves {
        let k = panels.iter().position(|panel| panel.title == title).unwrap_or_else(|| {
            panels.push(Panel { title: title.clone(), x_label, ..Panel::default() });
            panels.len() - 1
        });
        let colour = Colour::Nth(panels[k].marks.len() / 2);
        let at = |q: f64| values.iter().map(move |(t, v)| (f64::from_bits(*t), quantile(v, q).unwrap_or(f64::NAN)));
        let band = at(0.25).zip(at(0.75)).map(|((t, low), (_, high))| (t, low, high)).collect();
        panels[k].marks.push(Mark::new(Shape::Band(band), colour));
        panels[k].marks.push(Mark::new(Shape::Line(at(0.5).collect(), 3.0), colour).named(name));
    }
    panels
}

/// Histograms of the weights of plastic projections, at birth and now.
fn weights(checkpoint: &LifeCheckpoint) -> Result<Panel> {
    let setup = &checkpoint.setup;
    let mut panel = Panel {
        title: "initial (dashed) and current weights".into(),
        x_label: "weight".into(),
        y_label: "fraction of synapses".into(),
        ..Panel::default()
    };
    let born = setup.config.life.networks.range().map(|network| newborn(setup, network));
    let born = born.collect::<Result<Vec<_>>>()?;
    let plastic = setup.rules.iter().enumerate().filter(|(_, rule)| rule.is_some());
    for (colour, (k, _)) in plastic.enumerate() {
        let all = |states: &[LifeState]| -> Vec<f64> {
            states.iter().flat_map(|state| state.synapses[k].weight.iter().copied()).collect()
        };
        let (before, now) = (all(&born), all(&checkpoint.states));
        let ends = before.iter().chain(&now).fold((f64::MAX, f64::MIN), |(lo, hi), w| (lo.min(*w), hi.max(*w)));
        let width = ((ends.1 - ends.0) / BINS as f64).max(1e-9);
        let line = |weights: &[f64]| -> Vec<(f64, f64)> {
            let mut counts = [0usize; BINS];
            weights.iter().for_each(|w| counts[(((w - ends.0) / width) as usize).min(BINS - 1)] += 1);
            let middle = |bin: usize| ends.0 + (bin as f64 + 0.5) * width;
            counts.iter().enumerate().map(|(bin, n)| (middle(bin), *n as f64 / weights.len().max(1) as f64)).collect()
        };
        let (colour, name) = (Colour::Nth(colour), setup.circuit.projections[k].0.replace('-', " → "));
        panel.marks.push(Mark::new(Shape::Dashed(line(&before), 2.0), colour));
        panel.marks.push(Mark::new(Shape::Line(line(&now), 3.0), colour).named(name));
    }
    Ok(panel)
}

/// The activity of the first network after training: a dot for each spike, or the rates of its last neurons.
fn activity(setup: &LifeSetup, outputs: &[Vec<f64>]) -> Panel {
    let dt = setup.config.life.dt_ms;
    let end = outputs.len() as f64 * dt;
    let mut panel = Panel { x_label: "time after training (ms)".into(), x: Some((0.0, end)), ..Panel::default() };
    let spikes = setup.models.iter().all(|model| model.spikes());
    let what = if spikes { "spikes" } else { "rates" };
    panel.title = format!("{what} of network {}, weights frozen", setup.config.life.networks.start);
    panel.y_label = if spikes { "neuron" } else { "rate, shifted" }.into();
    let mut above = 0.0;
    for (p, (name, places)) in setup.circuit.populations.iter().enumerate() {
        let most = if spikes { SHOWN_NEURONS } else { 5 };
        let shown = places.clone().take(most);
        if spikes {
            let fired = |(row, neuron): (usize, usize)| {
                let at = outputs.iter().enumerate().filter(move |(_, r)| r[neuron] > 0.0);
                at.map(move |(t, _)| (t as f64 * dt, above + row as f64))
            };
            let dots: Vec<(f64, f64)> = shown.clone().enumerate().flat_map(fired).collect();
            panel.marks.push(Mark::new(Shape::Dots(dots, 2.5), Colour::Nth(p)).named(name.clone()));
            above += shown.count() as f64 + 3.0;
        } else {
            for neuron in shown {
                let line = outputs.iter().enumerate().map(|(t, r)| (t as f64 * dt, above + r[neuron])).collect();
                panel.marks.push(Mark::new(Shape::Line(line, 2.0), Colour::Nth(p)).named(name.clone()));
                above += 2.2;
            }
        }
    }
    panel
}

/// The membrane potentials of the watched neurons of the first network after training; `None` if there are none.
fn membranes(setup: &LifeSetup, watched: &[usize], potentials: &[Vec<f64>]) -> Option<Panel> {
    let dt = setup.config.life.dt_ms;
    let name = |neuron: &usize| {
        let of = setup.circuit.place(*neuron);
        of.map_or(String::new(), |(p, place)| format!("{} {place}", setup.circuit.populations[p].0))
    };
    let mark = |(k, (neuron, potential)): (usize, (&usize, &Vec<f64>))| {
        let steps = (MEMBRANE_MS / dt).ceil() as usize;
        let line = potential.iter().take(steps).enumerate().map(|(t, u)| (t as f64 * dt, *u)).collect();
        Mark::new(Shape::Line(line, 2.5), Colour::Nth(k)).named(name(neuron))
    };
    (!watched.is_empty()).then(|| Panel {
        title: "membrane potentials".into(),
        x_label: "time after training (ms)".into(),
        y_label: "membrane potential (mV)".into(),
        marks: watched.iter().zip(potentials).enumerate().map(mark).collect(),
        ..Panel::default()
    })
}

/// The trajectory of the first network's body after training, and the values expected there; `None` if it has no body
/// or moves along a line, which would show nothing.
fn way(checkpoint: &LifeCheckpoint) -> Result<Option<Panel>> {
    let setup = &checkpoint.setup;
    if setup.world.start(setup.config.life.seed, setup.config.life.networks.start).trail().is_none() {
        return Ok(None);
    }
    let trail = simulate_life(checkpoint, 0, WAY_MS, false, &[])?.trail;
    let line = |points: &[[f64; 3]]| points.iter().map(|[x, y, _]| (*x, *y)).collect::<Vec<_>>();
    let outline = setup.world.outline();
    let around = trail.iter().flat_map(|trial| line(trial)).chain(outline.iter().flatten().copied());
    let range = |of: fn(&(f64, f64)) -> f64| {
        let all = around.clone().map(|p| of(&p)).fold((f64::MAX, f64::MIN), |(lo, hi), v| (lo.min(v), hi.max(v)));
        (all.0 < all.1).then_some(all)
    };
    let (Some(x), Some(y)) = (range(|p| p.0), range(|p| p.1)) else { return Ok(None) };
    const CELLS: usize = 24;
    let mut sums = vec![vec![(0.0, 0u32); CELLS]; CELLS];
    for [at_x, at_y, value] in trail.iter().flatten() {
        let cell = |at: f64, (lo, hi): (f64, f64)| (((at - lo) / (hi - lo) * CELLS as f64) as usize).min(CELLS - 1);
        let sum = &mut sums[cell(*at_y, y)][cell(*at_x, x)];
        *sum = (sum.0 + value, sum.1 + 1);
    }
    let mean = |row: &Vec<(f64, u32)>| row.iter().map(|(sum, n)| sum / f64::from(*n)).collect();
    let values: Vec<Vec<f64>> = sums.iter().map(mean).collect();
    let known = || values.iter().flatten().copied().filter(|v| v.is_finite());
    let lowest = known().fold(0.0, f64::min);
    let heat = HeatMap { range: (lowest, known().fold(lowest + 1.0, f64::max)), values, x, y, label: "value".into() };
    let mut marks = vec![Mark::new(Shape::Heat(heat), Colour::Grey)];
    marks.extend(outline.into_iter().map(|line| Mark::new(Shape::Line(line, 3.0), Colour::Grey)));
    let shown = trail.iter().filter(|trial| trial.len() > 1).take(WAYS);
    marks.extend(shown.map(|trial| Mark::new(Shape::Line(line(trial), 1.5), Colour::Orange)));
    let title = "trajectory after training".into();
    Ok(Some(Panel { title, x: Some(x), y: Some(y), equal: true, marks, ..Panel::default() }))
}
