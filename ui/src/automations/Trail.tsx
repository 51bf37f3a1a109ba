import {
  AlertTriangle,
  ArrowUpCircle,
  BellRing,
  type LucideIcon,
  RefreshCw,
  Rocket,
  Shield,
  Undo2,
} from "lucide-react";
import { useMemo } from "react";
import type { DecisionKind, DecisionRow } from "../api/generated";
import { duration, figure, when } from "../shared/format";
import { pathTo } from "../shared/place";
import { Empty } from "../shared/states";
import { State, Time, To } from "../shared/ui";
import { KIND, type Lap, laps, numbersOf } from "./laps";

const ICON: Record<DecisionKind, LucideIcon> = {
  triggered: BellRing,
  retrained: RefreshCw,
  promoted: ArrowUpCircle,
  kept: Shield,
  released: Rocket,
  rolled_back: Undo2,
  failed: AlertTriangle,
};

/** What was decided, when, on which numbers. */
export function Trail({ rows }: { rows: readonly DecisionRow[] }) {
  const found = useMemo(() => laps(rows), [rows]);
  if (found.length === 0)
    return (
      <Empty title="No decisions yet" cli="lapwing automations run NAME">
        Every trigger, retrain, promotion and release is written down here with its numbers.
      </Empty>
    );
  return (
    <ol className="laps">
      {found.map((lap) => (
        <OneLap key={lap.id} lap={lap} />
      ))}
    </ol>
  );
}

function OneLap({ lap }: { lap: Lap }) {
  return (
    <li className="lap">
      <div className="line wrap lap-head">
        <State tone={KIND[lap.outcome].tone}>{KIND[lap.outcome].word}</State>
        <span className="quiet">{lap.policy}</span>
        <span className="faint" title={`${when(lap.start)} to ${when(lap.end)}`}>
          <Time at={lap.end} />
          {lap.end > lap.start ? `, took ${duration(lap.end - lap.start)}` : ""}
        </span>
      </div>
      <ol className="entries">
        {lap.entries.map((entry) => (
          <Entry key={entry.id} entry={entry} />
        ))}
      </ol>
    </li>
  );
}

function Entry({ entry }: { entry: DecisionRow }) {
  const Icon = ICON[entry.kind];
  const numbers = numbersOf(entry);
  return (
    <li className="entry">
      <span className={`entry-icon state-${KIND[entry.kind].tone}`} title={KIND[entry.kind].word}>
        <Icon size={14} strokeWidth={1.8} aria-label={KIND[entry.kind].word} />
      </span>
      <div className="entry-text">
        <p>{entry.message}</p>
        <p className="line wrap entry-links">
          <span className="faint">
            <Time at={entry.at} />
          </span>
          {entry.run_id ? <To to={pathTo("runs", entry.run_id)}>Run {entry.run_id.slice(0, 8)}</To> : null}
          {entry.model ? <To to={modelPath(entry.model)}>Model {entry.model}</To> : null}
          {entry.deployment ? (
            <To to={pathTo("deployments", entry.deployment)}>Deployment {entry.deployment}</To>
          ) : null}
        </p>
      </div>
      {numbers.length > 0 ? (
        <dl className="entry-numbers">
          {numbers.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd title={value === null ? "not a number" : String(value)}>{figure(value)}</dd>
            </div>
          ))}
        </dl>
      ) : null}
    </li>
  );
}

/** `flight-delays`, `flight-delays/3` or `flight-delays v3` */
export function modelPath(model: string): string {
  const [, name = model, version] = /^(.*?)(?:\/|\s+v)(\d+)$/.exec(model) ?? [];
  return version === undefined ? pathTo("models", name) : pathTo("models", name, version);
}
