// Pushes, pulls and syncs that take their time, for the bar and its Stop button.
import type { Commands, TransferRow } from "../../api/generated";
import { ReportError } from "../index";
import { answers } from "./world";

type Moving =
  | "data.push"
  | "data.pull"
  | "models.push"
  | "models.pull"
  | "deployments.push"
  | "remotes.sync"
  | "projects.clone"
  | "projects.pull"
  | "projects.push";
type Name = Moving | "transfers.list" | "transfers.stop";
type Answer<N extends Name> = Commands[N]["answer"];
type Answers = { [N in Name]: (input: Commands[N]["input"]) => Answer<N> | Promise<Answer<N>> };
type Journey = Pick<TransferRow, "direction" | "cargo" | "name" | "remote">;

/** Milliseconds for each file. */
const STEP = 250;
const FILES = 20;
const BYTES = 61_400_000;
const OBJECTS = 340;

export function transferAnswers(tell: () => void): Answers {
  let rows: TransferRow[] = [];
  let last = 0;
  const move = async <T>(journey: Journey, all: T, { files = FILES, bytes = BYTES } = {}): Promise<T> => {
    last += 1;
    const row: TransferRow = {
      ...journey,
      id: last,
      what: "Looking at what is there",
      done: 0,
      total: 0,
      stopping: false,
    };
    rows = [...rows, row];
    tell();
    for (let file = 0; file <= files && !row.stopping; file += 1) {
      await new Promise((done) => setTimeout(done, STEP));
      const commits = journey.cargo === "commits";
      row.total = commits ? OBJECTS : bytes;
      row.done = Math.round((row.total * file) / files);
      row.what = commits ? `Moved ${row.done} of ${OBJECTS} objects` : `Moved ${file} of ${files} files`;
    }
    rows = rows.filter((known) => known !== row);
    tell();
    if (!row.stopping) return all;
    throw new ReportError({
      code: "failed",
      name: journey.cargo === "commits" ? "git.stopped" : "remote.stopped",
      message: "the transfer was stopped",
      hint: "start it again: what has arrived is kept",
    });
  };
  return {
    "data.push": (input) => {
      const all = answers["data.push"](input);
      return move({ direction: "push", cargo: "data", name: null, remote: input.remote }, all, all);
    },
    "data.pull": (input) => {
      const all = answers["data.pull"](input);
      return move({ direction: "pull", cargo: "data", name: null, remote: input.remote }, all, all);
    },
    "models.push": (input) =>
      move(
        { direction: "push", cargo: "model", name: input.model, remote: input.remote },
        answers["models.push"](input),
      ),
    "models.pull": (input) => {
      const [remote = "", name = ""] = input.address.split(":");
      return move({ direction: "pull", cargo: "model", name, remote }, answers["models.pull"](input));
    },
    "deployments.push": (input) =>
      move(
        { direction: "push", cargo: "image", name: input.name, remote: input.remote },
        answers["deployments.push"](input),
      ),
    "remotes.sync": (input) =>
      move(
        { direction: "sync", cargo: "runs", name: null, remote: input.name },
        answers["remotes.sync"](input),
      ),
    "projects.clone": (input) =>
      move(
        { direction: "pull", cargo: "commits", name: input.path.split("/").pop() ?? "", remote: input.url },
        answers["projects.clone"](input),
      ),
    "projects.pull": (input) =>
      move(
        { direction: "pull", cargo: "commits", name: null, remote: "origin" },
        answers["projects.pull"](input),
      ),
    "projects.push": (input) =>
      move(
        { direction: "push", cargo: "commits", name: null, remote: "origin" },
        answers["projects.push"](input),
      ),
    "transfers.list": () => rows,
    "transfers.stop": ({ id }) => {
      for (const row of rows) if (row.id === id) row.stopping = true;
      return {};
    },
  };
}
