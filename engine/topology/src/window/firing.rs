//! When windows fire, and what they hold.

use super::manager::{align_down, align_up};
use super::{FiredWindow, Length, REPEATS_MAX, Slide, WindowManager, WindowTime};
use crate::Result;

impl<T: Clone> WindowManager<T> {
    /// The watermark or the time has come to `ts`.
    pub(super) fn advance(&mut self, ts: i64, fired: &mut Vec<FiredWindow<T>>) -> Result<()> {
        if ts < self.watermark {
            return Ok(());
        }
        self.watermark = ts;
        match self.spec.slide() {
            Slide::Duration(slide_ms) => {
                if self.next_end.is_some_and(|end| end < ts) {
                    self.run_ends(slide_ms, fired)?;
                }
                self.last_end = self.last_end.max(align_down(ts.saturating_sub(1), slide_ms));
                self.drop_unreachable()
            }
            Slide::Count(_) if self.time == WindowTime::Processing => Ok(()),
            Slide::Count(_) => self.run_triggers(self.queue.position_after(ts)?, fired),
        }
    }

    /// Looks at every window end before the watermark at which something can have changed.
    fn run_ends(&mut self, slide_ms: i64, fired: &mut Vec<FiredWindow<T>>) -> Result<()> {
        let mut repeats = 0;
        while let Some(end) = self.next_end.filter(|end| *end < self.watermark) {
            let behind = self.queue.position_after(end)?;
            repeats = if behind > self.fresh { 0 } else { repeats + 1 };
            self.fire(end, behind, fired)?;
            self.last_end = end;
            self.next_end = self.following_end(slide_ms, repeats)?;
        }
        Ok(())
    }

    /// The end to look at after `last_end`: the next multiple while the window holds something, else where the next item is.
    fn following_end(&self, slide_ms: i64, repeats: u32) -> Result<Option<i64>> {
        let next = self.last_end.saturating_add(slide_ms);
        let holds_items = self.start < self.fresh;
        let repeats_too_often = matches!(self.spec.length(), Length::Count(_)) && repeats >= REPEATS_MAX;
        if holds_items && !repeats_too_often {
            return Ok(Some(next));
        }
        let item_end = self.queue.ts_at(self.fresh)?.map(|ts| align_up(ts, slide_ms).max(next));
        let watermark_end = holds_items.then(|| align_up(self.watermark, slide_ms));
        Ok(item_end.into_iter().chain(watermark_end).min())
    }

    /// Fires the windows of a count slide that are complete when the items before position `ready` are.
    pub(super) fn run_triggers(&mut self, ready: u64, fired: &mut Vec<FiredWindow<T>>) -> Result<()> {
        let Slide::Count(slide) = self.spec.slide() else { return Ok(()) };
        while self.next_trigger <= ready {
            let Some(end) = self.queue.ts_at(self.next_trigger - 1)? else { return Ok(()) };
            let behind = match self.spec.length() {
                Length::Count(_) => self.next_trigger,
                Length::Duration(_) => self.queue.position_after(end)?.min(ready),
            };
            self.fire(end, behind, fired)?;
            self.next_trigger = self.next_trigger.saturating_add(slide);
        }
        Ok(())
    }

    /// Looks at the window that ends at `end` with the item before position `behind`: lets go of what it no longer holds, and
    /// hands it over unless it is empty.
    fn fire(&mut self, end: i64, behind: u64, fired: &mut Vec<FiredWindow<T>>) -> Result<()> {
        self.expire_before(self.window_start(end, behind)?)?;
        let new_from = self.fresh.min(behind);
        self.fresh = self.fresh.max(behind);
        let expired = std::mem::take(&mut self.pending_expired);
        if self.start < behind {
            let items = self.items(self.start, behind)?;
            let new = items[(new_from - self.start) as usize..].to_vec();
            fired.push(FiredWindow { items, new, expired, start: self.window_begin(end), end });
        }
        Ok(())
    }

    /// Adds an item of the allowed lateness that ends already looked at may cover, and fires those again.
    pub(super) fn add_behind(&mut self, item: T, ts: i64, fired: &mut Vec<FiredWindow<T>>) -> Result<()> {
        let (Length::Duration(length_ms), Slide::Duration(slide_ms)) = (self.spec.length(), self.spec.slide()) else {
            // Forms that count allow no lateness, so only the least timestamp there is comes here, and it is simply next.
            return self.queue.insert(item, ts);
        };
        self.queue.insert(item.clone(), ts)?;
        self.fresh += 1;
        if ts <= self.last_end.saturating_sub(length_ms) {
            self.start += 1;
        } else {
            let next = self.last_end.saturating_add(slide_ms);
            self.next_end = Some(self.next_end.map_or(next, |end| end.min(next)));
        }
        let mut end = align_up(ts, slide_ms);
        while end <= self.last_end && end.saturating_sub(length_ms) < ts {
            let from = self.queue.position_after(end.saturating_sub(length_ms))?;
            let items = self.items(from, self.queue.position_after(end)?)?;
            let start = self.window_begin(end);
            fired.push(FiredWindow { items, new: vec![item.clone()], expired: Vec::new(), start, end });
            end = end.saturating_add(slide_ms);
        }
        Ok(())
    }

    /// The items at some positions.
    fn items(&self, from: u64, to: u64) -> Result<Vec<T>> {
        let mut items = Vec::with_capacity(to.saturating_sub(from) as usize);
        self.queue.visit(from..to, |_, item| items.push(item.clone()))?;
        Ok(items)
    }

    /// Where a window of a duration begins.
    fn window_begin(&self, end: i64) -> Option<i64> {
        match self.spec.length() {
            Length::Count(_) => None,
            Length::Duration(length_ms) => Some(end.saturating_sub(length_ms)),
        }
    }
}
