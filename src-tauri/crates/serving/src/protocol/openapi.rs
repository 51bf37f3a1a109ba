//! `/openapi.json` and `/docs`, made from the model's signature.

use serde_json::{Map, Value, json};

use crate::signature::{ColumnType, Inputs};
use crate::{Column, ModelFolder};

const PAGE: &str = include_str!("docs.html");

fn column_schema(column: &Column) -> Value {
    let mut schema = match column.kind {
        ColumnType::Boolean => json!({ "type": "boolean" }),
        ColumnType::Integer => json!({ "type": "integer", "format": "int32" }),
        ColumnType::Long => json!({ "type": "integer", "format": "int64" }),
        ColumnType::Float => json!({ "type": ["number", "null"], "format": "float" }),
        ColumnType::Double => json!({ "type": ["number", "null"], "format": "double" }),
        ColumnType::String => json!({ "type": ["string", "null"] }),
        ColumnType::Binary => json!({ "type": "string", "contentEncoding": "base64" }),
        ColumnType::Datetime => json!({ "type": "string", "format": "date-time" }),
        ColumnType::Nested => json!({}),
    };
    schema["title"] = Value::from(column.name.as_str());
    schema
}

/// The OpenAPI document of one deployment.
pub(crate) fn document(name: &str, version: &str, model: &ModelFolder) -> Value {
    let example = example(model);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": name,
            "version": version,
            "description": "MLflow scoring protocol at /invocations, Open Inference Protocol v2 at /v2.",
        },
        "paths": {
            "/invocations": { "post": {
                "summary": "Predict",
                "operationId": "invocations",
                "requestBody": { "required": true, "content": {
                    "application/json": { "schema": { "$ref": "#/components/schemas/Invocation" }, "example": example },
                    "text/csv": { "schema": { "type": "string" } },
                    "application/vnd.apache.parquet": { "schema": { "type": "string", "format": "binary" } },
                } },
                "responses": {
                    "200": answer("predictions, one for each row", "Answer"),
                    "400": answer("the request is wrong; the message names the column", "Error"),
                    "415": answer("the content type is not supported", "Error"),
                    "429": answer("too many requests are waiting", "Error"),
                    "504": answer("the model did not answer in time", "Error"),
                },
            } },
            "/ping": { "get": { "summary": "Whether it serves", "responses": { "200": { "description": "it does" } } } },
            "/version": { "get": { "summary": "The server's version", "responses": { "200": { "description": "text" } } } },
            "/metrics": { "get": { "summary": "Prometheus metrics", "responses": { "200": { "description": "text" } } } },
            format!("/v2/models/{name}"): { "get": { "summary": "Inputs and outputs", "responses": { "200": { "description": "metadata" } } } },
            format!("/v2/models/{name}/infer"): { "post": {
                "summary": "Predict (Open Inference Protocol v2)",
                "requestBody": { "required": true, "content": { "application/json": { "schema": { "type": "object" } } } },
                "responses": { "200": { "description": "outputs" }, "400": { "description": "{\"error\": …}" } },
            } },
        },
        "components": { "schemas": schemas(model) },
    })
}

fn answer(description: &str, schema: &str) -> Value {
    json!({
        "description": description,
        "content": { "application/json": { "schema": { "$ref": format!("#/components/schemas/{schema}") } } },
    })
}

fn schemas(model: &ModelFolder) -> Value {
    let columns = model.signature.inputs.columns();
    let properties: Map<String, Value> = columns
        .iter()
        .map(|column| (column.name.clone(), column_schema(column)))
        .collect();
    let required: Vec<&str> = columns
        .iter()
        .filter(|column| column.required)
        .map(|column| column.name.as_str())
        .collect();
    let tensors = match &model.signature.inputs {
        Inputs::Tensors(tensors) => json!(tensors),
        Inputs::Columns(_) | Inputs::Unknown => Value::Null,
    };
    json!({
        "Row": { "type": "object", "properties": properties, "required": required },
        "Invocation": { "oneOf": [
            { "type": "object", "required": ["dataframe_split"], "properties": { "dataframe_split": {
                "type": "object",
                "required": ["columns", "data"],
                "properties": {
                    "columns": { "type": "array", "items": { "type": "string" } },
                    "data": { "type": "array", "items": { "type": "array" } },
                },
            } } },
            { "type": "object", "required": ["dataframe_records"], "properties": { "dataframe_records": {
                "type": "array", "items": { "$ref": "#/components/schemas/Row" },
            } } },
            { "type": "object", "required": ["instances"], "properties": { "instances": { "description": tensors } } },
            { "type": "object", "required": ["inputs"], "properties": { "inputs": { "description": tensors } } },
        ] },
        "Answer": { "type": "object", "required": ["predictions"], "properties": {
            "predictions": { "description": "what MLflow's `predict` gives for each row" },
            "scores": {
                "type": "array", "items": { "type": "number" },
                "description": "of classifiers: the probability of the second class, or of the predicted one when there are more than two",
            },
            "prediction_ids": { "type": "array", "items": { "type": "string" }, "description": "for labels that arrive later" },
        } },
        "Error": { "type": "object", "properties": {
            "error_code": { "type": "string" }, "message": { "type": "string" },
        } },
    })
}

/// A body that the model accepts.
fn example(model: &ModelFolder) -> Value {
    let row = model.example_row().map(Value::Object);
    match row {
        Some(row) => json!({ "dataframe_records": [row] }),
        None => model
            .serving_example
            .clone()
            .unwrap_or_else(|| json!({ "dataframe_records": [{}] })),
    }
}

/// A page that needs nothing from elsewhere: the columns, a form to try, and the call for a shell.
pub(crate) fn page(name: &str, model_name: &str, version: &str, model: &ModelFolder) -> String {
    let rows: String = model
        .signature
        .inputs
        .columns()
        .iter()
        .map(|column| {
            let required = if column.required {
                "required"
            } else {
                "optional"
            };
            format!(
                "<tr><td><code>{}</code><td>{}<td>{required}\n",
                escape(&column.name),
                column.kind.as_str()
            )
        })
        .collect();
    let example = serde_json::to_string_pretty(&example(model)).unwrap_or_default();
    // One pass: a value that looks like a placeholder stays what it is.
    PAGE.split("{{")
        .enumerate()
        .map(|(index, part)| match part.split_once("}}") {
            Some((key, rest)) if index > 0 => {
                let value = match key {
                    "name" => escape(name),
                    "model" => escape(model_name),
                    "version" => escape(version),
                    "columns" => rows.clone(),
                    "example" => escape(&example),
                    _ => String::new(),
                };
                value + rest
            }
            _ => part.to_owned(),
        })
        .collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
