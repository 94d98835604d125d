//! The engine's exec, and signals to what it has started.

use std::fs;

use windlass::docker::{Exec, Output, Running};

use crate::bench::on_each;

const KILL: i32 = 9;
const TERM: i32 = 15;

fn command(script: &str) -> Exec {
    Exec {
        command: ["sh", "-c", script].map(str::to_owned).to_vec(),
        env: vec!["WORD=secret".to_owned()],
        cwd: Some("/workspace".to_owned()),
        stdin: None,
        user: Some("0:0".to_owned()),
    }
}

async fn read(running: &mut Running) -> (String, String) {
    let (mut out, mut err) = (String::new(), String::new());
    while let Some(output) = running.next().await {
        let Output { stderr, bytes } = output.unwrap();
        let text = if stderr { &mut err } else { &mut out };
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    (out, err)
}

/// How many processes of this machine carry the marker.
fn left(id: &str) -> usize {
    let marker = format!("WINDLASS_PROCESS={id}");
    let carries = |path: std::path::PathBuf| {
        let environment = fs::read(path.join("environ")).unwrap_or_default();
        environment.split(|it| *it == 0).any(|it| it == marker.as_bytes())
    };
    fs::read_dir("/proc").unwrap().flatten().filter(|it| carries(it.path())).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn output_code_environment_and_place() {
    on_each(|bench| async move {
        let ours = bench.running().await;
        let script = "echo $WORD; echo wrong >&2; cd .; echo $PWD; id; cat; exit 3";
        let mut running = bench.docker.exec(&ours, "e_1", command(script)).await.unwrap();
        let (out, err) = read(&mut running).await;
        assert!(out.starts_with("secret\n/workspace\nuid=0"), "{out}");
        assert_eq!(err, "wrong\n");
        assert_eq!(running.code().await.unwrap(), Some(3));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_look_like_frames_come_as_they_are() {
    on_each(|bench| async move {
        let ours = bench.running().await;
        let script = r#"printf '\001\000\000\000\000\000\000\005hello\002\n'; sleep 0.1; printf '\001\002\003'"#;
        let mut running = bench.docker.exec(&ours, "e_1", command(script)).await.unwrap();
        let (out, _) = read(&mut running).await;
        assert_eq!(out, "\x01\0\0\0\0\0\0\x05hello\x02\n\x01\x02\x03");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_reaches_the_whole_tree_and_nothing_else() {
    on_each(|bench| async move {
        let ours = bench.running().await;
        let (one, other) = (format!("e_{}", uuid::Uuid::new_v4()), format!("e_{}", uuid::Uuid::new_v4()));
        let script = "sleep 1000 & setsid sleep 1000 & setsid setsid sh -c 'sleep 1000; true' & echo up; wait";
        let mut running = bench.docker.exec(&ours, &one, command(script)).await.unwrap();
        let mut bystander = bench.docker.exec(&ours, &other, command(script)).await.unwrap();
        assert_eq!(&*running.next().await.unwrap().unwrap().bytes, b"up\n");
        assert_eq!(&*bystander.next().await.unwrap().unwrap().bytes, b"up\n");
        assert!(bench.docker.signal(&ours, &one, 0).await.is_err());
        let mut rounds = 0;
        while bench.docker.signal(&ours, &one, KILL).await.unwrap() > 0 {
            rounds += 1;
            assert!(rounds < 1000, "they do not go");
        }
        assert!(rounds > 0);
        assert_eq!(left(&one), 0);
        assert!(left(&other) >= 4, "{}", left(&other));
        read(&mut running).await;
        assert_eq!(running.code().await.unwrap(), Some(137));
        assert!(bench.docker.signal(&ours, &other, TERM).await.unwrap() >= 4);
        assert_eq!(bench.docker.signal(&ours, "e_unknown", KILL).await.unwrap(), 0);
        assert!(bench.docker.inspect(&ours).await.unwrap().unwrap().running);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exec_in_a_container_that_is_gone_says_so() {
    on_each(|bench| async move {
        let ours = bench.create(&bench.container(&[])).await;
        // Not started: Docker says 409.
        assert!(bench.docker.exec(&ours, "e_1", command("true")).await.is_err());
        assert_eq!(bench.docker.signal(&ours, "e_1", KILL).await.unwrap(), 0);
        bench.docker.remove(&ours).await.unwrap();
        let error = bench.docker.exec(&ours, "e_1", command("true")).await.err().unwrap();
        assert!(format!("{error:?}").contains("NotFound"), "{error:?}");
        assert_eq!(bench.docker.signal(&ours, "e_1", KILL).await.unwrap(), 0);
    })
    .await;
}
