/** A token's value now, for canvases, which take no CSS variables. */
export function token(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

/** Colour-blind-safe, in a fixed order; the ninth series begins again. */
export function seriesColor(index: number): string {
  return `var(--series-${(index % 8) + 1})`;
}

export const seriesToken = (index: number) => `series-${(index % 8) + 1}`;
