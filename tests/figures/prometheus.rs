//! What is in `deploy/`, held to Debian's Prometheus: it scrapes a host that does real work, and every query has an answer.

use std::{
    env, fs,
    io::Write as _,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{LOOKOUT, get, lookout, text};
use crate::support::{
    Setup,
    bench::Bench,
    collect,
    engine::{IMAGE, api::encoded, docker, skip},
    fixture, root, until,
};

/// Gauges that an earlier server called as one calls counters. Their users know them so.
const NOT_COUNTERS: [&str; 3] =
    ["docker_mcp_containers_total", "docker_mcp_networks_total", "docker_mcp_compose_stacks_total"];

/// Where Debian's programs are.
fn programs() -> Option<PathBuf> {
    if let Ok(reason) = env::var("WINDLASS_TEST_NO_PROMETHEUS") {
        return skip(&format!("no Prometheus: {reason}"));
    }
    let told = env::var_os("WINDLASS_TEST_PROMETHEUS").map(PathBuf::from);
    told.or_else(|| skip("no Prometheus: `cargo xtask test` unpacks one"))
}

fn promtool(programs: &Path, arguments: &[&str], input: &str) -> Output {
    let mut tool = Command::new(programs.join("promtool"));
    tool.args(arguments).current_dir(root().join("deploy/prometheus"));
    tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = tool.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// A Prometheus with what is in `deploy/`, but that it scrapes this address, and often.
struct Prometheus {
    child: Child,
    origin: String,
    _folder: TempDir,
}

impl Prometheus {
    fn scraping(programs: &Path, target: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let deployed = root().join("deploy/prometheus");
        let config = fs::read_to_string(deployed.join("prometheus.yml")).unwrap();
        let config =
            config.replace("127.0.0.1:9464", target).replace("_interval: 15s", "_interval: 1s");
        assert!(config.contains(target) && config.contains("scrape_interval: 1s"), "{config}");
        fs::write(folder.path().join("prometheus.yml"), config).unwrap();
        fs::copy(deployed.join("alerts.yml"), folder.path().join("alerts.yml")).unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut program = Command::new(programs.join("prometheus"));
        program.args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
        program.arg(format!("--web.listen-address={free}")).current_dir(folder.path());
        program.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = program.spawn().unwrap();
        let said = collect(child.stderr.take().unwrap());
        until("Prometheus is ready", || {
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "Prometheus ended: {}", said.lock().unwrap());
            said.lock().unwrap().contains("Server is ready to receive web requests")
        });
        Self { child, origin: format!("http://{free}"), _folder: folder }
    }

    fn ask(&self, path: &str) -> Value {
        let reply = get(&self.origin, path, &[]);
        let answer: Value = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(answer["status"], "success", "{path}: {answer}");
        answer["data"].clone()
    }

    /// Whether a query gives at least one number.
    fn has(&self, query: &str) -> bool {
        let found = self.ask(&format!("/api/v1/query?query={}", encoded(query)));
        let found = found["result"].as_array().cloned().unwrap_or_default();
        found.iter().any(|it| it["value"][1] != "NaN")
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every query of the dashboard, as it is asked where all hosts are chosen.
fn dashboard() -> Vec<String> {
    let text = fs::read_to_string(root().join("deploy/grafana/windlass.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets =
        panels.iter().flat_map(|it| it["targets"].as_array().cloned().unwrap_or_default());
    targets.map(|it| it["expr"].as_str().unwrap().replace("$instance", ".*")).collect()
}

/// What each alert looks at, without the bound beyond which it fires.
fn alerts(prometheus: &Prometheus) -> Vec<String> {
    let rules = prometheus.ask("/api/v1/rules")["groups"][0]["rules"].clone();
    let rules = rules.as_array().unwrap().clone();
    assert!(rules.iter().all(|it| it["health"] != "err"), "{rules:?}");
    let without_bound = |rule: &Value| {
        let query = rule["query"].as_str().unwrap();
        let bound = [" == ", " > "].iter().filter_map(|it| query.rfind(it)).max().unwrap();
        query[..bound].to_owned()
    };
    rules.iter().map(without_bound).collect()
}

/// A host with devbench, docker and jobs.
fn host() -> Option<Bench> {
    crate::support::inside::inside("devbench")?;
    let engine = docker()?;
    let config = format!(
        "{LOOKOUT}[plugins.devbench.grants]\nstore = true\nworkspaces = 'own'\n\
         [plugins.devbench.grants.containers]\nwarm = {{ '{IMAGE}' = 1 }}\n\
         [plugins.worker]\ncomponent = '{}'\n[plugins.worker.grants]\nstore = true\njobs = true\n",
        fixture("worker").display()
    );
    let setup = Setup::new().arguments(&["--plugins", "devbench,docker"]).config(&config);
    Some(Bench::of(engine.clone(), setup.environment("DOCKER_HOST", engine.address())))
}

/// A little of everything.
fn work(bench: &mut Bench, id: &str) {
    bench.run(id, "echo hi");
    bench.write(id, "f", "x");
    bench.call("list-containers", json!({}));
    bench.refused("exec_poll", json!({"exec_id": "e_none"}));
    bench.host().call("work_run", json!({"plan": {"steps": []}}));
    bench.call("attach", json!({"target": id, "client_name": "test", "session_id": "s"}));
}

#[test]
fn what_is_deployed_is_what_promtool_takes() {
    let Some(programs) = programs() else { return };
    for arguments in [
        &["check", "config", "prometheus.yml"][..],
        &["check", "rules", "alerts.yml"],
        &["test", "rules", "alerts.test.yml"],
    ] {
        let ended = promtool(&programs, arguments, "");
        assert!(ended.status.success(), "{arguments:?}: {ended:?}");
    }
}

#[test]
fn every_query_of_the_dashboard_and_of_the_alerts_has_an_answer() {
    let (Some(programs), Some(mut bench)) = (programs(), host()) else { return };
    until("the host tells where its figures are", || lookout(&bench.host().errors()).is_some());
    let origin = lookout(&bench.host().errors()).unwrap();
    let prometheus = Prometheus::scraping(&programs, origin.trim_start_matches("http://"));
    let id = bench.spawn();
    let queries: Vec<_> = dashboard().into_iter().chain(alerts(&prometheus)).collect();
    assert!(queries.len() > 50, "{queries:?}");
    let mut unanswered = queries.clone();
    until("every query has an answer", || {
        work(&mut bench, &id);
        unanswered.retain(|query| !prometheus.has(query));
        unanswered.is_empty()
    });
    let page = text(&get(&origin, "/metrics", &[]));
    let checked = promtool(&programs, &["check", "metrics"], &page);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    let objections =
        said.lines().filter(|line| !NOT_COUNTERS.iter().any(|it| line.starts_with(it)));
    let objections: Vec<_> = objections.filter(|line| !line.is_empty()).collect();
    assert!(objections.is_empty(), "{objections:#?}");
}
