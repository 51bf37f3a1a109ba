//! YAML 1.2 as ruamel reads and writes it for DVC. The tokens come from `saphyr-parser`; what a plain scalar means (`yes` is a
//! string, `010` is ten, `1e-5` is a number) is decided here, because it differs between YAML libraries.

mod emit;
mod read;
mod scalar;

pub(crate) use emit::{emit, emit_line};
pub(crate) use read::{Content, Node, parse};
pub(crate) use scalar::resolve_plain;
