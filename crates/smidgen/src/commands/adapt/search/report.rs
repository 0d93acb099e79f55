//! The report of a search for an update scheme.

use super::told::{Chosen, classes, percent};
use super::{Ended, Search};
use crate::commands::search::report::command_line;
use crate::console::Failure;
use crate::console::format::{bytes, count, thousands};
use smidgen::ir::visible_path;
use smidgen::report::Figure;
use smidgen::report::scheme::{BiasRow, ConvolutionRow, Part, SchemeSummary, html};

impl Search {
    /// The page; `scheme` is the file as it is written.
    pub(super) fn page(&self, ended: &Ended, scheme: &str) -> Result<String, Failure> {
        let page = html(&self.summary(ended, scheme));
        page.map_err(|error| Failure::usage(error.to_string(), "the scheme was written"))
    }

    fn summary(&self, ended: &Ended, scheme: &str) -> SchemeSummary {
        let Ended { found, survey, gauge, gains, material, .. } = ended;
        let space = &survey.space;
        let figure = |label: &str, value: String, kind: String| Figure { label: label.to_owned(), value, kind };
        let base = &ended.rungs[0];
        let [before, now] = ended.counts;
        let counted = gauge.counting().what();
        let figures = vec![
            figure(
                "accuracy",
                percent(ended.measured.accuracy()),
                format!(
                    "of {} held out; last layer alone {}",
                    thousands(material.held_out.len() as u64),
                    percent(base.accuracy())
                ),
            ),
            figure(
                "score",
                percent(ended.measured.score()),
                format!(
                    "the sum of gains said {}; last layer alone {}",
                    percent(base.score() + found.gain),
                    percent(base.score())
                ),
            ),
            figure("memory", bytes(found.taken), format!("of {counted}; {} allowed", thousands(survey.budget as u64))),
            figure(
                "biases",
                found.scheme.n_bias_update.to_string(),
                format!("of {} convolutions, the last ones", space.convolutions),
            ),
            figure(
                "weights",
                count(ended.chosen().len(), "convolution"),
                "all or some of their input channels".to_owned(),
            ),
            figure(
                "data",
                visible_path(&self.data.data).to_string(),
                format!("{} learnt, {}", thousands(material.learnt.len() as u64), classes(material.classes)),
            ),
            figure(
                "measured",
                count(before + now, "scheme"),
                format!("{}, rate {}, seed {}", count(self.epochs as usize, "epoch"), ended.rate, self.seed),
            ),
            figure(
                "asked about",
                count(found.evolved.evaluations, "scheme"),
                format!("{} planned in all", thousands(gauge.plans() as u64)),
            ),
        ];
        let biases = survey.biases.iter().map(|&(number, taken)| {
            let rung = space.biases.iter().position(|&other| other == number);
            BiasRow {
                count: number,
                bytes: taken,
                measured: rung.map(|i| [ended.rungs[i].accuracy(), ended.rungs[i].probability]),
                chosen: rung == Some(found.choice.biases),
                reference: rung == Some(survey.most_biases()) && !ended.parts.is_empty(),
            }
        });
        let beside = ended.rungs.last().map_or(0.0, |measured| measured.score());
        let mut parts = ended.parts.iter();
        let convolutions = gauge.sizes().iter().enumerate().map(|(i, size)| ConvolutionRow {
            index: i,
            kind: ended.kind(i),
            input: size.input,
            outputs: size.output[2],
            biased: space.reaches(found.choice.biases, i),
            parts: (0..space.parts[i].len())
                .map(|j| Part {
                    ratio: space.parts[i][j],
                    gain: gains.weights[i][j],
                    measured: parts.next().map_or(0.0, |measured| measured.score() - beside),
                    bytes: survey.estimate.weights[i][j],
                    chosen: found.choice.weights[i] == j + 1,
                })
                .collect(),
        });
        let chosen: Vec<String> =
            ended.chosen().iter().map(|Chosen { convolution, .. }| convolution.to_string()).collect();
        let weights =
            if chosen.is_empty() { "no weights".to_owned() } else { format!("weights of {}", chosen.join(", ")) };
        SchemeSummary {
            model: self.model.path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()),
            verdict: match ended.nothing_gained() {
                Some(why) => format!("The classifier alone, {} of {counted}: {why}.", bytes(found.taken)),
                None => format!(
                    "Biases of the last {} convolutions, {weights}: {} of {counted}.",
                    found.scheme.n_bias_update,
                    bytes(found.taken)
                ),
            },
            figures,
            command: command_line(),
            scheme: scheme.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join("\n"),
            counted: counted.to_owned(),
            budget: survey.budget,
            biases: biases.collect(),
            convolutions: convolutions.collect(),
            evolution: found.evolved.curve.clone(),
            evaluations: found.evolved.evaluations,
            optimum: found.optimum,
        }
    }
}
