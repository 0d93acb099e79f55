//! From a plan with few bytes to a fast one: steps compute several rows together, and rows are cut into fewer parts.
//!
//! A depthwise convolution stages each input row once for all rows that it computes together, and each of its runs has its price; so
//! runs of several rows take far fewer instructions than single ones. But more of the input must be there, and more of the output
//! waits. Schedules are found with single rows. Then steps change their pace, what saves most for a byte first, as far as a limit of
//! bytes allows.

use super::candidate::Candidate;
use super::segments::Kind;
use super::{Choice, Draft, Least, List, Objective, PlanError, Planner, report};
use crate::allocate;
use crate::allocate::Outline;
use crate::schedule::Flow;
use smidgen_kernels::int8::mcu;
use smidgen_program::costs::Costs;
use smidgen_program::{Granularity, Kernel, Lowered, Step, WriteOrder, kernel};
use std::rc::Rc;

/// Rows that a step may compute together.
pub(super) const ROWS: [usize; 5] = [8, 6, 4, 3, 2];
/// Into how many parts rows may still be cut that are used up at once; only single rows are cut.
const PARTS: [usize; 2] = [1, 2];
/// Under [`Objective::Balanced`] the arena may be greater than the least by this part of it, ...
const TOLERANCE: usize = 16;
/// ... or by so many bytes, whichever is more.
const TOLERANCE_BYTES: usize = 1024;
/// [Visits](List::visits) in all, to find what is faster; a measure of time that is the same everywhere.
const VISITS: usize = 6_000_000;
/// How often the thorough search for offsets is asked at most whether there is room for more.
const ATTEMPTS: usize = 3;

/// Bytes that a balanced plan may take where so many are the least.
pub(super) fn tolerated(least: usize) -> usize {
    least + TOLERANCE_BYTES.max(least / TOLERANCE)
}

/// The plan that is made of a choice with single rows: as fast as the objective allows.
pub(super) fn tune(planner: &Planner, choice: Choice) -> Result<Draft, PlanError> {
    let least = choice.plan.report.total_bytes;
    let most = planner.options.budget.unwrap_or(usize::MAX).max(least);
    let limit = match planner.options.objective {
        Objective::Sram => least,
        Objective::Balanced => tolerated(least).min(most),
        Objective::Speed => most,
    };
    let mut tuner = Tuner::new(planner, choice.form.clone())?;
    let smallest = tuner.fastest(planner, least)?.unwrap_or(choice.plan);
    if limit == least {
        return Ok(smallest);
    }
    let figures = |plan: &Draft| Least { total_bytes: plan.report.total_bytes, instructions: plan.report.instructions };
    let mut least = figures(&smallest);
    let mut plans: Vec<Draft> = tuner.fastest(planner, limit)?.into_iter().collect();
    if let Some(rival) = planner.rival(limit)?.filter(|rival| rival.form != choice.form) {
        if rival.plan.report.total_bytes < least.total_bytes {
            least = figures(&rival.plan);
        }
        plans.extend(Tuner::new(planner, rival.form)?.fastest(planner, limit)?);
    }
    let Some(mut plan) = plans.into_iter().min_by_key(|plan| (plan.report.instructions, plan.report.total_bytes))
    else {
        return Ok(smallest);
    };
    if plan.report.instructions >= smallest.report.instructions {
        return Ok(smallest);
    }
    plan.report.least = Some(least);
    Ok(plan)
}

/// How one step proceeds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Pace {
    /// Rows computed together.
    rows: usize,
    /// Parts of rows that begin at the step and are used up at once, at most.
    parts: usize,
}

/// A faster pace for a step.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Offer {
    step: usize,
    pace: Pace,
    /// Hundredths of instructions.
    saves: u64,
    /// What the arena takes with it, by a quick look at the time of this change.
    bytes: usize,
    seen: usize,
    /// The paces at that time, where nobody has looked at the arena yet, so that `bytes` are only those that are live: it takes no less, and
    /// the offer is worth no more.
    at_least: Option<Rc<[Pace]>>,
}

impl Offer {
    /// Its worth beside others when the arena takes so many bytes: what costs nothing comes first, and of that what saves most; then
    /// what saves most for a byte.
    fn worth(&self, bytes: usize) -> (bool, u64, std::cmp::Reverse<usize>) {
        let more = self.bytes.saturating_sub(bytes) as u64;
        let saves = self.saves.checked_div(more).unwrap_or(self.saves);
        (more == 0, saves, std::cmp::Reverse(self.step))
    }
}

/// A form on its way, and the steps as it has them.
struct Tuner<'a> {
    base: &'a Lowered,
    /// What is known of the steps.
    memo: &'a allocate::Memo,
    stream_input: bool,
    costs: &'static Costs,
    lowered: Lowered,
    form: Candidate,
    paces: Vec<Pace>,
    /// Modelled instructions, in hundredths.
    instructions: u64,
    /// Bytes by a quick look.
    bytes: usize,
    /// What would be faster.
    offers: Vec<Offer>,
    /// The paces now, if an offer has needed them.
    snapshot: Option<Rc<[Pace]>>,
    /// Counts the changes.
    changes: usize,
    /// Counts the [visits](List::visits) of the lists looked at.
    visits: usize,
}

impl<'a> Tuner<'a> {
    /// Begins with single rows.
    fn new(planner: &'a Planner, form: Candidate) -> Result<Self, PlanError> {
        let base = planner.flow.lowered;
        let mut tuner = Self {
            base,
            memo: &planner.memo,
            stream_input: planner.options.stream_input,
            costs: planner.options.costs,
            lowered: base.clone(),
            paces: form.parts.iter().map(|&parts| Pace { rows: 1, parts }).collect(),
            form,
            instructions: 0,
            bytes: 0,
            offers: Vec::new(),
            snapshot: None,
            changes: 0,
            visits: 0,
        };
        tuner.begin()?;
        Ok(tuner)
    }

    /// Looks at the list as it is, and at what would be faster.
    fn begin(&mut self) -> Result<(), PlanError> {
        let list = self.list()?;
        self.instructions = list.instructions;
        self.bytes = self.look(&list)?;
        self.changed();
        for s in 0..self.paces.len() {
            self.ask(s)?;
        }
        Ok(())
    }

    /// Notes that paces have changed.
    fn changed(&mut self) {
        self.changes += 1;
        self.snapshot = None;
    }

    /// Returns to earlier paces.
    fn back_to(&mut self, paces: &[Pace]) -> Result<(), PlanError> {
        self.set_all(paces);
        self.begin()
    }

    /// The list as it is now.
    fn list(&self) -> Result<List, PlanError> {
        self.form.list(&Flow::new(&self.lowered), self.stream_input, self.costs, false)
    }

    /// The bytes that a quick look sees.
    fn look(&self, list: &List) -> Result<usize, PlanError> {
        Ok(self.outline(list)?.bytes(self.memo))
    }

    fn outline(&self, list: &List) -> Result<Outline<'_>, PlanError> {
        Ok(Outline::new(&self.lowered, &list.runs, &list.storage, self.memo)?)
    }

    /// The plan as it is now.
    fn place(&self, planner: &Planner) -> Result<Draft, PlanError> {
        let flow = Flow::new(&self.lowered);
        let list = self.form.list(&flow, self.stream_input, self.costs, true)?;
        report::finish(&flow, list, planner)
    }

    /// The plan as fast as so many bytes allow; `None` if none is found that fits.
    fn fastest(&mut self, planner: &Planner, limit: usize) -> Result<Option<Draft>, PlanError> {
        let start = self.paces.clone();
        let mut best = None;
        // A quick look may see a larger arena than the thorough search finds, before the steps change and after.
        let mut unseen = self.bytes.saturating_sub(limit);
        for _ in 0..ATTEMPTS {
            if !self.grow(limit.saturating_add(unseen))? && best.is_some() {
                break;
            }
            let plan = self.place(planner)?;
            if plan.report.total_bytes > limit {
                break;
            }
            unseen = self.bytes - plan.report.total_bytes;
            best = Some((plan, self.paces.clone()));
        }
        let (plan, paces) = best.map_or((None, start), |(plan, paces)| (Some(plan), paces));
        if paces != self.paces {
            self.back_to(&paces)?;
        }
        Ok(plan)
    }

    /// Changes paces, the worthiest first, as far as so many bytes allow. True if anything changed.
    fn grow(&mut self, limit: usize) -> Result<bool, PlanError> {
        let changes = self.changes;
        let fits = |(_, offer): &(usize, &Offer)| offer.bytes <= limit;
        loop {
            let fitting = self.offers.iter().enumerate().filter(fits);
            let Some((at, offer)) = fitting.max_by_key(|(_, offer)| offer.worth(self.bytes)) else { break };
            if offer.at_least.is_some() {
                self.settle(at)?;
                continue;
            }
            let Offer { step, pace, saves, bytes, seen, .. } = *offer;
            if seen == self.changes {
                self.set(step, pace);
                self.instructions -= saves;
                self.bytes = bytes;
                self.changed();
                self.ask(step)?;
            } else {
                // Other steps changed since.
                let now = self.look_at(step, pace)?;
                self.offers.retain(|offer| (offer.step, offer.pace) != (step, pace));
                self.offers.extend(now);
            }
        }
        Ok(self.changes > changes)
    }

    /// Looks at what the arena took with an offer when it was made.
    fn settle(&mut self, offer: usize) -> Result<(), PlanError> {
        let Offer { step, pace, .. } = self.offers[offer];
        let Some(then) = self.offers[offer].at_least.take() else { return Ok(()) };
        let now = self.paces.clone();
        self.set_all(&then);
        self.set(step, pace);
        self.offers[offer].bytes = self.look(&self.list()?)?;
        self.set_all(&now);
        Ok(())
    }

    /// Goes to other paces.
    fn set_all(&mut self, paces: &[Pace]) {
        for (s, &pace) in paces.iter().enumerate() {
            if self.paces[s] != pace {
                self.set(s, pace);
            }
        }
    }

    /// Renews what a step has to offer.
    fn ask(&mut self, s: usize) -> Result<(), PlanError> {
        self.offers.retain(|offer| offer.step != s);
        for pace in self.faster(s) {
            let offer = self.look_at(s, pace)?;
            self.offers.extend(offer);
        }
        Ok(())
    }

    /// What a pace would change now, without a look at the arena; `None` if it is not faster.
    fn look_at(&mut self, step: usize, pace: Pace) -> Result<Option<Offer>, PlanError> {
        if self.visits > VISITS {
            return Ok(None);
        }
        let before = self.set(step, pace);
        let list = self.list()?;
        self.visits += list.visits(&self.lowered);
        let saves = self.instructions.saturating_sub(list.instructions);
        let bytes = if saves > 0 { self.outline(&list)?.live_bytes() } else { 0 };
        self.set(step, before);
        let at_least = Some(self.snapshot());
        Ok((saves > 0).then_some(Offer { step, pace, saves, bytes, seen: self.changes, at_least }))
    }

    /// The paces now.
    fn snapshot(&mut self) -> Rc<[Pace]> {
        self.snapshot.get_or_insert_with(|| self.paces.as_slice().into()).clone()
    }

    /// Other paces of a step that may be faster.
    fn faster(&self, s: usize) -> Vec<Pace> {
        let now = self.paces[s];
        let step = &self.base.steps[s];
        let height = step.outputs.first().map_or(1, |t| t.extent.rows);
        let mut paces = Vec::new();
        if with_rows(step, 2).is_some() {
            paces.extend(
                ROWS.map(|r| r.min(height)).iter().filter(|&&r| r > now.rows).map(|&rows| Pace { rows, ..now }),
            );
            paces.dedup();
        }
        let cut = self.form.segments.iter().any(|segment| {
            (segment.from..segment.to).contains(&s) && matches!(segment.kind, Kind::Stream { parts: 2.. })
        });
        if cut && now.rows == 1 {
            paces.extend(PARTS.iter().filter(|&&p| p < now.parts).map(|&parts| Pace { parts, ..now }));
        }
        paces
    }

    /// Changes a step's pace; returns the old one.
    fn set(&mut self, s: usize, pace: Pace) -> Pace {
        if let Some(step) = with_rows(&self.base.steps[s], pace.rows) {
            self.lowered.steps[s] = step;
        }
        self.form.parts[s] = pace.parts;
        std::mem::replace(&mut self.paces[s], pace)
    }
}

/// True if the kernel of a step can compute several rows together.
pub(super) fn in_bands(step: &Step) -> bool {
    let Kernel::DepthwiseI8Mcu(kernel::DepthwiseI8Mcu { window, .. }) = &step.kernel else { return false };
    // A band never spans two images.
    mcu::depthwise_is_staged(window) && step.outputs[0].extent.rows == window.output[0]
}

/// The step with its rows computed so many at a time, if its kernel can do that.
pub(super) fn with_rows(step: &Step, rows: usize) -> Option<Step> {
    let Kernel::DepthwiseI8Mcu(kernel) = &step.kernel else { return None };
    let Granularity::Planes { channels, .. } = step.order.granularity else { return None };
    if !in_bands(step) {
        return None;
    }
    Some(Step {
        kernel: Kernel::DepthwiseI8Mcu(kernel::DepthwiseI8Mcu { rows, ..kernel.clone() }),
        order: WriteOrder { granularity: Granularity::Planes { rows, channels }, ..step.order },
        scratch_bytes: mcu::depthwise_scratch(&kernel.window, rows).next_multiple_of(4),
        ..step.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::{PlanOptions, draft};
    use crate::schedule::fixture::Net;
    use smidgen_program::{Run, StepId};

    /// Three bottlenecks with depthwise convolutions as firmware has them.
    fn net() -> Lowered {
        let mut net = Net::default();
        let mut x = net.input(32, 32, 8);
        for (stride, depth) in [(1, 8), (2, 16), (1, 16)] {
            x = net.bottleneck(x, 6, 3, stride, depth);
        }
        net.staged();
        net.outputs(&[x])
    }

    fn planned(options: PlanOptions) -> Draft {
        draft(&net(), &options).unwrap()
    }

    /// Rows of each depthwise kernel.
    fn together(plan: &Draft) -> Vec<usize> {
        let rows = plan.program.steps.iter().filter_map(|step| match step.kernel {
            Kernel::DepthwiseI8Mcu(kernel::DepthwiseI8Mcu { rows, .. }) => Some(rows),
            _ => None,
        });
        rows.collect()
    }

    #[test]
    fn the_balanced_plan_trades_few_bytes_for_speed_and_says_so() {
        for stream_input in [false, true] {
            let with = |objective| planned(PlanOptions { objective, stream_input, ..PlanOptions::default() }).report;
            let (least, balanced) = (with(Objective::Sram), with(Objective::Balanced));
            let limit = least.total_bytes + TOLERANCE_BYTES.max(least.total_bytes / TOLERANCE);
            assert!(balanced.total_bytes <= limit, "{} {limit}", balanced.total_bytes);
            assert!(balanced.instructions < least.instructions);
            assert_eq!(least.least, None);
            let named = Least { total_bytes: least.total_bytes, instructions: least.instructions };
            assert_eq!(balanced.least, Some(named));
            let said = balanced.traded().unwrap();
            let more = balanced.total_bytes - least.total_bytes;
            assert!(said.starts_with(&format!("{more} bytes more than the least, ")), "{said}");
            assert!(said.contains('%'), "{said}");
        }
    }

    #[test]
    fn no_tolerance_exceeds_a_budget_that_the_least_plan_keeps() {
        let least = planned(PlanOptions { objective: Objective::Sram, ..PlanOptions::default() }).report;
        let mut before = least.instructions;
        for more in [0, 200, 500, 1000, 5000] {
            let budget = Some(least.total_bytes + more);
            let balanced = planned(PlanOptions { budget, ..PlanOptions::default() }).report;
            assert!(balanced.fits && balanced.instructions <= before, "{more}");
            before = balanced.instructions;
        }
    }

    #[test]
    fn without_a_budget_the_fastest_plan_computes_all_rows_that_it_can_together() {
        let plan = planned(PlanOptions { objective: Objective::Speed, ..PlanOptions::default() });
        assert_eq!(together(&plan), [ROWS[0]; 3]);
        assert_eq!(plan.report.runs, net().steps.len());
    }

    #[test]
    fn runs_are_whole_bands() {
        for schedule in ["stream", "auto", "layer", "strips:2@4", "patch:2x2@4"] {
            let plan = planned(PlanOptions { schedule: schedule.parse().unwrap(), ..PlanOptions::default() });
            let mut seen = vec![0; plan.program.steps.len()];
            for run in &plan.program.runs {
                let Run::Compute { step: StepId(s), region } = *run else { continue };
                let s = s as usize;
                if let Kernel::DepthwiseI8Mcu(kernel::DepthwiseI8Mcu { rows, window, .. }) =
                    plan.program.steps[s].kernel
                {
                    let whole = (region.y1 - region.y0).is_multiple_of(rows) || region.y1 == window.output[0];
                    assert!(whole || schedule.contains('@'), "{schedule}: {region:?} of step {s} by {rows}");
                    assert_eq!(plan.program.steps[s].scratch_bytes, mcu::depthwise_scratch(&window, rows));
                }
                seen[s] += (region.y1 - region.y0) * (region.x1 - region.x0);
            }
            let whole = plan.program.steps.iter().map(|s| s.outputs[0].extent.rows * s.outputs[0].extent.cols);
            assert!(seen.into_iter().zip(whole).all(|(seen, whole)| seen >= whole), "{schedule}");
        }
    }

    #[test]
    fn what_is_free_comes_first_and_then_what_saves_most_for_a_byte() {
        let offer = |step, saves, bytes| Offer {
            step,
            pace: Pace { rows: 2, parts: 1 },
            saves,
            bytes,
            seen: 0,
            at_least: None,
        };
        let mut offers = [offer(0, 900, 1100), offer(1, 500, 1010), offer(2, 10, 1000), offer(3, 20, 990)];
        offers.sort_by_key(|offer| std::cmp::Reverse(offer.worth(1000)));
        assert_eq!(offers.map(|offer| offer.step), [3, 2, 1, 0]);
    }
}
