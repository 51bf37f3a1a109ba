import type { TrialRow } from "../api/generated";
import { plural } from "../shared/format";
import { pathTo } from "../shared/place";
import { Prose } from "../shared/states";
import { To } from "../shared/ui";
import { doingOf, failuresOf } from "./sweep";

/** So many trials of one reason are linked. */
const MOST_LINKED = 8;
/** So many things that are done at the same time are told. */
const MOST_DOING = 3;

/** Why trials failed, in full: a row of the table has room for the beginning only. */
export function TrialFailures({ trials }: { trials: readonly TrialRow[] }) {
  const failures = failuresOf(trials);
  if (failures.length === 0) return null;
  return (
    <ul className="trial-failures" aria-label="Why trials failed">
      {failures.map(({ text, trials: same }) => (
        <li key={text}>
          <span className="state-failed">
            <Prose text={text} />
          </span>
          <span className="line wrap quiet">
            {same.length === 1 ? "Log of trial" : `Logs of ${plural(same.length, "trial")}:`}
            {same.slice(0, MOST_LINKED).flatMap(({ number, run_id }) =>
              run_id === null
                ? []
                : [
                    <To key={number} to={`${pathTo("runs", run_id)}?tab=log`}>
                      {String(number)}
                    </To>,
                  ],
            )}
            {same.length > MOST_LINKED ? "…" : null}
          </span>
        </li>
      ))}
    </ul>
  );
}

/** What is done for the trials that go on, before and while their stages run. */
export function TrialsDoing({ trials }: { trials: readonly TrialRow[] }) {
  return doingOf(trials)
    .slice(0, MOST_DOING)
    .map(({ text, trials: same }) => (
      <p key={same[0]?.number} role="status" className="trial-doing">
        {same.length === 1 ? `Trial ${same[0]?.number}: ` : `${plural(same.length, "trial")}: `}
        <Prose text={text} />
      </p>
    ));
}
