//! Late rows: those older than the watermark that was committed before their batch.

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, RecordBatch};
use arrow::compute::cast;
use arrow::compute::filter_record_batch;
use arrow::datatypes::{DataType, Int64Type, TimeUnit};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Rows of a source among which some were late. What a source delivers isn't kept, so a replay has to drop them again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LateRange {
    /// Number of the first row, from 0.
    pub first: u64,
    /// How many.
    pub rows: u64,
    /// The watermark that was committed before them, in microseconds.
    pub watermark_us: i64,
}

/// Which rows are not late: those whose time, if they have one, is at the watermark or after it. `None` if all are.
pub(crate) fn on_time(times: &ArrayRef, watermark_us: i64) -> Result<Option<BooleanArray>> {
    let times = microseconds(times)?;
    let keep: BooleanArray =
        (0..times.len()).map(|row| Some(times.is_null(row) || times.value(row) >= watermark_us)).collect();
    Ok(if keep.true_count() == keep.len() { None } else { Some(keep) })
}

/// How many rows are late.
pub(crate) fn count_late(times: &ArrayRef, watermark_us: i64) -> Result<u64> {
    Ok(on_time(times, watermark_us)?.map_or(0, |keep| keep.false_count() as u64))
}

/// Drops what was late when rows from number `first` on were read before.
pub(crate) fn drop_late_again(
    rows: RecordBatch,
    first: u64,
    column: usize,
    ranges: &[LateRange],
) -> Result<RecordBatch> {
    let end = first + rows.num_rows() as u64;
    let mut keep: Option<Vec<bool>> = None;
    for range in ranges.iter().filter(|range| range.first < end && first < range.first + range.rows) {
        let from = range.first.max(first) - first;
        let count = (range.first + range.rows).min(end) - first - from;
        let times = rows.column(column).slice(from as usize, count as usize);
        let Some(part) = on_time(&times, range.watermark_us)? else { continue };
        let all = keep.get_or_insert_with(|| vec![true; rows.num_rows()]);
        part.iter().zip(&mut all[from as usize..]).for_each(|(part, all)| *all = part == Some(true));
    }
    match keep {
        None => Ok(rows),
        Some(keep) => filter_record_batch(&rows, &BooleanArray::from(keep)).map_err(Error::bug),
    }
}

/// Times as microseconds since 1970.
pub(crate) fn microseconds(times: &ArrayRef) -> Result<Int64Array> {
    let unit = match times.data_type() {
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        _ => DataType::Timestamp(TimeUnit::Microsecond, None),
    };
    let times = cast(times, &unit).and_then(|times| cast(&times, &DataType::Int64)).map_err(Error::bug)?;
    Ok(times.as_primitive::<Int64Type>().clone())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow::array::TimestampMicrosecondArray;

    use super::*;

    fn rows(times: &[i64]) -> RecordBatch {
        let times: ArrayRef = Arc::new(TimestampMicrosecondArray::from(times.to_vec()));
        RecordBatch::try_from_iter([("at", times)]).expect("one column")
    }

    fn times(rows: &RecordBatch) -> Vec<i64> {
        microseconds(rows.column(0)).expect("times").values().to_vec()
    }

    #[test]
    fn a_row_at_the_watermark_is_not_late() {
        let batch = rows(&[1, 2, 3]);
        assert_eq!(count_late(batch.column(0), 2).expect("a count"), 1);
        assert_eq!(on_time(batch.column(0), 1).expect("a mask"), None);
    }

    #[test]
    fn the_same_rows_are_dropped_however_the_replay_is_cut() {
        let all = [5, 1, 9, 1, 9, 0, 7, 7];
        // Rows 2 to 4 came after a watermark of 5, rows 5 and 6 after one of 7.
        let ranges =
            [LateRange { first: 2, rows: 3, watermark_us: 5 }, LateRange { first: 5, rows: 2, watermark_us: 7 }];
        for cut in 1..=all.len() {
            let mut kept = Vec::new();
            for (piece, part) in all.chunks(cut).enumerate() {
                let left = drop_late_again(rows(part), (piece * cut) as u64, 0, &ranges).expect("rows");
                kept.extend(times(&left));
            }
            assert_eq!(kept, [5, 1, 9, 9, 7, 7], "cut every {cut}");
        }
    }
}
