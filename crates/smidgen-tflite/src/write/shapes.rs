//! Which axes a change of shape drops or inserts.

/// The axes of size 1 of `from` that have to go to leave `to`; `None` if that is not how `to` comes about.
pub(super) fn squeezed(from: &[usize], to: &[usize]) -> Option<Vec<usize>> {
    let mut dropped = Vec::new();
    let mut rest = to.iter().peekable();
    for (axis, &size) in from.iter().enumerate() {
        // Keep an axis wherever possible, so that as many as needed go and no more; the last ones of a run of 1s go.
        if rest.peek() == Some(&&size) {
            rest.next();
        } else if size == 1 {
            dropped.push(axis);
        } else {
            return None;
        }
    }
    // Without any listed, the format drops all axes of size 1.
    (rest.next().is_none() && (!dropped.is_empty() || !from.contains(&1))).then_some(dropped)
}

/// The axis of size 1 that `to` has beside those of `from`.
pub(super) fn expanded(from: &[usize], to: &[usize]) -> Option<usize> {
    (0..to.len()).find(|&axis| {
        to.len() == from.len() + 1 && to[axis] == 1 && to[..axis] == from[..axis] && to[axis + 1..] == from[axis..]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn squeezing_is_found_where_it_is_one() {
        assert_eq!(squeezed(&[1, 3, 1, 2], &[3, 2]), Some(vec![0, 2]));
        assert_eq!(squeezed(&[1, 3, 1, 2], &[1, 3, 2]), Some(vec![2]));
        assert_eq!(squeezed(&[1, 1], &[1]), Some(vec![1]));
        assert_eq!(squeezed(&[1, 3, 1, 2], &[2, 3]), None);
        assert_eq!(squeezed(&[2, 3], &[2, 3]), Some(vec![]));
        assert_eq!(squeezed(&[1, 3], &[1, 3]), None);
        assert_eq!(squeezed(&[1], &[]), Some(vec![0]));
    }

    #[test]
    fn the_inserted_axis_is_found() {
        assert_eq!(expanded(&[3, 2], &[3, 1, 2]), Some(1));
        assert_eq!(expanded(&[3, 2], &[3, 2, 1]), Some(2));
        assert_eq!(expanded(&[1, 2], &[1, 1, 2]), Some(0));
        assert_eq!(expanded(&[3, 2], &[2, 1, 3]), None);
        assert_eq!(expanded(&[], &[1]), Some(0));
    }
}
