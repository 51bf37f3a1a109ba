//! `${…}` in pipeline files: which parts of a text are expressions, what they name, and how a value reads inside a text.

use crate::{Value, context::Context, python};

/// One `${…}` in a text: byte range and what stands between the braces.
struct Expression<'text> {
    start: usize,
    end: usize,
    inner: &'text str,
}

/// `${` unless a backslash precedes it, up to the first `}` on the same line.
fn expressions(text: &str) -> Vec<Expression<'_>> {
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(start) = text[from..].find("${").map(|at| at + from) {
        from = start + 2;
        if text[..start].ends_with('\\') {
            continue;
        }
        let rest = &text[from..];
        let Some(length) = rest.find('}') else { break };
        if rest[..length].contains('\n') {
            continue;
        }
        found.push(Expression {
            start,
            end: from + length + 1,
            inner: &rest[..length],
        });
        from += length + 1;
    }
    found
}

/// Whether a text holds an expression.
pub(crate) fn is_template(text: &str) -> bool {
    !expressions(text).is_empty()
}

/// What stands inside each `${…}` of a text.
pub(crate) fn names(text: &str) -> Vec<&str> {
    let found = expressions(text);
    found.iter().map(|expression| expression.inner).collect()
}

/// Whether any text inside a value holds an expression.
pub(crate) fn has_template(value: &Value) -> bool {
    match value {
        Value::Str(text) => is_template(text),
        Value::List(items) => items.iter().any(has_template),
        Value::Map(entries) => entries
            .iter()
            .any(|(key, value)| has_template(key) || has_template(value)),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => false,
    }
}

/// The one expression that a text is made of, if nothing stands beside it: its value keeps its type.
pub(crate) fn whole_expression(text: &str) -> Option<&str> {
    match expressions(text).as_slice() {
        [only] if only.start == 0 && only.end == text.len() => Some(only.inner),
        _ => None,
    }
}

/// `a.b`, `a[0]` and `a.0` all name the same way: segments without brackets.
pub(crate) fn path(expression: &str) -> Result<Vec<String>, String> {
    let mut segments = Vec::new();
    let mut rest = expression;
    loop {
        let end = rest.find(['.', '[', ']']).unwrap_or(rest.len());
        let (word, tail) = rest.split_at(end);
        if word.is_empty() {
            return Err(format!("'${{{expression}}}' is not a name"));
        }
        segments.push(word.trim().to_owned());
        let mut tail = tail;
        while let Some(index) = tail.strip_prefix('[') {
            let close = index
                .find(']')
                .filter(|&close| close > 0 && !index[..close].contains(['[', '.']))
                .ok_or_else(|| format!("'${{{expression}}}' has a bracket that does not close"))?;
            segments.push(index[..close].trim().to_owned());
            tail = index[close + 1..].trim_start();
        }
        match tail.strip_prefix('.') {
            Some(next) => rest = next,
            None if tail.is_empty() => return Ok(segments),
            None => return Err(format!("'${{{expression}}}' is not a name")),
        }
    }
}

/// How dictionaries become command-line options; DVC's `[parsing]` section.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Options {
    /// `bool = boolean_optional`: false becomes `--no-name`.
    pub(crate) negated_flags: bool,
    /// `list = append`: the option is repeated for each element.
    pub(crate) repeated_lists: bool,
}

/// Where a template stands, which decides what may be put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    /// A command: mappings become options.
    Command,
    /// Any other key of a stage: scalars only.
    Scalar,
    /// Lists and mappings are welcome: the data of `foreach` and `matrix`.
    Anything,
}

/// Replaces every expression in every text of a value.
pub(crate) fn resolve(
    context: &Context,
    value: &Value,
    slot: Slot,
    options: Options,
) -> Result<Value, String> {
    match value {
        Value::Str(text) => resolve_text(context, text, slot, options),
        Value::List(items) => items
            .iter()
            .map(|item| resolve(context, item, slot, options))
            .collect::<Result<_, _>>()
            .map(Value::List),
        Value::Map(entries) => entries
            .iter()
            .map(|(key, value)| {
                Ok((
                    resolve(context, key, slot, options)?,
                    resolve(context, value, slot, options)?,
                ))
            })
            .collect::<Result<_, String>>()
            .map(Value::Map),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => Ok(value.clone()),
    }
}

pub(crate) fn resolve_text(
    context: &Context,
    text: &str,
    slot: Slot,
    options: Options,
) -> Result<Value, String> {
    if let Some(expression) = whole_expression(text) {
        let value = context.select(expression)?.clone();
        check(&value, slot, expression)?;
        // A mapping alone in a command is as good as one inside it.
        return match (&value, slot) {
            (Value::Map(_), Slot::Command) => as_text(&value, options).map(Value::Str),
            _ => Ok(value),
        };
    }
    let mut out = String::new();
    let mut from = 0;
    for expression in expressions(text) {
        let value = context.select(expression.inner)?;
        check(value, slot, expression.inner)?;
        out.push_str(&text[from..expression.start]);
        out.push_str(&as_text(value, options)?);
        from = expression.end;
    }
    out.push_str(&text[from..]);
    Ok(Value::Str(out.replace("\\${", "${")))
}

fn check(value: &Value, slot: Slot, expression: &str) -> Result<(), String> {
    match (value, slot) {
        (Value::List(_), Slot::Command | Slot::Scalar) | (Value::Map(_), Slot::Scalar) => {
            Err(format!(
                "'${{{expression}}}' is {}, but only one value fits here",
                value.kind()
            ))
        }
        _ => Ok(()),
    }
}

/// How a value reads inside a text; also how it names a generated stage.
pub(crate) fn as_text(value: &Value, options: Options) -> Result<String, String> {
    match value {
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Map(_) => command_line(value, options),
        Value::Null | Value::Int(_) | Value::Float(_) | Value::Str(_) | Value::List(_) => {
            Ok(value.python_str())
        }
    }
}

fn command_line(value: &Value, options: Options) -> Result<String, String> {
    let mut words = Vec::new();
    for (name, value) in flatten(value) {
        match &value {
            Value::Bool(true) => words.push(format!("--{name}")),
            Value::Bool(false) if options.negated_flags => words.push(format!("--no-{name}")),
            Value::Bool(false) => {}
            Value::Str(text) => words.push(format!("--{name} {}", python::shell_quote(text))),
            Value::List(items) => list_option(&mut words, &name, items, options)?,
            // Only an empty mapping is left whole by flattening, and it has nothing to say.
            Value::Map(_) => {}
            Value::Null | Value::Int(_) | Value::Float(_) => {
                words.push(format!("--{name} {}", value.python_str()));
            }
        }
    }
    Ok(words.join(" "))
}

fn list_option(
    words: &mut Vec<String>,
    name: &str,
    items: &[Value],
    options: Options,
) -> Result<(), String> {
    for (index, item) in items.iter().enumerate() {
        let text = match item {
            Value::Str(text) => python::shell_quote(text),
            Value::List(_) | Value::Map(_) => {
                return Err(format!("'{name}' holds a list inside a list"));
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => item.python_str(),
        };
        words.push(if index == 0 || options.repeated_lists {
            format!("--{name} {text}")
        } else {
            text
        });
    }
    Ok(())
}

/// Nested mappings as dotted keys, in file order.
pub(crate) fn flatten(value: &Value) -> Vec<(String, Value)> {
    let mut flat = Vec::new();
    flatten_into(&mut flat, "", value);
    flat
}

fn flatten_into(flat: &mut Vec<(String, Value)>, prefix: &str, value: &Value) {
    match value {
        Value::Map(entries) if prefix.is_empty() || !entries.is_empty() => {
            for (key, value) in entries {
                let key = key.python_str();
                let name = if prefix.is_empty() {
                    key
                } else {
                    format!("{prefix}.{key}")
                };
                flatten_into(flat, &name, value);
            }
        }
        _ => flat.push((prefix.to_owned(), value.clone())),
    }
}

/// Whether every expression in a value is well formed, known before any value is.
pub(crate) fn check_syntax(value: &Value) -> Result<(), String> {
    match value {
        Value::Str(text) => expressions(text)
            .iter()
            .try_for_each(|expression| path(expression.inner).map(drop)),
        Value::List(items) => items.iter().try_for_each(check_syntax),
        Value::Map(entries) => entries
            .iter()
            .try_for_each(|(key, value)| check_syntax(key).and_then(|()| check_syntax(value))),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => Ok(()),
    }
}
