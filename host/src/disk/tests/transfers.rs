//! Copies between workspaces: of hostile origins, onto hostile targets, and while both change.

use std::{
    fs,
    os::unix::{
        fs::{MetadataExt as _, PermissionsExt as _, symlink},
        net::UnixListener,
    },
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use rustix::fs::{RenameFlags, renameat_with};

use super::*;

/// A ground whose workspace is copied into, and another workspace that is copied from.
async fn grounds() -> (Ground, String) {
    let ground = Ground::new().await;
    let origin = ground.disk.make("it").await.unwrap();
    (ground, origin)
}

impl Ground {
    async fn take(&self, origin: &str, path: &str, target: &str) -> Result<Archived> {
        let (path, target) = (path.to_owned(), target.to_owned());
        let approved = self.policy.approve_copying_from(&self.id, origin, path, target)?;
        self.disk.copy_from(approved).await
    }

    /// Where a path of the other workspace lies.
    fn of(&self, origin: &str, path: &str) -> PathBuf {
        self.disk.root(origin).join(path)
    }
}

#[tokio::test]
async fn a_copy_has_what_the_origin_has() {
    let (ground, origin) = grounds().await;
    let of = |path: &str| ground.of(&origin, path);
    fs::create_dir_all(of("d/e/empty")).unwrap();
    fs::write(of("d/a"), "a").unwrap();
    fs::write(of("d/e/run"), "run").unwrap();
    fs::set_permissions(of("d/e/run"), fs::Permissions::from_mode(0o4755)).unwrap();
    symlink("a", of("d/link")).unwrap();
    symlink("../nowhere", of("d/e/dangling")).unwrap();
    let whole = ground.take(&origin, "", "").await.unwrap();
    assert_eq!((whole.entries, whole.bytes, whole.skipped.len()), (7, 4, 0));
    let all = ["d/", "d/a: a", "d/e/", "d/e/dangling -> ../nowhere", "d/e/empty/"];
    assert_eq!(ground.everything(), [&all[..], &["d/e/run: run", "d/link -> a"]].concat());
    let (old, new) = (fs::metadata(of("d/e/run")), fs::metadata(ground.inside("d/e/run")));
    let (old, new) = (old.unwrap(), new.unwrap());
    assert_eq!((new.mode() & 0o7777, new.mtime()), (0o755, old.mtime()));
    if is_root() {
        assert_eq!((new.uid(), new.gid()), (1000, 1000));
    }
    assert_eq!(ground.take(&origin, "d/a", "new/b").await.unwrap().bytes, 1);
    assert_eq!(ground.take(&origin, "d/link", "new/l").await.unwrap().entries, 1);
    assert_eq!(ground.take(&origin, "/workspace/d/e", "new/e").await.unwrap().entries, 3);
    assert_eq!(fs::read_to_string(ground.inside("new/l")).unwrap(), "a");
    assert_eq!(fs::read_to_string(ground.inside("new/e/run")).unwrap(), "run");
    assert_eq!(ground.staged(), 0);
}

#[tokio::test]
async fn a_copy_goes_over_what_is_there_all_of_it_or_nothing() {
    let (ground, origin) = grounds().await;
    for path in ["d/a", "d/keep", "x"] {
        ground.write(path, "old").await.unwrap();
    }
    fs::create_dir_all(ground.of(&origin, "d/e")).unwrap();
    fs::write(ground.of(&origin, "d/a"), "new").unwrap();
    fs::write(ground.of(&origin, "d/e/b"), "new").unwrap();
    ground.take(&origin, "", "").await.unwrap();
    let after = ["d/", "d/a: new", "d/e/", "d/e/b: new", "d/keep: old", "x: old"];
    assert_eq!(ground.everything(), after);
    fs::write(ground.of(&origin, "d/a"), "newer").unwrap();
    fs::create_dir(ground.of(&origin, "x")).unwrap();
    let refusals = [
        (ground.take(&origin, "", "").await, Code::Conflict, "a directory over a file"),
        (ground.take(&origin, "d", "x").await, Code::Conflict, "the same at its top"),
        (ground.take(&origin, "d", "x/y").await, Code::NotFound, "below a file"),
        (ground.take(&origin, "d/a", "d/e").await, Code::Invalid, "a file over a directory"),
        (ground.take(&origin, "d/a", "").await, Code::Invalid, "a file over the root"),
        (ground.take(&origin, "none", "n").await, Code::NotFound, "nothing"),
        (ground.take(&ground.id, "d", "n").await, Code::Invalid, "itself"),
        (ground.take("w_none", "", "").await, Code::NotFound, "no workspace"),
    ];
    for (refusal, code, what) in refusals {
        assert_eq!(refused(refusal).code, code, "{what}");
    }
    assert_eq!((ground.everything(), ground.staged()), (after.map(str::to_owned).to_vec(), 0));
}

#[tokio::test]
async fn no_link_leads_out_on_either_side() {
    let (ground, origin) = grounds().await;
    let of = |path: &str| ground.of(&origin, path);
    let beside = || fs::read_dir(ground.folder.path()).unwrap().count();
    let before = beside();
    fs::write(of("f"), "mine").unwrap();
    fs::create_dir(of("d")).unwrap();
    symlink(ground.outside(), of("d/out")).unwrap();
    symlink(ground.folder.path(), of("up")).unwrap();
    symlink("../../secret", of("relative")).unwrap();
    for path in ["d/out", "up", "up/secret", "relative", "../secret", "/etc/passwd"] {
        check_code(ground.take(&origin, path, "n").await, Code::Denied);
    }
    symlink(ground.folder.path(), ground.inside("way")).unwrap();
    for target in ["way", "way/n", "../n", "/n"] {
        let taken = ground.take(&origin, "d", target).await;
        check_code(taken, Code::Denied);
    }
    // A file takes the place of the link itself.
    ground.take(&origin, "f", "way").await.unwrap();
    // Below the path they are links, which lead nobody anywhere.
    ground.take(&origin, "", "whole").await.unwrap();
    assert_eq!(fs::read_link(ground.inside("whole/d/out")).unwrap(), ground.outside());
    check_code(ground.read("whole/d/out").await, Code::Denied);
    assert_eq!(fs::read_to_string(ground.outside()).unwrap(), "a secret");
    assert_eq!(beside(), before);
}

#[tokio::test]
async fn what_is_no_file_stays_out_and_is_named() {
    let (ground, origin) = grounds().await;
    let of = |path: &str| ground.of(&origin, path);
    fs::create_dir(of("d")).unwrap();
    fs::write(of("d/f"), "f").unwrap();
    make_fifo(&of("d/fifo"));
    let _listener = UnixListener::bind(of("d/socket")).unwrap();
    let copied = ground.take(&origin, "", "").await.unwrap();
    assert_eq!(copied.skipped, ["d/fifo: no regular file", "d/socket: no regular file"]);
    assert_eq!((copied.entries, ground.everything().len()), (2, 2));
    check_code(ground.take(&origin, "d/fifo", "n").await, Code::Invalid);
}

#[tokio::test]
async fn what_is_too_much_is_refused() {
    let (ground, origin) = grounds().await;
    let large = fs::File::create(ground.of(&origin, "large")).unwrap();
    large.set_len((1 << 30) + 1).unwrap();
    for path in ["", "large"] {
        check_code(ground.take(&origin, path, "n").await, Code::Limit);
    }
    assert_eq!((ground.everything().len(), ground.staged()), (0, 0));
}

#[tokio::test]
async fn another_s_workspace_is_taken_from_only_by_whom_the_grant_lets() {
    let (ground, _) = grounds().await;
    let theirs = ground.disk.make("other").await.unwrap();
    // A handle comes before a copy, and is not given.
    let opening = ground.policy.approve_opening_workspace(theirs).unwrap();
    check_code(ground.disk.open(&opening).await.map(|it| it.0), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_swapped_for_a_link_never_leads_out() {
    let (ground, origin) = grounds().await;
    let outside = ground.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("f"), "a secret").unwrap();
    for (root, text) in [(ground.of(&origin, ""), "mine"), (ground.inside(""), "theirs")] {
        fs::create_dir(root.join("d")).unwrap();
        fs::write(root.join("d/f"), text).unwrap();
        symlink(&outside, root.join("way")).unwrap();
    }
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = [ground.of(&origin, ""), ground.inside("")].map(|root| {
        let stop = stop.clone();
        thread::spawn(move || {
            let (one, other) = (root.join("d"), root.join("way"));
            while !stop.load(Ordering::Relaxed) {
                let _ = renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE);
            }
        })
    });
    for number in 0..1000 {
        let target = format!("o{}", number % 2);
        let _ = match number % 4 {
            0 => ground.take(&origin, "", &target).await,
            1 => ground.take(&origin, "d", "d").await,
            2 => ground.take(&origin, "d/f", "d/g").await,
            _ => ground.take(&origin, "", "").await,
        };
        for copy in ["o0/d/f", "o1/d/f", "o0/way/f", "o1/way/f", "d/g", "way/g"] {
            if let Ok(part) = ground.read(copy).await {
                assert_ne!(part.data, b"a secret");
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    swapping.into_iter().for_each(|it| it.join().unwrap());
    assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "a secret");
    assert_eq!((fs::read_dir(outside).unwrap().count(), ground.staged()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_grows_is_copied_as_it_was() {
    let (ground, origin) = grounds().await;
    let (file, folder) = (ground.of(&origin, "f"), ground.of(&origin, "d"));
    fs::write(&file, "x").unwrap();
    fs::create_dir(&folder).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let growing = {
        let stop = stop.clone();
        thread::spawn(move || {
            let mut grown = fs::File::options().append(true).open(file).unwrap();
            let mut number = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                std::io::Write::write_all(&mut grown, &[b'x'; 4096]).unwrap();
                fs::write(folder.join(format!("{:03}", number % 500)), "new").unwrap();
                number += 1;
                // Not more than a copy may have.
                if number.is_multiple_of(1000) {
                    grown.set_len(1).unwrap();
                }
            }
        })
    };
    for number in 0..50 {
        let copied = ground.take(&origin, "", &format!("n{number}")).await.unwrap();
        assert!(copied.entries <= 502, "{copied:?}");
    }
    stop.store(true, Ordering::Relaxed);
    growing.join().unwrap();
    assert_eq!(ground.staged(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_origin_that_is_removed_meanwhile_is_copied_whole_or_not_at_all() {
    for _ in 0..20 {
        let (ground, origin) = grounds().await;
        (0..200).for_each(|name| fs::write(ground.of(&origin, &name.to_string()), "x").unwrap());
        let (taken, destroyed) =
            tokio::join!(ground.take(&origin, "", "n"), ground.disk.destroy(&origin));
        destroyed.unwrap();
        match taken {
            Ok(copied) => assert_eq!((copied.entries, ground.everything().len()), (200, 201)),
            Err(_) => assert_eq!(ground.everything().len(), 0),
        }
        assert_eq!(ground.staged(), 0);
    }
}

#[tokio::test]
async fn ten_thousand_files_are_copied() {
    let (ground, origin) = grounds().await;
    for folder in 0..100 {
        fs::create_dir(ground.of(&origin, &format!("d{folder}"))).unwrap();
        for file in 0..100 {
            fs::write(ground.of(&origin, &format!("d{folder}/f{file}")), "some text\n").unwrap();
        }
    }
    let paths = selection("", &[], &[], false).unwrap();
    let paths = ground.policy.approve_pack(&origin, paths).unwrap();
    let (archive, _) = ground.disk.pack(paths, u32::MAX).await.unwrap();
    let began = Instant::now();
    ground.unpack(archive, "unpacked").await.unwrap();
    let unpacking = began.elapsed();
    let began = Instant::now();
    let copied = ground.take(&origin, "", "copied").await.unwrap();
    // How fast a disk makes files is its own affair: both are told, for the reader.
    eprintln!("copied in {:?}, unpacked in {unpacking:?}", began.elapsed());
    assert_eq!((copied.entries, copied.bytes), (10_100, 100_000));
    assert_eq!(ground.everything().len(), 2 * 10_101);
}
