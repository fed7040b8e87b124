//! What a run gives next: a frame, what was lost, or why there is neither.

use serde::{Deserialize, Serialize};
use ss_model::{Chroma, EventTime, LumaFrame};

use crate::live::Health;
use crate::loss::Loss;

/// Why a run ended and the next frame begins another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RunBreak {
    /// The clock jumped.
    TimeJump,
    /// The picture has another size.
    SizeChange,
    /// A file in between could not be read.
    FileLost,
}

impl RunBreak {
    /// Stable name, as in gap events.
    pub fn name(self) -> &'static str {
        match self {
            Self::TimeJump => "time_jump",
            Self::SizeChange => "size_change",
            Self::FileLost => "file_lost",
        }
    }
}

/// What comes next.
#[derive(Debug)]
pub enum Next<'a> {
    /// A frame.
    Frame {
        /// Its luma, number in the run and event time.
        frame: LumaFrame<'a>,
        /// Its chroma, when colour was asked for and the picture has it.
        chroma: Option<Chroma<'a>>,
        /// It may build on a damaged one.
        doubtful: bool,
        /// Its time was guessed: it had none of its own.
        guessed: bool,
        /// It begins a new run, whose number is [`crate::VideoRun::run`].
        begins: Option<RunBreak>,
    },
    /// Something was lost.
    Lost(Loss),
    /// Live: the run broke; what was open in it stays open for ever.
    Gap {
        /// When its next frame was due.
        at: EventTime,
        /// Why.
        reason: &'static str,
    },
    /// Live: the camera's condition changed.
    Health(Health),
    /// Live: the camera is silent and shall hold nobody up.
    Idle {
        /// When its next frame was due.
        at: EventTime,
    },
    /// Live: nothing is there yet.
    Wait,
    /// All files are over.
    End,
}
