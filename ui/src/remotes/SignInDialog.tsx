import { useState } from "react";
import { useAction } from "../api/client";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { Failure } from "../shared/states";
import { Button } from "../shared/ui";
import { NOBODY, SignInFields } from "./SignInFields";

/** A new credential for the remote of that name; closed without one. */
export function SignInDialog({
  project,
  name,
  onClose,
}: {
  project: string;
  name: string | null;
  onClose: () => void;
}) {
  const [signIn, setSignIn] = useState(NOBODY);
  const close = () => {
    setSignIn(NOBODY);
    onClose();
  };
  const login = useAction("remotes.login", {
    quiet: true,
    done: (added) => `Kept in ${added.place ?? "the keychain"}`,
    onDone: close,
  });
  const send = () =>
    name && login.mutate({ project, name, user: signIn.user.trim() || null, secret: signIn.secret });
  return (
    <Dialog
      open={name !== null}
      onOpenChange={(open) => !open && close()}
      title={`Sign in to ${name ?? ""}`}
      actions={
        <>
          <Button onClick={close}>Cancel</Button>
          <Button kind="primary" busy={login.isPending} disabled={signIn.secret === ""} onClick={send}>
            Keep it
          </Button>
        </>
      }
    >
      <SignInFields value={signIn} onChange={setSignIn} />
      {login.isError ? <Failure report={toReport(login.error)} /> : null}
    </Dialog>
  );
}
