//! `BatchLimit`: how many tuples to one task are gathered before they are sent.

/// A fixed number, or one that grows by one with each full batch and is halved when a batch had to be sent before it was full
/// (additive increase, multiplicative decrease); it stays between 1 and the maximum.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimit {
    rows: usize,
    rows_max: usize,
    adaptive: bool,
}

impl BatchLimit {
    pub fn fixed(rows: usize) -> BatchLimit {
        BatchLimit { rows, rows_max: rows, adaptive: false }
    }

    pub fn adaptive(rows_max: usize) -> BatchLimit {
        BatchLimit { rows: 1, rows_max, adaptive: true }
    }

    /// Tuples that make a batch full.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// A batch was sent because it was full.
    pub fn note_full(&mut self) {
        if self.adaptive {
            self.rows = (self.rows + 1).min(self.rows_max);
        }
    }

    /// A batch was sent before it was full.
    pub fn note_partial(&mut self) {
        if self.adaptive {
            self.rows = (self.rows / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a17_it_grows_by_one_and_halves() {
        let mut limit = BatchLimit::adaptive(4);
        let mut seen = vec![limit.rows()];
        for full in [true, true, true, true, false, false, false, true] {
            if full {
                limit.note_full()
            } else {
                limit.note_partial()
            }
            seen.push(limit.rows());
        }
        assert_eq!(seen, [1, 2, 3, 4, 4, 2, 1, 1, 2]);
    }

    #[test]
    fn a_fixed_one_stays() {
        let mut limit = BatchLimit::fixed(10);
        limit.note_full();
        limit.note_partial();
        assert_eq!(limit.rows(), 10);
    }
}
