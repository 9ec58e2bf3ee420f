//! Messages to the client, written at the end of a buffer.

use bytes::{BufMut, BytesMut};
use monsoon_sql::SqlError;
use monsoon_sql::response::{Notice, TransactionStatus};

use super::backend::WireType;

/// How bad an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// The statement is lost.
    Error,
    /// The connection is lost.
    Fatal,
}

/// A column as RowDescription tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Heading.
    pub name: String,
    /// Type.
    pub wire_type: WireType,
    /// 0 text, 1 binary.
    pub format: i16,
}

/// A message of the given type; its length is filled in after `body`.
fn message(out: &mut BytesMut, kind: u8, body: impl FnOnce(&mut BytesMut)) {
    out.put_u8(kind);
    let start = out.len();
    out.put_i32(0);
    body(out);
    patch_length(out, start);
}

/// Writes the number of bytes since `start`, itself included, at `start`.
pub fn patch_length(out: &mut BytesMut, start: usize) {
    let length = u32::try_from(out.len() - start).unwrap_or(u32::MAX);
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

/// A zero-terminated string. A zero inside would end it early and shift what follows, so it is left out.
fn text(out: &mut BytesMut, value: &str) {
    out.extend(value.bytes().filter(|&byte| byte != 0));
    out.put_u8(0);
}

fn count(out: &mut BytesMut, value: usize) {
    out.put_u16(u16::try_from(value).unwrap_or(u16::MAX));
}

/// AuthenticationOk.
pub fn authentication_ok(out: &mut BytesMut) {
    message(out, b'R', |out| out.put_i32(0));
}

/// NegotiateProtocolVersion: the newest we know, and the protocol options we don't.
pub fn negotiate_protocol_version(out: &mut BytesMut, newest: i32, unknown_options: &[String]) {
    message(out, b'v', |out| {
        out.put_i32(newest);
        out.put_u32(u32::try_from(unknown_options.len()).unwrap_or(0));
        unknown_options.iter().for_each(|option| text(out, option));
    });
}

/// BackendKeyData.
pub fn backend_key_data(out: &mut BytesMut, pid: i32, secret: &[u8]) {
    message(out, b'K', |out| {
        out.put_i32(pid);
        out.put_slice(secret);
    });
}

/// ParameterStatus.
pub fn parameter_status(out: &mut BytesMut, name: &str, value: &str) {
    message(out, b'S', |out| {
        text(out, name);
        text(out, value);
    });
}

/// ReadyForQuery.
pub fn ready_for_query(out: &mut BytesMut, status: TransactionStatus) {
    let letter = match status {
        TransactionStatus::Idle => b'I',
        TransactionStatus::InTransaction => b'T',
        TransactionStatus::Failed => b'E',
    };
    message(out, b'Z', |out| out.put_u8(letter));
}

/// ErrorResponse.
pub fn error(out: &mut BytesMut, severity: Severity, error: &SqlError) {
    let word = match severity {
        Severity::Error => "ERROR",
        Severity::Fatal => "FATAL",
    };
    let position = error.position.map(|position| position.to_string());
    message(out, b'E', |out| {
        fields(out, word, error.sqlstate, &error.message);
        let more = [(b'D', error.detail.as_deref()), (b'H', error.hint.as_deref()), (b'P', position.as_deref())];
        for (code, value) in more {
            if let Some(value) = value {
                out.put_u8(code);
                text(out, value);
            }
        }
        out.put_u8(0);
    });
}

/// NoticeResponse.
pub fn notice(out: &mut BytesMut, notice: &Notice) {
    message(out, b'N', |out| {
        fields(out, notice.severity, notice.sqlstate, &notice.message);
        out.put_u8(0);
    });
}

/// The fields that errors and notices share.
fn fields(out: &mut BytesMut, severity: &str, sqlstate: &str, words: &str) {
    for (code, value) in [(b'S', severity), (b'V', severity), (b'C', sqlstate), (b'M', words)] {
        out.put_u8(code);
        text(out, value);
    }
}

/// RowDescription.
pub fn row_description(out: &mut BytesMut, columns: &[Column]) {
    message(out, b'T', |out| {
        count(out, columns.len());
        for column in columns {
            text(out, &column.name);
            out.put_i32(0); // no table
            out.put_i16(0); // no column of a table
            out.put_u32(column.wire_type.oid);
            out.put_i16(column.wire_type.size);
            out.put_i32(column.wire_type.typmod);
            out.put_i16(column.format);
        }
    });
}

/// ParameterDescription.
pub fn parameter_description(out: &mut BytesMut, oids: &[u32]) {
    message(out, b't', |out| {
        count(out, oids.len());
        oids.iter().for_each(|&oid| out.put_u32(oid));
    });
}

/// CommandComplete.
pub fn command_complete(out: &mut BytesMut, tag: &str) {
    message(out, b'C', |out| text(out, tag));
}

/// EmptyQueryResponse.
pub fn empty_query(out: &mut BytesMut) {
    message(out, b'I', |_| {});
}

/// NoData.
pub fn no_data(out: &mut BytesMut) {
    message(out, b'n', |_| {});
}

/// ParseComplete.
pub fn parse_complete(out: &mut BytesMut) {
    message(out, b'1', |_| {});
}

/// BindComplete.
pub fn bind_complete(out: &mut BytesMut) {
    message(out, b'2', |_| {});
}

/// CloseComplete.
pub fn close_complete(out: &mut BytesMut) {
    message(out, b'3', |_| {});
}

/// PortalSuspended.
pub fn portal_suspended(out: &mut BytesMut) {
    message(out, b's', |_| {});
}

/// CopyInResponse (`G`) or CopyOutResponse (`H`).
fn copy_response(out: &mut BytesMut, kind: u8, columns: usize, binary: bool) {
    message(out, kind, |out| {
        out.put_u8(u8::from(binary));
        count(out, columns);
        (0..columns.min(usize::from(u16::MAX))).for_each(|_| out.put_i16(i16::from(binary)));
    });
}

/// CopyInResponse.
pub fn copy_in(out: &mut BytesMut, columns: usize, binary: bool) {
    copy_response(out, b'G', columns, binary);
}

/// CopyOutResponse.
pub fn copy_out(out: &mut BytesMut, columns: usize, binary: bool) {
    copy_response(out, b'H', columns, binary);
}

/// CopyData.
pub fn copy_data(out: &mut BytesMut, data: &[u8]) {
    message(out, b'd', |out| out.put_slice(data));
}

/// CopyDone.
pub fn copy_done(out: &mut BytesMut) {
    message(out, b'c', |_| {});
}

#[cfg(test)]
mod tests {
    use pgwire::messages::{DecodeContext, PgWireBackendMessage, ProtocolVersion};

    use super::*;

    fn read_by_pgwire(mut bytes: BytesMut) -> PgWireBackendMessage {
        let mut context = DecodeContext::new(ProtocolVersion::PROTOCOL3_0);
        context.awaiting_frontend_ssl = false;
        context.awaiting_frontend_startup = false;
        let message = PgWireBackendMessage::decode(&mut bytes, &context).expect("decodes").expect("is whole");
        assert!(bytes.is_empty());
        message
    }

    fn write(body: impl FnOnce(&mut BytesMut)) -> BytesMut {
        let mut out = BytesMut::new();
        body(&mut out);
        out
    }

    #[test]
    fn an_error_has_all_its_fields() {
        let fault = SqlError::new("42703", "column \"x\" does not exist").with_hint("try y").at(8);
        let PgWireBackendMessage::ErrorResponse(read) =
            read_by_pgwire(write(|out| error(out, Severity::Error, &fault)))
        else {
            panic!("not an error")
        };
        let expected = [
            (b'S', "ERROR"),
            (b'V', "ERROR"),
            (b'C', "42703"),
            (b'M', "column \"x\" does not exist"),
            (b'H', "try y"),
            (b'P', "8"),
        ];
        assert_eq!(read.fields, expected.map(|(code, value)| (code, value.to_owned())));
    }

    #[test]
    fn a_row_description_is_read_back() {
        let wire_type = WireType { oid: 1700, size: -1, typmod: 655_366, array_element: None };
        let column = Column { name: "price".into(), wire_type, format: 1 };
        let PgWireBackendMessage::RowDescription(read) = read_by_pgwire(write(|out| row_description(out, &[column])))
        else {
            panic!("not a row description")
        };
        let field = &read.fields[0];
        assert_eq!(
            (field.name.as_str(), field.type_id, field.type_size, field.type_modifier, field.format_code),
            ("price", 1700, -1, 655_366, 1)
        );
    }

    #[test]
    fn short_messages_are_read_back() {
        assert!(matches!(
            read_by_pgwire(write(|out| ready_for_query(out, TransactionStatus::Failed))),
            PgWireBackendMessage::ReadyForQuery(_)
        ));
        assert!(matches!(read_by_pgwire(write(portal_suspended)), PgWireBackendMessage::PortalSuspended(_)));
        assert!(matches!(read_by_pgwire(write(|out| copy_in(out, 3, false))), PgWireBackendMessage::CopyInResponse(_)));
        let PgWireBackendMessage::CommandComplete(tag) = read_by_pgwire(write(|out| command_complete(out, "SELECT 3")))
        else {
            panic!("not a command tag")
        };
        assert_eq!(tag.tag, "SELECT 3");
    }
}
