//! Where reads land: a buffer of the thread, so that an idle socket owns none.

use std::{
    cell::RefCell,
    io::{self, Read as _},
};

use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream};

use crate::options::MAX_READ;

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
/// (tokio never clears "read closed").
///
/// # Errors
/// What recv(2) says; `WouldBlock` where there is nothing.
pub fn try_read(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    let mut drained = None;
    let result = stream.try_io(Interest::READABLE, || {
        let n = (&*SockRef::from(stream)).read(buffer)?;
        if n > 0 && n < buffer.len() {
            drained = Some(n);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(n)
    });
    drained.map_or(result, Ok)
}
