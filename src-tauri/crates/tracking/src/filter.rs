//! MLflow's search grammar: `metrics.auc > 0.7 AND params.model = 'gbm'`, and `metrics.auc DESC`.

use lapwing_store::search::{Attribute, Condition, DatasetField, Direction, Field, Operand, Test};

use crate::{Error, Result};

#[derive(Debug, Clone, PartialEq)]
enum Token {
    /// A bare word, or a back-quoted or double-quoted name.
    Word(String),
    Quoted(String),
    Text(String),
    Number(f64),
    Operator(String),
    Dot,
    Open,
    Close,
    Comma,
}

fn invalid(why: impl Into<String>) -> Error {
    Error::Invalid(format!("Invalid filter: {}", why.into()))
}

fn tokens(text: &str) -> Result<Vec<Token>> {
    let letters: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(&letter) = letters.get(at) {
        match letter {
            letter if letter.is_whitespace() => at += 1,
            '(' | ')' | ',' => {
                found.push(match letter {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
                at += 1;
            }
            '.' => {
                found.push(Token::Dot);
                at += 1;
            }
            '\'' | '"' | '`' => {
                let (content, next) = quoted(&letters, at)?;
                let after_dot = found.last() == Some(&Token::Dot);
                found.push(if letter == '`' || (letter == '"' && after_dot) {
                    Token::Quoted(content)
                } else {
                    Token::Text(content)
                });
                at = next;
            }
            '=' | '!' | '<' | '>' => {
                let two: String = letters.iter().skip(at).take(2).collect();
                let operator = if ["!=", "<=", ">=", "=="].contains(&two.as_str()) {
                    two
                } else {
                    letter.to_string()
                };
                at += operator.len();
                found.push(Token::Operator(if operator == "==" {
                    "=".to_owned()
                } else {
                    operator
                }));
            }
            letter
                if letter.is_ascii_digit()
                    || ((letter == '-' || letter == '+') && starts_number(&letters, at + 1)) =>
            {
                let end = number_end(&letters, at);
                let word: String = letters.get(at..end).unwrap_or_default().iter().collect();
                found.push(match word.parse() {
                    Ok(number) if found.last() != Some(&Token::Dot) => Token::Number(number),
                    _ => Token::Word(word),
                });
                at = end;
            }
            letter if letter.is_alphanumeric() || letter == '_' => {
                let end = word_end(&letters, at, found.last() == Some(&Token::Dot));
                found.push(Token::Word(
                    letters.get(at..end).unwrap_or_default().iter().collect(),
                ));
                at = end;
            }
            other => return Err(invalid(format!("`{other}` is not expected"))),
        }
    }
    Ok(found)
}

fn starts_number(letters: &[char], at: usize) -> bool {
    letters
        .get(at)
        .is_some_and(|letter| letter.is_ascii_digit() || *letter == '.')
}

fn number_end(letters: &[char], from: usize) -> usize {
    let mut at = from + 1;
    while let Some(&letter) = letters.get(at) {
        let exponent_sign =
            (letter == '-' || letter == '+') && matches!(letters.get(at - 1), Some('e' | 'E'));
        if !(letter.is_alphanumeric() || letter == '.' || letter == '_' || exponent_sign) {
            break;
        }
        at += 1;
    }
    at
}

/// A key after a dot may hold dots, dashes and slashes itself: `params.a.b-c`.
fn word_end(letters: &[char], from: usize, is_key: bool) -> usize {
    let mut at = from;
    while let Some(&letter) = letters.get(at) {
        let inside = letter.is_alphanumeric()
            || letter == '_'
            || (is_key && ['.', '-', '/', ':'].contains(&letter));
        if !inside {
            break;
        }
        at += 1;
    }
    at
}

fn quoted(letters: &[char], from: usize) -> Result<(String, usize)> {
    let mark = letters.get(from).copied().unwrap_or('\'');
    let mut content = String::new();
    let mut at = from + 1;
    while let Some(&letter) = letters.get(at) {
        if letter == mark {
            return Ok((content, at + 1));
        }
        content.push(letter);
        at += 1;
    }
    Err(invalid(format!("a {mark} is not closed")))
}

/// The conditions of a filter; none for an empty one.
pub(crate) fn parse(text: &str) -> Result<Vec<Condition>> {
    let tokens = tokens(text)?;
    let mut rest = tokens.as_slice();
    let mut conditions = Vec::new();
    while !rest.is_empty() {
        let (condition, after) = condition(rest)?;
        conditions.push(condition);
        rest = after;
        match rest.split_first() {
            None => break,
            Some((Token::Word(word), after))
                if word.eq_ignore_ascii_case("and") && !after.is_empty() =>
            {
                rest = after
            }
            Some((Token::Word(word), _)) if word.eq_ignore_ascii_case("or") => {
                return Err(invalid("OR is not supported, conditions are joined by AND"));
            }
            Some((token, _)) => return Err(invalid(format!("AND is expected, not {token:?}"))),
        }
    }
    Ok(conditions)
}

fn condition(tokens: &[Token]) -> Result<(Condition, &[Token])> {
    let (field, rest) = field(tokens)?;
    let (test, rest) = test(&field, rest)?;
    Ok((Condition { field, test }, rest))
}

fn field(tokens: &[Token]) -> Result<(Field, &[Token])> {
    let (Some(Token::Word(first) | Token::Quoted(first)), rest) =
        (tokens.first(), tokens.get(1..).unwrap_or_default())
    else {
        return Err(invalid("a name such as metrics.auc is expected"));
    };
    let Some(Token::Dot) = rest.first() else {
        return Ok((attribute(first)?, rest));
    };
    let (Some(Token::Word(key) | Token::Quoted(key) | Token::Text(key)), rest) =
        (rest.get(1), rest.get(2..).unwrap_or_default())
    else {
        return Err(invalid(format!("a key is expected after `{first}.`")));
    };
    let field = match first.to_lowercase().as_str() {
        "metrics" | "metric" => Field::Metric(key.clone()),
        "params" | "param" | "parameters" | "parameter" => Field::Param(key.clone()),
        "tags" | "tag" => Field::Tag(key.clone()),
        "attributes" | "attribute" | "attr" | "run" => attribute(key)?,
        "dataset" | "datasets" => Field::Dataset(match key.as_str() {
            "name" => DatasetField::Name,
            "digest" => DatasetField::Digest,
            "context" => DatasetField::Context,
            other => {
                return Err(invalid(format!(
                    "data sets have no `{other}`: use name, digest or context"
                )));
            }
        }),
        other => {
            return Err(invalid(format!(
                "`{other}` is unknown: use metrics, params, tags, attributes or dataset"
            )));
        }
    };
    Ok((field, rest))
}

fn attribute(name: &str) -> Result<Field> {
    Ok(Field::Attribute(
        match name.to_lowercase().replace([' ', '-'], "_").as_str() {
            "run_id" | "id" => Attribute::RunId,
            "run_name" | "name" => Attribute::RunName,
            "status" => Attribute::Status,
            "user_id" | "user" => Attribute::User,
            "start_time" | "created" | "start" => Attribute::Start,
            "end_time" | "end" => Attribute::End,
            "artifact_uri" => Attribute::ArtifactUri,
            _ => {
                return Err(invalid(format!(
                    "runs have no attribute `{name}`: use run_id, run_name, status, user_id, start_time, end_time or artifact_uri"
                )));
            }
        },
    ))
}

fn is_number(field: &Field) -> bool {
    matches!(
        field,
        Field::Metric(_) | Field::Attribute(Attribute::Start | Attribute::End)
    )
}

fn test<'a>(field: &Field, tokens: &'a [Token]) -> Result<(Test, &'a [Token])> {
    let (first, rest) = tokens
        .split_first()
        .ok_or_else(|| invalid("it ends before its comparison"))?;
    match first {
        Token::Operator(operator) => {
            let (value, rest) = rest
                .split_first()
                .ok_or_else(|| invalid(format!("a value is expected after {operator}")))?;
            let operand = operand(field, value)?;
            Ok((compare(operator, operand)?, rest))
        }
        Token::Word(word) => word_test(field, &word.to_uppercase(), rest),
        other => Err(invalid(format!("a comparison is expected, not {other:?}"))),
    }
}

fn compare(operator: &str, operand: Operand) -> Result<Test> {
    Ok(match operator {
        "=" => Test::Equal(operand),
        "!=" => Test::NotEqual(operand),
        ">" => Test::Greater(operand),
        ">=" => Test::GreaterOrEqual(operand),
        "<" => Test::Less(operand),
        "<=" => Test::LessOrEqual(operand),
        other => return Err(invalid(format!("`{other}` is no comparison"))),
    })
}

fn operand(field: &Field, token: &Token) -> Result<Operand> {
    match (is_number(field), token) {
        (true, Token::Number(number)) => Ok(Operand::Number(*number)),
        (true, _) => Err(invalid("a metric or a time is compared with a number")),
        (false, Token::Text(text) | Token::Quoted(text)) => Ok(Operand::Text(text.clone())),
        (false, _) => Err(invalid("text is written in quotes: params.model = 'gbm'")),
    }
}

fn word_test<'a>(field: &Field, word: &str, rest: &'a [Token]) -> Result<(Test, &'a [Token])> {
    let keyword = |index: usize, wanted: &str| matches!(rest.get(index), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
    match word {
        "IS" if keyword(0, "NULL") => Ok((Test::IsNull, rest.get(1..).unwrap_or_default())),
        "IS" if keyword(0, "NOT") && keyword(1, "NULL") => {
            Ok((Test::IsNotNull, rest.get(2..).unwrap_or_default()))
        }
        "LIKE" | "ILIKE" if !is_number(field) => match rest.split_first() {
            Some((Token::Text(pattern) | Token::Quoted(pattern), rest)) => Ok((
                if word == "LIKE" {
                    Test::Like(pattern.clone())
                } else {
                    Test::ILike(pattern.clone())
                },
                rest,
            )),
            _ => Err(invalid(format!(
                "a pattern in quotes is expected after {word}"
            ))),
        },
        "IN" => list(rest).map(|(list, rest)| (Test::In(list), rest)),
        "NOT" if keyword(0, "IN") => {
            list(rest.get(1..).unwrap_or_default()).map(|(list, rest)| (Test::NotIn(list), rest))
        }
        other => Err(invalid(format!("`{other}` is no comparison for this key"))),
    }
}

fn list(tokens: &[Token]) -> Result<(Vec<String>, &[Token])> {
    let bad = || invalid("a list in brackets is expected: ('a', 'b')");
    let Some((Token::Open, mut rest)) = tokens.split_first() else {
        return Err(bad());
    };
    let mut values = Vec::new();
    loop {
        let Some((Token::Text(text) | Token::Quoted(text), after)) = rest.split_first() else {
            return Err(bad());
        };
        values.push(text.clone());
        match after.split_first() {
            Some((Token::Comma, after)) => rest = after,
            Some((Token::Close, after)) => return Ok((values, after)),
            _ => return Err(bad()),
        }
    }
}

/// One order: a name, then ASC (the default) or DESC.
pub(crate) fn order(text: &str) -> Result<(Field, Direction)> {
    let tokens = tokens(text)?;
    let (field, rest) = field(&tokens)?;
    let direction = match rest {
        [] => Direction::Ascending,
        [Token::Word(word)] if word.eq_ignore_ascii_case("asc") => Direction::Ascending,
        [Token::Word(word)] if word.eq_ignore_ascii_case("desc") => Direction::Descending,
        _ => return Err(Error::Invalid(format!("Invalid order_by clause '{text}'"))),
    };
    Ok((field, direction))
}
