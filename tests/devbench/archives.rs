//! Workspaces in and out as tar.

use std::io::Read as _;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tar::{Archive, Builder, EntryType, Header};

use crate::support::bench::{Bench, merged, text};

fn export(bench: &mut Bench, id: &str, more: Value) -> Vec<u8> {
    let arguments = merged(json!({"container_id": id}), more);
    STANDARD.decode(text(&bench.call("fs_export", arguments)["data"])).unwrap()
}

/// The files of an archive, in order of their names, each with what it holds.
fn files(archive: &[u8]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in Archive::new(archive).entries().unwrap() {
        let mut entry = entry.unwrap();
        if entry.header().entry_type() == EntryType::Regular {
            let path = entry.path().unwrap().display().to_string();
            let mut held = String::new();
            entry.read_to_string(&mut held).unwrap();
            found.push((path.trim_start_matches("./").to_owned(), held));
        }
    }
    found.sort();
    found
}

fn unzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

fn pair(path: &str, held: &str) -> (String, String) {
    (path.to_owned(), held.to_owned())
}

/// An archive of one member with a name that no builder would take.
fn archive(kind: EntryType, name: &str, link: &str, held: &[u8]) -> String {
    let mut header = Header::new_old();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(held.len() as u64);
    header.set_cksum();
    let mut builder = Builder::new(Vec::new());
    let mut good = Header::new_gnu();
    good.set_size(4);
    good.set_mode(0o644);
    builder.append_data(&mut good, "good", &b"good"[..]).unwrap();
    builder.append(&header, held).unwrap();
    STANDARD.encode(builder.into_inner().unwrap())
}

#[test]
fn db_19_an_export_holds_what_the_globs_choose() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    for path in ["src/main.rs", "src/deep/lib.rs", "notes.md", "target/out.rs"] {
        bench.write(&id, path, path);
    }
    let globs = json!({"include": ["**/*.rs"], "exclude": ["target/**"]});
    let wanted = [pair("src/deep/lib.rs", "src/deep/lib.rs"), pair("src/main.rs", "src/main.rs")];
    assert_eq!(files(&unzipped(&export(&mut bench, &id, globs.clone()))), wanted);
    let plain = export(&mut bench, &id, merged(globs, json!({"gzip": false})));
    assert_eq!(files(&plain), wanted);
    let whole = export(&mut bench, &id, json!({}));
    assert_eq!(files(&unzipped(&whole)).len(), 4);
}

#[test]
fn db_19_an_archive_comes_back_as_it_went() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.write(&id, "a/b", "held");
    bench.run(&id, "chmod 755 a/b");
    let bytes = export(&mut bench, &id, json!({}));
    let import = json!({"container_id": id, "path": "copy", "data": STANDARD.encode(bytes)});
    let imported = bench.call("fs_import", import);
    assert_eq!(imported["bytes"], 4, "{imported}");
    assert_eq!(bench.run(&id, "stat -c %a copy/a/b; cat copy/a/b").stdout, "755\nheld");
    // Too large for an answer, it goes by way of a file.
    bench.run(&id, "head -c 9000000 /dev/urandom > large");
    let limit = bench.code("fs_export", json!({"container_id": id, "path": "large"}));
    assert_eq!(limit, "LIMIT");
    let stored =
        bench.call("fs_export", json!({"container_id": id, "path": "large", "to": "large.tgz"}));
    assert!(stored["etag"].is_string(), "{stored}");
    bench.call("fs_import", json!({"container_id": id, "path": "again", "from": "large.tgz"}));
    assert_eq!(bench.run(&id, "cmp large again/large && echo same").stdout, "same\n");
}

#[test]
fn db_19_members_that_lead_out_are_refused_and_nothing_is_unpacked() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let hostile = [
        archive(EntryType::Regular, "/etc/evil", "", b"x"),
        archive(EntryType::Regular, "../evil", "", b"x"),
        archive(EntryType::Regular, "a/../../evil", "", b"x"),
        archive(EntryType::Symlink, "link", "/etc/passwd", b""),
        archive(EntryType::Symlink, "link", "../../etc/passwd", b""),
        archive(EntryType::Link, "link", "/etc/passwd", b""),
        archive(EntryType::Link, "link", "../evil", b""),
    ];
    for data in hostile {
        let result = bench.host().call("fs_import", json!({"container_id": id, "data": data}));
        assert_eq!(result["isError"], true, "{result}");
        assert_eq!(bench.run(&id, "ls -A").stdout, "", "something of it was unpacked");
    }
    let devices = archive(EntryType::Char, "device", "", b"");
    bench.host().call("fs_import", json!({"container_id": id, "data": devices}));
    assert_eq!(bench.run(&id, "find . -type c -o -type b").stdout, "");
    let nonsense = STANDARD.encode([0x1f, 0x8b, 8, 0, 1, 2, 3, 4, 5, 6, 7, 8]);
    let result = bench.host().call("fs_import", json!({"container_id": id, "data": nonsense}));
    assert_eq!(result["isError"], true, "{result}");
}

#[test]
fn db_19_an_archive_that_would_fill_the_disk_is_refused() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let mut header = Header::new_gnu();
    header.set_path("big").unwrap();
    header.set_size(1 << 40);
    header.set_mode(0o644);
    header.set_cksum();
    // It says that it holds a terabyte, and ends at once.
    let data = STANDARD.encode(header.as_bytes());
    let result = bench.host().call("fs_import", json!({"container_id": id, "data": data}));
    assert_eq!(result["isError"], true, "{result}");
    assert_eq!(bench.run(&id, "ls big").code, 1, "a part of it was unpacked");
}
