import type { RemoteHealth } from "../api/generated";
import { State } from "../shared/ui";

/** How the last try of a remote went: nothing is asked on the network before somebody presses Test. */
export function Health({ health }: { health: RemoteHealth | "asking" | undefined }) {
  if (health === undefined) return <State tone="idle">not tried</State>;
  if (health === "asking") return <State tone="running">trying…</State>;
  if (health.problem) {
    const { message, hint } = health.problem;
    return (
      <span title={hint ?? undefined}>
        <State tone="failed">{message}</State>
      </span>
    );
  }
  const user = health.user ? `, as ${health.user}` : "";
  return <State tone="good">{`${health.server ?? "works"}${user}, ${health.millis} ms`}</State>;
}
