use lapwing_core::RemoteKind;
use lapwing_remote::found;

#[test]
fn what_other_programs_know_is_found_without_their_secrets() {
    let home = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let file = home.path().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };
    write(
        ".ssh/config",
        "Host gpu big-box\n  User me\nHost *\n  Compression yes\nHost *.lab !x\n",
    );
    write(
        ".kube/config",
        "apiVersion: v1\ncontexts:\n- name: prod\n  context: {cluster: c, user: u}\nusers:\n- name: u\n  user: {token: canary}\n",
    );
    write(
        ".docker/contexts/meta/abc/meta.json",
        r#"{"Name": "box", "Endpoints": {"docker": {"Host": "ssh://me@box"}}}"#,
    );
    write(".docker/contexts/meta/bad/meta.json", "{");
    let variable = |name: &str| match name {
        "MLFLOW_TRACKING_URI" => Some("https://me:canary@mlflow.lab/".to_owned()),
        "HF_TOKEN" => Some("canary".to_owned()),
        _ => None,
    };
    let all = found(home.path(), &variable);
    let named: Vec<(RemoteKind, &str, &str)> = all
        .iter()
        .map(|one| (one.kind, one.name.as_str(), one.address.as_str()))
        .collect();
    assert_eq!(
        named,
        [
            (RemoteKind::Mlflow, "mlflow", "https://mlflow.lab"),
            (
                RemoteKind::HuggingFace,
                "hugging-face",
                "https://huggingface.co"
            ),
            (RemoteKind::Ssh, "gpu", "ssh://gpu"),
            (RemoteKind::Ssh, "big-box", "ssh://big-box"),
            (RemoteKind::Kubernetes, "prod", "kube://prod"),
            (RemoteKind::Docker, "box", "ssh://me@box"),
        ]
    );
    assert!(!format!("{all:?}").contains("canary"), "{all:?}");
}
