import { Plus, Trash2 } from "lucide-react";
import { Suggest } from "../shared/Suggest";
import { Prose } from "../shared/states";
import { Button, IconButton } from "../shared/ui";
import type { Axis, Param } from "./sweep";

/** What is said at one parameter. */
export interface Remark {
  at: number;
  text: string;
  hint: string | null;
}

export function SweepAxes({
  axes,
  known,
  remark,
  onChange,
  onAdd,
}: {
  axes: Axis[];
  known: Param[];
  remark: Remark | null;
  onChange: (axes: Axis[]) => void;
  onAdd: () => void;
}) {
  const now = new Map(known.map((param) => [param.name, param.now]));
  const used = new Set(axes.map(({ name }) => name.trim()));
  const put = (id: number, change: Partial<Axis>) =>
    onChange(axes.map((axis) => (axis.id === id ? { ...axis, ...change } : axis)));
  return (
    <fieldset className="plain-set sweep-axes">
      <legend>Parameters</legend>
      <p className="faint">
        Values to try: a list <code>0.05, 0.1</code>, whole steps <code>range(2, 9)</code>, or drawn at random{" "}
        <code>log_uniform(1e-4, 1e-1)</code>
      </p>
      {axes.map(({ id, name, values }) => (
        <div key={id} className="sweep-axis">
          <Suggest
            label="Parameter"
            value={name}
            known={known
              .filter((param) => param.name === name.trim() || !used.has(param.name))
              .map((param) => ({ text: param.name, note: param.now }))}
            placeholder="parameter"
            invalid={remark?.at === id && name.trim() === ""}
            onChange={(next) => put(id, { name: next })}
          />
          <span className="faint" aria-hidden>
            =
          </span>
          <input
            className="input mono"
            aria-label={`Values of ${name.trim() || "the parameter"}`}
            aria-invalid={remark?.at === id || undefined}
            placeholder={now.has(name.trim()) ? `now ${now.get(name.trim())}` : "values"}
            title={values}
            spellCheck={false}
            value={values}
            onChange={(event) => put(id, { values: event.target.value })}
          />
          <IconButton
            label={name.trim() === "" ? "Remove the row" : `Remove ${name.trim()}`}
            icon={Trash2}
            disabled={axes.length === 1}
            onClick={() => onChange(axes.filter((axis) => axis.id !== id))}
          />
          {now.has(name.trim()) && values !== "" && remark?.at !== id ? (
            <span className="field-hint faint cut sweep-now">{`now ${now.get(name.trim())}`}</span>
          ) : null}
          {remark?.at === id ? (
            <p className="field-hint sweep-remark" role="alert">
              <span className="state-failed">
                <Prose text={remark.text} />
              </span>
              {remark.hint ? (
                <span className="quiet">
                  <Prose text={remark.hint} />
                </span>
              ) : null}
            </p>
          ) : null}
        </div>
      ))}
      <Button kind="ghost" icon={Plus} onClick={onAdd}>
        Add a parameter
      </Button>
    </fieldset>
  );
}
