//! Where reads land: a buffer of the thread, so that an idle socket owns none.

use std::{
    cell::RefCell,
    io::{self, Read as _},
};

use socket2::SockRef;
use tokio::{
    io::{Interest, ReadBuf},
    net::TcpStream,
};

use crate::{options::MAX_READ, sys};

thread_local! {
    /// Where every read of this thread lands before it is recorded: an idle socket owns no buffer.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; MAX_READ].into_boxed_slice());
}

/// Lends the thread's read buffer for one call that does not wait.
pub(crate) fn with_scratch<T>(read: impl FnOnce(&mut [u8]) -> T) -> T {
    SCRATCH.with_borrow_mut(|scratch| read(scratch))
}

/// Reads once. A read that leaves part of the buffer empty has drained the socket, so its readiness is cleared at once
/// and the next wait needs no further call to find that out; a FIN that came meanwhile keeps the socket ready
/// (tokio never clears "read closed"). But where it stopped at urgent data, more may lie behind.
///
/// # Errors
/// What recv(2) says; `WouldBlock` where there is nothing.
pub fn try_read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    read_once(stream, buffer.len(), || !sys::is_at_mark(stream), || (&*SockRef::from(stream)).read(buffer))
}

/// The same, from a peer whose protocol knows no urgent data: with a call less, and what is behind such waits for what
/// comes next.
///
/// # Errors
/// What recv(2) says; `WouldBlock` where there is nothing.
pub fn try_read_plain(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    read_once(stream, buffer.len(), || true, || (&*SockRef::from(stream)).read(buffer))
}

/// The same into what may not be initialized.
///
/// # Errors
/// As [`try_read_plain`].
pub fn try_read_buf_plain(stream: &TcpStream, buffer: &mut ReadBuf<'_>) -> io::Result<usize> {
    read_once(stream, buffer.remaining(), || true, || stream.try_read_buf(buffer))
}

fn read_once(
    stream: &TcpStream,
    room: usize,
    is_drained: impl FnOnce() -> bool,
    read: impl FnOnce() -> io::Result<usize>,
) -> io::Result<usize> {
    let mut drained = None;
    let result = stream.try_io(Interest::READABLE, || {
        let n = read()?;
        if n > 0 && n < room && is_drained() {
            drained = Some(n);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(n)
    });
    drained.map_or(result, Ok)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "sockets of the test's own")]
mod tests {
    use std::time::Duration;

    use tokio::{net::TcpListener, time::timeout};

    use super::*;

    #[tokio::test]
    async fn what_lies_behind_urgent_data_is_read_without_waiting_for_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        let (near, (far, _)) = (near.expect("it listens"), far.expect("it connects"));
        let sender = SockRef::from(&far);
        sender.send(b"before").expect("there is room");
        sender.send_out_of_band(b"!").expect("there is room");
        sender.send(b"behind").expect("there is room");
        // All of it is there before the first read.
        while sys::unread(&near).expect("asked") < 6 || sys::unsent(&far).expect("asked") > 0 {
            tokio::task::yield_now().await;
        }
        let mut buffer = [0; 100];
        for said in ["before", "behind"] {
            timeout(Duration::from_secs(20), near.readable()).await.expect("something").expect("no error");
            let n = try_read(&near, &mut buffer).expect("something");
            assert_eq!(buffer[..n], *said.as_bytes());
        }
        assert!(timeout(Duration::from_millis(10), near.readable()).await.is_err(), "and that was all");
    }
}
