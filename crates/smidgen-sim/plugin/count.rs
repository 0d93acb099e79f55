//! A QEMU TCG plug-in that counts instructions exactly: how often each address was executed, and the running total at each
//! marker instruction. If asked, it also holds every load and every store to what the program may touch.
//!
//! Loaded by `qemu-system-* -plugin libcount.so,out=FILE[,from=M,to=N][,check=ALLOWED]`. With `from` and `to` the counts are those between marker M
//! and marker N, which are numbered from 0. When the machine stops it writes FILE, one record a line:
//! `i ADDRESS OPCODE COUNT` (address and opcode in hexadecimal, the opcode as the bytes in memory order) and `m TOTAL` (instructions
//! executed before a marker, in the order of the markers). Markers are the hint `yield` on Arm and `xori x0, x0, 1` on RISC-V, which
//! compilers do not emit and which do nothing.
//!
//! ALLOWED names the memory that may be touched between markers 0 and 1, 2 and 3, and so on: lines `r FIRST END` and `w FIRST END`
//! (addresses in hexadecimal, END is one past the last) are blocks to read, or to read and write. Those before the first line `case` hold
//! always, those after the k-th such line between markers 2k and 2k + 1. An access must lie in one block as a whole. For each
//! instruction and stretch where one does not, FILE gets a record `x STRETCH INSTRUCTION ADDRESS BYTES l|s COUNT` with the first such load or
//! store.
//!
//! Every instruction has a counter of its own that the translated code increments, so that blocks left early are counted right.
#![allow(non_camel_case_types)]

use std::collections::{BTreeMap, HashMap};
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::io::Write;
use std::path::PathBuf;
use std::sync::Mutex;

type Id = u64;

// From QEMU's plug-in interface, version 1 (QEMU 6 to 8).
unsafe extern "C" {
    fn qemu_plugin_register_vcpu_tb_trans_cb(id: Id, cb: extern "C" fn(Id, *mut c_void));
    fn qemu_plugin_register_atexit_cb(id: Id, cb: extern "C" fn(Id, *mut c_void), data: *mut c_void);
    fn qemu_plugin_tb_n_insns(tb: *const c_void) -> usize;
    fn qemu_plugin_tb_get_insn(tb: *const c_void, index: usize) -> *mut c_void;
    fn qemu_plugin_insn_data(insn: *const c_void) -> *const u8;
    fn qemu_plugin_insn_size(insn: *const c_void) -> usize;
    fn qemu_plugin_insn_vaddr(insn: *const c_void) -> u64;
    fn qemu_plugin_register_vcpu_insn_exec_inline(insn: *mut c_void, op: c_int, ptr: *mut c_void, imm: u64);
    fn qemu_plugin_register_vcpu_mem_cb(
        insn: *mut c_void,
        cb: extern "C" fn(c_uint, u32, u64, *mut c_void),
        flags: c_int,
        rw: c_int,
        data: *mut c_void,
    );
    fn qemu_plugin_mem_size_shift(info: u32) -> c_uint;
    fn qemu_plugin_mem_is_store(info: u32) -> bool;
    fn qemu_plugin_register_vcpu_insn_exec_cb(
        insn: *mut c_void,
        cb: extern "C" fn(c_uint, *mut c_void),
        flags: c_int,
        data: *mut c_void,
    );
}

/// The version of the interface that this plug-in is written against.
#[unsafe(no_mangle)]
pub static qemu_plugin_version: c_int = 1;

const ADD_U64: c_int = 0;
const NO_REGS: c_int = 0;
const LOADS_AND_STORES: c_int = 3;

struct Counted {
    opcode: Vec<u8>,
    /// Leaked: the translated code keeps the address for as long as the process lives.
    count: *mut u64,
}

// SAFETY: the pointers are only dereferenced at exit and in the marker's call-back, when the single vCPU does not run.
unsafe impl Send for Counted {}

struct State {
    out: PathBuf,
    /// Numbers of the markers that begin and end what is counted.
    window: Option<[usize; 2]>,
    /// Counts when the first of them was met, and when the second was.
    snapshots: [HashMap<u64, u64>; 2],
    counted: HashMap<u64, Counted>,
    markers: Vec<u64>,
}

static STATE: Mutex<Option<State>> = Mutex::new(None);

/// Memory that may be touched.
#[derive(Clone, Copy)]
struct Block {
    first: u64,
    end: u64,
    writable: bool,
}

/// An instruction in a stretch between markers, and the first of its accesses that were outside.
struct Stray {
    address: u64,
    bytes: u64,
    store: bool,
    count: u64,
}

/// What loads and stores are held to.
struct Check {
    always: Vec<Block>,
    cases: Vec<Vec<Block>>,
    /// Markers met.
    markers: usize,
    /// What holds now; `None` where nothing is checked.
    now: Option<Vec<Block>>,
    /// Where in it the last access lay: the next one most often does too.
    last: usize,
    strays: BTreeMap<(usize, u64), Stray>,
}

/// Beyond so many instructions that stray, more are of no use to anybody.
const MOST_STRAYS: usize = 1000;

static CHECK: Mutex<Option<Check>> = Mutex::new(None);

impl Check {
    fn parse(text: &str) -> Option<Self> {
        let (mut always, mut cases) = (Vec::new(), Vec::<Vec<Block>>::new());
        for line in text.lines() {
            let mut words = line.split(' ');
            let kind = words.next()?;
            if kind == "case" {
                cases.push(Vec::new());
                continue;
            }
            let mut address = || u64::from_str_radix(words.next()?, 16).ok();
            let block = Block { first: address()?, end: address()?, writable: kind == "w" };
            cases.last_mut().unwrap_or(&mut always).push(block);
        }
        let strays = BTreeMap::new();
        Some(Self { always, cases, markers: 0, now: None, last: 0, strays })
    }

    fn at_marker(&mut self) {
        let (stretch, begins) = (self.markers / 2, self.markers.is_multiple_of(2));
        self.markers += 1;
        self.last = 0;
        self.now = begins.then(|| {
            let own = self.cases.get(stretch).map_or(&[][..], |own| own);
            [own, &self.always].concat()
        });
    }

    fn access(&mut self, instruction: u64, address: u64, bytes: u64, store: bool) {
        let Some(now) = &self.now else { return };
        let holds =
            |block: &Block| block.first <= address && address + bytes <= block.end && (block.writable || !store);
        if now.get(self.last).is_some_and(holds) {
            return;
        }
        if let Some(found) = now.iter().position(holds) {
            self.last = found;
            return;
        }
        let (key, full) = (((self.markers - 1) / 2, instruction), self.strays.len() >= MOST_STRAYS);
        match self.strays.get_mut(&key) {
            Some(stray) => stray.count += 1,
            None if full => {}
            None => drop(self.strays.insert(key, Stray { address, bytes, store, count: 1 })),
        }
    }
}

extern "C" fn at_access(_cpu: c_uint, info: u32, address: u64, instruction: *mut c_void) {
    if let Some(check) = CHECK.lock().unwrap().as_mut() {
        // SAFETY: QEMU hands what it describes accesses with.
        let (shift, store) = unsafe { (qemu_plugin_mem_size_shift(info), qemu_plugin_mem_is_store(info)) };
        check.access(instruction as u64, address, 1 << shift, store);
    }
}
static mut TOTAL: u64 = 0;

fn is_marker(opcode: &[u8]) -> bool {
    matches!(opcode, [0x10, 0xbf] | [0x13, 0x40, 0x10, 0x00])
}

extern "C" fn at_marker(_cpu: c_uint, _data: *mut c_void) {
    if let Some(state) = STATE.lock().unwrap().as_mut() {
        let number = state.markers.len();
        // SAFETY: one vCPU, and it is in this call-back.
        state.markers.push(unsafe { (&raw const TOTAL).read() });
        if let Some(which) = state.window.and_then(|window| window.iter().position(|&marker| marker == number)) {
            // SAFETY: as above.
            let counts = state.counted.iter().map(|(&address, c)| (address, unsafe { c.count.read() }));
            state.snapshots[which] = counts.collect();
        }
    }
    if let Some(check) = CHECK.lock().unwrap().as_mut() {
        check.at_marker();
    }
}

extern "C" fn translated(_id: Id, tb: *mut c_void) {
    let mut guard = STATE.lock().unwrap();
    let Some(state) = guard.as_mut() else { return };
    let checks = CHECK.lock().unwrap().is_some();
    // SAFETY: QEMU hands a valid block, and the indices are below its count; the counters are leaked boxes and a static.
    unsafe {
        for index in 0..qemu_plugin_tb_n_insns(tb) {
            let insn = qemu_plugin_tb_get_insn(tb, index);
            let opcode = std::slice::from_raw_parts(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn)).to_vec();
            if is_marker(&opcode) {
                qemu_plugin_register_vcpu_insn_exec_cb(insn, at_marker, NO_REGS, std::ptr::null_mut());
            }
            let address = qemu_plugin_insn_vaddr(insn);
            if checks {
                // The instruction's address is what the call-back is told.
                let data = address as usize as *mut c_void;
                qemu_plugin_register_vcpu_mem_cb(insn, at_access, NO_REGS, LOADS_AND_STORES, data);
            }
            let counted =
                state.counted.entry(address).or_insert_with(|| Counted { opcode, count: Box::leak(Box::new(0)) });
            qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, counted.count.cast(), 1);
            qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, (&raw mut TOTAL).cast(), 1);
        }
    }
}

extern "C" fn at_exit(_id: Id, _data: *mut c_void) {
    let Some(state) = STATE.lock().unwrap().take() else { return };
    let mut lines = Vec::new();
    for total in &state.markers {
        lines.push(format!("m {total}"));
    }
    let mut addresses: Vec<_> = state.counted.iter().collect();
    addresses.sort_by_key(|(address, _)| **address);
    for (address, counted) in addresses {
        let opcode: String = counted.opcode.iter().map(|b| format!("{b:02x}")).collect();
        let count = match state.window {
            Some(_) => {
                let at = |which: usize| state.snapshots[which].get(address).copied().unwrap_or(0);
                at(1).saturating_sub(at(0))
            }
            // SAFETY: the machine has stopped.
            None => unsafe { counted.count.read() },
        };
        if count > 0 {
            lines.push(format!("i {address:08x} {opcode} {count}"));
        }
    }
    for ((stretch, instruction), stray) in CHECK.lock().unwrap().take().map(|c| c.strays).unwrap_or_default() {
        let Stray { address, bytes, store, count } = stray;
        let kind = if store { 's' } else { 'l' };
        lines.push(format!("x {stretch} {instruction:08x} {address:08x} {bytes} {kind} {count}"));
    }
    lines.push(String::new());
    let written = std::fs::File::create(&state.out).and_then(|mut f| f.write_all(lines.join("\n").as_bytes()));
    if let Err(error) = written {
        eprintln!("count: cannot write {}: {error}", state.out.display());
    }
}

/// The name of a file as it was given, text or not.
#[cfg(unix)]
fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(bytes))
}

#[cfg(not(unix))]
fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(String::from_utf8_lossy(bytes).into_owned())
}

/// Called by QEMU. `argv` holds `out=FILE`, and perhaps `from=M` and `to=N`, and `check=ALLOWED`.
///
/// # Safety
/// QEMU passes `argc` valid C strings in `argv`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn qemu_plugin_install(
    id: Id,
    _info: *const c_void,
    argc: c_int,
    argv: *const *const c_char,
) -> c_int {
    // SAFETY: the caller's promise.
    let arguments: Vec<&[u8]> =
        (0..argc as usize).map(|i| unsafe { CStr::from_ptr(*argv.add(i)) }.to_bytes()).collect();
    let value = |name: &str| arguments.iter().rev().find_map(|a| a.strip_prefix(name.as_bytes())?.strip_prefix(b"="));
    let Some(out) = value("out").map(path) else {
        eprintln!("count: the argument out=FILE is missing");
        return 1;
    };
    if let Some(allowed) = value("check").map(path) {
        let check = std::fs::read_to_string(&allowed).ok().and_then(|text| Check::parse(&text));
        if check.is_none() {
            eprintln!("count: cannot use {}", allowed.display());
            return 1;
        }
        *CHECK.lock().unwrap() = check;
    }
    let number = |name: &str| std::str::from_utf8(value(name)?).ok()?.parse().ok();
    let window = number("from").zip(number("to")).map(|(from, to)| [from, to]);
    let (counted, snapshots) = (HashMap::new(), [HashMap::new(), HashMap::new()]);
    *STATE.lock().unwrap() = Some(State { out, window, snapshots, counted, markers: Vec::new() });
    // SAFETY: the call-backs are functions of this library, which stays loaded.
    unsafe {
        qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
        qemu_plugin_register_atexit_cb(id, at_exit, std::ptr::null_mut());
    }
    0
}
