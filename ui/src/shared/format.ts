// Numbers, sizes and times as people read them. `Intl` may throw (a "C" locale), so nothing here depends on it.

export const NONE = "–";

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let size = value;
  let unit = 0;
  while (size >= 1000 && unit < units.length - 1) {
    size /= 1000;
    unit += 1;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}

export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const [whole = "", part] = String(value).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  return part ? `${grouped}.${part}` : grouped;
}

/** About four significant digits. `null` is NaN or an infinity on the wire. */
export function figure(value: number | null | undefined): string {
  if (value === null || value === undefined || Number.isNaN(value)) return NONE;
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e7) return count(value);
  if (size >= 1e7 || size < 1e-4) return value.toExponential(2);
  if (size >= 1000) return count(Math.round(value * 10) / 10);
  if (size >= 1) return String(Number(value.toPrecision(4)));
  return value.toFixed(size < 0.01 ? 5 : 4);
}

export function percent(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  const hundred = value * 100;
  return `${hundred === 0 || hundred >= 10 ? Math.round(hundred) : hundred.toFixed(1)}%`;
}

export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined) return NONE;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function milliseconds(value: number | null | undefined): string {
  if (value === null || value === undefined) return NONE;
  if (value >= 1000) return `${(value / 1000).toFixed(2)} s`;
  return `${value >= 100 ? Math.round(value) : value.toFixed(1)} ms`;
}

export function ago(at: number | null | undefined, now: number): string {
  if (at === null || at === undefined) return NONE;
  const seconds = Math.round((now - at) / 1000);
  if (seconds < 0) return `in ${span(-seconds)}`;
  if (seconds < 5) return "just now";
  return `${span(seconds)} ago`;
}

function span(seconds: number): string {
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
  const days = Math.floor(seconds / 86_400);
  return days < 365 ? `${days} d` : `${Math.floor(days / 365)} y`;
}

const two = (value: number) => String(value).padStart(2, "0");

/** `2026-03-01 14:05`, in the user's zone. */
export function when(at: number | null | undefined): string {
  if (at === null || at === undefined) return NONE;
  const date = new Date(at);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** `14:05` of today, else with its day. */
export function moment(at: number, now: number): string {
  const whole = when(at);
  return whole.slice(0, 10) === when(now).slice(0, 10) ? whole.slice(11) : whole;
}

/** With seconds and the zone, for hovering. */
export function exactly(at: number | null | undefined): string {
  if (at === null || at === undefined) return "";
  const date = new Date(at);
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? "−" : "+";
  const zone = `UTC${sign}${two(Math.floor(Math.abs(offset) / 60))}:${two(Math.abs(offset) % 60)}`;
  return `${when(at)}:${two(date.getSeconds())} ${zone}`;
}

export function shortId(id: string | null | undefined): string {
  return id ? id.slice(0, 8) : NONE;
}

/** `~/work/taxi` instead of `/home/ada/work/taxi`. */
export function shortPath(path: string, home: string | undefined): string {
  if (home && (path === home || path.startsWith(`${home}/`))) return `~${path.slice(home.length)}`;
  return path;
}

export function plural(number: number, one: string, many = `${one}s`): string {
  return `${count(number)} ${number === 1 ? one : many}`;
}
