//! Accepting connections, the same at every door.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

const DELAY_MIN: Duration = Duration::from_millis(10);
const DELAY_MAX: Duration = Duration::from_secs(1);

/// The next client, however long it takes.
pub(crate) async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut delay = DELAY_MIN;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Err(error) = set_options(&stream) {
                    tracing::debug!(%error, %peer, "can't set socket options");
                }
                return (stream, peer);
            }
            Err(error) => {
                // Out of file descriptors, most likely: it passes when clients leave.
                tracing::warn!(%error, "can't accept a connection; trying again");
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(DELAY_MAX);
            }
        }
    }
}

/// Notices dead clients, and sends small answers at once.
fn set_options(stream: &TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let keepalive =
        socket2::TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10));
    socket2::SockRef::from(stream).set_tcp_keepalive(&keepalive)
}
