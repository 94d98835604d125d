//! Archives: hostile ones, damaged ones, and those that come back as they went.

use std::{
    fs,
    io::Write as _,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
};

use flate2::{Compression, write::GzEncoder};
use tar::{Builder, EntryType, Header};

use super::*;

/// A tar of files.
pub(super) fn tar(files: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (name, text) in files {
        add(&mut builder, name, EntryType::Regular, text.as_bytes(), "");
    }
    builder.into_inner().unwrap()
}

/// Adds a member under any name, also under one that the library would refuse.
fn add(builder: &mut Builder<Vec<u8>>, name: &str, kind: EntryType, bytes: &[u8], link: &str) {
    let mut header = Header::new_gnu();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_mtime(1_000_000_000);
    header.set_cksum();
    builder.append(&header, bytes).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An archive in which this member comes after one that is fine.
fn with(name: &str, kind: EntryType, bytes: &[u8], link: &str) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    add(&mut builder, "fine", EntryType::Regular, b"fine", "");
    add(&mut builder, name, kind, bytes, link);
    builder.into_inner().unwrap()
}

#[tokio::test]
async fn an_archive_with_one_bad_member_changes_nothing() {
    use EntryType as Kind;
    let ground = Ground::new().await;
    ground.write("fine", "as it was").await.unwrap();
    let before = ground.everything();
    let file = |name| with(name, Kind::Regular, b"x", "");
    let bad = [
        (file("../x"), "leads out"),
        (file("a/../../x"), "leads out"),
        (file("a/../x"), "leads out"),
        (file("/etc/x"), "leads out"),
        (file(".."), "leads out"),
        (file("."), "without a name"),
        (with("../d/", Kind::Directory, b"", ""), "leads out"),
        (with("l", Kind::Symlink, b"", "/etc/passwd"), "is a symbolic link"),
        (with("l", Kind::Symlink, b"", "fine"), "is a symbolic link"),
        (with("l", Kind::Link, b"", "/etc/passwd"), "is a hard link"),
        (with("l", Kind::Link, b"", "fine"), "is a hard link"),
        (with("n", Kind::Char, b"", ""), "is a device"),
        (with("n", Kind::Block, b"", ""), "is a device"),
        (with("n", Kind::Fifo, b"", ""), "is a fifo"),
        (with("n", Kind::GNUSparse, b"", ""), "is a sparse file"),
        (with("n", Kind::new(b'Z'), b"", ""), "not known"),
        (with("fine/x", Kind::Regular, b"", ""), "at once"),
        (with("fine/", Kind::Directory, b"", ""), "at once"),
        (with("x", Kind::XHeader, b"12 size=999\n", ""), "size in an extension"),
        (with("x", Kind::XHeader, b"25 GNU.sparse.major=1234\n", ""), "is a sparse file"),
    ];
    for (archive, why) in bad {
        for archive in [gzip(&archive), archive] {
            let error = refused(ground.unpack(archive, "").await);
            assert!(error.message.contains(why), "{why}: {}", error.message);
            assert_eq!((error.code, ground.everything()), (Code::Denied, before.clone()));
        }
    }
    assert_eq!(ground.staged(), 0);
}

#[tokio::test]
async fn a_long_name_leads_out_as_little_as_a_short_one() {
    let ground = Ground::new().await;
    for (kind, text) in [
        (EntryType::GNULongName, &b"../../escaped\0"[..]),
        (EntryType::XHeader, b"22 path=../../escaped\n"),
        (EntryType::XHeader, b"17 path=/escaped\n"),
    ] {
        let mut builder = Builder::new(Vec::new());
        add(&mut builder, "extension", kind, text, "");
        add(&mut builder, "harmless", EntryType::Regular, b"x", "");
        let archive = builder.into_inner().unwrap();
        check_code(ground.unpack(archive, "").await, Code::Denied);
    }
    assert!(ground.everything().is_empty());
}

#[tokio::test]
async fn a_damaged_archive_changes_nothing() {
    let ground = Ground::new().await;
    let whole = tar(&[("a", "text"), ("b", &"long ".repeat(1000))]);
    let packed = gzip(&whole);
    let mut flipped = packed.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    let mut wrong_sum = packed.clone();
    let end = wrong_sum.len() - 6;
    wrong_sum[end] ^= 0xff;
    let mut cuts = vec![flipped, wrong_sum, b"no archive at all".to_vec(), Vec::new()];
    cuts.extend((1..packed.len()).step_by(7).map(|end| packed[..end].to_vec()));
    cuts.extend((1..whole.len() - 1024).step_by(256).map(|end| whole[..end].to_vec()));
    for cut in cuts {
        check_code(ground.unpack(cut, "").await, Code::Invalid);
    }
    assert!(ground.everything().is_empty());
    assert_eq!(ground.staged(), 0);
    ground.unpack(packed, "").await.unwrap();
    assert_eq!(ground.everything().len(), 2);
}

#[tokio::test]
async fn a_bomb_is_stopped_by_what_comes_out_of_it() {
    let ground = Ground::new().await;
    let zeros = vec![0; 1 << 20];
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    let member = |name: &str, size: u64| {
        let mut header = Header::new_gnu();
        header.set_path(name).unwrap();
        header.set_size(size);
        header.set_mode(0o644);
        header.set_cksum();
        header
    };
    for name in ["one", "two"] {
        encoder.write_all(member(name, 16 << 20).as_bytes()).unwrap();
        (0..16).for_each(|_| encoder.write_all(&zeros).unwrap());
    }
    encoder.write_all(member("bomb", 1 << 30).as_bytes()).unwrap();
    encoder.write_all(&zeros).unwrap();
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    check_code(ground.unpack(bomb, "").await, Code::Limit);
    // What is after the end mark is read for its checksum, and is a bomb as well.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&tar(&[("a", "a")])).unwrap();
    (0..1500).for_each(|_| encoder.write_all(&zeros).unwrap());
    check_code(ground.unpack(encoder.finish().unwrap(), "").await, Code::Limit);
    assert_eq!((ground.everything().len(), ground.staged()), (0, 0));
}

#[tokio::test]
async fn an_archive_of_too_many_members_is_refused() {
    let ground = Ground::new().await;
    let mut builder = Builder::new(Vec::new());
    for _ in 0..=100_000 {
        add(&mut builder, "d/", EntryType::Directory, b"", "");
    }
    let archive = gzip(&builder.into_inner().unwrap());
    check_code(ground.unpack(archive, "").await, Code::Limit);
    assert_eq!((ground.everything().len(), ground.staged()), (0, 0));
}

#[tokio::test]
async fn what_is_packed_is_unpacked_as_it_was() {
    let ground = Ground::new().await;
    let long = format!("deep/{}/f.txt", "name".repeat(50));
    for (path, text) in [("a.rs", "a"), ("d/b.rs", "b"), ("d/c.txt", "c"), (&long, "l"), ("e", "")]
    {
        ground.write(path, text).await.unwrap();
    }
    fs::set_permissions(ground.inside("a.rs"), fs::Permissions::from_mode(0o4750)).unwrap();
    fs::create_dir(ground.inside("empty")).unwrap();
    for zipped in [false, true] {
        let (archive, packed) = ground.pack("", zipped).await.unwrap();
        assert_eq!((packed.entries, packed.bytes), (9, 4));
        assert_eq!(archive.starts_with(&[0x1f, 0x8b]), zipped);
        let other = Ground::new().await;
        let unpacked = other.unpack(archive, "").await.unwrap();
        assert_eq!((unpacked.entries, unpacked.bytes), (9, 4));
        assert_eq!(other.everything(), ground.everything());
        let metadata = |it: &Ground| fs::metadata(it.inside("a.rs")).unwrap();
        assert_eq!(
            metadata(&other).mode() & 0o7777,
            0o750,
            "the right to be somebody else stays out"
        );
        assert_eq!(metadata(&other).mtime(), metadata(&ground).mtime());
        assert_eq!(metadata(&other).uid(), metadata(&ground).uid());
    }
}

#[tokio::test]
async fn globs_choose_what_is_packed() {
    let ground = Ground::new().await;
    for path in ["a.rs", "d/b.rs", "d/e/c.rs", "d/t.txt", "target/x.rs", "d/target/y.rs"] {
        ground.write(path, "x").await.unwrap();
    }
    let check = async |path: &str, include: &[&str], exclude: &[&str], expected: &[&str]| {
        let (archive, _) = ground.pack_some(path, include, exclude, false).await.unwrap();
        let mut archive = tar::Archive::new(archive.as_slice());
        let entries = archive.entries().unwrap().map(Result::unwrap);
        let names: Vec<_> = entries
            .filter(|entry| entry.header().entry_type() == EntryType::Regular)
            .map(|entry| String::from_utf8(entry.path_bytes().into_owned()).unwrap())
            .collect();
        assert_eq!(names, expected, "{include:?} {exclude:?}");
    };
    check("", &["**/*.rs"], &["**/target"], &["a.rs", "d/b.rs", "d/e/c.rs"]).await;
    check("", &["*.rs"], &[], &["a.rs"]).await;
    check("", &["d/e"], &[], &["d/e/c.rs"]).await;
    check("d", &[], &["target", "*.txt"], &["b.rs", "e/c.rs"]).await;
    check("d/b.rs", &[], &[], &["b.rs"]).await;
    check_code(ground.pack_some("", &["a[", ""], &[], false).await, Code::Invalid);
}

#[tokio::test]
async fn archives_are_packed_into_files_and_unpacked_from_them() {
    let ground = Ground::new().await;
    ground.write("d/a", "a").await.unwrap();
    for round in 0..2 {
        let paths = selection("", &[], &[], true).unwrap();
        let into = ground.policy.approve_pack_into(&ground.id, paths, "out/all.tgz".to_owned());
        let (stat, archived) = ground.disk.pack_into(into.unwrap()).await.unwrap();
        assert_eq!(ground.stat("out/all.tgz").await.unwrap().etag, stat.etag);
        assert_eq!(archived.bytes, 1, "round {round}: the archive is not in itself");
    }
    let archive = path("out/all.tgz");
    let unpack = ground.policy.approve_unpack(&ground.id, archive, "new".to_owned()).unwrap();
    ground.disk.unpack_from(unpack).await.unwrap();
    assert_eq!(ground.read("new/d/a").await.unwrap().data, b"a");
    assert_eq!(ground.staged(), 0);
}

#[tokio::test]
async fn unpacking_goes_over_what_is_there_all_of_it_or_nothing() {
    let ground = Ground::new().await;
    for path in ["d/a", "d/keep", "x"] {
        ground.write(path, "old").await.unwrap();
    }
    ground.unpack(tar(&[("d/a", "new"), ("d/e/b", "new")]), "").await.unwrap();
    let after = ["d/", "d/a: new", "d/e/", "d/e/b: new", "d/keep: old", "x: old"];
    assert_eq!(ground.everything(), after);
    // A directory where a file is, after files that could be replaced.
    let clash = tar(&[("d/a", "newer"), ("d/z", "newer"), ("n/x", "newer"), ("x/y", "newer")]);
    check_code(ground.unpack(clash, "").await, Code::Conflict);
    let clash = tar(&[("d/a", "newer"), ("d/e", "newer")]);
    check_code(ground.unpack(clash, "").await, Code::Conflict);
    assert_eq!(ground.everything(), after);
    assert_eq!(ground.staged(), 0);
}

#[tokio::test]
async fn an_archive_in_memory_is_as_large_as_it_may_be() {
    let ground = Ground::new().await;
    ground.write("f", &"x".repeat(100_000)).await.unwrap();
    let paths = ground.policy.approve_pack(&ground.id, selection("", &[], &[], false).unwrap());
    check_code(ground.disk.pack(paths.unwrap(), 50_000).await, Code::Limit);
}
