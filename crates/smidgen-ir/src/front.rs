//! What front ends share: how they say what they cannot take, and a bound on what reading may cost.
//!
//! A front end never trusts its file. Whatever it copies it charges to a [`Budget`] first, so that a small file that describes a
//! huge graph is refused before the memory is taken.

use crate::tensor::ElementType;
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;

/// Who has to act on an error.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorKind {
    /// The file contradicts itself or the format: make it anew.
    Malformed,
    /// The file is right but asks for something that smidgen does not do: change the network or its conversion.
    Unsupported,
    /// The file is right but leaves open what the caller must say, such as a shape.
    Request,
}

/// One row of a table of supported operators.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SupportEntry {
    /// The operator's name in its format.
    pub name: &'static str,
    /// Element types of its data inputs. Weights are int8 or packed int4 with int8 inputs, and float32 with float32 inputs.
    pub types: &'static [ElementType],
    /// What is supported of it, and what is not.
    pub remarks: &'static str,
}

/// One row of a table of operators that are not supported.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LackingEntry {
    /// The operator's name in its format; one that ends with `*` stands for all whose names begin so.
    pub name: &'static str,
    /// Why it is not supported, in a few words.
    pub why: &'static str,
    /// What to do about it.
    pub hint: &'static str,
    /// What it has in common with others that go away together, as in [`Unsupported::cause`].
    pub cause: Option<&'static str>,
}

impl LackingEntry {
    /// An operator that stands for itself.
    pub const fn new(name: &'static str, why: &'static str, hint: &'static str) -> Self {
        Self { name, why, hint, cause: None }
    }

    /// An operator that goes away together with others, for the reason that they have in common.
    pub const fn caused(name: &'static str, cause: &'static str, hint: &'static str) -> Self {
        Self { name, why: cause, hint, cause: Some(cause) }
    }

    /// The row of the operator of this name, if there is one.
    pub fn find<'a>(rows: impl IntoIterator<Item = &'a Self>, name: &str) -> Option<&'a Self> {
        rows.into_iter().find(|row| match row.name.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => row.name == name,
        })
    }

    /// Why it is not supported, as an [`Unsupported`] gives it.
    pub fn reason(&self) -> String {
        format!("{}: {}", Unsupported::UNKNOWN_OPERATOR, self.why)
    }
}

/// What an [`Unsupported`] is about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Subject {
    /// An operator.
    Operator {
        /// Its index in the file.
        index: usize,
        /// Its name; that of a custom one is its custom code.
        name: String,
    },
    /// A tensor.
    Tensor {
        /// Its index in the file.
        index: usize,
        /// Its name, quoted and shortened.
        name: String,
    },
    /// The file as a whole.
    File,
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator { index, name } => write!(f, "operator {index} {name}"),
            Self::Tensor { index, name } => write!(f, "tensor {index} {name}"),
            Self::File => f.write_str("the file"),
        }
    }
}

/// One thing in a well-formed file that smidgen does not do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Unsupported {
    /// What it is about.
    pub subject: Subject,
    /// Tensors that say where in the network it is, as `"x", "w" -> "y"`; empty unless the subject is an operator.
    pub tensors: String,
    /// What is not supported.
    pub reason: String,
    /// What to do about it.
    pub hint: Cow<'static, str>,
    /// What it has in common with others that go away together: a recurrent layer, control flow. `None` if it stands for
    /// itself.
    pub cause: Option<&'static str>,
}

impl Unsupported {
    /// What the reason begins with that is given for an operator that the table of supported ones does not have.
    pub const UNKNOWN_OPERATOR: &'static str = "this operator is not supported";

    /// The first few causes as lines, how many more there are, and where it helps the operators to choose from.
    pub fn list(all: &[Unsupported], supported: &[SupportEntry]) -> String {
        const SHOWN: usize = 3;
        let causes = UnsupportedGroup::group(all);
        let mut lines: Vec<String> = causes.iter().take(SHOWN).map(|cause| format!("not supported: {cause}")).collect();
        if causes.len() > SHOWN {
            lines.push(format!("and {} more", causes.len() - SHOWN));
        }
        if all.iter().any(Self::is_of_an_unknown_operator) {
            let names: Vec<&str> = supported.iter().map(|entry| entry.name).collect();
            lines.push(format!("supported operators: {}", names.join(", ")));
        }
        lines.join("\n")
    }

    /// True if it is about an operator that the table of supported ones does not have.
    fn is_of_an_unknown_operator(&self) -> bool {
        self.reason.starts_with(Self::UNKNOWN_OPERATOR)
    }

    /// Bytes of memory that it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.tensors.len() + self.reason.len() + self.hint.len()
    }
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.subject)?;
        if !self.tensors.is_empty() {
            write!(f, " ({})", self.tensors)?;
        }
        write!(f, ": {}; {}", self.reason, self.hint)
    }
}

/// An input or output of a file, and how it appears in the graph that was read from it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Port {
    /// Its name in the file.
    pub name: String,
    /// Its shape in the file.
    pub shape: Vec<usize>,
    /// For each axis of the graph's tensor, the file's axis that lies there: `[0, 2, 3, 1]` for an image of the file's
    /// `[N,C,H,W]` that is `[N,H,W,C]` in the graph.
    pub axes: Vec<usize>,
}

impl Port {
    /// True if graph and file order the axes differently.
    pub fn is_rearranged(&self) -> bool {
        !self.axes.is_sorted()
    }

    /// True if the same elements follow each other in another order in file and graph: axes of one index may change
    /// places unseen.
    pub fn moves_elements(&self) -> bool {
        !self.axes.iter().filter(|&&axis| self.shape.get(axis) != Some(&1)).is_sorted()
    }

    /// True if the file has the channels first, directly after the batch, and the graph has them last.
    pub fn is_channels_last(&self) -> bool {
        let rank = self.axes.len();
        rank > 2 && self.axes[0] == 0 && self.axes[rank - 1] == 1 && self.axes[1..rank - 1].is_sorted()
    }
}

/// The inputs and outputs of a file whose axes may lie differently in the graph.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Ports {
    /// One for each input of the graph.
    pub inputs: Vec<Port>,
    /// One for each output of the graph.
    pub outputs: Vec<Port>,
}

/// Everything unsupported that has one cause, and therefore one remedy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsupportedGroup<'a> {
    /// What belongs to it, in the file's order; at least one.
    pub entries: Vec<&'a Unsupported>,
}

impl<'a> UnsupportedGroup<'a> {
    /// One for each cause, in the order in which the causes appear. Without a named cause, what is said of operators of one
    /// name, or of tensors, in the same words is one.
    pub fn group(all: &'a [Unsupported]) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        let mut known = HashMap::new();
        for entry in all {
            let words = match (entry.cause, &entry.subject) {
                (Some(cause), _) => (cause, "", ""),
                (None, Subject::Operator { name, .. }) => ("", name.as_str(), entry.reason.as_str()),
                (None, Subject::Tensor { .. } | Subject::File) => ("", "", entry.reason.as_str()),
            };
            let group = *known.entry(words).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(group) => group.entries.push(entry),
                None => groups.push(Self { entries: vec![entry] }),
            }
        }
        groups
    }

    /// Where it is: the first subject, and how many more there are.
    pub fn place(&self) -> String {
        match self.entries.as_slice() {
            [] => String::new(),
            [only] => only.subject.to_string(),
            [first, rest @ ..] => format!("{} and {} more", first.subject, rest.len()),
        }
    }

    /// What is not supported: the cause, and by which operators, tensors and features it shows.
    pub fn reason(&self) -> String {
        const SHOWN: usize = 6;
        let Some(first) = self.entries.first() else { return String::new() };
        let Some(cause) = first.cause else { return first.reason.clone() };
        let mut signs: Vec<&str> = Vec::new();
        for entry in &self.entries {
            let sign = match &entry.subject {
                Subject::Operator { name, .. } if entry.is_of_an_unknown_operator() => name,
                _ => &entry.reason,
            };
            if !signs.contains(&sign.as_str()) && signs.len() <= SHOWN {
                signs.push(sign);
            }
        }
        if signs.len() > SHOWN {
            signs[SHOWN] = "and others";
        }
        format!("{cause}: {}", signs.join(", "))
    }

    /// What to do about it.
    pub fn hint(&self) -> &'a str {
        self.entries.first().map_or("", |first| &first.hint)
    }

    /// Tensors that say where in the network the first of it is.
    pub fn tensors(&self) -> &'a str {
        self.entries.first().map_or("", |first| &first.tensors)
    }
}

impl fmt::Display for UnsupportedGroup<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place())?;
        if let ([_], [_, ..]) = (self.entries.as_slice(), self.tensors().as_bytes()) {
            write!(f, " ({})", self.tensors())?;
        }
        write!(f, ": {}; {}", self.reason(), self.hint())
    }
}

/// A name from a file as messages show it: quoted, control characters escaped, cut after 60 characters.
pub fn quoted(name: &str) -> String {
    const SHOWN: usize = 60;
    match name.char_indices().nth(SHOWN) {
        None => format!("{name:?}"),
        Some((end, _)) => format!("{:?}", format!("{}…", &name[..end])),
    }
}

/// Tensors of an operator as messages show them: `"x", "w"`, at most four; `none` for an absent one.
pub fn listed<'a>(names: impl ExactSizeIterator<Item = Option<&'a str>>) -> String {
    const SHOWN: usize = 4;
    let more = names.len().saturating_sub(SHOWN);
    let mut shown: Vec<String> = names.take(SHOWN).map(|name| name.map_or("none".into(), quoted)).collect();
    if more > 0 {
        shown.push(format!("{more} more"));
    }
    if shown.is_empty() { "nothing".into() } else { shown.join(", ") }
}

/// A bound on memory in proportion to the file: what is left of the grant.
#[derive(Debug)]
pub struct Budget {
    limit: Cell<usize>,
    left: Cell<usize>,
}

/// The file asks for more memory than its size justifies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OverBudget {
    /// Bytes of memory that a file of this size is granted.
    pub limit: usize,
}

impl Budget {
    /// Bytes of memory granted for each byte of the file. Networks in the wild need less than 3, tiny ones 10.
    const FACTOR: usize = 16;
    /// Bytes granted to every file.
    const BASE: usize = 64 * 1024;

    /// The grant of a file of `bytes` bytes.
    pub fn for_file(bytes: usize) -> Self {
        Self::of(bytes.saturating_mul(Self::FACTOR).saturating_add(Self::BASE))
    }

    /// A grant of `limit` bytes.
    pub fn of(limit: usize) -> Self {
        Self { limit: Cell::new(limit), left: Cell::new(limit) }
    }

    /// Takes `bytes`.
    ///
    /// # Errors
    /// If fewer are left.
    pub fn take(&self, bytes: usize) -> Result<(), OverBudget> {
        let left = self.left.get().checked_sub(bytes).ok_or(OverBudget { limit: self.limit.get() })?;
        self.left.set(left);
        Ok(())
    }

    /// A grant of what is left of this one, for work that is given up or kept as a whole.
    pub fn rest(&self) -> Self {
        Self { limit: self.limit.clone(), left: self.left.clone() }
    }

    /// Grants more, for `bytes` that belong to the file but lie in another.
    pub fn extend(&self, bytes: usize) {
        let more = bytes.saturating_mul(Self::FACTOR);
        self.limit.set(self.limit.get().saturating_add(more));
        self.left.set(self.left.get().saturating_add(more));
    }
}
