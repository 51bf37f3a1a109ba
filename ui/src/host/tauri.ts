import { invoke } from "@tauri-apps/api/core";
import { listen } from "@tauri-apps/api/event";
import { open } from "@tauri-apps/plugin-dialog";
import { isPermissionGranted, requestPermission, sendNotification } from "@tauri-apps/plugin-notification";
import { openUrl, revealItemInDir } from "@tauri-apps/plugin-opener";
import type { Change } from "../api/generated";
import { type Host, isReport, ReportError } from "./index";

export function tauriHost(): Host {
  return {
    kind: "tauri",
    rpc: (name, input) =>
      invoke("rpc", { name, input }).catch((thrown: unknown) => {
        if (isReport(thrown)) throw new ReportError(thrown);
        throw thrown instanceof Error ? thrown : new Error(String(thrown));
      }),
    onChanges(callback) {
      let stop: (() => void) | null = null;
      let stopped = false;
      listen<Change[]>("changes", (event) => callback(event.payload))
        .then((unlisten) => {
          if (stopped) unlisten();
          else stop = unlisten;
        })
        .catch((thrown: unknown) => this.reportError(`cannot listen to changes: ${String(thrown)}`));
      return () => {
        stopped = true;
        stop?.();
      };
    },
    pickFolder: (title) => open({ title, directory: true, multiple: false }),
    pickFile: (title) => open({ title, directory: false, multiple: false }),
    openExternal: (url) => openUrl(url),
    async notify(title, body) {
      const granted = (await isPermissionGranted()) || (await requestPermission()) === "granted";
      if (granted) sendNotification({ title, body });
    },
    reveal: (path) => revealItemInDir(path),
    reportError(text) {
      invoke("report_error", { text }).catch(() => console.error(text));
    },
  };
}
