import { Field } from "../shared/ui";

/** What pods of a cluster are made with, where a stage says nothing else. */
export type Pod = { namespace: string; image: string };

export const NO_POD: Pod = { namespace: "", image: "" };

/** The options of the remote: only what was written. */
export function podOptions(pod: Pod): Record<string, string> {
  const written = Object.entries(pod).map(([key, value]) => [key, value.trim()] as const);
  return Object.fromEntries(written.filter(([, value]) => value !== ""));
}

export function PodFields({ value, onChange }: { value: Pod; onChange: (value: Pod) => void }) {
  return (
    <>
      <Field label="Namespace" hint="That of the context without one.">
        <input
          className="input mono"
          value={value.namespace}
          onChange={(event) => onChange({ ...value, namespace: event.target.value })}
        />
      </Field>
      <Field label="Image" hint="For stages that name none.">
        <input
          className="input mono"
          value={value.image}
          placeholder="python:3.12"
          onChange={(event) => onChange({ ...value, image: event.target.value })}
        />
      </Field>
      <p className="quiet">Your kubeconfig signs in, as it does for kubectl.</p>
    </>
  );
}
