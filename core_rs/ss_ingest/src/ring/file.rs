//! Packets of files, read again where they lie.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ss_model::{Error, EventTime, Result};

use super::{Cut, LONGEST_NS, Stretch, Timed, trim};
use crate::av::{Demuxer, Packet, Read};

/// Read failures in a row after which the rest of a file is given up.
const MAX_READ_FAILURES: u32 = 50;
/// How far back the search for a key frame goes at first, and how often it doubles.
const BACK_NS: i64 = 2_000_000_000;
const TRIES: u32 = 6;
/// Packets are read so far beyond the end: pictures may be shown before those that precede them.
const BEYOND_NS: i64 = 1_000_000_000;

/// Packets of the run that holds the middle of the span.
pub fn cut(files: &[PathBuf], stretches: &[Stretch], from: EventTime, to: EventTime) -> Result<Cut> {
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
        let (format, packets) = read(&files[stretch.file], stretch, from, to, ends(i))?;
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

type Packets = (Arc<crate::av::StreamFormat>, Vec<Timed>);

/// Packets of one stretch, from a key frame at or before `from` where there
/// is one, to a little after `to`, and only those shown before `end`.
fn read(path: &Path, stretch: &Stretch, from: EventTime, to: EventTime, end: EventTime) -> Result<Packets> {
    let mut demuxer = Demuxer::open(path)?;
    let format = Arc::new(demuxer.format()?);
    let origin = stretch.map.pts_of(stretch.since);
    if !stretch.raw {
        let mut back = 0;
        for _ in 0..TRIES {
            let target = stretch.map.pts_of(EventTime(from.0.saturating_sub(back)));
            if target <= origin || !demuxer.seek(target) {
                break;
            }
            let packets = collect(&mut demuxer, stretch, from, to, end)?;
            if packets.first().is_some_and(|p| p.packet.is_key() && p.time <= from.0) {
                return Ok((format, packets));
            }
            back = if back == 0 { BACK_NS } else { back * 2 };
        }
        demuxer = Demuxer::open(path)?;
    }
    let packets = collect(&mut demuxer, stretch, from, to, end)?;
    Ok((format, packets))
}

fn collect(
    demuxer: &mut Demuxer,
    stretch: &Stretch,
    from: EventTime,
    to: EventTime,
    end: EventTime,
) -> Result<Vec<Timed>> {
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
        let pts = if stretch.raw { Some(count) } else { packet.pts().or(packet.dts()) };
        count += 1;
        let Some(time) = pts.map(|pts| stretch.map.time_of(pts)) else { continue };
        if time.0 > to.0.saturating_add(BEYOND_NS) {
            return Ok(packets);
        }
        if time >= end {
            continue;
        }
        if packet.is_key() && time <= from {
            // Nothing before it is needed.
            packets.clear();
        }
        packets.push(Timed { packet: packet.share()?, time: time.0 });
    }
}
