//! Two reports compared, figure by figure, against limits: the gate of a user's own tests.

use serde_json::Value;
use smidgen_ir::visible;
use std::fmt;
use std::str::FromStr;

/// How far a figure may move in the direction that is worse.
#[derive(Clone, PartialEq, Debug)]
pub struct Limit {
    /// Dotted path in a report, such as `instructions`, `sram.stack` or `steps.3.instructions`. Where it leads to a group of
    /// figures, the group's `total` is meant.
    pub path: String,
    /// True if growing is worse, false if shrinking is.
    pub growth: bool,
    /// The greatest change allowed, at least 0.
    pub amount: f64,
    /// True if `amount` is in per cent of the earlier figure, false if it is in the figure's own unit.
    pub percent: bool,
}

/// A limit that cannot be understood.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{text}` is no limit: {reason}; write for example sram=+0, flash=+1% or instructions=+20000")]
pub struct LimitError {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl FromStr for Limit {
    type Err = LimitError;

    fn from_str(text: &str) -> Result<Self, LimitError> {
        let fail = |reason| Err(LimitError { text: text.to_owned(), reason });
        let Some((path, change)) = text.split_once('=') else { return fail("there is no `=`") };
        if path.is_empty() || path.split('.').any(str::is_empty) {
            return fail("the figure before the `=` is missing");
        }
        let (growth, rest) = match change.split_at_checked(1) {
            Some(("+", rest)) => (true, rest),
            Some(("-", rest)) => (false, rest),
            _ => return fail("the change begins with + (may grow by) or - (may shrink by)"),
        };
        let (number, percent) = match rest.strip_suffix('%') {
            Some(number) => (number, true),
            None => (rest, false),
        };
        let plain = |c: char| c.is_ascii_digit() || c == '.' || c == '_';
        match number.replace('_', "").parse::<f64>() {
            Ok(amount) if number.chars().all(plain) && amount.is_finite() => {
                Ok(Self { path: path.to_owned(), growth, amount, percent })
            }
            _ => fail("the change is no number"),
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, unit) = (if self.growth { '+' } else { '-' }, if self.percent { "%" } else { "" });
        write!(f, "{sign}{}{unit}", self.amount)
    }
}

impl Limit {
    /// True if a figure may go from `before` to `after`.
    pub fn allows(&self, before: f64, after: f64) -> bool {
        let worse = if self.growth { after - before } else { before - after };
        let most = if self.percent { before.abs() * self.amount / 100.0 } else { self.amount };
        // What is exactly at the limit must not fail by the rounding of a percentage.
        worse <= most + before.abs() * 1e-12
    }
}

/// Reports that cannot be compared.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum DiffError {
    /// Neither a report of one network nor of several.
    #[error(
        "it is no report of `smidgen simulate --json`, `bench --json` or `plan --json`: it has neither `model` nor `models`"
    )]
    NoReport,
    /// Two networks of one name.
    #[error("it has two entries for `{0}`")]
    Twice(String),
    /// A pair names a network that is not there.
    #[error("it has no network `{name}`; there are: {known}")]
    NoNetwork {
        /// The name.
        name: String,
        /// Those that are there.
        known: String,
    },
    /// A limit on a step that is another operator in the other report.
    #[error(
        "step {step} of `{model}` is {after}, but {before} in the first report: `{path}` would compare different layers"
    )]
    OtherStep {
        /// The network.
        model: String,
        /// The path of the figure.
        path: String,
        /// Index of the step.
        step: usize,
        /// The operator in the first report.
        before: String,
        /// The operator in the second.
        after: String,
    },
    /// Reports of different commands.
    #[error(
        "it has none of the figures of the other for `{model}`: reports of `simulate` and of `plan` do not compare"
    )]
    NothingCommon {
        /// The network.
        model: String,
    },
    /// A figure that a limit names is not there.
    #[error("`{model}` has no figure `{path}`; there are: {known}")]
    NoFigure {
        /// The network.
        model: String,
        /// The path.
        path: String,
        /// What is there at the last level that exists.
        known: String,
    },
}

/// One figure of one network.
#[derive(Clone, PartialEq, Debug)]
pub struct Row {
    /// The network, by its name in the second report.
    pub model: String,
    /// Its name in the first report, if that is another: a variant of it.
    pub from: Option<String>,
    /// Path of the figure.
    pub path: String,
    /// Its value in the first report.
    pub before: f64,
    /// Its value in the second.
    pub after: f64,
    /// The limit, if there is one.
    pub limit: Option<Limit>,
}

impl Row {
    /// True if there is no limit, or the change is within it.
    pub fn passes(&self) -> bool {
        self.limit.as_ref().is_none_or(|l| l.allows(self.before, self.after))
    }
}

/// The outcome of a comparison.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Diff {
    /// Figures of the networks that are in both reports, or paired, in the second's order.
    pub rows: Vec<Row>,
    /// Networks that only the first report has. What is not measured has not been shown to keep its limits, so with limits they
    /// fail the comparison.
    pub missing: Vec<String>,
    /// Networks that only the second report has; they have nothing to be compared with.
    pub added: Vec<String>,
    /// Networks whose outputs are wrong in the second report. They always fail it.
    pub wrong: Vec<String>,
    /// What else differs and may explain the figures: board, options, compiler.
    pub notes: Vec<String>,
    /// True if there were limits.
    pub limited: bool,
}

/// Figures that are shown without being asked for.
const FIGURES: [&str; 6] = ["instructions", "sram", "flash", "total_bytes", "modelled_instructions", "constants_bytes"];

/// What may explain a difference, by path and in words.
const CONDITIONS: [(&str, &str); 10] = [
    ("schedule", "schedule"),
    ("stream_input", "`--stream-input`"),
    ("board", "board"),
    ("machine", "machine"),
    ("options.schedule", "schedule"),
    ("options.io", "`--io`"),
    ("options.stream_input", "`--stream-input`"),
    ("options.reference", "reference"),
    ("versions.rustc", "compiler"),
    ("versions.linker", "linker"),
];

/// Networks that are compared though their names differ: in the first report, in the second.
pub type Pair = (String, String);

/// Compares the second of two reports with the first, both of `simulate` and `bench` or both of `plan`. Either may be of one network or of
/// several. Where `pairs` are given, these are compared and no others; else networks are matched by name, and where each
/// report has one network only, these two are variants of one another, whatever their names.
///
/// # Errors
/// The index of the report (0 or 1) at fault and [what is wrong](DiffError) with it.
pub fn compare(before: &Value, after: &Value, limits: &[Limit], pairs: &[Pair]) -> Result<Diff, (usize, DiffError)> {
    let old = models(before).map_err(|e| (0, e))?;
    let new = models(after).map_err(|e| (1, e))?;
    let mut diff = Diff { limited: !limits.is_empty(), ..Diff::default() };
    let names = |list: &[(String, &Value)]| list.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    let (old_names, new_names) = (names(&old), names(&new));
    for (report, names) in [(0, &old_names), (1, &new_names)] {
        let asked = pairs.iter().map(|(x, y)| if report == 0 { x } else { y });
        if let Some(name) = asked.into_iter().find(|name| !names.contains(name)) {
            return Err((report, DiffError::NoNetwork { name: name.clone(), known: names.join(", ") }));
        }
    }
    // What each network of the second report is compared with.
    let partner = |name: &String| match pairs.iter().find(|(_, y)| y == name) {
        Some((x, _)) => Some(x.clone()),
        // Whoever names pairs asks for nothing else.
        None if !pairs.is_empty() => None,
        None if old_names.contains(name) => Some(name.clone()),
        None if old_names.len() == 1 && new_names.len() == 1 => Some(old_names[0].clone()),
        None => None,
    };
    let partners: Vec<Option<String>> = new_names.iter().map(partner).collect();
    if pairs.is_empty() {
        diff.missing = old_names.iter().filter(|n| !partners.iter().flatten().any(|p| p == *n)).cloned().collect();
        diff.added = new_names.iter().zip(&partners).filter(|(_, p)| p.is_none()).map(|(n, _)| n.clone()).collect();
    }
    if let ([missing, ..], [added, ..]) = (&diff.missing[..], &diff.added[..]) {
        diff.notes.push(format!("variants of one network are compared with `--pair {missing}={added}`"));
    }
    for ((name, b), partner) in new.iter().zip(&partners) {
        if partner.is_none() && !pairs.is_empty() {
            continue;
        }
        if ["matches_host", "matches_golden"].iter().any(|field| b[field] == false) {
            diff.wrong.push(name.clone());
        }
        let Some((old_name, a)) = old.iter().find(|(n, _)| Some(n) == partner.as_ref()) else { continue };
        let from = (old_name != name).then(|| old_name.clone());
        let others = steps(a).zip(steps(b)).and_then(|(x, y)| other_steps(&x, &y, name));
        diff.notes.extend(others);
        for (path, what) in CONDITIONS {
            let (x, y) = (lookup(a, path), lookup(b, path));
            if let (Ok(x), Ok(y)) = (x, y)
                && x != y
            {
                let note = format!("the {what} differs: {} before, {} now", words(x), words(y));
                if !diff.notes.contains(&note) {
                    diff.notes.push(note);
                }
            }
        }
        let of = |report: usize, value: &Value, path: &str| {
            figure(value, path)
                .map_err(|known| (report, DiffError::NoFigure { model: name.clone(), path: path.to_owned(), known }))
        };
        for path in FIGURES.iter().filter(|p| !limits.iter().any(|l| l.path == **p)) {
            // What an older report does not have cannot be shown.
            if let (Ok(before), Ok(after)) = (of(0, a, path), of(1, b, path)) {
                diff.rows.push(Row {
                    model: name.clone(),
                    from: from.clone(),
                    path: (*path).to_owned(),
                    before,
                    after,
                    limit: None,
                });
            }
        }
        if limits.is_empty() && !diff.rows.iter().any(|row| row.model == *name) {
            return Err((1, DiffError::NothingCommon { model: name.clone() }));
        }
        for limit in limits {
            same_step(a, b, name, &limit.path).map_err(|error| (1, error))?;
            diff.rows.push(Row {
                model: name.clone(),
                from: from.clone(),
                path: limit.path.clone(),
                before: of(0, a, &limit.path)?,
                after: of(1, b, &limit.path)?,
                limit: Some(limit.clone()),
            });
        }
    }
    Ok(diff)
}

/// The operators of a report's steps, in order.
fn steps(report: &Value) -> Option<Vec<&str>> {
    report["steps"].as_array()?.iter().map(|step| step["name"].as_str()?.split(' ').next()).collect()
}

/// Where the layers of two networks do not match, in a sentence.
fn other_steps(before: &[&str], after: &[&str], model: &str) -> Option<String> {
    let of = |steps: &[&str], at: usize| steps.get(at).map_or("no step", |name| *name).to_owned();
    let first = (0..before.len().max(after.len())).find(|&at| before.get(at) != after.get(at))?;
    let (b, a) = (of(before, first), of(after, first));
    let (then, now) = (before.len(), after.len());
    Some(format!(
        "the layers of {model} do not match: {then} steps before, {now} now; the first other one is step {first}, {b} before, {a} now"
    ))
}

/// Refuses a figure of a step that is another operator in the other report.
fn same_step(before: &Value, after: &Value, model: &str, path: &str) -> Result<(), DiffError> {
    let step = path.strip_prefix("steps.").and_then(|rest| rest.split('.').next()?.parse::<usize>().ok());
    let (Some(step), Some(old), Some(new)) = (step, steps(before), steps(after)) else { return Ok(()) };
    match (old.get(step), new.get(step)) {
        (Some(b), Some(a)) if a != b => Err(DiffError::OtherStep {
            model: model.to_owned(),
            path: path.to_owned(),
            step,
            before: (*b).to_owned(),
            after: (*a).to_owned(),
        }),
        _ => Ok(()),
    }
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The networks of a report.
fn models(report: &Value) -> Result<Vec<(String, &Value)>, DiffError> {
    let entries: Vec<&Value> = match (&report["models"], &report["model"]) {
        (Value::Array(models), _) => models.iter().collect(),
        (_, Value::String(_)) => vec![report],
        _ => return Err(DiffError::NoReport),
    };
    let mut named = Vec::<(String, &Value)>::new();
    for entry in entries {
        let name = entry["model"].as_str().ok_or(DiffError::NoReport)?.to_owned();
        if named.iter().any(|(known, _)| *known == name) {
            return Err(DiffError::Twice(name));
        }
        named.push((name, entry));
    }
    Ok(named)
}

/// The value at a dotted path, or what is there where the path ends.
fn lookup<'a>(report: &'a Value, path: &str) -> Result<&'a Value, String> {
    let mut at = report;
    for part in path.split('.') {
        let next = match at {
            Value::Array(items) => part.parse::<usize>().ok().and_then(|i| items.get(i)),
            other => other.get(part),
        };
        at = next.ok_or_else(|| known(at))?;
    }
    Ok(at)
}

/// A number at a dotted path, or the `total` of a group.
fn figure(report: &Value, path: &str) -> Result<f64, String> {
    let at = lookup(report, path)?;
    at.as_f64().or_else(|| at["total"].as_f64()).ok_or_else(|| known(at))
}

/// What can be named at a place: names of figures and of groups.
fn known(at: &Value) -> String {
    match at {
        Value::Object(fields) => {
            let figures = fields.iter().filter(|(_, v)| v.is_number() || v.is_object() || v.is_array());
            figures.map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", ")
        }
        Value::Array(items) if !items.is_empty() => format!("0 to {}", items.len() - 1),
        _ => "nothing below it".to_owned(),
    }
}

impl Diff {
    /// True if no limit is exceeded, no network is missing that has limits to keep, and no output is wrong.
    pub fn passes(&self) -> bool {
        let complete = !self.limited || self.missing.is_empty();
        complete && self.wrong.is_empty() && self.rows.iter().all(Row::passes)
    }

    /// The comparison as Markdown.
    pub fn markdown(&self) -> String {
        let mut text =
            String::from("| network | figure | before | after | change | limit | |\n|---|---|--:|--:|--:|--:|---|\n");
        for row in &self.rows {
            let limit = row.limit.as_ref().map_or_else(String::new, Limit::to_string);
            let verdict = match (&row.limit, row.passes()) {
                (None, _) => "",
                (_, true) => "ok",
                (_, false) => "**FAIL**",
            };
            let change = change(row.before, row.after);
            let (before, after) = (number(row.before), number(row.after));
            text += &format!(
                "| {} | {} | {before} | {after} | {change} | {limit} | {verdict} |\n",
                row.from.iter().map(|from| escape(from) + " \u{2192} ").collect::<String>() + &escape(&row.model),
                escape(&row.path)
            );
        }
        let mut lines = Vec::new();
        let mut list = |names: &[String], what: &str| {
            lines.extend(names.iter().map(|name| format!("- `{}` {what}", escape(name))));
        };
        list(&self.wrong, "**gives wrong outputs**");
        list(&self.missing, if self.limited { "**is missing now**" } else { "is missing now" });
        list(&self.added, "is new: there is nothing to compare it with");
        lines.extend(self.notes.iter().map(|note| format!("- {}", escape(note))));
        if !lines.is_empty() {
            text += &format!("\n{}\n", lines.join("\n"));
        }
        text
    }
}

/// Text that does not end a cell of a table, a line or a span of code, nor begins a tag of HTML.
fn escape(text: &str) -> String {
    visible(text).to_string().replace('|', "\\|").replace('`', "'").replace('<', "&lt;")
}

/// Whole numbers grouped by thousands, others as they are.
fn number(v: f64) -> String {
    if v.fract() != 0.0 || v.abs() >= 2f64.powi(53) {
        return v.to_string();
    }
    let digits = format!("{:.0}", v.abs());
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if v < 0.0 { format!("-{text}") } else { text }
}

fn change(before: f64, after: f64) -> String {
    let by = after - before;
    if by == 0.0 {
        return "=".to_owned();
    }
    let sign = if by > 0.0 { "+" } else { "" };
    // Differences of decimal fractions are not shown with their binary noise.
    let shown = if by.fract() == 0.0 { number(by) } else { format!("{by:.4}") };
    if before == 0.0 {
        format!("{sign}{shown}")
    } else {
        format!("{sign}{shown} ({:+.2} %)", 100.0 * by / before.abs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn variants_of_one_network_are_compared() {
        let step = |kind: &str, n: u64| json!({ "name": format!("{kind} out"), "instructions": n });
        let one = |name: &str, kinds: [&str; 2]| {
            json!({ "model": name, "instructions": 7, "sram": { "total": 5 }, "flash": { "total": 9 },
                    "steps": kinds.map(|kind| step(kind, 3)) })
        };
        let (int8, mixed) = (one("int8", ["CONV_2D", "MEAN"]), one("mixed", ["CONV_2D", "QUANTIZE"]));
        let diff = compare(&int8, &mixed, &limits("instructions=+0,steps.0.instructions=+0"), &[]).unwrap();
        assert!(diff.passes() && diff.missing.is_empty() && diff.added.is_empty(), "{diff:?}");
        assert!(diff.markdown().contains("| int8 \u{2192} mixed | instructions |"), "{}", diff.markdown());
        assert!(diff.notes[0].contains("step 1, MEAN before, QUANTIZE now"), "{:?}", diff.notes);
        let other = compare(&int8, &mixed, &limits("steps.1.instructions=+0"), &[]).unwrap_err();
        assert!(other.1.to_string().contains("different layers"), "{other:?}");
        // Of several, one pair that is named.
        let many = json!({ "models": [mixed, one("x", ["MEAN", "MEAN"])] });
        let pair = |a: &str, b: &str| [(a.to_owned(), b.to_owned())];
        let diff = compare(&int8, &many, &limits("flash=+0"), &pair("int8", "mixed")).unwrap();
        assert!(
            diff.passes()
                && diff.added.is_empty()
                && diff.missing.is_empty()
                && diff.rows[0].from.as_deref() == Some("int8"),
            "{diff:?}"
        );
        let none = compare(&int8, &many, &[], &pair("int8", "y")).unwrap_err();
        assert_eq!((none.0, none.1.to_string().as_str()), (1, "it has no network `y`; there are: mixed, x"));
        // Without the pair nothing is guessed.
        let diff = compare(&int8, &many, &limits("flash=+0"), &[]).unwrap();
        assert!(!diff.passes() && diff.notes[0].contains("--pair int8=mixed"), "{diff:?}");
    }

    #[test]
    fn plans_are_compared_with_plans_only() {
        let plan = |bytes: u64| json!({ "model": "a", "total_bytes": bytes, "modelled_instructions": null, "schedule": "auto" });
        let diff = compare(&plan(10), &plan(12), &limits("total_bytes=+1"), &[]).unwrap();
        assert!(!diff.passes() && diff.rows.len() == 1, "{diff:?}");
        let both = compare(&report(1, 1), &json!({ "model": "a.tflite", "total_bytes": 3 }), &[], &[]).unwrap_err();
        assert_eq!(both.1, DiffError::NothingCommon { model: "a.tflite".into() });
    }

    fn report(instructions: u64, stack: u64) -> Value {
        json!({ "model": "a.tflite", "board": "b", "instructions": instructions, "matches_host": true,
                "sram": { "arena": 1000, "stack": stack, "total": 1000 + stack }, "flash": { "total": 5000 },
                "steps": [{ "instructions": instructions }] })
    }

    fn limits(text: &str) -> Vec<Limit> {
        text.split(',').map(|l| l.parse().unwrap()).collect()
    }

    #[test]
    fn limits_are_read_and_printed() {
        for text in ["sram=+0", "flash=+1%", "instructions=+20000", "top1=-0.5", "steps.3.instructions=+2.5%"] {
            let limit: Limit = text.parse().unwrap();
            assert_eq!(format!("{}={limit}", limit.path), text);
        }
        assert_eq!("instructions=+20_000".parse::<Limit>().unwrap().amount, 20000.0);
        for text in [
            "",
            "sram",
            "sram=",
            "sram=0",
            "sram=+",
            "sram=+x",
            "sram=++1",
            "=+1",
            "a..b=+1",
            "sram=+1%%",
            "é=é",
            "a=+nan",
        ] {
            assert!(text.parse::<Limit>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_limit_holds_up_to_itself_and_not_beyond() {
        for (limit, before, most) in
            [("x=+0", 100, 100), ("x=+1%", 1000, 1010), ("x=+0.1%", 1000, 1001), ("x=+7", 0, 7), ("x=+5%", 0, 0)]
        {
            let limit: Limit = limit.parse().unwrap();
            let allows = |after: i64| limit.allows(before as f64, after as f64);
            assert!(allows(most) && allows(most - 50) && !allows(most + 1), "{limit:?}");
        }
        let limit: Limit = "x=-2%".parse().unwrap();
        assert!(limit.allows(100.0, 98.0) && limit.allows(100.0, 200.0) && !limit.allows(100.0, 97.9));
    }

    #[test]
    fn figures_groups_and_paths_are_compared() {
        let gate = limits("sram=+0,flash=+1%,instructions=+0,sram.stack=+8,steps.0.instructions=+1%");
        assert!(compare(&report(100, 64), &report(100, 64), &gate, &[]).unwrap().passes());
        assert!(compare(&report(100, 64), &report(99, 60), &gate, &[]).unwrap().passes());
        let diff = compare(&report(100, 64), &report(101, 70), &gate, &[]).unwrap();
        let failed: Vec<_> = diff.rows.iter().filter(|r| !r.passes()).map(|r| r.path.as_str()).collect();
        assert_eq!(failed, ["sram", "instructions"]);
        assert!(!diff.passes());
        assert!(compare(&report(100, 64), &report(101, 70), &[], &[]).unwrap().passes(), "without limits all passes");
    }

    #[test]
    fn networks_are_matched_by_name_and_wrong_outputs_fail() {
        let many = |names: &[&str]| {
            let entry = |n: &&str| json!({ "model": n, "instructions": 7, "matches_host": *n != "wrong" });
            json!({ "models": names.iter().map(entry).collect::<Vec<_>>() })
        };
        let gate = limits("instructions=+0");
        let diff = compare(&many(&["a", "b"]), &many(&["b", "c"]), &gate, &[]).unwrap();
        assert_eq!((&diff.missing[..], &diff.added[..]), (&["a".to_owned()][..], &["c".to_owned()][..]));
        assert!(!diff.passes() && compare(&many(&["a", "b"]), &many(&["b"]), &[], &[]).unwrap().passes());
        assert!(!compare(&many(&["wrong"]), &many(&["wrong"]), &[], &[]).unwrap().passes());
        assert_eq!(compare(&many(&["a"]), &many(&["a", "a"]), &[], &[]), Err((1, DiffError::Twice("a".into()))));
        assert_eq!(compare(&json!([1]), &many(&["a"]), &[], &[]), Err((0, DiffError::NoReport)));
    }

    #[test]
    fn what_is_not_there_is_answered_with_what_is() {
        let fail = |path: &str| compare(&report(1, 1), &report(1, 1), &limits(path), &[]).unwrap_err().1.to_string();
        assert!(fail("sram.heap=+0").ends_with("there are: arena, stack, total"), "{}", fail("sram.heap=+0"));
        assert!(fail("ram=+0").contains("instructions, sram, steps"), "{}", fail("ram=+0"));
        assert!(fail("steps.1.instructions=+0").ends_with("0 to 0"));
        assert!(fail("model=+0").ends_with("nothing below it"));
    }

    #[test]
    fn the_markdown_is_as_reviewed() {
        let mut after = report(1_234_567, 60);
        after["board"] = json!("c");
        let diff = compare(&report(1_200_000, 64), &after, &limits("instructions=+1%,sram.stack=+0"), &[]).unwrap();
        insta::assert_snapshot!("markdown", diff.markdown());
    }
}
