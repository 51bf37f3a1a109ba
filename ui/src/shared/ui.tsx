// The small parts that every page is made of.
import { Check, Copy, type LucideIcon } from "lucide-react";
import { type ButtonHTMLAttributes, type ReactNode, useEffect, useState } from "react";
import { ago, exactly, shortId } from "./format";
import { useGo } from "./place";
import "./ui.css";

export function Button({
  kind = "plain",
  icon: Icon,
  busy = false,
  children,
  className = "",
  disabled,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & {
  kind?: "plain" | "primary" | "danger" | "ghost";
  icon?: LucideIcon;
  busy?: boolean;
}) {
  return (
    <button
      type="button"
      className={`button button-${kind} ${className}`}
      disabled={disabled || busy}
      aria-busy={busy || undefined}
      {...rest}
    >
      {Icon ? <Icon size={14} strokeWidth={1.8} aria-hidden /> : null}
      {children}
    </button>
  );
}

export function IconButton({
  label,
  icon: Icon,
  ...rest
}: ButtonHTMLAttributes<HTMLButtonElement> & { label: string; icon: LucideIcon }) {
  return (
    <button type="button" className="icon-button" aria-label={label} title={label} {...rest}>
      <Icon size={15} strokeWidth={1.7} aria-hidden />
    </button>
  );
}

/** One colour and one shape for each meaning, everywhere. */
export type Tone = "running" | "good" | "stale" | "failed" | "idle";

/** Ring: running. Disc: good. Triangle: stale or waiting. Square with a cross: failed. Open circle: nothing yet. */
export function StateMark({ tone, size = 12 }: { tone: Tone; size?: number }) {
  return (
    <svg className={`mark mark-${tone}`} width={size} height={size} viewBox="0 0 12 12" aria-hidden="true">
      {tone === "running" ? (
        <>
          <circle cx="6" cy="6" r="4.25" fill="none" stroke="currentColor" strokeWidth="1.5" opacity="0.35" />
          <path d="M6 1.75A4.25 4.25 0 0 1 10.25 6" fill="none" stroke="currentColor" strokeWidth="1.5" />
          <circle cx="6" cy="6" r="1.5" fill="currentColor" />
        </>
      ) : null}
      {tone === "good" ? <circle cx="6" cy="6" r="4" fill="currentColor" /> : null}
      {tone === "stale" ? <path d="M6 1.4 11 10.4H1Z" fill="currentColor" /> : null}
      {tone === "failed" ? (
        <>
          <rect x="1.5" y="1.5" width="9" height="9" rx="1" fill="currentColor" />
          <path d="M4 4l4 4M8 4l-4 4" stroke="var(--ground)" strokeWidth="1.3" />
        </>
      ) : null}
      {tone === "idle" ? (
        <circle cx="6" cy="6" r="3.5" fill="none" stroke="currentColor" strokeWidth="1.25" />
      ) : null}
    </svg>
  );
}

export function State({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={`state state-${tone}`}>
      <StateMark tone={tone} />
      <span>{children}</span>
    </span>
  );
}

export function Tag({ children, tone }: { children: ReactNode; tone?: Tone }) {
  return <span className={`tag ${tone ? `tag-${tone}` : ""}`}>{children}</span>;
}

/** The present, refreshed so that "3 min ago" stays true. */
export function useNow(every = 10_000): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), every);
    return () => clearInterval(timer);
  }, [every]);
  return now;
}

export function Time({ at }: { at: number | null | undefined }) {
  const now = useNow();
  return (
    <time title={exactly(at)} className="nowrap">
      {ago(at, now)}
    </time>
  );
}

export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [done, setDone] = useState(false);
  return (
    <button
      type="button"
      className="icon-button small"
      aria-label={label}
      title={label}
      onClick={(event) => {
        event.stopPropagation();
        navigator.clipboard
          ?.writeText(text)
          .then(() => {
            setDone(true);
            setTimeout(() => setDone(false), 1200);
          })
          .catch(() => setDone(false));
      }}
    >
      {done ? <Check size={13} aria-hidden /> : <Copy size={13} aria-hidden />}
    </button>
  );
}

export function Id({ id, full = false }: { id: string | null | undefined; full?: boolean }) {
  if (!id) return <span className="faint">–</span>;
  return (
    <span className="id">
      <code title={id}>{full ? id : shortId(id)}</code>
      <CopyButton text={id} label={`Copy ${id}`} />
    </span>
  );
}

/** A link inside the window. */
export function To({ to, children, className }: { to: string; children: ReactNode; className?: string }) {
  const go = useGo();
  return (
    <a
      href={`#${to}`}
      className={className}
      onClick={(event) => {
        if (event.metaKey || event.ctrlKey || event.shiftKey) return;
        event.preventDefault();
        event.stopPropagation();
        go(to);
      }}
    >
      {children}
    </a>
  );
}

export function Page({
  title,
  crumbs,
  note,
  actions,
  flush = false,
  children,
}: {
  title: ReactNode;
  /** Where this page hangs: `[["Runs", "/runs"]]`. */
  crumbs?: [string, string][];
  note?: ReactNode;
  actions?: ReactNode;
  /** Without padding, for tables and graphs that fill the page. */
  flush?: boolean;
  children: ReactNode;
}) {
  return (
    <section className="page">
      <header className="page-head">
        <h1 className="line cut">
          {crumbs?.map(([text, to]) => (
            <span key={to} className="crumb">
              <To to={to}>{text}</To>
              <span aria-hidden> / </span>
            </span>
          ))}
          <span className="cut">{title}</span>
        </h1>
        {note ? <div className="page-note quiet cut">{note}</div> : null}
        <div className="grow" />
        <div className="line page-actions">{actions}</div>
      </header>
      <div className={flush ? "page-body flush" : "page-body"}>{children}</div>
    </section>
  );
}

export function Section({
  title,
  aside,
  children,
}: {
  title: ReactNode;
  aside?: ReactNode;
  children: ReactNode;
}) {
  return (
    <section className="section">
      <div className="section-head">
        <h2>{title}</h2>
        <div className="grow" />
        {aside}
      </div>
      {children}
    </section>
  );
}

/** Facts about one thing: names on the left, values on the right. */
export function Facts({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className="facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

export function Tabs({
  tabs,
  current,
  onChange,
  label,
}: {
  tabs: [string, ReactNode][];
  current: string;
  onChange: (tab: string) => void;
  label: string;
}) {
  return (
    <div className="tabs" role="tablist" aria-label={label}>
      {tabs.map(([id, text], index) => (
        <button
          key={id}
          type="button"
          role="tab"
          aria-selected={id === current}
          tabIndex={id === current ? 0 : -1}
          onClick={() => onChange(id)}
          onKeyDown={(event) => {
            const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
            if (step === 0) return;
            const next = tabs[(index + step + tabs.length) % tabs.length];
            if (next) onChange(next[0]);
            const row = event.currentTarget.parentElement;
            queueMicrotask(() => row?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus());
          }}
        >
          {text}
        </button>
      ))}
    </div>
  );
}

export function Kbd({ children }: { children: ReactNode }) {
  return <kbd className="kbd">{children}</kbd>;
}

export function Field({ label, hint, children }: { label: string; hint?: ReactNode; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is the child
    <label className="field">
      <span className="field-label">{label}</span>
      {children}
      {hint ? <span className="field-hint faint">{hint}</span> : null}
    </label>
  );
}
