//! The container and its supervisor, attacked from inside.

use std::process::Command;

use serde_json::json;

use crate::support::{
    bench::{Bench, finished, setup},
    engine::docker,
};

/// Each of these must fail; what they print is for the reader of a failure.
const ATTACKS: &[&str] = &[
    "rm -f /.windlass/host",
    "rm -f /.windlass/supervisor",
    "mv /.windlass /workspace/w",
    "touch /.windlass/x",
    "echo x > /.windlass/supervisor",
    "chmod 777 /.windlass",
    "mount -t tmpfs none /.windlass",
    "mount -o remount,rw /.windlass",
    "mount -o remount,rw /",
    // Only to open it: what cannot be read at its start would fail anyway.
    ": < /proc/1/mem",
    ": > /proc/1/mem",
    "cat /proc/1/maps",
    "cat /proc/1/environ",
    "ls /proc/1/fd",
    "cd /proc/1/root",
    "readlink /proc/1/exe",
    "echo 1000 > /proc/1/oom_score_adj",
    "mknod /tmp/device c 1 1",
    "su -c id root",
    "chroot / id",
    "echo c > /proc/sysrq-trigger",
    "echo x > /proc/sys/kernel/core_pattern",
    "dmesg",
    "ls /var/run/docker.sock",
];

#[test]
fn nothing_inside_changes_the_room() {
    for mut bench in Bench::everywhere("powers = [\"root\"]") {
        let id = bench.spawn();
        for attack in ATTACKS {
            let ran = bench.run(&id, attack);
            assert_ne!(ran.code, 0, "`{attack}` succeeded: {ran:?}");
        }
        assert_eq!(bench.run(&id, "echo alive").stdout, "alive\n");
    }
}

/// Podman's own filter of system calls lets a program have a user namespace; Docker's does not.
#[test]
fn nobody_is_root_in_a_namespace_of_their_own() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    assert_ne!(bench.run(&id, "unshare -U id").code, 0);
}

#[test]
fn not_even_root_inside_changes_it() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    for attack in
        ["rm -f /.windlass/host", "mount -t tmpfs none /tmp", "mknod /tmp/d c 1 1", "touch /x"]
    {
        let ran = bench.run_with(&id, attack, json!({"as_root": true}));
        assert_ne!(ran.code, 0, "`{attack}` succeeded: {ran:?}");
    }
}

#[test]
fn the_first_process_cannot_be_ended_from_inside() {
    for mut bench in Bench::everywhere("powers = [\"root\"]") {
        let id = bench.spawn();
        for signal in ["KILL", "TERM", "STOP", "HUP", "INT", "QUIT", "USR1", "PIPE"] {
            bench.run(&id, &format!("kill -{signal} 1"));
        }
        // All that it may signal; the kernel leaves out the first process, and itself.
        bench.run(&id, "kill -KILL -1");
        assert_eq!(bench.run(&id, "echo alive").stdout, "alive\n");
        assert_eq!(bench.inspect(&id)["RestartCount"], 0);
    }
}

#[test]
fn no_program_inside_poses_as_the_supervisor() {
    for mut bench in Bench::everywhere("powers = [\"root\"]") {
        let id = bench.spawn();
        let exec = bench.begin(&id, "echo up; while [ ! -e go ]; do usleep 1000; done; echo on");
        bench.printed(&exec, "up");
        // The very program that the host would listen to, only that it is not the first process.
        for start in [
            "/.windlass/supervisor",
            "setsid /.windlass/supervisor",
            "WINDLASS_PROCESS= /.windlass/supervisor",
        ] {
            bench.run(&id, &format!("timeout 2 {start}"));
        }
        bench.write(&id, "go", "");
        assert_eq!(bench.end(&exec).stdout, "up\non\n", "its connection was taken over");
        assert_eq!(bench.run(&id, "echo alive").stdout, "alive\n");
    }
}

#[test]
fn nobody_else_on_the_machine_poses_as_the_supervisor() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let socket = bench.state().join("containers").join(&id).join("host");
    let mut stream = std::os::unix::net::UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(crate::support::PATIENCE)).unwrap();
    let hello = br#"{"control":{"version":1,"processes":[]}}"#;
    let mut frame = u32::try_from(hello.len() + 1).unwrap().to_le_bytes().to_vec();
    frame.push(0);
    frame.extend(hello);
    // It may be closed before all of it is written.
    let _ = std::io::Write::write_all(&mut stream, &frame);
    let mut answer = Vec::new();
    let _ = std::io::Read::read_to_end(&mut stream, &mut answer);
    assert!(answer.is_empty(), "{}", String::from_utf8_lossy(&answer));
    assert_eq!(bench.run(&id, "echo alive").stdout, "alive\n");
}

#[test]
fn one_container_sees_nothing_of_another() {
    let Some(mut bench) = Bench::new() else { return };
    let (one, two) = (bench.spawn(), bench.spawn());
    bench.run(&one, "echo mine > /workspace/f; echo mine > /tmp/f");
    let exec = bench.begin(&one, "echo up; exec sleep 98762");
    bench.printed(&exec, "up");
    let ran = bench.run(&two, "ls /workspace /tmp; ps | grep -c '[9]8762'");
    assert!(!ran.stdout.contains('f') && ran.stdout.ends_with("0\n"), "{ran:?}");
}

#[test]
fn a_plugin_without_the_grant_makes_no_container() {
    let Some(engine) = docker() else { return };
    let without = "[plugins.devbench.grants]\nstore = true\nworkspaces = \"own\"\n";
    let Some(setup) = setup(engine.address(), without, &[]) else { return };
    let ended = setup.ended(&["serve"]);
    assert!(ended.stderr.contains("containers"), "{ended:?}");
}

#[test]
fn a_second_host_in_the_same_state_does_no_harm() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let mut second: Command = bench.command(&["serve"]);
    second.stdin(std::process::Stdio::null());
    finished(&mut second);
    assert_eq!(bench.run(&id, "echo alive").stdout, "alive\n");
}
