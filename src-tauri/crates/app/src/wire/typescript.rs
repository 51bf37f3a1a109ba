//! TypeScript for the window, generated from the command table.

use std::fmt::Write as _;

use lapwing_core::{Change, Report, Tag};
use specta::Types;
use specta_typescript::{Typescript, primitives};

use super::table::command_table;
use super::*;

const HEADER: &str = "// Generated from the command table of the Rust core. Do not edit:\n// `cargo test -p lapwing-app` says when it is stale, `LAPWING_WRITE_TYPESCRIPT=1 cargo test -p lapwing-app` writes it.\n";

struct Row {
    name: &'static str,
    input: specta::datatype::DataType,
    answer: specta::datatype::DataType,
    changes: &'static [Tag],
}

macro_rules! typescript_rows {
    ($($name:literal => $module:ident :: $function:ident ( $input:ty ) -> $answer:ty, [$($tag:ident),*];)*) => {
        fn rows(types: &mut Types) -> Vec<Row> {
            vec![$(Row {
                name: $name,
                input: <$input as specta::Type>::definition(types),
                answer: <$answer as specta::Type>::definition(types),
                changes: &[$(Tag::$tag),*],
            }),*]
        }
    };
}
command_table!(typescript_rows);

/// The whole of `ui/src/api/generated.ts`.
///
/// # Errors
/// When a type in the table has no TypeScript counterpart (a 64-bit integer, say).
pub fn typescript() -> Result<String, specta_typescript::Error> {
    let mut types = Types::default();
    let rows = rows(&mut types);
    types.register_mut::<Report>();
    types.register_mut::<Change>();
    let exporter = Typescript::default().header(HEADER);
    let mut text = exporter.export(&types, specta_serde::Format)?;
    text.push_str(
        "\n/** Every command: what it takes and what it answers. */\nexport type Commands = {\n",
    );
    for row in &rows {
        let input = primitives::reference(&exporter, &types, &row.input)?;
        let answer = primitives::reference(&exporter, &types, &row.answer)?;
        writeln!(
            text,
            "\t\"{}\": {{ input: {input}; answer: {answer} }};",
            row.name
        )
        .expect("writing to a String cannot fail");
    }
    text.push_str("};\n\n/** What a successful command makes stale. */\nexport const CHANGES: { [name in keyof Commands]: readonly Tag[] } = {\n");
    for row in &rows {
        let tags: Vec<String> = row
            .changes
            .iter()
            .map(|tag| format!("\"{}\"", tag.as_str()))
            .collect();
        writeln!(text, "\t\"{}\": [{}],", row.name, tags.join(", "))
            .expect("writing to a String cannot fail");
    }
    text.push_str("};\n");
    Ok(text)
}
