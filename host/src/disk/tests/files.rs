//! Single files: what is written is what is read, with one tag everywhere.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
};

use super::*;
use crate::capability::bindings::windlass::plugin::workspaces::Kind;

#[tokio::test]
async fn what_is_written_is_read_with_the_same_tag_everywhere() {
    let ground = Ground::new().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let step = Step::Write { path: path("a/b/c.bin"), bytes: bytes.clone(), if_match: None };
    let Done::Written(written) = ground.step(step).await.unwrap() else { panic!() };
    let tag = written.etag.clone().unwrap();
    assert_eq!(tag, blake3::hash(&bytes).to_hex().as_str());
    let read = ground.read("/workspace/a/./b/c.bin").await.unwrap();
    assert!(read.data == bytes);
    assert_eq!(read.stat.etag.as_ref(), Some(&tag));
    assert_eq!(ground.stat("a/b/c.bin").await.unwrap().etag.as_ref(), Some(&tag));
    let listed = ground.list("a", true, "", 10).await.unwrap().entries;
    assert_eq!(listed[1].etag.as_ref(), Some(&tag));
    assert_eq!(listed[1].path, "a/b/c.bin");
    let part = ground.part("a/b/c.bin", 99_990, Some(100)).await.unwrap();
    assert_eq!((part.data.as_slice(), part.stat.etag.as_ref()), (&bytes[99_990..], Some(&tag)));
    assert_eq!(ground.part("a/b/c.bin", 1 << 40, Some(1)).await.unwrap().data, b"");
    assert_eq!(ground.part("a/b/c.bin", u64::MAX, None).await.unwrap().data, b"");
    let done = ground.batch(vec![Step::Read(path("a/b/c.bin"))]).await.unwrap();
    let [Done::Read(part)] = done.as_slice() else { panic!() };
    assert_eq!(part.stat.etag.as_ref(), Some(&tag));
    assert_eq!(ground.staged(), 0);
}

#[tokio::test]
async fn what_is_made_belongs_to_whom_containers_run_as() {
    let ground = Ground::new().await;
    ground.write("d/f", "x").await.unwrap();
    ground.step(copy("d", "e", false)).await.unwrap();
    let host = rustix::process::geteuid();
    let user = if host.is_root() { 1000 } else { host.as_raw() };
    for (made, mode) in [("", 0o755), ("d", 0o755), ("d/f", 0o644), ("e", 0o755), ("e/f", 0o644)] {
        let metadata = fs::metadata(ground.inside(made)).unwrap();
        assert_eq!((metadata.uid(), metadata.mode() & 0o7777), (user, mode), "`{made}`");
    }
    fs::set_permissions(ground.inside("d/f"), fs::Permissions::from_mode(0o4755)).unwrap();
    ground.write("d/f", "y").await.unwrap();
    assert_eq!(fs::metadata(ground.inside("d/f")).unwrap().mode() & 0o7777, 0o755);
}

#[tokio::test]
async fn a_write_happens_only_to_the_file_that_was_expected() {
    let ground = Ground::new().await;
    let missing = refused(ground.swap("f", "x", Some("abc")).await);
    assert_eq!(missing.message, "File conflict at 'f': expected ETag 'abc', but found ''");
    check_code(ground.swap("no/where/f", "x", Some("abc")).await, Code::Conflict);
    assert!(ground.everything().is_empty());
    let first = ground.swap("f", "1", Some("")).await.unwrap().etag.unwrap();
    check_code(ground.swap("f", "2", Some("")).await, Code::Conflict);
    let second = ground.swap("f", "2", Some(&first)).await.unwrap().etag.unwrap();
    let stale = refused(ground.swap("f", "3", Some(&first)).await);
    let text = format!("File conflict at 'f': expected ETag '{first}', but found '{second}'");
    assert_eq!(stale.message, text);
    assert!(stale.details.unwrap().contains(r#""error_code":"CONFLICT""#));
    let step = Step::Remove { path: path("f"), if_match: Some(first) };
    check_code(ground.step(step).await, Code::Conflict);
    let step = Step::Remove { path: path("f"), if_match: Some(second) };
    ground.step(step).await.unwrap();
    assert!(ground.everything().is_empty());
    assert_eq!(ground.staged(), 0);
}

#[tokio::test]
async fn a_tag_is_that_of_what_a_program_inside_just_wrote() {
    let ground = Ground::new().await;
    ground.write("f", "aaaa").await.unwrap();
    for number in 0..2000 {
        // The same length, most times within the same tick of the disk's clock.
        let text = format!("{number:04}");
        fs::write(ground.inside("f"), &text).unwrap();
        let tag = ground.stat("f").await.unwrap().etag.unwrap();
        assert_eq!(tag, blake3::hash(text.as_bytes()).to_hex().as_str());
    }
}

#[tokio::test]
async fn a_tag_is_remembered_once_a_file_has_settled() {
    let ground = Ground::new().await;
    fs::write(ground.inside("f"), "x").unwrap();
    let file = fs::File::open(ground.inside("f")).unwrap();
    let stat = rustix::fs::fstat(&file).unwrap();
    let tags = super::super::tags::Tags::default();
    let tag = tags.of(&file, &stat).unwrap();
    assert_eq!(tags.remembered(), 0, "it changed a moment ago");
    let later = i128::from(stat.st_ctime + 4) * 1_000_000_000;
    assert_eq!(tags.of_at(&file, &stat, later).unwrap(), tag);
    assert_eq!(tags.remembered(), 1);
    assert_eq!(tags.of_at(&file, &stat, later).unwrap(), tag);
}

#[tokio::test]
async fn what_is_not_there_is_told_as_that() {
    let ground = Ground::new().await;
    ground.write("f", "x").await.unwrap();
    for missing in ["no", "no/way", "f/x", "/workspace/no"] {
        let texts = [
            refused(ground.read(missing).await),
            refused(ground.stat(missing).await),
            refused(ground.remove(missing).await),
            refused(ground.list(missing, false, "", 1).await),
            refused(ground.pack(missing, false).await),
            refused(ground.step(copy(missing, "t", false)).await),
            refused(ground.step(rename(missing, "t", false)).await),
        ];
        for error in texts {
            assert_eq!(error.message, format!("File not found: {missing}"));
            assert_eq!(error.code, Code::NotFound);
            assert_eq!(error.details.as_deref(), Some(r#"{"error_code":"FILE_NOT_FOUND"}"#));
        }
    }
    assert_eq!(ground.everything(), ["f: x"]);
}

#[tokio::test]
async fn a_link_that_stays_inside_is_read_over_and_written_in_place_of() {
    let ground = Ground::new().await;
    ground.write("d/f", "x").await.unwrap();
    symlink("d/f", ground.inside("link")).unwrap();
    symlink("d", ground.inside("to")).unwrap();
    symlink("nowhere", ground.inside("loose")).unwrap();
    assert_eq!(ground.read("link").await.unwrap().data, b"x");
    assert_eq!(ground.read("to/f").await.unwrap().data, b"x");
    assert_eq!(ground.stat("link").await.unwrap().kind, Kind::File);
    assert_eq!(ground.stat("loose").await.unwrap().kind, Kind::Link);
    let kinds: Vec<_> =
        ground.list("", true, "", 10).await.unwrap().entries.iter().map(|it| it.kind).collect();
    assert_eq!(kinds, [Kind::Directory, Kind::File, Kind::Link, Kind::Link, Kind::Link]);
    ground.write("to/g", "y").await.unwrap();
    ground.write("link", "z").await.unwrap();
    ground.write("loose", "w").await.unwrap();
    ground.remove("to").await.unwrap();
    assert_eq!(ground.everything(), ["d/", "d/f: x", "d/g: y", "link: z", "loose: w"]);
}

#[tokio::test]
async fn what_is_no_file_is_no_file_and_nobody_waits_for_it() {
    let ground = Ground::new().await;
    make_fifo(&ground.inside("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(ground.inside("socket")).unwrap();
    for special in ["fifo", "socket"] {
        check_code(ground.read(special).await, Code::Invalid);
        check_code(ground.step(copy(special, "t", false)).await, Code::Invalid);
        check_code(ground.pack(special, false).await, Code::Invalid);
        check_code(ground.swap(special, "x", Some("tag")).await, Code::Conflict);
        assert_eq!(ground.stat(special).await.unwrap().kind, Kind::Other);
    }
    let (_, archived) = ground.pack("", false).await.unwrap();
    assert_eq!(archived.skipped, ["fifo: no regular file", "socket: no regular file"]);
    ground.write("fifo", "a file").await.unwrap();
    assert_eq!(ground.read("fifo").await.unwrap().data, b"a file");
    ground.remove("socket").await.unwrap();
}

#[tokio::test]
async fn pages_neither_lose_nor_repeat_while_files_appear() {
    let ground = Ground::new().await;
    let mut stay = Vec::new();
    for number in 0..40 {
        let (folder, file) = (format!("d{}", number % 5), format!("f{number:02}.txt"));
        ground.write(&format!("{folder}/{file}"), "x").await.unwrap();
        stay.push(format!("{folder}/{file}"));
    }
    // A name that sorts between a directory and what is in it, byte by byte.
    ground.write("d0-", "x").await.unwrap();
    stay.push("d0-".to_owned());
    let (mut seen, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = ground.list("", true, &after, 7).await.unwrap();
        seen.extend(page.entries.into_iter().map(|it| it.path));
        for (number, place) in ["a", "d1/a", "d2/zz", "z"].iter().enumerate() {
            ground.write(&format!("{place}{pages}{number}"), "new").await.unwrap();
        }
        pages += 1;
        match page.next {
            Some(next) => after = next,
            None => break,
        }
    }
    let mut once = seen.clone();
    once.sort();
    once.dedup();
    assert_eq!(once.len(), seen.len(), "something came twice: {seen:?}");
    for path in stay {
        assert!(seen.contains(&path), "{path} was lost");
    }
    check_code(ground.list("d0", true, "elsewhere", 7).await, Code::Invalid);
}

#[tokio::test]
async fn a_deep_tree_is_removed_and_does_no_harm() {
    let ground = Ground::new().await;
    let start = ground.inside("");
    let mut at = rustix::fs::open(&start, rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
    for _ in 0..5000 {
        rustix::fs::mkdirat(&at, "d", Mode::from(0o755)).unwrap();
        at = rustix::fs::openat(&at, "d", rustix::fs::OFlags::PATH, Mode::empty()).unwrap();
    }
    drop(at);
    // The first pages are fine; to what is deeper the kernel takes no path.
    let first = ground.list("", true, "", 1000).await.unwrap();
    let next = ground.list("", true, &first.next.unwrap(), 1000).await.unwrap();
    check_code(ground.list("", true, &next.next.unwrap(), 1000).await, Code::Invalid);
    check_code(ground.step(copy("d", "e", false)).await, Code::Invalid);
    ground.remove("d").await.unwrap();
    assert_eq!((ground.everything().len(), ground.staged()), (0, 0));
}

#[tokio::test]
async fn names_that_are_no_text_are_shown_and_stay() {
    use std::os::unix::ffi::OsStrExt as _;
    let ground = Ground::new().await;
    let name = std::ffi::OsStr::from_bytes(b"a\xff");
    fs::write(ground.inside("").join(name), "x").unwrap();
    assert_eq!(ground.list("", true, "", 9).await.unwrap().entries[0].path, "a\u{fffd}");
    ground.step(copy("", "c", false)).await.unwrap();
    assert!(ground.inside("c").join(name).exists());
}
