//! Packets of files, read again where they lie.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ss_model::{Error, EventTime, Result};

use super::{Cut, FilesRead, LONGEST_NS, Timed, trim};
use crate::av::{Decoder, Demuxer, Frame, Packet, Read, Received, StreamFormat, Wants};
use crate::position::Stretch;

/// Read failures in a row after which the rest of a file is given up.
const MAX_READ_FAILURES: u32 = 50;
/// How far back the search for a key frame goes at first, and how often it doubles.
const BACK_NS: i64 = 2_000_000_000;
const TRIES: u32 = 6;
/// Packets are read so far beyond the end: pictures may be shown before those that precede them.
const BEYOND_NS: i64 = 1_000_000_000;

/// Packets of the run that holds the middle of the span.
pub fn cut(files: &[PathBuf], read: &FilesRead, from: EventTime, to: EventTime) -> Result<Cut> {
    let stretches = &read.stretches;
    let Some(first) = stretches.first() else {
        return Err(Error::unavailable("the camera has no picture yet"));
    };
    if to < first.since && from.0 < first.since.0.saturating_sub(LONGEST_NS) {
        return Err(Error::data_loss(format!("{} lies before what is held, {}", to.0, first.since.0)));
    }
    let middle = EventTime(from.0 + (to.0 - from.0) / 2);
    let holds = |s: &&Stretch| s.since <= middle;
    let run = stretches.iter().rev().find(holds).unwrap_or(first).run;
    let in_run: Vec<usize> = (0..stretches.len()).filter(|&i| stretches[i].run == run).collect();
    let ends = |i: usize| stretches.get(i + 1).map_or(EventTime::MAX, |next| next.since);
    let begin = in_run.iter().rev().copied().find(|&i| stretches[i].since <= from);
    let mut cut: Option<Cut> = None;
    for i in in_run {
        let stretch = &stretches[i];
        if begin.is_some_and(|begin| i < begin) || (stretch.since > to && cut.is_some()) {
            continue;
        }
        let next = stretches[i + 1..].iter().find(|s| s.file != stretch.file || s.begins > stretch.begins);
        let bytes = match next {
            Some(next) if next.file == stretch.file => stretch.begins..next.begins,
            Some(_) => stretch.begins..i64::MAX,
            None => stretch.begins..read.reached.saturating_add(1),
        };
        let part = Part { path: &files[stretch.file], stretch, bytes, to, end: ends(i) };
        let (format, packets) = part.packets(from)?;
        match &mut cut {
            None => cut = Some(Cut { format, packets }),
            Some(cut) if format.continues(&cut.format) => cut.packets.extend(packets),
            Some(_) => break,
        }
    }
    let nothing = || Error::data_loss(format!("nothing of {} to {} can be read again", from.0, to.0));
    let mut cut = cut.ok_or_else(nothing)?;
    cut.packets = trim(cut.packets, from.0, to.0);
    if cut.packets.is_empty() { Err(nothing()) } else { Ok(cut) }
}

type Packets = (Arc<StreamFormat>, Vec<Timed>);

/// What is wanted of one stretch.
struct Part<'a> {
    path: &'a Path,
    stretch: &'a Stretch,
    /// Where in the file it lies.
    bytes: Range<i64>,
    to: EventTime,
    /// The next stretch shows its pictures from here on.
    end: EventTime,
}

impl Part<'_> {
    /// As [`Part::gather`], also where packets say nothing about when they are shown.
    fn packets(&self, from: EventTime) -> Result<Packets> {
        let (format, mut packets) = self.gather(from)?;
        let stretch = self.stretch;
        let blind = stretch.raw || packets.iter().any(|p| p.packet.pts().is_none());
        if blind && format.reorders() {
            packets = self.gather(EventTime(from.0.saturating_sub(BEYOND_NS)))?.1;
            // The first picture of the file is the one that its first packet's time stands for.
            let mut first = Packet::new()?;
            let mut late = 0;
            if !stretch.raw && matches!(Demuxer::open(self.path)?.read(&mut first), Read::Packet) {
                late = stretch.map.time.0
                    - first.dts().map_or(stretch.map.time.0, |dts| stretch.map.time_of(dts).0);
            }
            as_shown(&format, &mut packets, late)?;
        }
        Ok((format, packets))
    }

    /// Packets from a key frame at or before `from` where there is one, to a
    /// little after `to`, and only those shown before `end`.
    fn gather(&self, from: EventTime) -> Result<Packets> {
        let stretch = self.stretch;
        let mut demuxer = Demuxer::open(self.path)?;
        let format = Arc::new(demuxer.format()?);
        let origin = stretch.map.pts_of(stretch.since);
        if !stretch.raw {
            let mut back = 0;
            for _ in 0..TRIES {
                let target = stretch.map.pts_of(EventTime(from.0.saturating_sub(back)));
                if target <= origin || !demuxer.seek(target) {
                    break;
                }
                let packets = self.collect(&mut demuxer, from)?;
                if packets.first().is_some_and(|p| p.packet.is_key() && p.time <= from.0) {
                    return Ok((format, packets));
                }
                back = if back == 0 { BACK_NS } else { back * 2 };
            }
            demuxer = Demuxer::open(self.path)?;
        }
        let packets = self.collect(&mut demuxer, from)?;
        Ok((format, packets))
    }

    /// As [`Part::gather`], from where the demuxer stands.
    fn collect(&self, demuxer: &mut Demuxer, from: EventTime) -> Result<Vec<Timed>> {
        let (mut packets, mut packet): (Vec<Timed>, _) = (Vec::new(), Packet::new()?);
        let (mut failures, mut count) = (0, 0);
        loop {
            match demuxer.read(&mut packet) {
                Read::Packet => failures = 0,
                Read::End => return Ok(packets),
                Read::Failed(_) => {
                    failures += 1;
                    if failures >= MAX_READ_FAILURES {
                        return Ok(packets);
                    }
                    continue;
                }
            }
            let pts = if self.stretch.raw { Some(count) } else { packet.pts().or(packet.dts()) };
            count += 1;
            // Where a clock starts again, its times mean something else.
            match packet.position() {
                Some(at) if at < self.bytes.start => continue,
                Some(at) if at >= self.bytes.end => return Ok(packets),
                _ => {}
            }
            let Some(time) = pts.map(|pts| self.stretch.map.time_of(pts)) else { continue };
            if time.0 > self.to.0.saturating_add(BEYOND_NS) {
                return Ok(packets);
            }
            if time >= self.end {
                continue;
            }
            if packet.is_key() && time <= from {
                // Nothing before it is needed.
                packets.clear();
            }
            packets.push(Timed { packet: packet.share()?, time: time.0 });
        }
    }
}

/// Give each packet the time at which its picture is shown, `late` after one
/// is decoded: a decoder knows in which order they are.
fn as_shown(format: &StreamFormat, packets: &mut [Timed], late: i64) -> Result<()> {
    let (mut decoder, mut frame) = (Decoder::of(format, Wants::default())?, Frame::new()?);
    let mut order = Vec::with_capacity(packets.len());
    let mut take = |decoder: &mut Decoder| {
        while let Received::Frame = decoder.receive(&mut frame) {
            order.extend(frame.pts());
        }
    };
    for (packet, number) in packets.iter().zip(0..) {
        let mut packet = packet.packet.share()?;
        packet.set_times(number, number);
        // One that is refused gives no picture, which is noticed below.
        let _ = decoder.send(&packet);
        take(&mut decoder);
    }
    decoder.drain();
    take(&mut decoder);
    // Pictures shown before the key frame that come after it refer to what is not here, and are not given.
    let leading = packets.len().saturating_sub(order.len()) as i64;
    let order: Vec<i64> = (1..=leading).chain(order).collect();
    let times: Vec<i64> = packets.iter().map(|p| p.time).collect();
    let rising = times.windows(2).all(|w| w[0] < w[1]);
    let mut each = order.clone();
    each.sort_unstable();
    if !rising || !each.into_iter().eq((0..).take(packets.len())) {
        return Err(Error::data_loss("the container does not say when its pictures are shown"));
    }
    for (number, time) in order.into_iter().zip(times) {
        packets[number as usize].time = time.saturating_add(late);
    }
    Ok(())
}
