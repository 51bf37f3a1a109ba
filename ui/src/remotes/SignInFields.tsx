import { Field } from "../shared/ui";

export type SignIn = { user: string; secret: string };
export const NOBODY: SignIn = { user: "", secret: "" };

/** User and secret; the secret is never shown again. */
export function SignInFields({ value, onChange }: { value: SignIn; onChange: (value: SignIn) => void }) {
  return (
    <>
      <Field label="User or access key" hint="Leave it empty for a token.">
        <input
          className="input"
          autoComplete="off"
          value={value.user}
          onChange={(event) => onChange({ ...value, user: event.target.value })}
        />
      </Field>
      <Field
        label="Password, token or secret key"
        hint="Kept in the keychain of this machine, or, without one, in a file that only you can read."
      >
        <input
          className="input"
          type="password"
          autoComplete="new-password"
          value={value.secret}
          onChange={(event) => onChange({ ...value, secret: event.target.value })}
        />
      </Field>
    </>
  );
}
