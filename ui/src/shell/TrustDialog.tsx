import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { call, markStale, setTrustAsker, showFailure } from "../api/client";
import { CHANGES, type Report } from "../api/generated";
import { toReport } from "../host";
import { Dialog } from "../shared/Dialog";
import { useProject } from "../shared/stored";
import { Button } from "../shared/ui";

interface Question {
  report: Report;
  answer: (trusted: boolean) => void;
}

/** Asked once for each project, before its commands run on this machine. */
export function TrustDialog() {
  const client = useQueryClient();
  const [project] = useProject();
  const [question, setQuestion] = useState<Question | null>(null);
  useEffect(() => {
    setTrustAsker((report) => new Promise((answer) => setQuestion({ report, answer })));
    return () => setTrustAsker(null);
  }, []);
  const close = (trusted: boolean) => {
    question?.answer(trusted);
    setQuestion(null);
  };
  const trust = async () => {
    if (!project) return close(false);
    try {
      await call("projects.trust", { project });
      markStale(client, CHANGES["projects.trust"]);
      close(true);
    } catch (thrown) {
      showFailure(toReport(thrown));
      close(false);
    }
  };
  return (
    <Dialog
      open={question !== null}
      onOpenChange={(open) => {
        if (!open) close(false);
      }}
      title="Trust this project?"
      actions={
        <>
          <Button onClick={() => close(false)}>Don’t trust</Button>
          <Button kind="primary" onClick={() => void trust()}>
            Trust and go on
          </Button>
        </>
      }
    >
      <p>
        The stages of a pipeline are commands, and they run with your rights on this machine. Trust a project
        when you know where it comes from.
      </p>
      <p>
        <code>{project}</code>
      </p>
      {question?.report.hint ? <p className="quiet">{question.report.hint}</p> : null}
    </Dialog>
  );
}
