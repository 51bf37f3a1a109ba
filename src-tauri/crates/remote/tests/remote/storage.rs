use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use lapwing_remote::{Around, Credential, Error, Secret, Settings, Storage, Watch};

static NEVER: AtomicBool = AtomicBool::new(false);

const UNWATCHED: Watch<'static> = Watch {
    moved: &|_| {},
    stop: &NEVER,
};

#[test]
fn two_at_once_send_the_same_object_and_leave_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from");
    std::fs::write(&from, vec![b'x'; 4 << 20]).unwrap();
    let root = folder.path().join("store");
    let storage = Storage::open(&Settings::of(&root.display().to_string())).unwrap();
    // What somebody else has under way is not ours to write to.
    std::fs::create_dir_all(root.join("ab")).unwrap();
    std::fs::write(root.join("ab/cd.part"), "another program's").unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                storage
                    .send(&from, "ab/cd", folder.path(), UNWATCHED)
                    .unwrap()
            });
        }
    });
    assert_eq!(std::fs::read(root.join("ab/cd")).unwrap().len(), 4 << 20);
    let part = std::fs::read_to_string(root.join("ab/cd.part")).unwrap();
    assert_eq!(part, "another program's");
    assert_eq!(std::fs::read_dir(root.join("ab")).unwrap().count(), 2);
}

const CANARY: &str = "canary-4711";
/// The same as a web server's password is sent: `ada:canary-4711` in base64.
const CANARY_OF_ADA: &str = "YWRhOmNhbmFyeS00NzEx";
const A_BIRD: &str = "HTTP/1.1 200 OK\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"1\"\r\n\
    Content-Length: 6\r\nConnection: close\r\n\r\na bird";

/// A server that gives everybody the same answer, and keeps what it was told.
fn answering(answer: String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let kept = heard.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut head = String::new();
            let mut lines = BufReader::new(stream.try_clone().unwrap());
            while lines.read_line(&mut head).unwrap() > 2 {}
            kept.lock().unwrap().push(head);
            // It may have gone: what it said is all that counts.
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (port, heard)
}

fn keys<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, Secret> {
    let pair = |(key, value): (&str, &str)| (key.to_owned(), Secret::new(value));
    pairs.into_iter().map(pair).collect()
}

/// A user who is signed in at the clouds by what their own programs have written, and by variables.
fn signed_in(home: &Path) -> Around {
    let file = home.join("account.json");
    let login = serde_json::json!({
        "type": "authorized_user", "client_id": "ada", "client_secret": CANARY, "refresh_token": CANARY,
    });
    let usual = home.join(".config/gcloud/application_default_credentials.json");
    std::fs::create_dir_all(usual.parent().unwrap()).unwrap();
    for place in [&file, &usual] {
        std::fs::write(place, login.to_string()).unwrap();
    }
    let variables = [
        ("GOOGLE_APPLICATION_CREDENTIALS", file.to_str().unwrap()),
        ("AZURE_STORAGE_ACCOUNT", "ada"),
        ("AZURE_STORAGE_KEY", "Y2FuYXJ5LTQ3MTE="),
        ("AZURE_STORAGE_SAS_TOKEN", "sv=2026&sig=canary-4711"),
        ("AZURE_CLIENT_ID", "ada"),
        ("AZURE_CLIENT_SECRET", CANARY),
        ("AZURE_TENANT_ID", "birds"),
    ];
    Around {
        home: home.to_owned(),
        variables: variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
    }
}

fn refused(settings: Settings, wanted: &str) {
    match Storage::open(&settings).unwrap_err() {
        Error::Setting { key, .. } | Error::NoLoginFor { key, .. } => assert_eq!(key, wanted),
        other => panic!("{wanted}: {other}"),
    }
}

#[test]
fn a_server_that_a_project_names_does_not_get_the_users_google_login() {
    let folder = tempfile::tempdir().unwrap();
    let around = signed_in(folder.path());
    let (port, heard) = answering(A_BIRD.to_owned());
    let here = format!("http://127.0.0.1:{port}");
    let open = |keys| {
        Settings::of("gs://birds/data")
            .keys(keys)
            .around(around.clone())
    };
    for server in [
        here.as_str(),
        "https://storage.googleapis.com.example.org",
        "https://example.org/storage.googleapis.com",
        "https://notgoogleapis.com",
        // The name is right, and anybody on the way could read along.
        "http://storage.googleapis.com",
    ] {
        refused(open(keys([("endpointurl", server)])), "endpointurl");
    }
    let file = folder.path().join("account.json").display().to_string();
    refused(
        open(keys([("endpointurl", &here), ("credentialpath", &file)])),
        "endpointurl",
    );
    assert!(heard.lock().unwrap().is_empty(), "nothing was even asked");

    // What was kept for this very server goes there, and so does nobody's name.
    let own = Credential {
        user: None,
        secret: Secret::new("for-this-server"),
    };
    let storage = Storage::open(&open(keys([("endpointurl", &here)])).credential(Some(own)));
    let known = [String::from("files/md5/ab/cd")];
    storage.unwrap().known(&known).unwrap();
    let anonymous = keys([("endpointurl", &here), ("allow_anonymous_login", "true")]);
    let storage = Storage::open(&open(anonymous)).unwrap();
    storage.known(&known).unwrap();
    let file = folder.path().join("account.json");
    storage
        .send(&file, "files/md5/ab/cd", folder.path(), UNWATCHED)
        .unwrap();
    let heard = heard.lock().unwrap();
    assert!(heard[0].contains("Bearer for-this-server"), "{heard:?}");
    for anonymous in &heard[1..3] {
        assert!(!anonymous.contains("uthorization:"), "{heard:?}");
    }
    assert!(!heard.concat().contains(CANARY), "{heard:?}");
}

#[test]
fn a_server_that_a_project_names_does_not_get_the_users_azure_login() {
    let folder = tempfile::tempdir().unwrap();
    let around = signed_in(folder.path());
    let (port, heard) = answering(A_BIRD.to_owned());
    let endpoint = format!("BlobEndpoint=http://127.0.0.1:{port}/ada");
    let open = |keys| {
        Settings::of("azure://birds/data")
            .keys(keys)
            .around(around.clone())
    };
    let nobody = format!("AccountName=ada;{endpoint}");
    refused(
        open(keys([("connection_string", &nobody)])),
        "connection_string",
    );
    // The account is a part of the server's name.
    for account in ["example.org/x", "example.org?", "ada@example.org", "a"] {
        refused(open(keys([("account_name", account)])), "account_name");
    }
    assert!(heard.lock().unwrap().is_empty(), "nothing was even asked");

    // What the project says itself is sent, and not the user's beside it.
    let own = format!("{nobody};SharedAccessSignature=sv=2026&sig=of-the-project");
    let storage = Storage::open(&open(keys([("connection_string", &own)]))).unwrap();
    storage.known(&[String::from("files/md5/ab/cd")]).unwrap();
    let heard = heard.lock().unwrap();
    assert!(heard[0].contains("sig=of-the-project"), "{heard:?}");
    assert!(!heard.concat().contains(CANARY), "{heard:?}");
}

#[test]
fn a_redirect_to_another_server_carries_no_credential_of_a_storage() {
    let folder = tempfile::tempdir().unwrap();
    let (other, heard) = answering(A_BIRD.to_owned());
    let (here, asked) = answering(format!(
        "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://127.0.0.1:{other}/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ));
    let web = Settings::of(&format!("http://127.0.0.1:{here}/data"));
    let server = format!("http://127.0.0.1:{here}");
    let all = [
        web.clone().keys(keys([
            ("auth", "basic"),
            ("user", "ada"),
            ("password", CANARY),
        ])),
        web.keys(keys([
            ("auth", "custom"),
            ("custom_auth_header", "X-Birds"),
            ("password", CANARY),
        ])),
        Settings::of("s3://birds/data").keys(keys([
            ("endpointurl", &server),
            ("access_key_id", "ada"),
            ("secret_access_key", "secret"),
            ("session_token", CANARY),
        ])),
        Settings::of("gs://birds/data")
            .keys(keys([("endpointurl", &server)]))
            .credential(Some(Credential {
                user: None,
                secret: Secret::new(CANARY),
            })),
    ];
    let from = folder.path().join("from");
    std::fs::write(&from, "a bird").unwrap();
    for settings in all {
        let storage = Storage::open(&settings).unwrap();
        let part = folder.path().join("part");
        // Followed or not: what counts is what the other server hears.
        let _ = storage.known(&[String::from("files/md5/ab/cd")]);
        let _ = storage.fetch("files/md5/ab/cd", &part, UNWATCHED);
        let _ = storage.send(&from, "files/md5/ab/cd", folder.path(), UNWATCHED);
    }
    let told = asked.lock().unwrap().concat();
    assert!(told.contains(CANARY) && told.contains(CANARY_OF_ADA));
    let heard = heard.lock().unwrap();
    assert!(!heard.is_empty(), "a plain redirect is followed");
    let heard = heard.concat();
    assert!(
        !heard.contains(CANARY) && !heard.contains(CANARY_OF_ADA),
        "{heard}"
    );
}

#[test]
fn as_many_files_go_at_once_as_the_project_says() {
    let hands = |jobs: &str| {
        let settings = Settings::of("/no/such/folder").keys(keys([("jobs", jobs)]));
        Storage::open(&settings).map(|storage| storage.hands())
    };
    assert_eq!(hands("3").unwrap(), 3);
    for odd in ["0", "many", "-1", "100000"] {
        let refused = hands(odd).unwrap_err().to_string();
        assert!(refused.contains("from 1 to 256"), "{odd}: {refused}");
    }
}
