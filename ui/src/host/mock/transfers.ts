// Pushes and pulls that take their time, for the bar and its Stop button.
import type { Commands, Direction, TransferRow, Transferred } from "../../api/generated";
import { ReportError } from "../index";
import { answers } from "./world";

type Name = "data.push" | "data.pull" | "transfers.list" | "transfers.stop";
type Answer<N extends Name> = Commands[N]["answer"];
type Answers = { [N in Name]: (input: Commands[N]["input"]) => Answer<N> | Promise<Answer<N>> };

const VERB: Record<Direction, string> = { push: "Pushed", pull: "Pulled" };
/** Milliseconds for each file. */
const STEP = 250;

export function transferAnswers(tell: () => void): Answers {
  let rows: TransferRow[] = [];
  let last = 0;
  const move = async (direction: Direction, remote: string | null, all: Transferred) => {
    last += 1;
    const row: TransferRow = {
      id: last,
      direction,
      remote,
      what: "Looking at what is there",
      done: 0,
      total: 0,
      stopping: false,
    };
    rows = [...rows, row];
    tell();
    for (let file = 0; file <= all.files && !row.stopping; file += 1) {
      await new Promise((done) => setTimeout(done, STEP));
      row.what = `${VERB[direction]} ${file} of ${all.files} files`;
      row.done = (all.bytes * file) / all.files;
      row.total = all.bytes;
    }
    rows = rows.filter((known) => known !== row);
    tell();
    if (!row.stopping) return all;
    throw new ReportError({
      code: "failed",
      name: "remote.stopped",
      message: "the transfer was stopped",
      hint: "start it again: what has arrived is kept",
    });
  };
  return {
    "data.push": (input) => move("push", input.remote, answers["data.push"](input)),
    "data.pull": (input) => move("pull", input.remote, answers["data.pull"](input)),
    "transfers.list": () => rows,
    "transfers.stop": ({ id }) => {
      for (const row of rows) if (row.id === id) row.stopping = true;
      return {};
    },
  };
}
