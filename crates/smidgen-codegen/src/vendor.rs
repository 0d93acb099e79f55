//! The kernels' sources, embedded when smidgen is built.

use crate::Files;

/// Path under `src/` and text of every file of smidgen-kernels, sorted.
const SOURCES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/kernels.rs"));
const MANIFEST: &str = include_str!("../../smidgen-kernels/Cargo.toml");

/// The crate of the kernels, without its tests, under a folder. Packages of one build must differ in name or version, so it is named
/// after the model, and only its library is called what it is. Without `float` it depends on no other crate.
pub(crate) fn kernels(folder: &str, package: &str, float: bool) -> Files {
    let mut files = Files::new();
    for (path, text) in SOURCES {
        if path.rsplit('/').next() != Some("tests.rs") {
            files.insert(format!("{folder}src/{path}"), without_tests(text).into_bytes());
        }
    }
    files.insert(format!("{folder}Cargo.toml"), manifest(MANIFEST, package, float).into_bytes());
    files
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

/// A manifest for the kernels by themselves: what they inherit from the workspace is written out, what only their tests need is left
/// out.
fn manifest(text: &str, package: &str, float: bool) -> String {
    let mut out = String::new();
    let mut kept = true;
    for line in text.lines() {
        if line.starts_with('[') {
            kept = matches!(line, "[package]" | "[dependencies]" | "[features]");
        }
        if !kept || line == "[[test]]" {
            continue;
        }
        let line = match line.split_once(".workspace = true") {
            None if line.starts_with("name = ") => format!("name = {package:?}"),
            _ if !float && line.starts_with("libm.") => continue,
            None if !float && line.starts_with("default = ") => "default = []".to_owned(),
            None if !float && line.starts_with("float = ") => "float = []".to_owned(),
            None => line.to_owned(),
            Some(("version", _)) => format!("version = {:?}", env!("CARGO_PKG_VERSION")),
            Some(("edition", _)) => "edition = \"2024\"".to_owned(),
            Some(("rust-version", _)) => "rust-version = \"1.88\"".to_owned(),
            Some(("license", _)) => "license = \"MIT OR Apache-2.0\"".to_owned(),
            Some(("authors", _)) => continue,
            Some((dependency, _)) => format!("{dependency}.version = {:?}", dependency_version(dependency)),
        };
        if line == "[dependencies]" {
            out.push_str("[lib]\nname = \"smidgen_kernels\"\n\n");
        }
        out.push_str(&line);
        out.push('\n');
    }
    out.truncate(out.trim_end().len());
    out + "\n\n[lints.clippy]\ntoo_many_arguments = \"allow\"\n"
}

/// The workspace's version of a dependency of the kernels.
fn dependency_version(name: &str) -> &'static str {
    const WORKSPACE: &str = include_str!("../../../Cargo.toml");
    let line = WORKSPACE.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(" = \"")?.strip_suffix('"'));
    line.unwrap_or("*")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_left_behind() {
        let text = "fn f() {\n}\n\n#[cfg(all(test, unix))]\nmod tests;\n\n#[cfg(test)]\nmod more {\n    fn g() {}\n}\n";
        assert_eq!(without_tests(text), "fn f() {\n}\n");
        let files = kernels("", "a-kernels", true);
        assert!(files.len() > 20);
        for (path, text) in &files {
            let text = std::str::from_utf8(text).unwrap();
            assert!(!text.contains("#[test]") && !text.contains("workspace"), "{path}");
        }
    }

    #[test]
    fn integer_networks_need_no_other_crate() {
        let [with, without] = [true, false].map(|float| manifest(MANIFEST, "k", float));
        assert!(with.contains("libm.version") && with.contains("default = [\"float\"]"), "{with}");
        assert!(!without.contains("libm") && without.contains("default = []"), "{without}");
    }
}
