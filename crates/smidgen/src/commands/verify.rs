//! `smidgen verify`: the same bytes as the reference, or where not and why.

use super::Answer;
use crate::console::format::{count, real, thousands, wrap};
use crate::console::options::{Model, ReferenceName, ReferenceOption, Tolerance};
use crate::console::output::{BAD, GOOD, Output};
use crate::console::{Code, Failure, progress};
use clap::Args;
use serde_json::{Value, json};
use smidgen::Network;
use smidgen::data::Archive;
use smidgen::files;
use smidgen::ir::{visible, visible_path};
use smidgen::verify::{Checked, Mismatch, Report, Rule, compare};
use std::path::PathBuf;

/// Compare a network's outputs with those of a reference, to the byte
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen verify model.tflite --golden model.npz
  smidgen verify model.tflite --golden model.npz --json
  smidgen verify quantised.onnx --golden model.npz --tolerance 1
      a network in QDQ form beside ONNX Runtime, which rounds otherwise between two tensors

The golden file holds `input_K` and `output_K_J` for sample K and output J (`input_K_I` where the network has several \
inputs), and may hold `tensor_I`: the value of tensor I of the model file for sample 0, from which the first operator \
that differs is found. For an ONNX file these go by the names that its operators' outputs have there. With numpy and an interpreter \
at hand:
  numpy.savez(\"model.npz\", input_0=x, output_0_0=y, tensor_7=interpreter.get_tensor(7))

Inputs and outputs have the shapes of the model file: of an ONNX file's images, channels first. smidgen transposes them \
and says so. An array that suits the network only with the channels last is taken as it is.

Samples of a network with state are frames of one sequence, of which the first meets the state that the network begins with.

Integers must be equal, and so must floats that an integer network gives, but for what --tolerance allows: a step is 1 for \
stored integers, and the scale of what was dequantised for floats. Floats of an all-float network may differ by 1e-5 of \
the greatest magnitude in their tensor. Exit code 0: all equal; 1: something differs.")]
pub struct Verify {
    #[command(flatten)]
    model: Model,
    /// Reference inputs and outputs
    #[arg(short, long, value_name = "FILE.npz")]
    golden: PathBuf,
    #[command(flatten)]
    tolerance: Tolerance,
    #[command(flatten)]
    reference: ReferenceOption,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let network = self.model.open()?;
        let steps = self.tolerance.steps(&network)?;
        let waiting = progress::waiting(out, "comparing");
        let report = self.report(&network, self.reference.reference, steps)?;
        let other = (!report.passes()).then(|| self.agreeing_reference(&network, steps)).transpose()?.flatten();
        drop(waiting);
        if self.json {
            out.json(&describe(&network, &report, other))?;
        } else if report.passes() {
            let within = match report.steps_allowed() {
                0 => String::new(),
                steps => format!(" within {}", count(steps as usize, "step")),
            };
            out.line(format!("{GOOD}equal{within}{GOOD:#}  {}", visible_path(&self.model.path)))?;
            told_orders(out, &report.orders)?;
            out.note(compared(&report))?;
            for checked in report.intermediates.iter().chain(&report.outputs) {
                out.detail(format!("  {}", row(&network, checked)))?;
            }
        } else {
            self.explain(out, &network, &report, other)?;
        }
        Ok(if report.passes() { Answer::Yes } else { Answer::No(Code::Differs) })
    }

    fn report(&self, network: &Network, reference: ReferenceName, steps: u32) -> Result<Report, Failure> {
        let golden = || -> Result<Report, smidgen::Error> {
            let mut archive = Archive::new(files::read(&self.golden)?)?;
            let options = ReferenceOption { reference }.options();
            smidgen::verify(network, &mut archive, &options, steps)
        };
        // What the network itself is at fault for is not the golden file's.
        golden().map_err(|error| match error {
            smidgen::Error::Lower(_) => error.at(&self.model.path).into(),
            _ => error.at(&self.golden).into(),
        })
    }

    /// Another reference whose bytes the golden file does hold.
    fn agreeing_reference(&self, network: &Network, steps: u32) -> Result<Option<ReferenceName>, Failure> {
        for name in ReferenceName::ALL.into_iter().filter(|&name| name != self.reference.reference) {
            if self.report(network, name, steps)?.passes() {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }

    fn explain(
        &self,
        out: &mut Output,
        network: &Network,
        report: &Report,
        other: Option<ReferenceName>,
    ) -> Result<(), Failure> {
        let differing = report.outputs.iter().filter(|c| c.outcome.is_err()).count();
        out.line(format!(
            "{BAD}different{BAD:#}  {}: {} of {}",
            visible_path(&self.model.path),
            thousands(differing as u64),
            count(report.outputs.len(), "output"),
        ))?;
        if let Some((checked, mismatch)) = report.first_mismatch() {
            let d = &mismatch.difference;
            let from = if !checked.array.starts_with("output_") {
                "everything before it agrees"
            } else if report.intermediates.is_empty() {
                "the file has no intermediate tensors, so the operator that went wrong may be an earlier one"
            } else {
                "what lies between is known for sample 0 only, and agrees there"
            };
            out.line(wrap(&format!("first: {} ({from})", place(network, checked)), out.width, 2))?;
            out.line(format!(
                "  {} of {} differ, by at most {}, at {:?}: {} here, {} in the reference",
                thousands(d.differing as u64),
                count(d.elements, "element"),
                largest(mismatch),
                d.at,
                real(d.ours),
                real(d.reference),
            ))?;
            out.line(wrap(&format!("  usual cause: {}", mismatch.cause), out.width, 4))?;
        }
        if let Some(other) = other {
            let other = other.name();
            out.line(format!("with --reference {other} all is equal: the golden file comes from that version"))?;
        }
        if report.within_one_step() && report.has_steps() {
            out.line("no value is more than one step of its quantisation away: with --tolerance 1 all is equal")?;
        }
        told_orders(out, &report.orders)?;
        out.note(compared(report))?;
        for checked in report.intermediates.iter().chain(&report.outputs) {
            if out.verbose() || checked.outcome.is_err() && checked.array.starts_with("output_") {
                out.note(format!("  {}", row(network, checked)))?;
            }
        }
        Ok(())
    }
}

/// What was compared, in words.
fn compared(report: &Report) -> String {
    let between = match report.intermediates.len() {
        0 => "no intermediate tensors".to_owned(),
        n => format!("{} of sample 0", count(n, "intermediate tensor")),
    };
    let steps = report.outputs.iter().find_map(|c| match c.rule {
        Rule::Steps { count, .. } => Some(count as usize),
        Rule::Bits | Rule::Relative(_) => None,
    });
    let float = report.outputs.iter().any(|c| matches!(c.rule, Rule::Relative(_)));
    let mut exact = match steps {
        Some(n) => format!("within {} of their quantisation", count(n, "step")),
        None if float => "within 1e-5 of the greatest".to_owned(),
        None => "to the byte".to_owned(),
    };
    // What was needed says something only where it was enough.
    match steps {
        Some(_) if report.passes() => exact += &format!("; at most {} was needed", report.steps_allowed()),
        None if float && report.passes() => exact += &format!("; at most {} was needed", real(report.worst_allowed())),
        _ => {}
    }
    format!(
        "compared {}: {} and {between}, {exact}",
        count(report.samples, "sample"),
        count(report.outputs.len(), "output")
    )
}

/// What became of arrays whose axes lie otherwise in the model file.
pub fn told_orders(out: &mut Output, orders: &[String]) -> Result<(), Failure> {
    orders.iter().try_for_each(|told| out.wrapped(&format!("golden  {told}"), 8))
}

/// The greatest difference, in steps as well where that says more.
fn largest(mismatch: &Mismatch) -> String {
    let largest = mismatch.difference.largest;
    match mismatch.step.filter(|&step| step != 1.0 && largest.is_finite()) {
        Some(step) => {
            let steps = compare::steps(largest, step, mismatch.difference.magnitude);
            format!("{} ({})", real(largest), count(steps as usize, "step"))
        }
        None => real(largest),
    }
}

/// The array, the operator that writes it and the tensor's name.
fn place(network: &Network, checked: &Checked) -> String {
    let graph = network.graph();
    let name = visible(&graph.tensor(checked.tensor).name);
    match checked.operator {
        Some(id) => {
            format!(
                "operator {} {}, which writes `{name}` ({})",
                id.0,
                graph.operators[id.index()].op.name(),
                checked.array
            )
        }
        None => format!("`{name}` ({})", checked.array),
    }
}

fn row(network: &Network, checked: &Checked) -> String {
    let outcome = match &checked.outcome {
        Ok(0.0) => "equal".to_owned(),
        Ok(steps) if matches!(checked.rule, Rule::Steps { .. }) => format!("within {}", count(*steps as usize, "step")),
        Ok(relative) => format!("within {}", real(*relative)),
        Err(mismatch @ Mismatch { difference: d, .. }) => {
            format!(
                "{} of {} differ, by at most {}",
                thousands(d.differing as u64),
                thousands(d.elements as u64),
                largest(mismatch)
            )
        }
    };
    format!("{:14} {outcome:10}  {}", checked.array, place(network, checked))
}

fn describe(network: &Network, report: &Report, other: Option<ReferenceName>) -> Value {
    let graph = network.graph();
    let checked = |c: &Checked| {
        let operator = c.operator.map(|id| json!({ "index": id.0, "name": graph.operators[id.index()].op.name() }));
        let mut value = json!({
            "array": c.array,
            "tensor": graph.tensor(c.tensor).name,
            "operator": operator,
            "equal": c.outcome.is_ok(),
        });
        match &c.outcome {
            Ok(steps) if matches!(c.rule, Rule::Steps { .. }) => value["steps"] = json!(steps),
            Ok(relative) => value["relative_difference"] = json!(relative),
            Err(Mismatch { difference: d, cause, step }) => {
                value["differing"] = json!(d.differing);
                value["elements"] = json!(d.elements);
                value["largest"] = json!(d.largest);
                value["at"] = json!(d.at);
                value["ours"] = json!(d.ours);
                value["reference"] = json!(d.reference);
                value["step"] = json!(step);
                value["cause"] = json!(cause.to_string());
            }
        }
        value
    };
    json!({
        "equal": report.passes(),
        "within_one_step": report.within_one_step(),
        "samples": report.samples,
        "first_difference": report.first_mismatch().map(|(c, _)| checked(c)),
        "outputs": report.outputs.iter().map(checked).collect::<Vec<_>>(),
        "intermediates": report.intermediates.iter().map(checked).collect::<Vec<_>>(),
        "not_compared": report.not_compared,
        "orders": report.orders,
        "equal_with_reference": other.map(ReferenceName::name),
    })
}
