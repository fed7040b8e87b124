//! Where a camera's frames come from: its files, or the camera itself.

use std::sync::Arc;
use std::time::Duration;

use ss_ingest::live::LiveRun;
use ss_ingest::{Next, Ring, VideoPosition, VideoRun};
use ss_model::{ClockReading, EventTime};

/// One of the two; both give the same kind of things.
pub enum Source {
    /// Consecutive files.
    Files(Box<VideoRun>),
    /// A live camera, or a file played as one.
    Live(Box<LiveRun>),
}

impl Source {
    pub fn next(&mut self) -> Next<'_> {
        match self {
            Self::Files(video) => video.next(),
            Self::Live(live) => live.next(),
        }
    }

    /// Number of the current run.
    pub fn run(&self) -> u32 {
        match self {
            Self::Files(video) => video.run(),
            Self::Live(live) => live.run(),
        }
    }

    /// When the next frame is due.
    pub fn next_time(&self) -> EventTime {
        match self {
            Self::Files(video) => video.next_time(),
            Self::Live(live) => live.next_time(),
        }
    }

    /// Nominal nanoseconds from frame to frame.
    pub fn interval_ns(&self) -> i64 {
        match self {
            Self::Files(video) => video.interval_ns(),
            Self::Live(live) => live.interval_ns(),
        }
    }

    /// Frames decoded so far.
    pub fn total(&self) -> u64 {
        match self {
            Self::Files(video) => video.total(),
            Self::Live(live) => live.total(),
        }
    }

    /// Packets read and connections made, of a live camera.
    pub fn received(&self) -> Option<(u64, u64)> {
        match self {
            Self::Files(_) => None,
            Self::Live(live) => Some(live.received()),
        }
    }

    /// Both clocks at the latest frame, of a live camera.
    pub fn clock(&self) -> Option<ClockReading> {
        match self {
            Self::Files(_) => None,
            Self::Live(live) => live.clock(),
        }
    }

    /// Where it stands; see [`VideoRun::position`].
    pub fn position(&mut self, fingerprint: bool) -> VideoPosition {
        match self {
            Self::Files(video) => video.position(fingerprint),
            Self::Live(live) => live.position(),
        }
    }

    /// Tell `ring` which time lies where; a live camera's has its packets anyway.
    pub fn tell(&mut self, ring: Arc<Ring>) {
        if let Self::Files(video) = self {
            video.tell(ring);
        }
    }

    /// Wait for something to do, but not longer than `time`.
    pub fn wait(&self, time: Duration) {
        if let Self::Live(live) = self {
            live.wait(time);
        }
    }
}
