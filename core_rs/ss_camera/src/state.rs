//! The vision state in side files, written whole or not at all.
//!
//! A file is `<camera>-<frames decoded>.state`: a version byte, the postcard
//! form of [`Saved`], and an xxh3 checksum of both. It is written under
//! another name, flushed to the disk and renamed, so a reader never finds
//! half of one.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use ss_ingest::VideoPosition;
use ss_model::{Error, Result};
use ss_vision::sight::SightState;
use xxhash_rust::xxh3::xxh3_64;

use crate::counts::Counts;
use crate::vision::VisionState;

const VERSION: u8 = 5;
/// Files kept at least, the newest.
const KEEP: usize = 3;
/// How long a file is kept at least: a commit may lag behind the newest one.
const KEEP_FOR: Duration = Duration::from_secs(60);

/// Everything that is needed to go on from a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Saved {
    /// Of the configuration.
    pub fingerprint: u64,
    /// Where the video stood.
    pub video: VideoPosition,
    /// What had been seen; `None` before the first frame of a run.
    pub vision: Option<VisionState>,
    /// What was known of the view, in this run and those before.
    pub sight: SightState,
    /// What had been counted.
    pub counts: Counts,
}

/// The side files of one camera.
pub struct StateFolder {
    folder: PathBuf,
    camera: String,
    written: Vec<(PathBuf, Instant)>,
}

impl StateFolder {
    /// The files of `camera` in `folder`, which is made when it is missing.
    ///
    /// # Errors
    /// `Unavailable` when the folder cannot be made.
    pub fn open(folder: &Path, camera: &str) -> Result<Self> {
        fs::create_dir_all(folder)
            .map_err(|e| Error::unavailable(format!("state folder {}: {e}", folder.display())))?;
        // An id may hold what a file name may not.
        let safe = |c: char| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' };
        let camera = camera.chars().map(safe).collect();
        Ok(Self { folder: folder.to_owned(), camera, written: Vec::new() })
    }

    fn path(&self, total: u64) -> PathBuf {
        self.folder.join(format!("{}-{total}.state", self.camera))
    }

    /// Write `saved`; returns the file's name.
    ///
    /// # Errors
    /// `Unavailable` when the disk does not take it; what was there stays.
    pub fn save(&mut self, saved: &Saved) -> Result<String> {
        let path = self.path(saved.video.total);
        let failed = |e: &dyn std::fmt::Display| {
            Error::unavailable(format!("state file {} cannot be written: {e}", path.display()))
        };
        let mut bytes = postcard::to_extend(saved, vec![VERSION]).map_err(|e| failed(&e))?;
        let sum = xxh3_64(&bytes);
        bytes.extend_from_slice(&sum.to_le_bytes());
        let unfinished = path.with_extension("unfinished");
        let write = || -> std::io::Result<()> {
            let mut file = File::create(&unfinished)?;
            file.write_all(&bytes)?;
            file.sync_all()?;
            fs::rename(&unfinished, &path)?;
            // The name is in the folder, which has to reach the disk, too.
            File::open(&self.folder)?.sync_all()
        };
        write().map_err(|e| failed(&e))?;
        self.written.retain(|(known, _)| *known != path);
        self.written.push((path.clone(), Instant::now()));
        self.prune();
        Ok(path.file_name().unwrap_or_default().to_string_lossy().into_owned())
    }

    /// Remove what no commit can name any more.
    fn prune(&mut self) {
        while self.written.len() > KEEP && self.written[0].1.elapsed() > KEEP_FOR {
            let _ = fs::remove_file(&self.written[0].0);
            self.written.remove(0);
        }
    }

    /// Forget all files but those that a run resumed at frame `total` could
    /// need: a fresh start leaves nothing of an earlier run behind.
    pub fn keep_up_to(&mut self, total: Option<u64>) {
        for (frames, path) in self.found() {
            if total.is_none_or(|total| frames > total) {
                let _ = fs::remove_file(path);
            } else {
                self.written.push((path, Instant::now()));
            }
        }
    }

    /// Files of this camera, oldest first.
    fn found(&self) -> Vec<(u64, PathBuf)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut found: Vec<_> = entries
            .filter_map(|entry| {
                let path = entry.path();
                let name = path.file_name()?.to_str()?;
                let rest = name.strip_prefix(&self.camera)?.strip_prefix('-')?;
                Some((rest.strip_suffix(".state")?.parse().ok()?, path))
            })
            .collect();
        found.sort();
        found
    }

    /// The newest whole state at or before `position`, and what was wrong
    /// with those that were newer.
    pub fn load(&self, fingerprint: u64, position: &VideoPosition) -> (Option<Saved>, Vec<String>) {
        let mut wrong = Vec::new();
        for (_, path) in self.found().into_iter().rev().filter(|f| f.0 <= position.total) {
            match read(&path) {
                Ok(saved) if saved.fingerprint == fingerprint => {
                    if saved.video.progress() <= position.progress() {
                        return (Some(saved), wrong);
                    }
                }
                Ok(_) => wrong.push(format!("{}: of another configuration", path.display())),
                Err(what) => wrong.push(format!("{}: {what}", path.display())),
            }
        }
        (None, wrong)
    }
}

fn read(path: &Path) -> std::result::Result<Saved, String> {
    let bytes = fs::read(path).map_err(|e| e.to_string())?;
    let (body, sum) = bytes.split_last_chunk::<8>().ok_or("too short")?;
    if xxh3_64(body).to_le_bytes() != *sum {
        return Err("damaged (checksum)".into());
    }
    match body.split_first() {
        Some((&VERSION, body)) => postcard::from_bytes(body).map_err(|e| e.to_string()),
        Some((version, _)) => Err(format!("version {version}, expected {VERSION}")),
        None => Err("empty".into()),
    }
}
