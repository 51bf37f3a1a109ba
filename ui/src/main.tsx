// Starts the window. Everything that could throw while being imported comes after the guards.
import { guardLocale } from "./locale";
import "./tokens.css";
import "./base.css";

let report: (text: string) => void = (text) => console.error(text);

function showFatal(text: string): void {
  const root = document.getElementById("root");
  if (!root || root.childElementCount > 0) return;
  const box = document.createElement("div");
  box.style.padding = "40px";
  const title = document.createElement("h1");
  title.textContent = "Lapwing cannot show its window";
  const detail = document.createElement("pre");
  detail.textContent = text;
  detail.style.whiteSpace = "pre-wrap";
  box.append(title, detail);
  root.append(box);
}

window.onerror = (message, source, line, column, error) => {
  const text = `${String(message)} at ${source ?? "?"}:${line ?? 0}:${column ?? 0}\n${error?.stack ?? ""}`;
  // The browser says this when a layout takes two frames; it is not a fault.
  if (text.startsWith("ResizeObserver loop")) return;
  report(text);
  showFatal(text);
};
window.onunhandledrejection = (event) => {
  const reason: unknown = event.reason;
  const text = reason instanceof Error ? (reason.stack ?? reason.message) : String(reason);
  report(`unhandled: ${text}`);
  showFatal(text);
};

async function start(): Promise<void> {
  guardLocale();
  // All that the first page needs is fetched at once: one after the other, the waits are a third of the start.
  const parts = Promise.all([import("./app"), import("./shell/start"), import("./overview")]);
  const { connect } = await import("./host");
  const host = await connect();
  report = (text) => host.reportError(text);
  const [{ mount }, { chooseProject }] = await parts;
  mount(document.getElementById("root"), await chooseProject());
}

start().catch((thrown: unknown) => {
  const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
  report(text);
  showFatal(text);
});
