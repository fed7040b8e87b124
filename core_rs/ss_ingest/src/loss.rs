//! What is not given out, and why: counted by stage and reason, never silent.

use ss_model::EventTime;

/// Why something was not given out. Closed: metrics count by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossReason {
    /// The decoder marked the frame as damaged or concealed.
    CorruptFrame,
    /// The decoder refused a packet.
    UndecodablePacket,
    /// A packet could not be read from the file.
    UnreadablePacket,
    /// Same timestamp as the frame before.
    DuplicateTime,
    /// Timestamp before the frame before.
    BackwardTime,
    /// Timestamp implausibly far ahead.
    TimeAhead,
    /// The pixel format has no luma plane.
    PixelFormat,
    /// The file ends before the length its header states.
    Truncated,
    /// The file could not be opened any more, or held no frame.
    FileUnreadable,
    /// The camera's thread failed; what was left of its files is not read.
    CameraFailed,
    /// RTP packets that never came.
    RtpMissed,
    /// Packets before the first key frame of a connection.
    BeforeKeyFrame,
    /// Packets left out because decoding was behind.
    ShedLatest,
    /// Frames not looked at because decoding was behind.
    ShedEveryNth,
}

impl LossReason {
    /// Every reason.
    pub const ALL: [Self; 14] = [
        Self::CorruptFrame,
        Self::UndecodablePacket,
        Self::UnreadablePacket,
        Self::DuplicateTime,
        Self::BackwardTime,
        Self::TimeAhead,
        Self::PixelFormat,
        Self::Truncated,
        Self::FileUnreadable,
        Self::CameraFailed,
        Self::RtpMissed,
        Self::BeforeKeyFrame,
        Self::ShedLatest,
        Self::ShedEveryNth,
    ];

    /// Stable name, as in metrics and dead letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::CorruptFrame => "corrupt_frame",
            Self::UndecodablePacket => "undecodable_packet",
            Self::UnreadablePacket => "unreadable_packet",
            Self::DuplicateTime => "duplicate_time",
            Self::BackwardTime => "backward_time",
            Self::TimeAhead => "time_ahead",
            Self::PixelFormat => "pixel_format",
            Self::Truncated => "truncated",
            Self::FileUnreadable => "file_unreadable",
            Self::CameraFailed => "camera_failed",
            Self::RtpMissed => "rtp_missed",
            Self::BeforeKeyFrame => "before_key_frame",
            Self::ShedLatest => "shed_latest",
            Self::ShedEveryNth => "shed_every_nth",
        }
    }
}

impl LossReason {
    /// The stage at which it was lost.
    pub fn stage(self) -> &'static str {
        match self {
            Self::UnreadablePacket
            | Self::Truncated
            | Self::FileUnreadable
            | Self::RtpMissed
            | Self::BeforeKeyFrame
            | Self::ShedLatest => "ingest",
            Self::ShedEveryNth => "vision",
            Self::CameraFailed => "camera",
            _ => "decode",
        }
    }
}

/// Something that was not given out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// Why.
    pub reason: LossReason,
    /// Event time at which it is missing.
    pub at: EventTime,
    /// Name of the file.
    pub place: String,
    /// What was found.
    pub detail: String,
    /// How many frames or packets.
    pub count: u64,
}
