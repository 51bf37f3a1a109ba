//! A document with the place of every node, so that an error can name its line and an edit can touch one value only.

use std::collections::HashSet;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::resolve_plain;
use crate::Value;

/// Aliases multiply what they name; a file that grows beyond this is refused.
const MAX_NODES: usize = 200_000;
/// Deeper nesting than any pipeline has.
const MAX_DEPTH: usize = 64;

/// One node and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub(crate) content: Content,
    /// First line, from 1.
    pub(crate) line: usize,
    /// Start and end as character offsets into the text.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

/// Why a text is no YAML, and where.
#[derive(Debug, Clone)]
pub(crate) struct Syntax {
    pub(crate) line: usize,
    pub(crate) message: String,
}

impl From<ScanError> for Syntax {
    fn from(error: ScanError) -> Self {
        Self {
            line: error.marker().line(),
            message: error.info().to_owned(),
        }
    }
}

impl Node {
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::List(items.iter().map(Self::to_value).collect()),
            Content::Map(entries) => Value::Map(
                entries
                    .iter()
                    .map(|(key, value)| (key.to_value(), value.to_value()))
                    .collect(),
            ),
        }
    }

    /// The key node and value node under a string key.
    pub(crate) fn entry(&self, name: &str) -> Option<(&Node, &Node)> {
        match &self.content {
            Content::Map(entries) => entries
                .iter()
                .find(|(key, _)| key.to_value().python_str() == name)
                .map(|(key, value)| (key, value)),
            Content::Scalar(_) | Content::List(_) => None,
        }
    }
}

/// Reads the first document of a text; an empty text is null.
pub(crate) fn parse(text: &str) -> Result<Node, Syntax> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader {
        parser: Parser::new_from_str(text),
        text: text.chars().collect(),
        anchors: Vec::new(),
        nodes: 0,
    };
    loop {
        let (event, span) = reader.next()?;
        match event {
            Event::StreamEnd => return Ok(scalar(Value::Null, span)),
            Event::Nothing | Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
            Event::Alias(_)
            | Event::Scalar(..)
            | Event::SequenceStart(..)
            | Event::SequenceEnd
            | Event::MappingStart(..)
            | Event::MappingEnd => {
                let root = reader.node(event, span, 0)?;
                return reader.finish(root);
            }
        }
    }
}

fn scalar(value: Value, span: Span) -> Node {
    Node {
        content: Content::Scalar(value),
        line: span.start.line(),
        start: span.start.index(),
        end: span.end.index(),
    }
}

struct Reader<'text> {
    parser: Parser<'text, saphyr_parser::StrInput<'text>>,
    text: Vec<char>,
    anchors: Vec<(usize, Node)>,
    nodes: usize,
}

impl<'text> Reader<'text> {
    fn next(&mut self) -> Result<(Event<'text>, Span), Syntax> {
        match self.parser.next_event() {
            Some(event) => Ok(event?),
            None => Ok((Event::StreamEnd, Span::empty(Marker::default()))),
        }
    }

    /// The rest of the stream must be readable too, and hold no second document.
    fn finish(&mut self, root: Node) -> Result<Node, Syntax> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(root),
                Event::DocumentStart(_) => {
                    return Err(syntax(span.start, "a second document in the same file"));
                }
                _ => {}
            }
        }
    }

    fn count(&mut self, more: usize, at: Marker) -> Result<(), Syntax> {
        self.nodes += more;
        if self.nodes > MAX_NODES {
            return Err(syntax(at, "more values than Lapwing reads from one file"));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'text>, span: Span, depth: usize) -> Result<Node, Syntax> {
        if depth > MAX_DEPTH {
            return Err(syntax(span.start, "nested too deeply"));
        }
        self.count(1, span.start)?;
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let tag = tag.filter(|tag| tag.is_yaml_core_schema());
                let value = match (tag.as_ref().map(|tag| tag.suffix.as_str()), style) {
                    (Some("str"), _) => Value::str(text),
                    (Some("float"), _) => as_float(resolve_plain(&text)),
                    (Some(_), _) | (None, ScalarStyle::Plain) => resolve_plain(&text),
                    (None, _) => Value::str(text),
                };
                let mut node = scalar(value, span);
                node.end = self.end_of_quotes(style, node.start).unwrap_or(node.end);
                Ok(self.keep(anchor, node))
            }
            Event::SequenceStart(anchor, _) => {
                let mut items = Vec::new();
                let end = loop {
                    let (event, span) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break span.end.index();
                    }
                    items.push(self.node(event, span, depth + 1)?);
                };
                Ok(self.keep(anchor, collection(Content::List(items), span, end)))
            }
            Event::MappingStart(anchor, _) => {
                let (entries, end) = self.entries(depth)?;
                Ok(self.keep(anchor, collection(Content::Map(entries), span, end)))
            }
            Event::Alias(anchor) => {
                let found = self.anchors.iter().rev().find(|(id, _)| *id == anchor);
                let Some((_, node)) = found else {
                    return Err(syntax(span.start, "an alias to nothing"));
                };
                let mut node = node.clone();
                (node.line, node.start, node.end) =
                    (span.start.line(), span.start.index(), span.end.index());
                self.count(size(&node), span.start)?;
                Ok(node)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd
            | Event::SequenceEnd
            | Event::MappingEnd => Err(syntax(span.start, "the document ends too early")),
        }
    }

    fn entries(&mut self, depth: usize) -> Result<(Vec<(Node, Node)>, usize), Syntax> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        let mut merged: Vec<(Node, Node)> = Vec::new();
        let mut names = HashSet::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                // Own keys win over merged ones, whatever their order.
                for (key, value) in merged {
                    if !has_key(&entries, &key) {
                        entries.push((key, value));
                    }
                }
                return Ok((entries, span.end.index()));
            }
            let merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            if merge {
                merge_into(&mut merged, value)?;
            } else if !names.insert(key.to_value().python_repr()) {
                return Err(Syntax {
                    line: key.line,
                    message: format!("the key '{}' appears twice", key.to_value().python_str()),
                });
            } else {
                entries.push((key, value));
            }
        }
    }

    /// The parser's end of a text in quotes lies behind a comment that follows it.
    fn end_of_quotes(&self, style: ScalarStyle, start: usize) -> Option<usize> {
        let quote = match style {
            ScalarStyle::SingleQuoted => '\'',
            ScalarStyle::DoubleQuoted => '"',
            ScalarStyle::Plain | ScalarStyle::Literal | ScalarStyle::Folded => return None,
        };
        if *self.text.get(start)? != quote {
            return None;
        }
        let mut at = start + 1;
        loop {
            let doubled = self.text.get(at + 1) == Some(&quote);
            match self.text.get(at)? {
                '\\' if quote == '"' => at += 2,
                '\'' if quote == '\'' && doubled => at += 2,
                found if *found == quote => return Some(at + 1),
                _ => at += 1,
            }
        }
    }

    fn keep(&mut self, anchor: usize, node: Node) -> Node {
        if anchor > 0 {
            self.anchors.push((anchor, node.clone()));
        }
        node
    }
}

fn has_key(entries: &[(Node, Node)], key: &Node) -> bool {
    let key = key.to_value();
    entries.iter().any(|(other, _)| other.to_value() == key)
}

fn merge_into(merged: &mut Vec<(Node, Node)>, value: Node) -> Result<(), Syntax> {
    let line = value.line;
    match value.content {
        Content::Map(entries) => {
            for (key, value) in entries {
                if !has_key(merged, &key) {
                    merged.push((key, value));
                }
            }
            Ok(())
        }
        Content::List(items) => items
            .into_iter()
            .try_for_each(|item| merge_into(merged, item)),
        Content::Scalar(_) => Err(Syntax {
            line,
            message: "'<<' merges mappings only".to_owned(),
        }),
    }
}

fn collection(content: Content, span: Span, end: usize) -> Node {
    Node {
        content,
        line: span.start.line(),
        start: span.start.index(),
        end,
    }
}

fn as_float(value: Value) -> Value {
    value.as_number().map_or(value, Value::Float)
}

fn size(node: &Node) -> usize {
    match &node.content {
        Content::Scalar(_) => 1,
        Content::List(items) => 1 + items.iter().map(size).sum::<usize>(),
        Content::Map(entries) => {
            1 + entries
                .iter()
                .map(|(key, value)| size(key) + size(value))
                .sum::<usize>()
        }
    }
}

fn syntax(at: Marker, message: &str) -> Syntax {
    Syntax {
        line: at.line(),
        message: message.to_owned(),
    }
}
