//! Which engines a task may be given to.
use std::collections::BTreeMap;

use viewfinder_core::label::{FACES, OCR, TEXTUAL, VISUAL};

/// The name of the engine in this process.
pub const LOCAL: &str = "local";

/// Tasks that have routes of their own.
const TASKS: [&str; 4] = [VISUAL, TEXTUAL, FACES, OCR];

/// Engines in order of preference; those of one rank share the work.
pub type Route = Vec<Vec<String>>;

/// The route of each task, and of a task with a certain model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Routes {
    by_key: BTreeMap<String, Route>,
    default: Route,
}

/// A configuration of routes that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// There is no such task.
    #[error(
        "routes: {0:?} is no task; known are clip.visual, clip.textual, facial-recognition, ocr, and default"
    )]
    UnknownTask(String),
    /// There is no such engine.
    #[error("routes: {task} names {engine:?}, which is neither `local` nor a node")]
    UnknownEngine {
        /// The route.
        task: String,
        /// The engine.
        engine: String,
    },
    /// A route leads nowhere.
    #[error("routes: {0} names no engine")]
    Empty(String),
}

impl Routes {
    /// Checks routes given as `task` or `task:model` against the known nodes. `default` is for tasks that have none;
    /// without one, all nodes are preferred to the local engine.
    pub fn new(mut given: BTreeMap<String, Route>, nodes: &[String]) -> Result<Self, RouteError> {
        let everywhere = || {
            let all = vec![nodes.to_vec(), vec![LOCAL.to_owned()]];
            all.into_iter().filter(|rank| !rank.is_empty()).collect()
        };
        let default = given.remove("default").unwrap_or_else(everywhere);
        for (key, route) in
            given.iter().map(|(key, route)| (key.as_str(), route)).chain([("default", &default)])
        {
            let task = key.split_once(':').map_or(key, |(task, _)| task);
            if key != "default" && !TASKS.contains(&task) {
                return Err(RouteError::UnknownTask(task.to_owned()));
            }
            if route.iter().flatten().next().is_none() {
                return Err(RouteError::Empty(key.to_owned()));
            }
            for engine in route.iter().flatten() {
                if engine != LOCAL && !nodes.contains(engine) {
                    return Err(RouteError::UnknownEngine { task: key.to_owned(), engine: engine.clone() });
                }
            }
        }
        Ok(Self { by_key: given, default })
    }

    /// The route of a task with a model.
    pub(crate) fn of(&self, task: &str, model: &str) -> &Route {
        self.by_key.get(&format!("{task}:{model}")).or_else(|| self.by_key.get(task)).unwrap_or(&self.default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(ranks: &[&[&str]]) -> Route {
        ranks.iter().map(|rank| rank.iter().map(|&name| name.to_owned()).collect()).collect()
    }

    fn routes(given: &[(&str, Route)]) -> Result<Routes, RouteError> {
        let given = given.iter().map(|(key, route)| ((*key).to_owned(), route.clone())).collect();
        Routes::new(given, &["strong".to_owned(), "spare".to_owned()])
    }

    #[test]
    fn the_most_exact_route_counts() {
        let found = routes(&[
            ("ocr", route(&[&["strong"]])),
            ("ocr:special", route(&[&["spare"]])),
            ("default", route(&[&["local"]])),
        ])
        .unwrap();
        assert_eq!(found.of("ocr", "special"), &route(&[&["spare"]]));
        assert_eq!(found.of("ocr", "other"), &route(&[&["strong"]]));
        assert_eq!(found.of("clip.visual", "other"), &route(&[&["local"]]));
        assert_eq!(routes(&[]).unwrap().of("ocr", ""), &route(&[&["strong", "spare"], &["local"]]));
    }

    #[test]
    fn nonsense_is_told() {
        assert_eq!(routes(&[("orc", route(&[&["local"]]))]), Err(RouteError::UnknownTask("orc".into())));
        assert_eq!(routes(&[("ocr", route(&[&[]]))]), Err(RouteError::Empty("ocr".into())));
        assert!(matches!(routes(&[("ocr", route(&[&["strnog"]]))]), Err(RouteError::UnknownEngine { .. })));
    }
}
