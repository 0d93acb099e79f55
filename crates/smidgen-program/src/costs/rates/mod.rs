//! The rates of each kind of core, as `cargo xtask fit-costs` writes them.

mod armv6m;
mod armv7em;
mod armv7m;
mod armv8m;
mod cortex_m55;
mod rv32imc;

pub use armv6m::ARMV6M;
pub use armv7em::ARMV7EM;
pub use armv7m::ARMV7M;
pub use armv8m::ARMV8M;
pub use cortex_m55::CORTEX_M55;
pub use rv32imc::RV32IMC;
