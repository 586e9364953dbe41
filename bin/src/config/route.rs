//! `[[forward.route]]` and `forward.preset`: what a proxy's sub-request needs.

use std::str::FromStr;

use claviger_service::forward::{RouteSpec, Table};
use serde::Deserialize;

use super::value::{Given, Value};

/// The routes of a registry, as they could stand in the file.
pub(crate) const REGISTRY: &str = include_str!("registry_routes.toml");

impl Value for Table {
    fn set(&mut self, given: Given) -> Result<(), String> {
        let Given::Toml(value) = given else {
            return Err("can be set in the file only".to_owned());
        };
        let routes: Vec<RouteSpec> = value.try_into().map_err(|error: toml::de::Error| {
            format!("must be routes: {}", error.message().lines().next().unwrap_or_default())
        })?;
        *self = Self::new(&routes)?;
        Ok(())
    }

    fn show(&self) -> String {
        "[]".to_owned()
    }
}

/// Ready-made routes, behind those of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preset {
    /// Those of a registry.
    Registry,
}

impl Preset {
    /// Its routes.
    ///
    /// # Errors
    /// Never: they are tested.
    pub(crate) fn routes(self) -> Result<Table, String> {
        #[derive(Deserialize)]
        struct File {
            forward: Section,
        }
        #[derive(Deserialize)]
        struct Section {
            route: Vec<RouteSpec>,
        }
        let Self::Registry = self;
        let file: File = toml::from_str(REGISTRY).map_err(|error| error.to_string())?;
        Table::new(&file.forward.route)
    }
}

impl FromStr for Preset {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "registry" => Ok(Self::Registry),
            _ => Err("must be `registry` or empty"),
        }
    }
}
