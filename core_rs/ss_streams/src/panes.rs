//! Rows summed up by key and by pane, a whole-numbered stretch of event time: what windows are made of.

use ss_model::{Error, Result};

/// One entry per pane and key that had a row; a pane may come twice when the rows are out of order.
#[derive(Default, Debug)]
pub struct Panes {
    /// Number of the pane: its start divided by the width.
    pub pane: Vec<i64>,
    /// Key.
    pub key: Vec<u32>,
    /// Rows.
    pub count: Vec<i64>,
    /// Their sum, wrapping.
    pub sum: Vec<i64>,
    /// Their smallest value.
    pub min: Vec<i64>,
    /// Their largest value.
    pub max: Vec<i64>,
}

/// Sum rows up by key within each run of rows of the same pane.
///
/// # Errors
/// `InvalidInput`: columns of different length, a width that is not positive, or a key that is not below `keys`.
pub fn panes(time: &[i64], key: &[u32], value: &[i64], width: i64, keys: u32) -> Result<Panes> {
    if time.len() != key.len() || time.len() != value.len() {
        return Err(Error::invalid("panes: expected columns of one length".to_owned()));
    }
    if width <= 0 {
        return Err(Error::invalid(format!("panes: expected a width above 0, found {width}")));
    }
    if let Some(&highest) = key.iter().max().filter(|&&k| k >= keys) {
        return Err(Error::invalid(format!("panes: expected keys below {keys}, found {highest}")));
    }
    let mut out = Panes::default();
    let mut place = vec![usize::MAX; keys as usize]; // where a key of the current pane stands in `out`
    let mut first = 0; // of the current pane in `out`
    let (mut pane, mut start, mut end) = (0, 0, 0);
    for ((&at, &k), &v) in time.iter().zip(key).zip(value) {
        if at < start || at >= end {
            for &k in &out.key[first..] {
                place[k as usize] = usize::MAX;
            }
            first = out.key.len();
            pane = at.div_euclid(width);
            start = pane.saturating_mul(width);
            end = start.saturating_add(width);
        }
        let found = place[k as usize];
        if found == usize::MAX {
            place[k as usize] = out.key.len();
            out.pane.push(pane);
            out.key.push(k);
            out.count.push(1);
            out.sum.push(v);
            out.min.push(v);
            out.max.push(v);
        } else {
            out.count[found] += 1;
            out.sum[found] = out.sum[found].wrapping_add(v);
            out.min[found] = out.min[found].min(v);
            out.max[found] = out.max[found].max(v);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn panes_before_1970_are_whole_too() {
        let found = panes(&[-1, 0], &[0, 0], &[5, 6], 10, 1).expect("well formed");
        assert_eq!((found.pane, found.sum), (vec![-1, 0], vec![5, 6]));
    }

    #[test]
    fn keys_beyond_the_table_are_refused() {
        assert!(panes(&[0], &[3], &[1], 10, 3).is_err());
        assert!(panes(&[0], &[0], &[1], 0, 3).is_err());
    }

    proptest! {
        #[test]
        fn as_summed_by_hand(rows in prop::collection::vec((-40i64..40, 0u32..4, -9i64..9), 0..60)) {
            let time: Vec<_> = rows.iter().map(|r| r.0).collect();
            let key: Vec<_> = rows.iter().map(|r| r.1).collect();
            let value: Vec<_> = rows.iter().map(|r| r.2).collect();
            let found = panes(&time, &key, &value, 7, 4).expect("well formed");
            let mut ours = BTreeMap::new();
            for i in 0..found.pane.len() {
                let e = ours.entry((found.pane[i], found.key[i])).or_insert((0, 0));
                *e = (e.0 + found.count[i], e.1 + found.sum[i]);
            }
            let mut theirs = BTreeMap::new();
            for (t, k, v) in rows {
                let e = theirs.entry((t.div_euclid(7), k)).or_insert((0, 0));
                *e = (e.0 + 1, e.1 + v);
            }
            prop_assert_eq!(ours, theirs);
        }
    }
}
