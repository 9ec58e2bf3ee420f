//! Sorting the rows of a batch by their group.

use super::column::ColumnInput;

/// Each group of the batch with its rows, in row order; a row of weight n occurs n times.
pub(crate) fn rows_by_group(input: &ColumnInput<'_>) -> Vec<(u32, Vec<u32>)> {
    let mut order: Vec<u32> = (0..input.groups.len() as u32).filter(|&row| input.weight(row as usize) > 0).collect();
    order.sort_by_key(|&row| input.groups[row as usize]);
    let mut grouped: Vec<(u32, Vec<u32>)> = Vec::new();
    for row in order {
        let group = input.groups[row as usize];
        let copies = input.weight(row as usize) as usize;
        match grouped.last_mut() {
            Some((last, rows)) if *last == group => rows.extend(std::iter::repeat_n(row, copies)),
            _ => grouped.push((group, vec![row; copies])),
        }
    }
    grouped
}
