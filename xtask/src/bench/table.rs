//! Plain aligned columns: the first and the last to the left, numbers to the right.

/// Lays the rows out under the headings.
pub(super) fn render(headings: &[&str], rows: &[Vec<String>]) -> String {
    let headings: Vec<String> = headings.iter().map(|&word| word.to_owned()).collect();
    let widths: Vec<usize> = (0..headings.len()).map(|column| width(&headings, rows, column)).collect();
    let mut text = line(&headings, &widths);
    for row in rows {
        text += &line(row, &widths);
    }
    text
}

/// A number for people, or a dash where nothing was measured.
pub(super) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.decimals$}"))
}

fn width(headings: &[String], rows: &[Vec<String>], column: usize) -> usize {
    let cells = std::iter::once(headings).chain(rows.iter().map(Vec::as_slice)).filter_map(|row| row.get(column));
    cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
}

fn line(cells: &[String], widths: &[usize]) -> String {
    let last = widths.len().saturating_sub(1);
    let mut text = String::new();
    for (column, (cell, &width)) in cells.iter().zip(widths).enumerate() {
        if column == 0 || column == last {
            text += &format!("{cell:<width$}  ");
        } else {
            text += &format!("{cell:>width$}  ");
        }
    }
    text.trim_end().to_owned() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let rows = vec![
            vec!["a".to_owned(), number(Some(1.25), 1), "met".to_owned()],
            vec!["long".to_owned(), number(None, 1), String::new()],
        ];
        let text = render(&["op", "ns", "bound"], &rows);
        assert_eq!(text, "op     ns  bound\na     1.2  met\nlong    –\n");
    }
}
