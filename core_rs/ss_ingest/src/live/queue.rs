//! What waits to be decoded, and what is left out when it is too much.
//!
//! Packets build on each other: from a key frame to the next one, all or the
//! first few can be decoded, so packets are left out up to a key frame. What
//! is no packet (a gap, a camera's health) is never left out.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use ss_model::{ClockReading, EventTime};

use super::Health;
use crate::av::{Packet, StreamFormat};
use crate::loss::LossReason;

/// Most packets and bytes that wait, whatever their times say.
const MOST_PACKETS: usize = 1000;
const MOST_BYTES: usize = 64 << 20;

/// What is left out when decoding falls behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shed {
    /// Everything before the latest key frame: what is seen is recent.
    #[default]
    Latest,
    /// While behind, detector and tracker look at each n-th picture; what
    /// still does not fit goes as with `latest`.
    EveryNth,
    /// Nothing: reading waits. A live camera then loses it on its side.
    Block,
}

/// A packet and when its picture was taken.
pub struct LivePacket {
    pub packet: Packet,
    pub time: i64,
    pub guessed: bool,
    pub clock: Option<ClockReading>,
}

/// What the receiver has to say, in order.
pub enum Message {
    /// A connection stands; pictures follow.
    Session {
        format: Arc<StreamFormat>,
        interval_ns: i64,
        at: EventTime,
    },
    Packet(LivePacket),
    Lost {
        reason: LossReason,
        count: u64,
        at: EventTime,
        detail: String,
    },
    /// What was seen so far does not belong to what follows.
    Gap {
        at: EventTime,
        reason: &'static str,
    },
    Health(Health),
    /// The camera shall hold nobody up until it speaks again.
    Idle {
        at: EventTime,
    },
    /// Nothing follows.
    End,
}

#[derive(Default)]
struct State {
    messages: VecDeque<Message>,
    packets: usize,
    bytes: usize,
    /// Nothing can be decoded before the next key frame.
    until_key: bool,
    /// Packets read so far.
    received: u64,
    closed: bool,
}

/// Bounded by time, packets and bytes.
pub struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    room: Condvar,
    policy: Shed,
    behind_ns: i64,
}

impl State {
    fn times(&self) -> Option<(i64, i64)> {
        let time = |m: &Message| if let Message::Packet(p) = m { Some(p.time) } else { None };
        let first = self.messages.iter().find_map(time)?;
        Some((first, self.messages.iter().rev().find_map(time)?))
    }

    fn span_ns(&self) -> i64 {
        self.times().map_or(0, |(first, last)| last.saturating_sub(first))
    }

    fn full(&self, behind_ns: i64) -> bool {
        self.packets >= MOST_PACKETS || self.bytes >= MOST_BYTES || self.span_ns() > behind_ns
    }

    /// Leave out the packets before index `end`, and say so in their place.
    fn leave_out(&mut self, end: usize) {
        let (mut count, mut at, mut kept) = (0, None, VecDeque::new());
        for message in self.messages.drain(..end) {
            match message {
                Message::Packet(packet) => {
                    count += 1;
                    self.bytes -= packet.packet.size();
                    at = at.or(Some(packet.time));
                }
                other => kept.push_back(other),
            }
        }
        self.packets -= count;
        if let Some(at) = at {
            kept.push_back(shed(count as u64, at));
        }
        kept.append(&mut self.messages);
        self.messages = kept;
    }

    fn count_shed(&mut self, at: i64) {
        match self.messages.back_mut() {
            Some(Message::Lost { reason: LossReason::ShedLatest, count, .. }) => *count += 1,
            _ => self.messages.push_back(shed(1, at)),
        }
    }
}

fn shed(count: u64, at: i64) -> Message {
    let detail = "left out up to a key frame: decoding was too far behind".into();
    Message::Lost { reason: LossReason::ShedLatest, count, at: EventTime(at), detail }
}

impl Queue {
    /// Sheds by `policy` what lies more than `behind_s` seconds behind.
    pub fn new(policy: Shed, behind_s: f64) -> Self {
        Self {
            state: Mutex::default(),
            filled: Condvar::new(),
            room: Condvar::new(),
            policy,
            behind_ns: (behind_s * 1e9) as i64,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Whole after every statement that can panic, so a panic elsewhere spoils nothing.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Add what is never left out.
    pub fn tell(&self, message: Message) {
        self.lock().messages.push_back(message);
        self.filled.notify_one();
    }

    /// A packet was read with which nothing can be done.
    pub fn pass(&self) {
        self.lock().received += 1;
    }

    /// Add a packet, or leave some out; false when nobody listens any more.
    pub fn push(&self, packet: LivePacket) -> bool {
        let mut state = self.lock();
        state.received += 1;
        while self.policy == Shed::Block && state.full(self.behind_ns) && !state.closed {
            state = self
                .room
                .wait_timeout(state, Duration::from_millis(200))
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
        if state.closed {
            return false;
        }
        let key = packet.packet.is_key();
        if state.until_key && !key {
            state.count_shed(packet.time);
            return true;
        }
        state.until_key = false;
        if state.full(self.behind_ns) {
            let is_key = |m: &Message| matches!(m, Message::Packet(p) if p.packet.is_key());
            let first = state.messages.iter().position(|m| matches!(m, Message::Packet(_)));
            let latest = if key { None } else { state.messages.iter().rposition(is_key) };
            match latest {
                // The latest key frame and what follows it are worth keeping, unless they are all there is.
                Some(latest) if Some(latest) != first => state.leave_out(latest),
                _ => {
                    let all = state.messages.len();
                    state.leave_out(all);
                    if !key {
                        state.count_shed(packet.time);
                        state.until_key = true;
                        return true;
                    }
                }
            }
        }
        state.packets += 1;
        state.bytes += packet.packet.size();
        state.messages.push_back(Message::Packet(packet));
        drop(state);
        self.filled.notify_one();
        true
    }

    /// The next message, when there is one.
    pub fn pop(&self) -> Option<Message> {
        let mut state = self.lock();
        let message = state.messages.pop_front()?;
        if let Message::Packet(packet) = &message {
            state.packets -= 1;
            state.bytes -= packet.packet.size();
        }
        drop(state);
        self.room.notify_one();
        Some(message)
    }

    /// Wait until there is something, but not longer than `time`.
    pub fn wait(&self, time: Duration) {
        let state = self.lock();
        if state.messages.is_empty() && !state.closed {
            let _ = self.filled.wait_timeout(state, time);
        }
    }

    /// Decoding has fallen behind by half of what is allowed.
    pub fn is_behind(&self) -> bool {
        self.lock().full(self.behind_ns / 2)
    }

    /// Packets read so far, those left out included.
    pub fn received(&self) -> u64 {
        self.lock().received
    }

    /// Nobody listens any more.
    pub fn close(&self) {
        self.lock().closed = true;
        self.room.notify_all();
        self.filled.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: i64 = 1_000_000;

    fn packet(i: i64, key: bool) -> LivePacket {
        let mut packet = Packet::new().unwrap();
        packet.set_key(key);
        LivePacket { packet, time: i * 40 * MS, guessed: false, clock: None }
    }

    /// What is left after `n` packets, a key frame every `gop`, nobody popping.
    fn rest(policy: Shed, n: i64, gop: i64) -> (Vec<i64>, u64) {
        let queue = Queue::new(policy, 2.0);
        for i in 0..n {
            if i == 10 {
                queue.tell(Message::Idle { at: EventTime(0) });
            }
            assert!(queue.push(packet(i, i % gop == 0)));
        }
        let (mut times, mut lost, mut told) = (Vec::new(), 0, 0);
        while let Some(message) = queue.pop() {
            match message {
                Message::Packet(p) => times.push(p.time / (40 * MS)),
                Message::Lost { count, .. } => lost += count,
                _ => told += 1,
            }
        }
        assert_eq!((told, queue.received()), (1, n as u64), "what is no packet is never left out");
        (times, lost)
    }

    #[test]
    fn latest_keeps_whole_groups_from_a_key_frame_on_and_counts_the_rest() {
        for (n, gop) in [(40, 25), (60, 25), (500, 25), (500, 1), (500, 400), (130, 400)] {
            let (times, lost) = rest(Shed::Latest, n, gop);
            assert_eq!(times.len() as u64 + lost, n as u64, "{n} {gop}");
            assert!(times.is_empty() || times[0] % gop == 0, "{n} {gop}: begins at {times:?}");
            assert!(times.windows(2).all(|w| w[1] == w[0] + 1), "{n} {gop}: no hole in {times:?}");
            assert!(times.len() <= 52, "{n} {gop}: two seconds");
        }
        assert_eq!(rest(Shed::Latest, 40, 25).1, 0, "nothing is left out before it must be");
    }

    #[test]
    fn block_waits_for_room_and_loses_nothing() {
        let queue = Queue::new(Shed::Block, 2.0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 0..300 {
                    assert!(queue.push(packet(i, false)));
                }
            });
            let mut next = 0;
            while next < 300 {
                queue.wait(Duration::from_millis(100));
                while let Some(Message::Packet(p)) = queue.pop() {
                    assert_eq!(p.time, next * 40 * MS);
                    next += 1;
                }
            }
        });
    }
}
