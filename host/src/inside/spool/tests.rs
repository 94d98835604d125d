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
fn the_tail_is_what_fits_of_the_last_chunks() {
    let (_folder, mut spool) = spool();
    assert_eq!(spool.tail(100).unwrap(), (Vec::new(), 0));
    fill(&mut spool, 2_500, 10);
    let tail = |most| {
        let (chunks, dropped) = spool.tail(most).unwrap();
        assert_eq!(chunks.first().map_or(2_500, |chunk| chunk.seq - 1), dropped);
        let bytes = chunks.iter().map(|chunk| chunk.data.len()).sum::<usize>();
        assert!(bytes <= most, "{bytes}");
        for (chunk, seq) in chunks.iter().zip(dropped + 1..) {
            assert_eq!((chunk.seq, chunk.time), (seq, seq));
            assert!(chunk.data.iter().all(|byte| u64::from(*byte) == seq % 251));
        }
        (chunks.len(), dropped)
    };
    assert_eq!(tail(0), (0, 2_500));
    assert_eq!(tail(3), (1, 2_499), "the end of one that is larger");
    assert_eq!(tail(10), (1, 2_499));
    assert_eq!(tail(29), (2, 2_498));
    // Over the marks, and over the borders of segments.
    for kept in [15, 16, 17, 499, 500, 501, 1_500, 1_501, 2_499, 2_500] {
        assert_eq!(tail(kept * 10), (kept, 2_500 - kept as u64));
    }
    assert_eq!(tail(usize::MAX), (2_500, 0));
    let found = Spool::find(spool.folder.clone()).unwrap();
    assert_eq!(found.tail(5_015).unwrap(), spool.tail(5_015).unwrap());
}

#[test]
fn the_end_of_a_large_chunk_is_its_last_bytes() {
    let (_folder, mut spool) = spool();
    spool.push(false, 1, b"first").unwrap();
    spool.push(true, 2, b"0123456789").unwrap();
    let (chunks, dropped) = spool.tail(4).unwrap();
    assert_eq!((chunks.len(), dropped), (1, 1));
    assert_eq!((chunks[0].seq, chunks[0].stderr, &*chunks[0].data), (2, true, &b"6789"[..]));
    // One before it does not fit, whole or not.
    assert_eq!(spool.tail(14).unwrap().0.len(), 1);
    assert_eq!(spool.tail(15).unwrap().0.len(), 2);
}

/// However much is kept, only its end is read: the segments before it may as well be gone.
#[test]
fn a_tail_reads_nothing_but_the_end() {
    let (_folder, mut spool) = spool();
    fill(&mut spool, 1_200, LARGEST_CHUNK);
    let newest = spool.segments.back().unwrap().first;
    let (chunks, _) = spool.tail(1 << 20).unwrap();
    for segment in spool.segments.iter().filter(|segment| segment.first < newest.min(chunks[0].seq))
    {
        if segment.first + segment.chunks <= chunks[0].seq {
            fs::remove_file(spool.folder.join(segment.first.to_string())).unwrap();
        }
    }
    assert_eq!(spool.tail(1 << 20).unwrap().0, chunks);
    assert_eq!(chunks.last().unwrap().seq, 1_200);
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
