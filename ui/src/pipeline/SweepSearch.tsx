import type { Better } from "../api/generated";
import { Suggest } from "../shared/Suggest";
import { type Draft, type Fault, likelyBetter } from "./sweep";

export interface FormPart {
  draft: Draft;
  fault: Fault | null;
  onChange: (change: Partial<Draft>) => void;
}

function NumberField({
  label,
  value,
  placeholder,
  fault,
  onChange,
}: {
  label: string;
  value: string;
  placeholder?: string;
  fault: string | null;
  onChange: (value: string) => void;
}) {
  return (
    <label className="sweep-number">
      <span>{label}</span>
      <input
        className="input num"
        inputMode="numeric"
        aria-invalid={fault !== null || undefined}
        placeholder={placeholder}
        value={value}
        onChange={(event) => onChange(event.target.value)}
      />
      {fault ? <span className="field-hint state-failed">{fault}</span> : null}
    </label>
  );
}

/** Every combination, or some of them; and how many go on at the same time. */
export function SweepSearch({ draft, fault, onChange, atOnce }: FormPart & { atOnce: number | null }) {
  const said = (at: Fault["at"]) => (fault?.at === at ? fault.text : null);
  return (
    <fieldset className="plain-set">
      <legend>Trials</legend>
      <div className="segments" role="group" aria-label="Which trials">
        {(["every", "random"] as const).map((search) => (
          <button
            key={search}
            type="button"
            aria-pressed={draft.search === search}
            onClick={() => onChange({ search })}
          >
            {search === "every" ? "Every combination" : "So many at random"}
          </button>
        ))}
      </div>
      <div className="sweep-numbers">
        {draft.search === "random" ? (
          <>
            <NumberField
              label="How many"
              value={draft.count}
              fault={said("count")}
              onChange={(count) => onChange({ count })}
            />
            <NumberField
              label="Seed"
              value={draft.seed}
              placeholder="0"
              fault={said("seed")}
              onChange={(seed) => onChange({ seed })}
            />
          </>
        ) : null}
        <NumberField
          label="At a time"
          value={draft.atOnce}
          placeholder={atOnce === null ? "" : String(atOnce)}
          fault={said("atOnce")}
          onChange={(next) => onChange({ atOnce: next })}
        />
      </div>
    </fieldset>
  );
}

const BETTER: [Better, string][] = [
  ["higher", "More is better"],
  ["lower", "Less is better"],
];

/** What the trials are compared by. */
export function SweepGoal({ draft, onChange, metrics }: Omit<FormPart, "fault"> & { metrics: string[] }) {
  return (
    <fieldset className="plain-set">
      <legend>Goal</legend>
      <Suggest
        label="Metric that the trials are compared by"
        value={draft.metric}
        known={metrics.map((text) => ({ text }))}
        placeholder="metric, if one decides"
        onChange={(metric) => onChange({ metric, better: likelyBetter(metric) })}
      />
      <div className="segments" role="group" aria-label="Which is better">
        {BETTER.map(([better, text]) => (
          <button
            key={better}
            type="button"
            disabled={draft.metric.trim() === ""}
            aria-pressed={draft.metric.trim() !== "" && draft.better === better}
            onClick={() => onChange({ better })}
          >
            {text}
          </button>
        ))}
      </div>
    </fieldset>
  );
}
