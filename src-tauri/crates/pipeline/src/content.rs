//! Hashing, cache and ignore files, as little as the pipeline needs, until `lapwing-data` offers them.
use crate::{Result, Value, lock::LockEntry, paths, python};
use fs_err as fs;
use md5::{Digest as _, Md5};
use std::{
    io::Read as _,
    path::{Path, PathBuf},
};

pub struct Project {
    root: PathBuf,
}
impl Project {
    pub fn open(p: &Path) -> Self {
        Self { root: p.to_owned() }
    }
    pub fn root(&self) -> &Path {
        &self.root
    }
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Keep {
    Linked,
    Copy,
    No,
}

pub(crate) struct Content {
    pub md5: String,
    pub size: u64,
    pub nfiles: Option<u64>,
    pub isexec: bool,
}
impl Content {
    pub(crate) fn entry(self, written: &str) -> LockEntry {
        LockEntry {
            path: written.to_owned(),
            hash: Some("md5".into()),
            md5: Some(self.md5),
            size: Some(self.size),
            nfiles: self.nfiles,
            isexec: self.isexec,
            rest: vec![],
        }
    }
}
pub(crate) struct Files<'a> {
    project: &'a Project,
}
fn hexd(b: &[u8]) -> String {
    Md5::digest(b).iter().map(|b| format!("{b:02x}")).collect()
}
impl<'a> Files<'a> {
    pub(crate) fn new(project: &'a Project) -> Self {
        Self { project }
    }
    pub(crate) fn root(&self) -> &Path {
        self.project.root()
    }
    fn at(&self, p: &str) -> PathBuf {
        paths::on_disk(self.root(), p)
    }
    pub(crate) fn exists(&self, p: &str) -> bool {
        self.at(p).exists()
    }
    pub(crate) fn id(&self, p: &str, _legacy: bool) -> Result<Option<String>> {
        if !self.exists(p) {
            return Ok(None);
        }
        Ok(Some(self.content(p)?.md5))
    }
    fn list(&self, dir: &Path, prefix: &str, out: &mut Vec<(String, PathBuf)>) -> Result<()> {
        for e in fs::read_dir(dir)? {
            let e = e?;
            let n = format!("{prefix}{}", e.file_name().to_string_lossy());
            if e.path().is_dir() {
                self.list(&e.path(), &format!("{n}/"), out)?;
            } else {
                out.push((n, e.path()));
            }
        }
        Ok(())
    }
    #[allow(clippy::type_complexity)]
    fn scan(&self, p: &str) -> Result<(Content, Vec<(String, PathBuf)>, String)> {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.at(p);
        if path.is_dir() {
            let mut files = vec![];
            self.list(&path, "", &mut files)?;
            files.sort();
            let mut size = 0;
            let mut items = vec![];
            let mut objs = vec![];
            for (rel, f) in &files {
                let mut b = vec![];
                fs::File::open(f)?.read_to_end(&mut b)?;
                size += b.len() as u64;
                let h = hexd(&b);
                items.push(Value::Map(vec![
                    (Value::str("md5"), Value::str(&h)),
                    (Value::str("relpath"), Value::str(rel)),
                ]));
                objs.push((h, f.clone()));
            }
            let listing = python::json_dumps(&Value::List(items));
            Ok((
                Content {
                    md5: hexd(listing.as_bytes()) + ".dir",
                    size,
                    nfiles: Some(files.len() as u64),
                    isexec: false,
                },
                objs,
                listing,
            ))
        } else {
            let b = fs::read(&path)?;
            let h = hexd(&b);
            let x = fs::metadata(&path)?.permissions().mode() & 0o111 != 0;
            Ok((
                Content {
                    md5: h.clone(),
                    size: b.len() as u64,
                    nfiles: None,
                    isexec: x,
                },
                vec![(h, path)],
                String::new(),
            ))
        }
    }
    pub(crate) fn content(&self, p: &str) -> Result<Content> {
        Ok(self.scan(p)?.0)
    }
    fn obj(&self, id: &str) -> PathBuf {
        self.root()
            .join(".dvc/cache/files/md5")
            .join(&id[..2])
            .join(&id[2..])
    }
    pub(crate) fn in_cache(&self, id: &str, _legacy: bool) -> Result<bool> {
        if !self.obj(id).exists() {
            return Ok(false);
        }
        if id.ends_with(".dir") {
            let v: serde_json::Value =
                serde_json::from_slice(&fs::read(self.obj(id))?).unwrap_or_default();
            for e in v.as_array().cloned().unwrap_or_default() {
                if !self.obj(e["md5"].as_str().unwrap_or("0000")).exists() {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
    pub(crate) fn save(&self, p: &str, keep: Keep) -> Result<Content> {
        use std::os::unix::fs::PermissionsExt as _;
        let (c, objs, listing) = self.scan(p)?;
        if keep != Keep::No {
            let put = |id: &str, b: &[u8]| -> Result<()> {
                let o = self.obj(id);
                if !o.exists() {
                    fs::create_dir_all(o.parent().unwrap_or(Path::new("/")))?;
                    fs::write(&o, b)?;
                    fs::set_permissions(&o, std::fs::Permissions::from_mode(0o444))?;
                }
                Ok(())
            };
            for (h, f) in objs {
                put(&h, &fs::read(f)?)?;
            }
            if c.md5.ends_with(".dir") {
                put(&c.md5, listing.as_bytes())?;
            }
        }
        Ok(c)
    }
    pub(crate) fn checkout(&self, p: &str, entry: &LockEntry, _cached: bool) -> Result<()> {
        let id = entry.md5.clone().unwrap_or_default();
        let path = self.at(p);
        if let Some(d) = path.parent() {
            fs::create_dir_all(d)?;
        }
        if id.ends_with(".dir") {
            let v: serde_json::Value =
                serde_json::from_slice(&fs::read(self.obj(&id))?).unwrap_or_default();
            for e in v.as_array().cloned().unwrap_or_default() {
                let f = path.join(e["relpath"].as_str().unwrap_or(""));
                fs::create_dir_all(f.parent().unwrap_or(&path))?;
                fs::write(f, fs::read(self.obj(e["md5"].as_str().unwrap_or("0000")))?)?;
            }
        } else {
            fs::write(path, fs::read(self.obj(&id))?)?;
        }
        Ok(())
    }
    pub(crate) fn unlink(&self, _p: &str) -> Result<()> {
        Ok(())
    }
    pub(crate) fn is_inside(&self, p: &str) -> bool {
        let full = self.at(p);
        let parents = full.ancestors().skip(1);
        let real = parents
            .filter_map(|parent| parent.canonicalize().ok())
            .next();
        !paths::is_absolute(p)
            && !p.starts_with("..")
            && real.is_some_and(|real| {
                self.root()
                    .canonicalize()
                    .is_ok_and(|root| real.starts_with(root))
            })
    }
    pub(crate) fn is_tracked(&self, _p: &str) -> Result<bool> {
        Ok(false)
    }
    pub(crate) fn ignore(&self, p: &str) -> Result<()> {
        let (d, n) = p.rsplit_once('/').unwrap_or(("", p));
        let g = self.at(d).join(".gitignore");
        let mut t = fs::read_to_string(&g).unwrap_or_default();
        let l = format!("/{n}");
        if !t.lines().any(|x| x == l) {
            t += &l;
            t += "\n";
            fs::write(&g, t)?;
        }
        Ok(())
    }
    pub(crate) fn runs(&self) -> PathBuf {
        self.root().join(".dvc/cache/runs")
    }
    pub(crate) fn pipeline_files(&self) -> Result<Vec<String>> {
        let mut out = vec![];
        self.list(self.root(), "", &mut vec![]).ok();
        let mut all = vec![];
        self.list(self.root(), "", &mut all)?;
        for (n, _) in all {
            if n == "dvc.yaml" || n.ends_with("/dvc.yaml") {
                out.push(n)
            }
        }
        out.sort_by_key(|n| (n != "dvc.yaml", n.clone()));
        Ok(out)
    }
    pub(crate) fn options(&self) -> crate::template::Options {
        crate::template::Options::default()
    }
}
