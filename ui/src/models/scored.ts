/** Where the predictions of a file are written, unless somebody says otherwise: beside it. */
export function outOf(data: string): string {
  const path = data.trim().replace(/[\\/]+$/, "");
  if (path === "") return "";
  const known = /\.(csv|tsv|parquet|pq|jsonl|ndjson)$/i.exec(path);
  const bare = known ? path.slice(0, -known[0].length) : path;
  const ending = known && /parquet|pq/i.test(known[1] ?? "") ? "parquet" : "csv";
  return `${bare}-scored.${ending}`;
}

/** What is wrong with a place for the output, if anything. */
export function outFault(out: string): string | null {
  return /.\.(csv|tsv|parquet|pq)$/i.test(out.trim()) ? null : "Its name ends with .csv, .tsv or .parquet";
}

const ADDED = ["prediction", "score"];

/** The columns of an output, those first that were added to the data. */
export function addedFirst<C extends { name: string }>(columns: readonly C[], most: number): number[] {
  const all = columns.map((_, at) => at);
  const added = all.filter((at) => ADDED.includes(columns[at]?.name ?? ""));
  return [...added, ...all.filter((at) => !added.includes(at))].slice(0, most);
}
