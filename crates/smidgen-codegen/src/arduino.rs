//! Prints what makes an Arduino library of a C library: its properties and a sketch.
//!
//! The library is precompiled: Arduino compiles C and C++ alone, and links what lies in the folder of the board's processor. Laid out
//! as the Arduino library specification (1.5, "precompiled binaries") says.

use crate::c::C;
use crate::c::instance;
use crate::source::plain;

impl C<'_> {
    /// `library.properties`, for the architectures of Arduino's cores that the archives suit.
    pub fn properties(&self, architectures: &[&str]) -> String {
        let name = self.name();
        let title = plain(&self.options.title);
        let board = self.options.board.as_deref().map_or_else(String::new, |b| format!(" Planned for {}.", plain(b)));
        let processor =
            self.options.processor.as_ref().map_or_else(String::new, |p| format!(" For boards with a {}.", p.title));
        [
            format!("name={}", arduino_name(&name)),
            "version=0.1.0".to_owned(),
            "author=smidgen".to_owned(),
            "maintainer=smidgen".to_owned(),
            format!("sentence=The network {title}, computed without heap."),
            format!("paragraph=Made by smidgen {}.{board}{processor}", env!("CARGO_PKG_VERSION")),
            "category=Data Processing".to_owned(),
            format!("url={}", env!("CARGO_PKG_REPOSITORY")),
            format!("architectures={}", architectures.join(",")),
            format!("includes={name}.h"),
            "precompiled=full".to_owned(),
            format!("ldflags=-l{name}"),
        ]
        .map(|line| line + "\n")
        .concat()
    }

    /// `keywords.txt`: what the editor colours.
    pub fn keywords(&self) -> String {
        let (name, upper) = (self.name(), self.name().to_ascii_uppercase());
        let functions = self.functions();
        let called = functions.iter().map(|function| format!("{name}_{}\tKEYWORD2\n", function.name));
        let constants = ["DIGEST", "ARENA_BYTES", "CONSTANT_BYTES", "RUNNING", "NEEDS_ROW", "DONE"];
        let constants = constants.iter().map(|constant| format!("{upper}_{constant}\tLITERAL1\n"));
        std::iter::once(format!("{name}\tKEYWORD1\n")).chain(called).chain(constants).collect()
    }

    /// A sketch that runs the network once.
    pub fn sketch(&self) -> String {
        let name = self.name();
        let upper = name.to_ascii_uppercase();
        let model = instance(&name);
        let mut text = format!("#include <{name}.h>\n\nstatic {name} {model};\n");
        let mut arguments = vec![format!("&{model}")];
        for port in &self.inputs {
            let of = crate::c::c_type(port.element);
            text += &format!("static {of} input{0}[{upper}_INPUT{0}_COUNT];\n", port.suffix);
            arguments.push(format!("input{}", port.suffix));
        }
        text += &format!(
            "\nvoid setup() {{\n  Serial.begin(115200);\n  {name}_init(&{model});\n}}\n\nvoid loop() {{\n  {name}_predict({});\n",
            arguments.join(", ")
        );
        for port in &self.outputs {
            let (suffix, of) = (&port.suffix, crate::c::c_type(port.element));
            text += &format!(
                "  const {of} *output{suffix} = {name}_output{suffix}(&{model});\n  for (int i = 0; i < {upper}_OUTPUT{suffix}_COUNT; i++) {{\n    \
                 Serial.println(output{suffix}[i]);\n  }}\n"
            );
        }
        text + "  delay(1000);\n}\n"
    }
}

/// The name under which Arduino lists the library: it must not begin with `arduino`, which is for their own.
fn arduino_name(name: &str) -> String {
    if name.starts_with("arduino") { format!("model_{name}") } else { name.to_owned() }
}
