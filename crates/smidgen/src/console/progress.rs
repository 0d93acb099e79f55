//! Progress of long work.

use super::Output;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Whoever waits this long is told what for.
const PATIENCE: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(100);

/// A bar on standard error for `total` samples; invisible where that is no terminal, or where only results are wanted.
pub fn bar(out: &Output, what: &'static str, total: usize) -> ProgressBar {
    let target = if out.quiet() { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(total as u64), target);
    let style = ProgressStyle::with_template("{msg} {bar:24} {human_pos} of {human_len}, {eta} left")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.set_style(style);
    bar.set_message(what);
    bar
}

/// A bar of work whose parts differ in length: what is left of it is said by its prefix.
pub fn estimated(out: &Output, what: &'static str, total: usize) -> ProgressBar {
    let bar = bar(out, what, total);
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:24} {human_pos} of {human_len}{prefix}") {
        bar.set_style(style);
    }
    bar
}

/// A line on standard error that says what is being waited for, from one second on until this is dropped. Nothing where that is no
/// terminal, or where only results are wanted.
pub struct Waiting(Option<(Sender<()>, JoinHandle<()>)>);

/// For work whose length nobody knows.
pub fn waiting(out: &Output, what: &'static str) -> Waiting {
    if out.quiet() || !std::io::stderr().is_terminal() {
        return Waiting(None);
    }
    let (end, ended) = channel();
    Waiting(Some((end, std::thread::spawn(move || show(what, &ended)))))
}

fn show(what: &'static str, ended: &Receiver<()>) {
    let goes_on = |time| ended.recv_timeout(time) == Err(RecvTimeoutError::Timeout);
    if !goes_on(PATIENCE) {
        return;
    }
    let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    let style = ProgressStyle::with_template("{spinner} {msg}, {elapsed}");
    line.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
    line.set_message(what);
    while goes_on(TICK) {
        line.tick();
    }
    line.finish_and_clear();
}

impl Drop for Waiting {
    /// Takes the line away before anything else is printed.
    fn drop(&mut self) {
        if let Some((end, thread)) = self.0.take() {
            drop(end);
            // A line that could not be shown is no reason to fail.
            let _ = thread.join();
        }
    }
}
