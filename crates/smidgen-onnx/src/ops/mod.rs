//! From nodes to operators: each file holds the rows of its operators in the support table, and a translation for each
//! row.

pub(crate) mod activation;
pub(crate) mod arithmetic;
pub(crate) mod attention;
pub(crate) mod conv;
pub(crate) mod einsum;
pub(crate) mod image;
pub(crate) mod integer;
mod lacking;
pub(crate) mod logic;
pub(crate) mod matrix;
pub(crate) mod movement;
pub(crate) mod norm;
pub(crate) mod pick;
pub(crate) mod pool;
pub(crate) mod quant;
pub(crate) mod recurrent;
pub(crate) mod reduce;
pub(crate) mod resize;
pub(crate) mod shape;

pub use lacking::LACKING;

use crate::call::{Call, Value};
use crate::fold;
use crate::node_error::NodeError;
use smidgen_ir::ElementType::{self, Bool, Float32, Int8, Int16, Int32, Int64};
use smidgen_ir::Function;
use smidgen_ir::names::names;

/// What a node's outputs are.
pub(crate) type Outputs = Result<Vec<Value>, NodeError>;

/// Translates one node.
pub(crate) type Translate = fn(&mut Call<'_, '_>) -> Outputs;

/// An operator of the format.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    /// Its name.
    pub name: &'static str,
    /// Types of data that it takes; none where it is only computed when reading.
    pub types: &'static [ElementType],
    /// What else is to be known of it.
    pub remarks: &'static str,
    /// Its translation; `None` where it is only computed when reading.
    pub translate: Option<Translate>,
}

impl Row {
    /// An operator that is only computed when reading, of constants.
    pub(crate) const fn folded(name: &'static str, remarks: &'static str) -> Self {
        Self { name, types: &[], remarks, translate: None }
    }
}

/// Declares the operators of a file.
macro_rules! rows {
    ($($name:literal $types:ident $translate:ident, $remarks:literal;)*) => {
        pub(super) const ROWS: &[super::Row] = &[$(super::Row {
            name: $name,
            types: super::$types,
            remarks: $remarks,
            translate: Some($translate),
        }),*];
    };
}
use rows;

/// All operators of the format that can be read.
pub(crate) fn all() -> impl Iterator<Item = Row> {
    let files = [
        activation::ROWS,
        arithmetic::ROWS,
        attention::ROWS,
        conv::ROWS,
        einsum::ROWS,
        integer::ROWS,
        logic::ROWS,
        matrix::ROWS,
        movement::ROWS,
        norm::ROWS,
        pick::ROWS,
        pool::ROWS,
        quant::ROWS,
        recurrent::ROWS,
        reduce::ROWS,
        resize::ROWS,
        fold::ROWS,
    ];
    let function = |&function: &Function| {
        let translate: Option<Translate> = Some(activation::function);
        names(function).1.map(|name| Row { name, types: COMPUTE, remarks: "", translate })
    };
    files.into_iter().flatten().copied().chain(Function::ALL.iter().filter_map(function))
}

/// Types on which smidgen computes.
const COMPUTE: &[ElementType] = &[Float32];
/// Types of what has no integer form.
const FLOAT: &[ElementType] = &[Float32];
/// The same with int8, for operators between DequantizeLinear and QuantizeLinear.
const INTEGER: &[ElementType] = &[Float32, Int8];
/// Types that it moves around.
const MOVE: &[ElementType] = &[Float32, Int8, Int16, Int32, Int64, Bool];
/// Types of products of integers.
const BYTES: &[ElementType] = &[Int8, ElementType::Uint8];
/// Types of what is true or not.
const BOOL: &[ElementType] = &[Bool];
/// Types that DequantizeLinear takes.
const STORED: &[ElementType] = &[Int8, Int16];

const FIXED_PARAMETERS: &str = "export the network with other parameters for this operator, or replace it";
