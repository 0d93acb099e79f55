//! Prints what a C or C++ program needs: a header, a CMake file, and the Rust crate that exports the functions under C's names.
//!
//! The names all begin with the model's, so that several models can be linked into one program.

use crate::Options;
use crate::helpers;
use crate::learning::{self, Learning};
use crate::memory;
use crate::ports::{PortInfo, ports, rust_type};
use crate::runs;
use crate::source::{Source, identifier, plain};
use smidgen_certify::Certified;
use smidgen_ir::Graph;
use smidgen_program::Program;

/// What is printed from.
pub(crate) struct C<'a> {
    pub program: &'a Program,
    pub options: &'a Options,
    pub inputs: Vec<PortInfo>,
    pub outputs: Vec<PortInfo>,
    pub tiles: usize,
    pub constants: usize,
    /// What it is, if it is an iteration of training.
    pub learning: Option<Learning>,
}

/// A function: what it is for, its result, its name behind the model's, its parameters in C and in Rust, its body in Rust.
pub(crate) struct Function {
    pub about: String,
    pub result: (String, String),
    pub name: String,
    pub parameters: Vec<(String, String)>,
    pub body: String,
}

impl<'a> C<'a> {
    /// The graph is the one that the Program was made from.
    pub fn new(program: &'a Certified, graph: &Graph, options: &'a Options) -> Self {
        // What it refuses was refused when the Rust crate was printed.
        let learning = learning::of(program, options, &runs::schedule(program)).ok().flatten();
        let (inputs, outputs) = ports(program, graph, options);
        let tiles = program.buffers.iter().filter(|b| b.width < b.spec.extent.cols).count();
        let (constants, _) = memory::pack(program);
        Self { program, options, inputs, outputs, tiles, constants: constants.len(), learning }
    }

    pub fn name(&self) -> String {
        identifier(&self.options.name)
    }

    /// Bytes that a model takes in a C program: at least those of Rust's `Model`, which the exporting crate asserts.
    fn opaque_bytes(&self) -> usize {
        let state = if self.program.variables.is_empty() { 0 } else { 4 };
        let counters = 4 * self.program.steps.len() + 4 * self.tiles + 4 * self.inputs.len() + 32 + state;
        self.program.arena_bytes.next_multiple_of(16) + counters.next_multiple_of(16)
    }

    pub fn functions(&self) -> Vec<Function> {
        let name = self.name();
        let model = || ("model".to_owned(), format!("{name} *model|*mut Model"));
        let unit = || ("void".to_owned(), String::new());
        let pointer = |port: &PortInfo, kind: &str| {
            (format!("const {} *", c_type(port.element)), format!(" -> *const {}", port.camel(kind)))
        };
        let mut all = vec![
            Function {
                about: "Makes a model ready. Call it once, before anything else.".into(),
                result: unit(),
                name: "init".into(),
                parameters: vec![model()],
                body: "// SAFETY: the caller gives memory for a model, and a new model is all zeros.\n    unsafe { model.write_bytes(0, 1) }".into(),
            },
            Function {
                about: format!(
                    "The digest of the plan that the library was made from: `{}_DIGEST` if header and library belong together.",
                    name.to_ascii_uppercase()
                ),
                result: ("uint64_t".into(), " -> u64".into()),
                name: "digest".into(),
                parameters: vec![],
                body: "network::DIGEST".into(),
            },
        ];
        let mut predict = vec![model()];
        let mut passed = Vec::new();
        for port in &self.inputs {
            let input = format!("input{}", port.suffix);
            predict.push((
                input.clone(),
                format!("const {} *{input}|*const {}", c_type(port.element), port.camel("Input")),
            ));
            passed.push(format!("&*{input}"));
        }
        let (result, value) = match &self.outputs[..] {
            [one] => (pointer(one, "Output"), ""),
            _ => (unit(), ";"),
        };
        all.push(Function {
            about:
                "Computes the outputs for these inputs, which are copied. The result stays until the next inference."
                    .into(),
            result,
            name: "predict".into(),
            parameters: predict,
            body: format!("{CALL}    unsafe {{ (*model).predict({}){value} }}", passed.join(", ")),
        });
        for port in &self.inputs {
            self.input(port, &mut all);
        }
        all.push(Function {
            about: "Begins a new inference, whatever has become of the last one.".into(),
            result: unit(),
            name: "restart".into(),
            parameters: vec![model()],
            body: format!("{CALL}    unsafe {{ (*model).restart() }}"),
        });
        if !self.program.variables.is_empty() {
            all.push(Function {
                about: match self.learning {
                    Some(_) => {
                        "Forgets what was learnt: the network is as it left the factory. A new model needs none."
                    }
                    None => "Forgets all earlier inferences: the next one is as the first. A new model needs none.",
                }
                .into(),
                result: unit(),
                name: "reset".into(),
                parameters: vec![model()],
                body: format!("{CALL}    unsafe {{ (*model).reset() }}"),
            });
        }
        if let Some(learning) = &self.learning {
            all.extend(learning::functions(&name, learning));
        }
        let upper = name.to_ascii_uppercase();
        all.push(Function {
            about: format!(
                "Does a part of the work, for schedulers that have other things to do in between. Gives {upper}_RUNNING, {upper}_NEEDS_ROW \
                 or {upper}_DONE."
            ),
            result: ("int".into(), " -> core::ffi::c_int".into()),
            name: "step".into(),
            parameters: vec![model()],
            body: format!("{CALL}    match unsafe {{ (*model).step() }} {{\n{}    }}", self.statuses()),
        });
        for port in &self.outputs {
            all.push(Function {
                about: format!("The output `{}`, {} numbers, once the inference is done.", port.tensor, port.elements),
                result: pointer(port, "Output"),
                name: format!("output{}", port.suffix),
                parameters: vec![("model".into(), format!("const {name} *model|*const Model"))],
                body: format!("{CALL}    unsafe {{ (*model).output{}() }}", port.suffix),
            });
        }
        self.helpers(&mut all);
        if let Some(pixels) = &self.options.pixels {
            let element = rust_type(pixels.element);
            let result = (c_type(element), format!(" -> {element}"));
            let value = ("value".to_owned(), "uint8_t value|u8".to_owned());
            let order =
                if pixels.swapped { " The network's channels are blue, green and red, in this order." } else { "" };
            let (about, parameters, body) = if pixels.stored.len() > 1 {
                let channel = ("channel".to_owned(), "size_t channel|usize".to_owned());
                (
                    "The stored number for a pixel of 0 to 255 of a channel of the network, 0 to 2.",
                    vec![channel, value],
                    "network::pixel(channel, value)",
                )
            } else {
                ("The stored number for a pixel of 0 to 255.", vec![value], "network::pixel(value)")
            };
            all.push(Function {
                about: format!("{about}{order}"),
                result: (result.0.into(), result.1),
                name: "pixel".into(),
                parameters,
                body: body.into(),
            });
        }
        if !self.options.labels.is_empty() {
            all.push(Function {
                about: "The name of a class; NULL if there is no such class.".into(),
                result: ("const char *".into(), " -> *const core::ffi::c_char".into()),
                name: "label".into(),
                parameters: vec![("index".into(), "size_t index|usize".into())],
                body: "LABELS.get(index).map_or(core::ptr::null(), |label| label.as_ptr())".into(),
            });
        }
        all
    }

    /// What turns real numbers into stored ones and back, and finds the greatest output.
    fn helpers(&self, all: &mut Vec<Function>) {
        let rust = |element: &str| format!(" -> {element}");
        for port in self.inputs.iter().filter(|port| helpers::is_quantised(port)) {
            let name = format!("quantise_input{}", port.suffix);
            all.push(Function {
                about: "The number that the input stores for a real one, rounded to the nearest and clamped.".into(),
                result: (c_type(port.element).into(), rust(port.element)),
                body: format!("network::{name}(value)"),
                name,
                parameters: vec![("value".into(), "float value|f32".into())],
            });
        }
        for port in &self.outputs {
            if helpers::is_quantised(port) {
                let name = format!("dequantise_output{}", port.suffix);
                let of = format!("{} stored|{}", c_type(port.element), port.element);
                all.push(Function {
                    about: "The real number that a stored one of the output stands for.".into(),
                    result: ("float".into(), rust("f32")),
                    body: format!("network::{name}(stored)"),
                    name,
                    parameters: vec![("stored".into(), of)],
                });
            }
            if helpers::is_list(port) {
                let name = format!("argmax{}", port.suffix);
                let of = format!("const {} *output|*const {}", c_type(port.element), port.camel("Output"));
                all.push(Function {
                    about: "The index of the greatest number of the output, the first of equals: a classifier's class."
                        .into(),
                    result: ("size_t".into(), rust("usize")),
                    body: format!("{CALL}    network::{name}(unsafe {{ &*output }})"),
                    name,
                    parameters: vec![("output".into(), of)],
                });
            }
        }
    }

    fn input(&self, port: &PortInfo, all: &mut Vec<Function>) {
        let name = self.name();
        let model = || ("model".to_owned(), format!("{name} *model|*mut Model"));
        let (suffix, of) = (&port.suffix, c_type(port.element));
        let Some(_) = port.rows else {
            all.push(Function {
                about: "Where the input lies, to be filled in place before the first step of an inference, which overwrites it.".into(),
                result: (format!("{of} *"), format!(" -> *mut {}", port.camel("Input"))),
                name: format!("input{suffix}"),
                parameters: vec![model()],
                body: format!("{CALL}    unsafe {{ (*model).input{suffix}_mut() }}"),
            });
            return;
        };
        let row = ("row".to_owned(), format!("const {of} *row|*const {}", port.camel("Row")));
        if let ([_], [output]) = (&self.inputs[..], &self.outputs[..]) {
            all.push(Function {
                about: "Takes the next row of the input and computes all that it makes possible. NULL until the last row of an input, which \
                        gives the output; the row after that begins the next input."
                    .into(),
                result: (format!("const {} *", c_type(output.element)), " -> *const Output".into()),
                name: "push_row".into(),
                parameters: vec![model(), row.clone()],
                body: format!(
                    "{CALL}    unsafe {{ (*model).push_row(&*row) }}.map_or(core::ptr::null(), |output| core::ptr::from_ref(output))"
                ),
            });
        }
        all.push(Function {
            about: "Takes the next row, without computing anything: that is left to the steps. 0, and nothing is taken, where no row is waited \
                    for."
                .into(),
            result: ("int".into(), " -> core::ffi::c_int".into()),
            name: format!("give_row{suffix}"),
            parameters: vec![model(), row],
            body: format!("{CALL}    unsafe {{ (*model).give_row{suffix}(&*row).into() }}"),
        });
    }

    fn statuses(&self) -> String {
        let mut text = "        Status::Running => 0,\n".to_owned();
        if self.inputs.iter().any(|i| i.rows.is_some()) {
            text += "        Status::NeedsRow => 1,\n";
        }
        text + "        Status::Done => 2,\n"
    }

    /// The header.
    pub fn header(&self, digest: u64) -> String {
        let name = self.name();
        let upper = name.to_ascii_uppercase();
        let mut out = Source::default();
        out.line(format!("/* {}, computed without heap and without operating system.", comment(&self.options.title)));
        out.line(" *");
        out.line(format!(
            " * Made by smidgen {}. For C99 and later, and for C++. Nothing here is safe to call for",
            env!("CARGO_PKG_VERSION")
        ));
        out.line(" * the same model from two threads or interrupts at once; different models are independent.");
        if !self.program.variables.is_empty() {
            out.line(" *");
            if self.learning.is_some() {
                out.line(format!(" * The network learns: {name}_train_step changes what {name}_predict gives."));
            } else {
                out.line(
                    " * The network has state: what an inference gives depends on those before it, from the first or from",
                );
                out.line(format!(" * the last {name}_reset on."));
            }
        }
        if let Some(processor) = &self.options.processor {
            out.line(" *");
            out.line(format!(" * The library is compiled for the {}: {}", processor.title, processor.flags(" ")));
        }
        out.line(" *");
        self.example().iter().for_each(|line| out.line(format!(" *     {line}")));
        out.line(" */");
        out.line(format!("#ifndef {upper}_H\n#define {upper}_H\n"));
        self.checks(&mut out);
        out.line("#include <stddef.h>\n#include <stdint.h>\n");
        out.line("#ifdef __cplusplus\nextern \"C\" {\n#endif\n");
        out.line("/* What this was made by and from. */");
        out.line(format!("#define {upper}_MADE_BY \"smidgen {}\"", env!("CARGO_PKG_VERSION")));
        out.line(format!("#define {upper}_DIGEST UINT64_C({digest:#018x})\n"));
        out.line("/* Bytes: of the arena (a model holds it), and of the constants in flash. */");
        out.line(format!("#define {upper}_ARENA_BYTES {}", self.program.arena_bytes));
        if !self.program.variables.is_empty() {
            out.line("/* Of the arena, what outlives an inference. */");
            out.line(format!("#define {upper}_STATE_BYTES {}", self.program.persistent_bytes()));
        }
        out.line(format!("#define {upper}_CONSTANT_BYTES {}\n", self.constants));
        for (port, kind) in self.inputs.iter().map(|p| (p, "INPUT")).chain(self.outputs.iter().map(|p| (p, "OUTPUT"))) {
            self.defines(port, &format!("{upper}_{kind}{}", port.suffix), &mut out);
        }
        if !self.options.labels.is_empty() {
            out.line("/* Number of classes that have a name. */");
            out.line(format!("#define {upper}_LABELS {}\n", self.options.labels.len()));
        }
        out.line("/* What a step found: there is more to do; a row must be given first; the outputs are there. */");
        for (i, status) in ["RUNNING", "NEEDS_ROW", "DONE"].iter().enumerate() {
            out.line(format!("#define {upper}_{status} {i}"));
        }
        out.line("\n/* Alignment of a model. */");
        out.line(format!("#if defined(__cplusplus)\n#define {upper}_ALIGNED alignas(16)"));
        out.line(format!(
            "#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L\n#define {upper}_ALIGNED _Alignas(16)"
        ));
        out.line(format!("#else\n#define {upper}_ALIGNED __attribute__((aligned(16)))\n#endif\n"));
        out.line("/* A model with its arena: make it a static variable. Its bytes are its own affair. */");
        out.line(format!(
            "typedef struct {name} {{\n    {upper}_ALIGNED unsigned char opaque[{}];\n}} {name};\n",
            self.opaque_bytes()
        ));
        if let Some(learning) = &self.learning {
            learning::header(learning, self.program, &name, &mut out);
        }
        for function in self.functions() {
            out.add(&wrapped(&function.about));
            let parameters: Vec<&str> =
                function.parameters.iter().filter_map(|(_, both)| both.split('|').next()).collect();
            let list = if parameters.is_empty() { "void".to_owned() } else { parameters.join(", ") };
            let gap = if function.result.0.ends_with('*') { "" } else { " " };
            out.line(format!("{}{gap}{name}_{}({list});\n", function.result.0, function.name));
        }
        out.line("#ifdef __cplusplus\n}\n#endif\n");
        out.line(format!("#endif /* {upper}_H */"));
        out.text
    }

    /// Refuses to be compiled for a processor that the library was not made for, since linkers do not, or without a word
    /// that helps. On a host, where tests of a program's own may include the header, nothing is asked.
    fn checks(&self, out: &mut Source) {
        let Some(processor) = &self.options.processor else { return };
        let (name, upper, title) = (self.name(), self.name().to_ascii_uppercase(), &processor.title);
        let again = "or run `smidgen compile` with --board for that one";
        let mut checks = Vec::new();
        if processor.is_arm() {
            checks.push((
                "defined(__riscv) || defined(__XTENSA__) || defined(__AVR__) || defined(__aarch64__)".to_owned(),
                format!("this is another processor; choose such a board, {again}"),
            ));
            // The letter of the profile and the version are ACLE's, which GCC and Clang follow.
            let least = if processor.target.starts_with("thumbv8m") {
                8
            } else if processor.target.starts_with("thumbv7") {
                7
            } else {
                6
            };
            checks.push((
                format!("defined(__ARM_ARCH) && __ARM_ARCH < {least}"),
                format!("compile with {}, {again}", processor.gcc_flags.join(" ")),
            ));
            if processor.has_dsp() {
                checks.push((
                    "defined(__arm__) && defined(__ARM_ARCH) && !defined(__ARM_FEATURE_DSP)".to_owned(),
                    format!(
                        "this processor has no DSP instructions; compile with {}, {again}",
                        processor.gcc_flags.join(" ")
                    ),
                ));
            }
            if processor.is_hard() {
                checks.push((
                    "defined(__arm__) && !defined(__ARM_PCS_VFP)".to_owned(),
                    "compile with -mfloat-abi=hard, or run `smidgen compile` with --float-abi soft".to_owned(),
                ));
            } else if processor.float_flags.iter().any(|flag| flag == "-mfloat-abi=soft") {
                checks.push((
                    "defined(__arm__) && defined(__ARM_PCS_VFP)".to_owned(),
                    "compile with -mfloat-abi=soft or softfp, or run `smidgen compile` with --float-abi hard"
                        .to_owned(),
                ));
            }
        } else {
            checks.push((
                "defined(__arm__) || defined(__aarch64__) || defined(__XTENSA__) || defined(__AVR__)".to_owned(),
                format!("this is another processor; choose such a board, {again}"),
            ));
            checks.push((
                "defined(__riscv) && (__riscv_xlen != 32 || !defined(__riscv_float_abi_soft))".to_owned(),
                format!("compile with {}, {again}", processor.gcc_flags.join(" ")),
            ));
        }
        out.line(format!("/* Define {upper}_ANY_PROCESSOR to go on whatever this finds. */"));
        out.line(format!("#ifndef {upper}_ANY_PROCESSOR"));
        for (condition, message) in checks {
            out.line(format!("#if {condition}\n#error \"lib{name} is compiled for the {title}: {message}\"\n#endif"));
        }
        out.line("#endif\n");
    }

    /// One inference, as a program has it.
    pub fn example(&self) -> Vec<String> {
        let (name, upper) = (self.name(), self.name().to_ascii_uppercase());
        let model = instance(&name);
        let mut lines = vec![format!("static {name} {model};"), String::new(), format!("{name}_init(&{model});")];
        let inputs: String = self.inputs.iter().map(|port| format!(", input{}", port.suffix)).collect();
        match (&self.inputs[..], &self.outputs[..]) {
            ([input], [output]) if input.rows.is_some() => {
                lines.push(format!("const {} *output = NULL;", c_type(output.element)));
                lines.push(format!("for (int y = 0; y < {upper}_INPUT_ROWS; y++) {{"));
                let push = format!("{name}_push_row(&{model}, input + y * {upper}_INPUT_ROW_COUNT);");
                lines.push(format!("    output = {push}"));
                lines.push("}".to_owned());
                if self.learning.is_some() {
                    lines.push("// That the next rows are of class 1; the learning rate is 0.002.".to_owned());
                    lines.push(format!("{name}_begin_training(&{model}, 1, {upper}_RATE_ONE / 500);"));
                    lines.push(format!("for (int y = 0; y < {upper}_INPUT_ROWS; y++) {{"));
                    lines.push(format!("    {push}"));
                    lines.push("}".to_owned());
                    lines.push(format!("int32_t loss = {name}_loss(&{model});"));
                }
            }
            (_, [output]) => {
                if self.learning.is_some() {
                    lines.push("// That this is of class 1; the learning rate is 0.002.".to_owned());
                    lines.push(format!("{name}_train_step(&{model}{inputs}, 1, {upper}_RATE_ONE / 500);"));
                }
                lines.push(format!("const {} *output = {name}_predict(&{model}{inputs});", c_type(output.element)));
            }
            (_, outputs) => {
                lines.push(format!("{name}_predict(&{model}{inputs});"));
                lines.extend(outputs.iter().map(|output| {
                    let (of, suffix) = (c_type(output.element), &output.suffix);
                    format!("const {of} *output{suffix} = {name}_output{suffix}(&{model});")
                }));
            }
        }
        lines
    }

    fn defines(&self, port: &PortInfo, prefix: &str, out: &mut Source) {
        let shape = port.shape.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        out.line(format!(
            "/* `{}`: {shape} numbers of type {}, row by row. */",
            comment(&port.tensor),
            c_type(port.element)
        ));
        if let Some(order) = &port.order {
            out.add(&wrapped(order));
        }
        out.line(format!("#define {prefix}_COUNT {}", port.elements));
        if let [_, height, width, channels] = port.shape[..] {
            for (name, value) in [("HEIGHT", height), ("WIDTH", width), ("CHANNELS", channels)] {
                out.line(format!("#define {prefix}_{name} {value}"));
            }
        }
        if let Some((scale, zero)) = port.quantisation {
            out.line(format!("/* A stored number q stands for {prefix}_SCALE * (q - {prefix}_ZERO_POINT). */"));
            out.line(format!("#define {prefix}_SCALE {scale:?}f\n#define {prefix}_ZERO_POINT ({zero})"));
        }
        if let Some(rows) = port.rows {
            out.line("/* Rows, and numbers in each. */");
            out.line(format!("#define {prefix}_ROWS {}\n#define {prefix}_ROW_COUNT {}", rows.count, rows.elements));
        }
        out.line("");
    }

    /// The exporting crate's source.
    pub fn exports(&self) -> String {
        let name = self.name();
        let mut out = Source::default();
        out.line("//! The functions of the network under C's names.\n#![no_std]\n");
        let mut used = vec!["Model".to_owned(), "Status".to_owned()];
        let functions = self.functions();
        let mut text = String::new();
        for function in &functions {
            let parameters: Vec<String> = (function.parameters.iter())
                .filter_map(|(name, both)| Some(format!("{name}: {}", both.split_once('|')?.1)))
                .collect();
            let safety = if function.body.contains("unsafe") { "unsafe " } else { "" };
            text += &format!(
                "\n/// {}\n{}#[unsafe(no_mangle)]\npub {safety}extern \"C\" fn {name}_{}({}){} {{\n    {}\n}}\n",
                function.about,
                if safety.is_empty() {
                    ""
                } else {
                    "///\n/// # Safety\n/// Pointers are those that the header asks for.\n"
                },
                function.name,
                parameters.join(", "),
                function.result.1,
                function.body
            );
        }
        for port in &self.inputs {
            used.extend(["Input", "Row"].map(|kind| port.camel(kind)));
        }
        used.extend(self.outputs.iter().map(|port| port.camel("Output")));
        used.retain(|name| text.contains(name.as_str()));
        used.sort();
        out.line(format!("use network::{{{}}};\n", used.join(", ")));
        out.line(format!(
            "const _: () = assert!(size_of::<Model>() <= {} && align_of::<Model>() <= 16);\n",
            self.opaque_bytes()
        ));
        if !self.options.labels.is_empty() {
            out.line(format!("static LABELS: [&core::ffi::CStr; {}] = [", self.options.labels.len()));
            self.options.labels.iter().for_each(|label| out.line(format!("    c{:?},", label.replace('\0', ""))));
            out.line("];\n");
        }
        out.line("/// Never called: no panic is left in the network. A library must have one.");
        out.line("#[panic_handler]\nfn panic(_: &core::panic::PanicInfo<'_>) -> ! {\n    loop {}\n}");
        out.add(&text);
        out.text
    }

    /// The exporting crate's manifest; the network lies in `network/`.
    pub fn manifest(&self, package: &str) -> String {
        let name = self.name();
        format!(
            "[package]\nname = \"{package}-c\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[lib]\nname = \"{name}\"\ncrate-type = \
             [\"staticlib\"]\n\n[dependencies]\nnetwork = {{ package = \"{package}\", path = \"network\" }}\n\n[profile.release]\nlto = true\ncodegen-units = 1\npanic = \"abort\"\n\n[workspace]\n"
        )
    }

    /// The CMake file.
    pub fn cmake(&self) -> String {
        let (name, upper) = (self.name(), self.name().to_ascii_uppercase());
        let mut text = format!(
            "# add_subdirectory(this folder {name}), then target_link_libraries(your_firmware PRIVATE {name}).\ncmake_minimum_required(VERSION \
             3.15)\nadd_library({name} STATIC IMPORTED GLOBAL)\nset_target_properties({name} PROPERTIES\n    IMPORTED_LOCATION \
             \"${{CMAKE_CURRENT_LIST_DIR}}/lib/lib{name}.a\"\n    INTERFACE_INCLUDE_DIRECTORIES \"${{CMAKE_CURRENT_LIST_DIR}}/include\")\n"
        );
        if let Some(processor) = &self.options.processor {
            let flags = processor.flags(";");
            text += &format!(
                "\n# What the library was built for, the {}. Flags of your own that agree with it may stand in place of these.\noption({upper}_SET_FLAGS \
                 \"Compile and link what uses {name} with the flags of its processor\" ON)\nif({upper}_SET_FLAGS)\n    set_target_properties({name} \
                 PROPERTIES\n        INTERFACE_COMPILE_OPTIONS \"$<$<COMPILE_LANGUAGE:C,CXX>:{flags}>\"\n        INTERFACE_LINK_OPTIONS \
                 \"{flags}\")\nendif()\n",
                processor.title
            );
        }
        text
    }
}

pub(crate) const CALL: &str =
    "// SAFETY: the caller gives valid pointers to what the header says, and an initialised model.\n";

/// What examples call a variable of the type `name`: not like the type itself, since C tells types and variables apart by name alone.
pub(crate) fn instance(name: &str) -> &'static str {
    if name == "model" { "network" } else { "model" }
}

/// A name in a C comment, which it must not end, and which it must not give a trigraph.
fn comment(name: &str) -> String {
    plain(name).replace('*', "?").replace("??", "? ?").replace("??", "? ?")
}

/// Text as a C comment of lines that are not too long.
fn wrapped(text: &str) -> String {
    let mut lines = vec!["/*".to_owned()];
    for word in comment_words(text) {
        let line = lines.last_mut().expect("one to begin with");
        if line.len() + word.len() > 96 {
            lines.push(format!(" * {word}"));
        } else {
            line.push_str(&format!(" {word}"));
        }
    }
    lines.join("\n") + " */\n"
}

fn comment_words(text: &str) -> Vec<String> {
    text.replace("*/", "* /").replace("/*", "/ *").split(' ').map(str::to_owned).collect()
}

pub(crate) fn c_type(element: &str) -> &'static str {
    match element {
        "f32" => "float",
        "u8" => "uint8_t",
        "i16" => "int16_t",
        "i32" => "int32_t",
        "i64" => "int64_t",
        _ => "int8_t",
    }
}
