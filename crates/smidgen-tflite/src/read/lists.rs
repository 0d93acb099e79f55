//! Lists of tensors (TensorListReserve, TensorListSetItem, ...), where it is known when reading which tensor is at which place: they need no
//! operator until they are stacked.

use super::unroll::{MOST, Progress};
use smidgen_ir::{DataType, ElementType, Op};
use std::rc::Rc;

/// What to do where a loop has other turns than a list has places.
const STEPS: &str = "the loop's turns do not go with the list's places: give the layer's input a fixed number of steps, and convert again";

/// A list of tensors of one shape, some of which may not be known. Setting one makes a new list, and the old one stays: a list is what it began
/// with and what was set since.
#[derive(Clone)]
pub(super) struct List {
    /// What it began with; behind that, up to `count`, nothing is known.
    first: Rc<[usize]>,
    count: usize,
    /// What was set last, by its place in [`Progress::sets`].
    newest: Option<usize>,
}

/// A tensor that was put into a list.
pub(super) struct Set {
    at: usize,
    item: usize,
    /// What was set in the list before.
    before: Option<usize>,
}

impl Progress<'_> {
    /// What was set in a list, the newest first.
    fn sets(&self, list: &List) -> impl Iterator<Item = &Set> {
        std::iter::successors(list.newest, |&set| self.sets[set].before).map(|set| &self.sets[set])
    }

    /// The tensor at a place of a list.
    fn item(&self, list: &List, at: usize) -> Option<usize> {
        self.sets(list).find(|set| set.at == at).map(|set| set.item).or_else(|| list.first.get(at).copied())
    }

    /// All tensors of a list, if all are known.
    fn items(&self, list: &List) -> Option<Vec<usize>> {
        let mut items: Vec<Option<usize>> = vec![None; list.count];
        self.sets(list).for_each(|set| items[set.at] = items[set.at].or(Some(set.item)));
        items.iter_mut().zip(list.first.iter()).for_each(|(item, &first)| *item = item.or(Some(first)));
        items.into_iter().collect()
    }

    /// The list with another tensor at a place, which may lie behind its end.
    fn set(&mut self, list: List, at: usize, item: usize) -> List {
        self.sets.push(Set { at, item, before: list.newest });
        List { count: list.count.max(at + 1), newest: Some(self.sets.len() - 1), ..list }
    }

    /// An operator on lists of tensors. True if that could be done.
    pub(super) fn list(&mut self, index: usize, name: &str) -> bool {
        let wiring = &self.wirings[index];
        let input = |i: usize| wiring.inputs.get(i).copied().flatten();
        let list = |i: usize| self.lists.get(&input(i)?).cloned();
        let one = |i: usize| self.integers(wiring, i)?.first().and_then(|&n| usize::try_from(n).ok());
        let Some(&y) = wiring.outputs.first() else { return false };
        match name {
            "TensorListReserve" => {
                let Some(count) = one(1).filter(|&count| count <= MOST) else { return false };
                self.lists.insert(y, List { first: Rc::new([]), count, newest: None });
            }
            "EmptyTensorList" => {
                self.lists.insert(y, List { first: Rc::new([]), count: 0, newest: None });
            }
            "TensorListFromTensor" => {
                let Some(x) = input(0).filter(|&x| self.tensors[x].dtype.is_ok()) else { return false };
                let Some((&count, inner)) = self.tensors[x].shape.split_first() else { return false };
                let inner = inner.to_vec();
                if count > MOST || !self.copies(count) {
                    return false;
                }
                let items: Vec<usize> = (0..count).map(|_| self.like(x, inner.clone())).collect();
                self.emit(index, Op::Unpack { axis: 0 }, vec![x], items.clone());
                self.lists.insert(y, List { first: items.into(), count, newest: None });
            }
            "TensorListGetItem" => {
                let (Some(list), Some(at)) = (list(0), one(1)) else { return false };
                let Some(item) = self.item(&list, at) else {
                    let count = list.count;
                    let reason = match at < count {
                        true => format!("it reads from a list of {count} tensors what nothing has put there"),
                        false => format!("it reads past the end of a list of {count} tensors"),
                    };
                    return self.leave(index, reason, STEPS);
                };
                self.alias(index, y, item);
            }
            "TensorListSetItem" => {
                let (Some(list), Some(at), Some(item)) = (list(0), one(1), input(2)) else { return false };
                if at >= MOST {
                    return false;
                }
                let list = self.set(list, at, item);
                self.lists.insert(y, list);
            }
            "TensorListPushBack" => {
                let (Some(list), Some(item)) = (list(0), input(1)) else { return false };
                let end = list.count;
                let list = self.set(list, end, item);
                self.lists.insert(y, list);
            }
            "TensorListStack" => {
                let Some(list) = list(0).filter(|list| list.count > 0) else { return false };
                if !self.copies(list.count) {
                    return false;
                }
                let Some(items) = self.items(&list) else {
                    let reason = format!("it stacks a list of {} tensors, into which fewer were put", list.count);
                    return self.leave(index, reason, STEPS);
                };
                self.emit(index, Op::Pack { axis: 0 }, items, vec![y]);
            }
            "TensorListLength" => {
                let Some(list) = list(0) else { return false };
                let to = &mut self.tensors[y];
                (to.shape, to.stored, to.open) = (Vec::new(), true, false);
                to.dtype = Ok(DataType::Plain(ElementType::Int32));
                to.data = Some((list.count as i32).to_le_bytes().as_slice().into());
            }
            _ => return false,
        }
        true
    }
}
