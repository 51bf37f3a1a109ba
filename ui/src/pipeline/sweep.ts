// The form of a sweep as plain functions: what can be tried, what is asked for, and what is said of it.
import type { Better, PlannedSweep, Report, StageRow, StartSweep } from "../api/generated";
import { plural } from "../shared/format";
import type { Place } from "./Where";

/** One parameter and the values to try, as typed. */
export interface Axis {
  id: number;
  name: string;
  values: string;
}

/** What a person typed and chose. */
export interface Draft {
  axes: Axis[];
  stages: ReadonlySet<string>;
  search: "every" | "random";
  count: string;
  seed: string;
  metric: string;
  better: Better;
  atOnce: string;
  place: Place;
}

export const FIRST_DRAFT: Draft = {
  axes: [{ id: 0, name: "", values: "" }],
  stages: new Set(),
  search: "every",
  count: "20",
  seed: "",
  metric: "",
  better: "higher",
  atOnce: "",
  place: { target: "process", on: null },
};

export interface Param {
  name: string;
  /** As the stages read it now. */
  now: string;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function leaves(name: string, value: unknown): Param[] {
  if (isMapping(value))
    return Object.entries(value).flatMap(([key, inner]) => leaves(`${name}.${key}`, inner));
  return [{ name, now: typeof value === "string" ? value : JSON.stringify(value) }];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** The parameters of `stages` with their values now. Of a mapping, what is in it: a whole one cannot be tried. */
export function knownParams(stages: readonly StageRow[]): Param[] {
  const lines = new Set(stages.flatMap(({ params }) => params));
  const all = [...lines].flatMap((line) => {
    const [name = "", ...rest] = line.split(" = ");
    const now = rest.join(" = ");
    return now.startsWith("{") ? leaves(name, parsed(now)) : [{ name, now }];
  });
  return [...new Map(all.map((param) => [param.name, param])).values()];
}

export function withAxis({ axes }: Draft): Axis[] {
  const id = 1 + Math.max(-1, ...axes.map((axis) => axis.id));
  return [...axes, { id, name: "", values: "" }];
}

/** A draft with a range that has no end cannot try every combination. */
function isEndless({ values }: Axis): boolean {
  return /^(log_)?uniform\s*\(/.test(values.trim());
}

/** What keeps a draft from being asked for, and which of its fields: the id of a parameter, or a name. */
export interface Fault {
  at: number | "count" | "seed" | "atOnce" | null;
  /** Nothing is wrong: something is not typed yet. */
  unfinished: boolean;
  text: string;
}

const fault = (at: Fault["at"], text: string, unfinished = false): Fault => ({ at, text, unfinished });

const isWhole = (text: string) => /^\s*\d{1,9}\s*$/.test(text);

export function faultOf(draft: Draft): Fault | null {
  const named = draft.axes.filter(({ name, values }) => name.trim() !== "" || values.trim() !== "");
  if (named.length === 0) return fault(null, "Choose a parameter and the values to try", true);
  for (const { id, name, values } of named) {
    if (name.trim() === "") return fault(id, `Which parameter is ${values.trim()}?`, true);
    if (values.trim() === "") return fault(id, `Which values of ${name.trim()} are tried?`, true);
  }
  const endless = named.find(isEndless);
  if (draft.search === "every" && endless)
    return fault(endless.id, "This has endlessly many values: choose “So many at random” below");
  if (draft.search === "random" && !isWhole(draft.count)) return fault("count", "a whole number");
  if (draft.search === "random" && draft.seed.trim() !== "" && !isWhole(draft.seed))
    return fault("seed", "a whole number");
  if (draft.atOnce.trim() !== "" && !isWhole(draft.atOnce)) return fault("atOnce", "a whole number");
  return null;
}

const numberOr = (text: string, without: number | null) =>
  text.trim() === "" ? without : Number(text.trim());

/** What is asked for; of a draft without a fault. */
export function inputOf(project: string, draft: Draft): StartSweep {
  const random = draft.search === "random";
  const metric = draft.metric.trim();
  return {
    project,
    stages: [...draft.stages],
    values: draft.axes
      .filter(({ name }) => name.trim() !== "")
      .map(({ name, values }) => `${name.trim()}=${values.trim()}`),
    random: random ? Number(draft.count) : null,
    seed: random ? numberOr(draft.seed, null) : null,
    at_once: numberOr(draft.atOnce, null),
    ...draft.place,
    goal: metric === "" ? null : { metric, better: draft.better },
  };
}

/** Less is better of what is called a loss or an error; people can say otherwise. */
export function likelyBetter(metric: string): Better {
  return /(^|[^a-z])(loss|err|error|rmse|mae|mse|mape|perplexity|time|seconds|latency|size)([^a-z]|$)/i.test(
    metric.replace(/([a-z])([A-Z])/g, "$1_$2"),
  )
    ? "lower"
    : "higher";
}

/** `12 trials, 1 at a time; in each: train → evaluate` */
export function planSentence({ trials, at_once, stages }: PlannedSweep): string {
  return `${plural(trials.length, "trial")}, ${at_once} at a time; in each: ${stages.join(" → ")}`;
}

/** A refusal of one number belongs beside it. */
export function numberAtFault({ name, message }: Report): Fault | null {
  const at = ({ "sweep.at_once": "atOnce", "sweep.random": "count" } as const)[name];
  return at === undefined ? null : fault(at, message);
}

/** The parameter that a refusal names in its own words; `null` when it is about the whole. */
export function axisAtFault(report: Report, axes: readonly Axis[]): number | null {
  const named = [...report.message.matchAll(/`([^`]*)`/g)].map(([, text]) => text ?? "");
  const isNamed = ({ name, values }: Axis) =>
    name.trim() !== "" &&
    named.some((text) => text === name.trim() || text === `${name.trim()}=${values.trim()}`);
  return axes.find(isNamed)?.id ?? null;
}
