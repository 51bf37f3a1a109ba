//! Searching runs: conditions and orders as data, compiled to SQL with bound values.

use rusqlite::types::Value;

use crate::runs::{self, Run, RunData};
use crate::{Result, Store};

/// What a condition or an order looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    Metric(String),
    Param(String),
    Tag(String),
    Attribute(Attribute),
    /// `name`, `digest` or a tag (`context`) of a data set.
    Dataset(DatasetField),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attribute {
    RunId,
    RunName,
    Status,
    User,
    Start,
    End,
    ArtifactUri,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatasetField {
    Name,
    Digest,
    Context,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Equal(Operand),
    NotEqual(Operand),
    Greater(Operand),
    GreaterOrEqual(Operand),
    Less(Operand),
    LessOrEqual(Operand),
    Like(String),
    ILike(String),
    In(Vec<String>),
    NotIn(Vec<String>),
    IsNull,
    IsNotNull,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    Text(String),
    Number(f64),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    pub field: Field,
    pub test: Test,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Ascending,
    Descending,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum View {
    #[default]
    Active,
    Deleted,
    All,
}

#[derive(Debug, Clone, Default)]
pub struct Query {
    /// None means all.
    pub experiments: Option<Vec<i64>>,
    pub conditions: Vec<Condition>,
    pub order: Vec<(Field, Direction)>,
    pub view: View,
    pub offset: u64,
    pub limit: u32,
}

/// The runs that a query finds, in its order; then by start, newest first, then by id.
///
/// # Errors
/// When the database cannot be read.
pub fn runs(store: &Store, query: &Query) -> Result<Vec<(Run, RunData)>> {
    let mut values = Vec::new();
    let mut sql = format!("{} WHERE 1", runs::SELECT);
    if let Some(experiments) = &query.experiments {
        let ids: Vec<String> = experiments.iter().map(i64::to_string).collect();
        sql.push_str(&format!(" AND r.experiment_id IN ({})", ids.join(", ")));
    }
    sql.push_str(match query.view {
        View::Active => " AND r.lifecycle = 'active'",
        View::Deleted => " AND r.lifecycle = 'deleted'",
        View::All => "",
    });
    for condition in &query.conditions {
        sql.push_str(" AND ");
        push_condition(&mut sql, &mut values, condition);
    }
    sql.push_str(" ORDER BY ");
    for (field, direction) in &query.order {
        let expression = expression(field, &mut values);
        let again = repeat(field, &mut values);
        let word = if *direction == Direction::Descending {
            "DESC"
        } else {
            "ASC"
        };
        // Runs that lack the key come last either way.
        sql.push_str(&format!("({expression}) IS NULL, ({again}) {word}, "));
    }
    sql.push_str("r.start DESC, r.id LIMIT ? OFFSET ?");
    values.push(Value::from(i64::from(query.limit)));
    values.push(Value::from(i64::try_from(query.offset).unwrap_or(i64::MAX)));
    store.read(|connection| {
        let mut statement = connection.prepare_cached(&sql)?;
        let found: Vec<Run> = statement
            .query_map(rusqlite::params_from_iter(values), runs::read)?
            .collect::<rusqlite::Result<_>>()?;
        found
            .into_iter()
            .map(|run| Ok((run.clone(), runs::data_of(connection, &run.id)?)))
            .collect()
    })
}

/// An SQL expression for the field's value, its key bound.
fn expression(field: &Field, values: &mut Vec<Value>) -> String {
    let mut bound = |sql: &str, key: &str| {
        values.push(Value::from(key.to_owned()));
        sql.to_owned()
    };
    match field {
        Field::Metric(key) => bound(
            "SELECT value FROM latest_metrics x WHERE x.run_id = r.id AND x.key = ?",
            key,
        ),
        Field::Param(key) => bound(
            "SELECT value FROM params x WHERE x.run_id = r.id AND x.key = ?",
            key,
        ),
        Field::Tag(key) => bound(
            "SELECT value FROM tags x WHERE x.run_id = r.id AND x.key = ?",
            key,
        ),
        Field::Attribute(attribute) => attribute_column(*attribute).to_owned(),
        Field::Dataset(field) => format!(
            "SELECT {} FROM inputs x WHERE x.run_id = r.id",
            dataset_column(*field)
        ),
    }
}

/// The same expression once more, for its second place in an order.
fn repeat(field: &Field, values: &mut Vec<Value>) -> String {
    expression(field, values)
}

fn attribute_column(attribute: Attribute) -> &'static str {
    match attribute {
        Attribute::RunId => "r.id",
        Attribute::RunName => "r.name",
        Attribute::Status => "r.status",
        Attribute::User => "r.user",
        Attribute::Start => "r.start",
        Attribute::End => "r.\"end\"",
        Attribute::ArtifactUri => {
            "'mlflow-artifacts:/' || r.experiment_id || '/' || r.id || '/artifacts'"
        }
    }
}

fn dataset_column(field: DatasetField) -> &'static str {
    match field {
        DatasetField::Name => "x.name",
        DatasetField::Digest => "x.digest",
        DatasetField::Context => {
            "(SELECT json_extract(t.value, '$.value') FROM json_each(x.tags) t
              WHERE json_extract(t.value, '$.key') = 'mlflow.data.context')"
        }
    }
}

fn push_condition(sql: &mut String, values: &mut Vec<Value>, condition: &Condition) {
    // A data set condition holds when any of the run's data sets fits.
    if let Field::Dataset(field) = &condition.field {
        let negated = matches!(condition.test, Test::IsNull);
        sql.push_str(if negated { "NOT EXISTS" } else { "EXISTS" });
        sql.push_str(" (SELECT 1 FROM inputs x WHERE x.run_id = r.id AND ");
        let test = if negated {
            Test::IsNotNull
        } else {
            condition.test.clone()
        };
        push_test(sql, values, dataset_column(*field), &test);
        sql.push(')');
        return;
    }
    let expression = expression(&condition.field, values);
    push_test(sql, values, &format!("({expression})"), &condition.test);
}

fn push_test(sql: &mut String, values: &mut Vec<Value>, left: &str, test: &Test) {
    let mut compare = |sql: &mut String, operator: &str, operand: &Operand| {
        values.push(match operand {
            Operand::Text(text) => Value::from(text.clone()),
            Operand::Number(number) => Value::from(*number),
        });
        sql.push_str(&format!("{left} {operator} ?"));
    };
    match test {
        Test::Equal(operand) => compare(sql, "=", operand),
        Test::NotEqual(operand) => compare(sql, "!=", operand),
        Test::Greater(operand) => compare(sql, ">", operand),
        Test::GreaterOrEqual(operand) => compare(sql, ">=", operand),
        Test::Less(operand) => compare(sql, "<", operand),
        Test::LessOrEqual(operand) => compare(sql, "<=", operand),
        Test::Like(pattern) => compare(sql, "LIKE", &Operand::Text(pattern.clone())),
        Test::ILike(pattern) => {
            values.push(Value::from(pattern.to_lowercase()));
            sql.push_str(&format!("lower({left}) LIKE ?"));
        }
        Test::In(list) | Test::NotIn(list) => {
            let marks = vec!["?"; list.len()].join(", ");
            let not = if matches!(test, Test::NotIn(_)) {
                "NOT "
            } else {
                ""
            };
            values.extend(list.iter().cloned().map(Value::from));
            sql.push_str(&format!("{left} {not}IN ({marks})"));
        }
        Test::IsNull => sql.push_str(&format!("{left} IS NULL")),
        Test::IsNotNull => sql.push_str(&format!("{left} IS NOT NULL")),
    }
}
