//! Ctrl-C, and SIGTERM likewise: what is being written is finished or taken away before the command ends.

use super::{Code, Failure};
use smidgen::{Error, files};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Held while files lie about that belong to nobody yet.
static FILES: Mutex<()> = Mutex::new(());
/// Set once the command is to end.
static ENDING: AtomicBool = AtomicBool::new(false);
/// Set by the first Ctrl-C, where a command ends by itself with what it has.
static STOP: OnceLock<Arc<AtomicBool>> = OnceLock::new();
/// Whoever holds the files longer than this is not waited for.
const PATIENCE: Duration = Duration::from_secs(3);
const PAUSE: Duration = Duration::from_millis(5);

/// From here on Ctrl-C ends the command with [`Code::Interrupted`]: at once, or when [`finish`] has. So does SIGTERM, which `kill`,
/// `timeout` and systems that shut down send. (SIGHUP keeps its meaning: `nohup` has it ignored.)
///
/// Where no handler can be set, both do what they always do.
pub fn handle() {
    let _ = ctrlc::set_handler(interrupted);
    #[cfg(unix)]
    if let Ok(mut signals) = signal_hook::iterator::Signals::new([signal_hook::consts::SIGTERM]) {
        std::thread::spawn(move || signals.forever().for_each(|_| interrupted()));
    }
}

/// What is done about a signal.
fn interrupted() {
    if STOP.get().is_some_and(|stop| !stop.swap(true, Ordering::Relaxed)) {
        return;
    }
    ENDING.store(true, Ordering::SeqCst);
    smidgen::sim::qemu::end_all();
    let deadline = Instant::now() + PATIENCE;
    loop {
        // Held until the process has ended, so that nothing new is begun.
        let held = FILES.try_lock();
        if held.is_ok() || Instant::now() > deadline {
            std::process::exit(Code::Interrupted as i32);
        }
        sleep(PAUSE);
    }
}

/// Does something that leaves files about while it runs and none when it returns; either signal waits for it.
///
/// Programs that it has started end as well, so that this is soon: a terminal's signal reaches them, and emulators are ended in any case.
pub fn finish<T>(work: impl FnOnce() -> T) -> T {
    let held = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    let done = work();
    drop(held);
    while ENDING.load(Ordering::SeqCst) {
        sleep(PAUSE);
    }
    done
}

/// Writes a file as a whole or not at all.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    finish(|| files::write_atomically(path, bytes)).map_err(|error| Error::from(error).into())
}

/// Set by the first Ctrl-C, for commands that can end early; a second one ends the process.
pub fn stop_flag() -> Arc<AtomicBool> {
    STOP.get_or_init(Arc::default).clone()
}
