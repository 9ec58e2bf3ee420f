//! How items leave.

use super::manager::align_up;
use super::{Length, Slide, WindowManager};
use crate::Result;

impl<T: Clone> WindowManager<T> {
    /// No later window holds an item before position `start`. They leave for good, unless a late item can still call for them.
    pub(super) fn expire_before(&mut self, start: u64) -> Result<()> {
        self.adds = 0;
        if start <= self.start {
            return Ok(());
        }
        if self.keeps_expired {
            let pending = &mut self.pending_expired;
            self.queue.visit(self.start..start, |_, item| pending.push(item.clone()))?;
        }
        self.start = start;
        self.fresh = self.fresh.max(start);
        if self.lateness_ms() == 0 { self.drop_before(start) } else { Ok(()) }
    }

    /// Expires what no later window can hold although none has fired. For processing time: every later window ends at the
    /// latest time heard of or after.
    pub(super) fn compact(&mut self) -> Result<()> {
        let start = self.window_start(self.watermark, self.queue.end())?;
        self.expire_before(start)
    }

    /// With allowed lateness: lets go of items that share no window with an item still to be accepted.
    pub(super) fn drop_unreachable(&mut self) -> Result<()> {
        let (Length::Duration(length_ms), Slide::Duration(slide_ms)) = (self.spec.length(), self.spec.slide()) else {
            return Ok(());
        };
        if self.lateness_ms() == 0 || self.queue.first() == self.start {
            return Ok(());
        }
        let first_end = align_up(self.watermark.saturating_sub(self.lateness_ms()), slide_ms);
        let reachable = self.queue.position_after(first_end.saturating_sub(length_ms))?;
        self.drop_before(reachable.min(self.start))
    }

    /// Items before a position leave for good.
    fn drop_before(&mut self, position: u64) -> Result<()> {
        let left = &mut self.left;
        self.queue.pop_front(position.saturating_sub(self.queue.first()), |item| left.push(item))
    }
}
