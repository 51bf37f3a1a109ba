use lapwing_remote::{Credential, Place, Secret, Vault};

const CANARY: &str = "canary-2605";

fn credential(user: Option<&str>) -> Credential {
    Credential {
        user: user.map(str::to_owned),
        secret: Secret::new(CANARY),
    }
}

#[test]
fn without_a_keychain_a_file_keeps_them_for_its_owner_only() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::of(folder.path(), false);
    let file = folder.path().join("credentials.json");
    assert_eq!(vault.get("hub").unwrap(), None);
    let place = vault.keep("hub", &credential(Some("me"))).unwrap();
    assert_eq!(place, Place::File(file.clone()));
    assert_eq!(vault.get("hub").unwrap(), Some(credential(Some("me"))));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "nobody else can read it");
    }
    vault.forget("hub").unwrap();
    assert_eq!(vault.get("hub").unwrap(), None);
    assert!(!std::fs::read_to_string(&file).unwrap().contains(CANARY));
}

#[test]
fn many_at_once_lose_nothing() {
    let folder = tempfile::tempdir().unwrap();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let vault = Vault::of(folder.path(), false);
            scope.spawn(move || vault.keep(&format!("r{n}"), &credential(None)).unwrap());
        }
    });
    let vault = Vault::of(folder.path(), false);
    for n in 0..8 {
        assert!(vault.get(&format!("r{n}")).unwrap().is_some(), "r{n}");
    }
}

#[test]
fn neither_debug_nor_a_damaged_file_shows_a_secret() {
    assert!(!format!("{:?}", credential(None)).contains(CANARY));
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::of(folder.path(), false);
    let file = folder.path().join("credentials.json");
    std::fs::write(&file, format!("{{\"hub\": \"{CANARY}\"")).unwrap();
    let error = vault.get("hub").unwrap_err();
    let told = format!("{error} {error:?} {:?}", error.report());
    assert!(told.contains("credentials.json"), "{told}");
    assert!(!told.contains(CANARY), "{told}");
}
