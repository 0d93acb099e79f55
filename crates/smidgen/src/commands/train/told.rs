//! What `smidgen train` prints.

use super::{Sets, Train};
use crate::console::Failure;
use crate::console::format::{bytes, percent, real, thousands};
use crate::console::output::{Output, STRONG};
use serde_json::{Value, json};
use smidgen::Evaluation;
use smidgen::data::{Dataset, Feeder};
use smidgen::ir::{visible, visible_path};
use smidgen::train::start::Replaced;
use smidgen::train::{Course, Epoch, Start};

impl Train {
    /// Tells what is trained, on what.
    pub(super) fn tell(&self, out: &mut Output, sets: &Sets, start: &Start, feeder: &Feeder) -> Result<(), Failure> {
        replaced(out, start, self.json)?;
        if self.json {
            return Ok(());
        }
        let classes = thousands(sets.classes() as u64);
        let of = |(set, chosen): (&Dataset, &[usize]), what: &str| {
            let part = set.part().map_or_else(String::new, |part| format!(", part `{part}`"));
            format!("{} {what}{part}", thousands(chosen.len() as u64))
        };
        let mut text = format!("data  {}: {classes} classes; ", visible_path(&self.data.data));
        text += &of((&sets.training, &sets.chosen), "samples to train on");
        if let Some(test) = &sets.test {
            text += &format!("; {}", of((test, &sets.judged), "to test"));
        }
        if sets.held_out {
            text += &format!("; {} held back to test", thousands(sets.judged.len() as u64));
        }
        if let (Some(normalisation), true) = (feeder.normalisation(), sets.training.holds_pixels()) {
            let (low, high) = normalisation.range();
            text += &format!("; pixels normalised `{normalisation}` ({} to {})", real(low), real(high));
        }
        out.wrapped(&text, 6)?;
        if sets.training.holds_pixels() && feeder.describe().is_some_and(|(_, guessed)| guessed) {
            out.warn(
                "what pixels become is a guess: give what the network was trained with (--normalise raw, unit, \
                 symmetric, imagenet, caffe)",
            );
        }
        let name = self.subject.name();
        let dims: Vec<String> = start.net.input_shape().iter().map(usize::to_string).collect();
        let (parameters, macs) = (thousands(start.parameters.len() as u64), thousands(start.network.cost().macs));
        out.wrapped(&format!("net   {name}: input {}, {parameters} parameters, {macs} MACs", dims.join("x")), 6)
    }

    /// What is told after Ctrl-C: where it stopped, and with which epoch a checkpoint goes on. `begun` epochs were
    /// there before, `last` is the last one since.
    pub(super) fn interrupted(&self, course: &Course, (begun, last): (usize, Option<&Epoch>)) -> String {
        let output = visible_path(&self.output);
        let of = course.all_steps().map_or_else(String::new, |all| format!(" of {}", thousands(all)));
        let steps = format!("step {}{of}", thousands(course.steps()));
        let taken_up = (begun > 0 && self.checkpoint == self.resume).then_some(begun);
        let go_on = match (&self.checkpoint, last.map(|epoch| epoch.number).or(taken_up)) {
            (Some(path), Some(done)) => {
                format!("; `--resume {}` goes on after epoch {done} of {}", visible_path(path), self.all_epochs())
            }
            _ => String::new(),
        };
        format!("interrupted after {steps}: `{output}` was not written{go_on}")
    }

    /// Tells what the written file is worth.
    pub(super) fn show(&self, out: &mut Output, sets: &Sets, result: &Evaluation, size: usize) -> Result<(), Failure> {
        let share = percent(result.top1, result.samples, 2);
        let of = format!("{} of {}", thousands(result.top1), thousands(result.samples));
        let which = match sets.test.as_ref().map(|test| test.part().unwrap_or("test")) {
            Some(part) => format!("samples, part `{}`", visible(part)),
            None if sets.held_out => "samples that were held back".to_owned(),
            None => "samples that it was trained on".to_owned(),
        };
        out.line(format!("{STRONG}top-1 {share}{STRONG:#} ({of} {which})"))?;
        if !sets.are_tested() {
            out.wrapped(
                "the data have no part to test: how often it is right on others is not known (`--hold-out 0.2` tells)",
                0,
            )?;
        }
        out.note(format!("{}: {}", visible_path(&self.output), bytes(size)))
    }

    /// The same for programs.
    pub(super) fn describe(
        &self,
        sets: &Sets,
        start: &Start,
        epochs: &[Epoch],
        (course, result): (&Course, &Evaluation),
        size: usize,
    ) -> Value {
        json!({
            "output": self.output.display().to_string(),
            "bytes": size,
            "parameters": start.parameters.len(),
            "macs": start.network.cost().macs,
            "classes": sets.training.classes(),
            "samples": sets.chosen.len(),
            "part": sets.training.part(),
            "replaced": start.replaced.as_ref().map(|replaced| json!({
                "layer": replaced.layer,
                "outputs_before": replaced.before,
                "outputs": replaced.after,
            })),
            "steps": course.steps(),
            "epochs": described(epochs),
            "accuracy": result.accuracy(),
            "accuracy_of": {
                "samples": result.samples,
                "part": sets.judged().part(),
                "held_out": sets.held_out,
                "trained_on_them": !sets.are_tested(),
            },
            "interrupted": result.stopped,
        })
    }
}

/// Tells of a last layer that gave way to a fresh one; as a warning where results are for programs.
pub fn replaced(out: &mut Output, start: &Start, json: bool) -> Result<(), Failure> {
    let Some(Replaced { layer, before, after }) = &start.replaced else { return Ok(()) };
    let text = format!(
        "the last layer, `{}`, is a fresh one: it had {before} outputs, and the data have {after} classes",
        visible(layer)
    );
    if json {
        out.warn(text);
        return Ok(());
    }
    out.wrapped(&format!("note  {text}"), 6)
}

/// Epochs for programs.
pub fn described(epochs: &[Epoch]) -> Vec<Value> {
    let one = |epoch: &Epoch| {
        json!({
            "epoch": epoch.number,
            "loss": epoch.loss,
            "training_accuracy": epoch.accuracy,
            "test_accuracy": epoch.tested,
            "rate": epoch.rate,
            "integers": epoch.knowing,
        })
    };
    epochs.iter().map(one).collect()
}

/// What an epoch came to, on one line.
pub fn line(epoch: &Epoch, epochs: Option<usize>) -> String {
    let share = |part: f64| format!("{:>8}", percent((part * 1e4).round() as u64, 10_000, 2));
    let digits = epochs.map_or(0, |epochs| epochs.to_string().len());
    let of = epochs.map_or_else(String::new, |epochs| format!(" of {epochs}"));
    let tested = epoch.tested.map_or_else(String::new, |tested| format!("  test {}", share(tested)));
    format!(
        "epoch {:>digits$}{of}  loss {:.4}  training {}{tested}  rate {}{}",
        epoch.number,
        epoch.loss,
        share(epoch.accuracy),
        real((f64::from(epoch.rate) * 1e6).round() / 1e6),
        if epoch.knowing { "  int8" } else { "" }
    )
}
