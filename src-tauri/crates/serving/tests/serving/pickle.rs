use std::process::Command;

use lapwing_serving::model_folder;
use lapwing_serving::pickle::{Verdict, judge, scan_all};

use crate::peers::{model, python};

fn pickled(expression: &str) -> Vec<u8> {
    let script = format!("import pickle, sys, os\n{expression}\nsys.stdout.buffer.write(data)");
    let output = Command::new(python())
        .args(["-c", &script])
        .output()
        .expect("Python starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

#[test]
fn models_of_known_libraries_are_safe() {
    let known = pickled(
        "from sklearn.linear_model import LogisticRegression as L\ndata = pickle.dumps(L().fit([[0], [1]], [0, 1]))",
    );
    assert_eq!(judge(&known), Verdict::Safe);
    for name in ["forest", "logistic", "lightgbm"] {
        let pickles = model_folder::read(&model(name))
            .expect("mlflow wrote it")
            .pickles();
        let verdict = scan_all(&pickles).expect("they can be read");
        assert_eq!(verdict, Verdict::Safe, "{name}");
    }
}

#[test]
fn own_code_is_unknown() {
    let pickles = model_folder::read(&model("doubler"))
        .expect("mlflow wrote it")
        .pickles();
    let Verdict::Unknown { imports } = scan_all(&pickles).expect("they can be read") else {
        panic!("code by value is neither safe nor known to be unsafe");
    };
    assert!(
        imports.iter().any(|name| name.starts_with("cloudpickle")),
        "{imports:?}"
    );
}

#[test]
fn pickles_that_run_programs_are_unsafe_in_every_protocol() {
    for protocol in 0..=5 {
        let class = "class X:\n    def __reduce__(self): return (os.system, ('true',))\n";
        let bytes = pickled(&format!(
            "{class}data = pickle.dumps([1, 'a', X()], protocol={protocol})"
        ));
        assert!(
            matches!(judge(&bytes), Verdict::Unsafe { .. }),
            "protocol {protocol}: {:?}",
            judge(&bytes)
        );
    }
    let evaluated = pickled(
        "class X:\n    def __reduce__(self): return (eval, ('1',))\ndata = pickle.dumps(X())",
    );
    assert!(matches!(judge(&evaluated), Verdict::Unsafe { .. }));
}

#[test]
fn tricks_with_the_stack_do_not_make_it_safe() {
    // Pushes os, system, then numpy, ndarray and drops those two again.
    let dropped = b"\x80\x04\x8c\x02os\x8c\x06system\x8c\x05numpy\x8c\x07ndarray00\x93.";
    assert_ne!(judge(dropped), Verdict::Safe);
    // A known module as the door to another one.
    let door = b"\x80\x04\x8c\x16sklearn.datasets._base\x8c\x09os.system\x93.";
    assert!(matches!(judge(door), Verdict::Unsafe { .. }));
    // Cut off, and no pickle at all.
    assert_ne!(judge(b"\x80\x04\x8c\x05num"), Verdict::Safe);
    assert_ne!(judge(b""), Verdict::Safe);
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..512)) {
        let _ = judge(&bytes); // any verdict is fine
    }
}
