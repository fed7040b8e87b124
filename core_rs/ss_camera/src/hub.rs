//! Where cameras meet a detector that lives outside of this crate.
//!
//! Each camera asks with one picture and waits for the answer, so its results
//! depend on its own pictures alone, whoever else asks. Whoever runs the
//! detector takes what has gathered: a batch is closed when it is full or
//! when its oldest picture has waited long enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded};
use ss_model::{BoxF, Detection, Error, Result};
use ss_vision::picture::Picture;

use crate::permits::Permits;

/// Pictures that may wait to be taken.
const QUEUE: usize = 256;
/// How often those who wait look whether they should stop.
const GLANCE: Duration = Duration::from_millis(50);

/// Finds road users in prepared pictures.
pub trait Detect: Send {
    /// Detections in `picture`, boxes normalised to the camera's picture.
    ///
    /// # Errors
    /// What the detector says; `Unavailable` when it was stopped.
    fn detect(&mut self, picture: Picture) -> Result<Vec<Detection>>;
}

/// One camera's picture, waiting for its detections.
pub struct Question {
    /// Who asks.
    pub camera: String,
    /// What was seen.
    pub picture: Picture,
    asked: Instant,
    answer: Sender<Result<Vec<Detection>>>,
}

impl Question {
    /// Give the detections, their boxes in pixels of the picture.
    pub fn answer(self, mut detections: Vec<Detection>) {
        for d in &mut detections {
            let b: BoxF = d.bbox;
            d.bbox = self.picture.to_camera(&b);
        }
        // Nobody listens when the camera has been closed.
        let _ = self.answer.send(Ok(detections));
    }

    /// The detector cannot answer; the camera is lost.
    pub fn refuse(self, error: Error) {
        let _ = self.answer.send(Err(error));
    }
}

/// The meeting place of one detector and its cameras.
#[derive(Clone)]
pub struct Hub {
    ask: Sender<Question>,
    asked: Receiver<Question>,
    closed: Arc<AtomicBool>,
}

impl Default for Hub {
    fn default() -> Self {
        let (ask, asked) = bounded(QUEUE);
        Self { ask, asked, closed: Arc::default() }
    }
}

impl Hub {
    /// Wait for a batch of at most `full` pictures; no longer than `patience`
    /// after the first of them was asked. `None` when the hub is closed.
    pub fn take(&self, full: usize, patience: Duration) -> Option<Vec<Question>> {
        let first = loop {
            if self.closed.load(Ordering::Relaxed) {
                return None;
            }
            match self.asked.recv_timeout(GLANCE) {
                Ok(question) => break question,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        };
        let deadline = first.asked + patience;
        let mut batch = vec![first];
        while batch.len() < full {
            match self.asked.recv_deadline(deadline) {
                Ok(question) => batch.push(question),
                Err(_) => break,
            }
        }
        Some(batch)
    }

    /// No answers any more: whoever asks is told so.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    /// The way of `camera` to the detector, until `stop` is set.
    pub fn client(&self, camera: &str, stop: Arc<AtomicBool>) -> impl Detect + use<> {
        Client { hub: self.clone(), camera: camera.to_owned(), stop }
    }
}

struct Client {
    hub: Hub,
    camera: String,
    stop: Arc<AtomicBool>,
}

impl Client {
    fn interrupted(&self) -> Option<Error> {
        if self.stop.load(Ordering::Relaxed) {
            return Some(Error::unavailable("the camera was stopped"));
        }
        self.hub.closed.load(Ordering::Relaxed).then(|| Error::unavailable("the detector has stopped"))
    }

    fn wait(&self, picture: Picture) -> Result<Vec<Detection>> {
        let (answer, answered) = bounded(1);
        let mut question = Question { camera: self.camera.clone(), picture, asked: Instant::now(), answer };
        while let Err(error) = self.hub.ask.send_timeout(question, GLANCE) {
            question = match error {
                SendTimeoutError::Timeout(unsent) => unsent,
                SendTimeoutError::Disconnected(_) => {
                    return Err(Error::unavailable("the detector has stopped"));
                }
            };
            if let Some(error) = self.interrupted() {
                return Err(error);
            }
        }
        loop {
            match answered.recv_timeout(GLANCE) {
                Ok(answer) => return answer,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::internal("the detector took a picture and gave no answer"));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some(error) = self.interrupted() {
                return Err(error);
            }
        }
    }
}

impl Detect for Client {
    fn detect(&mut self, picture: Picture) -> Result<Vec<Detection>> {
        // Others may decode while this camera waits.
        Permits::of_process().aside(|| self.wait(picture))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use ss_model::{ColourSpace, VehicleClass};

    use super::*;

    fn picture() -> Picture {
        Picture { data: vec![0; 4], shape: [1, 2, 2], place: [0, 0, 2, 2], space: ColourSpace::default() }
    }

    #[test]
    fn batches_are_full_or_old_and_each_gets_its_own_answer() {
        let hub = Hub::default();
        std::thread::scope(|scope| {
            let asking: Vec<_> = (0..3u8)
                .map(|n| {
                    let client = hub.client(&format!("cam{n}"), Arc::default());
                    scope.spawn(move || {
                        let mut client = client;
                        let mut picture = picture();
                        picture.data[0] = n;
                        client.detect(picture).unwrap()[0].score
                    })
                })
                .collect();
            let mut sizes = Vec::new();
            while sizes.iter().sum::<usize>() < 3 {
                let batch = hub.take(2, Duration::from_millis(200)).unwrap();
                sizes.push(batch.len());
                for question in batch {
                    let score = f32::from(question.picture.data[0]);
                    let bbox = BoxF { x1: 0.0, y1: 0.0, x2: 1.0, y2: 2.0 };
                    question.answer(vec![Detection { bbox, score, class: VehicleClass::Car, flags: 0 }]);
                }
            }
            assert!(sizes.iter().all(|&n| n <= 2));
            let scores: Vec<f32> = asking.into_iter().map(|t| t.join().unwrap()).collect();
            assert_eq!(scores, [0.0, 1.0, 2.0]);
        });
    }

    #[test]
    fn nobody_waits_for_a_detector_that_has_stopped() {
        let hub = Hub::default();
        hub.close();
        assert!(hub.take(1, Duration::ZERO).is_none());
        let error = hub.client("cam", Arc::default()).detect(picture()).unwrap_err();
        assert!(error.message.contains("detector has stopped"));
        let hub = Hub::default();
        let stop = Arc::new(AtomicBool::new(true));
        assert!(
            hub.client("cam", stop).detect(picture()).unwrap_err().message.contains("camera was stopped")
        );
        let hub = Hub::default();
        std::thread::scope(|scope| {
            let mut client = hub.client("cam", Arc::default());
            let asked = scope.spawn(move || client.detect(picture()));
            let _ = std::iter::from_fn(|| hub.take(9, Duration::ZERO)).find(|batch| {
                batch.iter().any(|q| q.camera == "cam") // dropped unanswered
            });
            assert!(asked.join().unwrap().unwrap_err().message.contains("gave no answer"));
        });
    }
}
