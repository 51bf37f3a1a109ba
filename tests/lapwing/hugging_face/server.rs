//! A Hugging Face Hub on loopback: the calls that pushing and pulling a model needs, with large files on another port that refuses
//! credentials. The real `huggingface_hub` is the judge of it: what that client cannot use, is wrong here.
#![expect(
    clippy::result_large_err,
    reason = "on this server a refusal is an answer like any other"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post, put};
use axum::{Json, Router};
use base64::Engine as _;
use serde_json::{Value, json};
use sha1::{Digest as _, Sha1};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// A file is sent in parts of this size when it is larger.
pub const PART: usize = 1 << 20;
/// Entries of one page of a tree: small, so that there is a second page.
const PAGE: usize = 3;

#[derive(Clone)]
enum Blob {
    Plain(Vec<u8>),
    Lfs { sha256: String, size: usize },
}

#[derive(Default)]
struct Repo {
    owner: String,
    private: bool,
    commits: BTreeMap<String, BTreeMap<String, Blob>>,
    branches: BTreeMap<String, String>,
    tags: BTreeMap<String, String>,
}

#[derive(Default)]
pub struct Shelf {
    /// Token → user.
    users: HashMap<String, String>,
    repos: BTreeMap<String, Repo>,
    objects: HashMap<String, Vec<u8>>,
    /// By object, upload and number: an upload that was begun anew has none of the old one's.
    parts: HashMap<(String, usize, usize), Vec<u8>>,
    uploads: usize,
    /// Where uploads are sent: changed by a test that puts something in between.
    pub uploads_at: String,
    /// The same for downloads.
    pub downloads_at: String,
    hub_at: String,
    /// The next download breaks off after so many bytes.
    pub cut_after: Option<usize>,
    /// Objects that are sent with a wrong byte.
    pub damaged: BTreeSet<String>,
    /// Where downloads of large files began.
    pub downloads: Vec<usize>,
    /// Requests to the storage that carried a credential.
    pub leaks: usize,
    /// Requests that changed something.
    pub changes: usize,
}

type Shared = State<Arc<Mutex<Shelf>>>;

pub struct Server {
    pub url: String,
    pub storage_port: u16,
    shelf: Arc<Mutex<Shelf>>,
    /// Gone while it is dead.
    runtime: Option<Runtime>,
}

impl Server {
    /// With two users: whoever has a token here may change what is below the own name.
    pub fn start(users: &[(&str, &str)]) -> Self {
        let runtime = threads();
        let (hub, storage) = (bind(&runtime, 0), bind(&runtime, 0));
        let url = format!("http://{}", hub.local_addr().unwrap());
        let storage_port = storage.local_addr().unwrap().port();
        let storage_at = format!("http://127.0.0.1:{storage_port}");
        let shelf = Arc::new(Mutex::new(Shelf {
            users: users
                .iter()
                .map(|(token, user)| ((*token).to_owned(), (*user).to_owned()))
                .collect(),
            uploads_at: storage_at.clone(),
            downloads_at: storage_at,
            hub_at: url.clone(),
            ..Shelf::default()
        }));
        serve(&runtime, hub, storage, &shelf);
        Self {
            url,
            storage_port,
            shelf,
            runtime: Some(runtime),
        }
    }

    /// Both ports close, and every connection with them, whatever is on its way. What was received is kept.
    pub fn die(&mut self) {
        const LIMIT: Duration = Duration::from_secs(60);
        self.runtime.take().unwrap().shutdown_timeout(LIMIT);
    }

    /// At the same ports as before.
    pub fn start_again(&mut self) {
        let runtime = threads();
        let (_, port) = self.url.rsplit_once(':').unwrap();
        let hub = bind(&runtime, port.parse().unwrap());
        let storage = bind(&runtime, self.storage_port);
        serve(&runtime, hub, storage, &self.shelf);
        self.runtime = Some(runtime);
    }

    /// The versions of a repository that anybody could see.
    pub fn versions(&self, id: &str) -> Vec<String> {
        let shelf = self.shelf();
        let repo = shelf.repos.get(id);
        repo.map_or_else(Vec::new, |repo| repo.tags.keys().cloned().collect())
    }

    /// What storage does with uploads that nobody ends.
    pub fn forget_uploads(&self) {
        self.shelf().parts.clear();
    }

    pub fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap()
    }
}

fn threads() -> Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

fn bind(runtime: &Runtime, port: u16) -> TcpListener {
    let bound = runtime.block_on(TcpListener::bind(("127.0.0.1", port)));
    bound.unwrap()
}

fn serve(runtime: &Runtime, hub: TcpListener, storage: TcpListener, shelf: &Arc<Mutex<Shelf>>) {
    let routes = hub_routes().with_state(shelf.clone());
    runtime.spawn(async move { axum::serve(hub, routes).await });
    let routes = storage_routes().with_state(shelf.clone());
    runtime.spawn(async move { axum::serve(storage, routes).await });
}

fn hub_routes() -> Router<Arc<Mutex<Shelf>>> {
    Router::new()
        .route("/api/whoami-v2", get(whoami))
        .route("/api/models", get(search))
        .route("/api/repos/create", post(create))
        .route("/api/validate-yaml", post(validate))
        .route("/api/models/{owner}/{name}", get(model))
        .route("/api/models/{owner}/{name}/revision/{revision}", get(model))
        .route("/api/models/{owner}/{name}/refs", get(refs))
        .route("/api/models/{owner}/{name}/tree/{revision}", get(tree))
        .route(
            "/api/models/{owner}/{name}/preupload/{revision}",
            post(preupload),
        )
        .route("/api/models/{owner}/{name}/commit/{revision}", post(commit))
        .route("/api/models/{owner}/{name}/tag/{revision}", post(tag))
        .route("/api/models/{owner}/{name}/branch/{revision}", post(branch))
        .route("/{owner}/{name}/info/lfs/objects/batch", post(batch))
        .route("/{owner}/{name}/resolve/{revision}/{*path}", any(resolve))
        .route("/complete/{oid}", post(complete))
        .layer(axum::extract::DefaultBodyLimit::max(64 << 20))
}

fn storage_routes() -> Router<Arc<Mutex<Shelf>>> {
    Router::new()
        .route("/{oid}", put(receive).get(send).head(send))
        .route("/{oid}/{part}", put(receive_part))
        .layer(axum::extract::DefaultBodyLimit::max(64 << 20))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn git_oid(content: &[u8]) -> String {
    let mut hash = Sha1::new();
    hash.update(format!("blob {}\0", content.len()));
    hash.update(content);
    hex(&hash.finalize())
}

type Answer = Result<Response, Response>;

fn refused(status: u16, code: &str, message: &str) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let headers = [("x-error-code", code), ("x-error-message", message)];
    (status, headers, Json(json!({ "error": message }))).into_response()
}

impl Shelf {
    fn user(&self, headers: &HeaderMap) -> Result<Option<String>, Response> {
        let Some(said) = headers.get(header::AUTHORIZATION) else {
            return Ok(None);
        };
        let token = said.to_str().unwrap().trim_start_matches("Bearer ");
        match self.users.get(token) {
            Some(user) => Ok(Some(user.clone())),
            None => Err(refused(401, "", "Invalid username or password.")),
        }
    }

    fn repo(&mut self, id: &str, headers: &HeaderMap) -> Result<&mut Repo, Response> {
        let user = self.user(headers)?;
        let status = if user.is_some() { 404 } else { 401 };
        let unknown = || refused(status, "RepoNotFound", "Repository not found");
        let repo = self.repos.get_mut(id).ok_or_else(unknown)?;
        if repo.private && user.as_deref() != Some(&repo.owner) {
            return Err(unknown());
        }
        Ok(repo)
    }

    fn writable(&mut self, id: &str, headers: &HeaderMap) -> Result<&mut Repo, Response> {
        let user = self.user(headers)?;
        let repo = self.repo(id, headers)?;
        if user.as_deref() != Some(&repo.owner) {
            return Err(refused(403, "", "You don't have the required permissions"));
        }
        Ok(repo)
    }
}

impl Repo {
    fn commit(&self, revision: &str) -> Result<String, Response> {
        let named = self
            .branches
            .get(revision)
            .or_else(|| self.tags.get(revision));
        let known = self.commits.contains_key(revision).then_some(revision);
        named
            .map(String::as_str)
            .or(known)
            .map(str::to_owned)
            .ok_or_else(|| refused(404, "RevisionNotFound", "Invalid rev id"))
    }

    fn add(&mut self, branch: &str, files: BTreeMap<String, Blob>) -> String {
        let id = hex(&Sha1::digest(format!("{} {branch}", self.commits.len())));
        self.commits.insert(id.clone(), files);
        self.branches.insert(branch.to_owned(), id.clone());
        id
    }
}

async fn whoami(State(shelf): Shared, headers: HeaderMap) -> Answer {
    let user = shelf.lock().unwrap().user(&headers)?;
    let user = user.ok_or_else(|| refused(401, "", "Invalid username or password."))?;
    Ok(Json(json!({ "type": "user", "name": user, "orgs": [] })).into_response())
}

fn tags_in_card(repo: &Repo) -> Vec<Value> {
    let head = &repo.commits[&repo.branches["main"]];
    let Some(Blob::Plain(card)) = head.get("README.md") else {
        return Vec::new();
    };
    let card = String::from_utf8_lossy(card);
    let line = card.lines().find_map(|line| line.strip_prefix("tags: "));
    line.and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_default()
}

async fn search(
    State(shelf): Shared,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let shelf = shelf.lock().unwrap();
    let user = shelf.user(&headers)?;
    let text = query.get("search").map_or("", String::as_str);
    let found: Vec<Value> = shelf
        .repos
        .iter()
        .filter(|(id, repo)| {
            let seen = !repo.private || user.as_deref() == Some(&repo.owner);
            let by = query.get("author").is_none_or(|author| *author == repo.owner);
            seen && by && id.contains(text)
        })
        .map(|(id, repo)| json!({ "id": id, "modelId": id, "private": repo.private, "downloads": 7, "tags": tags_in_card(repo) }))
        .collect();
    Ok(Json(json!(found)).into_response())
}

async fn create(State(shelf): Shared, headers: HeaderMap, Json(body): Json<Value>) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    let user = shelf.user(&headers)?;
    let user = user.ok_or_else(|| refused(401, "", "Invalid username or password."))?;
    let owner = body["organization"].as_str().unwrap_or(&user).to_owned();
    let id = format!("{owner}/{}", body["name"].as_str().unwrap());
    if owner != user {
        return Err(refused(
            403,
            "",
            "You don't have the rights to create a model there",
        ));
    }
    let url = format!("{}/{id}", shelf.hub_at);
    if shelf.repos.contains_key(&id) {
        return Err(refused(409, "", "You already created this model repo"));
    }
    let mut repo = Repo {
        owner,
        private: body["private"] == true || body["visibility"] == "private",
        ..Repo::default()
    };
    let attributes = Blob::Plain(b"*.bin filter=lfs\n".to_vec());
    repo.add(
        "main",
        BTreeMap::from([(".gitattributes".to_owned(), attributes)]),
    );
    shelf.changes += 1;
    shelf.repos.insert(id.clone(), repo);
    Ok(Json(json!({ "url": url, "name": id, "id": id })).into_response())
}

async fn validate() -> Json<Value> {
    Json(json!({ "errors": [], "warnings": [] }))
}

fn id_of(path: &HashMap<String, String>) -> String {
    format!(
        "{}/{}",
        path["owner"],
        path["name"].trim_end_matches(".git")
    )
}

async fn model(
    State(shelf): Shared,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let id = id_of(&path);
    let mut shelf = shelf.lock().unwrap();
    let repo = shelf.repo(&id, &headers)?;
    let commit = repo.commit(path.get("revision").map_or("main", String::as_str))?;
    let siblings: Vec<Value> = repo.commits[&commit]
        .keys()
        .map(|path| json!({ "rfilename": path }))
        .collect();
    Ok(Json(json!({ "id": id, "modelId": id, "sha": commit, "private": repo.private, "tags": [], "siblings": siblings })).into_response())
}

async fn refs(
    State(shelf): Shared,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    let repo = shelf.repo(&id_of(&path), &headers)?;
    let list = |kind: &str, all: &BTreeMap<String, String>| -> Vec<Value> {
        all.iter()
            .map(|(name, commit)| json!({ "name": name, "ref": format!("refs/{kind}/{name}"), "targetCommit": commit }))
            .collect()
    };
    Ok(Json(json!({ "branches": list("heads", &repo.branches), "tags": list("tags", &repo.tags), "converts": [] })).into_response())
}

async fn tree(
    State(shelf): Shared,
    Path(path): Path<HashMap<String, String>>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Answer {
    let id = id_of(&path);
    let mut shelf = shelf.lock().unwrap();
    let hub = shelf.hub_at.clone();
    let repo = shelf.repo(&id, &headers)?;
    let commit = repo.commit(&path["revision"])?;
    let all = &repo.commits[&commit];
    let from: usize = query.get("cursor").map_or(0, |at| at.parse().unwrap());
    let mut items: Vec<Value> = Vec::new();
    for (path, blob) in all.iter().skip(from).take(PAGE) {
        if let Some((folder, _)) = path.rsplit_once('/') {
            items.push(
                json!({ "type": "directory", "path": folder, "oid": git_oid(b""), "size": 0 }),
            );
        }
        items.push(match blob {
            Blob::Plain(content) => {
                json!({ "type": "file", "path": path, "oid": git_oid(content), "size": content.len() })
            }
            Blob::Lfs { sha256, size } => {
                json!({ "type": "file", "path": path, "oid": git_oid(sha256.as_bytes()), "size": size, "lfs": { "oid": sha256, "size": size, "pointerSize": 134 } })
            }
        });
    }
    let mut answer = Json(json!(items)).into_response();
    let next = from + PAGE;
    if next < all.len() {
        let link = format!(
            "<{hub}/api/models/{id}/tree/{commit}?recursive=true&cursor={next}>; rel=\"next\""
        );
        answer
            .headers_mut()
            .insert(header::LINK, link.parse().unwrap());
    }
    Ok(answer)
}

async fn preupload(
    State(shelf): Shared,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    shelf.lock().unwrap().writable(&id_of(&path), &headers)?;
    let files: Vec<Value> = body["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            let large = file["path"].as_str().unwrap().ends_with(".bin");
            let mode = if large { "lfs" } else { "regular" };
            json!({ "path": file["path"], "uploadMode": mode, "shouldIgnore": false, "oid": null })
        })
        .collect();
    Ok(Json(json!({ "files": files })).into_response())
}

async fn batch(
    State(shelf): Shared,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    shelf.writable(&id_of(&path), &headers)?;
    let objects: Vec<Value> = body["objects"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| {
            let oid = object["oid"].as_str().unwrap();
            let size = usize::try_from(object["size"].as_u64().unwrap()).unwrap();
            let mut answer = json!({ "oid": oid, "size": size });
            if shelf.objects.contains_key(oid) {
                return answer;
            }
            shelf.uploads += 1;
            let (at, upload) = (&shelf.uploads_at, shelf.uploads);
            answer["actions"] = if size > PART {
                let mut header = json!({ "chunk_size": PART.to_string() });
                for part in 1..=size.div_ceil(PART) {
                    header[format!("{part:05}")] = json!(format!("{at}/{oid}/{part}?upload={upload}"));
                }
                json!({ "upload": { "href": format!("{}/complete/{oid}?upload={upload}", shelf.hub_at), "header": header } })
            } else {
                json!({ "upload": { "href": format!("{at}/{oid}?signature=x"), "header": {} } })
            };
            answer
        })
        .collect();
    Ok(Json(json!({ "transfer": "multipart", "objects": objects })).into_response())
}

#[derive(serde::Deserialize)]
struct Upload {
    upload: usize,
}

async fn complete(
    State(shelf): Shared,
    Path(oid): Path<String>,
    Query(of): Query<Upload>,
    Json(body): Json<Value>,
) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    let mut whole = Vec::new();
    for part in body["parts"].as_array().unwrap() {
        let number = usize::try_from(part["partNumber"].as_u64().unwrap()).unwrap();
        let piece = shelf.parts.remove(&(oid.clone(), of.upload, number));
        let piece = piece.ok_or_else(|| refused(400, "", "a part is missing"))?;
        assert_eq!(
            part["etag"],
            format!("\"{}\"", hex(&Sha256::digest(&piece)))
        );
        whole.extend(piece);
    }
    keep(&mut shelf, &oid, whole)
}

fn keep(shelf: &mut Shelf, oid: &str, content: Vec<u8>) -> Answer {
    if hex(&Sha256::digest(&content)) != oid {
        return Err(refused(400, "", "The content is not what was announced"));
    }
    shelf.changes += 1;
    shelf.objects.insert(oid.to_owned(), content);
    Ok(Json(json!({})).into_response())
}

async fn receive(
    State(shelf): Shared,
    Path(oid): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    without_credential(&mut shelf, &headers)?;
    keep(&mut shelf, &oid, body.to_vec())
}

async fn receive_part(
    State(shelf): Shared,
    Path((oid, part)): Path<(String, usize)>,
    Query(of): Query<Upload>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    without_credential(&mut shelf, &headers)?;
    let etag = format!("\"{}\"", hex(&Sha256::digest(&body)));
    shelf.parts.insert((oid, of.upload, part), body.to_vec());
    Ok([(header::ETAG, etag)].into_response())
}

fn without_credential(shelf: &mut Shelf, headers: &HeaderMap) -> Result<(), Response> {
    if headers.contains_key(header::AUTHORIZATION) {
        shelf.leaks += 1;
        return Err(refused(400, "", "Only one auth mechanism allowed"));
    }
    Ok(())
}

async fn send(
    State(shelf): Shared,
    Path(oid): Path<String>,
    method: Method,
    headers: HeaderMap,
) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    without_credential(&mut shelf, &headers)?;
    let mut content = shelf.objects[&oid].clone();
    if shelf.damaged.contains(&oid) {
        content[17] ^= 1;
    }
    let size = content.len();
    let range = headers
        .get(header::RANGE)
        .map(|range| range.to_str().unwrap());
    let from = range.map_or(0, |range| {
        let from = range.trim_start_matches("bytes=").trim_end_matches('-');
        from.parse().unwrap()
    });
    if method == Method::GET {
        shelf.downloads.push(from);
    }
    let rest = content.split_off(from.min(size));
    let length = rest.len();
    let cut = method == Method::GET && shelf.cut_after.is_some_and(|most| most < length);
    let body = match shelf.cut_after.take_if(|_| cut) {
        Some(most) => {
            let first = Bytes::from(rest).slice(..most);
            let broken = std::io::Error::other("cut");
            Body::from_stream(futures_util::stream::iter([Ok(first), Err(broken)]))
        }
        None => Body::from(rest),
    };
    let status = if range.is_some() { 206 } else { 200 };
    let answer = Response::builder()
        .status(status)
        .header(header::ETAG, format!("\"{oid}\""))
        .header(header::CONTENT_LENGTH, length)
        .header(
            header::CONTENT_RANGE,
            format!("bytes {from}-{}/{size}", size.max(1) - 1),
        );
    Ok(answer.body(body).unwrap())
}

async fn resolve(
    State(shelf): Shared,
    Path(path): Path<HashMap<String, String>>,
    request: Request,
) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    let storage = shelf.downloads_at.clone();
    let repo = shelf.repo(&id_of(&path), request.headers())?;
    let commit = repo.commit(&path["revision"])?;
    let blob = repo.commits[&commit].get(&path["path"]);
    let blob = blob.ok_or_else(|| refused(404, "EntryNotFound", "Entry not found"))?;
    let answer = Response::builder().header("x-repo-commit", &commit);
    Ok(match blob {
        Blob::Plain(content) => answer
            .header(header::ETAG, format!("\"{}\"", git_oid(content)))
            .header(header::CONTENT_LENGTH, content.len())
            .body(Body::from(content.clone())),
        Blob::Lfs { sha256, size } => answer
            .status(302)
            .header(header::LOCATION, format!("{storage}/{sha256}"))
            .header("x-linked-etag", format!("\"{sha256}\""))
            .header("x-linked-size", *size)
            .body(Body::empty()),
    }
    .unwrap())
}

async fn commit(
    State(shelf): Shared,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
    body: String,
) -> Answer {
    let id = id_of(&path);
    let mut shelf = shelf.lock().unwrap();
    let stored: HashMap<String, usize> = shelf
        .objects
        .iter()
        .map(|(oid, content)| (oid.clone(), content.len()))
        .collect();
    let repo = shelf.writable(&id, &headers)?;
    let head = repo.commit(&path["revision"])?;
    let mut files = repo.commits[&head].clone();
    for line in body.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let (key, value) = (line["key"].as_str().unwrap(), &line["value"]);
        let path = || value["path"].as_str().unwrap().to_owned();
        match key {
            "header" => {
                let parent = value["parentCommit"].as_str();
                if parent.is_some_and(|parent| parent != head) {
                    return Err(refused(
                        412,
                        "",
                        "A commit has happened since. Please refresh and try again.",
                    ));
                }
            }
            "file" => {
                let content = value["content"].as_str().unwrap();
                let content = base64::engine::general_purpose::STANDARD.decode(content);
                files.insert(path(), Blob::Plain(content.unwrap()));
            }
            "lfsFile" => {
                let sha256 = value["oid"].as_str().unwrap().to_owned();
                let size = stored.get(&sha256).copied();
                let size =
                    size.ok_or_else(|| refused(400, "", "This LFS file was never uploaded"))?;
                files.insert(path(), Blob::Lfs { sha256, size });
            }
            "deletedFile" => {
                files.remove(&path());
            }
            other => panic!("a commit with {other}"),
        }
    }
    let commit = repo.add(&path["revision"], files);
    shelf.changes += 1;
    Ok(Json(json!({ "success": true, "commitOid": commit, "commitUrl": format!("{}/{id}/commit/{commit}", shelf.hub_at) })).into_response())
}

async fn tag(
    State(shelf): Shared,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    let repo = shelf.writable(&id_of(&path), &headers)?;
    let commit = repo.commit(&path["revision"])?;
    let name = body["tag"].as_str().unwrap().to_owned();
    if repo.tags.contains_key(&name) {
        return Err(refused(409, "", "Tag reference exists already"));
    }
    repo.tags.insert(name, commit);
    shelf.changes += 1;
    Ok(StatusCode::OK.into_response())
}

async fn branch(
    State(shelf): Shared,
    Path(path): Path<HashMap<String, String>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Answer {
    let mut shelf = shelf.lock().unwrap();
    let repo = shelf.writable(&id_of(&path), &headers)?;
    let name = path["revision"].clone();
    let commit = repo.commit(body["startingPoint"].as_str().unwrap_or("main"))?;
    if repo.branches.contains_key(&name) && body["overwrite"] != true {
        return Err(refused(409, "", "Reference already exists"));
    }
    repo.branches.insert(name, commit);
    shelf.changes += 1;
    Ok(StatusCode::OK.into_response())
}
