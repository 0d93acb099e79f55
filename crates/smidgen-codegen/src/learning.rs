//! Entry points of a network that learns: inference up to the logits, a training step, and what keeps the state in
//! flash.

use crate::c::{CALL, Function};
use crate::runs::{REPEAT, Schedule};
use crate::source::Source;
use crate::{CodegenError, Options};
use smidgen_certify::Certified;
use smidgen_kernels::store::{ExportError, HEADER_BYTES, Refusal};
use smidgen_kernels::training::{LOGIT_BITS, MOST_RATE, RATE_BITS};
use smidgen_program::{Kernel, Operand, Port, Program, Run};

/// Where a training step keeps what is no sample and no logits, and where its inference ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Learning {
    /// Index into the codes of the schedule of what comes after the logits.
    pub logits_end: usize,
    /// Byte offsets in the arena of the label and the learning rate.
    pub taught: [usize; 2],
    /// Which of them have no place before the schedule comes to where it waits for them, as it does for rows of the
    /// sample.
    pub awaited: [bool; 2],
    /// Byte offset of the loss.
    pub loss: usize,
    pub classes: usize,
    /// Samples whose steps are collected before anything moves; 1 where each moves it.
    pub collects: u32,
    /// What an adaptation is known by.
    pub identity: u64,
}

impl Learning {
    /// Whether the schedule waits for the label or the learning rate.
    pub fn waits(&self) -> bool {
        self.awaited.contains(&true)
    }
}

/// What the options say of learning, found in the Program.
pub(crate) fn of(
    program: &Certified,
    options: &Options,
    schedule: &Schedule,
) -> Result<Option<Learning>, CodegenError> {
    let Some(training) = &options.training else { return Ok(None) };
    let wrong = |what| Err(CodegenError::Training(what));
    let place = |port: &Port| match port.operand {
        Operand::Buffer(id, _) => Some(program.buffers[id.index()].offset),
        Operand::Constant(_) => None,
    };
    let ([_, label, rate], [logits, loss]) = (&program.inputs[..], &program.outputs[..]) else {
        return wrong("its inputs are not a sample, a label and a rate, or its outputs not logits and a loss");
    };
    let (Some(label), Some(rate), Some(_), Some(loss)) = (place(label), place(rate), place(logits), place(loss)) else {
        return wrong("one of its inputs or outputs is a constant");
    };
    if program.variables.is_empty() {
        return wrong("nothing outlives an iteration");
    }
    let is_logits = |run: &Run| matches!(run, Run::Compute { step, .. } if *step == training.logits);
    let Some(at) = program.runs.iter().position(is_logits) else { return wrong("it computes no logits") };
    let (before, after) = program.runs.split_at(at + 1);
    let changes = |run: &Run| match run {
        Run::Compute { step, .. } => {
            let mut targets = program.steps[step.index()].outputs.iter();
            targets.any(|target| program.variables.iter().any(|variable| variable.next == target.buffer))
        }
        Run::Await { .. } => false,
    };
    if before.iter().any(changes) || after.iter().any(is_logits) {
        return wrong("something is learnt before the logits are there");
    }
    // The run of the logits is the only one with its code, so that it is in no part that is repeated.
    let entry = schedule.entries.iter().position(|entry| entry.step == training.logits.index());
    let (mark, mut i) = (REPEAT[usize::from(schedule.wide)], 0);
    while let Some(&code) = schedule.codes.get(i) {
        if Some(usize::from(code)) == entry && code != mark {
            let identity = program.state_digest();
            let classes = training.classes;
            let waits = |port| program.runs.iter().any(|run| matches!(run, Run::Await { input, .. } if *input == port));
            let (taught, awaited) = ([label, rate], [waits(1), waits(2)]);
            let collects = program.steps.iter().find_map(|step| match &step.kernel {
                Kernel::CountSample(count) => Some(count.collected),
                _ => None,
            });
            let collects = collects.unwrap_or(1);
            return Ok(Some(Learning { logits_end: i + 1, taught, awaited, loss, classes, collects, identity }));
        }
        i += if code == mark { 3 } else { 1 };
    }
    wrong("it computes no logits")
}

/// Constants and types of `lib.rs`.
pub(crate) fn items(learning: &Learning, out: &mut Source) {
    let Learning { classes, identity, .. } = learning;
    let text = ITEMS.replace("CLASSES_VALUE", &classes.to_string()).replace("MOST_VALUE", &MOST_RATE.to_string());
    out.add(&text.replace("IDENTITY", &format!("{identity:#018x}")));
}

const ITEMS: &str = "\
/// Classes: a label is less.
pub const CLASSES: usize = CLASSES_VALUE;

/// A learning rate of 1.
pub const RATE_ONE: i32 = 1 << smidgen_kernels::training::RATE_BITS;

/// The greatest learning rate, MOST_VALUE: a greater one is taken for it.
pub const RATE_MOST: i32 = MOST_VALUE * RATE_ONE;

/// A loss of 1, and a logit of 1.
pub const LOSS_ONE: i32 = 1 << smidgen_kernels::training::LOGIT_BITS;

/// What an exported adaptation is known by: the network, what of it is trained, and where that lies in the state.
pub const ADAPTATION: u64 = IDENTITY;

/// A label is not less than [`CLASSES`]. Nothing was begun, and nothing learnt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LabelOutOfRange;

";

/// Methods of the model. The state begins at byte `offset` of the arena.
pub(crate) fn methods(learning: &Learning, offset: usize, out: &mut Source) {
    let Learning { taught: [label, rate], awaited, loss, .. } = learning;
    let mut begin = String::new();
    for (place, value, awaited) in [(label, "label as i32", awaited[0]), (rate, "rate", awaited[1])] {
        if !awaited {
            begin += &format!("        *self.arena.borrow_mut().get_mut::<i32, {place}, 1>() = [{value}];\n");
        }
    }
    if learning.waits() {
        begin += "        self.taught = [label as i32, rate];\n";
    }
    let teach = match learning.waits() {
        true => TEACH[1..].replace("LABEL", &label.to_string()).replace("RATE", &rate.to_string()),
        false => String::new(),
    };
    let collects = collected(learning).map_or_else(String::new, |said| format!("    ///\n    /// {said}\n"));
    let text = METHODS[1..].replace("        BEGIN;\n", &begin).replace("    TEACH;\n", &teach);
    let text = text.replace("    /// COLLECTS\n", &collects);
    out.add(&text.replace("LOSS_AT", &loss.to_string()).replace("STATE_AT", &offset.to_string()));
}

/// What is said of steps that are collected, where they are.
fn collected(learning: &Learning) -> Option<String> {
    let samples = learning.collects;
    (samples > 1)
        .then(|| format!("The steps of {samples} samples are added up, and the last one's moves what is learnt."))
}

const METHODS: &str = "
    /// One iteration of training: learns that this sample, which is copied into the arena, has this label. Gives the
    /// loss that there was before, in units of 1 / [`LOSS_ONE`]. `rate` is the learning rate in units of
    /// 1 / [`RATE_ONE`]; with 0 and less nothing is learnt, and more than [`RATE_MOST`] is taken for that.
    /// COLLECTS
    ///
    /// # Errors
    /// [`LabelOutOfRange`].
    pub fn train_step(&mut self, input: &Input, label: usize, rate: i32) -> Result<i32, LabelOutOfRange> {
        self.begin_training(label, rate)?;
        self.complete(input);
        Ok(self.loss())
    }

    /// Begins an iteration of training, whatever has become of what was begun before. The sample is given next, as for
    /// an inference; [`step`](Self::step) does the work, and what is learnt is there when that is
    /// [`Done`](Status::Done). Rates are those of [`train_step`](Self::train_step).
    ///
    /// # Errors
    /// [`LabelOutOfRange`].
    pub fn begin_training(&mut self, label: usize, rate: i32) -> Result<(), LabelOutOfRange> {
        if label >= CLASSES {
            return Err(LabelOutOfRange);
        }
        let rate = rate.clamp(0, RATE_MOST);
        self.restart();
        self.training = true;
        BEGIN;
        Ok(())
    }

    TEACH;
    /// The loss that there was before the last iteration of training, in units of 1 / [`LOSS_ONE`], once that is done.
    pub fn loss(&self) -> i32 {
        let [loss] = *self.arena.borrow().get::<i32, LOSS_AT, 1>();
        loss
    }

    /// Exports what was learnt into a memory with two slots of `slot_bytes(STATE_BYTES, unit)` bytes. What was exported
    /// before stays until this is there as a whole, whenever the power goes. Not in the middle of an iteration of
    /// training.
    ///
    /// # Errors
    /// [`ExportError`].
    pub fn export_adaptation<S: Store>(&mut self, store: &mut S) -> Result<(), ExportError> {
        store::export(store, ADAPTATION, self.state())
    }

    /// Loads the newest adaptation that is valid; where none is, the network is as it left the factory.
    ///
    /// # Errors
    /// [`Refusal`]: why there is none.
    pub fn load_adaptation<S: Store>(&mut self, store: &mut S) -> Result<(), Refusal> {
        self.reset();
        let state = self.arena.borrow_mut().get_mut::<u8, STATE_AT, STATE_BYTES>();
        let loaded = store::load(store, ADAPTATION, state);
        // Until then the state is what the network begins with.
        self.primed = loaded.is_ok();
        loaded
    }

";

const TEACH: &str = "
    /// Gives label and learning rate where the schedule waits for them.
    fn teach(&mut self) {
        let [label, rate] = self.taught;
        while let Some(input @ 1..) = self.progress.awaits() {
            match input {
                1 => *self.arena.borrow_mut().get_mut::<i32, LABEL, 1>() = [label],
                _ => *self.arena.borrow_mut().get_mut::<i32, RATE, 1>() = [rate],
            }
            self.progress.given();
        }
    }

";

/// What C functions return for a label that there is not: no reason of the store.
const UNKNOWN_LABEL: i32 = -1;

/// Names of the reasons in C, with their values.
const REASONS: [(&str, i32, &str); 13] = [
    ("LABEL_OUT_OF_RANGE", UNKNOWN_LABEL, "The label is not less than the number of classes."),
    ("SLOT_TOO_SMALL", ExportError::TooSmall as i32, "A slot has fewer bytes than an adaptation takes."),
    ("WRITE_UNIT", ExportError::Unit as i32, "The write unit is 0 or more than 256."),
    ("ERASE_FAILED", ExportError::Erase as i32, "The slot could not be erased."),
    ("PROGRAM_FAILED", ExportError::Program as i32, "The slot could not be programmed."),
    ("VERIFY_FAILED", ExportError::Verify as i32, "The slot does not hold what was programmed."),
    ("REFUSED_EMPTY", Refusal::Empty as i32, "Both slots are empty."),
    ("REFUSED_UNREADABLE", Refusal::Unreadable as i32, "The memory could not be read, or has no such slots."),
    ("REFUSED_HEADER", Refusal::Header as i32, "There is no adaptation, or its header is damaged."),
    ("REFUSED_VERSION", Refusal::Version as i32, "The format has another version."),
    ("REFUSED_FOREIGN", Refusal::Foreign as i32, "It is of another network, of another scheme, or has another layout."),
    ("REFUSED_INCOMPLETE", Refusal::Incomplete as i32, "Its export did not come to its end, or it was cut short."),
    ("REFUSED_DAMAGED", Refusal::Damaged as i32, "Its bytes are not those that were exported."),
];

/// Constants and types of the header. `name` is the library's.
pub(crate) fn header(learning: &Learning, program: &Program, name: &str, out: &mut Source) {
    let upper = name.to_ascii_uppercase();
    out.line("/* Classes: a label is less. */");
    out.line(format!("#define {upper}_CLASSES {}", learning.classes));
    out.line(format!("/* A learning rate of 1, and the greatest, {MOST_RATE}; a loss or a logit of 1. */"));
    out.line(format!("#define {upper}_RATE_ONE {}", 1 << RATE_BITS));
    out.line(format!("#define {upper}_RATE_MOST {}", MOST_RATE << RATE_BITS));
    out.line(format!("#define {upper}_LOSS_ONE {}\n", 1 << LOGIT_BITS));
    out.line("/* What functions return where they have not done what was asked for; else 0, or a loss. */");
    for (reason, value, about) in REASONS {
        out.line(format!("#define {upper}_{reason} ({value}) /* {about} */"));
    }
    let (bytes, unit) =
        (program.persistent_bytes(), |bytes: &str| format!("(({bytes} + (unit) - 1) / (unit) * (unit))"));
    out.line("\n/* Bytes of each of the two slots of a memory whose write unit has so many. */");
    out.line(format!(
        "#define {upper}_SLOT_BYTES(unit) \\\n    ({} + {} + {})\n",
        unit(&HEADER_BYTES.to_string()),
        unit(&bytes.to_string()),
        unit("4")
    ));
    out.add(&STORE.replace("NAME", name));
}

const STORE: &str = "\
/*
 * A memory with two slots, 0 and 1, for adaptations. Each is erased as a whole, after which its
 * bytes are 0xff, and then programmed once, from its beginning on, in multiples of the write unit,
 * at most 256 bytes in a call. Places are bytes from the beginning of a slot. The functions return
 * 0 if it is done, and then it has reached the memory.
 */
typedef struct NAME_store {
    int (*erase)(void *context, int slot);
    int (*program)(void *context, int slot, size_t at, const uint8_t *bytes, size_t count);
    int (*read)(void *context, int slot, size_t at, uint8_t *bytes, size_t count);
    void *context;
    size_t slot_bytes; /* of each slot */
    size_t unit;       /* the write unit: 1 to 256 bytes */
} NAME_store;

";

/// Functions of the C library.
pub(crate) fn functions(name: &str, learning: &Learning) -> Vec<Function> {
    let collects = collected(learning).map_or_else(String::new, |said| format!(" {said}"));
    let upper = name.to_ascii_uppercase();
    let model = || ("model".to_owned(), format!("{name} *model|*mut Model"));
    let label = || ("label".to_owned(), "size_t label|usize".to_owned());
    let rate = || ("rate".to_owned(), "int32_t rate|i32".to_owned());
    let store = || ("store".to_owned(), format!("const {name}_store *store|*const network::store::Callbacks"));
    let int = || ("int".to_owned(), " -> core::ffi::c_int".to_owned());
    let long = || ("int32_t".to_owned(), " -> i32".to_owned());
    let status = |call: &str| {
        format!(
            "// SAFETY: the caller gives a valid pointer to a store.\n    let mut store = unsafe {{ *store }};\n    {CALL}    \
             match unsafe {{ (*model).{call}(&mut store) }} {{\n        Ok(()) => 0,\n        \
             Err(reason) => reason as core::ffi::c_int,\n    }}"
        )
    };
    vec![
        Function {
            about: format!(
                "One iteration of training: learns that this sample, which is copied, has this label. Gives the loss that \
                 there was before, at least 0, in units of 1 / {upper}_LOSS_ONE, or {upper}_LABEL_OUT_OF_RANGE. The \
                 learning rate is in units of 1 / {upper}_RATE_ONE; with 0 and less nothing is learnt, and more than \
                 {upper}_RATE_MOST is taken for that.{collects}"
            ),
            result: long(),
            name: "train_step".into(),
            parameters: vec![model(), ("input".into(), "const int8_t *input|*const Input".into()), label(), rate()],
            body: format!(
                "{CALL}    unsafe {{ (*model).train_step(&*input, label, rate) }}.unwrap_or({UNKNOWN_LABEL})"
            ),
        },
        Function {
            about: format!(
                "Begins an iteration of training, whatever has become of what was begun before: the sample is given next, \
                 and {name}_step does the work. 0, or {upper}_LABEL_OUT_OF_RANGE, and then nothing was begun."
            ),
            result: int(),
            name: "begin_training".into(),
            parameters: vec![model(), label(), rate()],
            body: format!(
                "{CALL}    match unsafe {{ (*model).begin_training(label, rate) }} {{\n        Ok(()) => 0,\n        \
                 Err(_) => {UNKNOWN_LABEL},\n    }}"
            ),
        },
        Function {
            about: format!(
                "The loss that there was before the last iteration of training, in units of 1 / {upper}_LOSS_ONE, once that \
                 is done."
            ),
            result: long(),
            name: "loss".into(),
            parameters: vec![("model".into(), format!("const {name} *model|*const Model"))],
            body: format!("{CALL}    unsafe {{ (*model).loss() }}"),
        },
        Function {
            about: format!(
                "Exports what was learnt. What was exported before stays until this is there as a whole, whenever the power \
                 goes. 0, or one of {upper}_SLOT_TOO_SMALL, _WRITE_UNIT, _ERASE_FAILED, _PROGRAM_FAILED and \
                 _VERIFY_FAILED. Not in the middle of an iteration of training."
            ),
            result: int(),
            name: "export_adaptation".into(),
            parameters: vec![model(), store()],
            body: status("export_adaptation"),
        },
        Function {
            about: format!(
                "Loads the newest adaptation that is valid. 0, or {upper}_REFUSED_...: why there is none, and then the \
                 network is as it left the factory."
            ),
            result: int(),
            name: "load_adaptation".into(),
            parameters: vec![model(), store()],
            body: status("load_adaptation"),
        },
    ]
}
