//! Packets of a live camera, kept in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use ss_model::{Error, EventTime, Result};

use super::{Cut, Timed, trim};
use crate::av::StreamFormat;

/// Packets that belong together.
struct Session {
    format: Arc<StreamFormat>,
    packets: VecDeque<Timed>,
}

/// Bounded by time and bytes; whole groups from a key frame on.
pub struct Memory {
    longest_ns: i64,
    most_bytes: usize,
    bytes: usize,
    sessions: VecDeque<Session>,
    paused: bool,
}

impl Memory {
    pub fn new(longest_ns: i64, most_bytes: usize) -> Self {
        Self { longest_ns, most_bytes, bytes: 0, sessions: VecDeque::new(), paused: true }
    }

    pub fn begin(&mut self, format: &Arc<StreamFormat>) {
        self.sessions.push_back(Session { format: Arc::clone(format), packets: VecDeque::new() });
        self.paused = false;
    }

    pub fn pause(&mut self) {
        self.paused = true;
    }

    pub fn push(&mut self, packet: Timed) {
        let Some(session) = self.sessions.back_mut() else { return };
        let oldest = packet.time.saturating_sub(self.longest_ns);
        self.bytes += packet.packet.size();
        session.packets.push_back(packet);
        while self.bytes > self.most_bytes || self.first_group_ends_before(oldest) {
            if !self.forget_group() {
                break;
            }
        }
    }

    /// The oldest group of pictures is not needed to show anything since `oldest`.
    fn first_group_ends_before(&self, oldest: i64) -> bool {
        let Some(first) = self.sessions.front() else { return false };
        let next = first.packets.iter().skip(1).find(|p| p.packet.is_key());
        let next = next.or_else(|| self.sessions.get(1).and_then(|s| s.packets.front()));
        next.is_some_and(|key| key.time <= oldest)
    }

    /// Forget the oldest group; false when there is none.
    fn forget_group(&mut self) -> bool {
        let Some(first) = self.sessions.front_mut() else { return false };
        let mut forgot = false;
        while let Some(packet) = first.packets.front() {
            if forgot && packet.packet.is_key() {
                break;
            }
            self.bytes -= packet.packet.size();
            first.packets.pop_front();
            forgot = true;
        }
        if first.packets.is_empty() && self.sessions.len() > 1 {
            self.sessions.pop_front();
            forgot = true;
        }
        forgot
    }

    /// Packets of the session that holds the middle of the span, else of the
    /// one nearest before it.
    pub fn cut(&self, from: EventTime, to: EventTime) -> Result<Cut> {
        let sessions = || self.sessions.iter().filter(|s| !s.packets.is_empty());
        let (Some(first), Some(last)) = (sessions().next(), sessions().next_back()) else {
            return Err(Error::unavailable("the camera has no picture yet"));
        };
        let newest = last.packets.iter().map(|p| p.time).max().unwrap_or(i64::MIN);
        if to.0 > newest && !self.paused {
            return Err(Error::unavailable(format!("the camera has come to {newest}, not yet to {}", to.0)));
        }
        let gone = || Error::data_loss(format!("nothing of {} to {} is held any more", from.0, to.0));
        if first.packets.front().is_none_or(|p| p.time > to.0) {
            return Err(gone());
        }
        let middle = from.0 + (to.0 - from.0) / 2;
        let begun = |s: &&Session| s.packets.front().is_some_and(|p| p.time <= middle);
        let session = sessions().rev().find(begun).unwrap_or(first);
        let packets = session.packets.iter().map(|p| Ok(Timed { packet: p.packet.share()?, time: p.time }));
        let packets = trim(packets.collect::<Result<_>>()?, from.0, to.0);
        // A session that ended long before shows nothing of the span.
        if packets.iter().all(|p| p.time < from.0) && from < to || packets.is_empty() {
            return Err(gone());
        }
        Ok(Cut { format: Arc::clone(&session.format), packets })
    }
}
