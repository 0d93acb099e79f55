//! `smidgen plan`: does a network fit a board, and how.

mod present;

pub use present::segments;

use super::Answer;
use crate::console::ends;
use crate::console::format::{bytes, wrap};
use crate::console::options::{Model, ObjectiveName, ReferenceOption, size};
use crate::console::output::{BAD, GOOD, Output};
use crate::console::{Code, Failure, interrupt, progress};
use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};
use smidgen::boards;
use smidgen::certificate::occupancy;
use smidgen::fit::Fit;
use smidgen::ir::visible_path;
use smidgen::plan;
use smidgen::plan::planner::{self, Advice, Objective, PlanOptions, PlanPoint};
use smidgen::scope::Scope;
use smidgen::{Error, Planned, Target, report};
use std::collections::HashMap;
use std::path::PathBuf;

/// Find the smallest memory for a network, or tell why it does not fit
#[derive(Args, Debug)]
#[command(after_long_help = "\
Examples:
  smidgen plan model.tflite                        little SRAM, and few instructions for it
  smidgen plan model.tflite --objective sram       the smallest SRAM that computes the same bytes
  smidgen plan model.tflite --board stm32f746      does it fit this board?
  smidgen plan model.tflite --sram 64K --io int8   does it fit 64 KiB, fed with integers?
  smidgen plan model.tflite --stream-input         no frame is stored: rows are pushed one by one
  smidgen plan model.tflite --objective pareto     every plan that no other beats
  smidgen plan model.tflite --html plan.html       memory map, SRAM over time, alternatives
  smidgen plan model.tflite --board rp2040 --objective speed
                                                   the fewest instructions that still fit
  smidgen plan model.tflite --schedule patch:3x3@12
                                                   the first 12 operators in 3 by 3 patches

The network is cleaned up first: count operators by `smidgen inspect MODEL --clean`. Sizes are exact: buffers, rings, accumulators and kernel scratch lie in one arena. The stack and the application's own
variables come on top. Every plan is certified by code that shares nothing with the planner. Instructions are modelled for \
the board's core, without a board for Cortex-M4, M7, M33 and M55; how far off the model is, docs/planning.md says. A network with float ends is planned with integers too, to say \
what they cost. Without --board and --sram everything fits that any board could hold: activations of at most 32 MiB and \
1,048,576 rows each, of 128 MiB and 2,048 in number alive at one time. The exit code is 5 if it does not. Of a network with \
very many rows or steps not every schedule is looked at, which the report says.")]
pub struct Plan {
    #[command(flatten)]
    model: Model,
    /// Plan for this board: a name from `smidgen boards`, or your own file
    #[arg(long, value_name = "NAME|FILE", conflicts_with = "sram")]
    board: Option<String>,
    /// Plan for this much SRAM: bytes, or with K or M for KiB or MiB
    #[arg(long, value_name = "BYTES", value_parser = size)]
    sram: Option<usize>,
    /// auto, layer, stream, patch:ROWSxCOLS@OPERATORS or strips:COUNT@OPERATORS
    #[arg(long, default_value = "auto")]
    schedule: plan::schedule::ScheduleChoice,
    /// What to be good at
    #[arg(long, value_enum, default_value_t)]
    objective: Wanted,
    /// The caller pushes rows of the input; no full frame is stored
    #[arg(long)]
    stream_input: bool,
    #[command(flatten)]
    reference: ReferenceOption,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Also write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Wanted {
    /// One plan.
    One(ObjectiveName),
    /// A balanced one, and every plan that no other beats in both bytes and instructions.
    Pareto,
}

impl Default for Wanted {
    fn default() -> Self {
        Self::One(ObjectiveName::default())
    }
}

impl ValueEnum for Wanted {
    fn value_variants<'a>() -> &'a [Self] {
        use ObjectiveName::{Balanced, Speed, Sram};
        &[Self::One(Balanced), Self::One(Sram), Self::One(Speed), Self::Pareto]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        match self {
            Self::One(objective) => objective.to_possible_value(),
            Self::Pareto => {
                Some(PossibleValue::new("pareto").help("As `balanced`, and every plan that no other beats in both"))
            }
        }
    }
}

impl From<Wanted> for Objective {
    fn from(wanted: Wanted) -> Self {
        match wanted {
            Wanted::One(objective) => objective.into(),
            Wanted::Pareto => Self::Balanced,
        }
    }
}

/// Everything that was found out, for the three ways to present it.
pub struct Findings<'a> {
    model: String,
    planned: &'a Planned<'a>,
    advice: Option<Advice>,
    front: Vec<PlanPoint>,
    layered: Option<Layered>,
    command: &'a Plan,
}

/// What the same network takes layer by layer.
struct Layered {
    /// Bytes of SRAM.
    total_bytes: usize,
    /// Live bytes at the peak of each step, by its name.
    steps: HashMap<String, usize>,
}

impl Layered {
    /// `None` if that is beyond a bound of the planner's.
    fn of(planned: &Planned) -> Option<Self> {
        let planner::Plan { program, report } = planned.layer_by_layer()?;
        let mut steps = HashMap::new();
        for (step, &live) in program.steps_of_runs().iter().zip(&occupancy(&program).live_bytes) {
            let peak: &mut usize = steps.entry(program.steps[step.index()].name.clone()).or_default();
            *peak = live.max(*peak);
        }
        Some(Self { total_bytes: report.total_bytes, steps })
    }
}

impl Findings<'_> {
    /// For which cores its modelled figures hold.
    fn scope(&self) -> Scope<'_> {
        self.planned.target.scope()
    }

    fn fit(&self) -> Fit {
        self.planned.fit()
    }

    fn fits(&self) -> bool {
        self.fit().fits()
    }

    fn verdict(&self) -> String {
        self.fit().verdict(bytes)
    }

    /// What float ends cost, if anything.
    fn float_ends(&self) -> Option<String> {
        let Planned { plan, target, integer_ends, .. } = self.planned;
        integer_ends.map(|ends| ends::sentence(&plan.report, &ends, self.scope(), target.sram()))
    }
}

impl Plan {
    pub fn run(&self, out: &mut Output) -> Result<Answer, Failure> {
        let board = self.board.as_deref().map(boards::find).transpose().map_err(Error::from)?;
        let budget = self.sram.or(board.as_ref().map(|b| b.sram.bytes as usize));
        let waiting = progress::waiting(out, "planning");
        let mut network = self.model.open()?;
        network.canonicalise().map_err(Failure::from)?;
        let plan = PlanOptions {
            schedule: self.schedule,
            objective: self.objective.into(),
            budget,
            stream_input: self.stream_input,
            costs: Scope::of(board.as_ref()).costs(),
        };
        let planned = network.plan(&Target { board, lower: self.reference.options(), plan })?;
        let findings = Findings {
            model: self.model.path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned()),
            advice: planned.advice(),
            front: if self.objective == Wanted::Pareto { planned.front()? } else { Vec::new() },
            layered: Layered::of(&planned),
            planned: &planned,
            command: self,
        };
        // Nothing of the memory map goes into the JSON.
        let map = (self.html.is_some() || !self.json).then(|| occupancy(&planned.plan.program));
        drop(waiting);
        if let (Some(path), Some(map)) = (&self.html, &map) {
            let page = report::html(&planned.plan.program, map, &present::summary(&findings, map))
                .map_err(|e| Failure::usage(e.to_string(), "leave --html out"))?;
            interrupt::write(path, page.as_bytes())?;
        }
        match &map {
            Some(map) if !self.json => {
                let style = if findings.fits() { GOOD } else { BAD };
                out.line(format!("{style}{}{style:#}", findings.verdict()))?;
                if let Some(said) = findings.float_ends() {
                    out.line(wrap(&said, out.width, 2))?;
                }
                present::text(&findings, map, out)?;
                if let Some(path) = &self.html {
                    out.note(format!("report written to {}", visible_path(path)))?;
                }
            }
            _ => out.json(&present::json(&findings))?,
        }
        Ok(if findings.fits() { Answer::Yes } else { Answer::No(Code::DoesNotFit) })
    }
}
