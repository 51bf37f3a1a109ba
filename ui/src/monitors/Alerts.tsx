import { Check } from "lucide-react";
import { useAction } from "../api/client";
import type { AlertRow } from "../api/generated";
import { Button, StateMark, Tag, Time } from "../shared/ui";

/** Open ones first; what was seen or has passed stays readable below them. */
export function Alerts({ alerts }: { alerts: readonly AlertRow[] }) {
  const acknowledge = useAction("alerts.acknowledge", { done: "Acknowledged" });
  const rank = (row: AlertRow) => (row.resolved !== null ? 2 : row.acknowledged ? 1 : 0);
  const sorted = [...alerts].sort((a, b) => rank(a) - rank(b) || b.at - a.at);
  return (
    <ul className="alerts" aria-label="Alerts">
      {sorted.map((alert) => (
        <li key={alert.id}>
          <StateMark tone={rank(alert) > 0 ? "idle" : alert.kind === "performance" ? "failed" : "stale"} />
          <span className={rank(alert) > 0 ? "grow quiet" : "grow"}>{alert.message}</span>
          <Tag>{alert.kind}</Tag>
          <span className="faint">
            <Time at={alert.at} />
          </span>
          {alert.resolved !== null ? (
            <span className="faint">
              resolved <Time at={alert.resolved} />
            </span>
          ) : alert.acknowledged ? (
            <span className="faint">acknowledged</span>
          ) : (
            <Button
              icon={Check}
              busy={acknowledge.isPending && acknowledge.variables?.id === alert.id}
              onClick={() => acknowledge.mutate({ id: alert.id })}
            >
              Acknowledge
            </Button>
          )}
        </li>
      ))}
    </ul>
  );
}
