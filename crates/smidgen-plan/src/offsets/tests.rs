use super::*;
use proptest::prelude::*;

/// Whether offsets keep every constraint.
fn keeps(constraints: &Constraints, offsets: &[usize]) -> bool {
    let n = constraints.len();
    (0..n).all(|i| {
        offsets[i].is_multiple_of(constraints.aligns[i])
            && (0..i).all(|j| {
                let apart = offsets[i] as isize - offsets[j] as isize;
                match (constraints.minimum_offset(j, i), constraints.minimum_offset(i, j)) {
                    (Some(up), Some(down)) => {
                        constraints.sizes[i] == 0 || constraints.sizes[j] == 0 || apart >= up || -apart >= down
                    }
                    _ => true,
                }
            })
    })
}

/// The least arena, by trying every offset.
fn brute_force(constraints: &Constraints) -> usize {
    fn fits(constraints: &Constraints, offsets: &mut Vec<usize>, bytes: usize) -> bool {
        let i = offsets.len();
        if i == constraints.len() {
            return true;
        }
        (0..=bytes - constraints.sizes[i]).step_by(constraints.aligns[i]).any(|offset| {
            offsets.push(offset);
            let kept = (0..i).all(|j| {
                let apart = offset as isize - offsets[j] as isize;
                match (constraints.minimum_offset(j, i), constraints.minimum_offset(i, j)) {
                    (Some(up), Some(down)) => apart >= up || -apart >= down,
                    _ => true,
                }
            });
            let found = kept && fits(constraints, offsets, bytes);
            offsets.pop();
            found
        })
    }
    let least = constraints.sizes.iter().copied().max().unwrap_or(0);
    (least..).find(|&bytes| fits(constraints, &mut Vec::new(), bytes)).unwrap()
}

/// Random objects with lives, some pairs of which overlap: one ends where the other begins, and shrinks as it grows.
fn instance(objects: &[(usize, usize, usize, usize)], overlaps: &[usize]) -> Constraints {
    let mut constraints = Constraints::new(objects.iter().map(|&(size, align, ..)| (size, 1 << (align % 3))));
    let life = |i: usize| (objects[i].2, objects[i].2 + objects[i].3);
    for i in 0..objects.len() {
        for j in 0..i {
            let (a, b) = (life(i), life(j));
            if a.0 > b.1 || b.0 > a.1 {
                continue;
            }
            let (mut up, down) = (objects[j].0 as isize, objects[i].0 as isize);
            if a.1 == b.0 || b.1 == a.0 {
                up -= overlaps[(i * 7 + j) % overlaps.len()].min(objects[i].0 + objects[j].0) as isize;
            }
            constraints.require(j, i, up);
            constraints.require(i, j, down);
        }
    }
    // Between two moments nothing overlaps: lives that only touch a moment are not counted there.
    let end = (0..objects.len()).map(|i| life(i).1).max().unwrap_or(0);
    for t in 0..=end {
        let within = |i: &usize| life(*i).0 < t && t < life(*i).1;
        let bytes = (0..objects.len()).filter(within).map(|i| objects[i].0).sum();
        constraints.live_bytes = constraints.live_bytes.max(bytes);
        let live: Vec<usize> = (0..objects.len()).filter(|&i| life(i).0 <= t && t <= life(i).1).collect();
        let bytes: usize = live.iter().map(|&i| objects[i].0).sum();
        for &i in &live {
            constraints.heat[i] = constraints.heat[i].max(bytes);
        }
    }
    constraints
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn small_instances_are_solved_to_the_optimum(
        objects in prop::collection::vec((1usize..9, 0usize..3, 0usize..6, 0usize..4), 1..6),
        overlaps in prop::collection::vec(0usize..14, 8),
    ) {
        let constraints = instance(&objects, &overlaps);
        let found = allocate_offsets(&constraints, Effort::Thorough);
        prop_assert!(keeps(&constraints, &found.offsets), "{found:?}");
        prop_assert!(found.optimal);
        prop_assert_eq!(found.bytes, found.lower_bound);
        prop_assert_eq!(found.bytes, brute_force(&constraints));
        let end = found.offsets.iter().zip(&constraints.sizes).map(|(o, s)| o + s).max().unwrap();
        prop_assert_eq!(end, found.bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..Default::default() })]

    #[test]
    fn larger_instances_keep_every_constraint(
        objects in prop::collection::vec((1usize..5000, 0usize..3, 0usize..40, 0usize..6), 1..60),
        overlaps in prop::collection::vec(0usize..4000, 8),
    ) {
        let constraints = instance(&objects, &overlaps);
        let found = allocate_offsets(&constraints, Effort::Thorough);
        prop_assert!(keeps(&constraints, &found.offsets));
        prop_assert!(found.lower_bound <= found.bytes);
        prop_assert_eq!(&found, &allocate_offsets(&constraints, Effort::Thorough));
    }
}

/// A random instance of the kind that layers give: each object dies where the next are born, some live on.
fn chain_instance(random: &mut impl FnMut(usize) -> usize, count: usize) -> Constraints {
    let objects: Vec<_> = (0..count)
        .map(|i| {
            let most = if random(4) == 0 { 20_000 } else { 4000 };
            let size = 1 + random(most);
            (size, random(3), i, if random(4) == 0 { 2 + random(6) } else { 1 })
        })
        .collect();
    let overlaps: Vec<usize> = (0..8).map(|_| random(6000)).collect();
    instance(&objects, &overlaps)
}

fn gaps(instances: usize, count: impl Fn(&mut dyn FnMut(usize) -> usize) -> usize) -> (usize, f64, f64) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 33) % n as u64) as usize
    };
    let (mut optimal, mut sum, mut worst) = (0, 0.0, 0.0_f64);
    for _ in 0..instances {
        let n = count(&mut random);
        let found = allocate_offsets(&chain_instance(&mut random, n), Effort::Thorough);
        let gap = (found.bytes - found.lower_bound) as f64 / found.lower_bound as f64 * 100.0;
        optimal += usize::from(found.optimal);
        sum += gap;
        worst = worst.max(gap);
    }
    (optimal, sum / instances as f64, worst)
}

#[test]
fn most_instances_are_proven_optimal() {
    let (optimal, mean, worst) = gaps(40, |random| 10 + random(40));
    assert!(optimal >= 30, "{optimal} of 40 are optimal, mean gap {mean:.2} %, worst {worst:.2} %");
}

/// Prints the gap between the assignment and the proven bound over 1,000 random instances of 20 to 120 objects.
#[test]
#[ignore = "a measurement, not a check"]
fn gap_over_a_thousand_instances() {
    let (optimal, mean, worst) = gaps(1000, |random| 20 + random(100));
    println!("{optimal} of 1000 proven optimal; gap to the bound: mean {mean:.3} %, worst {worst:.2} %");
}
