//! Every key of the Compose Specification, and what becomes of it here.
//!
//! What would run otherwise than it says is refused; what only other programs look at is ignored, and the reply tells so.

use serde_json::Value;

/// What becomes of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    Taken,
    /// Nothing here looks at it, and the stack runs as it should.
    Ignored,
    /// Without it the stack would not be what the file says. With the reason, or what to do.
    Refused(&'static str),
}

use Treatment::{Ignored, Refused, Taken};

const NO_ENGINE: &str = "it cannot be given to the engine here";
const ONLY_WINDOWS: &str = "it is for Windows";
const ONLY_SWARM: &str = "it needs a swarm";

/// `*` stands for any name, `[]` for the items of a list. What has no keys below it here is free in form.
pub(crate) const KEYS: &[(&str, Treatment)] = &[
    ("version", Taken),
    ("name", Taken),
    ("include", Refused("put the services of the other files into this one")),
    ("models", Refused("nothing here serves models")),
    ("services.*.annotations", Ignored),
    ("services.*.attach", Ignored),
    ("services.*.blkio_config", Refused(NO_ENGINE)),
    ("services.*.build", Taken),
    ("services.*.cap_add", Taken),
    ("services.*.cap_drop", Taken),
    ("services.*.cgroup", Refused(NO_ENGINE)),
    ("services.*.cgroup_parent", Refused(NO_ENGINE)),
    ("services.*.command", Taken),
    ("services.*.configs[].gid", Taken),
    ("services.*.configs[].mode", Taken),
    ("services.*.configs[].source", Taken),
    ("services.*.configs[].target", Taken),
    ("services.*.configs[].uid", Taken),
    ("services.*.container_name", Taken),
    ("services.*.cpu_count", Refused(ONLY_WINDOWS)),
    ("services.*.cpu_percent", Refused(ONLY_WINDOWS)),
    ("services.*.cpu_period", Taken),
    ("services.*.cpu_quota", Taken),
    ("services.*.cpu_rt_period", Refused(NO_ENGINE)),
    ("services.*.cpu_rt_runtime", Refused(NO_ENGINE)),
    ("services.*.cpu_shares", Taken),
    ("services.*.cpus", Taken),
    ("services.*.cpuset", Taken),
    ("services.*.credential_spec", Refused(ONLY_WINDOWS)),
    ("services.*.depends_on.*.condition", Taken),
    ("services.*.depends_on.*.required", Taken),
    ("services.*.depends_on.*.restart", Taken),
    ("services.*.deploy.endpoint_mode", Ignored),
    ("services.*.deploy.labels", Ignored),
    ("services.*.deploy.mode", Taken),
    ("services.*.deploy.placement", Ignored),
    ("services.*.deploy.replicas", Taken),
    ("services.*.deploy.resources.limits.cpus", Taken),
    ("services.*.deploy.resources.limits.memory", Taken),
    ("services.*.deploy.resources.limits.pids", Taken),
    ("services.*.deploy.resources.reservations.cpus", Ignored),
    (
        "services.*.deploy.resources.reservations.devices",
        Refused("GPUs and other devices are not reserved here: name them in `devices`"),
    ),
    ("services.*.deploy.resources.reservations.generic_resources", Refused(ONLY_SWARM)),
    ("services.*.deploy.resources.reservations.memory", Taken),
    ("services.*.deploy.restart_policy.condition", Taken),
    ("services.*.deploy.restart_policy.delay", Ignored),
    ("services.*.deploy.restart_policy.max_attempts", Taken),
    ("services.*.deploy.restart_policy.window", Ignored),
    ("services.*.deploy.rollback_config", Ignored),
    ("services.*.deploy.update_config", Ignored),
    ("services.*.develop", Ignored),
    ("services.*.device_cgroup_rules", Refused(NO_ENGINE)),
    ("services.*.devices[].permissions", Taken),
    ("services.*.devices[].source", Taken),
    ("services.*.devices[].target", Taken),
    ("services.*.dns", Taken),
    ("services.*.dns_opt", Taken),
    ("services.*.dns_search", Taken),
    ("services.*.domainname", Taken),
    ("services.*.entrypoint", Taken),
    (
        "services.*.env_file[].format",
        Refused("leave it out: variables are put into the values of an `env_file`"),
    ),
    ("services.*.env_file[].path", Taken),
    ("services.*.env_file[].required", Taken),
    ("services.*.environment", Taken),
    ("services.*.expose", Taken),
    ("services.*.extends.file", Taken),
    ("services.*.extends.service", Taken),
    (
        "services.*.external_links",
        Refused("put both containers into a network: there they know each other by name"),
    ),
    ("services.*.extra_hosts", Taken),
    ("services.*.gpus", Refused("GPUs are not given here: name the devices in `devices`")),
    ("services.*.group_add", Taken),
    ("services.*.healthcheck.disable", Taken),
    ("services.*.healthcheck.interval", Taken),
    ("services.*.healthcheck.retries", Taken),
    ("services.*.healthcheck.start_interval", Ignored),
    ("services.*.healthcheck.start_period", Taken),
    ("services.*.healthcheck.test", Taken),
    ("services.*.healthcheck.timeout", Taken),
    ("services.*.hostname", Taken),
    ("services.*.image", Taken),
    ("services.*.init", Taken),
    ("services.*.ipc", Taken),
    ("services.*.isolation", Refused(ONLY_WINDOWS)),
    ("services.*.label_file", Taken),
    ("services.*.labels", Taken),
    ("services.*.links", Taken),
    ("services.*.logging.driver", Taken),
    ("services.*.logging.options", Taken),
    ("services.*.mac_address", Refused(NO_ENGINE)),
    ("services.*.mem_limit", Taken),
    ("services.*.mem_reservation", Taken),
    ("services.*.mem_swappiness", Refused(NO_ENGINE)),
    ("services.*.memswap_limit", Taken),
    ("services.*.models", Refused("nothing here serves models")),
    ("services.*.network_mode", Taken),
    ("services.*.networks.*.aliases", Taken),
    ("services.*.networks.*.driver_opts", Refused(NO_ENGINE)),
    ("services.*.networks.*.gw_priority", Refused(NO_ENGINE)),
    ("services.*.networks.*.interface_name", Refused(NO_ENGINE)),
    ("services.*.networks.*.ipv4_address", Taken),
    ("services.*.networks.*.ipv6_address", Taken),
    ("services.*.networks.*.link_local_ips", Refused(NO_ENGINE)),
    ("services.*.networks.*.mac_address", Refused(NO_ENGINE)),
    ("services.*.networks.*.priority", Ignored),
    ("services.*.oom_kill_disable", Refused(NO_ENGINE)),
    ("services.*.oom_score_adj", Taken),
    ("services.*.pid", Taken),
    ("services.*.pids_limit", Taken),
    ("services.*.platform", Taken),
    ("services.*.ports[].app_protocol", Ignored),
    ("services.*.ports[].host_ip", Taken),
    ("services.*.ports[].mode", Ignored),
    ("services.*.ports[].name", Ignored),
    ("services.*.ports[].protocol", Taken),
    ("services.*.ports[].published", Taken),
    ("services.*.ports[].target", Taken),
    (
        "services.*.post_start",
        Refused("run the commands in the container's `command`, or with `exec-in-container`"),
    ),
    ("services.*.pre_stop", Refused("let the container's program do it at its stop signal")),
    ("services.*.privileged", Taken),
    ("services.*.profiles", Taken),
    ("services.*.provider", Refused("programs of this machine are not run here")),
    ("services.*.pull_policy", Taken),
    ("services.*.read_only", Taken),
    ("services.*.restart", Taken),
    ("services.*.runtime", Refused(NO_ENGINE)),
    ("services.*.scale", Taken),
    ("services.*.secrets[].gid", Taken),
    ("services.*.secrets[].mode", Taken),
    ("services.*.secrets[].source", Taken),
    ("services.*.secrets[].target", Taken),
    ("services.*.secrets[].uid", Taken),
    ("services.*.security_opt", Taken),
    ("services.*.shm_size", Taken),
    ("services.*.stdin_open", Taken),
    ("services.*.stop_grace_period", Taken),
    ("services.*.stop_signal", Taken),
    ("services.*.storage_opt", Refused(NO_ENGINE)),
    ("services.*.sysctls", Taken),
    ("services.*.tmpfs", Taken),
    ("services.*.tty", Taken),
    ("services.*.ulimits.*.hard", Taken),
    ("services.*.ulimits.*.soft", Taken),
    (
        "services.*.use_api_socket",
        Refused("mount the engine's socket, where the grant has the power `engine-socket`"),
    ),
    ("services.*.user", Taken),
    ("services.*.userns_mode", Refused(NO_ENGINE)),
    ("services.*.uts", Refused(NO_ENGINE)),
    ("services.*.volumes[].bind.create_host_path", Taken),
    ("services.*.volumes[].bind.propagation", Taken),
    ("services.*.volumes[].bind.recursive", Refused(NO_ENGINE)),
    ("services.*.volumes[].bind.selinux", Refused(NO_ENGINE)),
    ("services.*.volumes[].consistency", Ignored),
    ("services.*.volumes[].image", Refused(NO_ENGINE)),
    ("services.*.volumes[].read_only", Taken),
    ("services.*.volumes[].source", Taken),
    ("services.*.volumes[].target", Taken),
    ("services.*.volumes[].tmpfs.mode", Taken),
    ("services.*.volumes[].tmpfs.size", Taken),
    ("services.*.volumes[].type", Taken),
    ("services.*.volumes[].volume.labels", Refused("give labels to a volume of the top level")),
    ("services.*.volumes[].volume.nocopy", Taken),
    ("services.*.volumes[].volume.subpath", Refused(NO_ENGINE)),
    ("services.*.volumes_from", Refused("name the volumes in both services")),
    ("services.*.working_dir", Taken),
    ("networks.*.attachable", Taken),
    ("networks.*.driver", Taken),
    ("networks.*.driver_opts", Taken),
    ("networks.*.enable_ipv4", Refused(NO_ENGINE)),
    ("networks.*.enable_ipv6", Taken),
    ("networks.*.external", Taken),
    ("networks.*.internal", Taken),
    ("networks.*.ipam.config[].aux_addresses", Refused(NO_ENGINE)),
    ("networks.*.ipam.config[].gateway", Taken),
    ("networks.*.ipam.config[].ip_range", Taken),
    ("networks.*.ipam.config[].subnet", Taken),
    ("networks.*.ipam.driver", Taken),
    ("networks.*.ipam.options", Refused(NO_ENGINE)),
    ("networks.*.labels", Taken),
    ("networks.*.name", Taken),
    ("volumes.*.driver", Taken),
    ("volumes.*.driver_opts", Taken),
    ("volumes.*.external", Taken),
    ("volumes.*.labels", Taken),
    ("volumes.*.name", Taken),
    ("configs.*.content", Taken),
    ("configs.*.environment", Taken),
    ("configs.*.external", Refused(ONLY_SWARM)),
    ("configs.*.file", Taken),
    ("configs.*.labels", Ignored),
    ("configs.*.name", Ignored),
    ("configs.*.template_driver", Refused(ONLY_SWARM)),
    ("secrets.*.content", Taken),
    ("secrets.*.driver", Refused(ONLY_SWARM)),
    ("secrets.*.driver_opts", Refused(ONLY_SWARM)),
    ("secrets.*.environment", Taken),
    ("secrets.*.external", Refused(ONLY_SWARM)),
    ("secrets.*.file", Taken),
    ("secrets.*.labels", Ignored),
    ("secrets.*.name", Ignored),
    ("secrets.*.template_driver", Refused(ONLY_SWARM)),
];

/// What a file has that is not simply taken.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Paths of keys that nothing looks at.
    pub(crate) ignored: Vec<String>,
    /// Paths of keys that are not done here, each with the reason.
    pub(crate) refused: Vec<(String, &'static str)>,
}

/// Looks at every key of a file.
pub(crate) fn survey(file: &Value) -> Survey {
    let mut survey = Survey::default();
    survey.walk(file, "", "");
    survey
}

impl Survey {
    fn walk(&mut self, value: &Value, pattern: &str, path: &str) {
        match value {
            Value::Array(items) => {
                let below = format!("{pattern}[]");
                if is_known(&below) {
                    for (at, item) in items.iter().enumerate() {
                        self.walk(item, &below, &format!("{path}[{at}]"));
                    }
                }
            }
            Value::Object(map) if has_keys(pattern) => {
                for (key, value) in map {
                    self.key(key, value, pattern, path);
                }
            }
            _ => {}
        }
    }

    fn key(&mut self, key: &str, value: &Value, pattern: &str, path: &str) {
        let path = join(path, key);
        let any = join(pattern, "*");
        if is_known(&any) {
            return self.walk(value, &any, &path);
        }
        let pattern = join(pattern, key);
        match treatment(&pattern) {
            _ if key.starts_with("x-") || is_nothing(value) => {}
            None if !is_known(&pattern) => self.refused.push((path, "no such key is known")),
            None | Some(Taken) => self.walk(value, &pattern, &path),
            Some(Ignored) => self.ignored.push(path),
            Some(Refused(why)) => self.refused.push((path, why)),
        }
    }
}

fn join(before: &str, key: &str) -> String {
    if before.is_empty() { key.to_owned() } else { format!("{before}.{key}") }
}

fn treatment(pattern: &str) -> Option<Treatment> {
    KEYS.iter().find(|(key, _)| *key == pattern).map(|(_, treatment)| *treatment)
}

/// Whether a pattern is a key, or leads to one.
fn is_known(pattern: &str) -> bool {
    let leads = |key: &str| {
        key.strip_prefix(pattern)
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    KEYS.iter().any(|(key, _)| leads(key))
}

fn has_keys(pattern: &str) -> bool {
    let leads = |key: &str| key.strip_prefix(pattern).is_some_and(|rest| rest.starts_with('.'));
    pattern.is_empty() || KEYS.iter().any(|(key, _)| leads(key))
}

/// Whether a key says what holds without it too.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A file that has one key, whatever its value.
    fn file_with(pattern: &str) -> Value {
        let steps = pattern.split('.').flat_map(|step| match step.strip_suffix("[]") {
            Some(step) => vec![step, "[]"],
            None => vec![step],
        });
        let steps: Vec<_> = steps.collect();
        steps.iter().rev().fold(json!("x"), |value, step| match *step {
            "[]" => json!([value]),
            "*" => json!({"some": value}),
            step => json!({step: value}),
        })
    }

    #[test]
    fn each_key_is_treated_as_the_table_says() {
        for (pattern, treatment) in KEYS {
            let survey = survey(&file_with(pattern));
            let path = pattern.replace('*', "some").replace("[]", "[0]");
            let expected = match treatment {
                Taken => Survey::default(),
                Ignored => Survey { ignored: vec![path], refused: Vec::new() },
                Refused(why) => Survey { ignored: Vec::new(), refused: vec![(path, why)] },
            };
            assert_eq!(survey, expected, "{pattern}");
        }
    }

    #[test]
    fn the_table_names_each_key_once() {
        for (at, (key, _)) in KEYS.iter().enumerate() {
            assert!(!KEYS.iter().skip(at + 1).any(|(other, _)| other == key), "{key}");
        }
    }

    #[test]
    fn what_nobody_knows_is_refused_where_it_stands() {
        let file = json!({
            "services": {"x-web": {"imagge": "a", "environment": {"free": 1}, "x-mine": 1, "gpus": null}},
            "x-anything": {"a": 1}, "servces": 1,
            "networks": {"a": {"ipam": {"config": [{}, {"subnett": 1}]}}},
        });
        let refused: Vec<_> = survey(&file).refused.into_iter().map(|(path, _)| path).collect();
        assert_eq!(
            refused,
            ["networks.a.ipam.config[1].subnett", "servces", "services.x-web.imagge"]
        );
    }
}
