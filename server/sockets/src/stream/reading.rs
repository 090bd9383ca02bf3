//! The way up: what the kernel hands over is recorded as it comes.

use std::io;

use tokio::time::Instant;

use super::{End, Task};
use crate::{
    fact::{Chunk, EndReason, Fact, PauseReason, Phase, Stamp, What},
    scratch::{try_read, with_scratch},
};

/// Reads in a row before commands get a turn: enough to keep a flood at the kernel's speed, few enough that a close
/// is heard at once.
const READ_BURST: usize = 16;

impl Task {
    pub(super) fn read(&mut self) -> Option<End> {
        for _ in 0..READ_BURST {
            let granted = self.recorder.admit(self.options.stream_read_size());
            if granted == 0 {
                self.pause_reading();
                return None;
            }
            let result = with_scratch(|scratch| {
                let result = try_read(&self.stream, &mut scratch[..granted]);
                if let Ok(n @ 1..) = result {
                    let len = u32::try_from(n).expect("a read is at most 256 KiB");
                    let chunk = Chunk::of_stream(len, self.received);
                    let stamp = Stamp::since(self.waiting);
                    self.recorder.record(stamp, &None, Fact::Received(chunk), Some(&scratch[..n]));
                    self.waiting = stamp.at;
                }
                result
            });
            let brought = *result.as_ref().unwrap_or(&0);
            self.recorder.decline(granted - brought);
            match result {
                Ok(0) => {
                    self.reading = false;
                    self.recorder.record(Stamp::since(self.waiting), &None, Fact::Eof(self.received), None);
                    return (!self.writing).then_some(End(None, EndReason::BothEnded));
                }
                Ok(n) => self.received += n as u64,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Some(self.fail(Phase::Receive, &error)),
            }
        }
        self.more = true;
        None
    }

    pub(super) fn pause_reading(&mut self) {
        self.no_room = Some((Instant::now(), self.recorder.room()));
        self.recorder.record(Stamp::now(), &None, Fact::Paused(What::Read, PauseReason::LogFull, 0), None);
    }

    pub(super) fn resume_reading(&mut self) {
        if let Some((since, _)) = self.no_room.take() {
            self.recorder.record(Stamp::now(), &None, Fact::Resumed(What::Read, since.elapsed()), None);
            self.waiting = Instant::now();
        }
    }
}
