//! Files: read, written, listed and deleted, with one tag for all.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::support::bench::{Bench, text};

#[test]
fn defect_05_files_are_reached_by_the_id_that_spawn_gave_and_by_the_alias() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn_with(json!({"alias": "desk"}));
    bench.write(&id, "file", "text");
    assert_eq!(bench.read("desk", "file"), "text");
    let stat = bench.call("fs_stat", json!({"container_id": "desk", "path": "file"}));
    assert_eq!((&stat["size"], &stat["is_dir"]), (&json!(4), &json!(false)), "{stat}");
}

#[test]
fn defect_12_a_fresh_workspace_is_writable_from_inside_and_outside() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let ran = bench.run(
        &id,
        "echo inside > /workspace/a && mkdir /workspace/d && echo t > /tmp/t && cat /tmp/t",
    );
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code), ("t\n", "", 0));
    assert_eq!(bench.read(&id, "a"), "inside\n");
    bench.write(&id, "d/b/c", "outside\n");
    // The program inside changes and removes what the host wrote, in folders that the host made.
    let ran =
        bench.run(&id, "cat d/b/c && echo more >> d/b/c && mv d/b/c d/e && rmdir d/b && cat d/e");
    assert_eq!((ran.stdout.as_str(), ran.code), ("outside\noutside\nmore\n", 0), "{ran:?}");
    // And the host what the program wrote, also where it takes its rights away.
    bench.run(&id, "mkdir locked && echo x > locked/x && chmod 000 locked");
    for path in ["a", "d", "locked"] {
        let deleted = bench.call("fs_delete", json!({"container_id": id, "path": path}));
        assert_eq!(deleted["status"], "deleted");
    }
    assert_eq!(bench.run(&id, "ls -A /workspace").stdout, "");
}

#[test]
fn defect_13_a_list_is_whole_whatever_the_names_are() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let script = "touch -- 'a|b' 'c\nd' ' e' '-f' '*' '.hidden' \"g'h\\\"\"; mkdir -p sub/deep; touch sub/deep/x";
    bench.run(&id, script);
    let list = |bench: &mut Bench, more: serde_json::Value| {
        let arguments = crate::support::bench::merged(json!({"container_id": id}), more);
        let entries = bench.call("fs_list", arguments)["entries"].clone();
        let paths = entries.as_array().unwrap().iter().map(|it| text(&it["path"]));
        paths.map(|it| it.trim_start_matches("/workspace/").to_owned()).collect::<Vec<_>>()
    };
    let mut names = list(&mut bench, json!({}));
    names.sort();
    assert_eq!(names, [" e", "*", "-f", ".hidden", "a|b", "c\nd", "g'h\"", "sub"]);
    let deep = list(&mut bench, json!({"recursive": true}));
    assert!(deep.contains(&"sub/deep/x".to_owned()), "{deep:?}");
    // Page by page it is the same.
    let (mut paged, mut after) = (Vec::new(), String::new());
    loop {
        let arguments = json!({"container_id": id, "recursive": true, "limit": 3, "after": after});
        let page = bench.call("fs_list", arguments);
        let entries = page["entries"].as_array().unwrap().clone();
        paged.extend(entries.iter().map(|it| text(&it["path"]).replace("/workspace/", "")));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(paged, deep);
}

#[test]
fn db_15_a_tag_is_the_same_everywhere_and_guards_a_write() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let written = bench.write(&id, "file", "one");
    let file = json!({"container_id": id, "path": "file"});
    assert_eq!(bench.call("fs_read", file.clone())["etag"], written.as_str());
    assert_eq!(bench.call("fs_stat", file)["etag"], written.as_str());
    let listed = bench.call("fs_list", json!({"container_id": id}))["entries"][0]["etag"].clone();
    assert_eq!(listed, written.as_str(), "defect 15: four formulas");
    let write = |content: &str, tag: &str| json!({"container_id": id, "path": "file", "content": content, "if_match_etag": tag});
    let second = text(&bench.call("fs_write", write("two", &written))["etag"]);
    assert_ne!(second, written, "the same length in the same second");
    let refused = bench.refused("fs_write", write("three", &written));
    assert!(refused.starts_with("CONFLICT: "), "{refused}");
    assert!(refused.contains(&written) && refused.contains(&second), "{refused}");
    assert_eq!(bench.read(&id, "file"), "two");
    // A program inside changes the file: the tag says so.
    bench.run(&id, "echo own > file");
    assert_eq!(bench.code("fs_write", write("three", &second)), "CONFLICT");
}

#[test]
fn defect_15_a_tag_of_what_is_not_there_is_a_conflict() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let write = json!({"container_id": id, "path": "none", "content": "x", "if_match_etag": "abc"});
    assert_eq!(bench.code("fs_write", write), "CONFLICT");
    assert_eq!(
        bench.code("fs_stat", json!({"container_id": id, "path": "none"})),
        "FILE_NOT_FOUND"
    );
}

#[test]
fn defect_15_of_many_writers_with_one_tag_one_wins() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let tag = bench.write(&id, "file", "start");
    let calls: Vec<u64> = (0..16)
        .map(|it| {
            let content = format!("writer {it}");
            let arguments =
                json!({"container_id": id, "path": "file", "content": content, "if_match_etag": tag});
            bench.host().begin("tools/call", json!({"name": "fs_write", "arguments": arguments}))
        })
        .collect();
    let won: Vec<bool> =
        calls.into_iter().map(|it| bench.host().answer(it)["result"]["isError"] != true).collect();
    assert_eq!(won.iter().filter(|it| **it).count(), 1, "{won:?}");
    let winner = won.iter().position(|it| *it).unwrap();
    assert_eq!(bench.read(&id, "file"), format!("writer {winner}"));
}

#[test]
fn db_16_bytes_that_are_no_text_come_back_as_they_went() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let bytes: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let content = STANDARD.encode(&bytes);
    let write =
        json!({"container_id": id, "path": "b.bin", "content": content, "encoding": "base64"});
    assert_eq!(bench.call("fs_write", write)["size"], 70_000);
    let read = bench.call("fs_read", json!({"container_id": id, "path": "b.bin"}));
    assert_eq!((&read["encoding"], &read["size"]), (&json!("base64"), &json!(70_000)));
    assert_eq!(STANDARD.decode(text(&read["content"])).unwrap(), bytes);
    let part = json!({"container_id": id, "path": "b.bin", "offset": 69_998, "length": 10});
    // The last two are letters.
    let part = bench.call("fs_read", part);
    assert_eq!((&part["content"], &part["encoding"]), (&json!("no"), &json!("utf-8")));
    let sum = bench.run(&id, "wc -c < b.bin").stdout;
    assert_eq!(sum.trim(), "70000");
    bench.run(&id, "printf '\\377\\000x' > raw");
    let raw = bench.call("fs_read", json!({"container_id": id, "path": "raw"}));
    assert_eq!(STANDARD.decode(text(&raw["content"])).unwrap(), b"\xff\0x");
}

#[test]
fn db_17_deleting_what_is_not_there_is_not_found() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    let refused = bench.refused("fs_delete", json!({"container_id": id, "path": "none"}));
    assert!(refused.starts_with("FILE_NOT_FOUND: ") && refused.contains("none"), "{refused}");
    bench.write(&id, "d/x", "1");
    bench.call("fs_delete", json!({"container_id": id, "path": "d"}));
    assert_eq!(bench.code("fs_delete", json!({"container_id": id, "path": "d"})), "FILE_NOT_FOUND");
}

#[test]
fn a_reader_sees_a_whole_file_while_it_is_replaced() {
    let Some(mut bench) = Bench::new() else { return };
    let id = bench.spawn();
    bench.write(&id, "file", &"0".repeat(50_000));
    let script = "while [ ! -e stop ]; do tr -d '\\n' < file | sed 's/\\(.\\)\\1*/\\1/' ; echo; done | sort | uniq -c";
    let exec = bench.begin(&id, script);
    for digit in 1..=9 {
        bench.write(&id, "file", &digit.to_string().repeat(50_000));
    }
    bench.write(&id, "stop", "");
    let ran = bench.end(&exec);
    let torn = ran.stdout.lines().find(|line| line.trim().rsplit(' ').next().unwrap().len() != 1);
    assert_eq!(torn, None, "{ran:?}");
}
