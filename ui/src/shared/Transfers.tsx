import { Square } from "lucide-react";
import { toast } from "sonner";
import { showFailure, useAction, useCommand } from "../api/client";
import type { Direction, Report, TransferRow } from "../api/generated";
import { bytes, plural } from "./format";
import { Button, StateMark } from "./ui";
import "./transfers.css";

/** Milliseconds between two looks while something moves. */
const EVERY = 400;

/** Somebody asked for a stop: that is no failure. */
function ended(report: Report, direction: Direction): void {
  if (report.name === "remote.stopped") toast(`Stopped. The next ${direction} goes on from there.`);
  else showFailure(report);
}

export function usePush() {
  return useAction("data.push", {
    done: (to) =>
      `Pushed ${plural(to.files, "file")} (${bytes(to.bytes)}) to ${to.remote}, ${plural(to.skipped, "file")} already there${to.unpushed_commits > 0 ? `. ${plural(to.unpushed_commits, "commit")} that name data are only here: push them on the overview.` : ""}`,
    onFailure: (report) => ended(report, "push"),
  });
}

export function usePull() {
  return useAction("data.pull", {
    done: (from) => `Pulled ${plural(from.files, "file")} (${bytes(from.bytes)}) from ${from.remote}`,
    onFailure: (report) => ended(report, "pull"),
  });
}

/** Percent that is done. `null` while nobody knows how much there is. */
export function share({ done, total }: Pick<TransferRow, "done" | "total">): number | null {
  // What is sent a second time after a cut counts twice.
  return total > 0 ? Math.min(100, Math.round((100 * done) / total)) : null;
}

/** Where it goes to or comes from. */
function title({ direction, remote }: TransferRow): string {
  if (direction === "push") return `Push to ${remote ?? "the default remote"}`;
  return `Pull from ${remote ?? "the default remote"}`;
}

/** The pushes and pulls of a project that go on, each with its Stop. */
export function Transfers({ project }: { project: string }) {
  const going = useCommand(
    "transfers.list",
    { project },
    { enabled: project !== "", every: (rows) => (rows?.length ? EVERY : false), staleTime: 0 },
  );
  const stop = useAction("transfers.stop");
  if (!going.data?.length) return null;
  return (
    <ul className="transfers" aria-label="Transfers">
      {going.data.map((row) => (
        <Transfer key={row.id} row={row} onStop={() => stop.mutate({ id: row.id })} />
      ))}
    </ul>
  );
}

function Transfer({ row, onStop }: { row: TransferRow; onStop: () => void }) {
  const percent = share(row);
  const word = row.stopping ? "Stopping…" : "Stop";
  const amount = percent === null ? null : `${bytes(row.done)} of ${bytes(row.total)}`;
  return (
    <li className="transfer">
      <span className="line">
        <StateMark tone="running" />
        <span className="cut">{title(row)}</span>
      </span>
      <div
        className="transfer-bar"
        role="progressbar"
        aria-label={title(row)}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={percent ?? undefined}
        aria-valuetext={amount ? `${amount}, ${row.what}` : row.what}
      >
        <div style={{ width: `${percent ?? 0}%` }} />
      </div>
      <span className="quiet cut">
        {row.what}
        {amount ? `, ${amount}` : ""}
      </span>
      <Button
        kind="ghost"
        icon={Square}
        disabled={row.stopping}
        aria-label={`${word}: ${title(row)}`}
        onClick={onStop}
      >
        {word}
      </Button>
    </li>
  );
}
