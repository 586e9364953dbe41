//! The table of a run.

use std::fmt;

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    /// The number of the goal.
    pub(crate) id: &'static str,
    /// What is measured.
    pub(crate) what: String,
    pub(crate) figure: String,
    pub(crate) yardstick: String,
    /// The figure over the yardstick, or a difference.
    pub(crate) ratio: String,
    /// The goal, and whether it was met; rows without one only show regressions.
    pub(crate) goal: Option<(String, bool)>,
}

/// A bound on a ratio.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    pub(crate) fn judge(self, ratio: f64) -> (String, bool) {
        match self {
            Self::AtLeast(bound) => (format!("≥ {bound:.2}"), ratio >= bound),
            Self::AtMost(bound) => (format!("≤ {bound:.2}"), ratio <= bound),
        }
    }
}

/// All lines, under a head.
#[derive(Debug)]
pub(crate) struct Table {
    head: String,
    rows: Vec<Row>,
}

impl Table {
    pub(crate) fn new(head: String) -> Self {
        Self { head, rows: Vec::new() }
    }

    /// Adds lines; they are also told at once.
    pub(crate) fn add(&mut self, rows: Vec<Row>) {
        for row in &rows {
            eprintln!(
                "{} {}: {} / {} = {}",
                row.id, row.what, row.figure, row.yardstick, row.ratio
            );
        }
        self.rows.extend(rows);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = ["#", "what", "figure", "yardstick", "ratio", "goal", "met"];
        let mut lines = vec![names.map(str::to_owned)];
        for row in &self.rows {
            let (goal, met) = match &row.goal {
                Some((goal, met)) => (goal.clone(), if *met { "yes" } else { "no" }),
                None => ("–".to_owned(), "–"),
            };
            lines.push([
                row.id.to_owned(),
                row.what.clone(),
                row.figure.clone(),
                row.yardstick.clone(),
                row.ratio.clone(),
                goal,
                met.to_owned(),
            ]);
        }
        let mut widths = [0; 7];
        for line in &lines {
            for (width, cell) in widths.iter_mut().zip(line) {
                *width = (*width).max(cell.chars().count());
            }
        }
        writeln!(f, "{}\n", self.head)?;
        for (number, line) in lines.iter().enumerate() {
            for (cell, width) in line.iter().zip(widths) {
                write!(f, "| {cell:width$} ")?;
            }
            writeln!(f, "|")?;
            if number == 0 {
                for width in widths {
                    write!(f, "| {} ", "-".repeat(width))?;
                }
                writeln!(f, "|")?;
            }
        }
        Ok(())
    }
}
