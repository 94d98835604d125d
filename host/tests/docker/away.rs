//! An engine that is not there, goes away and comes back.

use std::time::Duration;

use tokio::{io::AsyncReadExt as _, net::UnixListener};
use windlass::{
    capability::types::Code,
    docker::{Credentials, Docker, Exec, Places},
    error::{Failure, Result},
};

use crate::{bench::on_each, proxy::Proxy};

#[track_caller]
fn unavailable<T>(answer: Result<T>) -> String {
    match answer {
        Err(Failure::Answer(error)) if error.code == Code::Unavailable => error.message,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is there"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_comes_goes_and_comes_back() {
    on_each(|bench| async move {
        let mut proxy = Proxy::new(&bench.socket);
        let places = Places::socket(proxy.socket());
        let docker = Docker::new(places, &bench.instance, Credentials::default());
        let message = unavailable(docker.ours().await);
        assert!(
            message.contains("there is no such socket") && message.contains("DOCKER_HOST"),
            "{message}"
        );
        proxy.mend();
        let engine = docker.engine().await.unwrap();
        assert_eq!(engine.kind(), bench.engine);
        assert!(engine.local && !engine.version.is_empty());
        assert_eq!(engine.api, "1.41");
        let ours = bench.running().await;
        assert_eq!(docker.ours().await.unwrap().len(), 1);
        // In the middle of a command.
        let exec = Exec {
            command: ["sh", "-c", "echo up; sleep 1000"].map(str::to_owned).to_vec(),
            env: vec![],
            cwd: Some("/".to_owned()),
            stdin: None,
            user: Some("0:0".to_owned()),
        };
        let mut running = docker.exec(&ours, "e_1", exec).await.unwrap();
        assert_eq!(&*running.next().await.unwrap().unwrap().bytes, b"up\n");
        let stopping = tokio::spawn({
            let (docker, ours) = (docker.clone(), ours.clone());
            async move { docker.inspect(&ours).await }
        });
        proxy.cut().await;
        // It came through before, or says that it did not.
        if let Err(error) = stopping.await.unwrap() {
            unavailable::<()>(Err(error));
        }
        assert!(running.next().await.is_none_or(|it| it.is_err()));
        let message = unavailable(docker.inspect(&ours).await);
        assert!(message.contains("engine"), "{message}");
        unavailable(docker.engine().await);
        unavailable(docker.ensure_image(&bench.container(&[]), |_, _, _| ()).await);
        unavailable(docker.remove(&ours).await);
        // Nobody knows how it ended.
        let code = running.code().await;
        assert!(!matches!(code, Ok(Some(_))), "{code:?}");
        proxy.mend();
        assert!(docker.inspect(&ours).await.unwrap().unwrap().running);
        docker.remove(&ours).await.unwrap();
        proxy.cut().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_only_looks_like_an_engine_is_named_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    // One that takes every byte and says nothing.
    let mute = folder.path().join("mute.sock");
    let listener = UnixListener::bind(&mute).unwrap();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((client, _)) = listener.accept().await {
            kept.push(client);
        }
    });
    // One that hangs up.
    let rude = folder.path().join("rude.sock");
    let listener = UnixListener::bind(&rude).unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            drop(client.read_u8().await);
        }
    });
    let file = folder.path().join("file.sock");
    std::fs::write(&file, "").unwrap();
    for (path, wanted) in [(mute, "no answer within"), (rude, "connection"), (file, "refused")] {
        let docker = Docker::new(Places::socket(path.clone()), "i", Credentials::default());
        let within = Duration::from_secs(60);
        let (engine, tried) = tokio::time::timeout(within, docker.tried()).await.unwrap();
        assert!(engine.is_none());
        let outcome = tried[0].outcome.to_lowercase();
        assert!(outcome.contains(wanted), "{tried:?}");
        assert_eq!(tried[0].place, format!("unix://{}", path.display()));
    }
    let places = Places::from_variables(|name| {
        (name == "DOCKER_HOST").then(|| "ssh://somebody@somewhere".to_owned())
    });
    let docker = Docker::new(places, "i", Credentials::default());
    let message = unavailable(docker.engine().await);
    assert!(message.contains("ssh is not spoken here"), "{message}");
}
