// The try-it form as plain functions: one text per column, and the record that is sent.
import type { SignatureColumn } from "../api/generated";

export type Texts = Record<string, string>;

const WHOLE = new Set(["integer", "long", "int32", "int64"]);
const REAL = new Set(["double", "float", "float32", "float64"]);
const BOOL = new Set(["boolean", "bool"]);

export type FieldKind = "whole" | "real" | "bool" | "text" | "json";

export function fieldKind(kind: string): FieldKind {
  const plain = kind.toLowerCase();
  if (WHOLE.has(plain)) return "whole";
  if (REAL.has(plain)) return "real";
  if (BOOL.has(plain)) return "bool";
  return ["string", "datetime", "binary", "date", "timestamp"].includes(plain) ? "text" : "json";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The example may be a row or a list with one. */
export function firstRow(example: unknown): Record<string, unknown> {
  const row = Array.isArray(example) ? example[0] : example;
  return isRecord(row) ? row : {};
}

/** Without a signature, the example's own columns. */
export function columnsFor(inputs: readonly SignatureColumn[], example: unknown): readonly SignatureColumn[] {
  if (inputs.length > 0) return inputs;
  return Object.entries(firstRow(example)).map(([name, value]) => ({
    name,
    kind:
      typeof value === "number"
        ? "double"
        : typeof value === "boolean"
          ? "boolean"
          : typeof value === "string"
            ? "string"
            : "object",
    required: false,
  }));
}

export function prefilled(columns: readonly SignatureColumn[], example: unknown): Texts {
  const row = firstRow(example);
  return Object.fromEntries(
    columns.map(({ name }) => {
      const value = row[name];
      const text =
        value === undefined || value === null
          ? ""
          : typeof value === "string"
            ? value
            : JSON.stringify(value);
      return [name, text];
    }),
  );
}

/** Why a text cannot be sent for its column; `null` when it can. */
export function fault({ kind, required }: SignatureColumn, text: string): string | null {
  const trimmed = text.trim();
  const field = fieldKind(kind);
  if (trimmed === "") return required && field !== "text" ? "needs a value" : null;
  if (field === "whole") return /^[+-]?\d+$/.test(trimmed) ? null : "a whole number";
  if (field === "real") return Number.isFinite(Number(trimmed)) ? null : "a number";
  if (field === "json") {
    try {
      JSON.parse(trimmed);
    } catch {
      return "JSON";
    }
  }
  return null;
}

/** What goes over the wire; an empty optional column is `null`. */
export function recordOf(columns: readonly SignatureColumn[], texts: Texts): Record<string, unknown> {
  return Object.fromEntries(
    columns.map(({ name, kind, required }) => {
      const text = texts[name] ?? "";
      const trimmed = text.trim();
      const field = fieldKind(kind);
      if (trimmed === "") return [name, field === "text" && required ? text : null];
      if (field === "whole" || field === "real") return [name, Number(trimmed)];
      if (field === "bool") return [name, trimmed === "true"];
      if (field === "json") return [name, JSON.parse(trimmed)];
      return [name, text];
    }),
  );
}

export interface Said {
  prediction: string | null;
  score: number | null;
  id: string | null;
  /** The server's own sentence when it refused. */
  error: string | null;
}

function first(value: unknown): unknown {
  return Array.isArray(value) ? value[0] : value;
}

function print(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

function numberIn(value: unknown): number | null {
  if (typeof value === "number") return value;
  if (Array.isArray(value)) {
    const numbers = value.filter((one): one is number => typeof one === "number");
    return numbers.length > 0 ? Math.max(...numbers) : null;
  }
  return null;
}

/** Reads a scoring server's answer, MLflow's or Lapwing's, as far as it has the parts. */
export function read(body: unknown): Said {
  const nothing: Said = { prediction: null, score: null, id: null, error: null };
  if (!isRecord(body)) return { ...nothing, prediction: print(first(body)) };
  const error = body.message ?? body.error ?? body.detail;
  const answer = first(body.predictions);
  const row = isRecord(answer) ? answer : null;
  return {
    prediction: print(row ? (row.prediction ?? row.label ?? row) : answer),
    score: numberIn(first(body.scores) ?? first(body.probabilities) ?? row?.score),
    id: print(first(body.prediction_ids) ?? body.prediction_id ?? row?.prediction_id),
    error: answer === undefined ? print(error) : null,
  };
}
