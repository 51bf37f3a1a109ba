// The colours of terminal output; every other control sequence is dropped.

export interface Span {
  text: string;
  className: string;
}

const SEQUENCE =
  /\u001b\[([0-9;?]*)([A-Za-z])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g;

export function spansOf(line: string): Span[] {
  const spans: Span[] = [];
  let color = "";
  let bold = "";
  let from = 0;
  const add = (text: string) => {
    if (text !== "") spans.push({ text, className: `${color} ${bold}`.trim() });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    add(line.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] !== "m") continue;
    for (const code of (match[1] || "0").split(";").map(Number)) {
      if (code === 0) {
        color = "";
        bold = "";
      } else if (code === 1) bold = "ansi-bold";
      else if (code === 39) color = "";
      else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97) || code === 2) color = `ansi-${code}`;
    }
  }
  add(line.slice(from));
  return spans;
}

/** A progress bar rewrites its line with carriage returns: only its last state is shown. */
export function linesOf(text: string): string[] {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  if (lines.at(-1) === "") lines.pop();
  return lines.map((line) => {
    const parts = line.split("\r").filter((part) => part !== "");
    return parts.at(-1) ?? "";
  });
}
