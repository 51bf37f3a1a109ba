import type { Change } from "../api/generated";
import { type Host, isReport, ReportError } from "./index";

const TOKEN_KEY = "lapwing.token";

/** Takes `token=…` out of the fragment, so that it is neither in the history nor in the way of the router. */
export function takeToken(fragment: string): { token: string | null; rest: string } {
  const match = /[#&?/]*token=([^&]+)&?/.exec(fragment);
  if (!match) return { token: null, rest: fragment };
  return {
    token: decodeURIComponent(match[1] ?? ""),
    rest: fragment.replace(match[0], "#").replace(/^#$/, ""),
  };
}

export function httpHost(): Host {
  const { token, rest } = takeToken(location.hash);
  if (token) {
    sessionStorage.setItem(TOKEN_KEY, token);
    history.replaceState(null, "", location.pathname + location.search + rest);
  }
  const known = sessionStorage.getItem(TOKEN_KEY) ?? "";
  return {
    kind: "http",
    async rpc(name, input) {
      let response: Response;
      try {
        response = await fetch(`/ui/rpc/${name}`, {
          method: "POST",
          headers: { "Content-Type": "application/json", Authorization: `Bearer ${known}` },
          body: JSON.stringify(input),
        });
      } catch {
        throw new ReportError({
          code: "missing",
          name: "ui.unreachable",
          message: "Lapwing does not answer",
          hint: "Start it with `lapwing server` and reload this page.",
        });
      }
      const text = await response.text();
      let body: unknown = null;
      try {
        body = text === "" ? null : JSON.parse(text);
      } catch {
        body = null;
      }
      if (response.ok) return body;
      if (isReport(body)) throw new ReportError(body);
      throw new ReportError({
        code: response.status === 401 || response.status === 403 ? "invalid" : "internal",
        name: `http.${response.status}`,
        message:
          response.status === 401 ? "This address needs its token" : `${name} answered ${response.status}`,
        hint: response.status === 401 ? "Open the address that Lapwing printed when it started." : null,
      });
    },
    onChanges(callback) {
      const source = new EventSource(`/ui/changes?token=${encodeURIComponent(known)}`);
      source.onmessage = (event) => {
        try {
          const changes: Change[] = JSON.parse(String(event.data));
          callback(changes);
        } catch {
          this.reportError("the change feed sent something that is not JSON");
        }
      };
      return () => source.close();
    },
    pickFolder: async (title) => window.prompt(`${title}: absolute path of the folder`),
    pickFile: async (title) => window.prompt(`${title}: absolute path of the file`),
    async openExternal(url) {
      window.open(url, "_blank", "noopener");
    },
    async notify(title, body) {
      if (!("Notification" in window)) return;
      const granted =
        Notification.permission === "granted" || (await Notification.requestPermission()) === "granted";
      if (granted) new Notification(title, { body });
    },
    async reveal(path) {
      await navigator.clipboard.writeText(path);
    },
    reportError: (text) => console.error(text),
  };
}
