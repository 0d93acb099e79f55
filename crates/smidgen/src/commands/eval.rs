//! `smidgen eval`: how often a classifier is right.

use super::Answer;
use crate::console::classes::read_labels;
use crate::console::format::{percent, thousands, wrap};
use crate::console::options::{Model, ReferenceOption};
use crate::console::output::{Output, STRONG};
use crate::console::samples::Data;
use crate::console::sense::{Better, better_normalisation, classes_differ};
use crate::console::table::{Column, Table};
use crate::console::{Code, Failure, interrupt, progress};
use clap::Args;
use serde_json::{Value, json};
use smidgen::data::Dataset;
use smidgen::data::set::Part;
use smidgen::evaluate::{Protocol, Skipped};
use smidgen::ir::visible;
use smidgen::{Evaluation, Network, Runner, evaluate};
use std::path::PathBuf;

/// Count how often a classifier is right, over a labelled set
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen eval model.tflite --data photos/
      photos/CLASS/*.jpg; photos/test/CLASS/*.jpg if there are parts
  smidgen eval model.tflite --data cifar10.tar.gz --samples 1000 --json
      1,000 of an archive's pictures, as many of each class; nothing is unpacked to disk
  smidgen eval model.tflite --data digits.npz --split test
      the arrays x_test and y_test

Classes are the folders' names, sorted; the network's outputs are taken to be in that order unless --labels says which \
is which. Pictures of other sizes are scaled (see --fit). Samples are taken from all classes in turn: Ctrl-C \
stops and prints what has been counted so far, which has as many of each class as possible.")]
pub struct Eval {
    #[command(flatten)]
    model: Model,
    #[command(flatten)]
    data: Data,
    /// Names of the network's classes in the order of its output, one on each line
    #[arg(short, long, value_name = "FILE")]
    labels: Option<PathBuf>,
    /// Take only so many samples, as many of each class as possible
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    samples: Option<u64>,
    /// Which samples are taken
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    reference: ReferenceOption,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// Classes beyond which a matrix tells less than its most frequent confusions.
const MOST_IN_MATRIX: usize = 30;
/// Letters of a class that still tell it.
const SHORTEST: usize = 4;
/// Confusions listed.
const LISTED: usize = 10;

const COLUMNS: [Column; 6] = [
    Column::right("#", 1),
    Column::left("class", 0),
    Column::right("samples", 3),
    Column::right("right", 0),
    Column::right("of those\nnamed so", 4),
    Column::left("most often taken for", 2),
];

impl Eval {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let network = self.model.open()?;
        let labels = self.labels.as_deref().map(read_labels).transpose()?;
        let set = self.data.open(Part::Test)?;
        let feeder = self.data.feeder(&network)?.with_infinities();
        let count = self.samples.map_or(usize::MAX, |n| n as usize);
        let indices = set.choose(count, self.seed);
        if !self.json {
            self.data.tell(out, &set, &feeder, &indices)?;
        }
        let runner = Runner::new(&network, &self.reference.options())?;
        let (bar, stop) = (progress::bar(out, "evaluating", indices.len()), interrupt::stop_flag());
        let done = || bar.inc(1);
        let protocol = Protocol { feeder: &feeder, labels: labels.as_deref(), strict: self.data.strict };
        let result = evaluate(network.graph(), &runner, &set, &indices, protocol, (&done, &stop));
        bar.finish_and_clear();
        let result = result?;
        let of = ((&network, &runner), (&self.data, &set), (&result, &indices[..]));
        let better = better_normalisation(out, of.0, of.1, of.2, protocol)?;
        if self.json {
            out.json(&describe(&result, set.part(), better.as_ref()))?;
        } else {
            out.print(show(&result, out.width))?;
        }
        warnings(out, &network, (&set, labels.as_deref()), &result);
        if let Some(better) = better {
            out.warn(better.told());
        }
        Ok(if result.stopped { Answer::No(Code::Interrupted) } else { Answer::Yes })
    }
}

/// Warns of what makes figures doubtful: samples that were left out or not reached, classes of other names.
pub fn warnings(
    out: &mut Output,
    network: &Network,
    (set, labels): (&Dataset, Option<&[String]>),
    result: &Evaluation,
) {
    for text in [Skipped::told(&result.skipped, result.wanted), classes_differ(network, set, labels), partial(result)] {
        text.into_iter().for_each(|text| out.warn(text));
    }
}

/// What the figures leave out: samples that were not counted, classes of which none was; `None` if they leave out
/// nothing.
fn partial(result: &Evaluation) -> Option<String> {
    let mut text = match result.stopped {
        true => format!("interrupted after {} of {} samples", thousands(result.samples), thousands(result.wanted)),
        false if result.unseen.is_empty() => return None,
        false => format!("{} samples were counted", thousands(result.samples)),
    };
    match result.unseen.len() {
        0 => text += &format!(", {} of each class", spread(result)),
        n => {
            let mut names: Vec<&str> = result.unseen.iter().take(LISTED).map(String::as_str).collect();
            if n > LISTED {
                names.push("...");
            }
            text += &format!(", none of {n} classes: {}", names.join(", "));
        }
    }
    Some(text)
}

/// How many samples of a class were counted, of those of which there were any: `12`, or `11 to 12`.
fn spread(result: &Evaluation) -> String {
    let counts = || result.confusion.iter().map(|row| row.iter().sum::<u64>()).filter(|&n| n > 0);
    match (counts().min().unwrap_or(0), counts().max().unwrap_or(0)) {
        (least, most) if least == most => thousands(least),
        (least, most) => format!("{} to {}", thousands(least), thousands(most)),
    }
}

/// How often it was right, and what it took for what.
pub fn show(result: &Evaluation, width: usize) -> String {
    let classes = result.classes.iter().map(|class| visible(class).into()).collect();
    let result = &Evaluation { classes, ..result.clone() };
    let Evaluation { classes, confusion, top1, top5, samples, .. } = result;
    let of = if result.stopped { format!(", stopped before {}", thousands(result.wanted)) } else { String::new() };
    let counts = format!("({} of {}{of})", thousands(*top1), thousands(*samples));
    let share = percent(*top1, *samples, 2);
    let gap = if share.len() + counts.len() + 7 > width { "\n  " } else { " " };
    let mut text = format!("{STRONG}top-1 {share}{STRONG:#}{gap}{counts}\n");
    if classes.len() > 5 {
        text += &format!("top-5 {} ({})\n", percent(*top5, *samples, 2), thousands(*top5));
    }
    text.push('\n');
    if classes.len() <= MOST_IN_MATRIX {
        let mut table = Table::new(&COLUMNS);
        for (c, row) in confusion.iter().enumerate() {
            let all: u64 = row.iter().sum();
            let named: u64 = confusion.iter().map(|row| row[c]).sum();
            let other = (0..classes.len()).filter(|&p| p != c && row[p] > 0).max_by_key(|&p| (row[p], usize::MAX - p));
            let other = other.map_or_else(String::new, |p| format!("{} ({})", classes[p], percent(row[p], all, 2)));
            table.row(vec![
                c.to_string(),
                classes[c].clone(),
                thousands(all),
                percent(row[c], all, 2),
                percent(row[c], named, 2),
                other,
            ]);
        }
        text += &table.render(width);
        text.push('\n');
        text += &matrix(result, width);
    } else {
        text += &confusions(result, width);
    }
    text
}

/// Rows are classes, columns what the network took them for: counts if they fit, else per cent of the row. What is still too wide is
/// cut into blocks of columns.
fn matrix(result: &Evaluation, width: usize) -> String {
    let Evaluation { classes, confusion, .. } = result;
    let number = |n: u64| if n == 0 { "\u{b7}".to_owned() } else { n.to_string() };
    let counts: Vec<Vec<String>> = confusion.iter().map(|row| row.iter().map(|&n| number(n)).collect()).collect();
    let share = |row: &Vec<u64>| {
        let all = row.iter().sum::<u64>().max(1);
        row.iter().map(|&n| number((100 * n + all / 2) / all)).collect::<Vec<_>>()
    };
    let shares: Vec<Vec<String>> = confusion.iter().map(share).collect();
    let widest = |cells: &[Vec<String>]| {
        let cells = cells.iter().flatten().map(|cell| cell.chars().count()).max().unwrap_or(1);
        cells.max((classes.len() - 1).to_string().len()) + 1
    };
    // Names give way to numbers, down to a few letters.
    let longest = classes.iter().map(|c| c.chars().count()).max().unwrap_or(0);
    let digits = (classes.len() - 1).to_string().len();
    let left = width.saturating_sub(digits + 1 + classes.len() * widest(&shares));
    let name = longest.min(if left < SHORTEST { width / 3 } else { left });
    let head = digits + 1 + name;
    let fits = |cells: &[Vec<String>]| head + classes.len() * widest(cells) <= width;
    let (cells, unit) = if fits(&counts) { (&counts, "samples") } else { (&shares, "per cent of the row") };
    let column = widest(cells);
    let block = (width.saturating_sub(head) / column).max(1);
    let mut text = format!("rows: the class; columns: what it was taken for; {unit}\n");
    for from in (0..classes.len()).step_by(block) {
        let columns = from..(from + block).min(classes.len());
        text += &" ".repeat(head);
        columns.clone().for_each(|c| text += &format!("{c:>column$}"));
        text.push('\n');
        for (c, row) in cells.iter().enumerate() {
            let short: String = classes[c].chars().take(name).collect();
            text += &format!("{c:>digits$} {short:name$}");
            columns.clone().for_each(|p| text += &format!("{:>column$}", row[p]));
            text.push('\n');
        }
    }
    text
}

/// The most frequent confusions.
fn confusions(result: &Evaluation, width: usize) -> String {
    let Evaluation { classes, confusion, .. } = result;
    let mut all: Vec<(u64, usize, usize)> = Vec::new();
    for (c, row) in confusion.iter().enumerate() {
        all.extend(row.iter().enumerate().filter(|&(p, &n)| p != c && n > 0).map(|(p, &n)| (n, c, p)));
    }
    all.sort_by_key(|&(n, c, p)| (u64::MAX - n, c, p));
    let mut text = String::from("most frequent confusions (--json has the whole matrix)\n");
    for (n, c, p) in all.into_iter().take(LISTED) {
        let line = format!("  {:>6}  {} taken for {}", thousands(n), classes[c], classes[p]);
        text += &(wrap(&line, width, 10) + "\n");
    }
    text
}

/// The same for programs.
pub fn describe(result: &Evaluation, part: Option<&str>, better: Option<&Better>) -> Value {
    json!({
        "samples": result.samples,
        "part": part,
        "top1": result.accuracy(),
        "top5": result.top5 as f64 / result.samples.max(1) as f64,
        "classes": result.classes,
        "confusion": result.confusion,
        "wanted": result.wanted,
        "classes_without_samples": result.unseen,
        "interrupted": result.stopped,
        "skipped": result.skipped.iter().map(|s| json!({ "sample": s.name, "reason": s.reason })).collect::<Vec<_>>(),
        "better_normalisation": better.map(|better| json!({
            "normalise": better.normalisation.name(),
            "top1": better.accuracy,
            "top1_now": better.now,
            "samples": better.samples,
        })),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example(classes: usize) -> Evaluation {
        let confusion: Vec<Vec<u64>> = (0..classes)
            .map(|c| (0..classes).map(|p| if c == p { 900 } else { ((c * 7 + p * 3) % 5 * 8) as u64 }).collect())
            .collect();
        Evaluation {
            classes: (0..classes).map(|c| format!("class-{c}")).collect(),
            top1: 900 * classes as u64,
            top5: 950 * classes as u64,
            samples: confusion.iter().flatten().sum(),
            wanted: confusion.iter().flatten().sum(),
            unseen: Vec::new(),
            confusion,
            stopped: false,
            skipped: Vec::new(),
            mistakes: Vec::new(),
        }
    }

    #[test]
    fn a_wide_terminal_shows_counts() {
        insta::assert_snapshot!("eval_wide", anstream::adapter::strip_str(&show(&example(4), 100)).to_string());
    }

    #[test]
    fn what_was_not_counted_is_told() {
        assert_eq!(partial(&example(4)), None);
        let stopped = Evaluation { stopped: true, wanted: 9000, ..example(4) };
        let text = partial(&stopped).unwrap();
        assert!(text.starts_with("interrupted after 3,") && text.contains(" of 9,000 samples, "), "{text}");
        assert!(text.ends_with(" of each class"), "{text}");
        assert!(show(&stopped, 100).contains(", stopped before 9,000)"));
        let few = Evaluation { samples: 3, unseen: vec!["cat".into(), "dog".into()], ..example(4) };
        assert_eq!(partial(&few).unwrap(), "3 samples were counted, none of 2 classes: cat, dog");
    }

    #[test]
    fn a_narrow_one_shows_shares_and_blocks() {
        insta::assert_snapshot!("eval_narrow", anstream::adapter::strip_str(&show(&example(10), 36)).to_string());
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for classes in [2, 10, 30, 31] {
            for width in [30, 40, 80, 100] {
                let text = anstream::adapter::strip_str(&show(&example(classes), width)).to_string();
                let wide =
                    text.lines().filter(|l| !l.starts_with("rows:") && !l.starts_with('(') && !l.starts_with("most"));
                for line in wide {
                    assert!(line.chars().count() <= width, "{classes} classes, {width} columns: {line}");
                }
            }
        }
    }
}
