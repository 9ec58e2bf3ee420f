//! File sources replay exactly and lose nothing; file sinks publish each txid once.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::*;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimeUnit};
use tempfile::TempDir;

use super::*;
use crate::random::Random;
use crate::{BadRecord, Change, CsvStyle, Encoder, Error, Format, Options, Position, Read, Sink, Source};

fn two_columns() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("id", DataType::Int64, true), Field::new("name", DataType::Utf8, true)]))
}

fn rows(ids: std::ops::Range<i64>) -> RecordBatch {
    let names: StringArray = ids.clone().map(|id| (id % 7 != 0).then(|| format!("n,\"{id}\"\nü"))).collect();
    RecordBatch::try_new(two_columns(), vec![Arc::new(Int64Array::from_iter_values(ids)), Arc::new(names)]).unwrap()
}

fn formats() -> [Format; 5] {
    let bare = Format::Csv(CsvStyle { header: false, ..CsvStyle::default() });
    [Format::Json, Format::Csv(CsvStyle::default()), bare, Format::Parquet, Format::Arrow]
}

fn options(path: &Path, format: &Format) -> Options {
    let options = Options::new()
        .with("connector", "file")
        .with("path", path.to_string_lossy())
        .with("format", format.extension());
    match format {
        Format::Csv(style) => options.with("header", style.header.to_string()),
        _ => options,
    }
}

fn write_file(path: &Path, format: &Format, batches: &[RecordBatch]) {
    let mut encoder = Encoder::new(format, batches[0].schema(), fs::File::create(path).unwrap()).unwrap();
    for batch in batches {
        encoder.write(batch).unwrap();
    }
    encoder.finish().unwrap();
}

fn append(path: &Path, text: &str) {
    fs::OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// Reads until there is nothing more for now.
fn drain(source: &mut FileSource, rows_max: usize) -> (RecordBatch, Vec<BadRecord>) {
    let (mut batches, mut all_bad) = (Vec::new(), Vec::new());
    while let Read::Rows { rows, next, bad } = source.read(rows_max).unwrap() {
        assert!(rows.num_rows() <= rows_max);
        assert_eq!(next, source.position());
        batches.push(rows);
        all_bad.extend(bad);
    }
    (concat_batches(&source.schema(), &batches).unwrap(), all_bad)
}

fn ids(rows: &RecordBatch) -> Vec<i64> {
    rows.column(0).as_primitive::<Int64Type>().values().to_vec()
}

#[track_caller]
fn assert_not_replayable<T: std::fmt::Debug>(result: crate::Result<T>) {
    assert!(matches!(result, Err(Error::NotReplayable(_))), "{result:?}");
}

#[test]
fn every_format_replays_exactly_however_reads_are_cut() {
    for format in formats() {
        let directory = TempDir::new().unwrap();
        for file in 0..3 {
            let first = file * 400;
            let path = directory.path().join(format!("{file}.{}", format.extension()));
            write_file(&path, &format, &[rows(first..first + 150), rows(first + 150..first + 400)]);
        }
        let options = options(directory.path(), &format);
        let open =
            |chunk: u64| FileSource::new(&options, two_columns()).unwrap().with_limits(chunk as usize + 1, 1_000);
        let whole = rows(0..1_200);
        assert_eq!(drain(&mut open(4_096), 10_000), (whole.clone(), vec![]), "{format:?}");
        for seed in 0..8 {
            let mut random = Random::for_index(seed, 1);
            let mut source = open(random.below(300));
            let mut pieces = Vec::new();
            let mut position = Position::default();
            while let Read::Rows { rows, next, bad } = source.read(1 + random.below(200) as usize).unwrap() {
                assert!(bad.is_empty());
                if random.below(3) == 0 {
                    // The process dies before these rows are committed: they are read again.
                    source = open(random.below(300));
                    source.seek(&position).unwrap();
                    continue;
                }
                pieces.push(rows);
                position = next;
                if random.below(3) == 0 {
                    source = open(random.below(300));
                    source.seek(&position).unwrap();
                }
            }
            assert_eq!(concat_batches(&two_columns(), &pieces).unwrap(), whole, "{format:?} seed {seed}");
            assert!(matches!(source.read(1).unwrap(), Read::End));
        }
    }
}

#[test]
fn bad_lines_are_the_same_however_reads_are_cut() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.json");
    let mut text = String::new();
    for id in 0..500 {
        match id % 10 {
            3 => text.push_str("{\"id\": oops}\n"),
            5 => text.push_str("{\"id\":\"five\"}\n\n"),
            7 => text.push_str(&format!("{{\"name\":\"{}\"}}\n", "x".repeat(id))),
            _ => text.push_str(&format!("{{\"id\":{id}}}\r\n")),
        }
    }
    fs::write(&path, &text).unwrap();
    let options = options(&path, &Format::Json);
    let open = |chunk: usize| FileSource::new(&options, two_columns()).unwrap().with_limits(chunk, 200);
    let (whole, bad) = drain(&mut open(1 << 20), 10_000);
    // Lines of 11 + id bytes, id % 10 = 7, are too long (over 200) from id 197 on: 31 of the 50.
    assert_eq!((whole.num_rows(), bad.len()), (350 + 19, 100 + 31));
    assert_eq!(bad[0].place, "a.json, line 4");
    assert_eq!(bad[0].raw, "{\"id\": oops}");
    for chunk in [1, 10, 100, 333] {
        for rows_max in [1, 7, 1_000] {
            let (rows, found) = drain(&mut open(chunk), rows_max);
            assert_eq!(rows, whole);
            assert_eq!(places(&found), places(&bad), "chunk {chunk} rows_max {rows_max}");
        }
    }
}

fn places(bad: &[BadRecord]) -> Vec<&str> {
    bad.iter().map(|record| record.place.as_str()).collect()
}

/// Nearly JSON and nearly CSV: every kind of damage, in every neighbourhood.
fn garbage(seed: u64, length: u64) -> Vec<u8> {
    const PIECES: [&[u8]; 16] = [
        b"{\"id\":",
        b"1",
        b"}",
        b"\n",
        b",",
        b"\"",
        b"\"name\":",
        b"{\"id\":2}\n",
        b"3,x\n",
        b"\\",
        b"\r\n",
        b"[",
        b" ",
        b"\xFF",
        b"\"\"",
        b"4,\"y\nz\"\n",
    ];
    let mut random = Random::for_index(seed, 2);
    (0..length).flat_map(|_| PIECES[random.below(16) as usize].iter().copied()).collect()
}

#[test]
fn garbage_is_read_the_same_however_reads_are_cut() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("garbage");
    for format in [Format::Json, Format::Csv(CsvStyle { header: false, ..CsvStyle::default() })] {
        let (mut good, mut bad_count) = (0, 0);
        for seed in 0..200 {
            fs::write(&path, garbage(seed, 120)).unwrap();
            let options = options(&path, &format);
            let open = |chunk: usize| FileSource::new(&options, two_columns()).unwrap().with_limits(chunk, 25);
            let (whole, bad) = drain(&mut open(1 << 20), 10_000);
            good += whole.num_rows();
            bad_count += bad.len();
            for (chunk, rows_max) in [(1, 1), (1, 100), (7, 2), (64, 5), (1 << 20, 1)] {
                let (rows, found) = drain(&mut open(chunk), rows_max);
                assert_eq!(rows, whole, "seed {seed} chunk {chunk} rows_max {rows_max}");
                assert_eq!(places(&found), places(&bad), "seed {seed} chunk {chunk} rows_max {rows_max}");
            }
        }
        assert!(good > 100 && bad_count > 100, "{format:?}: {good} good, {bad_count} bad");
    }
}

#[test]
fn a_line_without_end_is_passed_within_bounded_memory() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.json");
    fs::write(&path, format!("{{\"id\":1}}\n{}", "x".repeat(5_000))).unwrap();
    let options = options(&path, &Format::Json).with("follow", "true");
    let open = || FileSource::new(&options, two_columns()).unwrap().with_limits(100, 200);
    let mut source = open();
    let (rows, bad) = drain(&mut source, 10);
    assert_eq!((ids(&rows), places(&bad)), (vec![1], vec!["a.json, line 2"]));
    assert_eq!(bad[0].reason, "the line is longer than a record may be");
    // A restart within the line doesn't take its rest for a record.
    let position = source.position();
    let mut source = open();
    source.seek(&position).unwrap();
    append(&path, "xxx\n{\"id\":2}\n");
    let (rows, bad) = drain(&mut source, 10);
    assert_eq!((ids(&rows), bad.len()), (vec![2], 0));
}

#[test]
fn a_torn_line_waits_for_its_end() {
    for (format, head, records) in [
        (Format::Json, "", ["{\"id\":1}\n{\"i", "d\":2}\n{\"id\":3}", "\n"]),
        (Format::Csv(CsvStyle::default()), "id,name\n", ["1,\"a\nb\"\n2,\"c\n", "d\"\n3,", "e\n"]),
    ] {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("grows");
        let options = options(&path, &format).with("follow", "true");
        let mut source = FileSource::new(&options, two_columns()).unwrap();
        let mut found = Vec::new();
        assert!(matches!(source.read(10).unwrap(), Read::Idle(_)), "there is no file yet");
        append(&path, &head[..head.len() / 2]);
        assert!(matches!(source.read(10).unwrap(), Read::Idle(_)), "the header is torn");
        append(&path, &head[head.len() / 2..]);
        for (step, text) in records.iter().enumerate() {
            append(&path, text);
            let (rows, bad) = drain(&mut source, 10);
            assert!(bad.is_empty(), "{bad:?}");
            found.push(ids(&rows));
            if step == 1 {
                // A restart goes on at the torn line.
                let position = source.position();
                source = FileSource::new(&options, two_columns()).unwrap();
                source.seek(&position).unwrap();
            }
        }
        assert_eq!(found, [vec![1], vec![2], vec![3]], "{format:?}");
    }
}

#[test]
fn without_follow_the_last_line_needs_no_end() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.json");
    fs::write(&path, "{\"id\":1}\n{\"id\":2}").unwrap();
    let mut source = FileSource::new(&options(&path, &Format::Json), two_columns()).unwrap();
    assert_eq!(ids(&drain(&mut source, 10).0), [1, 2]);
    assert!(matches!(source.read(10).unwrap(), Read::End));
}

#[test]
fn following_a_directory_goes_on_to_new_files() {
    let directory = TempDir::new().unwrap();
    let options = options(&directory.path().join("*.log"), &Format::Json).with("follow", "true");
    let mut source = FileSource::new(&options, two_columns()).unwrap();
    append(&directory.path().join("1.log"), "{\"id\":1}\n{\"id\":2}");
    append(&directory.path().join("0.txt"), "{\"id\":0}\n");
    assert_eq!(ids(&drain(&mut source, 10).0), [1]);
    // The writer went on to the next file, so the last line of the first is complete.
    append(&directory.path().join("2.log"), "{\"id\":3}\n");
    assert_eq!(ids(&drain(&mut source, 10).0), [2, 3]);
    append(&directory.path().join("2.log"), "{\"id\":4}\n");
    assert_eq!(ids(&drain(&mut source, 10).0), [4]);
}

#[test]
fn a_changed_file_stops_the_source() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.json");
    let text = "{\"id\":1}\n{\"id\":2}\n";
    let options = options(&path, &Format::Json).with("follow", "true");
    let open = || FileSource::new(&options, two_columns()).unwrap();
    fs::write(&path, text).unwrap();
    let mut source = open();
    drain(&mut source, 10);
    let position = source.position();
    // Cut while it is open, and while nobody looks.
    fs::write(&path, "{\"id\":1}\n").unwrap();
    assert_not_replayable(source.read(10));
    assert_not_replayable(open().seek(&position));
    // Replaced by one of at least the same length.
    fs::write(&path, "{\"id\":8}\n{\"id\":9}\n{\"id\":7}\n").unwrap();
    assert_not_replayable(open().seek(&position));
    fs::write(directory.path().join("b"), text).unwrap();
    fs::write(&path, text).unwrap();
    let mut source = open();
    source.seek(&position).unwrap();
    fs::rename(directory.path().join("b"), &path).unwrap();
    assert_not_replayable(source.read(10));
    fs::remove_file(&path).unwrap();
    assert_not_replayable(source.read(10));
    assert_not_replayable(open().seek(&position));
    assert_not_replayable(open().seek(&Position("nonsense".into())));
}

#[test]
fn a_shorter_columnar_file_stops_the_source() {
    for format in [Format::Parquet, Format::Arrow] {
        let directory = TempDir::new().unwrap();
        let path = directory.path().join("a");
        write_file(&path, &format, &[rows(0..10)]);
        let mut source = FileSource::new(&options(&path, &format), two_columns()).unwrap();
        drain(&mut source, 4);
        let position = source.position();
        write_file(&path, &format, &[rows(0..5)]);
        let mut source = FileSource::new(&options(&path, &format), two_columns()).unwrap();
        assert_not_replayable(source.seek(&position));
        fs::write(&path, "neither").unwrap();
        assert_not_replayable(source.seek(&position));
    }
}

#[test]
fn a_damaged_columnar_file_is_an_error_and_no_panic() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a");
    for format in [Format::Parquet, Format::Arrow] {
        write_file(&path, &format, &[rows(0..50)]);
        let whole = fs::read(&path).unwrap();
        let mut failed = 0;
        for seed in 0..500 {
            let mut random = Random::for_index(seed, 3);
            let mut damaged = whole.clone();
            damaged[random.below(whole.len() as u64) as usize] ^= 1 << random.below(8);
            if random.below(4) == 0 {
                damaged.truncate(random.below(whole.len() as u64) as usize);
            }
            fs::write(&path, damaged).unwrap();
            // Not every bit matters, and neither format has checksums here; what matters is that nothing panics.
            let Ok(mut source) = FileSource::new(&options(&path, &format), two_columns()) else {
                failed += 1;
                continue;
            };
            for _ in 0..100 {
                match source.read(100) {
                    Ok(Read::Rows { .. }) => {}
                    Ok(_) => break,
                    Err(_) => {
                        failed += 1;
                        break;
                    }
                }
            }
        }
        assert!(failed > 100, "{format:?}: {failed}");
    }
}

#[test]
fn columnar_values_that_do_not_fit_are_bad_records() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.parquet");
    write_file(&path, &Format::Parquet, &[rows(0..5), rows(40_000..40_002)]);
    let small = Arc::new(Schema::new(vec![Field::new("ID", DataType::Int16, true)]));
    let mut source = FileSource::new(&options(&path, &Format::Parquet), small).unwrap();
    let (rows, bad) = drain(&mut source, 100);
    assert_eq!(rows.num_rows(), 5);
    assert_eq!(places(&bad), ["a.parquet, row 6", "a.parquet, row 7"]);
    assert_eq!(bad[0].reason, "column \"ID\": 40000 is no SMALLINT");
    let other = Arc::new(Schema::new(vec![Field::new("x", DataType::Int16, true)]));
    let error = FileSource::new(&options(&path, &Format::Parquet), other).err().unwrap().to_string();
    assert_eq!(error, "file a.parquet: column \"x\" is not in the file (id, name)");
}

#[test]
fn mistakes_are_refused_with_the_statement() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("a.csv");
    let csv = Format::Csv(CsvStyle::default());
    let message = |options: &Options| FileSource::new(options, two_columns()).err().expect("refused").to_string();
    assert!(message(&options(&path, &csv)).contains("expected a file that exists"));
    fs::write(&path, "1,2\n").unwrap();
    assert!(message(&options(&path, &csv)).starts_with("column \"id\" is not in the header (1, 2)"));
    assert!(message(&options(&path, &Format::Parquet).with("follow", "on")).contains("follow a directory instead"));
    assert!(message(&options(&path, &csv).with("pth", "x")).contains("did you mean \"path\"?"));
}

#[test]
fn columns_are_learnt_from_the_file() {
    let directory = TempDir::new().unwrap();
    let learnt = |name: &str, format: Format, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        let schema = infer_schema(&options(&path, &format)).unwrap();
        schema.fields().iter().map(|field| (field.name().clone(), field.data_type().clone())).collect::<Vec<_>>()
    };
    let expected = |columns: &[(&str, DataType)]| {
        columns.iter().map(|(name, kind)| (name.to_string(), kind.clone())).collect::<Vec<_>>()
    };
    let time = DataType::Timestamp(TimeUnit::Microsecond, None);
    let json = "{\"z\":1,\"t\":\"2026-01-01T10:00:00Z\",\"n\":{\"a\":1},\"c\":\"007\"}\nbad\n{\"z\":1.5,\"l\":[1,2],\"b\":true,\"u\":null}\n";
    assert_eq!(
        learnt("a.json", Format::Json, json),
        expected(&[
            ("z", DataType::Float64),
            ("t", time.clone()),
            ("n", DataType::Utf8),
            ("c", DataType::Utf8),
            ("l", DataType::new_list(DataType::Int64, true)),
            ("b", DataType::Boolean),
            ("u", DataType::Utf8),
        ])
    );
    let text = "id,zip,share,day,at,ok,name\n1,01234,2,2026-01-31,2026-01-31 10:00:00,true,x\n,99999,2.5,,,False,\n";
    assert_eq!(
        learnt("a.csv", Format::Csv(CsvStyle::default()), text),
        expected(&[
            ("id", DataType::Int64),
            ("zip", DataType::Utf8),
            ("share", DataType::Float64),
            ("day", DataType::Date32),
            ("at", time),
            ("ok", DataType::Boolean),
            ("name", DataType::Utf8),
        ])
    );
    let bare = Format::Csv(CsvStyle { header: false, ..CsvStyle::default() });
    assert_eq!(
        learnt("b.csv", bare, "1,a\n"),
        expected(&[("column_1", DataType::Int64), ("column_2", DataType::Utf8)])
    );
    for format in [Format::Parquet, Format::Arrow] {
        let path = directory.path().join("columnar");
        write_file(&path, &format, &[rows(0..1)]);
        assert_eq!(infer_schema(&options(&path, &format)).unwrap(), two_columns());
    }
}

fn published(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<(String, Vec<u8>)> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn a_repeated_txid_changes_nothing() {
    for format in formats() {
        let directory = TempDir::new().unwrap();
        let options = options(directory.path(), &format);
        let open = || FileSink::new(&options, two_columns(), true).unwrap();
        let change = |ids| Change { rows: rows(ids), weights: None };
        let mut sink = open();
        sink.publish(7, &[change(0..3), change(3..5)]).unwrap();
        sink.publish(8, &[]).unwrap();
        sink.publish(9, &[change(5..6)]).unwrap();
        let once = published(directory.path());
        let extension = format.extension();
        let names: Vec<String> = once.iter().map(|(name, _)| name.clone()).collect();
        assert_eq!(
            names,
            [format!("part-00000000000000000007.{extension}"), format!("part-00000000000000000009.{extension}")]
        );
        // A crash in the middle of writing leaves a temporary file; then the txid comes again.
        fs::write(directory.path().join(".part-00000000000000000009.x.tmp"), "half").unwrap();
        let mut sink = open();
        sink.publish(9, &[change(5..6)]).unwrap();
        assert_eq!(published(directory.path()), once);
        // What was written can be read.
        let mut source = FileSource::new(&options, two_columns()).unwrap();
        assert_eq!(drain(&mut source, 100), (rows(0..6), vec![]));
    }
}

#[test]
fn deletions_are_written_as_weights() {
    let directory = TempDir::new().unwrap();
    let format = Format::Csv(CsvStyle::default());
    let mut sink = FileSink::new(&options(directory.path(), &format), two_columns(), false).unwrap();
    let plain = rows(7..8);
    sink.publish(
        1,
        &[
            Change { rows: plain.clone(), weights: None },
            Change { rows: plain.clone(), weights: Some(Int64Array::from(vec![-2])) },
        ],
    )
    .unwrap();
    let text = String::from_utf8(published(directory.path())[0].1.clone()).unwrap();
    assert_eq!(text, "monsoon_weight,id,name\n1,7,\n-2,7,\n");

    let directory = TempDir::new().unwrap();
    let mut sink = FileSink::new(&options(directory.path(), &format), two_columns(), true).unwrap();
    sink.publish(1, &[Change { rows: plain.clone(), weights: Some(Int64Array::from(vec![2])) }]).unwrap();
    let text = String::from_utf8(published(directory.path())[0].1.clone()).unwrap();
    assert_eq!(text, "id,name\n7,\n7,\n");
    assert_not_replayable(sink.publish(2, &[Change { rows: plain, weights: Some(Int64Array::from(vec![-1])) }]));
}
