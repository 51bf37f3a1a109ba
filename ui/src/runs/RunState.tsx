import type { RunRow } from "../api/generated";
import { State } from "../shared/ui";
import { RUN } from "../shared/words";

/** One word for how a run is; why it waits is in the title. */
export function RunState({ row }: { row: RunRow }) {
  if (row.waits !== null) {
    return (
      <span title={row.waits}>
        <State tone="stale">waiting</State>
      </span>
    );
  }
  return <State tone={RUN[row.status].tone}>{RUN[row.status].word}</State>;
}
