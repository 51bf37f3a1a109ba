//! Edits one output of a `.dvc` file in its text: only keys of that very item change; comments, order and all else stay.

use crate::Out;

/// The keys that adding decides.
const OURS: [&str; 5] = ["md5", "size", "nfiles", "isexec", "hash"];

/// Those keys with their values, in DVC's order.
pub(crate) fn keys(out: &Out) -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    keys.extend(out.md5.clone().map(|id| ("md5", id)));
    keys.extend(out.size.map(|size| ("size", size.to_string())));
    keys.extend(out.nfiles.map(|count| ("nfiles", count.to_string())));
    if out.isexec {
        keys.push(("isexec", "true".to_owned()));
    }
    keys.push(("hash", "md5".to_owned()));
    keys
}

/// The text with the deciding keys of the output number `index` replaced. `None` when the list is not written one key a
/// line; the caller checks that the result says what it should.
pub(crate) fn edited(text: &str, index: usize, out: &Out) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let (first, end) = item(&lines, index)?;
    let head = lines.get(first)?;
    let dash = indent(head);
    let after_dash = head.get(dash + 1..)?;
    let column = dash + 1 + indent(after_dash);
    if after_dash.trim().is_empty() || after_dash.trim_start().starts_with(['{', '#', '&', '!']) {
        return None;
    }
    let mut new: Vec<String> = lines
        .get(..first)?
        .iter()
        .map(|&line| line.into())
        .collect();
    for (number, (key, value)) in keys(out).into_iter().enumerate() {
        let mark = if number == 0 { "-" } else { " " };
        let (before, gap) = (" ".repeat(dash), " ".repeat(column - dash - 1));
        new.push(format!("{before}{mark}{gap}{key}: {value}"));
    }
    for (number, &line) in lines.get(first..end)?.iter().enumerate() {
        let line = if number == 0 {
            format!("{}{}", " ".repeat(column), line.get(column..)?)
        } else {
            line.to_owned()
        };
        let key = line.trim_start().split(':').next().unwrap_or_default();
        if indent(&line) != column || !OURS.contains(&key.trim_end()) {
            new.push(line);
        }
    }
    new.extend(lines.get(end..)?.iter().map(|&line| line.to_owned()));
    Some(new.join("\n") + "\n")
}

/// First line of the item, and the line after its last.
fn item(lines: &[&str], index: usize) -> Option<(usize, usize)> {
    let top = lines.iter().position(|line| line.trim_end() == "outs:")?;
    let is_text = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let mut starts = Vec::new();
    let mut dash = None;
    let mut end = lines.len();
    for (number, line) in lines.iter().enumerate().skip(top + 1) {
        if !is_text(line) {
            continue;
        }
        let column = indent(line);
        let is_item = line.trim_start().starts_with("- ") || line.trim() == "-";
        if is_item && column <= *dash.get_or_insert(column) {
            starts.push(number);
        } else if dash.is_none_or(|dash| column <= dash) {
            end = number;
            break;
        }
    }
    let first = *starts.get(index)?;
    Some((first, starts.get(index + 1).copied().unwrap_or(end)))
}

fn indent(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}
