//! What idle and announcing clients cost. A process of its own, so that its memory can be measured.

#[path = "wire/fake.rs"]
mod fake;
#[path = "wire/raw.rs"]
#[allow(dead_code)]
mod raw;

use monsoon::postgres::Limits;

/// Resident bytes of this process.
fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("a Linux system");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number");
    pages * 4096
}

/// Both ends of each connection live here, so the limit holds with room to spare.
#[test]
fn a_thousand_idle_connections_cost_little() {
    if !enough_files() {
        return;
    }
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let server = raw::Server::start(Limits::default()).await;
        let mut clients = vec![server.client().await];
        clients[0].query("rows 1000").await;
        let before = resident_bytes();
        for _ in 0..1000 {
            let mut client = server.client().await;
            client.query("rows 100").await;
            clients.push(client);
        }
        let each = resident_bytes().saturating_sub(before) / 1000;
        println!("an idle connection costs {each} bytes, both ends");
        assert!(each < 64 << 10, "{each} bytes");

        let before = resident_bytes();
        for client in &mut clients {
            // A frame of 15 MB is announced and never comes.
            client.send(&[b'Q', 0, 0xf0, 0, 0, b' ']).await;
        }
        server.assert_alive().await;
        let each = resident_bytes().saturating_sub(before) / 1000;
        println!("an announcement of 15 MB costs {each} bytes");
        assert!(each < 32 << 10, "{each} bytes");
    });
}

/// Two sockets per connection. Where the system allows fewer, nothing can be measured.
fn enough_files() -> bool {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("a Linux system");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap_or_default();
    let allowed = line.split_whitespace().nth(3).and_then(|number| number.parse().ok()).unwrap_or(0);
    if allowed < 2_100 {
        eprintln!("skipped: {allowed} open files are allowed, 2,100 are needed (ulimit -n)");
    }
    allowed >= 2_100
}
