use lapwing_core::Timestamp;
use lapwing_serving::{
    Exposure, GatewayConfig, RevisionConfig, RuntimeKind, TrafficShare, read_config, write_config,
};

fn config() -> GatewayConfig {
    let revision = RevisionConfig {
        number: 1,
        model_name: "m".to_owned(),
        model_version: None,
        run_id: None,
        runtime: RuntimeKind::Onnx,
        python: None,
        created: Timestamp(5),
    };
    GatewayConfig::new("d".parse().expect("a good name"), 0, revision)
}

#[test]
fn a_configuration_is_read_as_it_was_written() {
    let folder = tempfile::tempdir().expect("there is room");
    write_config(folder.path(), &config()).expect("it holds together");
    assert_eq!(
        read_config(folder.path()).expect("it was written"),
        config()
    );
}

#[test]
fn what_could_not_be_served_is_refused_before_it_is_written() {
    let folder = tempfile::tempdir().expect("there is room");
    let no_traffic = GatewayConfig {
        traffic: Vec::new(),
        ..config()
    };
    let elsewhere = GatewayConfig {
        traffic: vec![TrafficShare {
            revision: 7,
            weight: 1.0,
        }],
        ..config()
    };
    let negative = GatewayConfig {
        traffic: vec![TrafficShare {
            revision: 1,
            weight: f64::NAN,
        }],
        ..config()
    };
    let open = GatewayConfig {
        host: "0.0.0.0".to_owned(),
        ..config()
    };
    let no_token = GatewayConfig {
        exposure: Exposure::Network,
        ..open.clone()
    };
    for (wrong, part) in [
        (no_traffic, "no revision gets any traffic"),
        (elsewhere, "revision 7"),
        (negative, "traffic"),
        (open, "not an address of this machine alone"),
        (no_token, "needs a token"),
    ] {
        let error = write_config(folder.path(), &wrong).expect_err("it cannot be served");
        assert!(
            error.report().message.contains(part),
            "{}",
            error.report().message
        );
    }
    assert!(read_config(folder.path()).is_err(), "nothing was written");
}
