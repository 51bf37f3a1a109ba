// The output of a job: follows its end until someone scrolls up.
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown } from "lucide-react";
import { useEffect, useMemo, useRef, useState } from "react";
import { type CommandName, call } from "../api/client";
import type { LogChunk } from "../api/generated";
import { toReport } from "../host";
import { linesOf, spansOf } from "./ansi";
import { Button } from "./ui";
import "./chart.css";

const CHUNK = 256 * 1024;
/** What the window keeps of a log; the whole of it stays in the workspace. */
const KEPT = 4 * 1024 * 1024;
const POLL_MS = 700;

export type ReadLog = (from: number, max: number) => Promise<LogChunk>;

export const jobLog =
  (id: string): ReadLog =>
  (from, max) =>
    call("jobs.log" satisfies CommandName, { id, from, max });

export function useLog(key: string, read: ReadLog): { text: string; ended: boolean; error: string | null } {
  const [state, setState] = useState<{ text: string; ended: boolean; error: string | null }>({
    text: "",
    ended: false,
    error: null,
  });
  const reader = useRef(read);
  reader.current = read;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` names the log; the reader is only how to get it
  useEffect(() => {
    let stopped = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let next = -KEPT / 4;
    setState({ text: "", ended: false, error: null });
    const step = async () => {
      try {
        const chunk = await reader.current(next, CHUNK);
        if (stopped) return;
        const more = chunk.text !== "" && chunk.next !== next;
        next = chunk.next;
        if (chunk.text !== "" || chunk.ended) {
          setState((before) => ({
            text: (before.text + chunk.text).slice(-KEPT),
            ended: chunk.ended,
            error: null,
          }));
        }
        if (!chunk.ended || more) timer = setTimeout(step, more ? 20 : POLL_MS);
      } catch (thrown) {
        if (!stopped) setState((before) => ({ ...before, ended: true, error: toReport(thrown).message }));
      }
    };
    void step();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [key]);
  return state;
}

export function LogText({ text, ended, empty }: { text: string; ended: boolean; empty: string }) {
  const box = useRef<HTMLDivElement>(null);
  const [follow, setFollow] = useState(true);
  const lines = useMemo(() => linesOf(text), [text]);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => 18,
    overscan: 30,
    paddingStart: 8,
    paddingEnd: 8,
  });
  useEffect(() => {
    if (follow && lines.length > 0) virtual.scrollToIndex(lines.length - 1, { align: "end" });
  }, [follow, lines.length, virtual]);
  return (
    <div className="log-frame">
      <div
        ref={box}
        className="log"
        role="log"
        aria-label="Log"
        tabIndex={0}
        onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) =>
          setFollow(scrollHeight - scrollTop - clientHeight < 40)
        }
      >
        {lines.length === 0 ? (
          <p className="log-empty">{ended ? empty : "Waiting for the first line…"}</p>
        ) : null}
        <div className="log-lines" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map(({ index, start }) => (
            <div key={index} className="log-line" style={{ top: start }}>
              <span className="log-number">{index + 1}</span>
              {spansOf(lines[index] ?? "").map((span, part) => (
                <span key={part} className={span.className}>
                  {span.text}
                </span>
              ))}
            </div>
          ))}
        </div>
      </div>
      {follow ? null : (
        <span className="log-follow">
          <Button icon={ArrowDown} onClick={() => setFollow(true)}>
            {ended ? "To the end" : "Follow"}
          </Button>
        </span>
      )}
    </div>
  );
}

export function JobLog({ id }: { id: string }) {
  const { text, ended, error } = useLog(id, jobLog(id));
  return <LogText text={text} ended={ended} empty={error ?? "It printed nothing."} />;
}
