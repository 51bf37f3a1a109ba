// Where values of a swept parameter, and of a metric, stand along an axis.
import { figure } from "../shared/format";
import { asNumber } from "./sweep";

/** By powers of ten, or by what fits the numbers. */
export type Steps = "powers" | "fitting";

export interface Scale {
  /** From 0 to 1; `null` for what has no place. */
  at: (text: string) => number | null;
  /** Rounded for reading, each with its place. */
  ticks: { at: number; text: string }[];
}

/** From here on a row of words is not readable any more. */
const MOST_WORDS = 8;
/** Powers of ten beyond which even steps crowd the small values. */
const LOG_FROM = 100;

function spread(index: number, count: number): number {
  return (index + 0.5) / count;
}

function ofWords(words: readonly string[]): Scale {
  const places = new Map(words.map((word, index) => [word, spread(index, words.length)]));
  const every = Math.ceil(words.length / MOST_WORDS);
  return {
    at: (text) => places.get(text) ?? null,
    ticks: words
      .map((text, index) => ({ text, at: spread(index, words.length) }))
      .filter((_, index) => index % every === 0),
  };
}

/** Ends with some room, so that no point lies on the frame. */
const ROOM = 0.05;

/** A few values are named as they are; what would stand on its neighbour is left out. */
const MOST_MARKS = 6;
const LEAST_APART = 0.12;

function apart(values: readonly number[], place: (value: number) => number): number[] {
  const kept: number[] = [];
  for (const value of values) {
    const last = kept.at(-1);
    if (last === undefined || place(value) - place(last) >= LEAST_APART) kept.push(value);
  }
  return kept;
}

/** Measured numbers: their ends and what lies between. */
export function ofNumbers(
  numbers: readonly number[],
  named: readonly number[] = [],
  steps: Steps = "fitting",
): Scale {
  const low = numbers.reduce((a, b) => Math.min(a, b));
  const high = numbers.reduce((a, b) => Math.max(a, b));
  const log = low > 0 && (steps === "powers" || high / low >= LOG_FROM);
  const bent = (value: number) => (log ? Math.log10(value) : value);
  const straight = (value: number) => (log ? 10 ** value : value);
  const [from, to] = [bent(low), bent(high)];
  const place = (value: number) =>
    from === to ? 0.5 : ROOM + ((bent(value) - from) / (to - from)) * (1 - 2 * ROOM);
  const ends = from === to ? [low] : [low, straight((from + to) / 2), high];
  const marks = named.length > 0 ? apart(named, place) : ends;
  return {
    at: (text) => {
      const number = asNumber(text);
      return number === null || (log && number <= 0) ? null : place(number);
    },
    ticks: marks.map((value) => ({ at: place(value), text: figure(value) })),
  };
}

/** Along numbers, when all are; else one place for each value. */
export function scaleOf(values: readonly string[], steps: Steps = "fitting"): Scale {
  const numbers = values.map(asNumber).filter((number) => number !== null);
  if (numbers.length === values.length && numbers.length > 0) {
    const different = [...new Set(numbers)].sort((a, b) => a - b);
    return ofNumbers(numbers, different.length <= MOST_MARKS ? different : [], steps);
  }
  return ofWords([...new Set(values)].sort());
}
