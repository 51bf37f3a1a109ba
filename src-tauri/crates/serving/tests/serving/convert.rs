use lapwing_serving::convert;

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
        convert::to_onnx(&model("doubler"), &python(), out.path()).expect("it answers");
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
fn an_interpreter_that_is_not_there_is_named() {
    let out = tempfile::tempdir().expect("there is room");
    let error = convert::to_onnx(out.path(), "/nowhere/python".as_ref(), out.path())
        .expect_err("there is none");
    assert!(
        error.report().message.contains("/nowhere/python"),
        "{}",
        error.report().message
    );
}
