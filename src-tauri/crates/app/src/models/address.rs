//! `REMOTE:NAME`, `REMOTE:NAME@ALIAS`, `REMOTE:NAME/VERSION`: a model at somebody else's server, in one word.
//! The remote's kind may stand in front: `oci:REMOTE:NAME`.

use lapwing_core::{Code, Report, split_remote};
use lapwing_remote::mlflow::Which;

/// A model elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub remote: String,
    pub name: String,
    pub which: Which,
}

/// Reads an address. `None` where the text has none of its form: it may be a local model then.
pub(crate) fn parse(text: &str) -> Option<Address> {
    let (remote, rest) = split_remote(text)?;
    // `models:/…`, `runs:/…` and `C:\…` are something else.
    if remote.is_empty() || rest.is_empty() || rest.starts_with(['/', '\\']) {
        return None;
    }
    let (name, which) = split(rest);
    Some(Address {
        remote: remote.to_owned(),
        name,
        which,
    })
}

/// The name and which version: a number after `/`, an alias after `@`, the newest without either.
pub(crate) fn split(text: &str) -> (String, Which) {
    if let Some((name, alias)) = text.rsplit_once('@') {
        return (name.to_owned(), Which::Alias(alias.to_owned()));
    }
    match text.rsplit_once('/') {
        Some((name, number)) if number.bytes().all(|b| b.is_ascii_digit()) => {
            (name.to_owned(), Which::Number(number.to_owned()))
        }
        _ => (text.to_owned(), Which::Newest),
    }
}

/// As [`parse`], where it must be one.
pub(crate) fn wanted(text: &str) -> Result<Address, Report> {
    parse(text).ok_or_else(|| {
        Report::new(
            Code::Invalid,
            "model.address",
            format!("`{text}` names no model at a remote"),
        )
        .hint("write it as REMOTE:NAME, REMOTE:NAME@ALIAS or REMOTE:NAME/VERSION")
    })
}

#[cfg(test)]
mod tests {
    use super::{Which, parse};

    #[test]
    fn addresses_and_what_only_looks_like_one() {
        let read = |text: &str| parse(text).map(|one| (one.remote, one.name, one.which));
        let of = |name: &str, which: Which| Some(("team".to_owned(), name.to_owned(), which));
        assert_eq!(read("team:m@prod"), of("m", Which::Alias("prod".into())));
        assert_eq!(read("team:m/3"), of("m", Which::Number("3".into())));
        assert_eq!(read("team:org/m"), of("org/m", Which::Newest));
        assert_eq!(
            read("team:org/m/12"),
            of("org/m", Which::Number("12".into()))
        );
        let by_kind = parse("oci:team:org/m@prod").expect("an address");
        assert_eq!(
            (by_kind.remote, by_kind.name),
            ("oci:team".into(), "org/m".into())
        );
        let called_so = parse("oci:m@prod").expect("an address");
        assert_eq!(
            (called_so.remote, called_so.name),
            ("oci".into(), "m".into())
        );
        for local in [
            "m@prod",
            "models:/m/3",
            "runs:/abc/model",
            "C:\\models",
            "m",
            ":m",
            "oci:team:",
        ] {
            assert_eq!(read(local), None, "{local}");
        }
    }
}
