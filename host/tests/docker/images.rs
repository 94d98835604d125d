//! Images: those that are there under any name, and those that come from a registry.

use std::{sync::Arc, sync::Mutex};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bollard::query_parameters::RemoveImageOptions;
use windlass::{
    capability::types::Code,
    config::{ContainersGrant, Grants},
    docker::{Credentials, Docker, Places},
    error::{Failure, Result},
    policy::{Approved, AskedContainer, NewContainer, Policy},
};

use crate::{
    bench::{Bench, on_each},
    registry::{PASSWORD, Registry, USER},
};

fn wanted(image: &str) -> Approved<NewContainer> {
    let registries = vec!["*".to_owned()];
    let grant = ContainersGrant { registries, ..ContainersGrant::default() };
    let grants = Grants { containers: Some(grant), ..Grants::default() };
    let asked = AskedContainer { image: image.to_owned(), ..AskedContainer::default() };
    Policy::new("devbench", grants).unwrap().approve_container(asked).unwrap()
}

fn code<T>(answer: Result<T>) -> (Code, String) {
    match answer {
        Err(Failure::Answer(error)) => (error.code, error.message),
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it is there"),
    }
}

fn door(bench: &Bench, credentials: &str) -> Docker {
    let credentials = Credentials::read(credentials).unwrap();
    Docker::new(Places::socket(bench.socket.clone()), &bench.instance, credentials)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_was_made_here_is_found_by_its_whole_name() {
    on_each(|bench| async move {
        for name in [bench.image.clone(), format!("docker.io/{}:latest", bench.image)] {
            let picture = bench.picture(&wanted(&name)).await;
            assert!(picture.id.len() >= 64 && picture.user.is_none(), "{picture:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_fetch_serves_all_who_wait_and_a_registry_is_told_who_asks() {
    on_each(|bench| async move {
        if bench.engine != "docker" {
            // It takes no registry without TLS that its configuration does not name.
            println!("SKIPPED: {} has no registry to fetch from", bench.engine);
            return;
        }
        let registry = Registry::start().await;
        let name = format!("{}/a/b:1", registry.address);
        let auth = STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let text =
            format!(r#"{{"auths": {{"http://{}/v2/": {{"auth": "{auth}"}}}}}}"#, registry.address);
        let docker = door(&bench, &text);
        let texts = Arc::new(Mutex::new(Vec::new()));
        let fetch = || {
            let (docker, name, texts) = (docker.clone(), name.clone(), texts.clone());
            tokio::spawn(async move {
                let note = |_, _, text: &str| texts.lock().unwrap().push(text.to_owned());
                docker.ensure_image(&wanted(&name), note).await
            })
        };
        // The first goes away in the middle; the fetch goes on for the others.
        let gone = fetch();
        let waiting: Vec<_> = (0..8).map(|_| fetch()).collect();
        while registry.layers() == 0 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        registry.open();
        for picture in waiting {
            let picture = picture.await.unwrap().unwrap();
            assert_eq!(picture.user.as_deref(), Some("12:34"));
            assert!(picture.env.contains(&"A=1".to_owned()), "{picture:?}");
            assert!(picture.digest.unwrap().starts_with("sha256:"));
        }
        assert_eq!(registry.layers(), 1);
        assert!(!texts.lock().unwrap().is_empty());
        // It is there; nobody is asked, and no credentials are needed.
        let picture = bench.picture(&wanted(&name)).await;
        let pinned = format!("{}/a/b:9@{}", registry.address, picture.digest.clone().unwrap());
        assert_eq!(bench.picture(&wanted(&pinned)).await, picture);
        assert_eq!(registry.layers(), 1);
        let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
        bench.raw.remove_image(&picture.id, Some(options), None).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_fails_says_whose_fault_it_is() {
    on_each(|bench| async move {
        if bench.engine != "docker" {
            println!("SKIPPED: {} has no registry to fetch from", bench.engine);
            return;
        }
        let registry = Registry::start().await;
        let name = |path: &str| format!("{}/{path}", registry.address);
        let ask = async |docker: &Docker, name: &str| {
            code(docker.ensure_image(&wanted(name), |_, _, _| ()).await)
        };
        let (denied, message) = ask(&bench.docker, &name("a/b:1")).await;
        assert_eq!(denied, Code::Denied, "{message}");
        assert!(message.contains("MCP_DOCKER_CONFIG_JSON"), "{message}");
        let text = format!(
            r#"{{"auths": {{"{}": {{"username": "{USER}", "password": "{PASSWORD}"}}}}}}"#,
            registry.address
        );
        let docker = door(&bench, &text);
        let (missing, message) = ask(&docker, &name("a/b:2")).await;
        assert_eq!(missing, Code::NotFound, "{message}");
        assert!(!message.contains(PASSWORD), "{message}");
        let (away, message) = ask(&docker, "127.0.0.1:1/a/b:1").await;
        assert_eq!(away, Code::Unavailable, "{message}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_nobody_waits_for_any_more_is_given_up() {
    on_each(|bench| async move {
        if bench.engine != "docker" {
            println!("SKIPPED: {} has no registry to fetch from", bench.engine);
            return;
        }
        let registry = Registry::start().await;
        let name = format!("{}/a/b:1", registry.address);
        let text = format!(
            r#"{{"auths": {{"{}": {{"username": "{USER}", "password": "{PASSWORD}"}}}}}}"#,
            registry.address
        );
        let docker = door(&bench, &text);
        let fetch = |docker: Docker, name: String| {
            tokio::spawn(async move { docker.ensure_image(&wanted(&name), |_, _, _| ()).await })
        };
        let gone = fetch(docker.clone(), name.clone());
        while registry.layers() == 0 {
            tokio::task::yield_now().await;
        }
        gone.abort();
        drop(gone.await);
        registry.open();
        // Whoever comes after is served, whether the first fetch is over or not.
        let picture = fetch(docker, name).await.unwrap().unwrap();
        let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
        bench.raw.remove_image(&picture.id, Some(options), None).await.unwrap();
    })
    .await;
}
