//! Failures, sorted by what a caller can do about them.

use std::fmt;

/// What a caller can do about a failure. Closed: each kind has one Python exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The input is wrong and will stay wrong.
    InvalidInput,
    /// Something outside cannot be reached now; trying again may help.
    Unavailable,
    /// Data was lost or cannot be read back.
    DataLoss,
    /// A bug of ours.
    Internal,
}

impl ErrorKind {
    /// Every kind; a test walks it to prove that none is unmapped.
    pub const ALL: [Self; 4] = [Self::InvalidInput, Self::Unavailable, Self::DataLoss, Self::Internal];

    /// Stable name, also the suffix-free name of the Python exception.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "InvalidInput",
            Self::Unavailable => "Unavailable",
            Self::DataLoss => "DataLoss",
            Self::Internal => "Internal",
        }
    }
}

/// A failure with its place: what was found where, and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What a caller can do about it.
    pub kind: ErrorKind,
    /// One sentence that names the place, what was found and what was expected.
    pub message: String,
}

/// Shorthand used by every crate of the workspace.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure of `kind`.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    /// The input is wrong.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidInput, message)
    }

    /// Something outside cannot be reached.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unavailable, message)
    }

    /// Data was lost or cannot be read back.
    pub fn data_loss(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::DataLoss, message)
    }

    /// A bug of ours.
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
