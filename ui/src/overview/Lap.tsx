// The signature: the lap of a model as a loop of stations, around the one thing that matters now.
import { type ReactNode, useEffect, useRef, useState } from "react";
import type { Noun, Station, StationState } from "../api/generated";
import { ago, exactly } from "../shared/format";
import { useGo } from "../shared/place";
import { useNow } from "../shared/ui";
import { STATION } from "../shared/words";
import { arc, type Label, label, ringSize, spots } from "./ring";

const NAMES: Record<Noun, string> = {
  data: "Data",
  pipeline: "Pipeline",
  runs: "Runs",
  models: "Models",
  deployments: "Deployments",
  monitors: "Monitor",
  automations: "Automation",
};

/** The marks of `StateMark`, large enough to stand on the track. */
function Shape({ state }: { state: StationState }) {
  return (
    <g className={`mark-${STATION[state].tone}`}>
      {state === "empty" ? <circle r="8" fill="none" stroke="currentColor" strokeWidth="1.75" /> : null}
      {state === "good" ? <circle r="9" fill="currentColor" /> : null}
      {state === "stale" ? <path d="M0 -10 11 8.5H-11Z" fill="currentColor" /> : null}
      {state === "failed" ? (
        <>
          <rect x="-9" y="-9" width="18" height="18" rx="1.5" fill="currentColor" />
          <path d="M-4 -4l8 8M4 -4l-8 8" stroke="var(--ground)" strokeWidth="2.2" strokeLinecap="round" />
        </>
      ) : null}
      {state === "running" ? (
        <>
          <circle r="9" fill="none" stroke="currentColor" strokeWidth="2.5" opacity="0.3" />
          <path
            d="M0 -9A9 9 0 0 1 9 0"
            fill="none"
            stroke="currentColor"
            strokeWidth="2.5"
            className="lap-turn"
          />
          <circle r="3.5" fill="currentColor" />
        </>
      ) : null}
    </g>
  );
}

/** Text that keeps to its place beside the track; the whole of it is in the title. */
function fitted(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).trimEnd()}…`;
}

const sentence = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);

function Stop({ station, at, wide, now }: { station: Station; at: Label; wide: boolean; now: number }) {
  const go = useGo();
  const { word, tone } = STATION[station.state];
  const name = NAMES[station.noun];
  const state = station.at !== null && wide ? `${word}, ${ago(station.at, now)}` : word;
  const hit = { end: -206, middle: -106, start: -6 }[at.anchor];
  return (
    <a
      href={`#/${station.noun}`}
      className="lap-stop"
      aria-label={`${name}: ${word}. ${station.figure}. ${station.detail}`}
      onClick={(event) => {
        event.preventDefault();
        go(`/${station.noun}`);
      }}
    >
      <title>{[station.detail, exactly(station.at)].filter(Boolean).join(" – ")}</title>
      <g transform={`translate(${at.x} ${at.y})`}>
        <Shape state={station.state} />
        <g textAnchor={at.anchor} transform={`translate(${at.dx} ${at.dy})`}>
          <rect x={hit} y={-16} width="212" height="64" className="lap-hit" rx="5" />
          <text className="lap-name">
            {name}
            <tspan className={`lap-state state-${tone}`} dx="8">
              {state}
            </tspan>
          </text>
          <text y="22" className="lap-figure">
            {fitted(sentence(station.figure), wide ? 20 : 17)}
          </text>
          <text y="41" className="lap-detail">
            {fitted(station.detail, wide ? 36 : 30)}
          </text>
        </g>
      </g>
    </a>
  );
}

export function Lap({ stations, children }: { stations: Station[]; children: ReactNode }) {
  const now = useNow(5000);
  const frame = useRef<HTMLDivElement>(null);
  const [size, setSize] = useState({ width: 1030, height: 640 });
  useEffect(() => {
    const element = frame.current;
    if (!element) return;
    const observer = new ResizeObserver(() =>
      setSize({ width: element.clientWidth, height: element.clientHeight }),
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  const ring = ringSize(size.width, size.height);
  const places = spots(stations.length, ring.width, ring.height);
  const { width, height } = size;
  return (
    <div className="lap-frame" ref={frame}>
      <svg
        className="lap"
        viewBox={`${-width / 2} ${-height / 2} ${width} ${height}`}
        role="group"
        aria-label="The lap"
      >
        {stations.map((station, index) => (
          <path
            key={station.noun}
            d={arc(index, index + 1, stations.length, ring.width, ring.height)}
            className="lap-track"
            data-reached={station.state !== "empty" || undefined}
            data-live={station.state === "running" || undefined}
          />
        ))}
        {stations.map((station, index) => {
          const place = places[index];
          return place ? (
            <Stop
              key={station.noun}
              station={station}
              at={label(place, ring.width, ring.height)}
              wide={width > 900}
              now={now}
            />
          ) : null;
        })}
      </svg>
      <div className="lap-middle" style={{ width: ring.width * 0.68 }}>
        {children}
      </div>
    </div>
  );
}
