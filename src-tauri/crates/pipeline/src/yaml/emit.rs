//! Block style as ruamel writes it for DVC: two spaces for mappings, dashes under their key, text folded at 80 columns. The same
//! layout keeps `dvc.lock` quiet in git when people use both programs.

use super::resolve_plain;
use crate::{Value, python};

const WIDTH: usize = 80;

/// A document; a mapping or list at the top begins in the first column.
pub(crate) fn emit(value: &Value, indent: usize) -> String {
    let mut out = Emitter::new(WIDTH);
    match value {
        Value::Map(entries) if !entries.is_empty() => out.map(entries, indent, true),
        Value::List(items) if !items.is_empty() => out.list(items, indent, true),
        Value::Null
        | Value::Bool(_)
        | Value::Int(_)
        | Value::Float(_)
        | Value::Str(_)
        | Value::List(_)
        | Value::Map(_) => {
            out.scalar(value, indent);
            out.newline();
        }
    }
    out.text
}

struct Emitter {
    text: String,
    column: usize,
    /// Where lines fold; keys and single lines never do.
    width: usize,
}

impl Emitter {
    fn new(width: usize) -> Self {
        Self {
            text: String::new(),
            column: 0,
            width,
        }
    }
}

impl Emitter {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn newline(&mut self) {
        self.text.push('\n');
        self.column = 0;
    }

    fn indent(&mut self, indent: usize) {
        self.push(&" ".repeat(indent));
    }

    fn fold(&mut self, indent: usize) {
        self.newline();
        self.indent(indent);
    }

    fn map(&mut self, entries: &[(Value, Value)], indent: usize, fresh_line: bool) {
        for (index, (key, value)) in entries.iter().enumerate() {
            if index > 0 || fresh_line {
                self.indent(indent);
            }
            self.key(key);
            self.push(":");
            match value {
                Value::Map(inner) if !inner.is_empty() => {
                    self.newline();
                    self.map(inner, indent + 2, true);
                }
                Value::List(items) if !items.is_empty() => {
                    self.newline();
                    self.list(items, indent, true);
                }
                Value::Null => self.newline(),
                Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Str(_)
                | Value::List(_)
                | Value::Map(_) => {
                    self.push(" ");
                    self.scalar(value, indent + 2);
                    self.newline();
                }
            }
        }
    }

    fn list(&mut self, items: &[Value], indent: usize, fresh_line: bool) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 || fresh_line {
                self.indent(indent);
            }
            self.push("-");
            match item {
                Value::Null => {
                    self.push(" ");
                    self.newline();
                }
                Value::Map(inner) if !inner.is_empty() => {
                    self.push(" ");
                    self.map(inner, indent + 2, false);
                }
                Value::List(inner) if !inner.is_empty() => {
                    self.push(" ");
                    self.list(inner, indent + 2, false);
                }
                Value::Bool(_)
                | Value::Int(_)
                | Value::Float(_)
                | Value::Str(_)
                | Value::List(_)
                | Value::Map(_) => {
                    self.push(" ");
                    self.scalar(item, indent + 2);
                    self.newline();
                }
            }
        }
    }

    fn key(&mut self, key: &Value) {
        let line = emit_line(key);
        self.push(&line);
    }

    fn scalar(&mut self, value: &Value, indent: usize) {
        match value {
            Value::Null => self.push("null"),
            Value::Bool(flag) => self.push(if *flag { "true" } else { "false" }),
            Value::Int(number) => self.push(&number.to_string()),
            Value::Float(number) => self.push(&float(*number)),
            Value::Str(text) => match style(text) {
                Style::Plain => self.plain(text, indent),
                Style::Single => self.single(text, indent),
                Style::Double => self.double(text, indent),
            },
            Value::List(_) => self.push("[]"),
            Value::Map(_) => self.push("{}"),
        }
    }

    /// Words go to the next line after a single space beyond the width; a word that is too long gets a line of its own.
    fn plain(&mut self, text: &str, indent: usize) {
        let mut before = 0;
        for (word, spaces) in words(text) {
            let length = word.chars().count();
            // ruamel folds here after several spaces too, and loses them; a fold reads back as one.
            let long = length + self.column > self.width && self.column > indent;
            if long && before <= 1 {
                self.fold(indent);
            }
            self.push(word);
            if spaces == 1 && self.column >= self.width {
                self.fold(indent);
            } else {
                self.push(&" ".repeat(spaces));
            }
            before = spaces;
        }
    }

    fn single(&mut self, text: &str, indent: usize) {
        self.push("'");
        let mut at = 0;
        for (word, spaces) in words(text) {
            self.push(&word.replace('\'', "''"));
            at += word.len() + spaces;
            let inside = at > spaces && at < text.len();
            if spaces == 1 && self.column > self.width && inside {
                self.fold(indent);
            } else {
                self.push(&" ".repeat(spaces));
            }
        }
        self.push("'");
    }

    /// ruamel's double-quoted text, folds included: a fold keeps its space at the end of the line where a reader would join with
    /// one anyway, and is escaped with a backslash where it would not.
    fn double(&mut self, text: &str, indent: usize) {
        let chars: Vec<char> = text.chars().collect();
        self.push("\"");
        let mut start = 0;
        for end in 0..=chars.len() {
            let here = chars.get(end).copied();
            if here.is_none_or(|c| "\"\\".contains(c) || !is_printable(c)) {
                self.push_all(&chars[start..end]);
                start = end;
                if let Some(character) = here {
                    self.push(&escape(character));
                    start = end + 1;
                }
            }
            let inside = end > 0 && end + 1 < chars.len();
            let breakable = here == Some(' ') || start >= end;
            // Python's `end - start` is -1 right behind an escape.
            let width = (self.column + end).saturating_sub(start);
            if inside && breakable && width > self.width {
                let backslash = needs_backslash(&chars, start, end);
                if start < end {
                    self.push_all(&chars[start..end]);
                    start = end;
                }
                if backslash {
                    self.push("\\");
                }
                self.fold(indent);
                if chars.get(start) == Some(&' ') {
                    if backslash {
                        self.push("\\");
                    } else {
                        start += 1;
                    }
                }
            }
        }
        self.push("\"");
    }

    fn push_all(&mut self, chars: &[char]) {
        self.text.extend(chars);
        self.column += chars.len();
    }
}

fn needs_backslash(chars: &[char], start: usize, end: usize) -> bool {
    let find = |wanted: char, from: usize, to: usize| {
        let to = to.min(chars.len());
        (from..to).find(|&at| chars[at] == wanted)
    };
    let Some(space) = find(' ', end, chars.len()) else {
        return true;
    };
    let space = find('\n', end, space).unwrap_or(space);
    let Some(&after) = chars.get(space + 1) else {
        return true;
    };
    if chars[space] == '\n' && after != ' ' {
        return true;
    }
    let quotes = chars[end..space].iter().any(|c| matches!(c, '"' | '\''));
    let double_space = end > 0 && chars[end - 1] == ' ' && chars[end] == ' ';
    quotes || matches!(after, ' ' | '\n') || double_space || start == end
}

fn escape(character: char) -> String {
    let short = match character {
        '\0' => '0',
        '\u{7}' => 'a',
        '\u{8}' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\u{b}' => 'v',
        '\u{c}' => 'f',
        '\r' => 'r',
        '\u{1b}' => 'e',
        '"' => '"',
        '\\' => '\\',
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        other => {
            let code = u32::from(other);
            return match code {
                0..=0xff => format!("\\x{code:02X}"),
                0x100..=0xffff => format!("\\u{code:04X}"),
                _ => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

/// Each word with the number of spaces that follow it.
fn words(text: &str) -> impl Iterator<Item = (&str, usize)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let word = rest.find(' ').unwrap_or(rest.len());
        let (head, tail) = rest.split_at(word);
        let after = tail.trim_start_matches(' ');
        let spaces = tail.len() - after.len();
        rest = after;
        Some((head, spaces))
    })
}

fn float(number: f64) -> String {
    if number.is_nan() {
        ".nan".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { ".inf" } else { "-.inf" }.to_owned()
    } else {
        python::float_repr(number)
    }
}

fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

enum Style {
    Plain,
    Single,
    Double,
}

/// ruamel's choice: plain where it reads back as the same string, else single quotes, and double quotes for what those cannot say.
fn style(text: &str) -> Style {
    let special = text.chars().any(|c| c != '\n' && !is_printable(c));
    if special || text.contains('\n') {
        return Style::Double;
    }
    if is_plain(text) {
        return Style::Plain;
    }
    if text.contains('\'') {
        return Style::Double;
    }
    Style::Single
}

fn is_plain(text: &str) -> bool {
    let Some(first) = text.chars().next() else {
        return false;
    };
    let blank_second = text.chars().nth(1).is_none_or(|c| c == ' ');
    let leading =
        ",[]{}#&*!|>'\"%@`".contains(first) || (matches!(first, '?' | ':' | '-') && blank_second);
    let edges = text.starts_with(' ') || text.ends_with(' ');
    let inside = text.contains(": ") || text.ends_with(':') || text.contains(" #");
    let document = text.starts_with("---") || text.starts_with("...");
    let other_type = !matches!(resolve_plain(text), Value::Str(_));
    !leading
        && !edges
        && !inside
        && !document
        && !other_type
        && !is_date(text)
        && !matches!(text, "<<" | "=")
}

/// ruamel reads these as dates, so as strings they need quotes.
fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: std::ops::Range<usize>| {
        bytes
            .get(range)
            .is_some_and(|part| part.iter().all(u8::is_ascii_digit))
    };
    let year = digits(0..4) && bytes.get(4) == Some(&b'-') && digits(5..6);
    year && ((bytes.len() == 10 && digits(5..7) && bytes[7] == b'-' && digits(8..10))
        || text.contains(':'))
}

/// A scalar on one line, for putting it into a text; null reads `null`.
pub(crate) fn emit_line(value: &Value) -> String {
    let mut out = Emitter::new(usize::MAX);
    out.scalar(value, 0);
    out.text
}
