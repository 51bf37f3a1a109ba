use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use lapwing_data::{DirEntry, listing, listing_id, parse_listing};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

fn entry(relpath: &str, md5: &str) -> DirEntry {
    DirEntry {
        md5: md5.to_owned(),
        relpath: relpath.to_owned(),
    }
}

#[test]
fn a_listing_made_by_the_real_dvc_has_the_same_id() {
    let entries = [
        entry("üñï.txt", "e85dde330c34efb0e526ee3082e4353b"),
        entry("sub/z.txt", "a8a78d0ff555c931f045b6f448129846"),
        entry("x.csv", "e5ebd4c02cefbe7955977c67ada242b7"),
        entry("lnk", "e5ebd4c02cefbe7955977c67ada242b7"),
    ];
    let text = listing(&entries);
    assert!(
        text.ends_with(r#""relpath": "\u00fc\u00f1\u00ef.txt"}]"#),
        "non-ASCII is escaped as Python does: {text}"
    );
    assert_eq!(
        listing_id("[]"),
        "d751713988987e9331980363e24189ce.dir",
        "the empty folder has a known id"
    );
    assert_eq!(parse_listing("x", text.as_bytes()).unwrap().len(), 4);
}

#[test]
fn a_listing_that_leads_out_of_its_folder_is_refused() {
    for bad in ["../x", "/etc/passwd", "a/../../b"] {
        let text = listing(&[entry(bad, "e85dde330c34efb0e526ee3082e4353b")]);
        assert!(
            parse_listing("x", text.as_bytes()).is_err(),
            "`{bad}` would be written outside"
        );
    }
}

/// `json.dumps` of every case, in one Python.
const DUMPS: &str = "
import json, sys
for case in json.load(sys.stdin):
    entries = sorted(({'md5': m, 'relpath': p} for m, p in case), key=lambda e: e['relpath'])
    print(json.dumps(entries, sort_keys=True))
";

fn python(cases: &[Vec<(String, String)>]) -> Vec<String> {
    let peers = std::env::var_os("LAPWING_TEST_PEERS")
        .expect("LAPWING_TEST_PEERS names the peers' venv: run `make test`");
    let mut child = Command::new(Path::new(&peers).join("bin/python"))
        .args(["-X", "utf8", "-c", DUMPS])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin
        .write_all(&serde_json::to_vec(cases).unwrap())
        .unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn any_listing_is_what_python_writes() {
    // All of Unicode, and often what escaping and sorting trip over.
    let letter = prop_oneof![
        any::<char>(),
        prop::sample::select(vec![
            '/',
            '.',
            '"',
            '\\',
            '\n',
            '\r',
            '\t',
            '\u{8}',
            '\u{c}',
            '\u{0}',
            '\u{1f}',
            '\u{7f}',
            '\u{80}',
            '\u{ffff}',
            '\u{10000}',
            '\u{10ffff}',
            '\u{2028}',
            'a',
            'A',
            'é',
        ]),
    ];
    let path = prop::collection::vec(letter, 1..12).prop_map(String::from_iter);
    let case = prop::collection::btree_map(path, "[0-9a-f]{32}", 0..6);
    let mut runner = TestRunner::deterministic();
    let cases: Vec<Vec<(String, String)>> = (0..500)
        .map(|_| {
            let tree = case.new_tree(&mut runner).unwrap();
            let pairs = tree.current().into_iter();
            pairs.map(|(path, md5)| (md5, path)).rev().collect()
        })
        .collect();
    let theirs = python(&cases);
    assert_eq!(theirs.len(), cases.len());
    for (case, theirs) in cases.iter().zip(theirs) {
        let entries: Vec<_> = case.iter().map(|(md5, path)| entry(path, md5)).collect();
        assert_eq!(listing(&entries), theirs);
    }
}
