import { X } from "lucide-react";
import type { RemoteHealth, Report } from "../api/generated";
import { Prose } from "../shared/states";
import { IconButton, State, StateMark } from "../shared/ui";
import "./remotes.css";

/** How the last try of a remote went: nothing is asked on the network before somebody presses Test. */
export function Health({
  health,
  onOpen,
}: {
  health: RemoteHealth | "asking" | undefined;
  /** Shows the whole of a failure. */
  onOpen: (problem: Report) => void;
}) {
  if (health === undefined) return <State tone="idle">not tried</State>;
  if (health === "asking") return <State tone="running">trying…</State>;
  if (health.problem) {
    const { problem } = health;
    return (
      <button type="button" className="health-open" title={problem.message} onClick={() => onOpen(problem)}>
        <State tone="failed">{problem.message}</State>
      </button>
    );
  }
  const user = health.user ? `, as ${health.user}` : "";
  const words = `${health.server ?? "works"}${user}, ${health.millis} ms`;
  return (
    <span title={words}>
      <State tone="good">{words}</State>
    </span>
  );
}

/** The whole of what failed and what to do about it: a cell of the table has no room for it. */
export function Problem({ name, problem, onClose }: { name: string; problem: Report; onClose: () => void }) {
  return (
    <div className="remote-problem" role="alert">
      <StateMark tone="failed" />
      <div className="grow">
        <p>
          <strong>{name}</strong>: {problem.message}
        </p>
        {problem.hint ? (
          <p className="quiet">
            <Prose text={problem.hint} />
          </p>
        ) : null}
      </div>
      <IconButton label="Close" icon={X} onClick={onClose} />
    </div>
  );
}
