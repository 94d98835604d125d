//! Ways out that a container plants. None leads out, whatever is asked for.

use std::{fs, os::unix::fs::symlink};

use super::*;

/// Everything that can be asked for of a path that leads out, however it is written.
async fn attack(ground: &Ground, way: &str) {
    let in_it = format!("{way}/x");
    check_code(ground.read(way).await, Code::Denied);
    check_code(ground.stat(way).await, Code::Denied);
    check_code(ground.list(way, true, "", 10).await, Code::Denied);
    check_code(ground.pack(way, false).await, Code::Denied);
    check_code(ground.step(copy(way, "copy", false)).await, Code::Denied);
    check_code(ground.unpack(archives::tar(&[("x", "x")]), way).await, Code::Denied);
    check_code(ground.read(&in_it).await, Code::Denied);
    check_code(ground.write(&in_it, "x").await, Code::Denied);
    check_code(ground.swap(&in_it, "x", Some("")).await, Code::Denied);
    check_code(ground.remove(&in_it).await, Code::Denied);
    check_code(ground.step(rename("f", &in_it, true)).await, Code::Denied);
    check_code(ground.step(rename(&in_it, "g", true)).await, Code::Denied);
    check_code(ground.step(copy("f", &in_it, true)).await, Code::Denied);
    check_code(ground.batch(vec![write(&in_it, "x", None)]).await, Code::Denied);
    let paths = selection("f", &[], &[], false).unwrap();
    let paths = ground.policy.approve_pack_into(&ground.id, paths, in_it.clone()).unwrap();
    check_code(ground.disk.pack_into(paths).await, Code::Denied);
    let archive = path(way);
    let unpack = ground.policy.approve_unpack(&ground.id, archive, "t".to_owned()).unwrap();
    check_code(ground.disk.unpack_from(unpack).await, Code::Denied);
}

#[tokio::test]
async fn no_link_leads_out_of_a_workspace() {
    let ground = Ground::new().await;
    ground.write("f", "mine").await.unwrap();
    let outside = ground.folder.path().to_owned();
    let neighbour = ground.disk.make("it").await.unwrap();
    fs::create_dir(ground.inside("d")).unwrap();
    symlink(&outside, ground.inside("absolute")).unwrap();
    symlink("/", ground.inside("slash")).unwrap();
    symlink("../..", ground.inside("relative")).unwrap();
    symlink("..", ground.inside("up")).unwrap();
    symlink(format!("../{neighbour}"), ground.inside("neighbour")).unwrap();
    symlink("absolute", ground.inside("twice")).unwrap();
    symlink("../../..", ground.inside("d/deep")).unwrap();
    symlink(format!("../{}", ground.id), ground.inside("round")).unwrap();
    symlink("/workspace", ground.inside("home")).unwrap();
    let ways = [
        "absolute",
        "slash",
        "relative",
        "up",
        "neighbour",
        "twice",
        "d/deep",
        "absolute/x/..",
        "d/../up",
        "round",
        "home",
        "/workspace/up",
    ];
    for way in ways {
        attack(&ground, way).await;
    }
    // What leads out is no way, but a thing: it can be removed, moved and replaced.
    ground.step(rename("slash", "moved", false)).await.unwrap();
    ground.remove("moved").await.unwrap();
    ground.write("absolute", "a file").await.unwrap();
    ground.step(rename("f", "relative", true)).await.unwrap();
    assert_eq!(ground.read("relative").await.unwrap().data, b"mine");
    assert_eq!(fs::read_to_string(ground.outside()).unwrap(), "a secret");
    let mut beside: Vec<_> = fs::read_dir(&outside)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("windlass.db"))
        .collect();
    beside.sort();
    assert_eq!(beside, ["secret", "workspaces"]);
    assert_eq!(fs::read_dir(ground.disk.root(&neighbour)).unwrap().count(), 0);
    assert_eq!(ground.staged(), 0);
}

#[tokio::test]
async fn a_link_to_a_file_outside_is_neither_read_nor_written_over() {
    let ground = Ground::new().await;
    let plant = |name: &str| symlink(ground.outside(), ground.inside(name)).unwrap();
    plant("link");
    let refusal = refused(ground.read("link").await);
    assert_eq!(
        refusal.message,
        "Path security violation for 'link': Path must be under /workspace"
    );
    assert_eq!(refusal.details.as_deref(), Some(r#"{"error_code":"PATH_SECURITY"}"#));
    check_code(ground.stat("link").await, Code::Denied);
    check_code(ground.step(copy("link", "x", false)).await, Code::Denied);
    check_code(ground.swap("link", "x", Some("tag")).await, Code::Conflict);
    let (archive, archived) = ground.pack("", false).await.unwrap();
    assert_eq!(archived.skipped, ["link: a link"]);
    assert!(!archive.windows(8).any(|it| it == b"a secret"));
    assert_eq!(ground.list("", true, "", 9).await.unwrap().entries[0].etag, None);
    ground.write("link", "x").await.unwrap();
    plant("other");
    ground.unpack(archives::tar(&[("other", "y")]), "").await.unwrap();
    plant("third");
    ground.step(copy("link", "third", true)).await.unwrap();
    assert_eq!(ground.everything(), ["link: x", "other: y", "third: x"]);
    assert_eq!(fs::read_to_string(ground.outside()).unwrap(), "a secret");
}

#[tokio::test]
async fn the_ways_of_proc_lead_nowhere() {
    let ground = Ground::new().await;
    symlink("/proc/self/root", ground.inside("proc")).unwrap();
    symlink("/proc/self/fd", ground.inside("fds")).unwrap();
    ground.write("f", "mine").await.unwrap();
    for way in ["proc", "fds"] {
        attack(&ground, way).await;
    }
}

#[tokio::test]
async fn a_second_name_of_a_file_outside_is_never_written_through() {
    let ground = Ground::new().await;
    // No container can make one; an operator can.
    fs::hard_link(ground.outside(), ground.inside("hard")).unwrap();
    assert_eq!(ground.read("hard").await.unwrap().data, b"a secret");
    ground.write("hard", "x").await.unwrap();
    ground.remove("hard").await.unwrap();
    assert_eq!(fs::read_to_string(ground.outside()).unwrap(), "a secret");
}

#[tokio::test]
async fn a_device_is_not_opened() {
    if !is_root() {
        return;
    }
    let ground = Ground::new().await;
    let zero = rustix::fs::makedev(1, 5);
    let device = ground.inside("zero");
    mknodat(CWD, &device, FileType::CharacterDevice, Mode::from(0o666), zero).unwrap();
    check_code(ground.read("zero").await, Code::Invalid);
    check_code(ground.step(copy("zero", "x", false)).await, Code::Invalid);
    let (_, archived) = ground.pack("", false).await.unwrap();
    assert_eq!(archived.skipped, ["zero: no regular file"]);
}
