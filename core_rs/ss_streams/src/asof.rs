//! The newest row of the right side at or before each row of the left side, by key.

use ss_model::{Error, Result};

/// What is known of every key: time and value of its newest right row, `i64::MIN` for a key never heard of.
pub struct Known<'a> {
    /// Event time by key.
    pub time: &'a mut [i64],
    /// Value by key.
    pub value: &'a mut [i64],
}

/// Join two sides, each in event-time order; right rows of the same instant count.
///
/// `known` moves on to the newest right rows. Returns value and time of the right row for each left row; a key
/// that has none gets `i64::MIN` as its time.
///
/// # Errors
/// `InvalidInput`: columns of one side differ in length, a key is beyond `known`, or a side is out of order.
pub fn asof(
    left: (&[i64], &[u32]),
    right: (&[i64], &[u32], &[i64]),
    known: Known<'_>,
) -> Result<(Vec<i64>, Vec<i64>)> {
    let ((left_time, left_key), (right_time, right_key, right_value)) = (left, right);
    let Known { time, value } = known;
    if left_time.len() != left_key.len()
        || right_time.len() != right_key.len()
        || right_time.len() != right_value.len()
        || time.len() != value.len()
    {
        return Err(Error::invalid("asof: expected columns of one length per side".to_owned()));
    }
    let highest = left_key.iter().chain(right_key).max().map_or(0, |&k| k as usize + 1);
    if highest > time.len() {
        return Err(Error::invalid(format!(
            "asof: expected keys below {}, found {}",
            time.len(),
            highest - 1
        )));
    }
    if !left_time.is_sorted() || !right_time.is_sorted() {
        return Err(Error::invalid("asof: expected each side in event-time order".to_owned()));
    }
    let mut values = Vec::with_capacity(left_time.len());
    let mut times = Vec::with_capacity(left_time.len());
    let mut next = 0;
    for (&at, &key) in left_time.iter().zip(left_key) {
        while next < right_time.len() && right_time[next] <= at {
            let key = right_key[next] as usize;
            (time[key], value[key]) = (right_time[next], right_value[next]);
            next += 1;
        }
        values.push(value[key as usize]);
        times.push(time[key as usize]);
    }
    for i in next..right_time.len() {
        let key = right_key[i] as usize;
        (time[key], value[key]) = (right_time[i], right_value[i]);
    }
    Ok((values, times))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn join(left: &[(i64, u32)], right: &[(i64, u32, i64)], keys: usize) -> Vec<(i64, i64)> {
        let (mut time, mut value) = (vec![i64::MIN; keys], vec![0; keys]);
        let (lt, lk): (Vec<_>, Vec<_>) = left.iter().copied().unzip();
        let rt: Vec<_> = right.iter().map(|r| r.0).collect();
        let rk: Vec<_> = right.iter().map(|r| r.1).collect();
        let rv: Vec<_> = right.iter().map(|r| r.2).collect();
        let known = Known { time: &mut time, value: &mut value };
        let (values, times) = asof((&lt, &lk), (&rt, &rk, &rv), known).expect("in order");
        values.into_iter().zip(times).collect()
    }

    #[test]
    fn a_right_row_of_the_same_instant_counts() {
        assert_eq!(join(&[(5, 0)], &[(5, 0, 7)], 1), [(7, 5)]);
        assert_eq!(join(&[(4, 0)], &[(5, 0, 7)], 1), [(0, i64::MIN)]);
    }

    #[test]
    fn disorder_and_unknown_keys_are_refused() {
        let mut none = [];
        let mut also = [];
        let known = Known { time: &mut none, value: &mut also };
        assert!(asof((&[1], &[0]), (&[], &[], &[]), known).is_err());
        let (mut time, mut value) = ([0], [0]);
        let known = Known { time: &mut time, value: &mut value };
        assert!(asof((&[2, 1], &[0, 0]), (&[], &[], &[]), known).is_err());
    }

    proptest! {
        #[test]
        fn as_by_looking_at_every_pair(
            mut left in prop::collection::vec((0i64..50, 0u32..4), 0..40),
            mut right in prop::collection::vec((0i64..50, 0u32..4, 0i64..9), 0..40),
        ) {
            left.sort_by_key(|l| l.0);
            right.sort_by_key(|r| r.0);
            let found = join(&left, &right, 4);
            for (l, f) in left.iter().zip(found) {
                let newest = right.iter().rfind(|r| r.1 == l.1 && r.0 <= l.0);
                prop_assert_eq!(f.1, newest.map_or(i64::MIN, |r| r.0));
                if let Some(r) = newest { prop_assert_eq!(f.0, r.2); }
            }
        }
    }
}
