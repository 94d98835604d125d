//! `windlass.toml`: what makes no sense is told before anything runs.

use crate::support::Setup;

/// The start fails, and says this.
#[track_caller]
fn check(config: &str, said: &str) {
    let setup = Setup::new().plugins(&["echo"]).config(config);
    let ended = setup.run(&["tools"]);
    let errors = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(2), "{errors}");
    assert!(errors.contains(said), "{errors}");
}

#[test]
fn a_limit_of_nothing_is_refused() {
    check("[limits]\nslice_ms = 0", "limits: slice_ms: 0 lets nothing happen");
    check(
        "[plugins.echo.limits]\nhost_calls = 0",
        "plugins.echo.limits: host_calls: 0 lets nothing happen",
    );
    check("[limits]\nmemory_mib = 5000", "limits: memory_mib: 5000 is none");
    check("[server]\nconcurrent_calls = 0", "server.concurrent_calls: 0 lets no call in");
}

#[test]
fn a_mistake_is_told_with_its_line() {
    check("\n[server]\nread_onyl = true", "windlass.toml:3: unknown field `read_onyl`");
    check("[http]\nlisten = 'everywhere'", "windlass.toml:2: `listen`: ");
    check("[plugins.echo.secrets]\nkey = 'hunter2'", "a secret is written as a reference");
}
