//! Tables that fit: at most 100 columns wide, and on a narrower terminal without the columns that matter least.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, TableStyle};
use smidgen::ir::visible;
use std::collections::BTreeSet;

/// Where a column's text stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Align {
    Left,
    Right,
}

/// One column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    pub title: &'static str,
    pub align: Align,
    /// On a narrow terminal columns disappear by this number, the highest first; those of 0 stay and wrap instead.
    pub dispensable: u8,
}

impl Column {
    pub const fn left(title: &'static str, dispensable: u8) -> Self {
        Self { title, align: Align::Left, dispensable }
    }

    pub const fn right(title: &'static str, dispensable: u8) -> Self {
        Self { title, align: Align::Right, dispensable }
    }
}

/// A table under construction.
pub struct Table<'a> {
    columns: &'a [Column],
    rows: Vec<Vec<String>>,
    footer: Option<Vec<String>>,
}

/// No table is wider, however wide the terminal.
const WIDEST: usize = super::terminal::WIDTH;

/// Spaces between columns.
const GAP: usize = 2;

impl<'a> Table<'a> {
    pub fn new(columns: &'a [Column]) -> Self {
        Self { columns, rows: Vec::new(), footer: None }
    }

    /// Appends a row, one cell for each column.
    pub fn row(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.rows.push(cells.iter().map(|cell| visible(cell).into()).collect());
    }

    /// Sets the row below the line at the end.
    pub fn footer(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.columns.len());
        self.footer = Some(cells);
    }

    /// The table in at most `width` columns (fewer than about 30 cannot be kept), ending in a line feed, with a word on the
    /// columns left out.
    pub fn render(&self, width: usize) -> String {
        let natural: Vec<usize> = (0..self.columns.len()).map(|c| self.natural_width(c)).collect();
        let mut shown: BTreeSet<usize> = (0..self.columns.len()).collect();
        let total = |shown: &BTreeSet<usize>| shown.iter().map(|&c| natural[c] + GAP).sum::<usize>() - GAP;
        let full = total(&shown);
        let mut hidden = Vec::new();
        while total(&shown) > width {
            let Some(&least) = shown.iter().max_by_key(|&&c| self.columns[c].dispensable) else { break };
            if self.columns[least].dispensable == 0 {
                break;
            }
            shown.remove(&least);
            hidden.push(self.columns[least].title.replace('\n', " "));
        }
        let mut text = self.draw(&shown, width);
        if !hidden.is_empty() {
            hidden.reverse();
            let hidden = hidden.join(", ");
            text.push_str(&match full {
                0..=WIDEST => format!("({hidden} left out: needs {full} columns, or --json)\n"),
                _ => format!("({hidden} left out: --json has it all)\n"),
            });
        }
        text
    }

    fn natural_width(&self, column: usize) -> usize {
        let cells = self.rows.iter().chain(&self.footer).map(|row| row[column].as_str());
        let lines = cells.chain([self.columns[column].title]).flat_map(str::lines);
        lines.map(|line| line.chars().count()).max().unwrap_or(0)
    }

    fn draw(&self, shown: &BTreeSet<usize>, width: usize) -> String {
        let mut table = comfy_table::Table::new();
        let rule = LineStyle::none().fill('─').junction('─');
        table.load_style(TableStyle::new().header_separator(rule));
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(u16::try_from(width + GAP - 1).unwrap_or(u16::MAX));
        let pick = |row: &[String]| shown.iter().map(|&c| row[c].clone()).collect::<Vec<_>>();
        table.set_header(shown.iter().map(|&c| self.columns[c].title));
        for row in self.rows.iter().chain(&self.footer) {
            table.add_row(pick(row));
        }
        for (i, &c) in shown.iter().enumerate() {
            if let Some(column) = table.column_mut(i) {
                // The style's column separator, a space, is the rest of the gap.
                column.set_padding((0, GAP as u16 - 1));
                column.set_cell_alignment(match self.columns[c].align {
                    Align::Left => CellAlignment::Left,
                    Align::Right => CellAlignment::Right,
                });
            }
        }
        let mut lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        // The last column's padding is the rule's as well.
        for line in lines.iter_mut().filter(|line| line.starts_with('─')) {
            *line = line.chars().take(line.chars().count() - (GAP - 1)).collect();
        }
        if self.footer.is_some() {
            let rule = lines.iter().find(|line| line.starts_with('─')).cloned().unwrap_or_default();
            lines.insert(lines.len() - 1, rule);
        }
        lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 4] = [
        Column::right("#", 0),
        Column::left("operator", 0),
        Column::right("MACs", 1),
        Column::right("output\nbytes", 2),
    ];

    fn example() -> Table<'static> {
        let mut table = Table::new(&COLUMNS);
        table.row(["0", "CONV_2D", "1,000", "64"].map(str::to_owned).to_vec());
        table.row(["1", "FULLY_CONNECTED", "20", "10"].map(str::to_owned).to_vec());
        table.footer(["", "total", "1,020", "74"].map(str::to_owned).to_vec());
        table
    }

    #[test]
    fn a_wide_terminal_shows_everything() {
        insta::assert_snapshot!("table_wide", example().render(100));
    }

    #[test]
    fn a_narrow_one_leaves_out_what_matters_least() {
        insta::assert_snapshot!("table_narrow", example().render(30));
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 24..60 {
            for line in example().render(width).lines().filter(|line| !line.starts_with('(')) {
                assert!(line.chars().count() <= width, "{width}: {line}");
            }
        }
    }
}
