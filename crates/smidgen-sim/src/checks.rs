//! What firmware for a microcontroller is better without, looked for among the symbols of its ELF file.

use crate::elf::Elf;
use crate::report::Checks;

/// Parts of the names of functions through which code panics. A panic handler that nobody calls is not linked, so its being there
/// counts too.
const PANICS: [&str; 4] = ["panicking", "rust_begin_unwind", "panic_fmt", "panic_bounds_check"];

/// Names of allocators.
const HEAP: [&str; 9] =
    ["malloc", "calloc", "realloc", "free", "_sbrk", "__rust_alloc", "__rust_realloc", "__rust_dealloc", "__rg_alloc"];

/// Run-time functions for floats of the Arm ABI, by how they begin.
const ARM_FLOATS: [&str; 10] = [
    "__aeabi_f",
    "__aeabi_d",
    "__aeabi_cf",
    "__aeabi_cd",
    "__aeabi_i2f",
    "__aeabi_i2d",
    "__aeabi_ui2f",
    "__aeabi_ui2d",
    "__aeabi_l2",
    "__aeabi_ul2",
];

/// Modes in the names of the compiler's own float functions, such as `__mulsf3`, `__fixdfsi` and `__floatsisf`.
const MODES: [&str; 2] = ["sf", "df"];

/// Looks through the symbols.
pub fn check(elf: &Elf) -> Checks {
    let names: Vec<String> = elf.names.iter().map(|n| format!("{:#}", rustc_demangle::demangle(n))).collect();
    let those = |wanted: &dyn Fn(&str) -> bool| -> Vec<String> {
        let mut found: Vec<String> = names.iter().filter(|n| wanted(n)).cloned().collect();
        found.sort();
        found.dedup();
        found
    };
    Checks {
        panics: those(&|n| PANICS.iter().any(|p| n.contains(p))),
        heap: those(&|n| HEAP.contains(&n)),
        floats: those(&is_float),
    }
}

fn is_float(name: &str) -> bool {
    let library = name.starts_with("libm::") || name.contains("::libm::") || name.contains("::float::");
    let compilers = name.starts_with("__") && MODES.iter().any(|m| name.contains(m)) && !name.contains("::");
    library || compilers || ARM_FLOATS.iter().any(|p| name.starts_with(p))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_told_apart() {
        let of =
            |names: &[&str]| check(&Elf { names: names.iter().map(|n| (*n).to_owned()).collect(), ..Elf::default() });
        let clean =
            ["network::steps::int8_conv2d", "__aeabi_memcpy", "__aeabi_uidiv", "__udivsi3", "free_rows", "reset"];
        assert_eq!(of(&clean), Checks::default());
        assert_eq!(of(&["_ZN4core9panicking5panic17h0123456789abcdefE"]).panics, ["core::panicking::panic"]);
        assert_eq!(of(&["rust_begin_unwind"]).panics.len(), 1);
        assert_eq!(of(&["malloc", "__rust_alloc"]).heap.len(), 2);
        let floats =
            ["__aeabi_fmul", "__muldf3", "__aeabi_ui2d", "__fixsfsi", "_ZN4libm4math4expf17h0123456789abcdefE"];
        assert_eq!(of(&floats).floats.len(), floats.len());
    }
}
