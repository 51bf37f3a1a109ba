// Where the stations of the lap stand, and where their words go.

export interface Spot {
  x: number;
  y: number;
}

export interface Label extends Spot {
  anchor: "start" | "middle" | "end";
  dx: number;
  dy: number;
}

const LABEL_WIDTH = 196;
const ROOMY = 900;
const LABEL_HEIGHT = 86;

/** As large as the words around it allow. */
export function ringSize(width: number, height: number): { width: number; height: number } {
  return {
    width: Math.max(300, Math.min(920, width - 2 * (width > ROOMY ? LABEL_WIDTH + 32 : LABEL_WIDTH))),
    height: Math.max(200, Math.min(560, height - 2 * LABEL_HEIGHT)),
  };
}

const angleOf = (turn: number, count: number) => -Math.PI / 2 + (turn / count) * 2 * Math.PI;

/** Stations on an ellipse, clockwise from the top. */
export function spots(count: number, width: number, height: number): Spot[] {
  return Array.from({ length: count }, (_, index) => ({
    x: Math.cos(angleOf(index, count)) * (width / 2),
    y: Math.sin(angleOf(index, count)) * (height / 2),
  }));
}

/** Words stand outside the track: above at the top, below at the bottom, else beside. */
export function label(spot: Spot, width: number, height: number): Label {
  const left = spot.x < 0;
  if (Math.abs(spot.x) < width * 0.05) return { ...spot, anchor: "middle", dx: 0, dy: spot.y < 0 ? -64 : 34 };
  if (spot.y > height * 0.4) return { ...spot, anchor: left ? "end" : "start", dx: left ? 12 : -12, dy: 36 };
  return { ...spot, anchor: left ? "end" : "start", dx: left ? -28 : 28, dy: spot.y < 0 ? -26 : -14 };
}

/** Pixels that stay free between a station's centre and its track. */
const GAP = 22;

/** The track from one station to the next. */
export function arc(
  from: number,
  to: number,
  count: number,
  width: number,
  height: number,
  gap = GAP,
): string {
  const rx = width / 2;
  const ry = height / 2;
  const at = (turn: number): Spot => ({
    x: Math.cos(angleOf(turn, count)) * rx,
    y: Math.sin(angleOf(turn, count)) * ry,
  });
  const clear = (turn: number, step: number) => {
    const origin = at(turn);
    let here = turn;
    for (let moves = 0; moves < 200; moves += 1) {
      const point = at(here);
      if (Math.hypot(point.x - origin.x, point.y - origin.y) >= gap) break;
      here += step;
    }
    const point = at(here);
    return `${point.x.toFixed(1)} ${point.y.toFixed(1)}`;
  };
  return `M ${clear(from, 0.005)} A ${rx} ${ry} 0 0 1 ${clear(to, -0.005)}`;
}
