//! `windlass.toml`: what makes no sense is told before anything runs.

use std::{fs, os::unix::fs::PermissionsExt as _};

use crate::support::{Setup, fixture};

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

#[test]
fn a_folder_of_plugins_that_others_can_write_is_not_used() {
    let setup = Setup::new();
    let folder = setup.state().join("plugins");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(fixture("echo"), folder.join("echo.wasm")).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).unwrap();
    let ended = setup.run(&["tools", "--json"]);
    assert_eq!(String::from_utf8_lossy(&ended.stdout).trim(), "[]");
    assert!(String::from_utf8_lossy(&ended.stderr).contains("others can write"));
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(String::from_utf8_lossy(&setup.run(&["tools"]).stdout).contains("echo"));
}

#[test]
fn documents_are_for_their_owner_alone() {
    let setup = Setup::new().plugins(&["echo"]);
    fs::create_dir_all(setup.state()).unwrap();
    let mut host = setup.legacy();
    host.end();
    let database = fs::metadata(host.setup.state().join("windlass.db")).unwrap();
    assert_eq!(database.permissions().mode() & 0o777, 0o600);
}
