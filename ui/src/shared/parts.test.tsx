import { cleanup, render, screen } from "@testing-library/react";
import { afterEach, expect, test } from "vitest";
import { linesOf, spansOf } from "./ansi";
import { aligned, csvOf, smoothed } from "./LineChart";
import { partsOf, pathTo, printSearch } from "./place";
import { Failure } from "./states";
import { sorted } from "./Table";
import { StateMark, type Tone } from "./ui";

afterEach(cleanup);

test("every state has a shape of its own, so that colour is never the only sign", () => {
  const tones: Tone[] = ["running", "good", "stale", "failed", "idle"];
  const shapes = tones.map((tone) => {
    const { container } = render(<StateMark tone={tone} />);
    return container.querySelector("svg")?.innerHTML;
  });
  expect(new Set(shapes).size).toBe(tones.length);
});

test("a failure says what happened and what to do", () => {
  render(
    <Failure
      report={{
        code: "missing",
        name: "docker.unreachable",
        message: "Docker is not reachable",
        hint: "Start it with `systemctl start docker`.",
      }}
    />,
  );
  expect(screen.getByRole("alert").textContent).toContain("Docker is not reachable");
  expect(screen.getByText("systemctl start docker").tagName).toBe("CODE");
});

test("missing values come last in both directions", () => {
  const columns = [
    { key: "v", title: "v", width: "1fr", cell: () => null, order: (row: { v: number | null }) => row.v },
  ];
  const rows = [{ v: null }, { v: 1 }, { v: 3 }, { v: 2 }];
  const order = (descending: boolean) => sorted(rows, columns, { key: "v", descending }).map(({ v }) => v);
  expect(order(true)).toEqual([3, 2, 1, null]);
  expect(order(false)).toEqual([1, 2, 3, null]);
});

test("an address survives names with slashes, spaces and percent signs", () => {
  const name = "data/a b%2F?.parquet";
  expect(partsOf(pathTo("data", name))).toEqual(["data", name]);
  expect(printSearch({ tab: "log", gone: null, q: "a b" })).toBe("?tab=log&q=a+b");
});

test("terminal colours become spans and a progress bar shows its last state", () => {
  expect(spansOf("\u001b[33mWARN\u001b[0m ok\u001b[2K")).toEqual([
    { text: "WARN", className: "ansi-33" },
    { text: " ok", className: "" },
  ]);
  expect(linesOf("10%\r50%\r100%\nend\n")).toEqual(["100%", "end"]);
});

test("lines of different steps share one axis", () => {
  const a = {
    name: "a",
    points: [
      { x: 1, y: 1 },
      { x: 3, y: 3 },
    ],
  };
  const b = { name: "b, c", points: [{ x: 2, y: null }] };
  expect(aligned([a, b])).toEqual([
    [1, 2, 3],
    [1, null, 3],
    [null, null, null],
  ]);
  expect(csvOf([a, b], "step")).toBe('step,a,"b, c"\n1,1,\n2,,\n3,3,');
  expect(
    smoothed(
      {
        name: "a",
        points: [
          { x: 0, y: 0 },
          { x: 1, y: 1 },
        ],
      },
      0.5,
    ).points[1]?.y,
  ).toBe(0.5);
});
