//! Prints what a written folder has besides code: a page that says what it is and how it is used, the licences, the flags.

use crate::Options;
use crate::source::plain;

/// The licences of the kernels, which travel with generated code.
const LICENCES: [(&str, &str); 2] =
    [("LICENSE-MIT", include_str!("../LICENSE-MIT")), ("LICENSE-APACHE", include_str!("../LICENSE-APACHE"))];

/// The processor that code is made for, as compilers call it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Processor {
    /// Its name for people: `Cortex-M7`.
    pub title: String,
    /// Rust's target.
    pub target: String,
    /// Flags for the Rust compiler that the target does not imply.
    pub rustc_flags: Vec<String>,
    /// Flags for GCC and Clang that name the core, floating point aside.
    pub gcc_flags: Vec<String>,
    /// The same for how floating-point numbers are computed and passed.
    pub float_flags: Vec<String>,
    /// The crate's feature that is on by default, for the instructions that the processor has: `dsp` for those of Armv7E-M, `armv7m`, `armv6m`.
    pub feature: Option<String>,
}

impl Processor {
    /// Flags for GCC and Clang.
    pub(crate) fn flags(&self, between: &str) -> String {
        [&self.gcc_flags[..], &self.float_flags].concat().join(between)
    }

    /// It has the DSP instructions of Armv7E-M.
    pub(crate) fn has_dsp(&self) -> bool {
        self.feature.as_deref() == Some("dsp")
    }

    pub(crate) fn is_arm(&self) -> bool {
        self.target.starts_with("thumb")
    }

    /// Floating-point numbers are passed in registers of their own.
    pub(crate) fn is_hard(&self) -> bool {
        self.float_flags.iter().any(|flag| flag == "-mfloat-abi=hard")
    }
}

/// The licences, under a folder.
pub(crate) fn licences(folder: &str) -> impl Iterator<Item = (String, Vec<u8>)> {
    LICENCES.into_iter().map(move |(name, text)| (format!("{folder}{name}"), text.as_bytes().to_vec()))
}

/// What may be done with a folder.
pub(crate) const LICENCE: &str = "\
## Licence

The kernels are under the MIT licence or the Apache licence 2.0, as you choose: LICENSE-MIT, LICENSE-APACHE. The rest was
printed from your model, and is yours: its constants are under the model's own terms.
";

/// What both folders say of memory and origin.
pub(crate) struct Facts<'a> {
    pub options: &'a Options,
    pub arena: usize,
    pub constants: usize,
    pub digest: u64,
}

impl Facts<'_> {
    /// The first paragraph, after the title.
    pub fn about(&self, what: &str) -> String {
        let board = self.options.board.as_deref().map_or_else(String::new, |b| format!(", planned for {}", plain(b)));
        format!(
            "`{}` as {what}{board}: no heap, no operating system, nothing that panics.\n\n- SRAM: {} bytes of arena; the stack comes on \
             top.\n- Flash: {} bytes of constants; code comes on top.\n- Made by smidgen {}; digest of the plan {:#018x}.\n",
            plain(&self.options.title),
            self.arena,
            self.constants,
            env!("CARGO_PKG_VERSION"),
            self.digest
        )
    }
}

/// The page of the Rust crate.
pub(crate) fn rust_page(facts: &Facts, package: &str, example: &str) -> String {
    let built = facts.options.processor.as_ref().map_or_else(String::new, |processor| {
        let mut text = format!("## Build\n\nFor the {}: `cargo build --release --target {}`", processor.title, processor.target);
        if !processor.rustc_flags.is_empty() {
            // A package cannot set them itself.
            let flags: Vec<String> = processor.rustc_flags.iter().map(|flag| format!("{flag:?}")).collect();
            text += &format!(
                ", with this in your firmware's `.cargo/config.toml`, since the target's name does not imply the instructions that the \
                 kernels use:\n\n```toml\n[target.{}]\nrustflags = [{}]\n```\n",
                processor.target,
                flags.join(", ")
            );
        } else {
            text += ".\n";
        }
        if let Some(feature) = &processor.feature {
            text += &format!(
                "\nThe feature `{feature}`, on by default, uses the core's {}. For a core without them:\n\
                 `default-features = false`. The results are the same.\n",
                if processor.has_dsp() { "DSP instructions" } else { "own instructions" }
            );
        }
        text += "\nThis profile was measured to be best:\n\n```toml\n[profile.release]\nopt-level = \"s\"\nlto = true\ncodegen-units = 1\n```\n\n";
        text
    });
    format!(
        "# {package}\n\n{}\n## Use\n\n```toml\n[dependencies]\n{package} = {{ path = \"path/to/this/folder\" }}\n```\n\n```rust\n{example}```\n\n\
         `cargo doc --no-deps --open` shows all that it offers. `src/` is the network, `kernels/` what it computes with.\n\n{built}{LICENCE}",
        facts.about("a Rust crate")
    )
}

/// The page of the C library.
pub(crate) fn c_page(facts: &Facts, name: &str, example: &[String]) -> String {
    let built = facts.options.processor.as_ref().map_or_else(String::new, |processor| {
        let flags = processor.flags(" ");
        format!(
            "## Flags\n\nThe archive was built for the {} (Rust's `{}`). Compile and link with\n\n```text\n{flags}\n```\n\nor with what agrees with it: the \
             header refuses another kind of processor, and another way to pass floating-point numbers. CMake passes these flags on to what links \
             the library; `-D{}_SET_FLAGS=OFF` leaves that to your own.\n\n",
            processor.title,
            processor.target,
            name.to_ascii_uppercase()
        )
    });
    format!(
        "# {name}\n\n{}\n## Use\n\nWith CMake:\n\n```cmake\nadd_subdirectory(path/to/this/folder {name})\ntarget_link_libraries(your_firmware \
         PRIVATE {name})\n```\n\nWithout: `-Ipath/to/this/folder/include path/to/this/folder/lib/lib{name}.a`.\n\n```c\n#include \"{name}.h\"\n\n{}\n```\n\n\
         `include/{name}.h` says what each function does.\n\n{built}{LICENCE}",
        facts.about("a static library for C and C++"),
        example.join("\n")
    )
}

/// The page of the Arduino library.
pub(crate) fn arduino_page(facts: &Facts, name: &str, folders: &[String]) -> String {
    let title = facts.options.processor.as_ref().map_or("", |processor| processor.title.as_str());
    let folders: Vec<String> = folders.iter().map(|folder| format!("- `src/{folder}`\n")).collect();
    format!(
        "# {name}\n\n{}\n## Use\n\nIn the Arduino IDE: Sketch, Include Library, Add .ZIP Library. Then open File, Examples, {name}, Predict: it runs the \
         network once a second.\n\n## Boards\n\nThe library is compiled already, for boards with a {title}. Arduino looks for it in a folder that \
         is named after the board's processor and, where the board's compiler is told so, its floating-point unit. There are:\n\n{}\nFor \
         another processor, run `smidgen compile` again with `--board` for that one.\n\n{LICENCE}",
        facts.about("an Arduino library"),
        folders.concat()
    )
}
