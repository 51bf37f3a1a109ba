/** The nearest name that a deployment may have: a folder, a URL segment and a container name at once. */
export function deployable(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9-]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63);
}

/** `null` for an empty text: any free port. */
export function portOf(text: string): number | null | "fault" {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const port = Number(trimmed);
  return /^\d+$/.test(trimmed) && port >= 1 && port <= 65_535 ? port : "fault";
}
