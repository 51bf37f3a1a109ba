import type { StageRow } from "../api/generated";

export function StageChoices({
  stages,
  chosen,
  onChange,
}: {
  stages: StageRow[];
  chosen: ReadonlySet<string>;
  onChange: (chosen: ReadonlySet<string>) => void;
}) {
  const toggle = (name: string) => {
    const next = new Set(chosen);
    if (!next.delete(name)) next.add(name);
    onChange(next);
  };
  return (
    <fieldset className="plain-set">
      <legend>Stages</legend>
      <p className="faint">None chosen means the whole pipeline. What a stage needs runs too.</p>
      <div className="stage-choices">
        {stages.map(({ name }) => (
          <label key={name} className="line">
            <input type="checkbox" checked={chosen.has(name)} onChange={() => toggle(name)} />
            <span className="cut">{name}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}
