//! What runs in a container.

use super::{Element, hold};

pub(super) const ELEMENTS: &[Element] = &[
    ("image", "", &[("/Config/Image", "\"windlass-test/busybox:latest\"")]),
    ("command", "command: [sleep, '100']", &[("/Config/Cmd", r#"["sleep", "100"]"#)]),
    (
        "command",
        "command: sh -c 'sleep 100' \"a  b\" c\\ d",
        &[("/Config/Cmd", r#"["sh", "-c", "sleep 100", "a  b", "c d"]"#)],
    ),
    (
        "entrypoint",
        "entrypoint: [sh, -c]\ncommand: [sleep 100]",
        &[("/Config/Entrypoint", r#"["sh", "-c"]"#), ("/Config/Cmd", r#"["sleep 100"]"#)],
    ),
    ("entrypoint", "entrypoint: sleep 100", &[("/Config/Entrypoint", r#"["sleep", "100"]"#)]),
    ("entrypoint", "entrypoint: []\ncommand: sleep 100", &[("/Path", "\"sleep\"")]),
    (
        "environment",
        "environment:\n  A: text\n  B: 5\n  C: true\n  D: ''\n  FROM_CONFIG:\n  NOWHERE:",
        &[("~/Config/Env", r#"["A=text", "B=5", "C=true", "D=", "FROM_CONFIG=configured"]"#)],
    ),
    (
        "environment",
        "environment:\n- A=1=2\n- FROM_CONFIG",
        &[("~/Config/Env", r#"["A=1=2", "FROM_CONFIG=configured"]"#)],
    ),
    (
        "environment",
        "environment:\n- A=${FROM_CONFIG} $$5 ${NONE:-x}",
        &[("~/Config/Env", r#"["A=configured $5 x"]"#)],
    ),
    ("environment", "environment: [token]", &[("~/Config/Env", r#"["token=hidden"]"#)]),
    (
        "env_file env_file[].path env_file[].required",
        "env_file:\n- '{folder}/a.env'\n- {path: '{folder}/none.env', required: false}\n- {path: '{folder}/a.env'}\nenvironment: {ONE: over}",
        &[("~/Config/Env", r#"["ONE=over", "TWO=two words"]"#)],
    ),
    (
        "env_file",
        "env_file: '{folder}/a.env'",
        &[("~/Config/Env", r#"["ONE=1", "TWO=two words"]"#)],
    ),
    ("labels", "labels: {a.b: 1, c: ''}", &[("~/Config/Labels", r#"{"a.b": "1", "c": ""}"#)]),
    ("labels", "labels: [a=b, c]", &[("~/Config/Labels", r#"{"a": "b", "c": ""}"#)]),
    (
        "label_file",
        "label_file: '{folder}/labels'",
        &[("~/Config/Labels", r#"{"from.file": "yes"}"#)],
    ),
    ("user", "user: '1000:1000'", &[("/Config/User", "\"1000:1000\"")]),
    ("user", "user: 1000", &[("/Config/User", "\"1000\"")]),
    ("group_add", "group_add: [5, '6']", &[("/HostConfig/GroupAdd", r#"["5", "6"]"#)]),
    ("working_dir", "working_dir: /tmp", &[("/Config/WorkingDir", "\"/tmp\"")]),
    ("tty", "tty: true", &[("/Config/Tty", "true")]),
    ("stdin_open", "stdin_open: true", &[("/Config/OpenStdin", "true")]),
    ("init", "init: true", &[("/HostConfig/Init", "true")]),
    ("stop_signal", "stop_signal: SIGUSR1", &[("/Config/StopSignal", "\"SIGUSR1\"")]),
    ("stop_grace_period", "stop_grace_period: 1m30s", &[("/Config/StopTimeout", "90")]),
    ("platform", "platform: linux", &[("/Platform", "\"linux\"")]),
    ("pull_policy", "pull_policy: never", &[("/State/Running", "true")]),
    ("pull_policy", "pull_policy: missing", &[("/State/Running", "true")]),
    ("build", "build: .", &[("/State/Running", "true")]),
    (
        "healthcheck.test healthcheck.interval healthcheck.timeout healthcheck.retries healthcheck.start_period",
        "healthcheck: {test: [CMD, 'true'], interval: 2s, timeout: 1500ms, retries: 4, start_period: 1m}",
        &[(
            "/Config/Healthcheck",
            r#"{"Test": ["CMD", "true"], "Interval": 2000000000, "Timeout": 1500000000, "Retries": 4, "StartPeriod": 60000000000}"#,
        )],
    ),
    (
        "healthcheck.test",
        "healthcheck: {test: test -e /}",
        &[("/Config/Healthcheck/Test", r#"["CMD-SHELL", "test -e /"]"#)],
    ),
    (
        "healthcheck.test",
        "healthcheck: {test: [NONE]}",
        &[("/Config/Healthcheck/Test", r#"["NONE"]"#)],
    ),
    (
        "healthcheck.disable",
        "healthcheck: {disable: true}",
        &[("/Config/Healthcheck/Test", r#"["NONE"]"#)],
    ),
    ("restart", "restart: 'no'", &[("/HostConfig/RestartPolicy/Name", "\"no\"")]),
    ("restart", "restart: always", &[("/HostConfig/RestartPolicy/Name", "\"always\"")]),
    (
        "restart",
        "restart: unless-stopped",
        &[("/HostConfig/RestartPolicy/Name", "\"unless-stopped\"")],
    ),
    (
        "restart",
        "restart: on-failure:3",
        &[("/HostConfig/RestartPolicy", r#"{"Name": "on-failure", "MaximumRetryCount": 3}"#)],
    ),
    (
        "deploy.restart_policy.condition deploy.restart_policy.max_attempts",
        "deploy: {restart_policy: {condition: on-failure, max_attempts: 2}}",
        &[("/HostConfig/RestartPolicy", r#"{"Name": "on-failure", "MaximumRetryCount": 2}"#)],
    ),
    (
        "logging.driver logging.options",
        "logging: {driver: json-file, options: {max-size: 1m, max-file: 2}}",
        &[(
            "/HostConfig/LogConfig",
            r#"{"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}}"#,
        )],
    ),
];

#[test]
fn what_runs_is_what_the_file_says() {
    hold(ELEMENTS);
}
