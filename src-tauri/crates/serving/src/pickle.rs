//! What a pickle would import when it is loaded, read off its opcodes without loading it.
//!
//! A pickle is a program. `GLOBAL` and `STACK_GLOBAL` name what it calls; everything else only shapes data. The names are compared
//! with the modules that models are made of. Opcodes: CPython's Lib/pickletools.py. joblib files interleave raw array bytes
//! with opcodes; where the walk loses its way there the verdict is [`Verdict::Unknown`], never safe.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;

use serde::{Deserialize, Serialize};
use specta::Type;

use crate::Result;

/// Reading more would hold a whole large model in memory for a question that its head answers.
const MAX_SCANNED_BYTES: u64 = 256 * 1024 * 1024;
const MAX_REMEMBERED: usize = 1 << 20;

/// Modules whose classes and functions models consist of.
const KNOWN: &[&str] = &[
    "sklearn",
    "numpy",
    "scipy",
    "pandas",
    "lightgbm",
    "xgboost",
    "catboost",
    "joblib",
    "collections",
    "copyreg",
    "_codecs",
    "datetime",
    "decimal",
    "fractions",
    "uuid",
    "pathlib",
    "pytz",
    "dateutil",
    "imblearn",
    "statsmodels",
    "category_encoders",
    "threading",
    "zoneinfo",
];

/// Calls that no model needs and every attack uses, also inside known modules.
const DANGEROUS: &[&str] = &[
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "socket",
    "shutil",
    "pty",
    "runpy",
    "importlib",
    "ctypes",
    "requests",
    "urllib",
    "http",
    "webbrowser",
    "code",
    "codeop",
    "pdb",
    "timeit",
    "cProfile",
    "profile",
    "asyncio",
    "multiprocessing",
    "signal",
    "commands",
    "pip",
    "builtins.eval",
    "builtins.exec",
    "builtins.compile",
    "builtins.open",
    "builtins.__import__",
    "builtins.getattr",
    "builtins.breakpoint",
    "builtins.input",
    "__builtin__.eval",
    "__builtin__.exec",
    "__builtin__.execfile",
    "__builtin__.open",
    "__builtin__.__import__",
    "__builtin__.getattr",
    "numpy.testing._private.utils.runstring",
    "operator.attrgetter",
    "operator.methodcaller",
];

/// Parts of a dotted name that lead out of a known module again: `("sklearn.datasets._base", "os.system")`.
const DOORS: &[&str] = &[
    "os",
    "posix",
    "nt",
    "subprocess",
    "sys",
    "socket",
    "shutil",
    "builtins",
    "importlib",
    "ctypes",
    "eval",
    "exec",
    "runpy",
    "pty",
    "f2py",
    "distutils",
    "read_pickle",
    "externals",
    "computation",
    "runstring",
];

/// Known modules' own ways to load and run more.
const LOADERS: &[&str] = &[
    "joblib.load",
    "joblib.memory",
    "joblib.numpy_pickle.load",
    "numpy.load",
    "numpy.testing",
    "pandas.eval",
];

/// Harmless names of modules that are otherwise not.
const HARMLESS: &[&str] = &[
    "builtins.set",
    "builtins.frozenset",
    "builtins.list",
    "builtins.dict",
    "builtins.tuple",
    "builtins.int",
    "builtins.float",
    "builtins.str",
    "builtins.bool",
    "builtins.bytes",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.slice",
    "builtins.range",
    "builtins.object",
    "builtins.type",
    "builtins.NotImplemented",
    "builtins.Ellipsis",
    "__builtin__.set",
    "__builtin__.frozenset",
    "__builtin__.object",
    "__builtin__.slice",
    "functools.partial",
    "operator.itemgetter",
    "types.SimpleNamespace",
];

/// What loading the file would do, as far as its opcodes tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It imports only what models are made of.
    Safe,
    /// It imports something that is not on the list, or could not be read to its end.
    Unknown { imports: Vec<String> },
    /// It calls into the operating system or runs code.
    Unsafe { imports: Vec<String> },
}

/// Looks at one file.
pub fn scan(path: &Path) -> Result<Verdict> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    fs_err::File::open(path)?
        .take(MAX_SCANNED_BYTES)
        .read_to_end(&mut bytes)?;
    Ok(judge(&bytes))
}

/// The worst verdict over several files, with all names that led to it.
pub fn scan_all(paths: &[std::path::PathBuf]) -> Result<Verdict> {
    let mut worst = Verdict::Safe;
    for path in paths {
        worst = match (worst, scan(path)?) {
            (Verdict::Safe, next) | (next, Verdict::Safe) => next,
            (Verdict::Unsafe { imports }, Verdict::Unsafe { imports: more }) => Verdict::Unsafe {
                imports: [imports, more].concat(),
            },
            (Verdict::Unsafe { imports }, Verdict::Unknown { .. })
            | (Verdict::Unknown { .. }, Verdict::Unsafe { imports }) => Verdict::Unsafe { imports },
            (Verdict::Unknown { imports }, Verdict::Unknown { imports: more }) => {
                Verdict::Unknown {
                    imports: [imports, more].concat(),
                }
            }
        };
    }
    Ok(worst)
}

/// Judges the bytes of a pickle.
#[must_use]
pub fn judge(bytes: &[u8]) -> Verdict {
    let mut walk = Walk::new(bytes);
    let whole = walk.run();
    let imports = walk.imports;
    let dangerous: Vec<String> = imports
        .iter()
        .filter(|name| is_dangerous(name))
        .cloned()
        .collect();
    if !dangerous.is_empty() {
        return Verdict::Unsafe { imports: dangerous };
    }
    let unknown: Vec<String> = imports
        .iter()
        .filter(|name| !is_known(name))
        .cloned()
        .collect();
    if unknown.is_empty() && whole {
        return Verdict::Safe;
    }
    Verdict::Unknown { imports: unknown }
}

fn within(name: &str, prefix: &str) -> bool {
    name.strip_prefix(prefix)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

fn is_dangerous(name: &str) -> bool {
    DANGEROUS
        .iter()
        .chain(LOADERS)
        .any(|prefix| within(name, prefix))
        || name
            .split('.')
            .any(|part| DOORS.contains(&part) && !HARMLESS.contains(&name))
}

fn is_known(name: &str) -> bool {
    HARMLESS.contains(&name) || KNOWN.iter().any(|prefix| within(name, prefix))
}

/// One walk over the opcodes. `STACK_GLOBAL` takes two strings from the stack: picklers push them right before it, so
/// only strings with nothing but memo opcodes behind them count, and anything cleverer makes the verdict unknown.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    imports: BTreeSet<String>,
    /// The strings pushed since anything else happened.
    recent: Vec<String>,
    memo: HashMap<usize, Option<String>>,
}

impl<'a> Walk<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            imports: BTreeSet::new(),
            recent: Vec::new(),
            memo: HashMap::new(),
        }
    }

    /// True when the walk reached the last STOP without losing its way.
    fn run(&mut self) -> bool {
        while self.at < self.bytes.len() {
            let Some(opcode) = self.byte() else {
                return false;
            };
            if opcode == b'.' {
                return true;
            }
            if self.step(opcode).is_none() {
                self.rescue();
                return false;
            }
        }
        false
    }

    /// Behind raw array bytes (joblib) names can still be seen as text: look for the dangerous ones.
    fn rescue(&mut self) {
        let rest = &self.bytes[self.at.min(self.bytes.len())..];
        for name in DANGEROUS {
            let (module, attribute) = name.rsplit_once('.').unwrap_or((name, ""));
            let needle = format!("c{module}\n{attribute}");
            let mut short = vec![0x8c, u8::try_from(module.len()).unwrap_or(0)];
            short.extend_from_slice(module.as_bytes());
            short.push(0x94);
            if contains(rest, needle.as_bytes()) || (attribute.is_empty() && contains(rest, &short))
            {
                self.imports.insert((*name).to_owned());
            }
        }
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(length)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    fn number(&mut self, width: usize) -> Option<usize> {
        let bytes = self.take(width)?;
        let mut wide = [0_u8; 8];
        wide.get_mut(..width)?.copy_from_slice(bytes);
        usize::try_from(u64::from_le_bytes(wide)).ok()
    }

    fn line(&mut self) -> Option<&'a str> {
        let rest = self.bytes.get(self.at..)?;
        let length = rest.iter().position(|byte| *byte == b'\n')?;
        let text = std::str::from_utf8(&rest[..length]).ok()?;
        self.at += length + 1;
        Some(text)
    }

    fn sized(&mut self, width: usize) -> Option<&'a [u8]> {
        let length = self.number(width)?;
        self.take(length)
    }

    fn push(&mut self, text: &str) {
        self.recent.push(text.to_owned());
    }

    fn remember(&mut self, index: usize) -> Option<()> {
        if self.memo.len() >= MAX_REMEMBERED {
            return None;
        }
        self.memo.insert(index, self.recent.last().cloned());
        Some(())
    }

    fn recall(&mut self, index: usize) {
        match self.memo.get(&index).cloned().flatten() {
            Some(text) => self.push(&text),
            None => self.recent.clear(),
        }
    }

    fn import(&mut self, module: &str, name: &str) {
        self.imports.insert(format!("{module}.{name}"));
        self.recent.clear();
    }

    fn step(&mut self, opcode: u8) -> Option<()> {
        match opcode {
            // GLOBAL, INST: two lines.
            b'c' | b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                self.import(module, name);
            }
            // STACK_GLOBAL
            0x93 => {
                let name = self.recent.pop()?;
                let module = self.recent.pop()?;
                self.import(&module, &name);
            }
            // SHORT_BINUNICODE, BINUNICODE, BINUNICODE8, BINSTRING, SHORT_BINSTRING
            0x8c => self.push_text(1)?,
            b'X' | b'T' => self.push_text(4)?,
            0x8d => self.push_text(8)?,
            b'U' => self.push_text(1)?,
            // UNICODE, STRING: a line.
            b'V' | b'S' => {
                let text = self.line()?.trim_matches(['\'', '"']);
                self.push(text);
            }
            // BINBYTES, SHORT_BINBYTES, BINBYTES8, BYTEARRAY8, LONG1, LONG4
            b'B' | 0x8b => self.skip_sized(4)?,
            b'C' | 0x8a => self.skip_sized(1)?,
            0x8e | 0x96 => self.skip_sized(8)?,
            // PUT, GET, BINPUT, LONG_BINPUT, BINGET, LONG_BINGET, MEMOIZE
            b'p' => {
                let index = self.line()?.parse().ok()?;
                self.remember(index)?;
            }
            b'q' => {
                let index = self.number(1)?;
                self.remember(index)?;
            }
            b'r' => {
                let index = self.number(4)?;
                self.remember(index)?;
            }
            0x94 => self.remember(self.memo.len())?,
            b'g' => {
                let index = self.line()?.parse().ok()?;
                self.recall(index);
            }
            b'h' => {
                let index = self.number(1)?;
                self.recall(index);
            }
            b'j' => {
                let index = self.number(4)?;
                self.recall(index);
            }
            // INT, LONG, FLOAT, PERSID: a line.
            b'I' | b'L' | b'F' | b'P' => {
                self.line()?;
                self.recent.clear();
            }
            // PROTO, BININT1, EXT1; BININT2, EXT2; BININT, EXT4; BINFLOAT, FRAME
            0x80 => {
                self.take(1)?;
            }
            b'K' => self.skip(1)?,
            b'M' => self.skip(2)?,
            b'J' => self.skip(4)?,
            b'G' => self.skip(8)?,
            0x95 => {
                self.take(8)?;
            }
            // The extension registry can name anything: not followed, so the walk ends here.
            0x82..=0x84 => return None,
            // Opcodes without an argument.
            b'('
            | b')'
            | b'0'
            | b'1'
            | b'2'
            | b'N'
            | b'Q'
            | b'R'
            | b']'
            | b'a'
            | b'b'
            | b'd'
            | b'e'
            | b'l'
            | b'o'
            | b's'
            | b't'
            | b'u'
            | b'}'
            | 0x81
            | 0x85..=0x89
            | 0x8f
            | 0x90
            | 0x91
            | 0x92
            | 0x97
            | 0x98 => {
                self.recent.clear();
            }
            _ => return None,
        }
        Some(())
    }

    fn push_text(&mut self, width: usize) -> Option<()> {
        let bytes = self.sized(width)?;
        self.push(&String::from_utf8_lossy(bytes));
        Some(())
    }

    fn skip(&mut self, length: usize) -> Option<()> {
        self.take(length)?;
        self.recent.clear();
        Some(())
    }

    fn skip_sized(&mut self, width: usize) -> Option<()> {
        self.sized(width)?;
        self.recent.clear();
        Some(())
    }
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
