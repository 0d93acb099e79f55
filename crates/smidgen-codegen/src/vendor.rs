//! The kernels' sources beside generated code, as a crate of their own.

use crate::Files;
use crate::folder::Processor;
use smidgen_kernels::sources::FILES;

/// What the kernels' own manifest says; a test compares.
const DESCRIPTION: &str =
    "Integer and float neural-network kernels without heap, for microcontrollers and for the host";
const EDITION: &str = "2024";
const LIBM: &str = "0.2";

/// The declaration of the module that holds these texts: it does not travel itself.
const OWN_TEXTS: &str = "#[cfg(feature = \"sources\")]\npub mod sources;\n";

/// The oldest compiler that generated code is for: the workspace's, since the kernels in it are the workspace's own.
pub(crate) const RUST_VERSION: &str = env!("CARGO_PKG_RUST_VERSION");

/// The crate of the kernels, without its tests, under a folder. Packages of one build must differ in name or version, so it is named
/// after the model, and only its library is called what it is. Without `float` it depends on no other crate. With a processor its build
/// begins with a look at the flags that this one needs.
pub(crate) fn kernels(folder: &str, package: &str, float: bool, check: Option<&Processor>) -> Files {
    let mut files = Files::new();
    for (path, text) in FILES {
        let text = without_tests(text).replace(OWN_TEXTS, "");
        files.insert(format!("{folder}src/{path}"), text.into_bytes());
    }
    files.insert(format!("{folder}Cargo.toml"), manifest(package, float).into_bytes());
    files.extend(check.map(|processor| (format!("{folder}build.rs"), build_script(processor).into_bytes())));
    files
}

/// A build script that asks for the flags of a processor whose instructions the target's name does not imply. Without it the assembler
/// would refuse each instruction by itself, and name no cause.
fn build_script(processor: &Processor) -> String {
    let Processor { title, target, rustc_flags, .. } = processor;
    let flags = rustc_flags.join(" ");
    let listed: Vec<String> = rustc_flags.iter().map(|flag| format!("{flag:?}")).collect();
    // The soft-float target is the same architecture.
    let family = target.trim_end_matches("hf");
    format!(
        r#"//! Says which flags are missing where the target alone does not have the DSP instructions that the kernels use.

fn main() {{
    let said = |name: &str| std::env::var(name).unwrap_or_default();
    println!("cargo::rerun-if-env-changed=CARGO_ENCODED_RUSTFLAGS");
    println!("cargo::rerun-if-changed=build.rs");
    let flags = said("CARGO_ENCODED_RUSTFLAGS");
    let named = ["target-cpu=", "target-feature=", "linker-plugin-lto"].iter().any(|flag| flags.contains(flag));
    if said("TARGET").starts_with({family:?}) && std::env::var_os("CARGO_FEATURE_DSP").is_some() && !named {{
        println!(
            "cargo::error=these kernels use the DSP instructions of the {title}, which the target {{}} does not imply: put \
             `rustflags = [{listed}]` under `[target.{{}}]` in your .cargo/config.toml, or set RUSTFLAGS={flags}; for a core \
             without them take this crate with `default-features = false`",
            said("TARGET"),
            said("TARGET")
        );
    }}
}}
"#,
        listed = listed.join(", ").replace('"', "\\\"")
    )
}

/// The text without a module of tests at its end, and without the declaration of one.
fn without_tests(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |i: usize| {
        lines[i].starts_with("#[cfg(")
            && lines[i].contains("test")
            && lines.get(i + 1).is_some_and(|l| l.starts_with("mod "))
    };
    let mut out = String::new();
    let mut at = 0;
    while at < lines.len() {
        if begins(at) {
            // To the closing brace of the module, or past its declaration.
            at += if lines[at + 1].ends_with(';') {
                2
            } else {
                lines[at..].iter().position(|&l| l == "}").map_or(lines.len() - at, |end| end + 1)
            };
            continue;
        }
        out.push_str(lines[at]);
        out.push('\n');
        at += 1;
    }
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

/// A manifest for the kernels by themselves, with the features that generated code may choose among.
fn manifest(package: &str, float: bool) -> String {
    let (version, edition) = (env!("CARGO_PKG_VERSION"), EDITION);
    let (dependencies, default, floats) = if float {
        (format!("\n[dependencies]\nlibm = {{ version = {LIBM:?}, optional = true }}\n"), "\"float\"", "\"dep:libm\"")
    } else {
        (String::new(), "", "")
    };
    format!(
        "\
[package]
name = {package:?}
description = \"{DESCRIPTION}\"
version = {version:?}
edition = {edition:?}
rust-version = {RUST_VERSION:?}
license = \"MIT OR Apache-2.0\"
publish = false

[lib]
name = \"smidgen_kernels\"
{dependencies}
[features]
default = [{default}]
# Floating point: the float kernels, and what lowering computes with it. Without, nothing here needs more than integers.
float = [{floats}]
# The host may ask at run time which instructions there are.
std = []
# The Arm core has the DSP instructions of Armv7E-M. Stable compilers do not say so themselves: on Arm they hide `target_feature`.
dsp = []
# The Arm core has the instructions of Armv7-M, and not those: Cortex-M3.
armv7m = []
# The Arm core has the instructions of Armv6-M alone: Cortex-M0 and M0+.
armv6m = []
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_left_behind() {
        let text = "fn f() {\n}\n\n#[cfg(all(test, unix))]\nmod tests;\n\n#[cfg(test)]\nmod more {\n    fn g() {}\n}\n";
        assert_eq!(without_tests(text), "fn f() {\n}\n");
        let files = kernels("", "a-kernels", true, None);
        assert!(files.len() > 20);
        for (path, text) in &files {
            let text = std::str::from_utf8(text).unwrap();
            assert!(
                !text.contains("#[test]") && !text.contains("workspace") && !text.contains("mod sources"),
                "{path}"
            );
        }
    }

    #[test]
    fn integer_networks_need_no_other_crate() {
        let [with, without] = [true, false].map(|float| manifest("k", float));
        assert!(with.contains("libm = {") && with.contains("default = [\"float\"]"), "{with}");
        assert!(!without.contains("libm") && without.contains("default = []"), "{without}");
    }

    #[test]
    fn the_manifest_says_what_the_kernels_own_says() {
        let read = |path: &str| std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR")));
        // Packaged, this crate lies beside no other.
        let (Ok(kernels), Ok(workspace)) = (read("../smidgen-kernels/Cargo.toml"), read("../../Cargo.toml")) else {
            eprintln!("skipped: the kernels' manifest is not beside this crate");
            return;
        };
        let made = manifest("k", true);
        let features = |text: &str| {
            let lines = text.lines().skip_while(|l| *l != "[features]").skip(1).take_while(|l| !l.starts_with('['));
            lines.filter_map(|l| Some(l.split_once(" = ")?.0.to_owned())).filter(|f| f != "sources").collect::<Vec<_>>()
        };
        assert_eq!(features(&made), features(&kernels));
        assert!(kernels.contains(&format!("description = {DESCRIPTION:?}")));
        assert!(
            workspace.contains(&format!("\nlibm = {LIBM:?}")) && workspace.contains(&format!("edition = {EDITION:?}"))
        );
    }
}
