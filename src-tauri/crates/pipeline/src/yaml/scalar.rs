//! What a plain scalar means: YAML 1.2's core schema in ruamel's dialect.

use crate::Value;

/// The value of an unquoted scalar.
pub(crate) fn resolve_plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        _ => {}
    }
    int(text)
        .or_else(|| float(text))
        .unwrap_or_else(|| Value::str(text))
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    }
}

fn int(text: &str) -> Option<Value> {
    let (negative, digits) = split_sign(text);
    let (radix, body) = match digits.as_bytes() {
        [b'0', b'b', ..] => (2, &digits[2..]),
        [b'0', b'o', ..] => (8, &digits[2..]),
        [b'0', b'x', ..] => (16, &digits[2..]),
        _ => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let clean: String = body.chars().filter(|&c| c != '_').collect();
    if clean.is_empty() || !clean.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    match i128::from_str_radix(&clean, radix) {
        Ok(number) => Some(Value::Int(if negative { -number } else { number })),
        // Beyond 128 bits a double is the closest that we have.
        Err(_) => clean.parse().ok().map(Value::Float),
    }
}

fn float(text: &str) -> Option<Value> {
    let (negative, body) = split_sign(text);
    let sign = if negative { -1.0 } else { 1.0 };
    if matches!(body, ".inf" | ".Inf" | ".INF") {
        return Some(Value::Float(sign * f64::INFINITY));
    }
    if !is_float(body) {
        return None;
    }
    let clean: String = body.chars().filter(|&c| c != '_').collect();
    clean
        .parse::<f64>()
        .ok()
        .map(|number| Value::Float(sign * number))
}

/// `12.`, `1.5e3`, `1e-5`, `.5`: ruamel's three shapes, without the sign.
fn is_float(body: &str) -> bool {
    let (mantissa, exponent) = match body.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (body, None),
    };
    let exponent_fits = exponent.is_none_or(|text| {
        let (_, digits) = split_sign(text);
        !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit())
    });
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'_');
    let mantissa_fits = match mantissa.split_once('.') {
        Some(("", fraction)) => !fraction.is_empty() && digits(fraction),
        Some((whole, fraction)) => {
            whole.starts_with(|c: char| c.is_ascii_digit()) && digits(whole) && digits(fraction)
        }
        None => {
            exponent.is_some()
                && mantissa.starts_with(|c: char| c.is_ascii_digit())
                && digits(mantissa)
        }
    };
    exponent_fits && mantissa_fits
}
