//! Who may decode now: as many threads of this process as it has cores.
//!
//! Cameras have a thread each, so that one that waits holds up no other; the
//! work itself is bounded here, in turns of a few frames, first come first
//! served.

use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::available_parallelism;

/// A ticket counter: ticket `t` may go in when fewer than `slots` before it are still in.
struct Queue {
    next: u64,
    done: u64,
}

/// A bounded number of permits.
pub struct Permits {
    slots: u64,
    queue: Mutex<Queue>,
    released: Condvar,
}

/// Held while decoding.
pub struct Permit<'a>(&'a Permits);

impl Permits {
    /// `slots` permits.
    pub fn new(slots: usize) -> Self {
        let queue = Mutex::new(Queue { next: 0, done: 0 });
        Self { slots: slots.max(1) as u64, queue, released: Condvar::new() }
    }

    /// The pool of this process: a permit per core.
    pub fn of_process() -> &'static Self {
        static POOL: OnceLock<Permits> = OnceLock::new();
        POOL.get_or_init(|| Self::new(available_parallelism().map_or(1, usize::from)))
    }

    /// Wait for a turn.
    pub fn acquire(&self) -> Permit<'_> {
        let mut queue = self.lock();
        let ticket = queue.next;
        queue.next += 1;
        while ticket >= queue.done + self.slots {
            queue = self.released.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        Permit(self)
    }

    /// Do what needs no core, such as waiting for somebody, while holding a
    /// permit: another may go in meanwhile.
    pub fn aside<T>(&self, work: impl FnOnce() -> T) -> T {
        // Permits are all alike: give one back, and take one again.
        self.release();
        let done = work();
        std::mem::forget(self.acquire());
        done
    }

    fn release(&self) {
        self.lock().done += 1;
        self.released.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        // The counters are whole after every statement, so a panic elsewhere spoils nothing.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn who_steps_aside_lets_another_in() {
        let permits = Permits::new(1);
        let permit = permits.acquire();
        permits.aside(|| std::thread::scope(|scope| scope.spawn(|| drop(permits.acquire())).join()).unwrap());
        drop(permit);
        drop(permits.acquire());
    }

    #[test]
    fn never_more_than_the_slots_and_nobody_starves() {
        let (permits, inside, turns) = (Permits::new(2), AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..5 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let permit = permits.acquire();
                        assert!(inside.fetch_add(1, Ordering::SeqCst) < 2);
                        inside.fetch_sub(1, Ordering::SeqCst);
                        turns.fetch_add(1, Ordering::SeqCst);
                        drop(permit);
                    }
                });
            }
        });
        assert_eq!(turns.into_inner(), 1000);
    }
}
