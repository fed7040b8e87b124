//! The packet ring: compressed video of the recent past, to cut clips and
//! colour stills from without encoding anything again.
//!
//! A live camera's packets are kept in memory, bounded by time and bytes. A
//! file is its own ring: what was read from it is read again where it lies.
//! Both answer alike, from any thread, while the camera goes on.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ss_model::{Error, EventTime, Result};

use crate::av::{Decoder, Frame, Packet, Received, StreamFormat, Wants, mux};
use crate::colour::rgb;
use crate::position::{Stretch, VideoPosition};

mod file;
mod memory;

use memory::Memory;

/// Longest clip: five minutes.
const LONGEST_NS: i64 = 300_000_000_000;

/// A piece of video as it came, in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clip {
    /// The whole file.
    pub data: Vec<u8>,
    /// `mp4` or `matroska`.
    pub container: &'static str,
    /// libav's name of the codec.
    pub codec: &'static str,
    /// Event time of its first picture, the key frame at or before what was asked for.
    pub first: EventTime,
    /// Event time of its last picture.
    pub last: EventTime,
    /// Pictures in it.
    pub frames: usize,
    /// It begins after or ends before what was asked for, or has a hole, by more than a second.
    pub truncated: bool,
}

/// One decoded picture in colour.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// When it was taken.
    pub time: EventTime,
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// `3 * width * height` bytes, red first.
    pub rgb: Vec<u8>,
}

/// A packet and its event time in nanoseconds.
struct Timed {
    packet: Packet,
    time: i64,
}

/// Packets of one run in decoding order, from a key frame on.
struct Cut {
    format: Arc<StreamFormat>,
    packets: Vec<Timed>,
}

/// The recent past of one camera.
pub struct Ring(Store);

/// How far files were read.
#[derive(Clone, Default)]
struct FilesRead {
    stretches: Vec<Stretch>,
    /// Byte in the file of the latest stretch.
    reached: i64,
}

enum Store {
    Files { files: Vec<PathBuf>, read: Mutex<FilesRead> },
    Memory(Mutex<Memory>),
}

impl Ring {
    /// Of consecutive files, which are read again where a clip is cut.
    pub fn of_files(files: Vec<PathBuf>) -> Self {
        Self(Store::Files { files, read: Mutex::default() })
    }

    /// Of a live camera: packets of the last `seconds`, and never more than
    /// `bytes`.
    pub fn in_memory(seconds: f64, bytes: usize) -> Self {
        Self(Store::Memory(Mutex::new(Memory::new((seconds * 1e9) as i64, bytes))))
    }

    /// Which time lies where in the files, as far as the camera has come.
    pub fn follow(&self, camera: &VideoPosition) {
        if let Some(mut read) = self.read() {
            camera.stretches.clone_into(&mut read.stretches);
            read.reached = camera.reached;
        }
    }

    /// The camera has read the latest of the files up to byte `reached`.
    pub(crate) fn reach(&self, reached: i64) {
        if let Some(mut read) = self.read() {
            read.reached = reached;
        }
    }

    /// What was read of files; of a live camera's nothing lies there.
    fn read(&self) -> Option<MutexGuard<'_, FilesRead>> {
        match &self.0 {
            // Whole after every statement, so a panic elsewhere spoils nothing.
            Store::Files { read, .. } => Some(read.lock().unwrap_or_else(PoisonError::into_inner)),
            Store::Memory(_) => None,
        }
    }

    /// The memory of a live camera; of files nothing needs to be kept.
    fn memory(&self) -> Option<MutexGuard<'_, Memory>> {
        match &self.0 {
            Store::Memory(memory) => Some(memory.lock().unwrap_or_else(PoisonError::into_inner)),
            Store::Files { .. } => None,
        }
    }

    /// Packets of `format` follow, which do not belong to those before.
    pub(crate) fn begin(&self, format: &Arc<StreamFormat>) {
        if let Some(mut memory) = self.memory() {
            memory.begin(format);
        }
    }

    /// Keep `packet`, whose picture was taken at `time`.
    pub(crate) fn push(&self, packet: Packet, time: EventTime) {
        if let Some(mut memory) = self.memory() {
            memory.push(Timed { packet, time: time.0 });
        }
    }

    /// Nothing follows for a while: what is asked for is answered with what is there.
    pub(crate) fn pause(&self) {
        if let Some(mut memory) = self.memory() {
            memory.pause();
        }
    }

    /// The video from the key frame at or before `from` up to `to`, of the
    /// run that holds the middle of both; not decoded, not encoded.
    ///
    /// # Errors
    /// `InvalidInput` for a span that is none or longer than five minutes,
    /// `Unavailable` when the camera has not come so far yet, `DataLoss` when
    /// nothing of it is held any more.
    pub fn clip(&self, from: EventTime, to: EventTime) -> Result<Clip> {
        if to < from || to.0.saturating_sub(from.0) > LONGEST_NS {
            return Err(Error::invalid(format!(
                "clip from {} to {}: expected a span of 0 to {} s",
                from.0,
                to.0,
                LONGEST_NS / 1_000_000_000
            )));
        }
        let cut = self.cut(from, to)?;
        let mut times: Vec<i64> = cut.packets.iter().map(|p| p.time).collect();
        times.sort_unstable();
        let (first, last) = (times.first().copied().unwrap_or(from.0), times.last().copied().unwrap_or(to.0));
        let hole = times.windows(2).any(|w| w[1] - w[0] > SLACK_NS && w[1] > from.0 && w[0] < to.0);
        let mut packets = in_decoding_time(cut.packets, first);
        let (data, container) = mux(&cut.format, &mut packets)?;
        Ok(Clip {
            data,
            container,
            codec: cut.format.codec(),
            first: EventTime(first),
            last: EventTime(last),
            frames: packets.len(),
            truncated: hole
                || first > from.0.saturating_add(SLACK_NS)
                || last < to.0.saturating_sub(SLACK_NS),
        })
    }

    /// The picture that was the latest at `at`: the last one taken at or
    /// before it, else the first that is held.
    ///
    /// # Errors
    /// As [`Ring::clip`]; `DataLoss` also when it cannot be decoded, or when
    /// none is held that was taken within a second of `at`.
    pub fn still(&self, at: EventTime) -> Result<Picture> {
        let cut = self.cut(at, at)?;
        let mut decoder = Decoder::of(&cut.format, Wants { colour: true, columns: None })?;
        let (mut frame, mut found) = (Frame::new()?, None);
        let mut take = |decoder: &mut Decoder| -> Result<()> {
            loop {
                match decoder.receive(&mut frame) {
                    Received::Frame => {
                        let time = frame.pts().unwrap_or(at.0);
                        if !frame.is_corrupt() && (found.is_none() || time <= at.0) {
                            found = Some(std::mem::replace(&mut frame, Frame::new()?));
                        }
                    }
                    Received::Failed(_) => {}
                    Received::NeedsPacket | Received::End => return Ok(()),
                }
            }
        };
        for mut timed in cut.packets {
            timed.packet.set_times(timed.time, timed.time);
            // A packet that is refused leaves a picture out; the one before it stands.
            let _ = decoder.send(&timed.packet);
            take(&mut decoder)?;
        }
        decoder.drain();
        take(&mut decoder)?;
        let found = found
            .ok_or_else(|| Error::data_loss(format!("still at {}: no picture there can be decoded", at.0)))?;
        let time = EventTime(found.pts().unwrap_or(at.0));
        let off = time.0.abs_diff(at.0);
        if off > SLACK_NS.unsigned_abs() {
            let (off, side) = (off as f64 * 1e-9, if time < at { "before" } else { "after" });
            return Err(Error::data_loss(format!(
                "still at {}: the nearest picture was taken {off:.1} s {side}",
                at.0
            )));
        }
        let (width, height, rgb) = rgb(&found)?;
        Ok(Picture { time, width, height, rgb })
    }

    fn cut(&self, from: EventTime, to: EventTime) -> Result<Cut> {
        match &self.0 {
            Store::Files { files, read } => {
                let read = read.lock().unwrap_or_else(PoisonError::into_inner).clone();
                file::cut(files, &read, from, to)
            }
            // Packets are shared, not copied: the camera waits for a moment only.
            Store::Memory(memory) => memory.lock().unwrap_or_else(PoisonError::into_inner).cut(from, to),
        }
    }
}

/// A clip that misses less is whole, and a picture so near still shows the instant: key frames and frames do not lie on full seconds.
const SLACK_NS: i64 = 1_000_000_000;

/// Keep what shows `from` to `to`: from the last key frame at or before
/// `from` (or the first there is) to the last picture at or before `to`.
fn trim(mut packets: Vec<Timed>, from: i64, to: i64) -> Vec<Timed> {
    let is_start = |p: &Timed| p.packet.is_key() && p.time <= from;
    let start = packets.iter().rposition(is_start).or_else(|| packets.iter().position(|p| p.packet.is_key()));
    let Some(start) = start else { return Vec::new() };
    packets.drain(..start);
    let begins = packets[0].time;
    let end = packets.iter().rposition(|p| p.time <= to).map_or(1, |i| i + 1);
    packets.truncate(end);
    // Pictures shown before the key frame refer to what is not here.
    packets.retain(|p| p.time >= begins);
    packets
}

/// Give the packets times from `base` on: their own to be shown at, and
/// decoding times that rise and never lie after it. Sources often have none.
fn in_decoding_time(packets: Vec<Timed>, base: i64) -> Vec<Packet> {
    let mut shown: Vec<i64> = packets.iter().map(|p| p.time - base).collect();
    shown.sort_unstable();
    let early = packets.iter().zip(&shown).map(|(p, &s)| s - (p.time - base)).max().unwrap_or(0);
    let timed = |(timed, shown): (Timed, i64)| {
        let Timed { mut packet, time } = timed;
        packet.set_times(time - base, shown - early);
        packet
    };
    packets.into_iter().zip(shown).map(timed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(time: i64) -> Timed {
        Timed { packet: Packet::new().unwrap(), time }
    }

    #[test]
    fn pictures_shown_out_of_order_are_decoded_before_they_are_shown() {
        let packets = in_decoding_time([100, 400, 200, 300, 500].map(at).into(), 100);
        let times: Vec<_> = packets.iter().map(|p| (p.pts().unwrap(), p.dts().unwrap())).collect();
        assert_eq!(times, [(0, -100), (300, 0), (100, 100), (200, 200), (400, 300)]);
    }
}
