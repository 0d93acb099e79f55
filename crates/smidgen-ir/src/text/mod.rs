//! The textual form of a graph: [`print()`] and [`parse()`].
//!
//! `parse(&print(&graph))` gives back the same graph, valid or not, to the bit; a NaN keeps its payload. Passes are
//! tested by files of this text. It looks like this:
//!
//! ```text
//! graph "tiny"
//! inputs(%0)
//! outputs(%4)
//!
//! %0 "x" : i8[1x4x4x2]{0.5; 3}
//! %1 "w" : i8[3x1x1x2]{axis 0: 0.1, 0.2, 0.3} = [1, -2, 3, -4, 5, -6]
//! %2 "b" : i32[3] = splat 0
//! %3 "y" : i8[1x4x4x3]{0.25; -128} = CONV_2D(%0, %1, %2) stride=[1, 1] padding=same activation=relu
//! %4@9 : i8[1x4x4x3]{0.00390625; -128} = LOGISTIC@7(%3)
//! ```
//!
//! The grammar, in which `{ }` repeats, `[ ]` may be left out, and quotes enclose what is written as it stands:
//!
//! ```text
//! file       = "graph" string "inputs" ids "outputs" ids [ "variables" "(" [ variable { "," variable } ] ")" ]
//!              { statement }
//! variable   = id "=" id [ "first" id ]                 its value, what it holds next, and in the first inference
//! statement  = tensor [ "=" ( constant | operator ) ]
//!            | ( result "," result { "," result } | "(" ")" ) "=" operator
//! ids        = "(" [ id { "," id } ] ")"
//! result     = tensor | id                              a tensor is declared once; further writers name it by its id
//! tensor     = id [ "@" number ] [ string ] ":" type    after "@" its index in the source file; then its name
//! id         = "%" number
//! type       = element "[" [ size { "x" size } ] "]" [ "{" [ "axis" number ":" ] scales ";" zeros "}" ]
//! element    = "f32" | "i4" | "i8" | "i16" | "i32" | "i64" | "bool"
//! scales     = [ float { "," float } ]
//! zeros      = [ integer { "," integer } ]              "; zeros" may be left out per channel: then all are 0
//! constant   = "[" [ value { "," value } ] "]"          the elements in row-major order
//!            | "splat" value                            all elements alike
//!            | "hex" [ digits ]                         the bytes as stored
//! operator   = NAME [ "@" number ] ids { key "=" attribute }
//! attribute  = word | "[" [ attribute { "," attribute } ] "]"
//! float      = a number as Rust writes it, "inf", "-inf", or "bits" and eight hexadecimal digits
//! string     = text in double quotes with \" \\ \n \r \t and \u{hex} as in Rust
//! ```
//!
//! `variables(%1 = %4 first %5)` says that `%1` is the value of a [variable](crate::Variable), `%4` what it holds in
//! the next inference, and the constant `%5` what it holds in the first; without the last that is zeros (zero points).
//!
//! White space and line ends only separate words. `//` begins a comment that goes to the end of the line. Tensors are
//! numbered from 0 without gaps, in any order. `NAME` is [`Op::name`](crate::Op::name). The attributes of an operator
//! are its fields, in the spelling that the variants of [`Op`](crate::Op) give; those in brackets there may be left
//! out and then have the value shown. `P` is `same`, `valid` or `[top, bottom, left, right]`; an activation is `none`,
//! `relu`, `relu_n1_to_1` or `relu6`.

mod lex;
mod operator;
mod parse;
mod print;
mod value;

pub(crate) use operator::{Attributes, Given, Value, list};
pub use parse::parse;
pub use print::print;
pub(crate) use value::{float, parse_float};

use thiserror::Error;

/// Where and why a text is not a graph.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
#[error("line {line}, column {column}: {kind}")]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub kind: ParseErrorKind,
}

/// Why a text is not a graph.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ParseErrorKind {
    /// Something else was expected.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What may stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A string without its closing quote.
    #[error("the string has no closing quote")]
    OpenString,
    /// An escape that no string has.
    #[error("unknown escape; a string may have \\\" \\\\ \\n \\r \\t and \\u{{...}}")]
    Escape,
    /// A character that begins nothing.
    #[error("unexpected character {0:?}")]
    Character(char),
    /// A tensor declared twice.
    #[error("tensor %{0} is declared twice")]
    DeclaredTwice(u32),
    /// A tensor that is used, or whose number is below a declared one's, but not declared.
    #[error("tensor %{0} is not declared; tensors are numbered from 0 without gaps")]
    NotDeclared(u32),
    /// An operator name that does not exist.
    #[error("there is no operator {0}")]
    UnknownOperator(String),
    /// An attribute that the operator does not have.
    #[error("{operator} has no attribute {key}")]
    UnknownAttribute {
        /// The operator.
        operator: String,
        /// The attribute.
        key: String,
    },
    /// An attribute given twice.
    #[error("attribute {0} is given twice")]
    RepeatedAttribute(String),
    /// An attribute that the operator must have.
    #[error("{operator} needs the attribute {key}")]
    MissingAttribute {
        /// The operator.
        operator: String,
        /// The attribute.
        key: &'static str,
    },
    /// An attribute whose value does not suit it.
    #[error("attribute {key} must be {expected}")]
    Attribute {
        /// The attribute.
        key: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A constant written with another number of elements than its shape has.
    #[error("{found} elements for a shape of {expected}")]
    ElementCount {
        /// Elements of the shape.
        expected: usize,
        /// Elements written.
        found: usize,
    },
    /// `splat` for more bytes than it may stand for.
    #[error("splat is for at most {} bytes; write larger constants as hex", value::MOST_SPLAT_BYTES)]
    LargeSplat,
    /// Hexadecimal digits that do not pair up.
    #[error("hex needs pairs of hexadecimal digits")]
    Hex,
}
