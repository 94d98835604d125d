//! The security profile, as the engine has it and as a program inside feels it.

use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use bollard::models::{ContainerInspectResponse, HostConfig};
use windlass::{
    config::Power,
    docker::{Exec, Made, Ours},
};

use crate::bench::{Bench, SUPERVISOR, on_each};

async fn look(bench: &Bench, ours: &Ours) -> ContainerInspectResponse {
    bench.raw.inspect_container(ours.engine_id(), None).await.unwrap()
}

/// What a command inside prints, as the container's own user.
async fn inside(bench: &Bench, ours: &Ours, user: &str, script: &str) -> String {
    let exec = Exec {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec![],
        cwd: Some("/".to_owned()),
        stdin: None,
        user: Some(user.to_owned()),
    };
    let mut running = bench.docker.exec(ours, "e_1", exec).await.unwrap();
    let mut text = String::new();
    while let Some(output) = running.next().await {
        text.push_str(&String::from_utf8_lossy(&output.unwrap().bytes));
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn the_profile_is_what_the_engine_holds_a_container_to() {
    on_each(|bench| async move {
        let ours = bench.create(&bench.container(&[])).await;
        let found = look(&bench, &ours).await;
        let config = found.config.unwrap();
        assert_eq!(found.name.unwrap().trim_start_matches('/'), format!("windlass-{}", ours.id()));
        assert_eq!(config.user.as_deref(), Some("1000:1000"));
        assert_eq!(config.entrypoint.unwrap(), ["/.windlass/supervisor"]);
        assert_eq!(config.cmd.unwrap_or_default(), [""; 0]);
        assert_eq!(config.working_dir.as_deref(), Some("/workspace"));
        let labels = config.labels.unwrap();
        assert_eq!(labels["windlass.instance"], bench.instance);
        assert_eq!(labels["windlass.plugin"], "devbench");
        assert_eq!(labels["windlass.alias"], "it");
        assert_eq!(labels["windlass.image"], format!("docker.io/{}:latest", bench.image));
        let host = found.host_config.unwrap();
        check_limits(&bench, &host);
        // Where the engine may not, no container would start.
        let spares = bench.docker.engine().await.unwrap().spares;
        assert_eq!(host.oom_score_adj.unwrap_or(0), if spares { -500 } else { 0 });
        let mut mounts: Vec<_> = found.mounts.unwrap().into_iter().collect();
        mounts.retain(|it| it.typ.as_ref().is_none_or(|it| it != "tmpfs"));
        let mounts: BTreeMap<_, _> =
            mounts.into_iter().map(|it| (it.destination.unwrap(), it.rw.unwrap())).collect();
        let wanted = [("/.windlass".to_owned(), false), ("/workspace".to_owned(), true)];
        assert_eq!(mounts, BTreeMap::from(wanted));
    })
    .await;
}

fn check_limits(bench: &Arc<Bench>, host: &HostConfig) {
    assert_eq!(host.network_mode.as_deref(), Some("none"));
    assert_eq!(host.privileged, Some(false));
    assert_eq!(host.readonly_rootfs, Some(true));
    assert_eq!((host.memory, host.memory_swap), (Some(64 << 20), Some(64 << 20)));
    assert_eq!(host.pids_limit, Some(32));
    assert_eq!(host.nano_cpus, Some(1_000_000_000));
    assert_ne!(host.init, Some(true));
    assert_eq!(host.log_config.as_ref().unwrap().typ.as_deref(), Some("none"));
    assert_eq!(host.security_opt.as_deref().unwrap_or_default(), ["no-new-privileges"]);
    let dropped = host.cap_drop.clone().unwrap_or_default();
    // Podman writes out what ALL is.
    assert!(dropped == ["ALL"] || bench.engine == "podman" && dropped.len() > 5, "{dropped:?}");
    assert_eq!(host.cap_add.clone().unwrap_or_default(), [""; 0]);
    assert_eq!(host.devices.clone().unwrap_or_default(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_inside_finds_every_door_shut() {
    on_each(|bench| async move {
        let ours = bench.running().await;
        let ask = async |script: &str| inside(&bench, &ours, "1000:1000", script).await;
        let status = ask("cat /proc/self/status").await;
        for line in ["NoNewPrivs:\t1", "CapEff:\t0000000000000000", "CapBnd:\t0000000000000000"] {
            assert!(status.contains(line), "{line} in {status}");
        }
        assert_eq!(ask("nproc").await.trim(), "1");
        let id = ask("id").await;
        assert!(id.starts_with("uid=1000") && id.contains("gid=1000"), "{id}");
        let mut places = vec!["/bin/x", "/etc/x", "/x", "/.windlass/x", "/.windlass/supervisor"];
        if bench.engine == "docker" {
            // Podman puts a memory of the container's own at both, and no caller can forbid it.
            places.extend(["/run/x", "/var/tmp/x"]);
        }
        for place in places {
            let said = ask(&format!("touch {place} && echo WRITTEN")).await;
            let rm = ask(&format!("echo x >{place} && echo WRITTEN")).await;
            assert!(!said.contains("WRITTEN") && !rm.contains("WRITTEN"), "{place}: {said}{rm}");
        }
        let kept = ask("rm -f /.windlass/supervisor 2>/dev/null; cat /.windlass/supervisor").await;
        assert_eq!(kept, SUPERVISOR);
        assert_eq!(ask("cat /proc/net/dev | grep -c :").await.trim(), "1");
        let tmp =
            ask("cat >/tmp/x <<E\n#!/bin/sh\necho ran\nE\nsh -c '. /tmp/x'; mount | grep ' /tmp '")
                .await;
        assert!(
            tmp.starts_with("ran") && tmp.contains("nosuid") && !tmp.contains("noexec"),
            "{tmp}"
        );
        assert_eq!(ask("env | grep HOME").await.trim(), "HOME=/tmp");
        ask("echo mine >/workspace/file").await;
        let file = bench.workspace(ours.id()).join("file");
        assert_eq!(fs::read_to_string(file).unwrap(), "mine\n");
        // Root by the engine's exec is root without rights.
        let root =
            inside(&bench, &ours, "0:0", "id; cat /proc/self/status; touch /bin/x && echo WRITTEN")
                .await;
        assert!(root.contains("uid=0"), "{root}");
        assert!(root.contains("CapEff:\t0000000000000000") && !root.contains("WRITTEN"), "{root}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_power_loosens_one_thing() {
    on_each(|bench| async move {
        let ours = bench.create(&bench.container(&[Power::WritableRoot])).await;
        let host = look(&bench, &ours).await.host_config.unwrap();
        assert_ne!(host.readonly_rootfs, Some(true));
        assert_eq!(host.network_mode.as_deref(), Some("none"));
        let ours = bench.create(&bench.container(&[Power::ImageUser])).await;
        let found = look(&bench, &ours).await;
        assert_eq!(found.config.unwrap().user.as_deref(), Some("0:0"));
        assert_eq!(found.host_config.unwrap().readonly_rootfs, Some(true));
        if bench.engine == "docker" {
            let ours = bench.create(&bench.container(&[Power::Bridge])).await;
            let host = look(&bench, &ours).await.host_config.unwrap();
            assert_eq!(host.network_mode.as_deref(), Some("bridge"));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_mounted_is_seen_at_its_own_path_and_cannot_be_written() {
    on_each(|bench| async move {
        let outside = tempfile::tempdir_in("/var/tmp").unwrap();
        let path = outside.path().canonicalize().unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).unwrap();
        fs::write(path.join("file"), "theirs\n").unwrap();
        let path = path.to_str().unwrap().to_owned();
        let wanted = bench.granted(&format!("mounts = ['{path}']\ngroups = [42420, 7]"));
        let ours = bench.create(&wanted).await;
        let found = look(&bench, &ours).await;
        let mounts = found.mounts.unwrap();
        let mount = mounts.iter().find(|it| it.destination.as_ref() == Some(&path)).unwrap();
        assert_eq!((mount.source.as_deref(), mount.rw), (Some(&*path), Some(false)));
        let labels = found.config.unwrap().labels.unwrap();
        assert_eq!((&*labels["windlass.mounts"], &*labels["windlass.groups"]), (&*path, "42420,7"));
        assert_eq!(found.host_config.unwrap().group_add.unwrap_or_default(), ["42420", "7"]);
        bench.docker.start(&ours).await.unwrap();
        for user in ["1000:1000", "0:0"] {
            let script = format!("cat {path}/file; touch {path}/x && echo WRITTEN");
            let said = inside(&bench, &ours, user, &script).await;
            assert!(said.contains("theirs\n") && !said.contains("WRITTEN"), "{said}");
        }
        // Podman's exec leaves them out where a user is named. The first process has them, and what the supervisor starts.
        let status = inside(&bench, &ours, "1000:1000", "grep Groups /proc/1/status").await;
        assert!(status.contains("7 ") && status.contains("42420"), "{status}");
        // It is gone, and is not made by the engine.
        drop(outside);
        let picture = bench.picture(&wanted).await;
        let id = crate::bench::id();
        let (workspace, folder) = bench.folders(&id);
        let (workspace, folder) = (&*workspace, &*folder);
        let (workspace_id, env) = ("w_1", Vec::new());
        let made =
            Made { id: &id, workspace_id, workspace, beside: &[], folder, env, picture: &picture };
        let refused = bench.docker.create(&wanted, &made).await;
        assert!(format!("{refused:?}").contains("it is no directory"), "{refused:?}");
        assert!(!std::path::Path::new(&path).exists());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cores_are_shared_out_and_a_small_share_still_has_one() {
    on_each(|bench| async move {
        let cores = bench.docker.engine().await.unwrap().cores;
        let mut seen = Vec::new();
        for _ in 0..cores.min(4) {
            let ours = bench.create(&bench.sized(&[], Some(0.5))).await;
            let host = look(&bench, &ours).await.host_config.unwrap();
            assert_eq!(host.nano_cpus, Some(500_000_000));
            seen.push(host.cpuset_cpus.unwrap_or_default());
        }
        let count = seen.len();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), count, "{seen:?}");
    })
    .await;
}
