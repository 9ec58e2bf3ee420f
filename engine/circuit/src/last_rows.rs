//! Which row of a batch is the last of its key.

use hashbrown::HashSet;

use crate::key_index::NO_ID;

/// A batch this many times smaller than the number of keys is worth a hash set instead of a vector over all keys.
const SPARSE: usize = 8;

/// For keys numbered below `capacity`: the rows that no later row has the key of, in order.
pub fn last_rows(keys: &[u32], capacity: usize) -> Vec<u32> {
    if keys.len() < capacity / SPARSE {
        let mut seen = HashSet::with_capacity(keys.len());
        let newest_first = (0..keys.len() as u32).rev().filter(|&row| seen.insert(keys[row as usize]));
        let mut rows: Vec<u32> = newest_first.collect();
        rows.reverse();
        return rows;
    }
    let mut last = vec![NO_ID; capacity];
    keys.iter().enumerate().for_each(|(row, &key)| last[key as usize] = row as u32);
    (0..keys.len() as u32).filter(|&row| last[keys[row as usize] as usize] == row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_or_few_keys_are_the_same() {
        let keys = [3, 1, 3, 0, 1, 7];
        assert_eq!(last_rows(&keys, 8), [2, 3, 4, 5]);
        assert_eq!(last_rows(&keys, 1_000), [2, 3, 4, 5]);
        assert!(last_rows(&[], 5).is_empty());
    }
}
