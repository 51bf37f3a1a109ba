import type { RemoteHealth } from "../api/generated";
import { State } from "../shared/ui";

/** How the last try of a remote went: nothing is asked on the network before somebody presses Test. */
export function Health({ health }: { health: RemoteHealth | "asking" | undefined }) {
  if (health === undefined) return <State tone="idle">not tried</State>;
  if (health === "asking") return <State tone="running">trying…</State>;
  if (health.problem) {
    const { message, hint } = health.problem;
    return (
      <span title={hint ? `${message}\n${hint}` : message}>
        <State tone="failed">{message}</State>
      </span>
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
