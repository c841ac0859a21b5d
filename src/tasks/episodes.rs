//! Episodes in an environment: a network's outputs become actions, and what the environment then shows becomes its
//! input. The error of an episode is minus its return.

use super::acting::{Acting, Actor};
use super::*;
use crate::environments::{Actions, Environment};
use crate::error::{bail, ensure};
use std::sync::Arc;

/// The keys for episodes in an environment's table `task`, besides the environment's own parameters.
#[derive(Clone, Debug, PartialEq, DocumentedFields, JsonSchema, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct EpisodeSettings {
    /// How outputs become actions: `argmax`, `softmax`, `direct` or `population-vector`.
    pub acting: Acting,
    /// Steps of the network for each step of the environment.
    #[schemars(range(min = 1))]
    pub network_steps: usize,
    /// Steps of the environment for which exploratory noise (of the outputs, and Gaussian perturbations) stays the same.
    #[schemars(range(min = 1))]
    pub hold: usize,
    /// γ: an action is credited with the rewards that follow, discounted by γ per step; 1: with the return of the
    /// whole episode.
    #[schemars(range(max = 1), extend("exclusiveMinimum" = 0))]
    pub discount: f64,
    /// Whether all episodes of a batch have the same start while a network explores, so that they can be compared.
    pub same_start: bool,
    /// The learning rate of a critic, an additional output that learns to predict the discounted future reward; 0: no
    /// critic. It multiplies the mean over the steps of an update.
    #[schemars(range(min = 0))]
    pub critic_eta: f64,
    /// λ, with a critic: eligibilities decay by γλ per step, and each step is credited with the critic's errors from
    /// then on.
    #[schemars(range(min = 0, max = 1))]
    pub critic_lambda: f64,
}

impl EpisodeSettings {
    /// Whether `key` is one of them.
    pub fn has(key: &str) -> bool {
        toml::Table::try_from(EpisodeSettings::default()).is_ok_and(|all| all.contains_key(key))
    }

    /// Whether there is a critic.
    pub fn critic(&self) -> bool {
        self.critic_eta > 0.0
    }

    /// Whether each step of an episode has an advantage of its own.
    pub(crate) fn by_step(&self) -> bool {
        self.discount < 1.0 || self.critic()
    }
}

impl Default for EpisodeSettings {
    fn default() -> Self {
        EpisodeSettings {
            acting: Acting::Softmax,
            network_steps: 1,
            hold: 1,
            discount: 1.0,
            same_start: false,
            critic_eta: 0.0,
            critic_lambda: 0.95,
        }
    }
}

/// Episodes in an environment.
#[derive(Clone)]
pub struct Episodes {
    /// The environment.
    pub environment: Arc<dyn Environment>,
    /// How networks live in it.
    pub settings: EpisodeSettings,
}

impl Episodes {
    /// Episodes in `environment`: discrete actions are drawn by softmax, others are the outputs themselves.
    pub fn new(environment: impl Environment + 'static) -> Self {
        let acting = match environment.actions() {
            Actions::Discrete(_) => Acting::Softmax,
            Actions::Continuous { .. } => Acting::Direct,
        };
        let settings = EpisodeSettings { acting, ..EpisodeSettings::default() };
        Episodes { environment: Arc::new(environment), settings }
    }

    /// Episodes in the environment `E` with the parameters in a `task` table.
    pub(crate) fn build<E: Environment + Default + Serialize + DeserializeOwned + 'static>(
        table: &mut toml::Table,
    ) -> Result<Problem> {
        let parameters = table.clone().into_iter().filter(|(key, _)| !EpisodeSettings::has(key)).collect();
        Ok(Episodes::new(super::parameters::<E>(&parameters)?).with_settings(table)?.into())
    }

    /// The same with the settings in a `task` table, to which missing ones are added. Other keys are ignored.
    ///
    /// # Errors
    /// [`Error::Usage`] for a value of the wrong type.
    pub fn with_settings(&self, table: &mut toml::Table) -> Result<Self> {
        let mut settings = toml::Table::try_from(&self.settings).unwrap_or_default();
        settings.extend(table.clone().into_iter().filter(|(key, _)| EpisodeSettings::has(key)));
        let settings = super::parameters(&settings)?;
        table.extend(toml::Table::try_from(&settings).unwrap_or_default());
        Ok(Episodes { settings, environment: self.environment.clone() })
    }

    /// Checks the parameters of the environment, and that networks can act in it.
    ///
    /// # Errors
    /// As [`Task::check`].
    pub fn check(&self) -> Result<()> {
        self.environment.check()?;
        let name = self.environment.name();
        if !self.actor().fits() {
            let (acting, actions) = (toml::Value::try_from(self.settings.acting), self.environment.actions());
            let acting = acting.as_ref().ok().and_then(toml::Value::as_str).unwrap_or_default();
            bail!(Usage, "task.acting is `{acting}`, but the actions of `{name}` are {actions:?}");
        }
        ensure!(self.environment.limit() >= 1, Usage, "episodes of `{name}` have a limit of 0 steps");
        check_ranges("task", &self.settings)
    }

    /// The most steps of a network in an episode, and the number of inputs and outputs. A critic is the last output.
    pub fn shape(&self) -> TrialShape {
        TrialShape {
            steps: self.environment.limit().saturating_mul(self.settings.network_steps),
            n_in: self.environment.observations().len(),
            n_out: self.actor().outputs() + usize::from(self.settings.critic()),
            measure: ErrorMeasure::Return,
        }
    }

    /// The usual size of each observation.
    pub(crate) fn sizes(&self) -> Vec<f64> {
        self.environment.observations().into_iter().map(|(_, size)| size).collect()
    }

    /// The actor, which turns outputs into actions.
    pub(crate) fn actor(&self) -> Actor {
        Actor::new(self.settings.acting, self.environment.actions())
    }

    /// The number of components of an action.
    pub fn dimensions(&self) -> usize {
        self.actor().dimensions()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environments::CartPole;

    #[test]
    fn actions_that_do_not_fit_and_limits_of_0_are_refused() {
        let mut cart = Episodes::new(CartPole::default());
        cart.settings.acting = Acting::Direct;
        let refusal = cart.check().unwrap_err().to_string();
        assert!(
            refusal.contains("task.acting is `direct`, but the actions of `cartpole` are Discrete(2)"),
            "{refusal}"
        );
        let none = Episodes::new(CartPole { limit: 0, ..CartPole::default() });
        assert!(none.check().unwrap_err().to_string().contains("task.limit"));
    }
}
