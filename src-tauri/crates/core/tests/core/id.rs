use lapwing_core::{DeploymentName, RunId};

#[test]
fn random_ids_parse_back_and_differ() {
    let (one, two) = (RunId::random(), RunId::random());
    assert_ne!(one, two, "two runs never share an id");
    assert_eq!(
        one.as_str().parse::<RunId>().as_ref(),
        Ok(&one),
        "an id that we made is an id that we accept"
    );
}

#[test]
fn names_that_would_leave_their_folder_are_refused() {
    for bad in ["", "../x", "a/b", "-a", "a-", "A", "ü", "."] {
        assert!(
            bad.parse::<DeploymentName>().is_err(),
            "`{bad}` becomes a folder and a host name"
        );
    }
    assert!("flight-delays-2".parse::<DeploymentName>().is_ok());
}
