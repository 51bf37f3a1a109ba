use std::path::Path;

use lapwing_serving::image::{Content, Parts, context};
use lapwing_serving::{Error, RuntimeKind};

use crate::peers::Deployment;

fn parts(onnxruntime: Option<&Path>) -> Parts<'_> {
    Parts {
        program: Path::new("/usr/bin/lapwing"),
        onnxruntime,
        base: "debian:bookworm-slim",
    }
}

#[test]
fn an_onnx_deployment_needs_no_python_in_its_image() {
    let deployment = Deployment::of("forest", RuntimeKind::Onnx);
    let missing = context(deployment.path(), &parts(None)).expect_err("the library is needed");
    assert!(matches!(missing, Error::NoOnnxRuntime));
    let library = Path::new("/lib/libonnxruntime.so.1.2");
    let files = context(deployment.path(), &parts(Some(library))).expect("it can be made");
    let names: Vec<_> = files
        .iter()
        .map(|file| (file.path.as_str(), file.mode))
        .collect();
    assert_eq!(
        names,
        [
            ("Dockerfile", 0o644),
            ("lapwing", 0o755),
            ("libonnxruntime.so", 0o644)
        ]
    );
    let Content::Text(dockerfile) = &files[0].content else {
        panic!("the Dockerfile is text");
    };
    assert!(!dockerfile.contains("pip"), "{dockerfile}");
    assert!(dockerfile.contains(r#"ENTRYPOINT ["/usr/local/bin/lapwing", "__gateway", "/deployment", "--bind", "0.0.0.0:8080"]"#));
}

#[test]
fn a_python_deployment_brings_the_models_requirements() {
    let deployment = Deployment::of("doubler", RuntimeKind::Python);
    let files = context(deployment.path(), &parts(None)).expect("it can be made");
    let requirements = files
        .iter()
        .find(|file| file.path == "requirements.txt")
        .expect("they are there");
    let Content::Text(text) = &requirements.content else {
        panic!("requirements are text");
    };
    assert!(text.contains("mlflow"), "{text}");
}
