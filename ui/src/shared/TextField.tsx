import { Field } from "./ui";

/** One line that a person types, with what is wrong with it in place of the hint. */
export function TextField({
  label,
  hint,
  fault = null,
  value,
  placeholder,
  numeric = false,
  onChange,
}: {
  label: string;
  hint: string;
  fault?: string | null;
  value: string;
  placeholder?: string;
  numeric?: boolean;
  onChange: (value: string) => void;
}) {
  return (
    <Field label={label} hint={fault ?? hint}>
      <input
        className="input mono"
        inputMode={numeric ? "numeric" : undefined}
        value={value}
        placeholder={placeholder}
        aria-invalid={fault !== null || undefined}
        onChange={(event) => onChange(event.target.value)}
      />
    </Field>
  );
}
