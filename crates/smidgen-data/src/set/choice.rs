//! Choosing some of many, the same ones for the same seed on every machine.

use super::Item;

/// The bit mixer of MurmurHash3 (Appleby, 2011): each input bit changes half of the output's.
fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

/// Indices of at most `count` items. Each class is shuffled by the seed; then classes give one item each in turn, so
/// that the first so many, however many, are spread over the classes as evenly as their items allow.
pub(super) fn choose(items: &[Item], count: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..items.len()).collect();
    let key = |index: usize| mix(mix(seed).wrapping_add(index as u64));
    order.sort_by_key(|&index| (items[index].class, key(index)));
    let mut ranked: Vec<(usize, usize)> = Vec::with_capacity(order.len());
    for (at, &index) in order.iter().enumerate() {
        let rank = match ranked.last() {
            Some(&(rank, _)) if items[order[at - 1]].class == items[index].class => rank + 1,
            _ => 0,
        };
        ranked.push((rank, index));
    }
    // Stable, so that within a round classes keep their order.
    ranked.sort_by_key(|&(rank, _)| rank);
    ranked.into_iter().take(count).map(|(_, index)| index).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn items(classes: &[usize]) -> Vec<Item> {
        classes.iter().map(|&c| Item { name: String::new(), class: Some(c), place: 0 }).collect()
    }

    proptest! {
        #[test]
        fn choices_are_distinct_repeatable_and_balanced_however_short(
            classes in prop::collection::vec(0usize..4, 0..60), count in 0usize..70, seed: u64,
        ) {
            let items = items(&classes);
            let chosen = choose(&items, count, seed);
            prop_assert_eq!(&chosen, &choose(&items, count, seed));
            prop_assert_eq!(chosen.len(), count.min(classes.len()));
            let mut distinct = chosen.clone();
            distinct.sort_unstable();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), chosen.len());
            let mut taken = [0; 4];
            for &index in &chosen {
                taken[classes[index]] += 1;
                let most = taken.iter().copied().max().unwrap_or(0);
                for (class, &taken) in taken.iter().enumerate() {
                    let all = classes.iter().filter(|&&c| c == class).count();
                    prop_assert!(taken + 1 >= most || taken == all, "{taken:?}");
                }
            }
        }
    }

    #[test]
    fn seeds_differ() {
        let items = items(&[0; 100]);
        assert_ne!(choose(&items, 10, 0), choose(&items, 10, 1));
        let mut chosen = choose(&items, 10, 0);
        chosen.sort_unstable();
        assert_ne!(chosen, (0..10).collect::<Vec<_>>());
    }
}
