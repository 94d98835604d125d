//! Others who write meanwhile: a container that swaps links under the host's hand, and writers who want the same file.

use std::{
    fs,
    os::unix::fs::symlink,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rustix::fs::{RenameFlags, renameat_with};

use super::*;

/// How many operations a swapped directory has to stand.
const OPERATIONS: usize = 10_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_that_is_swapped_for_a_link_never_leads_out() {
    let ground = Ground::new().await;
    let outside = ground.folder.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("f"), "a secret").unwrap();
    fs::create_dir(ground.inside("d")).unwrap();
    fs::write(ground.inside("d/f"), "mine").unwrap();
    symlink(&outside, ground.inside("way")).unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let swapping = {
        let (stop, one, other) = (stop.clone(), ground.inside("d"), ground.inside("way"));
        thread::spawn(move || {
            let mut swaps = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                // The host takes away what is there, too.
                if renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).is_ok() {
                    swaps += 1;
                }
            }
            swaps
        })
    };
    for number in 0..OPERATIONS {
        let other = format!("o{}", number % 3);
        match number % 8 {
            0 => drop(ground.write("d/f", "mine").await),
            1 => {
                if let Ok(part) = ground.read("d/f").await {
                    assert_eq!(part.data, b"mine");
                }
            }
            2 => {
                for entry in ground.list("d", true, "", 100).await.iter().flat_map(|it| &it.entries)
                {
                    assert_ne!(entry.size, 8, "{entry:?}");
                }
            }
            3 => drop(ground.step(copy("d/f", &other, true)).await),
            4 => drop(ground.step(copy("d", &format!("c{other}"), false)).await),
            5 => drop(ground.batch(vec![write("d/n/x", "mine", None), remove("d/n")]).await),
            6 => drop(ground.unpack(archives::tar(&[("u", "mine")]), "d").await),
            _ => {
                if let Ok((archive, _)) = ground.pack("d", false).await {
                    assert!(!archive.windows(8).any(|it| it == b"a secret"));
                }
            }
        }
    }
    stop.store(true, Ordering::Relaxed);
    assert!(swapping.join().unwrap() > 0);
    let names: Vec<_> = fs::read_dir(&outside).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names, ["f"], "something was written outside");
    assert_eq!(fs::read_to_string(outside.join("f")).unwrap(), "a secret");
    for copied in ground.everything() {
        assert!(!copied.ends_with(": a secret"), "{copied}");
    }
    assert_eq!(ground.staged(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_hundred_writers_one_wins_each_round() {
    let ground = Arc::new(Ground::new().await);
    let mut tag = ground.write("f", "start").await.unwrap().etag.unwrap();
    for round in 0..5 {
        let writers: Vec<_> = (0..100)
            .map(|number| {
                let (ground, tag) = (ground.clone(), tag.clone());
                tokio::spawn(async move {
                    ground.swap("f", &format!("{round} {number}"), Some(&tag)).await
                })
            })
            .collect();
        let mut winners = Vec::new();
        for writer in writers {
            match writer.await.unwrap() {
                Ok(stat) => winners.push(stat.etag.unwrap()),
                failure => check_code(failure, Code::Conflict),
            }
        }
        assert_eq!(winners.len(), 1, "round {round}");
        tag = winners.remove(0);
        assert_eq!(ground.stat("f").await.unwrap().etag.as_ref(), Some(&tag));
    }
    assert_eq!(ground.staged(), 0);
}

/// A program inside replaces the file again and again. No write with a tag may take away a file that it did not see.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_with_a_tag_takes_away_no_file_that_it_did_not_see() {
    let ground = Ground::new().await;
    ground.write("f", "0").await.unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let inside = {
        let (stop, file, folder) = (stop.clone(), ground.inside("f"), ground.inside(""));
        thread::spawn(move || {
            let mut number = 0_u64;
            while !stop.load(Ordering::Relaxed) {
                number += 1;
                let new = folder.join("new");
                fs::write(&new, format!("inside {number}")).unwrap();
                fs::rename(&new, &file).unwrap();
            }
        })
    };
    for number in 0..500 {
        let tag = ground.stat("f").await.unwrap().etag.unwrap();
        match ground.swap("f", &format!("host {number}"), Some(&tag)).await {
            Ok(_) => {}
            failure => check_code(failure, Code::Conflict),
        }
    }
    stop.store(true, Ordering::Relaxed);
    inside.join().unwrap();
    let text = fs::read_to_string(ground.inside("f")).unwrap();
    assert!(text.starts_with("inside ") || text.starts_with("host "), "{text}");
    assert_eq!((ground.everything().len(), ground.staged()), (1, 0));
}
