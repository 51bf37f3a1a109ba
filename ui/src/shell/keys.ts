import { useEffect } from "react";
import { useGo } from "../shared/place";
import { PLACES } from "./places";

/** Whether a key press belongs to a text field rather than to the window. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName);
}

const SEQUENCE_MS = 1200;

/** Ctrl/Cmd-K anywhere; `?` and `g` then a letter outside text fields. */
export function useKeys({ openPalette, openHelp }: { openPalette: () => void; openHelp: () => void }): void {
  const go = useGo();
  useEffect(() => {
    let since = 0;
    const onKey = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        openPalette();
        return;
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return;
      if (event.key === "?") {
        event.preventDefault();
        openHelp();
      } else if (event.key === "g") {
        since = Date.now();
      } else if (event.key === "/") {
        const field = document.querySelector<HTMLInputElement>("[data-filter]");
        if (field) {
          event.preventDefault();
          field.focus();
        }
      } else if (Date.now() - since < SEQUENCE_MS) {
        const place = PLACES.find(({ key }) => key === event.key);
        since = 0;
        if (place) go(place.path);
      }
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [go, openPalette, openHelp]);
}
