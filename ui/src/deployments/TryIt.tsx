import { Send } from "lucide-react";
import { useMemo, useState } from "react";
import { useAction } from "../api/client";
import type { DeploymentDetail, Predicted, SignatureColumn } from "../api/generated";
import { toReport } from "../host";
import { figure, milliseconds } from "../shared/format";
import { usePlace } from "../shared/place";
import { Empty, Failure } from "../shared/states";
import { Button, CopyButton, Id, Section, State } from "../shared/ui";
import { columnsFor, fault, fieldKind, prefilled, read, recordOf } from "./form";

/** One row for the endpoint, typed into a form that its signature makes. */
export function TryIt({ detail }: { detail: DeploymentDetail }) {
  const { row, inputs, example } = detail;
  const columns = useMemo(() => columnsFor(inputs, example), [inputs, example]);
  const [texts, setTexts] = useState(() => prefilled(columns, example));
  const [tried, setTried] = useState(false);
  const predict = useAction("deployments.predict", { quiet: true });
  if (row.state !== "running")
    return (
      <Empty title={`${row.name} is not running`} cli={`lapwing deployments start ${row.name}`}>
        Start it to send it a row.
      </Empty>
    );
  if (columns.length === 0) return <NoSignature url={row.url} />;
  const faults = columns.flatMap((column) => fault(column, texts[column.name] ?? "") ?? []);
  const send = () => {
    setTried(true);
    if (faults.length === 0) predict.mutate({ name: row.name, records: [recordOf(columns, texts)] });
  };
  return (
    <div className="sheet try-it">
      <form
        className="try-form"
        onSubmit={(event) => {
          event.preventDefault();
          send();
        }}
      >
        <div className="try-fields">
          {columns.map((column) => (
            <Input
              key={column.name}
              column={column}
              text={texts[column.name] ?? ""}
              fault={tried ? fault(column, texts[column.name] ?? "") : null}
              onChange={(text) => setTexts({ ...texts, [column.name]: text })}
            />
          ))}
        </div>
        <div className="line">
          <Button kind="primary" icon={Send} type="submit" busy={predict.isPending}>
            Send
          </Button>
          <Button kind="ghost" onClick={() => setTexts(prefilled(columns, example))}>
            Reset to the example
          </Button>
        </div>
      </form>
      <Section title="Answer">
        {predict.isError ? <Failure report={toReport(predict.error)} /> : null}
        {predict.data && !predict.isError ? (
          <Answer answer={predict.data} />
        ) : predict.isError ? null : (
          <p className="quiet">Nothing sent yet. What you send is logged like any other request.</p>
        )}
      </Section>
    </div>
  );
}

function NoSignature({ url }: { url: string | null }) {
  return (
    <Empty
      title="The model names no columns"
      cli={url ? `curl -s ${url}/invocations -d @rows.json` : undefined}
    >
      It was logged without a signature and without an example, so there is no form to fill in.
    </Empty>
  );
}

function Input({
  column,
  text,
  fault: wrong,
  onChange,
}: {
  column: SignatureColumn;
  text: string;
  fault: string | null;
  onChange: (text: string) => void;
}) {
  const kind = fieldKind(column.kind);
  const number = kind === "whole" || kind === "real";
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is inside, one of two
    <label className="try-field">
      <span className="cut mono" title={column.name}>
        {column.name}
      </span>
      {kind === "bool" ? (
        <select className="select" value={text} onChange={(event) => onChange(event.target.value)}>
          {column.required ? null : <option value="">–</option>}
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      ) : (
        <input
          className={number || kind === "json" ? "input mono" : "input"}
          inputMode={kind === "whole" ? "numeric" : kind === "real" ? "decimal" : undefined}
          value={text}
          placeholder={column.required ? "" : "empty: missing"}
          aria-invalid={wrong !== null}
          onChange={(event) => onChange(event.target.value)}
        />
      )}
      <span className={wrong ? "state-failed" : "faint"}>
        {wrong ?? `${column.kind}${column.required ? "" : ", optional"}`}
      </span>
    </label>
  );
}

function Answer({ answer }: { answer: Predicted }) {
  const place = usePlace();
  const said = read(answer.body);
  const raw = JSON.stringify(answer.body, null, 2);
  const good = answer.status < 400;
  return (
    <div className="stack">
      {good ? (
        <div className="answer-prediction">
          <span className="cut" title={said.prediction ?? undefined}>
            {said.prediction ?? "–"}
          </span>
          {said.score === null ? null : (
            <span className="quiet" title={String(said.score)}>{`score ${figure(said.score)}`}</span>
          )}
        </div>
      ) : (
        <div className="failure" role="alert">
          <p className="failure-message">{said.error ?? `The endpoint answered ${answer.status}`}</p>
        </div>
      )}
      <p className="line wrap">
        <State tone={good ? "good" : "failed"}>{`HTTP ${answer.status}`}</State>
        <span className="quiet">{milliseconds(answer.latency_ms)}</span>
        {said.id ? (
          <>
            <span className="faint">prediction</span>
            <Id id={said.id} full />
            <button
              type="button"
              className="link"
              onClick={() => place.set({ tab: "lineage", of: said.id }, false)}
            >
              Lineage
            </button>
          </>
        ) : null}
      </p>
      <details>
        <summary className="quiet">
          Raw JSON <CopyButton text={raw} label="Copy the answer" />
        </summary>
        <pre className="code">{raw}</pre>
      </details>
    </div>
  );
}
