//! The spool under load, restarts and torn files.

use super::*;

fn spool() -> (tempfile::TempDir, Spool) {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::new(folder.path().join("e_1"));
    (folder, spool)
}

fn fill(spool: &mut Spool, chunks: u64, size: usize) {
    for _ in 0..chunks {
        let seq = spool.last() + 1;
        let data = vec![u8::try_from(seq % 251).unwrap(); size];
        spool.push(seq.is_multiple_of(3), seq, &data).unwrap();
    }
}

/// Reads it all from its beginning, in portions, and checks what it is. Gives what is dropped and what is kept.
fn walk(spool: &Spool, most: usize) -> (u64, u64) {
    let (_, dropped) = spool.read(0, 1).unwrap();
    let (mut after, mut kept) = (0, 0);
    loop {
        let (chunks, now) = spool.read(after, most).unwrap();
        assert_eq!(now, dropped);
        let Some(last) = chunks.last() else { break };
        for (chunk, seq) in chunks.iter().zip(after.max(dropped) + 1..) {
            assert_eq!((chunk.seq, chunk.time, chunk.stderr), (seq, seq, seq.is_multiple_of(3)));
            assert!(chunk.data.iter().all(|byte| u64::from(*byte) == seq % 251));
        }
        after = last.seq;
        kept += chunks.len() as u64;
    }
    assert_eq!(after, spool.last());
    (dropped, kept)
}

fn on_disk(spool: &Spool) -> u64 {
    let files = fs::read_dir(&spool.folder).unwrap();
    files.map(|file| file.unwrap().metadata().unwrap().len()).sum()
}

#[test]
fn nothing_is_on_disk_before_there_is_output() {
    let (_folder, spool) = spool();
    assert_eq!(walk(&spool, 100), (0, 0));
    assert!(!spool.folder.exists());
}

#[test]
fn of_many_chunks_the_oldest_go() {
    let (_folder, mut spool) = spool();
    for chunks in [1, 15, 16, 968, 9_000, 1, 999, 5_000] {
        fill(&mut spool, chunks, 7);
        let (dropped, kept) = walk(&spool, 64 << 10);
        assert!(kept <= MOST_CHUNKS && dropped + kept == spool.last(), "{dropped} {kept}");
        assert!(dropped == 0 || kept > MOST_CHUNKS - SEGMENT_CHUNKS, "{kept}");
    }
    let all = spool.last();
    let stderr = all / 3 * 7;
    assert_eq!(spool.printed(), Printed { stdout: all * 7 - stderr, stderr });
}

#[test]
fn of_many_bytes_the_oldest_go() {
    let (_folder, mut spool) = spool();
    for _ in 0..30 {
        fill(&mut spool, 64, LARGEST_CHUNK);
        assert!(on_disk(&spool) <= MOST_BYTES);
        assert_eq!(on_disk(&spool), spool.bytes);
    }
    let (dropped, kept) = walk(&spool, 1 << 20);
    assert_eq!(dropped + kept, 30 * 64);
    assert!(kept * LARGEST_CHUNK as u64 > MOST_BYTES - 2 * SEGMENT_BYTES, "{kept}");
}

#[test]
fn a_reader_gets_whole_chunks_and_at_least_one() {
    let (_folder, mut spool) = spool();
    fill(&mut spool, 100, 10);
    let seqs = |after, most| {
        let (chunks, _) = spool.read(after, most).unwrap();
        chunks.iter().map(|chunk| chunk.seq).collect::<Vec<_>>()
    };
    assert_eq!(seqs(0, 0), [1]);
    assert_eq!(seqs(40, 35), [41, 42, 43]);
    assert_eq!(seqs(99, 1000), [100]);
    assert_eq!(seqs(100, 1000), [] as [u64; 0]);
    assert_eq!(seqs(u64::MAX - 1, 1000), [] as [u64; 0]);
}

#[test]
fn what_comes_twice_is_left_out_and_a_gap_is_refused() {
    let (_folder, mut spool) = spool();
    fill(&mut spool, 3, 5);
    let chunk = |seq, data: &[u8]| {
        let mut head = Vec::new();
        ChunkHead { seq, time: 0, stderr: false }.write(&mut head);
        frames::frame(Kind::Chunk, &[&head, data])
    };
    for seq in 0..=3 {
        spool.append(&chunk(seq, b"other")).unwrap();
    }
    assert_eq!(walk(&spool, 100), (0, 3));
    for wrong in [
        chunk(5, b"x"),
        chunk(u64::MAX, b"x"),
        chunk(4, b""),
        chunk(4, &vec![0; LARGEST_CHUNK + 1]),
        frames::frame(Kind::Chunk, &[b"short"]),
    ] {
        assert!(matches!(spool.append(&wrong), Err(Refused::Wrong(_))));
    }
    assert_eq!(walk(&spool, 100), (0, 3));
}

#[test]
fn another_host_finds_it_as_it_was() {
    let (_folder, mut spool) = spool();
    fill(&mut spool, 12_345, 100);
    let before = (walk(&spool, 9999), spool.printed(), on_disk(&spool));
    let mut found = Spool::find(spool.folder.clone()).unwrap();
    assert_eq!((walk(&found, 9999), found.printed(), on_disk(&found)), before);
    fill(&mut found, 3_000, 100);
    let (dropped, kept) = walk(&found, 9999);
    assert_eq!(dropped + kept, 15_345);
    assert_eq!(found.bytes, on_disk(&found));
}

#[test]
fn a_torn_end_is_cut_off() {
    let torn: [fn(&mut Vec<u8>); 6] = [
        |file| file.truncate(file.len() - 1),
        |file| file.truncate(file.len() - 100),
        |file| file.extend([0; 5000]),
        |file| file.extend([255; 5000]),
        |file| file.extend(frames::frame(Kind::Chunk, &[&[7; 100]])),
        |file| file.extend([1, 0, 0, 0, 1]),
    ];
    for (number, tear) in torn.into_iter().enumerate() {
        let (_folder, mut spool) = spool();
        fill(&mut spool, 1_010, 100);
        let path = spool.folder.join("1001");
        let mut file = fs::read(&path).unwrap();
        tear(&mut file);
        fs::write(&path, file).unwrap();
        let mut found = Spool::find(spool.folder.clone()).unwrap();
        let whole = if number < 2 { 1_009 } else { 1_010 };
        assert_eq!(walk(&found, 999), (0, whole), "{number}");
        assert_eq!(found.bytes, on_disk(&found), "{number}");
        fill(&mut found, 5, 100);
        assert_eq!(walk(&found, 999), (0, whole + 5), "{number}");
    }
}

#[test]
fn what_does_not_hang_together_is_dropped() {
    let (_folder, mut spool) = spool();
    fill(&mut spool, 3_500, 10);
    fs::remove_file(spool.folder.join("2001")).unwrap();
    fs::write(spool.folder.join("3501"), b"").unwrap();
    fs::write(spool.folder.join("0"), [0; 99]).unwrap();
    fs::write(spool.folder.join("notes"), b"mine").unwrap();
    let found = Spool::find(spool.folder.clone()).unwrap();
    assert_eq!(walk(&found, 999), (3_000, 500));
    assert!(!spool.folder.join("1").exists() && !spool.folder.join("3501").exists());
}

#[test]
fn what_the_disk_did_not_take_is_taken_later() {
    let (folder, mut spool) = spool();
    fs::write(folder.path().join("e_1"), b"in the way").unwrap();
    assert!(matches!(spool.push(false, 1, b"x"), Err(Refused::Disk(_))));
    assert_eq!((spool.last(), spool.bytes), (0, 0));
    fs::remove_file(folder.path().join("e_1")).unwrap();
    fill(&mut spool, 5, 5);
    assert_eq!(walk(&spool, 99), (0, 5));
}
