//! Prints what makes an Arduino library of a C library: its properties and a sketch.
//!
//! The library is precompiled: Arduino compiles C and C++ alone, and links what lies in the folder of the board's processor. Laid out
//! as the Arduino library specification (1.5, "precompiled binaries") says.

use crate::c::C;
use crate::c::instance;
use crate::source::plain;

impl C<'_> {
    /// `library.properties`.
    pub fn properties(&self) -> String {
        let name = self.name();
        let title = plain(&self.options.title);
        let board = self.options.board.as_deref().map_or_else(String::new, |b| format!(" Planned for {}.", plain(b)));
        format!(
            "name={name}\nversion=0.1.0\nauthor=smidgen\nmaintainer=smidgen\nsentence={title}, computed without heap.\nparagraph=Made by \
             smidgen {}.{board}\ncategory=Data Processing\nurl=\narchitectures=*\nincludes={name}.h\nprecompiled=true\nldflags=-l{name}\n",
            env!("CARGO_PKG_VERSION")
        )
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
