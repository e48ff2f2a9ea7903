//! Tables of text with columns as wide as they need to be.

use std::fmt;

pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new<const N: usize>(header: [&str; N]) -> Self {
        Self { rows: vec![header.map(str::to_uppercase).to_vec()] }
    }

    pub(crate) fn row<const N: usize>(mut self, cells: [String; N]) -> Self {
        self.rows.push(cells.to_vec());
        self
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let cell = |row: &[String], column: usize| row.get(column).filter(|c| !c.is_empty()).cloned().unwrap_or_else(|| "-".into());
        let width = |column| self.rows.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(width).collect();
        for row in &self.rows {
            let cells = widths.iter().enumerate().map(|(column, width)| format!("{:<width$}", cell(row, column)));
            writeln!(f, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_nothing_shows_as_a_dash() {
        let table = Table::new(["id", "name"]).row(["1".into(), "Zoë".into()]).row(["longer".into(), String::new()]);
        assert_eq!(table.to_string(), "ID      NAME\n1       Zoë\nlonger  -\n");
    }
}
