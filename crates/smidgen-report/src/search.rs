//! A search for a network as one HTML file without outside references: what was found, and how.

use crate::html::{HtmlError, MapView, environment};
use crate::plot::{Axis, Plot, Unit, rounded};
use crate::summary::{Figure, Segment};
use serde::Serialize;
use smidgen_certify::{Certified, Occupancy};

const TEMPLATE: &str = include_str!("../templates/search.html");

/// Something that the network found is or takes, beside what it may take.
#[derive(Clone, PartialEq, Debug, Serialize)]
pub struct Taken {
    /// What it is.
    pub label: String,
    /// How much.
    pub value: String,
    /// What it may be at most; `None` where nothing limits it.
    pub limit: Option<String>,
    /// Share of the limit, 0 to 1, or more where it is exceeded.
    pub share: Option<f64>,
    /// How exact it is, or of what.
    pub kind: String,
}

/// A space that was looked at.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct SpaceRow {
    /// Width multiplier.
    pub width: f64,
    /// Rows, columns and channels of the input.
    pub input: [usize; 3],
    /// Networks drawn.
    pub drawn: usize,
    /// Multiply-accumulates of those that fit, rising.
    pub macs: Vec<u64>,
    /// The limit that most of the others exceed, if there are any.
    pub binds: Option<String>,
    /// The one that was searched.
    pub chosen: bool,
}

/// An epoch of the supernet.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct SupernetRow {
    /// The largest network's mean loss.
    pub loss: f64,
    /// Share of training samples that it was right about, 0 to 1.
    pub accuracy: f64,
}

/// A network that was compared.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct Compared {
    /// Share of samples that it was right about with inherited weights, 0 to 1.
    pub accuracy: f64,
    /// Bytes of SRAM.
    pub sram: usize,
    /// Modelled instructions of an inference.
    pub instructions: u64,
    /// The one that was found.
    pub chosen: bool,
}

/// A block of the network found.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct BlockRow {
    /// What kind of block.
    pub kind: String,
    /// Rows and columns of its windows; `None` without windows.
    pub kernel: Option<[usize; 2]>,
    /// Channels in its middle for each of its input, if it has a middle.
    pub expansion: Option<f64>,
    /// Channels of its output.
    pub channels: usize,
    /// Pixels between windows.
    pub stride: Option<usize>,
    /// Rows and columns of its output; `None` where it has no pixels.
    pub output: Option<[usize; 2]>,
    /// Rows and columns of the input that a pixel of its output sees.
    pub field: Option<[usize; 2]>,
    /// Multiply-accumulates.
    pub macs: u64,
    /// Weights, biases aside.
    pub weights: u64,
}

/// An epoch of the network found.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
pub struct EpochRow {
    /// Its number, from 1 on.
    pub number: usize,
    /// The mean loss.
    pub loss: f64,
    /// Share of training samples that were right, 0 to 1.
    pub accuracy: f64,
    /// The same of samples to test, if there are any.
    pub tested: Option<f64>,
    /// Integers were part of the forward pass.
    pub integers: bool,
}

/// A sample that the network found is wrong about.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct WrongRow {
    /// Its picture at the size that the network sees, as a PNG file.
    #[serde(skip)]
    pub png: Vec<u8>,
    /// Its name.
    pub name: String,
    /// Its class.
    pub class: String,
    /// What it was taken for.
    pub taken: String,
    /// The probability that the network gives to that, 0 to 1.
    pub confidence: f64,
}

/// Everything of the report that is not drawn from the firmware's program.
#[derive(Clone, PartialEq, Debug, Default, Serialize)]
pub struct SearchSummary {
    /// What the network is called.
    pub name: String,
    /// The board's title.
    pub board: String,
    /// What was found, in a sentence.
    pub verdict: String,
    /// Whether it keeps all limits.
    pub fits: bool,
    /// What the network is and takes.
    pub taken: Vec<Taken>,
    /// Data, seed, time.
    pub figures: Vec<Figure>,
    /// The command line.
    pub command: String,
    /// Which space was searched, and why, without a full stop.
    pub why: String,
    /// The spaces that were looked at.
    pub spaces: Vec<SpaceRow>,
    /// Epochs of the supernet, in order.
    pub supernet: Vec<SupernetRow>,
    /// Networks that were compared, in order.
    pub compared: Vec<Compared>,
    /// Of which so many were a generation; `None` if that is not known.
    pub population: Option<usize>,
    /// The blocks of the network found, in order.
    pub blocks: Vec<BlockRow>,
    /// Epochs of the network found, in order.
    pub epochs: Vec<EpochRow>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// `confusion[c][p]`: samples of class `c` that were taken for `p`.
    pub confusion: Vec<Vec<u64>>,
    /// Whether the samples are pictures.
    pub pictures: bool,
    /// Pictures that the network is wrong about, those first that it is most confident about.
    pub wrong: Vec<WrongRow>,
    /// The firmware's schedules in time order.
    pub segments: Vec<Segment>,
    /// Bytes of SRAM that the network may take.
    pub sram: Option<usize>,
}

/// Classes of which the whole confusion matrix is shown; of more, as many pairs and classes as this.
const MOST_CLASSES: usize = 20;
/// Spaces beside the chosen one whose distribution is drawn.
const OTHERS: usize = 5;
/// Networks that fit of each of those at least: fewer are no distribution.
const FEW: usize = 8;
/// The styles of these.
const STYLES: [&str; OTHERS] = ["c1", "c2", "c3", "c4", "c5"];
/// Evaluations beyond which dots are drawn smaller.
const CROWDED: usize = 400;

impl SpaceRow {
    fn mean(&self) -> f64 {
        self.macs.iter().map(|&macs| macs as f64).sum::<f64>() / self.macs.len().max(1) as f64
    }

    fn size(&self) -> String {
        format!("{}x{}", self.input[0], self.input[1])
    }

    fn title(&self) -> String {
        format!("width {}, {}", self.width, self.size())
    }
}

/// `12.5 M`, `840 K`.
fn brief(count: f64) -> String {
    match count {
        n if n >= 1e8 => format!("{:.0} M", n / 1e6),
        n if n >= 1e6 => format!("{:.1} M", n / 1e6),
        n if n >= 1e3 => format!("{:.0} K", n / 1e3),
        n => format!("{n:.0}"),
    }
}

/// `97.94 %`, or `-` without a whole.
fn percent(part: u64, whole: u64, decimals: usize) -> String {
    if whole == 0 { "-".to_owned() } else { format!("{:.decimals$} %", 100.0 * part as f64 / whole as f64) }
}

/// A cell of the table of spaces.
#[derive(Serialize)]
struct Cell<'a> {
    mean: String,
    share: String,
    binds: &'a str,
    /// Of the greatest mean, in per cent.
    part: f64,
    chosen: bool,
    title: String,
}

#[derive(Serialize)]
struct SizeRow<'a> {
    size: String,
    /// One for each width; `None` where there is no such space.
    cells: Vec<Option<Cell<'a>>>,
}

/// The table of spaces: widths across, sizes of the input down.
#[derive(Serialize)]
struct Grid<'a> {
    widths: Vec<String>,
    rows: Vec<SizeRow<'a>>,
}

fn grid<'a>(spaces: &'a [SpaceRow]) -> Grid<'a> {
    let mut widths: Vec<f64> = spaces.iter().map(|space| space.width).collect();
    widths.sort_by(f64::total_cmp);
    widths.dedup();
    let mut sizes: Vec<[usize; 3]> = spaces.iter().map(|space| space.input).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let greatest = spaces.iter().map(SpaceRow::mean).fold(1.0, f64::max);
    let cell = |space: &'a SpaceRow| -> Cell<'a> {
        let (fit, drawn) = (space.macs.len(), space.drawn);
        let binds = space.binds.as_deref().unwrap_or("");
        let limit = space.binds.as_ref().map_or_else(String::new, |limit| format!("; most others exceed {limit}"));
        let of = format!("{}: {fit} of {drawn} networks fit", space.title());
        Cell {
            mean: if fit == 0 { "-".to_owned() } else { brief(space.mean()) },
            share: percent(fit as u64, drawn as u64, 0),
            binds,
            part: rounded(space.mean() * 100.0 / greatest),
            chosen: space.chosen,
            title: of + &limit,
        }
    };
    let find = |size: [usize; 3], width: f64| spaces.iter().find(|space| space.input == size && space.width == width);
    let row = |&size: &[usize; 3]| SizeRow {
        size: format!("{}x{}", size[0], size[1]),
        cells: widths.iter().map(|&width| find(size, width).map(cell)).collect(),
    };
    Grid { rows: sizes.iter().map(row).collect(), widths: widths.iter().map(f64::to_string).collect() }
}

/// The chosen space, and others evenly from the best of the rest to the least.
fn shown(spaces: &[SpaceRow]) -> (Option<&SpaceRow>, Vec<&SpaceRow>) {
    let chosen = spaces.iter().find(|space| space.chosen && !space.macs.is_empty());
    let mut rest: Vec<&SpaceRow> = spaces.iter().filter(|space| !space.chosen && space.macs.len() >= FEW).collect();
    rest.sort_by(|a, b| b.mean().total_cmp(&a.mean()));
    let count = rest.len().min(OTHERS);
    let at = |i: usize| i * (rest.len() - 1) / (count - 1).max(1);
    (chosen, (0..count).map(|i| rest[at(i)]).collect())
}

/// Which share of the networks that fit computes at most so much.
fn distributions(spaces: &[SpaceRow]) -> Option<Plot> {
    let (chosen, others) = shown(spaces);
    let all: Vec<&SpaceRow> = others.iter().copied().chain(chosen).collect();
    let macs: Vec<f64> = all.iter().flat_map(|space| &space.macs).map(|&macs| macs as f64).collect();
    let most = macs.iter().copied().fold(0.0, f64::max);
    if macs.is_empty() {
        return None;
    }
    let x = Axis::over(macs.into_iter().chain([0.0]), "MACs of an inference", Unit::counts(most));
    let mut plot = Plot::new("Distribution of MACs", x, Axis::over([0.0, 1.0], "share of networks", Unit::PERCENT));
    let curve = |space: &SpaceRow| -> Vec<(f64, f64)> {
        let count = space.macs.len() as f64;
        let after = |(i, &macs): (usize, &u64)| (macs as f64, (i + 1) as f64 / count);
        let first = space.macs.first().map(|&macs| (macs as f64, 0.0));
        first.into_iter().chain(space.macs.iter().enumerate().map(after)).collect()
    };
    if let Some(space) = chosen {
        plot.key("chosen", format!("{}: searched", space.title()));
    }
    for (space, style) in others.iter().zip(STYLES) {
        plot.line(&curve(space), style);
        plot.key(style, space.title());
    }
    // Drawn last, it lies on top.
    if let Some(space) = chosen {
        plot.line(&curve(space), "chosen");
    }
    Some(plot)
}

/// Loss and accuracy over epochs.
fn supernet(epochs: &[SupernetRow]) -> Vec<Plot> {
    let numbered = |of: fn(&SupernetRow) -> f64| -> Vec<(f64, f64)> {
        epochs.iter().enumerate().map(|(i, epoch)| ((i + 1) as f64, of(epoch))).collect()
    };
    let (loss, accuracy) = (numbered(|epoch| epoch.loss), numbered(|epoch| epoch.accuracy));
    let across = || Axis::over(loss.iter().map(|point| point.0), "epoch", Unit::WHOLE);
    let heights = |points: &[(f64, f64)]| points.iter().map(|point| point.1).collect::<Vec<f64>>();
    let mut one = Plot::new("Loss", across(), Axis::over(heights(&loss), "cross-entropy", Unit::ONE));
    one.line(&loss, "c1");
    let y = Axis::over(heights(&accuracy), "accuracy", Unit::PERCENT);
    let mut other = Plot::new("Training accuracy", across(), y);
    other.line(&accuracy, "c1");
    vec![one, other]
}

/// The networks that were compared, one after the other.
fn evolution(compared: &[Compared], population: Option<usize>) -> Plot {
    let point = |(i, network): (usize, &Compared)| ((i + 1) as f64, network.accuracy);
    let points: Vec<(f64, f64)> = compared.iter().enumerate().map(point).collect();
    let count = compared.len() as f64;
    let x = Axis::over([1.0, count.max(1.0)], "networks compared", Unit::WHOLE);
    let y = Axis::over(points.iter().map(|point| point.1), "accuracy with inherited weights", Unit::PERCENT);
    let mut plot = Plot::new("Evolution", x, y);
    if let Some(size) = population.filter(|&size| size > 0 && size < compared.len()) {
        for generation in (1..compared.len().div_ceil(size)).step_by(2) {
            let first = (generation * size) as f64 + 0.5;
            plot.band(first, (first + size as f64).min(count + 0.5), "band");
        }
        plot.key("band", format!("every other generation of {size}"));
    }
    plot.dots(points.iter().copied(), dot(compared));
    plot.key("dot", "a network");
    let mut best: Vec<(f64, f64)> = Vec::new();
    for &(at, accuracy) in &points {
        if best.last().is_none_or(|last| accuracy > last.1) {
            best.push((at, accuracy));
        }
    }
    if let (Some(&(_, height)), true) = (best.last(), count > 1.0) {
        best.push((count, height));
    }
    plot.steps(&best, "c1");
    plot.key("c1", "the best so far");
    marked(&mut plot, compared, |i, _| (i + 1) as f64);
    plot
}

fn dot(compared: &[Compared]) -> &'static str {
    if compared.len() > CROWDED { "dot small" } else { "dot" }
}

/// Marks the network that was found.
fn marked(plot: &mut Plot, compared: &[Compared], x: impl Fn(usize, &Compared) -> f64) {
    if let Some((i, network)) = compared.iter().enumerate().find(|(_, network)| network.chosen) {
        let title = format!(
            "network {}: {:.2} %, SRAM {}, {} instructions",
            i + 1,
            network.accuracy * 100.0,
            crate::bytes(network.sram),
            crate::thousands(network.instructions),
        );
        plot.mark((x(i, network), network.accuracy), "chosen", title);
        plot.key("dot chosen", "the one found");
    }
}

/// Accuracy against what is taken, with those marked that no other one beats.
fn front(compared: &[Compared], title: &'static str, x: Axis, of: impl Fn(&Compared) -> f64) -> Plot {
    let y = Axis::over(compared.iter().map(|network| network.accuracy), "accuracy", Unit::PERCENT);
    let mut plot = Plot::new(title, x, y);
    let mut points: Vec<(f64, f64)> = compared.iter().map(|network| (of(network), network.accuracy)).collect();
    plot.dots(points.iter().copied(), dot(compared));
    plot.key("dot", "a network");
    points.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut best: Vec<(f64, f64)> = Vec::new();
    for point in points {
        if best.last().is_none_or(|last| point.1 > last.1) {
            best.push(point);
        }
    }
    plot.steps(&best, "front");
    plot.dots(best, "front");
    plot.key("front", "no other is more accurate and takes no more");
    marked(&mut plot, compared, |_, network| of(network));
    plot
}

/// Loss and accuracy of the network found over its epochs.
fn training(epochs: &[EpochRow]) -> Vec<Plot> {
    let across = || Axis::over(epochs.iter().map(|epoch| epoch.number as f64), "epoch", Unit::WHOLE);
    let curve = |of: fn(&EpochRow) -> Option<f64>| -> Vec<(f64, f64)> {
        epochs.iter().filter_map(|epoch| Some((epoch.number as f64, of(epoch)?))).collect()
    };
    let integers: Vec<f64> = epochs.iter().filter(|epoch| epoch.integers).map(|epoch| epoch.number as f64).collect();
    let shade = |plot: &mut Plot| {
        if let (Some(first), Some(last)) = (integers.first(), integers.last()) {
            plot.band(first - 0.5, last + 0.5, "band");
            plot.key("band", "with integers");
        }
    };
    let loss = curve(|epoch| Some(epoch.loss));
    let heights = Axis::over(loss.iter().map(|point| point.1), "cross-entropy", Unit::ONE);
    let mut one = Plot::new("Loss", across(), heights);
    shade(&mut one);
    one.line(&loss, "c1");
    let (trained, tested) = (curve(|epoch| Some(epoch.accuracy)), curve(|epoch| epoch.tested));
    let heights = trained.iter().chain(&tested).map(|point| point.1);
    let mut other = Plot::new("Accuracy", across(), Axis::over(heights, "accuracy", Unit::PERCENT));
    shade(&mut other);
    other.line(&trained, "c1");
    other.key("c1", "samples trained on");
    if !tested.is_empty() {
        other.line(&tested, "c2");
        other.key("c2", "samples to test");
    }
    vec![one, other]
}

/// A block with its bars, in per cent of the greatest.
#[derive(Serialize)]
struct BlockView<'a> {
    row: &'a BlockRow,
    kernel: String,
    kernel_bar: f64,
    expansion: String,
    expansion_bar: f64,
    output: String,
    field: String,
    macs_bar: f64,
    weights_bar: f64,
}

fn blocks<'a>(rows: &'a [BlockRow]) -> Vec<BlockView<'a>> {
    let greatest = |of: &dyn Fn(&BlockRow) -> f64| rows.iter().map(of).fold(1e-9, f64::max);
    let taps = |row: &BlockRow| row.kernel.map_or(0, |kernel| kernel[0].max(kernel[1])) as f64;
    let times = |row: &BlockRow| row.expansion.unwrap_or(0.0);
    let (macs, weights) = (|row: &BlockRow| row.macs as f64, |row: &BlockRow| row.weights as f64);
    let most = [greatest(&taps), greatest(&times), greatest(&macs), greatest(&weights)];
    let sides = |sides: Option<[usize; 2]>| sides.map_or_else(String::new, |[a, b]| format!("{a}x{b}"));
    let part = |value: f64, most: f64| rounded(value * 100.0 / most);
    let one = |row: &'a BlockRow| -> BlockView<'a> {
        BlockView {
            kernel: sides(row.kernel),
            kernel_bar: part(taps(row), most[0]),
            // At most two decimals: channels are brought to multiples.
            expansion: row.expansion.map_or_else(String::new, |times| rounded(times).to_string()),
            expansion_bar: part(times(row), most[1]),
            output: sides(row.output),
            field: sides(row.field),
            macs_bar: part(macs(row), most[2]),
            weights_bar: part(weights(row), most[3]),
            row,
        }
    };
    rows.iter().map(one).collect()
}

/// How often a class was recognised.
#[derive(Serialize)]
struct ClassView<'a> {
    name: &'a str,
    right: u64,
    samples: u64,
    share: String,
    /// In per cent; `None` without samples.
    bar: Option<f64>,
    /// The row of the confusion matrix.
    cells: Vec<Count>,
}

/// A cell of the confusion matrix.
#[derive(Serialize)]
struct Count {
    count: u64,
    /// Of the class's samples, in per cent.
    part: f64,
    right: bool,
}

/// A class that was taken for another one.
#[derive(Serialize)]
struct Pair<'a> {
    class: &'a str,
    taken: &'a str,
    count: u64,
    share: String,
}

#[derive(Serialize)]
struct Confusion<'a> {
    /// All in order, or of many those that were recognised the least.
    classes: Vec<ClassView<'a>>,
    /// Where the matrix is not shown.
    pairs: Option<Vec<Pair<'a>>>,
    /// Classes in all.
    all: usize,
    /// Classes without a sample.
    missing: usize,
}

fn confusion<'a>(names: &'a [String], counts: &[Vec<u64>]) -> Confusion<'a> {
    let whole = names.len() <= MOST_CLASSES;
    let view = |(class, name): (usize, &'a String)| {
        let row = counts.get(class).map(Vec::as_slice).unwrap_or_default();
        let (right, samples) = (row.get(class).copied().unwrap_or(0), row.iter().sum::<u64>());
        let part = |count: u64| rounded(count as f64 * 100.0 / samples.max(1) as f64);
        let cell = |(p, &count): (usize, &u64)| Count { count, part: part(count), right: p == class };
        ClassView {
            name,
            right,
            samples,
            share: percent(right, samples, 1),
            bar: (samples > 0).then(|| part(right)),
            cells: if whole { row.iter().enumerate().map(cell).collect() } else { Vec::new() },
        }
    };
    let mut classes: Vec<ClassView> = names.iter().enumerate().map(view).collect();
    let missing = classes.iter().filter(|class| class.samples == 0).count();
    if whole {
        return Confusion { classes, pairs: None, all: names.len(), missing };
    }
    let samples: Vec<u64> = classes.iter().map(|class| class.samples).collect();
    let mut wrong: Vec<(usize, usize, u64)> = Vec::new();
    for (class, row) in counts.iter().enumerate().take(names.len()) {
        let others = row.iter().enumerate().filter(|&(p, &count)| p != class && count > 0 && p < names.len());
        wrong.extend(others.map(|(p, &count)| (class, p, count)));
    }
    wrong.sort_by_key(|&(class, taken, count)| (std::cmp::Reverse(count), class, taken));
    wrong.truncate(MOST_CLASSES);
    let pair = |(class, taken, count): (usize, usize, u64)| Pair {
        class: &names[class],
        taken: &names[taken],
        count,
        share: percent(count, samples[class], 1),
    };
    let pairs = wrong.into_iter().map(pair).collect();
    classes.retain(|class| class.samples > 0);
    classes.sort_by(|a, b| a.bar.unwrap_or(0.0).total_cmp(&b.bar.unwrap_or(0.0)));
    classes.truncate(MOST_CLASSES);
    Confusion { classes, pairs: Some(pairs), all: names.len(), missing }
}

/// A picture of a sample, for the page to hold.
#[derive(Serialize)]
struct WrongView<'a> {
    row: &'a WrongRow,
    /// The picture in Base64.
    data: String,
    confidence: String,
}

/// Bytes in Base64 (RFC 4648, section 4).
fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for part in bytes.chunks(3) {
        let [a, b, c] = [0, 1, 2].map(|i| u32::from(part.get(i).copied().unwrap_or(0)));
        let bits = a << 16 | b << 8 | c;
        for i in 0..4 {
            let letter = char::from(LETTERS[(bits >> (18 - 6 * i)) as usize & 63]);
            text.push(if i <= part.len() { letter } else { '=' });
        }
    }
    text
}

/// What the template sees.
#[derive(Serialize)]
struct Page<'a> {
    summary: &'a SearchSummary,
    grid: Grid<'a>,
    distributions: Option<Plot>,
    supernet: Vec<Plot>,
    evolution: Option<Plot>,
    fronts: Vec<Plot>,
    blocks: Vec<BlockView<'a>>,
    macs: u64,
    weights: u64,
    training: Vec<Plot>,
    confusion: Confusion<'a>,
    mistakes: u64,
    samples: u64,
    wrong: Vec<WrongView<'a>>,
    map: MapView<'a>,
}

/// Renders the report.
///
/// # Errors
/// [`HtmlError`] if the template itself is wrong, which the tests exclude for every field used here.
pub fn html(program: &Certified, occupancy: &Occupancy, summary: &SearchSummary) -> Result<String, HtmlError> {
    let compared = &summary.compared;
    let mut fronts = Vec::new();
    if !compared.is_empty() {
        let sram = |network: &Compared| network.sram as f64;
        let instructions = |network: &Compared| network.instructions as f64;
        let over = |of: &dyn Fn(&Compared) -> f64| compared.iter().map(of).collect::<Vec<f64>>();
        let (bytes, counts) = (over(&sram), over(&instructions));
        let most = |values: &[f64]| values.iter().copied().fold(0.0, f64::max);
        let x = Axis::over(bytes.iter().copied(), "SRAM", Unit::bytes(most(&bytes)));
        fronts.push(front(compared, "Accuracy against SRAM", x, sram));
        let x = Axis::over(counts.iter().copied(), "instructions of an inference", Unit::counts(most(&counts)));
        fronts.push(front(compared, "Accuracy against instructions", x, instructions));
    }
    let wrong = summary.wrong.iter().map(|row| WrongView {
        row,
        data: base64(&row.png),
        confidence: format!("{:.1} %", row.confidence * 100.0),
    });
    let counted = |right: bool| -> u64 {
        let rows = summary.confusion.iter().enumerate();
        rows.flat_map(|(c, row)| row.iter().enumerate().filter(move |(p, _)| right || *p != c)).map(|(_, n)| n).sum()
    };
    let page = Page {
        summary,
        grid: grid(&summary.spaces),
        distributions: distributions(&summary.spaces),
        supernet: if summary.supernet.is_empty() { Vec::new() } else { supernet(&summary.supernet) },
        evolution: (!compared.is_empty()).then(|| evolution(compared, summary.population)),
        fronts,
        blocks: blocks(&summary.blocks),
        macs: summary.blocks.iter().map(|block| block.macs).sum(),
        weights: summary.blocks.iter().map(|block| block.weights).sum(),
        training: if summary.epochs.is_empty() { Vec::new() } else { training(&summary.epochs) },
        confusion: confusion(&summary.classes, &summary.confusion),
        mistakes: counted(false),
        samples: counted(true),
        wrong: wrong.collect(),
        map: MapView::new(program, occupancy, (&summary.segments, summary.sram)),
    };
    let mut environment = environment()?;
    environment.add_template("plot.html", include_str!("../templates/plot.html"))?;
    environment.add_template("plot.css", include_str!("../templates/plot.css"))?;
    environment.add_template("search.html", TEMPLATE)?;
    Ok(environment.get_template("search.html")?.render(&page)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use smidgen_certify::certify;
    use smidgen_program::Program;

    fn page(summary: &SearchSummary) -> String {
        html(&certify(Program::default()).unwrap(), &Occupancy::default(), summary).unwrap()
    }

    /// A search in which everything has happened, with so many classes of which the last has no sample.
    fn example(classes: usize) -> SearchSummary {
        let name = |i: usize| if i == 0 { "<b>cat\u{1}\u{202e}</b>".to_owned() } else { format!("class {i}") };
        let samples = |c: usize| if c + 1 == classes { 0 } else { 50 };
        let row = |c: usize| -> Vec<u64> {
            (0..classes)
                .map(|p| if p == c { samples(c) } else { u64::from(samples(c) > 0 && (p + c) % 7 == 3) })
                .collect()
        };
        let space = |i: usize| SpaceRow {
            width: [0.2, 0.3, 0.4][i % 3],
            input: [48 + 16 * (i / 3), 64, 3],
            drawn: 40,
            macs: (0..10 * (i as u64 % 4)).map(|n| 1_000_000 * (i as u64 + 1) + 50_000 * n).collect(),
            binds: (i > 2).then(|| "flash".to_owned()),
            chosen: i == 7,
        };
        let compared = |i: usize| Compared {
            accuracy: 0.5 + 0.3 * ((i * 37 % 50) as f64 / 50.0),
            sram: 20_000 + 700 * (i * 13 % 29),
            instructions: 9_000_000 + 90_000 * (i as u64 * 11 % 31),
            chosen: i == 30,
        };
        let epoch = |number: usize| EpochRow {
            number,
            loss: 1.5 / number as f64,
            accuracy: 1.0 - 0.4 / number as f64,
            tested: Some(1.0 - 0.5 / number as f64),
            integers: number > 16,
        };
        let block = |i: usize| BlockRow {
            kind: "inverted residual".to_owned(),
            kernel: Some([3 + 2 * (i % 3), 3]),
            expansion: (i > 0).then_some(10.0 / 3.0),
            channels: 8 * (i + 1),
            stride: Some(1 + i % 2),
            output: Some([40 >> i, 30 >> i]),
            field: Some([3 + 8 * i; 2]),
            macs: 1_234_567,
            weights: 4321,
        };
        SearchSummary {
            name: "</title><script>alert(1)</script>".to_owned(),
            board: "A <board>".to_owned(),
            verdict: "Good.".to_owned(),
            fits: true,
            taken: vec![Taken {
                label: "SRAM".to_owned(),
                value: "39,088 bytes".to_owned(),
                limit: Some("32,768 bytes".to_owned()),
                share: Some(1.193),
                kind: "exact".to_owned(),
            }],
            figures: Vec::new(),
            command: "smidgen search --data 'a<b>'".to_owned(),
            why: "it is <best>".to_owned(),
            spaces: (0..12).map(space).collect(),
            supernet: (1..9).map(|i| SupernetRow { loss: 2.0 / f64::from(i), accuracy: 0.1 * f64::from(i) }).collect(),
            compared: (0..60).map(compared).collect(),
            population: Some(16),
            blocks: (0..5).map(block).collect(),
            epochs: (1..21).map(epoch).collect(),
            classes: (0..classes).map(name).collect(),
            confusion: (0..classes).map(row).collect(),
            pictures: true,
            wrong: vec![WrongRow {
                png: vec![1, 2, 3, 250],
                name: "a/<i>\u{7}.png".to_owned(),
                class: name(0),
                taken: name(1),
                confidence: 0.987,
            }],
            ..SearchSummary::default()
        }
    }

    fn check(page: &str) {
        for hostile in ["<script>alert", "<b>cat", "a/<i>", "A <board>", "it is <best>", "'a<b>'"] {
            assert!(!page.contains(hostile), "{hostile}");
        }
        let control = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
        assert!(!page.contains(control), "{:?}", page.find(control));
        for reference in ["http://", "https://", "@import", "url(", "<link"] {
            assert!(!page.contains(reference), "{reference}");
        }
        assert_eq!(page.matches("src=").count(), page.matches("src=\"data:image/png;base64,").count());
        assert!(!page.contains("NaN") && !page.contains("inf%"));
    }

    #[test]
    fn everything_is_told_and_nothing_breaks_out() {
        let page = page(&example(4));
        check(&page);
        assert!(page.contains("&lt;script&gt;alert") && page.contains("&lt;b&gt;cat"), "{page}");
        assert!(page.contains("class=\"over\"") && page.contains("119.3 %"), "{page}");
        // Of four classes one has no sample.
        assert!(page.contains("of 1 of 4 classes there are none"), "{page}");
        assert_eq!(page.matches("class=\"n").count(), 16);
        assert!(page.contains("base64,AQID+g==") && page.contains("98.7 % confident"), "{page}");
        // Five other spaces and the chosen one, generations, the one found thrice.
        assert!(page.contains("width 0.3, 80x64: searched"), "{page}");
        assert!(page.contains("every other generation of 16"));
        assert_eq!(page.matches("class=\"mark chosen\"").count(), 3);
        assert!(page.contains("with integers") && page.contains("6,172,835"), "{page}");
        assert!(page.contains("3.33<span class=\"bar other\""), "{page}");
    }

    #[test]
    fn of_many_classes_those_are_told_that_matter() {
        let page = page(&example(300));
        check(&page);
        assert_eq!(page.matches("class=\"n").count(), 0);
        let rows =
            |from: &str| page.split(from).nth(1).unwrap().split("</table>").next().unwrap().matches("<tr>").count();
        // The head of a table is a row too.
        assert_eq!(rows("The pairs that are confused most"), MOST_CLASSES + 1);
        assert_eq!(rows("The classes that are recognised least, of 300"), MOST_CLASSES + 1);
        assert!(page.len() < 400_000, "{}", page.len());
    }

    #[test]
    fn what_there_is_none_of_is_told() {
        let nothing = page(&SearchSummary { pictures: true, ..SearchSummary::default() });
        check(&nothing);
        for told in ["No space was looked at", "No networks were compared", "less than an epoch", "wrong about none"] {
            assert!(nothing.contains(told), "{told}");
        }
        let mut unfit = example(3);
        unfit.spaces.iter_mut().for_each(|space| space.macs.clear());
        unfit.wrong.clear();
        unfit.compared.truncate(1);
        unfit.epochs.truncate(1);
        unfit.epochs[0].tested = None;
        let unfit = page(&unfit);
        check(&unfit);
        assert!(unfit.contains("Of no space a network was drawn that fits"), "{unfit}");
        assert!(unfit.contains("could not be read again"), "{unfit}");
        let arrays = page(&SearchSummary { pictures: false, ..example(3) });
        assert!(!arrays.contains("The worst mistakes"));
    }

    #[test]
    fn base64_is_that_of_rfc_4648() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(texts, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }
}
