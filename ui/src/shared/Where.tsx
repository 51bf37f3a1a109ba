import type { ReactNode } from "react";
import { useCommand } from "../api/client";
import type { RemoteKind, RemoteRow, Status } from "../api/generated";
import { bytes, plural } from "./format";
import "./where.css";

/** Where a command runs: here, in Docker here, or on a machine elsewhere. */
export type Place = { target: "process" | "docker"; on: string | null };

const RUNS: readonly RemoteKind[] = ["ssh", "docker", "slurm", "kubernetes", "ray"];

/** The remotes that run commands. */
export function machines(remotes: readonly RemoteRow[]): RemoteRow[] {
  return remotes.filter((row) => row.supported && RUNS.includes(row.kind));
}

export function Where({
  project,
  label,
  status,
  place,
  onChange,
  children,
}: {
  project: string | null;
  label: string;
  status: Status | undefined;
  place: Place;
  onChange: (place: Place) => void;
  /** What would travel, when it runs elsewhere. */
  children: ReactNode;
}) {
  const remotes = useCommand("remotes.list", { project });
  const there = machines(remotes.data ?? []);
  const value = place.on === null ? place.target : `on:${place.on}`;
  const choose = (chosen: string) =>
    onChange(
      chosen.startsWith("on:")
        ? { target: "process", on: chosen.slice(3) }
        : { target: chosen === "docker" ? "docker" : "process", on: null },
    );
  return (
    <fieldset className="plain-set">
      <legend>Where</legend>
      <select
        className="input"
        aria-label={label}
        value={value}
        onChange={(event) => choose(event.target.value)}
      >
        <option value="process">This machine</option>
        <option value="docker">Docker on this machine</option>
        {there.map((row) => (
          <option key={row.name} value={`on:${row.name}`}>{`${row.name} (${row.url})`}</option>
        ))}
      </select>
      {value === "docker" && status?.docker === false ? (
        <p className="state-stale">Docker is not reachable.</p>
      ) : null}
      {place.on === null ? null : children}
    </fieldset>
  );
}

/** The files that would travel, before any does. */
export function Travelling({
  files,
  total,
  missing = [],
  stays = [],
}: {
  files: readonly { path: string; size: number | null }[];
  total: number | null;
  missing?: readonly string[];
  stays?: readonly string[];
}) {
  return (
    <details>
      <summary>{`${plural(files.length, "file")} travel, ${bytes(total)} in all; what is there already is not sent again`}</summary>
      <ul className="upload-list mono">
        {missing.map((path) => (
          <li key={path} className="state-stale">{`${path} is not here yet`}</li>
        ))}
        {files.map((file) => (
          <li key={file.path}>
            <span className="cut" title={file.path}>
              {file.path}
            </span>
            <span className="faint">{bytes(file.size)}</span>
          </li>
        ))}
        {stays.map((path) => (
          <li key={path} className="faint">{`${path} stays here`}</li>
        ))}
      </ul>
    </details>
  );
}
