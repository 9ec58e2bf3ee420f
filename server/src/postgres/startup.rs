//! From the first byte to who wants to log in.
//!
//! Invariants: exactly the announced bytes are read, never one more, so nothing that was sent in clear can cross into an
//! encrypted session; at most 10,000 bytes are held; each kind of request is answered once.

use bytes::Bytes;
use monsoon_sql::SqlError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::backend::Login;
use super::cancel::CancelRegistry;
use super::failure::{Failure, Flow};
use super::message::{Malformed, Reader};

/// As in Postgres.
const STARTUP_BYTES_MAX: usize = 10_000;
const CANCEL_REQUEST: i32 = 80_877_102;
const SSL_REQUEST: i32 = 80_877_103;
const GSS_ENCRYPTION_REQUEST: i32 = 80_877_104;
/// Protocol 3.0, the newest we speak.
pub(super) const PROTOCOL_3_0: i32 = 3 << 16;

/// A login, and what of it we can't do.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Startup {
    pub(super) login: Login,
    /// The client asked for a newer minor version, or for options of the protocol that we don't know.
    pub(super) must_negotiate: bool,
    pub(super) unknown_options: Vec<String>,
}

/// Reads until a startup packet. `None`: it was a cancel request, and the connection is done.
pub(super) async fn open(stream: &mut TcpStream, registry: &CancelRegistry) -> Flow<Option<Startup>> {
    let mut refused_ssl = false;
    let mut refused_gss = false;
    loop {
        let (code, mut body) = read_packet(stream).await?;
        match code {
            CANCEL_REQUEST => {
                cancel(&mut body, registry)?;
                return Ok(None);
            }
            SSL_REQUEST if !refused_ssl => refused_ssl = true,
            GSS_ENCRYPTION_REQUEST if !refused_gss => refused_gss = true,
            SSL_REQUEST | GSS_ENCRYPTION_REQUEST => return Err(Failure::protocol("encryption was asked for twice")),
            version => return startup(version, &mut body).map(Some),
        }
        refuse_encryption(stream, &body).await?;
    }
}

/// One packet without a type byte: length, code, body.
async fn read_packet(stream: &mut TcpStream) -> Flow<(i32, Reader)> {
    let length = stream.read_i32().await?;
    let length = usize::try_from(length).ok().filter(|length| (8..=STARTUP_BYTES_MAX).contains(length));
    let length = length.ok_or_else(|| Failure::protocol("invalid length of startup packet"))?;
    let mut bytes = vec![0; length - 4];
    stream.read_exact(&mut bytes).await?;
    let mut reader = Reader::new(Bytes::from(bytes));
    let code = reader.i32().map_err(malformed)?;
    Ok((code, reader))
}

fn malformed(error: Malformed) -> Failure {
    Failure::protocol(error.0)
}

/// Answers `N`. A client waits for the answer, so bytes that are already there were glued to the request to be taken for
/// something else.
async fn refuse_encryption(stream: &mut TcpStream, body: &Reader) -> Flow<()> {
    if !body.is_empty() {
        return Err(Failure::protocol("invalid encryption request"));
    }
    let mut glued = [0; 1];
    if matches!(stream.try_read(&mut glued), Ok(1..)) {
        return Err(Failure::protocol("received unencrypted data after an encryption request"));
    }
    stream.write_all(b"N").await?;
    Ok(())
}

fn cancel(body: &mut Reader, registry: &CancelRegistry) -> Flow<()> {
    let pid = body.i32().map_err(malformed)?;
    let secret = body.i32().map_err(malformed)?;
    if !body.is_empty() {
        return Err(Failure::protocol("invalid cancel request"));
    }
    registry.cancel(pid, &secret.to_be_bytes());
    Ok(())
}

fn startup(version: i32, body: &mut Reader) -> Flow<Startup> {
    if version >> 16 != 3 {
        let (major, minor) = (version.cast_unsigned() >> 16, version & 0xffff);
        let message = format!("unsupported frontend protocol {major}.{minor}: server supports 3.0");
        return Err(Failure::Fatal(SqlError::new("0A000", message)));
    }
    let parameters = parameters(body).map_err(malformed)?;
    let (unknown_options, parameters): (Vec<_>, Vec<_>) =
        parameters.into_iter().partition(|(name, _)| name.starts_with("_pq_."));
    let unknown_options: Vec<String> = unknown_options.into_iter().map(|(name, _)| name).collect();
    let must_negotiate = version > PROTOCOL_3_0 || !unknown_options.is_empty();
    Ok(Startup { login: login(parameters)?, must_negotiate, unknown_options })
}

/// Names and values up to an empty name.
fn parameters(body: &mut Reader) -> Result<Vec<(String, String)>, Malformed> {
    let mut parameters = Vec::new();
    loop {
        let name = body.text()?;
        if name.is_empty() {
            break;
        }
        parameters.push((name, body.text()?));
    }
    if body.is_empty() { Ok(parameters) } else { Err(Malformed("invalid startup packet layout".to_owned())) }
}

fn login(parameters: Vec<(String, String)>) -> Flow<Login> {
    let mut login = Login::default();
    for (name, value) in parameters {
        match name.as_str() {
            "user" => login.user = value,
            "database" => login.database = value,
            "replication" if !matches!(value.as_str(), "false" | "off" | "0" | "no") => {
                return Err(Failure::Fatal(SqlError::unsupported("replication connections are not supported")));
            }
            "replication" => {}
            _ => login.options.push((name, value)),
        }
    }
    if login.user.is_empty() {
        let message = "no PostgreSQL user name specified in startup packet";
        return Err(Failure::Fatal(SqlError::new("28000", message)));
    }
    if login.database.is_empty() {
        login.database.clone_from(&login.user);
    }
    Ok(login)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(version: i32, body: &'static [u8]) -> Flow<Startup> {
        startup(version, &mut Reader::new(Bytes::from_static(body)))
    }

    #[test]
    fn a_login_is_read() {
        let startup = read(PROTOCOL_3_0, b"user\0ann\0application_name\0psql\0\0").expect("a login");
        assert_eq!((startup.login.user.as_str(), startup.login.database.as_str()), ("ann", "ann"));
        assert_eq!(startup.login.options, [("application_name".to_owned(), "psql".to_owned())]);
        assert!(!startup.must_negotiate);
    }

    #[test]
    fn newer_minor_versions_and_unknown_options_are_negotiated() {
        let startup = read(PROTOCOL_3_0 + 2, b"user\0ann\0_pq_.x\x001\0\0").expect("a login");
        assert!(startup.must_negotiate);
        assert_eq!(startup.unknown_options, ["_pq_.x"]);
    }

    #[test]
    fn bad_startups_are_refused() {
        let refusal = |version, body| match read(version, body) {
            Err(Failure::Fatal(error)) => error.sqlstate,
            _ => "accepted",
        };
        assert_eq!(refusal(2 << 16, b"user\0ann\0\0"), "0A000");
        assert_eq!(refusal(PROTOCOL_3_0, b"\0"), "28000");
        assert_eq!(refusal(PROTOCOL_3_0, b"user\0ann\0"), "08P01");
        assert_eq!(refusal(PROTOCOL_3_0, b"user\0ann\0\0junk"), "08P01");
        assert_eq!(refusal(PROTOCOL_3_0, b"user\0ann\0replication\0database\0\0"), "0A000");
    }
}
