//! Cancel requests: who may cancel what, and how a running statement hears of it.
//!
//! Invariants: a request with a wrong secret changes nothing and takes as long as one with a right secret; a right one
//! reaches only the statement that runs in that session at that moment, never a later one.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use parking_lot::Mutex;
use rand::Rng;
use tokio::sync::Notify;

/// What a client must show to cancel: 4 bytes in protocol 3.0.
type Secret = [u8; 4];

/// The sessions that can be cancelled.
#[derive(Debug, Default)]
pub struct CancelRegistry {
    sessions: Mutex<HashMap<i32, (Secret, Arc<CancelFlag>)>>,
    last_pid: AtomicI32,
}

impl CancelRegistry {
    /// Enters a session; it leaves when the entry is dropped.
    pub fn enter(self: &Arc<Self>) -> CancelEntry {
        // The thread-local generator is a CSPRNG seeded from the system.
        let secret: Secret = rand::rng().random();
        let flag = Arc::new(CancelFlag::default());
        let mut sessions = self.sessions.lock();
        let pid = loop {
            let pid = self.last_pid.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
            if pid > 0 && !sessions.contains_key(&pid) {
                break pid;
            }
            if pid <= 0 {
                self.last_pid.store(0, Ordering::Relaxed);
            }
        };
        sessions.insert(pid, (secret, flag.clone()));
        CancelEntry { registry: self.clone(), pid, secret, flag }
    }

    /// Handles a CancelRequest. The answer to the client is always silence.
    pub fn cancel(&self, pid: i32, secret: &[u8]) {
        let sessions = self.sessions.lock();
        // An unknown process id compares against a dummy, so that time tells nothing.
        let dummy = ([0; 4], Arc::new(CancelFlag::default()));
        let (expected, flag) = sessions.get(&pid).unwrap_or(&dummy);
        if equal_in_constant_time(expected, secret) && sessions.contains_key(&pid) {
            flag.request();
        }
    }
}

/// Compares without stopping at the first difference.
fn equal_in_constant_time(left: &[u8], right: &[u8]) -> bool {
    if left.len() != right.len() {
        return false;
    }
    let difference = left.iter().zip(right).fold(0u8, |sum, (a, b)| sum | (a ^ b));
    std::hint::black_box(difference) == 0
}

/// A session's place in the registry.
#[derive(Debug)]
pub struct CancelEntry {
    registry: Arc<CancelRegistry>,
    /// The "process id" of BackendKeyData.
    pub pid: i32,
    /// The secret key of BackendKeyData.
    pub secret: [u8; 4],
    /// What the session's statements listen to.
    pub flag: Arc<CancelFlag>,
}

impl Drop for CancelEntry {
    fn drop(&mut self) {
        self.registry.sessions.lock().remove(&self.pid);
    }
}

/// Whether the running statement was asked to stop.
#[derive(Debug, Default)]
pub struct CancelFlag {
    running: AtomicBool,
    requested: AtomicBool,
    notify: Notify,
}

impl CancelFlag {
    /// A statement begins: requests from now on are for it.
    pub fn begin(&self) {
        self.requested.store(false, Ordering::SeqCst);
        self.running.store(true, Ordering::SeqCst);
    }

    /// The statement has ended: requests from now on are for nothing.
    pub fn end(&self) {
        self.running.store(false, Ordering::SeqCst);
        self.requested.store(false, Ordering::SeqCst);
    }

    /// Waits for a request.
    pub async fn requested(&self) {
        while !self.requested.load(Ordering::SeqCst) {
            // `notify_one` leaves a permit when nobody waits, so a request between the check and the wait isn't missed;
            // a permit left by an earlier statement only costs one more turn of the loop.
            self.notify.notified().await;
        }
    }

    fn request(&self) {
        if self.running.load(Ordering::SeqCst) {
            self.requested.store(true, Ordering::SeqCst);
            self.notify.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_requested(flag: &CancelFlag) -> bool {
        flag.requested.load(Ordering::SeqCst)
    }

    #[test]
    fn only_the_right_secret_and_only_a_running_statement() {
        let registry = Arc::new(CancelRegistry::default());
        let (one, two) = (registry.enter(), registry.enter());
        registry.cancel(one.pid, &one.secret);
        assert!(!is_requested(&one.flag), "nothing was running");
        one.flag.begin();
        two.flag.begin();
        let mut wrong = one.secret;
        wrong[3] ^= 1;
        registry.cancel(one.pid, &wrong);
        registry.cancel(one.pid, &one.secret[..3]);
        registry.cancel(one.pid + 100, &one.secret);
        assert!(!is_requested(&one.flag));
        registry.cancel(one.pid, &one.secret);
        assert!(is_requested(&one.flag) && !is_requested(&two.flag));
        one.flag.end();
        one.flag.begin();
        assert!(!is_requested(&one.flag), "a late request must not hit the next statement");
        drop((one, two));
        assert!(registry.sessions.lock().is_empty());
    }
}
