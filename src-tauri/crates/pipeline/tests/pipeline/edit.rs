//! A parameter is changed in place, and only it.

use lapwing_pipeline::{Assignment, Result, Value, set_param};

fn change(file: &str, content: &str, text: &str) -> Result<String> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(file), content).unwrap();
    let assignment = Assignment::parse(text)?;
    set_param(folder.path(), &assignment)?;
    Ok(std::fs::read_to_string(folder.path().join(file)).unwrap())
}

const YAML: &str = "\
# the learning rate, tuned by hand
lr: 0.01   # not above 0.1
train: {epochs: 3, name: rf}
model:
  # depth of a tree
  depth: 6
  empty:
  tags: [a, b]

  words:
  - ü
  - second  # kept
last: 'text'
";

#[test]
fn yaml_keeps_comments_and_layout() {
    let cases = [
        ("lr=0.02", "lr: 0.01", "lr: 0.02"),
        ("lr=1e-5", "lr: 0.01", "lr: 1e-05"),
        ("lr=yes", "lr: 0.01", "lr: yes"),
        ("lr='1'", "lr: 0.01", "lr: '1'"),
        ("train.epochs=10", "epochs: 3", "epochs: 10"),
        ("train.name=a, b", "name: rf", "name: 'a, b'"),
        ("model.depth=7", "depth: 6", "depth: 7"),
        ("model.empty=x", "empty:", "empty: x"),
        ("model.tags=[c]", "[a, b]", "[c]"),
        ("model.tags.1=z", "[a, b]", "[a, z]"),
        ("model.words.1=zweites", "second", "zweites"),
        ("last=more: text", "'text'", "'more: text'"),
        ("params.yaml:last=", "'text'", "null"),
        (
            "+model.new=1",
            "  - second  # kept\n",
            "  - second  # kept\n  new: 1\n",
        ),
        (
            "+new.deep=1",
            "last: 'text'\n",
            "last: 'text'\nnew:\n  deep: 1\n",
        ),
        ("+train.more=x", "name: rf}", "name: rf, more: x}"),
    ];
    for (text, from, to) in cases {
        assert_eq!(
            change("params.yaml", YAML, text).unwrap(),
            YAML.replacen(from, to, 1),
            "{text}"
        );
    }
}

#[test]
fn json_and_toml_keep_theirs() {
    let json = "{\n    \"lr\": 0.01,\n    \"model\": {\"depth\": 3, \"name\": \"rf\"}\n}\n";
    assert_eq!(
        change("p.json", json, "p.json:model.depth=4").unwrap(),
        json.replace("3,", "4,")
    );
    assert_eq!(
        change("p.json", json, "p.json:model.name=é").unwrap(),
        json.replace("rf", "\\u00e9")
    );
    assert_eq!(
        change("p.json", json, "+p.json:model.x=[1, a]").unwrap(),
        json.replace("\"rf\"", "\"rf\", \"x\": [1, \"a\"]")
    );
    let toml = "# top\nlr = 0.01 # here\n[model]\ndepth = 3\n";
    assert_eq!(
        change("p.toml", toml, "p.toml:model.depth=4").unwrap(),
        toml.replace('3', "4")
    );
    assert_eq!(
        change("p.toml", toml, "p.toml:lr=0.5").unwrap(),
        toml.replace("0.01", "0.5")
    );
    assert_eq!(
        change("p.toml", toml, "+p.toml:model.new=x").unwrap(),
        format!("{toml}new = \"x\"\n")
    );
}

#[test]
fn what_cannot_be_changed_says_why() {
    let cases = [
        ("lr", "`lr` is not a parameter change"),
        (
            "model.dept=3",
            "params.yaml has no place for `model.dept`: it is not there; did you mean 'model.depth'?",
        ),
        (
            "depth=3",
            "params.yaml has no place for `depth`: it is not there; did you mean 'model.depth'?",
        ),
        (
            "dept=3",
            "params.yaml has no place for `dept`: it is not there; did you mean 'model.depth'?",
        ),
        (
            "other=3",
            "params.yaml has no place for `other`: it is not there; '+other=…' adds it",
        ),
        (
            "model=3",
            "params.yaml has no place for `model`: it spans several lines; change it by hand",
        ),
        ("none.yaml:a=1", "parameter file none.yaml does not exist"),
        (
            "+lr.x=1",
            "params.yaml has no place for `lr.x`: what holds it is no mapping",
        ),
    ];
    for (text, message) in cases {
        let error = change("params.yaml", YAML, text).unwrap_err();
        assert_eq!(error.to_string(), message, "{text}");
    }
}

#[test]
fn a_value_is_typed_as_in_the_file() {
    let value = |text: &str| Assignment::parse(text).unwrap().value;
    assert_eq!(value("a=1").to_python_json(), "1");
    assert_eq!(value("a=1.0").to_python_json(), "1.0");
    assert_eq!(value("a=b=c"), Value::str("b=c"));
    assert_eq!(value("a=[1, x]").to_python_json(), "[1, \"x\"]");
    assert_eq!(value("a=b: c"), Value::str("b: c"));
    assert_eq!(value("a=#1"), Value::str("#1"));
    assert_eq!(value("a=x #1"), Value::str("x #1"));
    assert_eq!(value("a='1'"), Value::str("1"));
    assert_eq!(value("a={b: c}").to_python_json(), "{\"b\": \"c\"}");
    assert_eq!(value("a="), Value::Null);
}

#[test]
fn a_comment_behind_a_quoted_text_stays() {
    let text = "ü: 1\na: 'it''s' # why\nb: \"a \\\" b\"  # and this\nc: [ 'x' ] # last\n";
    for (assignment, from, to) in [
        ("a=new", "'it''s'", "new"),
        ("b=new", "\"a \\\" b\"", "new"),
        ("c.0=y", "'x'", "y"),
    ] {
        let changed = change("params.yaml", text, assignment).unwrap();
        assert_eq!(changed, text.replacen(from, to, 1), "{assignment}");
    }
}
