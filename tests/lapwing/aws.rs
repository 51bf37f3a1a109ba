//! Profiles of AWS that sign in, as they lie in `~/.aws`: a role, single sign-on, and a program that prints keys. moto assumes the role and
//! checks every signature; where people sign in is a server of the tests' own, which the real `dvc` believes as well.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};

use sha1::Digest as _;

use crate::place::{Place, told};
use crate::storage::{S3, add, program, project, run};

const ROLE: &str = "arn:aws:iam::123456789012:role/writer";
const START: &str = "https://birds.awsapps.com/start";

const ASSUME: &str = r#"
import boto3, sys
port, key, secret, role = sys.argv[1:]
sts = boto3.client("sts", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", aws_access_key_id=key, aws_secret_access_key=secret)
found = sts.assume_role(RoleArn=role, RoleSessionName="portal")["Credentials"]
print(found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"])
"#;

/// `GetRoleCredentials` of https://docs.aws.amazon.com/singlesignon/latest/PortalAPIReference: keys of the role for who has the token.
struct Portal {
    port: u16,
}

impl Portal {
    fn start(s3: &S3) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let assumed = Command::new(program("python"))
            .args(["-c", ASSUME, &s3.port.to_string(), &s3.id, &s3.secret, ROLE])
            .output()
            .unwrap();
        assert!(assumed.status.success(), "{}", told(&assumed));
        let assumed = String::from_utf8(assumed.stdout).unwrap();
        let assumed: Vec<&str> = assumed.split_whitespace().collect();
        let keys = serde_json::json!({"roleCredentials": {
            "accessKeyId": assumed[0],
            "secretAccessKey": assumed[1],
            "sessionToken": assumed[2],
            "expiration": 4_102_444_800_000_u64,
        }});
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // Whoever hangs up has no answer.
                let _ = answer(stream, &keys.to_string());
            }
        });
        Self { port }
    }
}

fn answer(stream: TcpStream, keys: &str) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while reader.read_line(&mut head)? > 2 {}
    let head = head.to_lowercase();
    let asked = "get /federation/credentials?";
    let is_known = head.starts_with(asked)
        && head.contains("role_name=writer")
        && head.contains("account_id=123456789012")
        && head.contains("x-amz-sso_bearer_token: good-token\r\n");
    let (status, kind, body) = if is_known {
        ("200 OK", "", keys)
    } else {
        let body = r#"{"message": "Session token not found or invalid"}"#;
        let kind = "x-amzn-errortype: UnauthorizedException\r\n";
        ("401 Unauthorized", kind, body)
    };
    write!(
        reader.get_mut(),
        "HTTP/1.1 {status}\r\n{kind}content-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

struct Bench {
    place: Place,
    s3: S3,
    portal: Portal,
}

impl Bench {
    fn write(&self, name: &str, text: &str) {
        let path = self.place.path("home").join(".aws").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn session(&self, token: &str, until: &str) {
        let text = serde_json::json!({
            "startUrl": START, "region": "us-east-1", "accessToken": token, "expiresAt": until,
        });
        // Named by the SHA-1 of the session's name, as botocore names it.
        let digest = sha1::Sha1::digest(b"birds");
        let name: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        self.write(&format!("sso/cache/{name}.json"), &text.to_string());
    }

    fn environment(&self, profile: &str) -> Vec<(&'static str, String)> {
        let at = |port: u16| format!("http://127.0.0.1:{port}");
        vec![
            ("AWS_PROFILE", profile.to_owned()),
            ("AWS_ENDPOINT_URL_STS", at(self.s3.port)),
            ("AWS_ENDPOINT_URL_SSO", at(self.portal.port)),
        ]
    }

    fn lapwing(&self, root: &Path, arguments: &[&str], profile: &str) -> Output {
        let around = self.environment(profile);
        let around: Vec<(&str, &str)> = around
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        run(&self.place, root, arguments, &around)
    }

    fn dvc_status(&self, root: &Path, profile: &str) -> String {
        let output = Command::new(program("dvc"))
            .args(["status", "-c"])
            .current_dir(root)
            .env("HOME", self.place.path("home"))
            .env("DVC_NO_ANALYTICS", "1")
            .env("DVC_SITE_CACHE_DIR", self.place.path("site"))
            .envs(self.environment(profile))
            .output()
            .unwrap();
        told(&output)
    }
}

#[test]
fn profiles_sign_in_as_those_of_aws_do() {
    let place = Place::new();
    let s3 = S3::start();
    let portal = Portal::start(&s3);
    let bench = Bench { place, s3, portal };
    let (id, secret) = (&bench.s3.id, &bench.s3.secret);
    let printed = serde_json::json!({"Version": 1, "AccessKeyId": id, "SecretAccessKey": secret});
    bench.write("printed.json", &printed.to_string());
    let printed = bench.place.path("home").join(".aws/printed.json");
    let config = format!(
        "[profile ada]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n\n\
         [profile role]\nrole_arn = {ROLE}\nsource_profile = ada\nregion = us-east-1\n\n\
         [profile sso]\nsso_session = birds\nsso_account_id = 123456789012\nsso_role_name = writer\nregion = us-east-1\n\n\
         [sso-session birds]\nsso_start_url = {START}\nsso_region = us-east-1\n\n\
         [profile program]\ncredential_process = cat \"{}\"\n\n\
         [profile broken]\ncredential_process = sh -c \"exit 3\"\n",
        printed.display()
    );
    bench.write("config", &config);
    bench.session("good-token", "2099-01-01T00:00:00Z");

    for profile in ["role", "sso", "program"] {
        let root = project(&bench.place, profile);
        add(
            &bench.place,
            &root,
            bench.s3.port,
            &format!("s3://birds/{profile}"),
        );
        let pushed = bench.lapwing(&root, &["data", "push"], profile);
        assert!(pushed.status.success(), "{profile}: {}", told(&pushed));
        let said = bench.dvc_status(&root, profile);
        assert!(said.contains("are in sync"), "{profile}: {said}");
        std::fs::remove_dir_all(root.join(".dvc/cache")).unwrap();
        std::fs::remove_file(root.join("large.bin")).unwrap();
        let pulled = bench.lapwing(&root, &["data", "pull"], profile);
        assert!(pulled.status.success(), "{profile}: {}", told(&pulled));
    }

    let root = bench.place.path("sso");
    let refused = |profile: &str, wanted: &[&str]| {
        let refused = bench.lapwing(&root, &["data", "push"], profile);
        let said = told(&refused);
        assert_eq!(refused.status.code(), Some(1), "{said}");
        for wanted in wanted {
            assert!(said.contains(wanted), "{wanted}: {said}");
        }
        assert!(!said.contains(secret.as_str()), "{said}");
    };
    let anew = "`aws sso login --profile sso`";
    bench.session("good-token", "2020-01-01T00:00:00Z");
    refused("sso", &["does not sign in by single sign-on", anew]);
    bench.session("stolen-token", "2099-01-01T00:00:00Z");
    refused("sso", &["Session token not found or invalid", anew]);
    refused("broken", &["does not sign in through its program"]);

    // Whoever shares a project names no program that runs here.
    let mark = bench.place.path("ran");
    let theirs = format!(
        "[default]\ncredential_process = touch \"{}\"\n",
        mark.display()
    );
    std::fs::write(root.join("aws-config"), theirs).unwrap();
    let configured = std::fs::read_to_string(root.join(".dvc/config")).unwrap();
    let path = root.join("aws-config");
    std::fs::write(
        root.join(".dvc/config"),
        format!("{configured}    configpath = {}\n", path.display()),
    )
    .unwrap();
    let refused = run(&bench.place, &root, &["data", "push"], &[]);
    let said = told(&refused);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("only profiles in your own ~/.aws"), "{said}");
    assert!(!mark.exists(), "{said}");
}
