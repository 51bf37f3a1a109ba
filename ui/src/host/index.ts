// What the interface knows of its host: the desktop window, a browser over HTTP, or made-up data while developing.
import type { Change, Commands, Report } from "../api/generated";

export type CommandName = keyof Commands;

export interface Host {
  readonly kind: "tauri" | "http" | "mock";
  rpc(name: string, input: unknown): Promise<unknown>;
  onChanges(callback: (changes: Change[]) => void): () => void;
  pickFolder(title: string): Promise<string | null>;
  /** An absolute path. `null` when cancelled; hosts without a picker ask for the path as text. */
  pickFile(title: string): Promise<string | null>;
  openExternal(url: string): Promise<void>;
  notify(title: string, body: string): Promise<void>;
  /** Shows a file or folder in the file manager. */
  reveal(path: string): Promise<void>;
  reportError(text: string): void;
}

export class ReportError extends Error {
  constructor(readonly report: Report) {
    super(report.message);
    this.name = "ReportError";
  }
}

export function isReport(value: unknown): value is Report {
  return (
    typeof value === "object" && value !== null && "message" in value && "code" in value && "name" in value
  );
}

/** Whatever was thrown, as something with a sentence and a hint. */
export function toReport(thrown: unknown): Report {
  if (thrown instanceof ReportError) return thrown.report;
  if (isReport(thrown)) return thrown;
  const message =
    thrown instanceof Error ? thrown.message : typeof thrown === "string" ? thrown : "Something went wrong";
  return { code: "internal", name: "ui.unexpected", message, hint: null };
}

async function choose(): Promise<Host> {
  if ("__TAURI_INTERNALS__" in window) return (await import("./tauri")).tauriHost();
  // Statically false in a production build, so the made-up data is not in the bundle.
  if (import.meta.env.DEV && new URLSearchParams(location.search).has("mock"))
    return (await import("./mock")).mockHost();
  return (await import("./http")).httpHost();
}

let current: Host | null = null;

export async function connect(): Promise<Host> {
  current ??= await choose();
  return current;
}

export function useThisHost(given: Host): void {
  current = given;
}

export function host(): Host {
  if (!current) throw new Error("the host is asked before it is connected");
  return current;
}
