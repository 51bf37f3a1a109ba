import type { RunDetail, StartSweep, SweepView } from "../api/generated";
import { Facts, Section } from "../shared/ui";
import { Pairs, RunFacts } from "./RunOverview";
import { assigned } from "./sweep";

function goalWords({ goal }: StartSweep): string {
  return goal ? `${goal.metric}, ${goal.better === "higher" ? "more" : "less"} is better` : "none";
}

function searchWords({ random, seed }: StartSweep): string {
  return random === null ? "every combination" : `drawn at random, seed ${seed ?? 0}`;
}

function placeWords({ on, target }: StartSweep): string {
  return on ?? (target === "docker" ? "Docker on this machine" : "this machine, or where a stage says");
}

/** What a sweep was asked for. */
export function SweepOverview({ view, detail }: { view: SweepView; detail: RunDetail }) {
  const { asked } = view;
  return (
    <div className="run-overview">
      <div className="stack">
        <RunFacts detail={detail} />
        <Section title="Sweep">
          <Facts
            rows={[
              ["Goal", goalWords(asked)],
              ["Trials", `${view.trials.length}, ${searchWords(asked)}`],
              ["At a time", String(view.at_once)],
              ["Stages", asked.stages.length > 0 ? asked.stages.join(", ") : "the whole pipeline"],
              ["Where", placeWords(asked)],
            ]}
          />
        </Section>
      </div>
      <div className="stack">
        <Pairs title="Values tried" values={asked.values.map(assigned)} empty="None" />
        <Pairs title="Tags" values={Object.entries(detail.tags)} empty="None" />
      </div>
    </div>
  );
}
