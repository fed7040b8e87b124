//! A camera on a thread of its own, with a bounded queue behind it.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, SendTimeoutError, Sender, TryRecvError, bounded};
use ss_ingest::live::LiveRun;
use ss_ingest::{Loss, LossReason, Ring};
use ss_model::{Error, EventTime, Result};

use crate::chain::{Chain, Item, Step};
use crate::config::CameraConfig;
use crate::hub::{Detect, Hub};
use crate::permits::Permits;
use crate::resume::{self, Token};
use crate::state::{Saved, StateFolder};

/// Steps that may wait to be polled; a full queue holds the decoder up, so
/// nothing is dropped.
const QUEUE: usize = 16;
/// How long a live camera is waited for before it is seen whether to stop.
const WAIT: Duration = Duration::from_millis(50);
/// Frames worked on for one permit.
const TURN: usize = 8;

/// Something to tell people; no part of the results.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Stable name: `resumed`, `state_not_saved`.
    pub what: &'static str,
    /// One sentence.
    pub detail: String,
}

enum Message {
    Step(Vec<Item>, Box<Token>),
    Note(Note),
    Failed(Error),
}

/// What [`CameraRun::poll`] gives.
#[derive(Clone, Debug, PartialEq)]
pub enum Polled {
    /// Part of the results.
    Item(Item),
    /// Not part of them.
    Note(Note),
}

/// One camera at work.
pub struct CameraRun {
    steps: Option<Receiver<Message>>,
    worker: Option<JoinHandle<()>>,
    stop: Arc<AtomicBool>,
    redecoded: Arc<AtomicU64>,
    ring: Arc<Ring>,
    /// After the last step polled.
    token: Token,
}

impl CameraRun {
    /// Start `config` at its beginning, or after what `resume` (the bytes of
    /// [`CameraRun::position`]) says. The vision state is kept in `state_dir`;
    /// without one a resumed run decodes from the start. `hub` leads to the
    /// detector of a configuration that names one from outside.
    ///
    /// # Errors
    /// `InvalidInput` when a file cannot be opened, when `resume` is of
    /// another configuration, or when a detector is named and `hub` is not
    /// given; `Unavailable` when `state_dir` cannot be made.
    pub fn start(
        config: CameraConfig,
        resume: Option<&[u8]>,
        state_dir: Option<&Path>,
        hub: Option<Hub>,
    ) -> Result<Self> {
        if config.look.is_some() != hub.is_some() {
            let (found, of) = (hub.map_or("no hub", |_| "a hub"), &config.detector);
            return Err(Error::invalid(format!(
                "camera {}: found {found} for detector \"{of}\"",
                config.camera
            )));
        }
        let fingerprint = config.fingerprint()?;
        let token = match resume {
            Some(bytes) => Token::from_json(bytes, &config.camera, fingerprint)?,
            None => Token::at_start(&config, fingerprint),
        };
        let mut folder = state_dir.map(|dir| StateFolder::open(dir, &config.camera)).transpose()?;
        if let Some(folder) = &mut folder {
            folder.keep_up_to(resume.map(|_| token.video.total));
        }
        let (stop, redecoded) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let ring = Arc::new(match &config.live {
            Some(live) => Ring::in_memory(live.ring_s, live.ring_mb << 20),
            None => Ring::of_files(config.files.clone()),
        });
        ring.follow(&token.video);
        let mut run = Self { steps: None, worker: None, stop, redecoded, ring, token };
        if run.token.ended {
            return Ok(run);
        }
        // Opened here and not on the thread, so that a wrong file is refused at once.
        let eye =
            hub.map(|hub| -> Box<dyn Detect> { Box::new(hub.client(&config.camera, Arc::clone(&run.stop))) });
        let (fresh, eye) = match (&config.live, resume) {
            // A live camera cannot be taken back to where it stood: it begins another run.
            (Some(live), _) => {
                let before = resume.map(|_| &run.token.video);
                let start = EventTime(config.start_time_ns);
                let video = LiveRun::start(live, &config.camera, start, &run.ring, before, config.wants())?;
                // How its street looks is all that it remembers.
                let seen = before.zip(folder.as_ref()).and_then(|(at, dir)| dir.load(fingerprint, at).0);
                let (sight, counts) = (seen.map(|s| s.sight).unwrap_or_default(), run.token.counts.clone());
                (Some(Chain::live(config.clone(), eye, video, sight, counts)), None)
            }
            (None, None) => (Some(Chain::open(config.clone(), eye)?), None),
            (None, Some(_)) => (None, eye),
        };
        let (sender, steps) = bounded(QUEUE);
        let worker = Worker {
            config,
            folder,
            eye,
            token: run.token.clone(),
            sender,
            stop: Arc::clone(&run.stop),
            redecoded: Arc::clone(&run.redecoded),
            ring: Arc::clone(&run.ring),
        };
        let name = format!("camera {}", worker.config.camera);
        let thread = std::thread::Builder::new().name(name.clone());
        let handle = thread
            .spawn(move || worker.work(fresh))
            .map_err(|e| Error::unavailable(format!("{name}: no thread ({e})")))?;
        run.worker = Some(handle);
        run.steps = Some(steps);
        Ok(run)
    }

    /// What is ready, without waiting: whole steps, at least one when one is
    /// ready, until `max_items` or more are there.
    ///
    /// # Errors
    /// What made the camera's thread give up before it began.
    pub fn poll(&mut self, max_items: usize) -> Result<Vec<Polled>> {
        let mut polled = Vec::new();
        while polled.len() < max_items {
            let Some(steps) = &self.steps else { break };
            match steps.try_recv() {
                Ok(Message::Step(items, token)) => {
                    self.token = *token;
                    polled.extend(items.into_iter().map(Polled::Item));
                }
                Ok(Message::Note(note)) => polled.push(Polled::Note(note)),
                Ok(Message::Failed(error)) => {
                    self.steps = None;
                    return Err(error);
                }
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => self.steps = None,
            }
        }
        Ok(polled)
    }

    /// Where to go on after the last item polled.
    ///
    /// # Errors
    /// `Internal` when it cannot be written; it always can.
    pub fn position(&self) -> Result<Vec<u8>> {
        self.token.to_json()
    }

    /// Counters by name, as of the last item polled; `frames_redecoded` alone
    /// is of this process.
    pub fn counts(&self) -> BTreeMap<String, u64> {
        let mut counts = self.token.counts.by_name();
        counts.insert("frames_redecoded".into(), self.redecoded.load(Ordering::Relaxed));
        counts
    }

    /// The recent past of this camera, to cut clips and stills from; it
    /// outlives the run.
    pub fn ring(&self) -> Arc<Ring> {
        Arc::clone(&self.ring)
    }

    /// Stop the thread and wait for it: a few frames at most.
    pub fn close(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.steps = None;
        if let Some(worker) = self.worker.take() {
            // A panic has been reported as a lost camera.
            let _ = worker.join();
        }
    }
}

impl Drop for CameraRun {
    fn drop(&mut self) {
        self.close();
    }
}

/// What lives on the camera's thread.
struct Worker {
    config: CameraConfig,
    folder: Option<StateFolder>,
    /// For a chain that is opened here.
    eye: Option<Box<dyn Detect>>,
    token: Token,
    sender: Sender<Message>,
    stop: Arc<AtomicBool>,
    redecoded: Arc<AtomicU64>,
    ring: Arc<Ring>,
}

impl Worker {
    fn work(mut self, fresh: Option<Chain>) {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            match fresh.map_or_else(|| self.reopen(), |chain| Ok(Some(chain))) {
                Ok(Some(chain)) => self.follow(chain),
                Ok(None) => Ok(()),
                Err(error) => {
                    self.send(Message::Failed(error));
                    Ok(())
                }
            }
        }));
        let why = match outcome {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.message,
            Err(panic) => format!("a bug: {}", panic_text(&*panic)),
        };
        self.give_up(why);
    }

    /// One turn under a permit; `None` when the run is to stop.
    fn turn(stop: &AtomicBool, chain: &mut Chain) -> Option<Result<Option<Step>>> {
        if stop.load(Ordering::Relaxed) {
            return None;
        }
        let _permit = Permits::of_process().acquire();
        Some(chain.advance(TURN))
    }

    fn reopen(&mut self) -> Result<Option<Chain>> {
        let eye = self.eye.take();
        let turn = |chain: &mut Chain| Self::turn(&self.stop, chain);
        let Some((chain, found)) =
            resume::reopen(&self.config, &self.token, self.folder.as_ref(), eye, turn)?
        else {
            return Ok(None);
        };
        self.redecoded.store(found.redecoded, Ordering::Relaxed);
        let state = if found.from_frame > 0 {
            format!("with the state of frame {}", found.from_frame)
        } else {
            "from the start, no state could be used".into()
        };
        let mut detail = format!(
            "camera {}: resumed at frame {} {state}: {} frames decoded again, {} of them seen again",
            self.config.camera, self.token.video.total, found.redecoded, found.seen_again
        );
        for wrong in &found.wrong {
            detail.push_str("; ");
            detail.push_str(wrong);
        }
        self.send(Message::Note(Note { what: "resumed", detail }));
        Ok(Some(chain))
    }

    fn follow(&mut self, mut chain: Chain) -> Result<()> {
        chain.tell(Arc::clone(&self.ring));
        let pause = Duration::try_from_secs_f64(self.config.checkpoint_s).unwrap_or(Duration::MAX);
        let mut saved_at = Instant::now();
        while let Some(worked) = Self::turn(&self.stop, &mut chain) {
            let Some(step) = worked? else {
                if chain.is_waiting() {
                    chain.wait(WAIT);
                }
                continue;
            };
            // When the state is written depends on this clock; what the results are never does.
            if self.folder.is_some() && !step.ended && saved_at.elapsed() >= pause {
                self.save(&mut chain, &step);
                saved_at = Instant::now();
            }
            let token = Token::after(&step, self.token.fingerprint(), self.token.state.clone());
            self.token = token.clone();
            let ended = step.ended;
            if !self.send(Message::Step(step.items, Box::new(token))) || ended {
                break;
            }
        }
        Ok(())
    }

    fn save(&mut self, chain: &mut Chain, step: &Step) {
        let Some(folder) = &mut self.folder else { return };
        let saved = Saved {
            fingerprint: self.token.fingerprint(),
            video: chain.position(),
            vision: if self.config.live.is_some() { None } else { chain.vision_state() },
            sight: chain.sight_state(),
            counts: step.counts.clone(),
        };
        match folder.save(&saved) {
            Ok(name) => self.token.state = Some(name),
            Err(error) => {
                let note = Note { what: "state_not_saved", detail: error.message };
                self.send(Message::Note(note));
            }
        }
    }

    /// Say that the camera is lost, and end it: the others go on.
    fn give_up(&mut self, why: String) {
        let video = &self.token.video;
        let at = video.due();
        let reason = LossReason::CameraFailed;
        let lost = Loss { reason, at, place: self.config.camera.clone(), detail: why, count: 1 };
        let gap = Item::Gap { run: video.run, at, reason: reason.name() };
        *self.token.counts.lost.entry(reason.name().into()).or_default() += 1;
        self.token.ended = true;
        let token = Box::new(self.token.clone());
        self.send(Message::Step(vec![Item::Dead(lost), gap, Item::End], token));
    }

    /// Hand over; false when nobody is there any more.
    fn send(&self, mut message: Message) -> bool {
        loop {
            // Woken now and then to see whether the run is to stop.
            match self.sender.send_timeout(message, Duration::from_millis(200)) {
                Ok(()) => return true,
                Err(SendTimeoutError::Timeout(unsent)) if !self.stop.load(Ordering::Relaxed) => {
                    message = unsent;
                }
                Err(_) => return false,
            }
        }
    }
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}
