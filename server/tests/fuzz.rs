//! Mutated frames, from a seed. Nothing may panic, and the server must go on. A process of its own, so that a panic
//! anywhere in it is seen. `MONSOON_FUZZ_SEED` and `MONSOON_FUZZ_FRAMES` choose another run.

#[path = "wire/fake.rs"]
mod fake;
#[path = "wire/raw.rs"]
#[allow(dead_code)]
mod raw;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use monsoon::postgres::Limits;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

static PANICS: AtomicUsize = AtomicUsize::new(0);

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mutated_frames_break_nothing() {
    let seed = from_environment("MONSOON_FUZZ_SEED", 20_260_102);
    let frames = from_environment("MONSOON_FUZZ_FRAMES", 20_000);
    println!("repeat: MONSOON_FUZZ_SEED={seed} MONSOON_FUZZ_FRAMES={frames} cargo test -p monsoon --test fuzz");
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::SeqCst);
        report(panic);
    }));
    let server = raw::Server::start(Limits { login_timeout: Duration::from_secs(1), ..Limits::default() }).await;
    let mut rng = StdRng::seed_from_u64(seed);
    let (mut sent, mut answers) = (0, 0);
    while sent < frames {
        answers += attack(&server, &mut rng).await;
        sent += 1;
    }
    let begun = server.database.begun.load(Ordering::SeqCst);
    println!("{answers} bytes of answers, {begun} statements run");
    assert!(begun as u64 > frames / 4, "most frames never got anywhere");
    raw::reaches(&server.database.sessions, 0).await;
    server.assert_alive().await;
    assert_eq!(PANICS.load(Ordering::SeqCst), 0, "seed {seed}");
}

/// One connection that sends some frames as it should, then a broken one, then more, and reads whatever comes back.
async fn attack(server: &raw::Server, rng: &mut StdRng) -> usize {
    let mut client = server.socket().await;
    let mut bytes = raw::startup(3 << 16, &[("user", "ann")]);
    if rng.random_bool(0.05) {
        mutate(&mut bytes, rng);
    }
    let append =
        |bytes: &mut Vec<u8>, rng: &mut StdRng| (0..rng.random_range(0..8)).for_each(|_| bytes.extend(valid(rng)));
    append(&mut bytes, rng);
    let mut broken = valid(rng);
    mutate(&mut broken, rng);
    if rng.random_bool(0.5) && broken.len() >= 5 {
        // Framed as it should be, so that what is inside is looked at.
        let length = (broken.len() as i32 - 1).to_be_bytes();
        broken[1..5].copy_from_slice(&length);
    }
    bytes.extend(broken);
    append(&mut bytes, rng);
    // The server may hang up in the middle: that is its right.
    let _ = client.stream.write_all(&bytes).await;
    let _ = client.stream.shutdown().await;
    let mut rest = Vec::new();
    let _ = raw::within("the server ends a broken connection", client.stream.read_to_end(&mut rest)).await;
    rest.len()
}

/// A frame as a client would send it.
fn valid(rng: &mut StdRng) -> Vec<u8> {
    let names = ["", "a", "b"];
    let words =
        ["rows 3", "echo", "begin", "commit", "fail", "hang", "copy-in", "copy-out", "unplannable", "", "endless"];
    let name = names[rng.random_range(0..names.len())];
    let sql = words[rng.random_range(0..words.len())];
    let target = if rng.random_bool(0.5) { 'S' } else { 'P' };
    match rng.random_range(0..16) {
        0 | 1 => raw::query(sql),
        11..=15 => [
            raw::frame('P', format!("{name}\0{sql}\0\0\0").as_bytes()),
            raw::frame('B', &[format!("{name}\0{name}\0").as_bytes(), b"\0\0\0\0\0\0"].concat()),
            raw::frame('E', &[format!("{name}\0").as_bytes(), &[0, 0, 0, 2]].concat()),
            raw::frame('C', format!("S{name}\0").as_bytes()),
            raw::frame('S', b""),
        ]
        .concat(),
        10 => raw::frame('P', format!("{name}\0{sql}\0\0\0").as_bytes()),
        2 => raw::frame('B', &[format!("{name}\0{name}\0").as_bytes(), b"\0\0\0\0\0\0"].concat()),
        3 => {
            let values = b"\0\x01\0\0\0\x02\0\0\0\x0242\xff\xff\xff\xff\0\0";
            raw::frame('B', &[format!("{name}\0{name}\0").as_bytes(), values].concat())
        }
        4 => raw::frame('D', format!("{target}{name}\0").as_bytes()),
        5 => raw::frame('E', &[format!("{name}\0").as_bytes(), &[0, 0, 0, 1]].concat()),
        6 => raw::frame('C', format!("{target}{name}\0").as_bytes()),
        7 => raw::frame('d', b"1\ta\n"),
        8 => raw::frame('c', b""),
        9 => raw::frame('H', b""),
        _ => raw::frame('S', b""),
    }
}

/// Changes, removes, doubles or inserts bytes.
fn mutate(bytes: &mut Vec<u8>, rng: &mut StdRng) {
    for _ in 0..rng.random_range(1..4) {
        let place = rng.random_range(0..bytes.len().max(1));
        match rng.random_range(0..5) {
            0 if place < bytes.len() => bytes[place] = rng.random_range(0..=255),
            1 if place < bytes.len() => bytes[place] ^= 1 << rng.random_range(0..8),
            2 => bytes.truncate(place),
            3 => bytes.insert(place.min(bytes.len()), rng.random_range(0..=255)),
            _ => {
                let copy = bytes.clone();
                bytes.extend(copy);
            }
        }
    }
}
