//! Batch scoring's script against MLflow's own: the function that `mlflow models predict` runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, RecordBatch, RecordBatchReader as _,
    StringArray,
};
use arrow::datatypes::DataType;
use lapwing_serving::scoring::{self, Left, Order, Part, Reads, Writes};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::peers::{model, python, truth};

/// The script in each of the folders, in one Python; first of all what MLflow itself makes of `rows.csv`.
const ALL: &str = "
import json, os, sys
from mlflow.pyfunc.scoring_server import _predict
root, model, *folders = sys.argv[1:]
_predict(model, os.path.join(root, 'rows.csv'), os.path.join(root, 'mlflow.json'), 'csv')
sys.path.insert(0, folders[0])
import score
for folder in folders:
    os.chdir(folder)
    score.main('order.json')
";
const CSV: Reads = Reads::Csv { separator: ',' };
const AS_CSV: Writes = Writes::Csv { separator: ',' };

struct Bench {
    root: tempfile::TempDir,
    folders: Vec<PathBuf>,
}

impl Bench {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().expect("there is room for temporary files"),
            folders: Vec::new(),
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A folder with few rows at a time, so that there are several pieces.
    fn lay_out(&mut self, model: &Path, data: &str, reads: Reads, writes: Writes) -> PathBuf {
        let folder = self.at(&format!("folder-{}", self.folders.len()));
        let order = Order {
            model: model.to_owned(),
            data: vec![(data.to_owned(), self.at(data))],
            reads,
            writes,
            requirements: Vec::new(),
            rows: 37,
        };
        scoring::lay_out(&folder, &order).expect("the folder is laid out");
        self.folders.push(folder.clone());
        folder
    }

    fn run(&self, model: &Path) {
        let done = Command::new(python())
            .args(["-W", "ignore", "-c", ALL])
            .arg(self.root.path())
            .arg(model)
            .args(&self.folders)
            .env("MLFLOW_DISABLE_TELEMETRY", "true")
            .output()
            .expect("Python starts");
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
}

/// The forest's rows, with columns that no model takes: an id that looks like a number, words, and numbers that are missing.
fn table() -> RecordBatch {
    let truth = truth("forest");
    let rows = truth["rows"]["data"].as_array().expect("rows");
    let number = |at: usize| {
        rows.iter()
            .map(move |row| row[at].as_f64().expect("a number"))
    };
    let word = |at: usize| {
        rows.iter()
            .map(move |row| row[at].as_str().expect("a word"))
    };
    let count = rows.len() as i64;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "id",
            std::sync::Arc::new(StringArray::from_iter_values(
                (0..count).map(|row| format!("{row:04}")),
            )),
        ),
        (
            "distance",
            std::sync::Arc::new(Float64Array::from_iter_values(number(0))),
        ),
        (
            "hour",
            std::sync::Arc::new(Int64Array::from_iter_values(
                number(1).map(|hour| hour as i64),
            )),
        ),
        (
            "carrier",
            std::sync::Arc::new(StringArray::from_iter_values(word(2))),
        ),
        (
            "origin",
            std::sync::Arc::new(StringArray::from_iter_values(word(3))),
        ),
        (
            "note",
            std::sync::Arc::new(StringArray::from_iter_values(
                (0..count).map(|row| format!("\"{row}\", so")),
            )),
        ),
        (
            "seats",
            std::sync::Arc::new(Int64Array::from_iter(
                (0..count).map(|row| (row % 3 > 0).then_some(row)),
            )),
        ),
        (
            "full",
            std::sync::Arc::new(BooleanArray::from_iter(
                (0..count).map(|row| (row % 5 > 0).then_some(row % 2 == 0)),
            )),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, array)| (name, array, true)),
    )
    .expect("columns of one length")
}

fn create(path: PathBuf) -> std::fs::File {
    std::fs::File::create(path).expect("there is room for temporary files")
}

#[test]
fn every_kind_of_file_gets_the_predictions_that_mlflow_gives() {
    let (mut bench, table) = (Bench::new(), table());
    arrow::csv::Writer::new(create(bench.at("rows.csv")))
        .write(&table)
        .expect("CSV");
    arrow::json::LineDelimitedWriter::new(create(bench.at("rows.jsonl")))
        .write(&table)
        .expect("JSON lines");
    let mut parquet = ArrowWriter::try_new(create(bench.at("rows.parquet")), table.schema(), None)
        .expect("a Parquet file");
    parquet.write(&table).expect("rows");
    parquet.close().expect("an end");
    let forest = model("forest");
    let kinds = [
        ("rows.csv", CSV),
        ("rows.parquet", Reads::Parquet),
        ("rows.jsonl", Reads::JsonLines),
    ];
    for (data, reads) in kinds {
        bench.lay_out(&forest, data, reads, AS_CSV);
        bench.lay_out(&forest, data, reads, Writes::Parquet);
    }
    bench.run(&forest);

    let text = std::fs::read_to_string(bench.at("mlflow.json")).expect("MLflow's answer");
    let mlflow: Value = serde_json::from_str(&text).expect("JSON");
    let wanted: Vec<i64> = mlflow["predictions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|value| value.as_i64().expect("a class"))
        .collect();
    let given = std::fs::read_to_string(bench.at("rows.csv")).expect("the rows");
    for folder in &bench.folders {
        let Left::Output(summary) = scoring::left(folder).expect("words") else {
            panic!("{}: {:?}", folder.display(), scoring::left(folder));
        };
        assert_eq!(summary.rows, wanted.len() as u64);
        let csv = folder.join(AS_CSV.file());
        if csv.exists() {
            same_csv(&std::fs::read_to_string(csv).expect("CSV"), &given, &wanted);
        } else {
            same_parquet(&folder.join(Writes::Parquet.file()), &table, &wanted);
        }
    }
}

/// The lines of the data as they are, and behind each the prediction and the score of the second class.
fn same_csv(text: &str, given: &str, wanted: &[i64]) {
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), wanted.len() + 1);
    assert_eq!(
        lines[0],
        format!(
            "{},prediction,score",
            given.lines().next().expect("a header")
        )
    );
    let scores = truth("forest");
    for (at, (line, row)) in lines.iter().skip(1).zip(given.lines().skip(1)).enumerate() {
        let (rest, score) = line.rsplit_once(',').expect("a score");
        let (cells, prediction) = rest.rsplit_once(',').expect("a prediction");
        assert_eq!(prediction, wanted[at].to_string(), "row {at}");
        let score: f64 = score.parse().expect("a number");
        let truth = scores["scores"][at].as_f64().expect("a number");
        assert!(
            (score - truth).abs() < 1e-12,
            "row {at}: {score} and {truth}"
        );
        // A truth is written in another way by each program.
        assert_eq!(cells.to_lowercase(), row.to_lowercase(), "row {at}");
    }
}

fn same_parquet(path: &Path, table: &RecordBatch, wanted: &[i64]) {
    let file = std::fs::File::open(path).expect("Parquet");
    let reader = ParquetRecordBatchReaderBuilder::try_new(file)
        .and_then(|builder| builder.with_batch_size(wanted.len()).build())
        .expect("Parquet");
    let schema = reader.schema();
    for field in table.schema().fields() {
        let made = schema.field_with_name(field.name()).expect("every column");
        // CSV has no types: an id of digits becomes a number there.
        if field.name() != "id" {
            assert_eq!(made.data_type(), field.data_type(), "{}", field.name());
        }
    }
    let kind = schema.field_with_name("prediction").expect("a column");
    assert_eq!(kind.data_type(), &DataType::Int64);
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().expect("rows");
    let predictions: Vec<i64> = batches
        .iter()
        .flat_map(|batch| {
            let column = batch.column_by_name("prediction").expect("a column");
            let values = column.as_any().downcast_ref::<Int64Array>();
            values.expect("numbers").values().to_vec()
        })
        .collect();
    assert_eq!(predictions, wanted);
}

#[test]
fn what_a_model_cannot_take_is_one_sentence_and_nothing_is_made() {
    let mut bench = Bench::new();
    std::fs::write(bench.at("rows.csv"), "distance,hour\n700.5,17\n").expect("rows");
    let lightgbm = model("lightgbm");
    let cases = [
        (
            "word.csv",
            "distance,hour\n1,1\n2,noon\n",
            "column `hour` of word.csv holds `noon` in row 2, which is no whole number",
        ),
        (
            "half.csv",
            "distance,hour\n1,1.5\n",
            "column `hour` of half.csv holds `1.5` in row 1, which is no whole number",
        ),
        (
            "hole.csv",
            "distance,hour\n1,1\n2,\n",
            "column `hour` has no value in row 2, and the model takes whole numbers there",
        ),
        (
            "less.csv",
            "distance\n1\n",
            "less.csv has no column `hour`, which the model takes",
        ),
        ("none.csv", "distance,hour\n", "the data has no rows"),
        (
            "ragged.csv",
            "distance,hour\n1,1\n\"2,2\n",
            "ragged.csv cannot be read: ",
        ),
    ];
    for (name, text, _) in cases {
        std::fs::write(bench.at(name), text).expect("rows");
        bench.lay_out(&lightgbm, name, CSV, AS_CSV);
    }
    std::fs::write(bench.at("cut.parquet"), "PAR1").expect("rows");
    bench.lay_out(&lightgbm, "cut.parquet", Reads::Parquet, AS_CSV);
    std::fs::write(bench.at("list.jsonl"), "[1]\n").expect("rows");
    bench.lay_out(&lightgbm, "list.jsonl", Reads::JsonLines, AS_CSV);
    bench.run(&lightgbm);

    let sentences = cases.map(|(_, _, sentence)| sentence);
    let more = [
        "cut.parquet cannot be read: ",
        "list.jsonl cannot be read: line 1 is no object",
    ];
    for (folder, wanted) in bench.folders.iter().zip(sentences.into_iter().chain(more)) {
        let Left::Refused(refusal) = scoring::left(folder).expect("words") else {
            panic!("{wanted}: {:?}", scoring::left(folder));
        };
        assert!(refusal.message.starts_with(wanted), "{wanted}: {refusal:?}");
        assert!(
            !folder.join(AS_CSV.file()).exists(),
            "{wanted}: it is not whole"
        );
    }
}

#[test]
fn what_travels_is_what_the_folder_has_and_little_stays_of_it() {
    let mut bench = Bench::new();
    let lightgbm = model("lightgbm");
    std::fs::write(bench.at("rows.csv"), "distance,hour\n700.5,17\n").expect("rows");
    let folder = bench.lay_out(&lightgbm, "rows.csv", CSV, AS_CSV);
    let all = scoring::travelling(&folder).expect("a list");
    let of = |part: Part| all.iter().filter(move |file| file.part == part);
    assert_eq!(
        of(Part::Data)
            .map(|file| (file.path.as_str(), file.size))
            .collect::<Vec<_>>(),
        [("data/rows.csv", 23)]
    );
    assert!(
        of(Part::Model).any(|file| file.path == "model/MLmodel"),
        "{all:?}"
    );
    let scripts: Vec<&str> = of(Part::Script).map(|file| file.path.as_str()).collect();
    assert_eq!(
        scripts,
        [
            "lapwing_rows.py",
            "lapwing_worker.py",
            "order.json",
            "requirements.txt",
            "score.py"
        ]
    );

    bench.run(&lightgbm);
    scoring::clear(&folder).expect("it is cleared");
    let left: Vec<String> = scoring::travelling(&folder)
        .expect("a list")
        .into_iter()
        .map(|file| file.path)
        .collect();
    assert_eq!(left, ["made/summary.json"]);
    assert!(
        lightgbm.join("MLmodel").is_file(),
        "a link goes, the model stays"
    );
    assert!(bench.at("rows.csv").is_file(), "so does the data");
}
