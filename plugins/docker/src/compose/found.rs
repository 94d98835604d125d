//! The containers of stacks that are there, as their labels tell, whoever made them.

use std::collections::BTreeMap;

use windlass_sdk::{
    Error,
    engine::{self, Filter, State, Summary},
};

use super::{
    levels,
    plan::{Condition, Need},
};

pub(crate) const PROJECT: &str = "com.docker.compose.project";
pub(crate) const SERVICE: &str = "com.docker.compose.service";
pub(crate) const NUMBER: &str = "com.docker.compose.container-number";
pub(crate) const ONE_OFF: &str = "com.docker.compose.oneoff";
pub(crate) const HASH: &str = "com.docker.compose.config-hash";
pub(crate) const NEEDS: &str = "com.docker.compose.depends_on";

/// A container of a stack.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) service: String,
    pub(crate) number: u32,
    /// What it was made from.
    pub(crate) hash: String,
    pub(crate) needs: Vec<Need>,
    pub(crate) summary: Summary,
}

/// The containers of a project, but for those that somebody ran once.
pub(crate) fn of_project(project: &str) -> Result<Vec<Found>, Error> {
    let labels = vec![format!("{PROJECT}={project}")];
    let listed = engine::list(&Filter { all: true, labels })?;
    let mut found: Vec<_> = listed.into_iter().filter_map(Found::of).collect();
    found.sort_by(|a, b| (&a.service, a.number, &a.id).cmp(&(&b.service, b.number, &b.id)));
    Ok(found)
}

/// The projects that are there, and how many containers each has.
pub(crate) fn projects() -> Result<BTreeMap<String, usize>, Error> {
    let listed = engine::list(&Filter { all: true, labels: vec![PROJECT.to_owned()] })?;
    let mut projects = BTreeMap::new();
    for container in listed {
        if let Some(project) = label(&container, PROJECT) {
            *projects.entry(project.to_owned()).or_default() += 1;
        }
    }
    Ok(projects)
}

/// Containers in levels: each needs only what is in levels before its own.
pub(crate) fn in_levels(found: &[Found]) -> Vec<Vec<&Found>> {
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for it in found {
        let own = needs.entry(it.service.clone()).or_default();
        own.extend(it.needs.iter().map(|need| need.service.clone()));
    }
    // What goes in a circle is taken together: no file that is taken here has one.
    let levels = levels::sorted(needs)
        .unwrap_or_else(|_| vec![found.iter().map(|it| it.service.clone()).collect()]);
    let of = |level: Vec<String>| found.iter().filter(|it| level.contains(&it.service)).collect();
    levels.into_iter().map(of).collect()
}

impl Found {
    fn of(summary: Summary) -> Option<Self> {
        if label(&summary, ONE_OFF).is_some_and(|it| it.eq_ignore_ascii_case("true")) {
            return None;
        }
        Some(Self {
            id: summary.id.clone(),
            name: summary.name.clone(),
            service: label(&summary, SERVICE)?.to_owned(),
            number: label(&summary, NUMBER).and_then(|it| it.parse().ok()).unwrap_or(1),
            hash: label(&summary, HASH).unwrap_or_default().to_owned(),
            needs: label(&summary, NEEDS).map(needs).unwrap_or_default(),
            summary,
        })
    }

    pub(crate) fn runs(&self) -> bool {
        matches!(self.summary.state, State::Running | State::Restarting | State::Paused)
    }

    /// With what it ended, where it has.
    pub(crate) fn exit_code(&self) -> Option<i64> {
        if self.summary.state != State::Exited {
            return None;
        }
        exit_code(&self.summary.status)
    }
}

fn exit_code(status: &str) -> Option<i64> {
    let (_, rest) = status.split_once('(')?;
    rest.split_once(')')?.0.parse().ok()
}

pub(crate) fn label<'a>(summary: &'a Summary, name: &str) -> Option<&'a str> {
    summary.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

/// `db:service_healthy:false,cache:service_started:true`.
fn needs(label: &str) -> Vec<Need> {
    let one = |text: &str| {
        let mut parts = text.split(':');
        let service = parts.next().filter(|it| !it.is_empty())?.to_owned();
        let condition = parts.next().and_then(Condition::of_word).unwrap_or(Condition::Started);
        let restart = parts.next() == Some("true");
        Some(Need { service, condition, required: true, restart })
    };
    label.split(',').filter_map(one).collect()
}

/// The same, written down.
pub(crate) fn needs_label(needs: &[Need]) -> String {
    let one = |it: &Need| format!("{}:{}:{}", it.service, it.condition.word(), it.restart);
    needs.iter().map(one).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_written_and_read() {
        let label = "cache:service_healthy:true,db:service_started:false";
        assert_eq!(needs_label(&needs(label)), label);
        assert_eq!(needs(""), []);
        assert_eq!(needs("db"), needs("db:service_started:false"));
    }

    #[test]
    fn an_exit_code_is_in_the_status() {
        assert_eq!(exit_code("Exited (137) 2 seconds ago"), Some(137));
        assert_eq!(exit_code("Up 2 minutes (healthy)"), None);
    }
}
