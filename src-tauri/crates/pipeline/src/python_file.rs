//! Constants of a Python module as parameters: `lr = 0.1`, mappings and lists of literals, class attributes and `self.x` of
//! `__init__`. Reads text only; nothing is executed, and what is no literal is left out, as DVC does.

use crate::Value;

/// The literal constants of a module, by name.
pub(crate) fn constants(text: &str) -> Value {
    let lines = logical_lines(text);
    let (value, _) = block(&lines, 0, 0, Names::Plain);
    value
}

#[derive(Clone, Copy, PartialEq)]
enum Names {
    Plain,
    /// Inside `__init__`: only `self.name`.
    OfSelf,
}

struct Line {
    indent: usize,
    text: String,
}

/// Lines joined while a bracket or a triple quote is open, without comments and blank lines.
fn logical_lines(text: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut characters = text.chars().peekable();
    let mut current = String::new();
    let (mut depth, mut quote): (usize, Option<String>) = (0, None);
    while let Some(character) = characters.next() {
        if let Some(end) = &quote {
            current.push(character);
            if character == '\\' {
                current.extend(characters.next());
            } else if current.ends_with(end.as_str()) || (character == '\n' && end.len() == 1) {
                quote = None;
            }
            continue;
        }
        match character {
            '#' => {
                while characters.peek().is_some_and(|&next| next != '\n') {
                    characters.next();
                }
            }
            '\'' | '"' => {
                let mut ahead = characters.clone();
                let triple = ahead.next() == Some(character) && ahead.next() == Some(character);
                current.push(character);
                if triple {
                    current.extend(characters.by_ref().take(2));
                }
                quote = Some(character.to_string().repeat(if triple { 3 } else { 1 }));
            }
            '(' | '[' | '{' => {
                depth += 1;
                current.push(character);
            }
            ')' | ']' | '}' => {
                depth = depth.saturating_sub(1);
                current.push(character);
            }
            '\n' if depth > 0 => current.push(' '),
            '\n' => push_line(&mut lines, &mut current),
            other => current.push(other),
        }
    }
    push_line(&mut lines, &mut current);
    lines
}

fn push_line(lines: &mut Vec<Line>, current: &mut String) {
    let text = current.trim();
    if !text.is_empty() {
        lines.push(Line {
            indent: current.len() - current.trim_start().len(),
            text: text.to_owned(),
        });
    }
    current.clear();
}

/// Reads the lines of one indentation from `at`; gives the value and the first line that belongs to no deeper block.
fn block(lines: &[Line], mut at: usize, indent: usize, names: Names) -> (Value, usize) {
    let mut found = Value::Map(Vec::new());
    while let Some(line) = lines.get(at) {
        if line.indent < indent {
            break;
        }
        at += 1;
        if line.indent > indent {
            continue;
        }
        let deeper = lines.get(at).map_or(0, |next| next.indent);
        if let Some(header) = line.text.strip_prefix("class ") {
            let end = header.find(['(', ':']).unwrap_or(header.len());
            if deeper > indent {
                let (inner, next) = block(lines, at, deeper, Names::Plain);
                found.set(header[..end].trim(), inner);
                at = next;
            }
        } else if line.text.starts_with("def __init__") && deeper > indent {
            let (inner, next) = block(lines, at, deeper, Names::OfSelf);
            for (key, value) in inner.as_map().unwrap_or_default() {
                found.set(&key.python_str(), value.clone());
            }
            at = next;
        } else if let Some((name, value)) = assignment(&line.text, names) {
            found.set(&name, value);
        }
    }
    (found, at)
}

fn assignment(line: &str, names: Names) -> Option<(String, Value)> {
    let (target, value) = line.split_once('=')?;
    let target = target.split(':').next()?.trim();
    let name = match names {
        Names::Plain => target,
        Names::OfSelf => target.strip_prefix("self.")?,
    };
    let identifier = |c: char| c.is_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(identifier) {
        return None;
    }
    let mut literal = Literal {
        rest: value.trim(),
        depth: 0,
    };
    let value = literal.value()?;
    literal
        .rest
        .trim()
        .is_empty()
        .then(|| (name.to_owned(), value))
}

const MAX_DEPTH: usize = 32;

struct Literal<'a> {
    rest: &'a str,
    depth: usize,
}

impl Literal<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start();
    }

    fn take(&mut self, token: char) -> bool {
        self.skip();
        match self.rest.strip_prefix(token) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn value(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        self.skip();
        let value = match self.rest.chars().next()? {
            '{' => self.map(),
            '[' => self.list('[', ']'),
            '(' => self.list('(', ')'),
            '\'' | '"' => self.string().map(Value::Str),
            _ => self.word(),
        };
        self.depth -= 1;
        value
    }

    fn list(&mut self, open: char, close: char) -> Option<Value> {
        self.take(open);
        let mut items = Vec::new();
        while !self.take(close) {
            items.push(self.value()?);
            if !self.take(',') {
                return self.take(close).then_some(Value::List(items));
            }
        }
        Some(Value::List(items))
    }

    fn map(&mut self) -> Option<Value> {
        self.take('{');
        let mut entries = Vec::new();
        while !self.take('}') {
            let key = self.value()?;
            if !self.take(':') {
                return None;
            }
            entries.push((key, self.value()?));
            if !self.take(',') {
                return self.take('}').then_some(Value::Map(entries));
            }
        }
        Some(Value::Map(entries))
    }

    fn string(&mut self) -> Option<String> {
        let quote = self.rest.chars().next()?;
        let triple = quote.to_string().repeat(3);
        let end = if self.rest.starts_with(&triple) {
            triple
        } else {
            quote.to_string()
        };
        self.rest = self.rest.strip_prefix(end.as_str())?;
        let mut text = String::new();
        loop {
            if let Some(rest) = self.rest.strip_prefix(end.as_str()) {
                self.rest = rest;
                return Some(text);
            }
            let mut characters = self.rest.chars();
            match characters.next()? {
                '\\' => match characters.next()? {
                    'n' => text.push('\n'),
                    't' => text.push('\t'),
                    'r' => text.push('\r'),
                    '0' => text.push('\0'),
                    '\n' => {}
                    other @ ('\\' | '\'' | '"') => text.push(other),
                    // Rarer escapes would need Python's tables; such a constant is left out.
                    _ => return None,
                },
                other => text.push(other),
            }
            self.rest = characters.as_str();
        }
    }

    fn word(&mut self) -> Option<Value> {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || "+-._".contains(c)))
            .unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest;
        let number = word.replace('_', "");
        match word {
            "True" => Some(Value::Bool(true)),
            "False" => Some(Value::Bool(false)),
            "None" => Some(Value::Null),
            _ if !number.contains(|c: char| c.is_ascii_digit()) => None,
            _ => number
                .parse()
                .map(Value::Int)
                .or_else(|_| number.parse().map(Value::Float))
                .ok(),
        }
    }
}
