//! The Arduino library: its sketch on an emulated core, the rules that Arduino's own checks go by, and the folders in which boards look.

use crate::{TARGET, built, compiled, emulated, example, gcc, numbers, write};
use smidgen::boards;
use smidgen::codegen::Files;
use smidgen::lowering::LowerOptions;
use smidgen::plan::ScheduleChoice;
use smidgen::{Array, Network, Runner};
use std::collections::BTreeMap;
use std::fs;
use std::io::{Cursor, Read};

/// As much of Arduino as the sketch uses, over semihosting, which ends after the first turn of its loop.
const ARDUINO: &str = r#"
extern "C" void finish(int status);
static void call(int operation, const void *argument) {
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
}
struct Port {
    void begin(long) {}
    void println(int value) {
        char text[8] = {0}, *at = text + 6;
        int rest = value < 0 ? -value : value;
        *at = '\n';
        do {
            *--at = (char)('0' + rest % 10);
            rest /= 10;
        } while (rest > 0);
        if (value < 0) {
            *--at = '-';
        }
        call(0x04, at);
    }
};
static Port Serial;
static void delay(int) { finish(0); }
void setup();
void loop();
extern "C" void finish(int status) {
    const unsigned block[2] = {0x20026, (unsigned)status};
    call(0x20, block);
    for (;;) {
    }
}
int main() {
    setup();
    for (;;) {
        loop();
    }
}
"#;

/// The files of an archive.
fn unpacked(bytes: &[u8]) -> Files {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = Files::new();
    for index in 0..zip.len() {
        let mut file = zip.by_index(index).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        files.insert(file.name().unwrap().into_owned(), bytes);
    }
    files
}

/// The library of a small network for a board, under the name `demo`; `None`, with a note, where it cannot be built.
fn demo(board: &str) -> Option<Files> {
    let board = boards::find(board).unwrap();
    let network = Network::from_graph(smidgen_synthetic::demo(3)).unwrap();
    let made = built(compiled(&network, &board, "demo", ScheduleChoice::Auto, false).arduino())?;
    Some(unpacked(&made["demo.zip"]))
}

/// Boards of Arduino's world: a board here with the same core, its `build.mcu`, and the flags of its compiler as published, those in
/// files of flags included.
const BOARDS: &[(&str, &str, &str, &[&str])] = &[
    (
        "STM32duino, Nucleo F746ZG",
        "stm32f746",
        "cortex-m7",
        &["-mcpu=cortex-m7", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"],
    ),
    ("Teensy 4.1", "stm32f746", "imxrt1062", &["-mcpu=cortex-m7", "-mfloat-abi=hard", "-mfpu=fpv5-d16"]),
    (
        "Giga R1, flags in a file",
        "stm32f746",
        "cortex-m7",
        &["-mcpu=cortex-m7", "@-mfloat-abi=softfp", "@-mfpu=fpv5-d16"],
    ),
    ("STM32duino, U575", "rp2350", "cortex-m33", &["-mcpu=cortex-m33", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard"]),
    ("Silicon Labs, MG24", "rp2350", "cortex-m33", &["-mcpu=cortex-m33", "-mfpu=fpv5-sp-d16", "-mfloat-abi=hard"]),
    ("Pico 2", "rp2350", "rp2350", &["-mcpu=cortex-m33", "-march=armv8-m.main+fp+dsp", "-mfloat-abi=softfp"]),
    ("Uno R4", "nrf52840", "cortex-m4", &["-mcpu=cortex-m4", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"]),
    (
        "Nano 33 BLE, flags in a file",
        "nrf52840",
        "cortex-m4",
        &["-mcpu=cortex-m4", "@-mfloat-abi=softfp", "@-mfpu=fpv4-sp-d16"],
    ),
    ("Pico", "rp2040", "cortex-m0plus", &["-mcpu=cortex-m0plus"]),
    ("micro:bit", "rp2040", "cortex-m0", &["-mcpu=cortex-m0"]),
    ("Due", "mps2-an385", "cortex-m3", &["-mcpu=cortex-m3"]),
];

/// Where Arduino looks for a precompiled library: in the folder of the processor, and inside it in one for the floating-point unit and the
/// way numbers are passed, if the command that compiles names both and there is such a folder.
fn looked_in(files: &Files, mcu: &str, flags: &[&str]) -> String {
    let said = |name: &str| flags.iter().find_map(|flag| flag.strip_prefix(name));
    let plain = format!("demo/src/{mcu}");
    let further = said("-mfpu=").zip(said("-mfloat-abi=")).map(|(unit, abi)| format!("{plain}/{unit}-{abi}"));
    further.filter(|folder| files.contains_key(&format!("{folder}/libdemo.a"))).unwrap_or(plain)
}

#[test]
fn the_library_links_with_the_published_flags_of_boards() {
    let mut made: BTreeMap<&str, Option<Files>> = BTreeMap::new();
    for (title, board, mcu, flags) in BOARDS {
        let Some(files) = made.entry(board).or_insert_with(|| demo(board)) else { continue };
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), files);
        let library = format!("-L{}", looked_in(files, mcu, flags));
        let flags: Vec<&str> = flags.iter().map(|flag| flag.trim_start_matches('@')).collect();
        let program = "#include <demo.h>\nstatic demo model;\nstatic int8_t in[DEMO_INPUT_COUNT];\nfloat half(float x) { return x / 2; }\n\
                       int main(void) { demo_init(&model); return demo_predict(&model, in)[0] + (int)half(1); }\n";
        fs::write(folder.path().join("main.c"), program).unwrap();
        let link = [
            "-mthumb",
            "-ffreestanding",
            "-nostdlib",
            "-Idemo/src",
            "main.c",
            &library,
            "-ldemo",
            "-lgcc",
            "-Wl,-emain",
            "-o",
            "a.elf",
        ];
        println!("{title}: {library}");
        if !gcc(folder.path(), &[&flags[..], &link].concat()) {
            return;
        }
    }
}

/// Families of boards that exist, as Arduino calls them. A library for one processor is not for every one.
const ARCHITECTURES: [&str; 21] = [
    "STM32F1",
    "STM32F4",
    "esp32",
    "mbed",
    "mbed_giga",
    "mbed_nano",
    "mbed_nicla",
    "mbed_opta",
    "mbed_portenta",
    "mbed_rp2040",
    "nRF5",
    "nrf52",
    "nrf54l15",
    "renesas_portenta",
    "renesas_uno",
    "rp2040",
    "sam",
    "samd",
    "silabs",
    "stm32",
    "zephyr",
];

#[test]
fn libraries_of_all_processors_name_families_that_exist() {
    let cases =
        [("esp32c3", "esp32c6"), ("rp2350", "cortex-m33"), ("mps2-an385", "cortex-m3"), ("rp2040", "cortex-m0")];
    for (board, folder) in cases {
        let Some(files) = demo(board) else { continue };
        let properties = String::from_utf8_lossy(&files["demo/library.properties"]).into_owned();
        let names = properties.lines().find_map(|line| line.strip_prefix("architectures=")).unwrap();
        assert!(names.split(',').all(|name| ARCHITECTURES.contains(&name)), "{board}: {names}");
        assert!(files.contains_key(&format!("demo/src/{folder}/libdemo.a")), "{board}");
    }
}

/// The rules for libraries that Arduino's linter goes by, as far as they concern what is written here.
#[test]
fn the_library_keeps_to_the_rules_for_libraries() {
    let Some(files) = demo("nrf52840") else { return };
    let text = |name: &str| String::from_utf8_lossy(&files[&format!("demo/{name}")]).into_owned();
    let properties = text("library.properties");
    let fields: BTreeMap<&str, &str> = properties.lines().map(|line| line.split_once('=').expect("a field")).collect();
    assert_eq!(fields.len(), properties.lines().count(), "no field twice: {properties}");
    for name in ["name", "version", "author", "maintainer", "sentence", "paragraph", "category", "url", "architectures"]
    {
        assert!(fields.get(name).is_some_and(|value| !value.is_empty()), "{name}: {properties}");
    }
    let name = fields["name"];
    assert!(name.len() <= 63 && name.starts_with(|c: char| c.is_ascii_alphanumeric()), "{name}");
    assert!(
        name.chars().all(|c| c.is_ascii_alphanumeric() || " _.-".contains(c)) && !name.contains("arduino"),
        "{name}"
    );
    assert_eq!(fields["version"].split('.').filter(|part| part.parse::<u32>().is_ok()).count(), 3);
    assert!(fields["url"].starts_with("https://"));
    let categories = [
        "Display",
        "Communication",
        "Signal Input/Output",
        "Sensors",
        "Device Control",
        "Timing",
        "Data Storage",
        "Data Processing",
        "Other",
    ];
    assert!(categories.contains(&fields["category"]));
    assert!(fields["architectures"].split(',').all(|name| ARCHITECTURES.contains(&name)), "{properties}");
    assert!(files.contains_key(&format!("demo/src/{}", fields["includes"])));
    assert_eq!((fields["precompiled"], fields["ldflags"]), ("full", "-ldemo"));
    for file in ["README.md", "LICENSE-MIT", "LICENSE-APACHE", "keywords.txt", "examples/Predict/Predict.ino"] {
        assert!(!text(file).is_empty(), "{file}");
    }
    for line in text("keywords.txt").lines() {
        let [word, kind] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("two columns: {line:?}") };
        assert!(!word.contains(' ') && ["KEYWORD1", "KEYWORD2", "LITERAL1"].contains(&kind), "{line:?}");
    }
    let folders: Vec<&str> = files.keys().filter_map(|path| path.strip_suffix("/libdemo.a")).collect();
    assert_eq!(folders, ["demo/src/cortex-m4/fpv4-sp-d16-hard", "demo/src/cortex-m4"]);
    for folder in folders {
        assert!(text("README.md").contains(folder.trim_start_matches("demo/")), "{folder} is named in the page");
    }
}

#[test]
fn the_arduino_sketch_computes_what_the_host_computes() {
    let board = boards::find("mps2-an500").unwrap();
    let network = Network::from_graph(smidgen_synthetic::demo(3)).unwrap();
    let compiled = compiled(&network, &board, "demo", ScheduleChoice::Auto, false);
    let Some(made) = built(compiled.arduino()) else { return };
    assert_eq!(made.keys().collect::<Vec<_>>(), ["demo.zip"]);
    assert_eq!(Some(&made), built(compiled.arduino()).as_ref(), "the same bytes every time");
    let folder = tempfile::tempdir().unwrap();
    let files = unpacked(&made["demo.zip"]);
    write(folder.path(), &files);
    fs::write(folder.path().join("Arduino.h"), ARDUINO).unwrap();
    let sketch = files.keys().find(|name| name.ends_with(".ino")).expect("a sketch");
    let expected = {
        let shape = network.graph().tensor(network.graph().inputs[0]).shape.dims().to_vec();
        let zeros = vec![0; shape.iter().product()];
        Runner::new(&network, &LowerOptions::default()).unwrap().run(&[Array::from_i8(&shape, &zeros)]).unwrap()
    };
    let (startup, script) = (example("startup.c"), format!("-T{}", example("link.ld")));
    for (abi, libraries) in [("hard", "-Ldemo/src/cortex-m7/fpv5-d16-hard"), ("softfp", "-Ldemo/src/cortex-m7")] {
        let abi = format!("-mfloat-abi={abi}");
        let target: Vec<&str> = TARGET.iter().map(|&t| if t.starts_with("-mfloat-abi") { &abi } else { t }).collect();
        let compile =
            ["-c", "-x", "c++", "-fno-exceptions", "-include", "Arduino.h", "-Idemo/src", sketch, "-o", "sketch.o"];
        let link = ["sketch.o", &startup, libraries, "-ldemo", &script, "-o", "sketch.elf"];
        if !gcc(folder.path(), &[&target[..], &compile].concat()) || !gcc(folder.path(), &[&target[..], &link].concat())
        {
            return;
        }
        let Some(console) = emulated(folder.path(), "sketch.elf") else { return };
        assert_eq!(numbers(&console), expected[0].to_f64(), "{console}");
    }
}
