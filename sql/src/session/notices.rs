//! `Notices`: what a session has to say beside its answers. Shared with a COPY, which ends after its statement has been answered.

use std::sync::Arc;

use monsoon_batch::Written;
use parking_lot::Mutex;

use crate::response::Notice;

/// Notices that were not sent yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Notices(Arc<Mutex<Vec<Notice>>>);

impl Notices {
    pub(super) fn push(&self, notice: Notice) {
        self.0.lock().push(notice);
    }

    /// Warns if rows of a write came too late.
    pub(super) fn warn_of_late_rows(&self, written: &Written) {
        if written.late > 0 {
            let message = format!("{} rows are behind the stream's watermark and were dropped", written.late);
            self.push(Notice { severity: "WARNING", sqlstate: "01000", message });
        }
    }

    /// Takes all of them out.
    pub(super) fn take(&self) -> Vec<Notice> {
        std::mem::take(&mut *self.0.lock())
    }
}
