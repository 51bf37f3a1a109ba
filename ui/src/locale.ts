// A "C" locale (containers, CI) makes `navigator.language` something that Intl refuses, and libraries that ask Intl
// while they are imported then leave a blank window. This runs before any of them is imported.

function accepted(tag: string | undefined): boolean {
  if (!tag) return false;
  try {
    new Intl.NumberFormat(tag);
    return true;
  } catch {
    return false;
  }
}

export function guardLocale(target: Navigator = navigator): boolean {
  if (accepted(target.language)) return false;
  Object.defineProperty(target, "language", { value: "en-US", configurable: true });
  Object.defineProperty(target, "languages", { value: ["en-US"], configurable: true });
  return true;
}
