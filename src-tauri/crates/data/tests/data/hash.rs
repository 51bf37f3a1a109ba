use lapwing_data::{DirEntry, listing, listing_id, parse_listing};

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
