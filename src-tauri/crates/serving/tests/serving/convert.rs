use lapwing_serving::convert;
use serde_json::{Value, json};

use crate::peers::{converted, model, python};

#[test]
fn models_that_onnx_can_hold_are_converted_and_compared() {
    for name in ["forest", "logistic", "lightgbm"] {
        let (out, conversion) = converted(name);
        assert!(conversion.accepted, "{name}: {}", conversion.why);
        assert!(
            conversion.rows_compared > 200,
            "{name}: the example and perturbed rows are compared"
        );
        assert!(
            convert::graph_file(&out).is_file(),
            "{name}: the graph is there"
        );
    }
}

#[test]
fn a_model_of_own_python_code_is_not_converted_and_says_why() {
    let out = tempfile::tempdir().expect("there is room");
    let conversion =
        convert::to_onnx(&model("doubler"), &python(), out.path(), None).expect("it answers");
    assert!(!conversion.accepted);
    assert_eq!(
        conversion.why,
        "models of flavour python_function are not converted"
    );
    assert!(
        !convert::graph_file(out.path()).exists(),
        "nothing could serve it by mistake"
    );
}

#[test]
fn a_model_without_an_example_is_compared_on_the_rows_that_it_was_trained_on() {
    let out = tempfile::tempdir().expect("there is room");
    let convert = |rows: Option<&Value>| {
        convert::to_onnx(&model("bare"), &python(), out.path(), rows).expect("it answers")
    };
    let without = convert(None);
    assert!(!without.accepted);
    assert!(without.why.contains("no input example"), "{}", without.why);
    let row = |distance: Value, hour: Value| json!([distance, hour, "AA", "JFK"]);
    let columns = json!(["distance", "hour", "carrier", "origin"]);
    let data = json!([
        row(json!(99.5), json!(7)),
        row(json!(900.0), Value::Null),
        row(Value::Null, json!(20))
    ]);
    let with = convert(Some(&json!({ "columns": columns, "data": data })));
    assert!(with.accepted, "{}", with.why);
    assert_eq!(
        with.rows_compared, 202,
        "a whole number that is missing is no row for the signature, a missing fraction is"
    );
    let nothing = json!({ "columns": columns, "data": [row(json!(1.5), Value::Null)] });
    let nothing = convert(Some(&nothing));
    assert!(nothing.why.contains("no row"), "{}", nothing.why);
}

#[test]
fn an_interpreter_that_is_not_there_is_named() {
    let out = tempfile::tempdir().expect("there is room");
    let error = convert::to_onnx(out.path(), "/nowhere/python".as_ref(), out.path(), None)
        .expect_err("there is none");
    assert!(
        error.report().message.contains("/nowhere/python"),
        "{}",
        error.report().message
    );
}
