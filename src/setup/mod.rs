//! Setups: a configuration with everything that it names, resolved and checked before anything runs.

mod compatibility;
mod lives;
mod notices;
mod own_life;
mod trials;

pub use lives::LifeSetup;
pub use own_life::{BuildWorld, OwnLife};
pub use trials::{Own, Setup};
