//! From `create` to `remove`, and what is not ours.

use std::{
    fs,
    time::{Duration, Instant},
};

use bollard::{models::ContainerCreateBody, query_parameters::CreateContainerOptions};
use tokio::time::sleep;
use windlass::docker::{Credentials, Docker, Made, Places};

use crate::bench::{id, on_each};

/// So long that only what never happens meets it.
const FOR_EVER: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_container_lives_and_dies() {
    on_each(|bench| async move {
        let docker = &bench.docker;
        let ours = bench.create(&bench.container(&[])).await;
        let made = docker.inspect(&ours).await.unwrap().unwrap();
        assert!(!made.running && made.pid.is_none() && made.exit_code.is_none(), "{made:?}");
        let pid = docker.start(&ours).await.unwrap();
        // Again is no error, and the same process.
        assert_eq!(docker.start(&ours).await.unwrap(), pid);
        // For a moment it is still the engine's own program, which is about to start ours in its place.
        let is_ours = || {
            let command = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
            String::from_utf8_lossy(&command).contains("/.windlass/supervisor")
        };
        let deadline = Instant::now() + FOR_EVER;
        while !is_ours() {
            assert!(Instant::now() < deadline, "another program runs as the first process");
            sleep(Duration::from_millis(1)).await;
        }
        let adjusted = fs::read_to_string(format!("/proc/{pid}/oom_score_adj")).unwrap();
        let spares = docker.engine().await.unwrap().spares;
        assert_eq!(adjusted.trim(), if spares { "-500" } else { "0" });
        let found = docker.inspect(&ours).await.unwrap().unwrap();
        assert_eq!((found.running, found.pid), (true, Some(pid)));
        assert_eq!(found.labels["windlass.id"], ours.id());
        docker.stop(&ours, 60).await.unwrap();
        docker.stop(&ours, 60).await.unwrap();
        let found = docker.inspect(&ours).await.unwrap().unwrap();
        assert_eq!((found.running, found.pid, found.exit_code), (false, None, Some(7)));
        assert!(!found.oom_killed);
        docker.start(&ours).await.unwrap();
        docker.remove(&ours).await.unwrap();
        docker.remove(&ours).await.unwrap();
        docker.stop(&ours, 0).await.unwrap();
        assert!(docker.inspect(&ours).await.unwrap().is_none());
        assert!(docker.find(ours.id()).await.unwrap().is_none());
        let error = format!("{:?}", docker.start(&ours).await.unwrap_err());
        assert!(error.contains("NotFound"), "{error}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_remove_one_container_all_succeed() {
    on_each(|bench| async move {
        let ours = bench.running().await;
        let removals = (0..6).map(|_| {
            let (docker, ours) = (bench.docker.clone(), ours.clone());
            tokio::spawn(async move { docker.remove(&ours).await })
        });
        for removal in removals.collect::<Vec<_>>() {
            removal.await.unwrap().unwrap();
        }
        assert!(bench.docker.inspect(&ours).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dead_host_left_half_made_is_made_again() {
    on_each(|bench| async move {
        let (container, id) = (bench.container(&[]), id());
        let left = bench.create_as(&bench.docker, &container, &id).await;
        let again = bench.create_as(&bench.docker, &container, &id).await;
        assert_ne!(left.engine_id(), again.engine_id());
        assert!(bench.docker.inspect(&left).await.unwrap().is_none());
        assert_eq!(bench.docker.find(&id).await.unwrap(), Some(again));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_neither_listed_nor_touched() {
    on_each(|bench| async move {
        let id = id();
        // Somebody else's, with every label of ours but the name, as an image could bring them.
        let labels = [
            ("windlass.instance".to_owned(), bench.instance.clone()),
            ("windlass.id".to_owned(), id.clone()),
        ];
        let options = |name: &str| CreateContainerOptions {
            name: Some(name.to_owned()),
            ..CreateContainerOptions::default()
        };
        let body = ContainerCreateBody {
            image: Some(bench.image.clone()),
            cmd: Some(vec!["true".to_owned()]),
            labels: Some(labels.into()),
            ..ContainerCreateBody::default()
        };
        let name = format!("foreign-{id}");
        let posing = bench.raw.create_container(Some(options(&name)), body.clone()).await.unwrap();
        // Somebody else's, with the name of ours and no label.
        let body = ContainerCreateBody { labels: None, ..body };
        let name = format!("windlass-{id}");
        let named = bench.raw.create_container(Some(options(&name)), body).await.unwrap();
        // Another host's.
        let socket = Places::socket(bench.socket.clone());
        let other = Docker::new(socket, "another-host", Credentials::default());
        let theirs = bench.create_as(&other, &bench.container(&[]), &crate::bench::id()).await;

        assert!(bench.docker.ours().await.unwrap().is_empty());
        assert!(bench.docker.find(&id).await.unwrap().is_none());
        assert!(bench.docker.find(theirs.id()).await.unwrap().is_none());
        assert!(bench.docker.inspect(&theirs).await.unwrap().is_none());
        let container = bench.container(&[]);
        let (workspace, folder) = bench.folders(&id);
        let picture = bench.picture(&container).await;
        let (id, workspace_id) = (&*id, "w_1");
        let (workspace, folder, picture) = (&*workspace, &*folder, &picture);
        let made = Made { id, workspace_id, workspace, beside: &[], folder, env: vec![], picture };
        let error = format!("{:?}", bench.docker.create(&container, &made).await.unwrap_err());
        assert!(error.contains("Conflict") && error.contains("not of this host"), "{error}");
        for stranger in [&posing.id, &named.id] {
            bench.raw.inspect_container(stranger, None).await.unwrap();
            bench.remove_raw(stranger).await;
        }
        other.remove(&theirs).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_is_missing_is_not_made() {
    on_each(|bench| async move {
        let container = bench.container(&[]);
        let picture = bench.picture(&container).await;
        let id = id();
        let (_, folder) = bench.folders(&id);
        let missing = folder.join("missing");
        let made = Made {
            id: &id,
            workspace_id: "w_1",
            workspace: &missing,
            beside: &[],
            folder: &folder,
            env: vec![],
            picture: &picture,
        };
        let error = bench.docker.create(&container, &made).await.unwrap_err();
        assert!(format!("{error:?}").contains("it is no directory"), "{error:?}");
        assert!(!missing.exists());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_ours_are_listed_running_or_not() {
    on_each(|bench| async move {
        let still = bench.create(&bench.container(&[])).await;
        let running = bench.running().await;
        let mut found = bench.docker.ours().await.unwrap();
        found.sort_by_key(|it| it.running);
        let ids: Vec<_> = found.iter().map(|it| (&it.ours, it.pid.is_some())).collect();
        assert_eq!(ids, [(&still, false), (&running, true)]);
    })
    .await;
}
