//! Bodies for the refusals that the HTTP library writes by itself: of a request line or header that does not parse, and of a
//! head that is too large, it sends a status and nothing else, before anything of ours is asked. Every answer of a broker is
//! a JSON object, so what we hand it as a connection puts one in.
//!
//! Only HTTP/1.1: HTTP/2 has no such answers (the stream is reset).

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::osb::ErrorBody;

/// A connection with bodies for the library's refusals.
pub struct Refusing<S> {
    stream: S,
    /// A refusal, and how much of it is written. It is the last that a connection says.
    refusal: Vec<u8>,
    written: usize,
}

impl<S> Refusing<S> {
    /// Around a connection that speaks HTTP/1.1.
    pub fn new(stream: S) -> Self {
        Self { stream, refusal: Vec::new(), written: 0 }
    }
}

/// The refusal with a body, if the library is about to write one without: ours always have a content type.
fn with_body(head: &[u8]) -> Option<Vec<u8>> {
    let status = head.strip_prefix(b"HTTP/1.1 4")?.get(..2)?;
    let head = std::str::from_utf8(head).ok()?;
    let lines = head.strip_suffix("\r\n\r\n")?.split("\r\n");
    let is = |line: &&str, name: &str| line.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if lines.clone().any(|line| is(&line, "content-type:")) || !lines.clone().any(|line| is(&line, "content-length: 0"))
    {
        return None;
    }
    let description = match status {
        b"14" => "The path is too long.",
        b"31" => "The headers are too many or too large.",
        _ => "This is no HTTP request: its first line or a header cannot be read.",
    };
    let body = ErrorBody { description: Some(description.to_owned()), ..ErrorBody::default() };
    let body = serde_json::to_string(&body).ok()?;
    let kept: Vec<&str> = lines.filter(|line| !is(line, "content-length:")).collect();
    let length = body.len();
    let refusal =
        format!("{}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}", kept.join("\r\n"));
    Some(refusal.into_bytes())
}

impl<S: AsyncWrite + Unpin> Refusing<S> {
    fn write_refusal(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(left) = self.refusal.get(self.written..).filter(|left| !left.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, left))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.written += written,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Refusing<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.write_refusal(cx))?;
        match with_body(bytes) {
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
            Some(refusal) => {
                // Taken over whole; what does not go out now does when it is flushed or the connection is shut.
                (self.refusal, self.written) = (refusal, 0);
                let _ = self.write_refusal(cx)?;
                Poll::Ready(Ok(bytes.len()))
            }
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match slices {
            [alone] => self.poll_write(cx, alone),
            // A head with a body behind it.
            _ => Pin::new(&mut self.stream).poll_write_vectored(cx, slices),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_refusal(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.write_refusal(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Refusing<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_without_a_body_gets_one() {
        let head = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let refusal = String::from_utf8(with_body(head).unwrap()).unwrap();
        let (head, body) = refusal.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("connection: close") && !head.contains("content-length: 0"), "{head}");
        assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
        assert!(serde_json::from_str::<ErrorBody>(body).unwrap().description.is_some());
        for other in [
            "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\n{}",
            "HTTP/1.1 404 Not Found\r\ncontent-type: application/json\r\ncontent-length: 0\r\n\r\n",
            "HTTP/1.1 4",
        ] {
            assert!(with_body(other.as_bytes()).is_none(), "{other}");
        }
    }
}
